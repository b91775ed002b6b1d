//! Whether what is at a path is what its place on the pool holds: between a rollback and the mount that follows it, a path
//! shows what was replaced, and in the middle of one it may show either.
//!
//! It must only look. Where it cannot look at the top level of a pool, that is told, and nothing is taken for unfinished.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use subvault_host::pool::Pool;
use subvault_host::subvolume::{ListedSubvolume, Subvolume};
use subvault_host::top_level::{Access, TopLevel};
use subvault_model::ids::PoolUuid;
use subvault_model::monitor::{Event, Monitor};
use subvault_plan::rollback::path::PoolPath;
use subvault_plan::rollback::replaced_from;

use crate::driver::chain;
use crate::error::JobError;

/// What is known of pools; each is looked at once.
#[derive(Default)]
pub struct Settled {
    pools: BTreeMap<PoolUuid, Seen>,
}

struct Seen {
    subvolumes: Vec<ListedSubvolume>,
    /// The place of a rollback that was begun and not finished.
    unfinished: Option<PathBuf>,
}

impl Settled {
    /// Makes sure that the subvolume at this path is the one in its place.
    ///
    /// # Errors
    /// `Refused` when it is what a rollback replaced, or when one is unfinished on its pool.
    pub fn check(&mut self, path: &Path, monitor: &dyn Monitor) -> Result<(), JobError> {
        let subvolume = Subvolume::open(path)?;
        let pool = subvolume.pool()?;
        let seen = match self.pools.entry(pool.uuid()) {
            std::collections::btree_map::Entry::Occupied(seen) => seen.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => entry.insert(look(&pool, monitor)?),
        };
        if let Some(place) = &seen.unfinished {
            return Err(JobError::Refused {
                what: format!("the rollback of {} on the pool of {} is unfinished", named(place), path.display()),
                hint: "finish it with `subvault rollback --resume`, or take it back with `subvault rollback --undo`"
                    .to_owned(),
            });
        }
        let at = seen.subvolumes.iter().find(|listed| listed.info.id == subvolume.id());
        let replaced = at.and_then(|listed| listed.path.ancestors().find_map(replaced_from));
        match replaced {
            None => Ok(()),
            Some((place, _)) => Err(JobError::Refused {
                what: format!("{} shows what a rollback of {} has replaced", path.display(), named(&place)),
                hint: "reboot, or unmount it and mount it again; or bring it back with `subvault rollback --undo`"
                    .to_owned(),
            }),
        }
    }
}

fn look(pool: &Pool, monitor: &dyn Monitor) -> Result<Seen, JobError> {
    let subvolumes = pool.subvolumes()?;
    let noted =
        TopLevel::of_pool(pool, Access::Look).map_err(JobError::from).and_then(|top| super::unfinished_on(&top));
    // A note that is not understood is one.
    let unfinished = match noted {
        Err(error @ JobError::Refused { .. }) => return Err(error),
        Err(error) => {
            let what = format!("whether a rollback is unfinished on the pool of {}", pool.path().display());
            monitor.event(Event::Warning(format!("{what}: {}", chain(&error))));
            None
        }
        Ok(unfinished) => unfinished,
    };
    Ok(Seen { subvolumes, unfinished })
}

fn named(place: &Path) -> PoolPath {
    PoolPath::new(place)
}
