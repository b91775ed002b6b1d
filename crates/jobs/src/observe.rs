//! Looks at pools, journals and stores, so that `plan` can decide.

use std::collections::BTreeMap;

use subvault_archive::error::ArchiveError;
use subvault_archive::inventory::{self, Series};
use subvault_archive::journal::{Journal, Recorded};
use subvault_host::pool::Pool;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{StreamName, SubvolumeName, TargetName};
use subvault_plan::observed::{Observed, ObservedSubvolume, ObservedTarget, Pin, Unfinished};
use subvault_plan::space::Room;
use subvault_store::ObjectStore;

use crate::claim::claim_host;
use crate::driver::chain;
use crate::error::JobError;
use crate::nested::Finder;
use crate::replica::record;
use crate::replicate::Reached;
use crate::rollback::settled::Settled;
use crate::setup::{NestedChoice, Setup, SubvolumeSetup, TargetSetup};
use crate::{note, open_hooks, snapshot};

/// What was seen, with what is needed to act on it.
#[derive(Default)]
pub struct Sight {
    /// What `plan` decides on.
    pub observed: Observed,
    /// The stores that could be opened.
    pub stores: BTreeMap<TargetName, ObjectStore>,
    /// What they have.
    pub series: BTreeMap<(TargetName, SubvolumeName), Series>,
    /// The replicas that were looked at.
    pub reached: Reached,
    /// What could not be looked at, and why.
    pub failures: Vec<(String, JobError)>,
}

/// Whether looking may write: the first archive run claims the host's name in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Claim it.
    Yes,
    /// Only look.
    No,
}

/// Looks at everything that the policy of this run is about; of the targets only at `only`, unless that is empty. What
/// cannot be seen is told and left out. (The policy still names all targets, so that nothing that one of the others
/// needs is given up.)
pub fn look(setup: &Setup, only: &[TargetName], claim: Claim, monitor: &dyn Monitor) -> Sight {
    let mut sight = Sight::default();
    let chosen = |target: &&TargetName| only.is_empty() || only.contains(target);
    let mut wanted: Vec<&TargetName> = setup.policy.subvolumes.iter().flat_map(|s| &s.targets).filter(chosen).collect();
    wanted.sort();
    wanted.dedup();
    for target in wanted.into_iter().filter_map(|name| setup.target(name)) {
        match open(setup, target, claim) {
            Ok(store) => drop(sight.stores.insert(target.name.clone(), store)),
            Err(error) => sight.fail(monitor, format!("target {}", target.name), error),
        }
    }
    match open_hooks::all(&setup.state) {
        Ok(open) => sight.observed.open_hooks = open,
        Err(error) => sight.fail(monitor, "hooks that an earlier run began".to_owned(), error),
    }
    let (mut finder, mut settled) = (Finder::new(setup), Settled::default());
    for policy in &setup.policy.subvolumes {
        let Some(subvolume) = setup.subvolume(&policy.name) else { continue };
        // What a rollback has replaced has snapshots of its own, and is not what is looked after.
        let snapshots = settled.check(&subvolume.path, monitor).and_then(|()| snapshot::to_send(subvolume));
        // The archive of a subvolume that is not there is shown all the same.
        let targets = policy.targets.iter().filter_map(|name| setup.target(name));
        let targets = targets.filter_map(|target| sight.look_at(setup, target, &policy.name, monitor)).collect();
        let noted = snapshots.and_then(|snapshots| Ok((snapshots, note::lost(&subvolume.snapshots, &policy.name)?)));
        match noted {
            Ok((snapshots, lost_notes)) => {
                let (room, nested) = (sight.room(subvolume, monitor), sight.nested(&mut finder, subvolume, monitor));
                let pool = Pool::containing(&subvolume.path).ok().map(|pool| pool.uuid());
                sight.observed.subvolumes.push(ObservedSubvolume {
                    name: policy.name.clone(),
                    snapshots,
                    lost_notes,
                    targets,
                    room,
                    nested,
                    pool,
                    replicas: Vec::new(),
                    pins: pins(setup, &policy.name),
                });
            }
            Err(error) => sight.fail(monitor, format!("snapshots of {}", policy.name), error),
        }
    }
    sight
}

/// What replicas had when they were seen last.
fn pins(setup: &Setup, subvolume: &SubvolumeName) -> Vec<Pin> {
    let of = |target: &TargetName| record::read(&setup.state, target, subvolume);
    let replicas = setup.replicas.iter().filter_map(|r| of(&r.name).map(|last| (r.name.clone(), last)));
    replicas.map(|(target, last)| Pin { snapshot: last.uuid, target, seen: last.seen }).collect()
}

