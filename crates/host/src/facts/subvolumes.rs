//! The subvolumes of a pool that are no snapshots: where they are, how they are set up, who uses them.
//!
//! Those that no mount shows are looked at through a mount of the top level that nobody else sees. Without root, only those
//! that are mounted can be found, and that is told.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use subvault_model::facts::{ChangeRate, SubvolumeFacts};
use subvault_model::file_path::FilePath;
use subvault_model::ids::SubvolumeId;

use super::pools::Content;
use super::{NotKnown, change, uses};
use crate::error::{HostErrorKind, Result};
use crate::mounts::{Mount, Mounts, places_of};
use crate::pool::Pool;
use crate::subvolume::{ListedSubvolume, Subvolume, SubvolumeInfo};
use crate::top_level::{Access, TopLevel};
use crate::tree_diff;

/// Looks at what lies on the pool.
///
/// # Errors
/// When not even its mounts are to be found.
pub(super) fn look(pool: &Pool, mounts: &Mounts, now: Timestamp) -> Result<Content> {
    let of_pool = mounts.of_pool(pool, pool.path())?;
    let mut content = Content::default();
    let all = match pool.subvolumes() {
        Ok(all) => all,
        Err(error) => {
            let what = format!("the subvolumes on the pool at {} that are not mounted", pool.path().display());
            content.not_known.push(NotKnown::new(what, &error));
            if error.kind() != HostErrorKind::Permission {
                return Ok(content);
            }
            mounted(&of_pool)
        }
    };
    let snapshots = all.iter().map(|listed| &listed.info).filter(|info| is_snapshot(info));
    let pairs = change::Pairs::new(snapshots, now);
    let mut sight = Sight { pool, all: &all, mounts: of_pool, top: None, not_known: Vec::new(), pairs };
    let places = sight.places();
    for listed in &all {
        if is_snapshot(&listed.info) {
            content.snapshots += 1;
        } else if listed.info.id != SubvolumeId::TOP || !places.containers.contains(&SubvolumeId::TOP) {
            content.subvolumes.push(sight.facts(listed, &places));
        }
    }
    content.not_known.append(&mut sight.not_known);
    Ok(content)
}

/// Read-only, and made from something else.
fn is_snapshot(info: &SubvolumeInfo) -> bool {
    info.read_only && (info.parent_uuid.is_some() || info.received_uuid.is_some())
}

/// The subvolumes that are mounted, for those who may not ask for all.
fn mounted(mounts: &[&Mount]) -> Vec<ListedSubvolume> {
    let mut found: BTreeMap<SubvolumeId, ListedSubvolume> = BTreeMap::new();
    for mount in mounts {
        let opened = Subvolume::open(&mount.point).and_then(|subvolume| subvolume.info());
        if let (Ok(info), Some(path)) = (opened, mount.subvolume_path()) {
            let path = path.strip_prefix("/").unwrap_or(path).to_owned();
            found.insert(info.id, ListedSubvolume { info, path });
        }
    }
    found.into_values().collect()
}

/// How the pool is looked at.
struct Sight<'a> {
    pool: &'a Pool,
    all: &'a [ListedSubvolume],
    mounts: Vec<&'a Mount>,
    /// Mounted when it is first needed; `Some(None)` where that fails.
    top: Option<Option<TopLevel>>,
    not_known: Vec<NotKnown>,
    pairs: change::Pairs<'a>,
}

/// What lies in what.
struct Places {
    outer: BTreeMap<SubvolumeId, SubvolumeId>,
    /// Subvolumes that hold nothing but places for others.
    containers: BTreeSet<SubvolumeId>,
}

impl Places {
    /// Whether a subvolume around it holds more than places.
    fn is_nested(&self, id: SubvolumeId) -> bool {
        let mut around = self.outer.get(&id);
        while let Some(id) = around {
            if !self.containers.contains(id) {
                return true;
            }
            around = self.outer.get(id);
        }
        false
    }
}

impl Sight<'_> {
    fn places(&self) -> Places {
        let outer: BTreeMap<_, _> =
            self.all.iter().filter_map(|listed| Some((listed.info.id, listed.info.parent_id?))).collect();
        let holding: BTreeSet<_> = outer.values().copied().chain([SubvolumeId::TOP]).collect();
        let containers = holding.into_iter().filter(|id| self.is_container(*id)).collect();
        Places { outer, containers }
    }

    fn is_container(&self, id: SubvolumeId) -> bool {
        let mut of_top = self.mounts.iter().filter(|mount| id == SubvolumeId::TOP && mount.root == Path::new("/"));
        // What lies at the top level and is mounted nowhere is used by nobody.
        if id == SubvolumeId::TOP && of_top.next().is_none() {
            return true;
        }
        tree_diff::holds_only_directories(self.pool, id).unwrap_or(false)
    }

    fn facts(&mut self, listed: &ListedSubvolume, places: &Places) -> SubvolumeFacts {
        let seen = self.seen(listed);
        let seen_at = seen.as_ref().map(|(place, _)| place.clone());
        let opened = seen.map(|(_, subvolume)| subvolume).or_else(|| self.open_unseen(listed));
        let inside = Path::new("/").join(&listed.path);
        SubvolumeFacts {
            path: file_path(&listed.path),
            seen_at: seen_at.as_deref().map(file_path),
            is_mounted: self.mounts.iter().any(|mount| mount.root == inside),
            is_nested: places.is_nested(listed.info.id),
            is_nodatacow: opened.as_ref().is_some_and(uses::is_nodatacow),
            compression: opened.as_ref().and_then(uses::compression),
            uses: uses::look(opened.as_ref(), seen_at.as_deref()),
            change: self.change(listed),
        }
    }

    /// Where it is seen: where it is mounted itself rather than below a mount of what it lies in, and by the shortest path.
    fn seen(&self, listed: &ListedSubvolume) -> Option<(PathBuf, Subvolume)> {
        let inside = Path::new("/").join(&listed.path);
        let is_mounted_at = |place: &Path| self.mounts.iter().any(|mount| mount.root == inside && mount.point == place);
        let mut places = places_of(&self.mounts, &listed.path);
        places.sort_by_key(|place| (!is_mounted_at(place), place.as_os_str().len(), place.clone()));
        places.into_iter().find_map(|place| {
            // Something else may be mounted over it.
            let opened = Subvolume::open(&place).ok().filter(|opened| opened.id() == listed.info.id)?;
            (opened.pool().ok()?.uuid() == self.pool.uuid()).then_some((place, opened))
        })
    }

    fn open_unseen(&mut self, listed: &ListedSubvolume) -> Option<Subvolume> {
        let (pool, not_known) = (self.pool, &mut self.not_known);
        let mount = || {
            let what = || format!("who uses what is not mounted of the pool at {}", pool.path().display());
            TopLevel::of_pool(pool, Access::Look).inspect_err(|e| not_known.push(NotKnown::new(what(), e))).ok()
        };
        let top = self.top.get_or_insert_with(mount).as_ref()?;
        top.subvolume(&listed.path).ok().filter(|opened| opened.id() == listed.info.id)
    }

    fn change(&mut self, listed: &ListedSubvolume) -> Option<ChangeRate> {
        let (old, new) = self.pairs.of(listed.info.uuid?)?;
        change::rate(self.pool, old, new).unwrap_or_else(|why| {
            let what = format!("how much {} changes", file_path(&listed.path));
            self.not_known.push(NotKnown { what, why });
            None
        })
    }
}

fn file_path(path: &Path) -> FilePath {
    FilePath::new(path.as_os_str().as_bytes())
}
