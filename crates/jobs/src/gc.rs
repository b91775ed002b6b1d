//! Garbage collection: looks at a target, lets `plan` decide what to remove, and removes it in that order.
//!
//! Killed in between, it leaves what the next one finds. It must never remove anything that `plan` did not name, nor
//! work at a target whose host record is another machine's.

use serde::Serialize;
use serde_json::json;
use subvault_archive::inventory::{self, Inventory, Series};
use subvault_archive::journal::Journal;
use subvault_archive::layout::{Layout, Place};
use subvault_host::clock;
use subvault_model::bytesize::ByteSize;
use subvault_model::crash;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::SubvolumeName;
use subvault_plan::gc::{GcPlan, GcStep, SeenObject, SeenStore, SeenUpload};
use subvault_store::{Key, ObjectStore, PendingUpload};

use crate::audit::Audit;
use crate::claim::claim_host;
use crate::driver::chain;
use crate::error::JobError;
use crate::observe::Claim;
use crate::setup::{Setup, TargetSetup};

/// What a target has to give back, seen and decided.
pub struct TargetGc {
    store: ObjectStore,
    layout: Layout,
    uploads: Vec<PendingUpload>,
    /// What goes and what stays, by subvolume.
    pub plans: Vec<(SubvolumeName, GcPlan)>,
    scratch: Vec<Key>,
    /// Keys below the host's that are not of this format. They are left alone.
    pub foreign: Vec<Key>,
}

/// What was removed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Removed {
    /// Streams that are gone.
    pub streams: u64,
    /// Objects that are gone, manifests not counted.
    pub objects: u64,
    /// Unfinished uploads that were aborted.
    pub uploads: u64,
    /// Temporary files and scratch objects of killed runs that are gone.
    pub temporary: usize,
    /// Room that was freed.
    pub bytes: ByteSize,
    /// What could not be removed, and why.
    pub failures: Vec<String>,
}

/// Looks at a target and decides.
///
/// # Errors
/// When the store fails, or its host record is another machine's.
pub fn look(setup: &Setup, target: &TargetSetup, claim: Claim) -> Result<TargetGc, JobError> {
    let policy = setup.target_policy(&target.name);
    let policy = policy.ok_or_else(|| JobError::Bug(format!("no policy for target {}", target.name)))?;
    let now = clock::now();
    look_with(setup, target, claim, &|seen| Some(subvault_plan::gc::plan(policy, seen, now)))
}

/// Looks at a target, and has somebody else decide; about a subvolume of which nothing is decided nothing is done.
///
/// # Errors
/// As `look`.
pub fn look_with(
    setup: &Setup,
    target: &TargetSetup,
    claim: Claim,
    decide: &dyn Fn(&SeenStore) -> Option<GcPlan>,
) -> Result<TargetGc, JobError> {
    let store = target.open()?;
    let layout = setup.layout();
    if claim == Claim::Yes {
        claim_host(setup, target, &store)?;
    }
    let Inventory { mut series, scratch, foreign } = inventory::take(&store, &layout)?;
    let uploads = store.uploads(&layout.prefix())?;
    for upload in &uploads {
        if let Place::Chunk(subvolume, _) = layout.place(upload.upload.key()) {
            series.entry(subvolume).or_default();
        }
    }
    let mut plans = Vec::new();
    for (subvolume, series) in &series {
        let seen = see(setup, target, &layout, subvolume, series, &uploads)?;
        plans.extend(decide(&seen).map(|plan| (subvolume.clone(), plan)));
    }
    Ok(TargetGc { store, layout, uploads, plans, scratch, foreign })
}