fn open(setup: &Setup, target: &TargetSetup, claim: Claim) -> Result<ObjectStore, JobError> {
    let store = target.open()?;
    if claim == Claim::Yes {
        claim_host(setup, target, &store)?;
    }
    Ok(store)
}

impl Sight {
    /// Something could not be looked at.
    pub fn fail(&mut self, monitor: &dyn Monitor, what: String, error: JobError) {
        monitor.event(Event::Warning(format!("{what}: {}", chain(&error))));
        self.failures.push((what, error));
    }

    /// Without knowing it nothing goes for want of space, and all else goes on.
    fn room(&self, subvolume: &SubvolumeSetup, monitor: &dyn Monitor) -> Option<Room> {
        match Pool::containing(&subvolume.path).and_then(|pool| pool.space()) {
            Ok(space) => Some(Room { total: space.data_used + space.data_free, free: space.data_free }),
            Err(error) => {
                monitor.event(Event::Warning(format!("room on the pool of {}: {}", subvolume.name, chain(&error))));
                None
            }
        }
    }

    fn nested(
        &self,
        finder: &mut Finder,
        subvolume: &SubvolumeSetup,
        monitor: &dyn Monitor,
    ) -> Vec<std::path::PathBuf> {
        if subvolume.nested != NestedChoice::Report {
            return Vec::new();
        }
        finder.inside(subvolume).unwrap_or_else(|error| {
            monitor.event(Event::Warning(format!("subvolumes inside of {}: {}", subvolume.name, chain(&error))));
            Vec::new()
        })
    }

    fn look_at(
        &mut self,
        setup: &Setup,
        target: &TargetSetup,
        subvolume: &SubvolumeName,
        monitor: &dyn Monitor,
    ) -> Option<ObservedTarget> {
        let store = self.stores.get(&target.name)?;
        let seen = inventory::take_series(store, &setup.layout(), subvolume)
            .and_then(|series| Ok((unfinished(setup, target, subvolume, store)?, series)));
        match seen {
            Ok((unfinished, series)) => {
                for (stream, why) in &series.unreadable {
                    monitor.event(Event::Warning(format!("{subvolume} at {}: {stream}: {why}", target.name)));
                }
                if let Some(lost) = lost(&series) {
                    let what = format!("{subvolume} at {}", target.name);
                    self.fail(monitor, what, JobError::Lost { stream: lost });
                }
                let pointer = series.pointer.as_ref().and_then(|p| p.as_ref().ok()).map(|p| p.stream.clone());
                let streams = series.summaries();
                let (incomplete, unreadable) = (series.incomplete(), series.unreadable.keys().cloned().collect());
                for (stream, what) in &incomplete {
                    monitor.event(Event::Warning(format!("{subvolume} at {}: {stream}: {what}", target.name)));
                }
                let incomplete = incomplete.into_keys().collect();
                self.series.insert((target.name.clone(), subvolume.clone()), series);
                Some(ObservedTarget { name: target.name.clone(), streams, incomplete, unreadable, unfinished, pointer })
            }
            Err(error) => {
                self.fail(monitor, format!("{subvolume} at {}", target.name), error.into());
                None
            }
        }
    }
}

/// The newest stream that was published, if the pointer still names it and its manifest is gone. This is the last moment
/// to tell: the run sets the pointer right.
fn lost(series: &Series) -> Option<StreamName> {
    let pointer = series.pointer.as_ref()?.as_ref().ok()?;
    let is_there = series.streams.contains_key(&pointer.stream) || series.unreadable.contains_key(&pointer.stream);
    let newest = series.streams.values().map(|p| (p.manifest.generation, p.manifest.sequence)).max();
    (!is_there && newest < Some((pointer.generation, pointer.sequence))).then(|| pointer.stream.clone())
}

fn unfinished(
    setup: &Setup,
    target: &TargetSetup,
    subvolume: &SubvolumeName,
    store: &ObjectStore,
) -> Result<Option<Unfinished>, ArchiveError> {
    let journal = Journal::look(&target.journal(&setup.state, subvolume))?;
    Ok(journal.map(|Recorded { begun, .. }| Unfinished {
        same_settings: begun.shape == target.shape(store),
        stream: begun.stream,
        snapshot: begun.snapshot,
        parent: begun.parent,
    }))
}
