//! The hands of a run: hooks, snapshots and deletions here, streams by those who know them.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};
use subvault_host::clock;
use subvault_host::hook::Begun;
use subvault_model::crash;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{GroupName, HookName, SnapshotName, SubvolumeName};
use subvault_model::note::{Note, Together};
use subvault_model::subvolume::LocalSnapshot;
use subvault_plan::run::Request;
use subvault_plan::step::{Plan, Step, StepId};

use crate::archive::Archiver;
use crate::driver::{Copier, Hands};
use crate::error::JobError;
use crate::observe::Sight;
use crate::replicate::Replicator;
use crate::setup::{Setup, SubvolumeSetup};
use crate::{note, open_hooks, snapshot};

/// The hands of a run.
pub struct Runner<'a> {
    setup: &'a Setup,
    monitor: &'a dyn Monitor,
    archiver: Archiver<'a>,
    replicator: Replicator<'a>,
    taken: BTreeMap<StepId, LocalSnapshot>,
    /// Hooks that were begun in this run.
    begun: BTreeMap<(GroupName, HookName), Begun>,
    /// When the first snapshot of each group was taken.
    first: BTreeMap<GroupName, Instant>,
}

/// Decides what a run does, and checks the decision.
///
/// # Errors
/// When the plan breaks a rule of its own; then nothing of it may be done.
pub fn decide(setup: &Setup, sight: &Sight, request: &Request) -> Result<Plan, JobError> {
    let plan = subvault_plan::run::plan(&setup.policy, &sight.observed, request, clock::now());
    let findings = subvault_plan::check::check(&plan, &sight.observed);
    if findings.is_empty() { Ok(plan) } else { Err(JobError::Bug(findings.join("; "))) }
}

impl<'a> Runner<'a> {
    /// Hands that act on what was seen.
    #[must_use]
    pub fn new(setup: &'a Setup, sight: &'a Sight, monitor: &'a dyn Monitor) -> Self {
        let archiver = Archiver::new(setup, sight, monitor);
        let replicator = Replicator::new(setup, &sight.reached, monitor);
        Self {
            setup,
            monitor,
            archiver,
            replicator,
            taken: BTreeMap::new(),
            begun: BTreeMap::new(),
            first: BTreeMap::new(),
        }
    }

    fn subvolume(&self, name: &SubvolumeName) -> Result<&'a SubvolumeSetup, JobError> {
        self.setup.subvolume(name).ok_or_else(|| JobError::Bug(format!("no subvolume {name}")))
    }

    fn take(
        &mut self,
        id: StepId,
        setup: &SubvolumeSetup,
        (name, group, note): (&SnapshotName, Option<&GroupName>, &Note),
    ) -> Result<Value, JobError> {
        let taken = snapshot::take(setup, name, note)?;
        let mut figures = json!({ "uuid": taken.uuid });
        self.taken.insert(id, taken);
        if let Some(group) = group {
            let together = self.together(group);
            figures["skew_ms"] = together.skew_ms.into();
            // The snapshot is there, and all that depends on it can go on without this note.
            let note = Note { group: Some(together), ..note.clone() };
            if let Err(error) = note::write(&setup.snapshots, name, &note) {
                self.monitor.event(Event::Warning(crate::driver::chain(&error)));
            }
        }
        Ok(figures)
    }

    fn together(&mut self, group: &GroupName) -> Together {
        let now = clock::monotonic();
        let first = *self.first.entry(group.clone()).or_insert(now);
        let skew_ms = u64::try_from(now.duration_since(first).as_millis()).unwrap_or(u64::MAX);
        let hooks = self.begun.keys().filter(|(of, _)| of == group).map(|(_, hook)| hook.clone()).collect();
        Together { name: group.clone(), skew_ms, hooks }
    }

    fn begin(&mut self, group: &GroupName, hook: &HookName) -> Result<Value, JobError> {
        let setup = self.setup.hooks.get(hook).ok_or_else(|| JobError::Bug(format!("no hook {hook}")))?;
        let begin = clock::monotonic();
        open_hooks::opening(&self.setup.state, group, hook)?;
        crash::point("hook-opening");
        let begun = setup.begin()?;
        crash::point("hook-begun");
        self.begun.insert((group.clone(), hook.clone()), begun);
        Ok(json!({ "seconds": begin.elapsed().as_secs_f64() }))
    }

    fn end(&mut self, group: &GroupName, hook: &HookName) -> Result<Value, JobError> {
        let state = &self.setup.state;
        if !open_hooks::is_open(state, group, hook) {
            return Ok(json!({ "begun": false }));
        }
        let begun = self.begun.remove(&(group.clone(), hook.clone()));
        let ended = match self.setup.hooks.get(hook) {
            Some(setup) => setup.end(begun),
            None => {
                let what =
                    format!("the hook {hook} is not in the configuration any more, and was not ended for {group}");
                self.monitor.event(Event::Warning(what));
                Ok(())
            }
        };
        // One that could not be ended stays open: the next run tries again.
        ended?;
        crash::point("hook-ended");
        open_hooks::closed(state, group, hook)?;
        Ok(json!({ "begun": true }))
    }
}

impl Hands for Runner<'_> {
    fn perform(&mut self, id: StepId, step: &Step) -> Result<Value, JobError> {
        match step {
            Step::BeginHook { group, hook } => self.begin(group, hook),
            Step::EndHook { group, hook } => self.end(group, hook),
            Step::TakeSnapshot { subvolume, name, group, note } => {
                self.take(id, self.subvolume(subvolume)?, (name, group.as_ref(), note))
            }
            Step::DeleteSnapshot { subvolume, name, uuid } => {
                snapshot::delete(&self.subvolume(subvolume)?.snapshots, name, *uuid)?;
                Ok(Value::Null)
            }
            Step::RemoveLostNote { subvolume, name } => {
                note::remove_lost(&self.subvolume(subvolume)?.snapshots, name)?;
                Ok(Value::Null)
            }
            Step::SendStream { .. } | Step::AbandonUpload { .. } | Step::RepairPointer { .. } => {
                self.archiver.perform(step, &self.taken)
            }
            Step::SendCopy { .. } | Step::RemoveUnfinishedCopy { .. } | Step::DeleteCopy { .. } => {
                self.replicator.copy(step)
            }
        }
    }

    fn copier(&self) -> Option<&dyn Copier> {
        Some(&self.replicator)
    }
}
