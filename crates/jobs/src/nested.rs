//! Subvolumes inside of those that are looked after: a snapshot holds only empty directories in their place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use subvault_host::subvolume::{ListedSubvolume, Subvolume};
use subvault_model::ids::{PoolUuid, SubvolumeId};
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::SubvolumeName;
use subvault_plan::policy::Group;

use crate::driver::chain;
use crate::error::JobError;
use crate::setup::{NestedChoice, Setup, SubvolumeSetup};

/// Looks for them; what a pool has is read once.
#[derive(Default)]
pub struct Finder {
    pools: BTreeMap<PoolUuid, Vec<ListedSubvolume>>,
    /// Those that are looked after under names of their own.
    configured: BTreeSet<(PoolUuid, SubvolumeId)>,
}

impl Finder {
    /// One that passes over what this configuration looks after.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        let place = |s: &SubvolumeSetup| {
            let subvolume = Subvolume::open(&s.path).ok()?;
            Some((subvolume.pool().ok()?.uuid(), subvolume.id()))
        };
        Self { pools: BTreeMap::new(), configured: setup.subvolumes.iter().filter_map(place).collect() }
    }

    /// Where the subvolumes inside of this one are that nothing looks after: no snapshots, and no place for them.
    ///
    /// # Errors
    /// When the subvolume cannot be looked at.
    pub fn inside(&mut self, setup: &SubvolumeSetup) -> Result<Vec<PathBuf>, JobError> {
        let subvolume = Subvolume::open(&setup.path)?;
        let pool = subvolume.pool()?;
        if let std::collections::btree_map::Entry::Vacant(entry) = self.pools.entry(pool.uuid()) {
            entry.insert(pool.subvolumes()?);
        }
        let all = self.pools.get(&pool.uuid()).map(Vec::as_slice).unwrap_or_default();
        let Some(outer) = all.iter().find(|listed| listed.info.id == subvolume.id()) else { return Ok(Vec::new()) };
        let inside = |listed: &&ListedSubvolume| {
            let inner = listed.path.strip_prefix(&outer.path).ok()?;
            let is_other = listed.info.id != outer.info.id && !listed.info.read_only && !is_for_snapshots(inner);
            (is_other && !self.configured.contains(&(pool.uuid(), listed.info.id))).then(|| setup.path.join(inner))
        };
        Ok(all.iter().filter_map(|listed| inside(&listed)).collect())
    }
}

/// snapper keeps its snapshots in a subvolume of this name.
fn is_for_snapshots(inner: &Path) -> bool {
    inner.components().any(|part| part.as_os_str() == ".snapshots")
}

/// Adds the subvolumes inside of those that say so to what is looked after, under names made of where they are, and
/// together with what they are in.
pub fn include(setup: &mut Setup, monitor: &dyn Monitor) {
    let mut finder = Finder::new(setup);
    let outer: Vec<_> = setup.subvolumes.iter().filter(|s| s.nested == NestedChoice::Include).cloned().collect();
    for outer in outer {
        match finder.inside(&outer) {
            Ok(found) => found.iter().for_each(|inner| add(setup, &outer, inner, monitor)),
            Err(error) => {
                monitor.event(Event::Warning(format!("subvolumes inside of {}: {}", outer.name, chain(&error))));
            }
        }
    }
}

fn add(setup: &mut Setup, outer: &SubvolumeSetup, inner: &Path, monitor: &dyn Monitor) {
    let name = name_of(outer, inner).filter(|name| setup.subvolume(name).is_none());
    let policy = setup.policy.subvolumes.iter().find(|policy| policy.name == outer.name).cloned();
    let (Some(name), Some(mut policy)) = (name, policy) else {
        let what = format!("{} cannot be included under a name of its own; give it a [[subvolume]]", inner.display());
        return monitor.event(Event::Warning(what));
    };
    policy.name = name.clone();
    setup.policy.subvolumes.push(policy);
    let nested = NestedChoice::Ignore;
    setup.subvolumes.push(SubvolumeSetup { name: name.clone(), path: inner.to_owned(), nested, ..outer.clone() });
    match setup.policy.groups.iter_mut().find(|group| group.members.contains(&outer.name)) {
        Some(group) => group.members.push(name),
        None => {
            let of_its_own = outer.name.as_str().parse().map(|group| Group {
                name: group,
                members: vec![outer.name.clone(), name],
                hooks: Vec::new(),
            });
            setup.policy.groups.extend(of_its_own);
        }
    }
}

/// `home+ada+cache` for `/home/ada/cache` in `home`; `None` where the path is not plain enough for a name.
fn name_of(outer: &SubvolumeSetup, inner: &Path) -> Option<SubvolumeName> {
    let rest = inner.strip_prefix(&outer.path).ok()?;
    let parts: Option<Vec<&str>> = rest.components().map(|part| part.as_os_str().to_str()).collect();
    format!("{}+{}", outer.name, parts?.join("+")).parse().ok()
}
