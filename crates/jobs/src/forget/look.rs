//! Looks for what holds the paths on the pool. It only looks.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use subvault_host::HostErrorKind;
use subvault_host::copy::Below;
use subvault_host::subvolume::{ListedSubvolume, Subvolume};
use subvault_host::top_level::{Access, TopLevel};
use subvault_model::file::{FileKind, FileState, shown};
use subvault_model::ids::SnapshotUuid;
use subvault_model::names::SnapshotName;
use subvault_model::subvolume::LocalSnapshot;
use subvault_plan::bring_back::TreeSize;
use subvault_plan::forget::archives::Clean;
use subvault_plan::forget::{Held, Seen, SeenLeftover, SeenSnapshot};

use super::{ASIDE, Debris, OnPool, Other, Subject};
use crate::error::JobError;
use crate::fetched::DIRECTORY;
use crate::foreign::{self, Owner};
use crate::restore::STAGED;
use crate::setup::SubvolumeSetup;
use crate::{note, snapshot};

/// Looks at a subvolume, at our snapshots of it, and at whatever else on the pool descends from it.
///
/// # Errors
/// When something cannot be looked at: then it is not known what holds the paths.
pub fn look(subject: &Subject<'_>) -> Result<OnPool, JobError> {
    let Subject { setup, paths } = subject;
    let live = Subvolume::open(&setup.path)?;
    let existing = snapshot::existing(setup)?;
    let mut snapshots = Vec::new();
    for found in existing.iter().cloned() {
        let opened = Subvolume::open_in(&setup.snapshots, OsStr::new(&found.name.to_string()))?;
        let holds = held(&Below::of(&opened)?, paths)?;
        snapshots.push(SeenSnapshot { name: found.name, uuid: found.uuid, read_only: found.read_only, holds });
    }
    snapshots.sort_by(|a, b| a.name.cmp(&b.name));
    let seen = Seen {
        subvolume: setup.name.clone(),
        live: held(&Below::of(&live)?, paths)?,
        snapshots,
        leftovers: leftovers(setup)?,
    };
    let others = others(subject, &live, (&seen, &existing))?;
    Ok(OnPool { seen, others })
}

/// Our snapshots that do not hold the paths, and their last changes.
///
/// # Errors
/// As `look`.
pub fn clean(subject: &Subject<'_>) -> Result<Clean, JobError> {
    let mut clean = Clean::new();
    for found in snapshot::existing(subject.setup)?.into_iter().filter(|found| found.read_only) {
        let opened = snapshot::open(&subject.setup.snapshots, &found.name, found.uuid)?;
        if held(&Below::of(&opened)?, &subject.paths)?.is_empty() {
            clean.insert(found.uuid, found.ctransid);
        }
    }
    Ok(clean)
}

/// What is at the paths.
fn held(place: &Below, paths: &[PathBuf]) -> Result<Vec<Held>, JobError> {
    let mut found = Vec::new();
    for path in paths {
        if let Some(state) = place.has(path)? {
            found.push(measure(place, path, state)?);
        }
    }
    Ok(found)
}

fn measure(place: &Below, path: &Path, state: FileState) -> Result<Held, JobError> {
    let (mut size, mut linked) = (TreeSize::default(), 0);
    let mut open = vec![(path.to_owned(), state)];
    while let Some((path, state)) = open.pop() {
        size.entries += 1;
        match state.kind {
            FileKind::File => {
                size.bytes += state.size;
                linked += u64::from(state.links > 1);
            }
            FileKind::Directory => {
                for name in place.names(&path)? {
                    let below = path.join(name);
                    open.extend(place.look(&below)?.map(|state| (below, state)));
                }
            }
            _ => {}
        }
    }
    Ok(Held { path: path.to_owned(), kind: state.kind, size, linked })
}

