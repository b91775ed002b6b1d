//! Decides what an archive run does: snapshots first, back to back; then the streams; then what is no longer needed.

use jiff::Timestamp;
use subvault_model::ids::SnapshotUuid;
use subvault_model::names::SnapshotName;
use subvault_model::stream::{Generation, StreamSummary};
use subvault_model::subvolume::LocalSnapshot;

use crate::chain::newest_tip;
use crate::observed::{Observed, ObservedSubvolume, ObservedTarget, Unfinished};
use crate::parent::{ParentChoice, choose};
use crate::policy::{ArchivePolicy, Fulls, Policy, SubvolumePolicy};
use crate::step::{Parent, Plan, Step, StepId, Which};

/// Decides an archive run.
#[must_use]
pub fn plan(policy: &Policy, observed: &Observed, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let work: Vec<(&SubvolumePolicy, &ObservedSubvolume)> = policy
        .subvolumes
        .iter()
        .filter_map(|p| observed.subvolumes.iter().find(|o| o.name == p.name).map(|o| (p, o)))
        .collect();
    let taken: Vec<Option<StepId>> = work.iter().map(|(_, seen)| take(&mut plan, seen, now)).collect();
    for ((wanted, seen), taken) in work.iter().zip(taken) {
        let mut sends = Vec::new();
        for target in &seen.targets {
            if let Some(settings) = policy.targets.get(&target.name) {
                let subject = Subject { wanted, seen, target, settings, fulls: policy.fulls, now };
                sends.extend(subject.send(&mut plan, taken).map(|step| (target, step)));
            }
        }
        delete_unneeded(&mut plan, wanted, seen, &sends, taken);
    }
    plan
}

/// Takes a new snapshot unless every target of the subvolume still has an interrupted upload to finish.
fn take(plan: &mut Plan, seen: &ObservedSubvolume, now: Timestamp) -> Option<StepId> {
    let all_resume = !seen.targets.is_empty() && seen.targets.iter().all(|t| resumable(t, &seen.snapshots).is_some());
    if all_resume {
        return None;
    }
    let mut name = SnapshotName::new(seen.name.clone(), now, 1);
    while seen.snapshots.iter().any(|s| s.name == name) {
        name = name.next();
    }
    Some(plan.push(Step::TakeSnapshot { subvolume: seen.name.clone(), name }, "a run takes a new snapshot", Vec::new()))
}

/// An interrupted upload whose snapshots are still here and whose settings still hold.
fn resumable<'a>(
    target: &'a ObservedTarget,
    snapshots: &'a [LocalSnapshot],
) -> Option<(&'a Unfinished, &'a LocalSnapshot)> {
    let unfinished = target.unfinished.as_ref().filter(|u| u.same_settings)?;
    let published = target.streams.iter().any(|s| s.name == unfinished.stream);
    let snapshot = snapshots.iter().find(|s| s.uuid == unfinished.snapshot && s.read_only)?;
    let parent_here = match unfinished.parent {
        None => true,
        // The chain must still end where it ended when the upload began.
        Some(parent) => {
            snapshots.iter().any(|s| s.uuid == parent && s.read_only)
                && newest_tip(&target.streams).is_some_and(|tip| same_snapshot(tip, parent, snapshots))
        }
    };
    (parent_here && !published).then_some((unfinished, snapshot))
}

fn same_snapshot(tip: &StreamSummary, parent: SnapshotUuid, snapshots: &[LocalSnapshot]) -> bool {
    let received = snapshots.iter().find(|s| s.uuid == parent).and_then(|s| s.received);
    tip.snapshot.uuid == parent || received.is_some_and(|r| tip.snapshot.uuid.is_copied_as(&r))
}

/// One subvolume at one target.
struct Subject<'a> {
    wanted: &'a SubvolumePolicy,
    seen: &'a ObservedSubvolume,
    target: &'a ObservedTarget,
    settings: &'a ArchivePolicy,
    fulls: Fulls,
    now: Timestamp,
}

