//! What a path means, and which of its versions.

use std::path::PathBuf;

use subvault_host::subvolume::{Subvolume, locate};
use subvault_jobs::driver::chain;
use subvault_jobs::error::JobError;
use subvault_jobs::replicate::Reached;
use subvault_jobs::setup::{Setup, SubvolumeSetup};
use subvault_jobs::versions::{self, Found};
use subvault_model::ids::SnapshotUuid;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{SubvolumeName, TargetName};
use subvault_plan::versions::{Version, choose};

use super::Job;
use crate::commands::archive::no_subvolume;
use crate::commands::restore::{Place, place_of};
use crate::failure::Failure;
use crate::output::size;

/// What is to come back.
pub enum Spot {
    /// A path below the top of a configured subvolume.
    Inside(SubvolumeName, PathBuf),
    /// A path of the file system.
    At(PathBuf),
}

impl Spot {
    /// A path below the top of a configured subvolume.
    pub fn inside(subvolume: SubvolumeName, path: PathBuf) -> Self {
        Self::Inside(subvolume, path)
    }

    /// The configured subvolume that it lies in, and its path there.
    ///
    /// # Errors
    /// When it lies in none.
    pub fn find<'a>(&self, setup: &'a Setup) -> Result<(&'a SubvolumeSetup, PathBuf), Failure> {
        match self {
            Self::Inside(name, inside) => {
                let found = setup.subvolume(name).ok_or_else(|| no_subvolume(setup, name))?;
                Ok((found, inside.clone()))
            }
            Self::At(path) => {
                let located = locate(path)?;
                let is_it = |subvolume: &&SubvolumeSetup| {
                    let opened = Subvolume::open(&subvolume.path).ok().filter(|s| s.id() == located.subvolume);
                    opened.and_then(|s| s.pool().ok()).is_some_and(|pool| pool.uuid() == located.pool)
                };
                let found = setup.subvolumes.iter().find(is_it).ok_or_else(|| {
                    let paths: Vec<_> = setup.subvolumes.iter().map(|s| s.path.display().to_string()).collect();
                    let what = format!("{} lies in no subvolume of the configuration", path.display());
                    Failure::usage(what, format!("these are looked after: {}", paths.join(", ")))
                })?;
                Ok((found, located.inside))
            }
        }
    }
}

impl Job<'_> {
    /// All versions, as far as they are asked for.
    pub(super) fn all(&self, local: Vec<Found>, reached: &mut Reached) -> Result<Vec<Found>, Failure> {
        match self.args.named_place() {
            Some(from) => self.only_from(place_of(self.setup, &from)?, local, reached),
            None if self.args.all => {
                let mut found = local;
                let here = identities(&found);
                found.extend(self.copies(None, &here, reached)?);
                Ok(found)
            }
            None => Ok(local),
        }
    }

    /// The version that is meant.
    pub(super) fn choose(&self, local: Vec<Found>, reached: &mut Reached) -> Result<Found, Failure> {
        let best = |found: &[Found]| {
            let versions: Vec<Version> = found.iter().map(|found| found.version.clone()).collect();
            choose(&versions, self.args.at)
        };
        let from = self.args.named_place();
        let mut found = match &from {
            None => local,
            Some(from) => self.only_from(place_of(self.setup, from)?, local, reached)?,
        };
        let mut chosen = best(&found);
        if chosen.is_none() && from.is_none() {
            let here = identities(&found);
            found = self.copies(None, &here, reached)?;
            chosen = best(&found);
            if chosen.is_none() {
                found = self.archives(&here, None)?;
                chosen = best(&found);
            }
        }
        match chosen {
            Some(index) => Ok(found.swap_remove(index)),
            None => {
                let when = self.args.at.map_or_else(String::new, |at| format!(" of {} or before", size::moment(at)));
                let what = format!(
                    "no snapshot{when} has {}, and no copy or archive that could be looked at may have it",
                    self.title()
                );
                let hint = "`--list` shows where it is; check the spelling of the path".to_owned();
                Err(JobError::Refused { what, hint }.into())
            }
        }
    }

    /// What the place that was named has.
    fn only_from(&self, from: Place, local: Vec<Found>, reached: &mut Reached) -> Result<Vec<Found>, Failure> {
        match from {
            Place::Path(path) => Ok(vec![versions::at_path(&path, &self.inside)?]),
            Place::Replica(target) => self.copies(Some(&target), &[], reached),
            Place::Archive(target) => self.archives(&[], Some(&target)),
            Place::Snapshot(name) => {
                let is_it = |found: &Found| found.version.name == name.to_string();
                let mut named: Vec<Found> = local.into_iter().filter(is_it).collect();
                named.iter_mut().for_each(|found| found.version.by_name_only = false);
                match named.is_empty() {
                    true => Err(Failure::usage(
                        format!("there is no snapshot {name} of {}", self.subvolume.name),
                        "`--list` shows them",
                    )),
                    false => Ok(named),
                }
            }
        }
    }

    /// What copies have that is not on the pool.
    fn copies(
        &self,
        only: Option<&TargetName>,
        here: &[SnapshotUuid],
        reached: &mut Reached,
    ) -> Result<Vec<Found>, Failure> {
        let monitor = &self.context.monitor;
        let (now, found) = versions::copies(self.setup, &self.subvolume.name, &self.inside, only, here, monitor)?;
        *reached = now;
        Ok(found)
    }

    /// What archives have that is not on the pool.
    fn archives(&self, here: &[SnapshotUuid], only: Option<&TargetName>) -> Result<Vec<Found>, Failure> {
        let mut found = Vec::new();
        for target in self.setup.targets.iter().filter(|target| only.is_none_or(|only| target.name == *only)) {
            let taken = target.open().and_then(|store| {
                let layout = self.args.place.layout(self.setup);
                Ok(subvault_archive::inventory::take_series(&store, &layout, &self.subvolume.name)?)
            });
            match taken {
                Ok(series) => found.extend(versions::archived(&target.name, &series, here)),
                Err(error) if only.is_some() => return Err(error.into()),
                Err(error) => {
                    self.context.monitor.event(Event::Warning(format!("{}: {}", target.name, chain(&error))));
                }
            }
        }
        Ok(found)
    }
}

fn identities(found: &[Found]) -> Vec<SnapshotUuid> {
    found.iter().filter_map(|found| found.reach.local()).collect()
}