/// What runs that died left beside snapshots.
fn leftovers(setup: &SubvolumeSetup) -> Result<Vec<SeenLeftover>, JobError> {
    let entries = match fs::read_dir(&setup.snapshots) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(JobError::file("read the snapshot directory", &setup.snapshots)(e)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let file_name = entry.map_err(JobError::file("read the snapshot directory", &setup.snapshots))?.file_name();
        let name = file_name.to_str().and_then(|text| text.strip_prefix(ASIDE)?.parse::<SnapshotName>().ok());
        let Some(name) = name.filter(|name| *name.subvolume() == setup.name) else { continue };
        match Subvolume::open_in(&setup.snapshots, &file_name).and_then(|opened| opened.info()?.identity()) {
            Ok(uuid) => found.push(SeenLeftover { name, uuid }),
            Err(e) if matches!(e.kind(), HostErrorKind::NotASubvolume | HostErrorKind::NotFound) => {}
            Err(e) => return Err(e.into()),
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Whatever else on the pool has to do with the subvolume by what is a snapshot or a copy of what, or was left by runs that
/// died, and holds one of the paths.
fn others(
    subject: &Subject<'_>,
    live: &Subvolume,
    (seen, existing): (&Seen, &[LocalSnapshot]),
) -> Result<Vec<Other>, JobError> {
    let pool = live.pool()?;
    let all = pool.subvolumes()?;
    let left = seen.leftovers.iter().map(|left| left.uuid);
    let ours: BTreeSet<SnapshotUuid> =
        seen.snapshots.iter().map(|s| s.uuid).chain(left).chain(live.info()?.uuid).collect();
    let owners: BTreeMap<SnapshotUuid, Owner> =
        foreign::find(&subject.setup.path, existing)?.into_iter().map(|found| (found.uuid, found.owner)).collect();
    let related = related(&ours, &owners, &edges(&all, existing));
    let is_other = |listed: &&ListedSubvolume| {
        let is_kin = |uuid: SnapshotUuid| related.contains(uuid.as_bytes()) && !ours.contains(&uuid);
        listed.info.uuid.is_some_and(is_kin) || Debris::at(&listed.path, subject).is_some()
    };
    let mut found = Vec::new();
    let mut candidates = all.iter().filter(is_other).peekable();
    if candidates.peek().is_none() {
        return Ok(found);
    }
    let top = TopLevel::of_pool(&pool, Access::Look)?;
    for listed in candidates {
        let opened = match top.subvolume(&listed.path) {
            Ok(opened) => opened,
            Err(e) if e.kind() == HostErrorKind::NotFound => continue,
            Err(e) => return Err(e.into()),
        };
        let holds = held(&Below::of(&opened)?, &subject.paths)?;
        if !holds.is_empty() {
            let owner = listed.info.uuid.and_then(|uuid| owners.get(&uuid).copied());
            let debris = Debris::at(&listed.path, subject);
            found.push(Other { owner, debris, path: shown(&listed.path), holds });
        }
    }
    Ok(found)
}

impl Debris {
    /// By the names that runs give to what they are at work on.
    fn at(path: &Path, subject: &Subject<'_>) -> Option<Self> {
        let fetched = OsString::from(format!("{DIRECTORY}{}", subject.setup.name));
        path.iter().find_map(|part| match part {
            part if part == fetched => Some(Self::Fetched),
            part if part.as_encoded_bytes().starts_with(STAGED.as_bytes()) => Some(Self::Restoring),
            _ => None,
        })
    }
}

/// What belongs together: a subvolume, and what it is a snapshot or a copy of, by the kernel and by our notes.
fn edges(all: &[ListedSubvolume], existing: &[LocalSnapshot]) -> Vec<([u8; 16], [u8; 16])> {
    let by_kernel =
        all.iter().filter_map(|ListedSubvolume { info, .. }| Some((info.uuid?, info))).flat_map(|(uuid, info)| {
            let parent = info.parent_uuid.map(|parent| *parent.as_bytes());
            let received = info.received_uuid.map(|received| *received.as_bytes());
            [parent, received].into_iter().flatten().map(move |of| (*uuid.as_bytes(), of))
        });
    let gone = note::gone_of(existing).into_iter().map(|(uuid, parent)| (*uuid.as_bytes(), *parent.as_bytes()));
    let noted = existing
        .iter()
        .filter_map(|snapshot| Some((*snapshot.uuid.as_bytes(), *snapshot.note.remade.as_ref()?.parent?.as_bytes())));
    by_kernel.chain(gone).chain(noted).collect()
}

/// Whatever is joined to one of these, and so on.
fn related(
    ours: &BTreeSet<SnapshotUuid>,
    others: &BTreeMap<SnapshotUuid, Owner>,
    edges: &[([u8; 16], [u8; 16])],
) -> BTreeSet<[u8; 16]> {
    let mut family: BTreeSet<[u8; 16]> = ours.iter().chain(others.keys()).map(|uuid| *uuid.as_bytes()).collect();
    loop {
        let before = family.len();
        for (one, other) in edges {
            if family.contains(one) || family.contains(other) {
                family.extend([*one, *other]);
            }
        }
        if family.len() == before {
            return family;
        }
    }
}