impl Subject<'_> {
    /// Plans the stream of this subvolume to this target; `taken` is the snapshot that the run takes, which is
    /// `None` only where every target resumes.
    fn send(&self, plan: &mut Plan, taken: Option<StepId>) -> Option<StepId> {
        self.repair_pointer(plan);
        if let Some((unfinished, snapshot)) = resumable(self.target, &self.seen.snapshots) {
            return Some(self.resume(plan, unfinished, snapshot));
        }
        let taken = taken?;
        if let Some(unfinished) = &self.target.unfinished {
            let step = Step::AbandonUpload {
                subvolume: self.wanted.name.clone(),
                target: self.target.name.clone(),
                stream: unfinished.stream.clone(),
            };
            plan.push(step, "its snapshot or its settings are no longer the same", Vec::new());
        }
        let choice =
            choose(&self.target.streams, &self.seen.snapshots, self.settings.full_every_days, self.fulls, self.now);
        let (parent, because) = match &choice {
            ParentChoice::Incremental { stream, snapshot } => (
                Some(Parent { stream: stream.name.clone(), snapshot: snapshot.name.clone(), uuid: snapshot.uuid }),
                format!("continues {}", stream.name),
            ),
            ParentChoice::Full(because) => (None, because.to_string()),
        };
        Some(self.push_send(plan, Which::TakenBy(taken), parent, None, because, vec![taken]))
    }

    fn resume(&self, plan: &mut Plan, unfinished: &Unfinished, snapshot: &LocalSnapshot) -> StepId {
        let tip = newest_tip(&self.target.streams);
        let parent = unfinished.parent.and_then(|uuid| {
            let here = self.seen.snapshots.iter().find(|s| s.uuid == uuid)?;
            Some(Parent { stream: tip?.name.clone(), snapshot: here.name.clone(), uuid })
        });
        let which = Which::Existing { name: snapshot.name.clone(), uuid: snapshot.uuid };
        let because = "an earlier run was interrupted".to_owned();
        self.push_send(plan, which, parent, Some(unfinished), because, Vec::new())
    }

    fn push_send(
        &self,
        plan: &mut Plan,
        snapshot: Which,
        parent: Option<Parent>,
        resume: Option<&Unfinished>,
        because: String,
        needs: Vec<StepId>,
    ) -> StepId {
        let (generation, sequence) = place(&self.target.streams, parent.as_ref());
        let step = Step::SendStream {
            subvolume: self.wanted.name.clone(),
            target: self.target.name.clone(),
            snapshot,
            parent,
            generation,
            sequence,
            resume: resume.map(|u| u.stream.clone()),
        };
        plan.push(step, because, needs)
    }

    fn repair_pointer(&self, plan: &mut Plan) {
        let Some(tip) = newest_tip(&self.target.streams) else {
            return;
        };
        if self.target.pointer.as_ref() == Some(&tip.name) {
            return;
        }
        let step = Step::RepairPointer {
            subvolume: self.wanted.name.clone(),
            target: self.target.name.clone(),
            stream: tip.name.clone(),
        };
        plan.push(step, "it does not name the newest published stream", Vec::new());
    }
}

/// Generation and sequence of the next stream: after its parent, or at the head of a new generation.
fn place(streams: &[StreamSummary], parent: Option<&Parent>) -> (Generation, u32) {
    let before = parent.and_then(|p| streams.iter().find(|s| s.name == p.stream));
    match before {
        Some(before) => (before.generation, before.sequence + 1),
        None => (Generation(streams.iter().map(|s| s.generation.0).max().unwrap_or(0) + 1), 0),
    }
}

/// Plans the deletion of our snapshots that nothing needs any more.
///
/// The parent of a target's next stream goes only after that stream was published there. While a target could not
/// be looked at, nothing goes: what it needs is not known.
fn delete_unneeded(
    plan: &mut Plan,
    wanted: &SubvolumePolicy,
    seen: &ObservedSubvolume,
    sends: &[(&ObservedTarget, StepId)],
    taken: Option<StepId>,
) {
    if let Some(unseen) = wanted.targets.iter().find(|t| !sends.iter().any(|(seen, _)| seen.name == **t)) {
        plan.notes.push(format!("{}: no snapshot is deleted, because {unseen} could not be looked at", wanted.name));
        return;
    }
    let mut newest: Vec<&LocalSnapshot> = seen.snapshots.iter().collect();
    newest.sort_by(|a, b| b.name.taken().cmp(&a.name.taken()).then(b.name.cmp(&a.name)));
    let keep = wanted.keep_snapshots.get() as usize - usize::from(taken.is_some());
    for snapshot in newest.into_iter().skip(keep) {
        if is_resumed(plan, sends, snapshot.uuid) {
            continue;
        }
        let parent_of = sends.iter().filter(|(target, _)| {
            newest_tip(&target.streams).is_some_and(|tip| same_snapshot(tip, snapshot.uuid, &seen.snapshots))
        });
        let mut needs: Vec<StepId> = parent_of.map(|(_, step)| *step).collect();
        needs.extend(taken.or(sends.first().map(|(_, step)| *step)));
        needs.sort_unstable();
        needs.dedup();
        let step =
            Step::DeleteSnapshot { subvolume: seen.name.clone(), name: snapshot.name.clone(), uuid: snapshot.uuid };
        plan.push(step, format!("no stream needs it any more; the newest {} stay", wanted.keep_snapshots), needs);
    }
}

/// Whether an upload of this plan takes that snapshot up again: the published stream will name it as the next parent.
fn is_resumed(plan: &Plan, sends: &[(&ObservedTarget, StepId)], wanted: SnapshotUuid) -> bool {
    sends.iter().any(|(_, StepId(index))| {
        let step = plan.steps.get(*index).map(|p| &p.step);
        matches!(step, Some(Step::SendStream { snapshot: Which::Existing { uuid, .. }, .. }) if *uuid == wanted)
    })
}
