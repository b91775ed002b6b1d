//! Carries out what is done on the pool, a step at a time, each of them recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use subvault_host::clock;
use subvault_host::copy::Below;
use subvault_host::pool::Pool;
use subvault_host::snapshot::take_writable;
use subvault_host::subvolume::Subvolume;
use subvault_model::crash;
use subvault_model::ids::{SnapshotUuid, SubvolumeId};
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{SnapshotName, SubvolumeName};
use subvault_model::note::{Note, Remade};
use subvault_plan::forget::Step;

use super::{ASIDE, Subject};
use crate::audit::Audit;
use crate::driver::chain;
use crate::error::JobError;
use crate::setup::SubvolumeSetup;
use crate::{note, snapshot};

/// How long the kernel is waited for, and how often it is asked.
const PATIENCE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(200);

/// How a step ended.
#[derive(Debug)]
pub enum Outcome {
    /// As planned.
    Done,
    /// It failed.
    Failed(JobError),
    /// One before it, about the same snapshot, had failed.
    LeftOut,
}

/// A step and how it ended.
#[derive(Debug)]
pub struct Performed {
    /// What was planned.
    pub step: Step,
    /// What became of it.
    pub outcome: Outcome,
}

/// Carries out the steps. One that fails keeps back what else is to be done about the same snapshot, and nothing else.
///
/// # Errors
/// When a step could not be recorded: without a record nothing more is done.
pub fn carry_out(
    subjects: &[Subject<'_>],
    steps: &[Step],
    audit: &Audit,
    monitor: &dyn Monitor,
) -> Result<Vec<Performed>, JobError> {
    let mut hands = Hands { subjects, deleted: BTreeMap::new() };
    let (mut performed, mut failed): (Vec<Performed>, BTreeSet<&SnapshotName>) = (Vec::new(), BTreeSet::new());
    for step in steps {
        let outcome = match step.about() {
            Some(name) if failed.contains(name) => Outcome::LeftOut,
            _ => hands.perform(step).map_or_else(Outcome::Failed, |()| Outcome::Done),
        };
        let (word, error) = match &outcome {
            Outcome::Done => ("done", None),
            Outcome::Failed(error) => ("failed", Some(chain(error))),
            Outcome::LeftOut => ("left_out", None),
        };
        if let Some(error) = &error {
            monitor.event(Event::Warning(format!("{step}: {error}")));
            failed.extend(step.about());
        }
        audit.add(clock::now(), "forget", word, json!({ "step": step, "error": error }))?;
        performed.push(Performed { step: step.clone(), outcome });
    }
    Ok(performed)
}

struct Hands<'a> {
    subjects: &'a [Subject<'a>],
    /// The numbers of what was deleted.
    deleted: BTreeMap<SubvolumeName, Vec<SubvolumeId>>,
}

impl Hands<'_> {
    fn setup(&self, name: &SubvolumeName) -> Result<&SubvolumeSetup, JobError> {
        let found = self.subjects.iter().find(|subject| subject.setup.name == *name);
        found.map(|subject| subject.setup).ok_or_else(|| JobError::Bug(format!("no subvolume {name}")))
    }

    fn perform(&mut self, step: &Step) -> Result<(), JobError> {
        let setup = self.setup(step.subvolume())?;
        match step {
            Step::RemoveLive { path, .. } => remove_live(setup, path),
            Step::RemoveLeftover { name, uuid, .. } => {
                let id = delete(setup, name, *uuid)?;
                crash::point("forget-left-removed");
                self.deleted.entry(step.subvolume().clone()).or_default().push(id);
                Ok(())
            }
            Step::Rewrite { name, uuid, paths, .. } => rewrite(setup, name, *uuid, paths),
            Step::Exchange { name, uuid, .. } => exchange(setup, name, *uuid),
            Step::DeleteOld { name, uuid, .. } => {
                let id = delete(setup, name, *uuid)?;
                crash::point("forget-deleted");
                self.deleted.entry(step.subvolume().clone()).or_default().push(id);
                Ok(())
            }
            Step::AwaitCleaning { subvolume } => {
                await_cleaning(setup, self.deleted.get(subvolume).map_or(&[], Vec::as_slice))
            }
        }
    }
}

fn aside(name: &SnapshotName) -> OsString {
    OsString::from(format!("{ASIDE}{name}"))
}