fn see(
    setup: &Setup,
    target: &TargetSetup,
    layout: &Layout,
    subvolume: &SubvolumeName,
    series: &Series,
    uploads: &[PendingUpload],
) -> Result<SeenStore, JobError> {
    let object = |(stream, info): &(_, subvault_store::ObjectInfo)| SeenObject {
        key: info.key.to_string(),
        bytes: ByteSize::bytes(info.size),
        stream: Clone::clone(stream),
    };
    let upload = |(index, pending): (usize, &PendingUpload)| match layout.place(pending.upload.key()) {
        Place::Chunk(of, stream) if of == *subvolume => {
            Some(SeenUpload { key: pending.upload.key().to_string(), index, stream })
        }
        _ => None,
    };
    let journal = Journal::look(&target.journal(&setup.state, subvolume))?;
    Ok(SeenStore {
        subvolume: subvolume.clone(),
        streams: series.summaries(),
        unreadable: series.unreadable.keys().cloned().collect(),
        incomplete: series.incomplete().into_keys().collect(),
        objects: series.objects.iter().map(object).collect(),
        uploads: uploads.iter().enumerate().filter_map(upload).collect(),
        unfinished: journal.map(|j| j.begun.stream).into_iter().collect(),
    })
}

impl TargetGc {
    /// Removes what was decided. A failure ends the work on its subvolume: what comes later there relies on what came
    /// before.
    ///
    /// # Errors
    /// Only when the run's record cannot be kept.
    pub fn collect(&self, audit: &Audit, monitor: &dyn Monitor) -> Result<Removed, JobError> {
        let mut removed = Removed::default();
        for (subvolume, plan) in &self.plans {
            for step in &plan.steps {
                let result = self.perform(step, &mut removed);
                self.record(audit, step, result.as_ref().err())?;
                if let Err(error) = result {
                    let text = format!("{subvolume}: {}", chain(&error));
                    monitor.event(Event::Warning(text.clone()));
                    removed.failures.push(text);
                    break;
                }
            }
        }
        match self.store.sweep() {
            Ok(count) => removed.temporary = count,
            Err(error) => removed.failures.push(chain(&error)),
        }
        if let Err(error) = self.clear_scratch(&mut removed) {
            removed.failures.push(chain(&error));
        }
        Ok(removed)
    }

    /// Removes what a run left that died while it tried out the store. The host's lock is held, so none is at it now.
    fn clear_scratch(&self, removed: &mut Removed) -> Result<(), JobError> {
        for key in &self.scratch {
            self.store.delete(key)?;
            removed.temporary += 1;
        }
        for pending in self.uploads.iter().filter(|u| self.layout.place(u.upload.key()) == Place::Scratch) {
            self.store.abort_upload(&pending.upload)?;
            removed.uploads += 1;
        }
        Ok(())
    }

    fn perform(&self, step: &GcStep, removed: &mut Removed) -> Result<(), JobError> {
        match step {
            GcStep::DeleteManifest { subvolume, stream, .. } => {
                self.store.delete(&self.layout.manifest(subvolume, stream))?;
                crash::point("gc-manifest-deleted");
                removed.streams += 1;
            }
            GcStep::DeleteObject { key, bytes, .. } => {
                let key = key.parse::<Key>().map_err(|e| JobError::Bug(e.to_string()))?;
                self.store.delete(&key)?;
                crash::point("gc-chunk-deleted");
                removed.objects += 1;
                removed.bytes += *bytes;
            }
            GcStep::AbortUpload { key, index, .. } => {
                let pending = self.uploads.get(*index).filter(|p| p.upload.key().as_str() == key);
                let pending = pending.ok_or_else(|| JobError::Bug(format!("no upload of {key}")))?;
                self.store.abort_upload(&pending.upload)?;
                removed.uploads += 1;
            }
        }
        Ok(())
    }

    fn record(&self, audit: &Audit, step: &GcStep, error: Option<&JobError>) -> Result<(), JobError> {
        let outcome = if error.is_some() { "failed" } else { "done" };
        let detail = json!({
            "store": self.store.describe(),
            "step": serde_json::to_value(step).map_err(|e| JobError::Bug(e.to_string()))?,
            "error": error.map(|e| chain(e)),
        });
        audit.add(clock::now(), "gc", outcome, detail)
    }
}