fn remove_live(setup: &SubvolumeSetup, path: &Path) -> Result<(), JobError> {
    let live = Below::of(&Subvolume::open(&setup.path)?)?;
    live.remove(path)?;
    live.sync()?;
    crash::point("forget-live-removed");
    Ok(())
}

/// Makes what replaces a snapshot.
fn rewrite(setup: &SubvolumeSetup, name: &SnapshotName, uuid: SnapshotUuid, paths: &[PathBuf]) -> Result<(), JobError> {
    let old = snapshot::open(&setup.snapshots, name, uuid)?;
    let (new, made) = take_writable(&old, &setup.snapshots, &aside(name))?;
    crash::point("forget-begun");
    let finished = strip(&new, paths).and_then(|()| keep_note(setup, name, &old));
    if finished.is_err() {
        // Of no use to anybody. Where that cannot be done, the next run finds it.
        let _ = Subvolume::delete(&setup.snapshots, &aside(name), made.identity()?);
    }
    finished
}

/// Removes the paths, and makes it read-only and sure to be on disk.
fn strip(new: &Subvolume, paths: &[PathBuf]) -> Result<(), JobError> {
    let below = Below::of(new)?;
    for path in paths {
        below.forget(path)?;
        crash::point("forget-removed");
    }
    new.make_read_only()?;
    new.sync_filesystem()?;
    crash::point("forget-rewritten");
    Ok(())
}

/// Notes when and of what the snapshot was taken, and which it was: the kernel will say it of the new one. A note that
/// cannot be read stays as it is, and says to keep the snapshot.
fn keep_note(setup: &SubvolumeSetup, name: &SnapshotName, old: &Subvolume) -> Result<(), JobError> {
    let Some(noted) = note::readable(&setup.snapshots, name) else { return Ok(()) };
    let info = old.info()?;
    let uuid = info.identity()?;
    let first = || Remade { number: info.id, parent: info.parent_uuid, created: info.created, replaced: Vec::new() };
    let mut remade = noted.remade.clone().unwrap_or_else(first);
    if !remade.replaced.contains(&uuid) {
        remade.replaced.push(uuid);
        note::write(&setup.snapshots, name, &Note { remade: Some(remade), ..noted })?;
    }
    crash::point("forget-noted");
    Ok(())
}

/// Gives the name to what replaces it, which is read-only.
fn exchange(setup: &SubvolumeSetup, name: &SnapshotName, uuid: SnapshotUuid) -> Result<(), JobError> {
    let (name, aside) = (OsString::from(name.to_string()), aside(name));
    let new = Subvolume::open_in(&setup.snapshots, &aside)?;
    if !new.is_read_only()? {
        return Err(JobError::Bug(format!("{} can be written to", new.path().display())));
    }
    let new_uuid = new.info()?.identity()?;
    Subvolume::exchange(&setup.snapshots, (&name, uuid), (&aside, new_uuid))?;
    // What is deleted next goes after this in the order of transactions too; a power cut finds both or the new one.
    new.sync_filesystem()?;
    crash::point("forget-exchanged");
    Ok(())
}

/// Deletes what has the other name.
fn delete(setup: &SubvolumeSetup, name: &SnapshotName, uuid: SnapshotUuid) -> Result<SubvolumeId, JobError> {
    let aside = aside(name);
    let id = Subvolume::open_in(&setup.snapshots, OsStr::new(&aside))?.id();
    Subvolume::delete(&setup.snapshots, &aside, uuid)?;
    Ok(id)
}

/// Waits until the kernel has removed what was deleted, so that nobody finds it on the pool any more.
fn await_cleaning(setup: &SubvolumeSetup, deleted: &[SubvolumeId]) -> Result<(), JobError> {
    let directory = Subvolume::open(&setup.path)?;
    let pool = Pool::containing(&setup.path)?;
    let deadline = clock::monotonic() + PATIENCE;
    let mut left = deleted.to_vec();
    loop {
        // Each time this wakes the kernel's thread that cleans.
        directory.sync_filesystem()?;
        let mut still = Vec::new();
        for id in left {
            if !pool.is_cleaned(id)? {
                still.push(id);
            }
        }
        if still.is_empty() {
            crash::point("forget-cleaned");
            return Ok(());
        }
        if clock::monotonic() >= deadline {
            return Err(JobError::Refused {
                what: format!("the kernel still cleans {} deleted snapshots away", still.len()),
                hint: format!("it goes on by itself; `btrfs subvolume sync {}` waits for it", setup.path.display()),
            });
        }
        left = still;
        std::thread::sleep(PAUSE);
    }
}
