//! Decides what an archive run does: snapshots first, back to back; then the streams; then what is no longer needed.

use jiff::Timestamp;
use subvault_model::names::SnapshotName;
use subvault_model::stream::{Generation, StreamSummary};
use subvault_model::subvolume::LocalSnapshot;

use crate::chain::newest_tip;
use crate::observed::{Observed, ObservedSubvolume, ObservedTarget, Unfinished};
use crate::parent::{ParentChoice, choose};
use crate::policy::{ArchivePolicy, Fulls, Policy, SubvolumePolicy};
use crate::resume::{Interrupted, Resume, judge};
use crate::retention::delete_unneeded;
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
    let taken: Vec<Option<StepId>> = work.iter().map(|(_, seen)| take(&mut plan, policy, seen, now)).collect();
    for ((wanted, seen), taken) in work.iter().zip(taken) {
        let mut sends = Vec::new();
        for (target, settings) in known(policy, seen) {
            let subject = Subject { wanted, seen, target, settings, fulls: policy.fulls, now };
            sends.extend(subject.send(&mut plan, taken).map(|step| (target, step)));
        }
        delete_unneeded(&mut plan, wanted, seen, &sends, taken, now);
    }
    plan
}

/// The targets that were looked at and are configured.
fn known<'a>(
    policy: &'a Policy,
    seen: &'a ObservedSubvolume,
) -> impl Iterator<Item = (&'a ObservedTarget, &'a ArchivePolicy)> {
    seen.targets.iter().filter_map(|target| policy.targets.get(&target.name).map(|settings| (target, settings)))
}

/// Takes a new snapshot unless every target of the subvolume still has an interrupted upload to finish.
fn take(plan: &mut Plan, policy: &Policy, seen: &ObservedSubvolume, now: Timestamp) -> Option<StepId> {
    let mut targets = known(policy, seen).peekable();
    let resumes = |t: &ObservedTarget| matches!(judge(t, &seen.snapshots, policy.fulls), Interrupted::Resume(_));
    if targets.peek().is_some() && targets.all(|(target, _)| resumes(target)) {
        return None;
    }
    let name = unused_name(seen, now);
    Some(plan.push(Step::TakeSnapshot { subvolume: seen.name.clone(), name }, "a run takes a new snapshot", Vec::new()))
}

/// A name that sorts after all that were taken in the same second, also those that are only in a store by now: which of
/// two is newer is told by their names.
fn unused_name(seen: &ObservedSubvolume, now: Timestamp) -> SnapshotName {
    let first = SnapshotName::new(seen.name.clone(), now, 1);
    let archived = seen.targets.iter().flat_map(|t| &t.streams).map(|s| &s.snapshot.name);
    let known = seen.snapshots.iter().map(|s| &s.name).chain(archived);
    let last = known.filter(|name| name.taken() == first.taken() && *name.subvolume() == seen.name).max();
    last.map_or(first, SnapshotName::next)
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
        match judge(self.target, &self.seen.snapshots, self.fulls) {
            Interrupted::Resume(resume) => return self.resume(plan, &resume),
            Interrupted::GiveUp(unfinished, because) => self.abandon(plan, unfinished, because, taken),
            Interrupted::Nothing => {}
        }
        let taken = taken?;
        let choice = choose(self.target, &self.seen.snapshots, self.settings, self.fulls, self.now);
        let (parent, because) = match &choice {
            ParentChoice::Incremental { stream, snapshot } => {
                (Some(parent_of(stream, snapshot)), format!("continues {}", stream.name))
            }
            ParentChoice::Full(because) => (None, because.to_string()),
        };
        self.push_send(plan, Which::TakenBy(taken), parent, None, because, vec![taken])
    }

    fn resume(&self, plan: &mut Plan, resume: &Resume<'_>) -> Option<StepId> {
        let parent = resume.parent.map(|(stream, snapshot)| parent_of(stream, snapshot));
        let which = Which::Existing { name: resume.snapshot.name.clone(), uuid: resume.snapshot.uuid };
        let because = "an earlier run was interrupted".to_owned();
        self.push_send(plan, which, parent, Some(resume.unfinished), because, Vec::new())
    }

    /// Only once the new snapshot is there: where that fails, what was uploaded may be all there will be.
    fn abandon(&self, plan: &mut Plan, unfinished: &Unfinished, because: &str, taken: Option<StepId>) {
        let step = Step::AbandonUpload {
            subvolume: self.wanted.name.clone(),
            target: self.target.name.clone(),
            stream: unfinished.stream.clone(),
        };
        plan.push(step, because, taken.into_iter().collect());
    }

    fn push_send(
        &self,
        plan: &mut Plan,
        snapshot: Which,
        parent: Option<Parent>,
        resume: Option<&Unfinished>,
        because: String,
        needs: Vec<StepId>,
    ) -> Option<StepId> {
        let Some((generation, sequence)) = place(&self.target.streams, parent.as_ref()) else {
            let (subvolume, target) = (&self.wanted.name, &self.target.name);
            plan.notes
                .push(format!("{subvolume}: {target} has a stream with the highest number there is; none can follow"));
            return None;
        };
        let step = Step::SendStream {
            subvolume: self.wanted.name.clone(),
            target: self.target.name.clone(),
            snapshot,
            parent,
            generation,
            sequence,
            resume: resume.map(|u| u.stream.clone()),
        };
        Some(plan.push(step, because, needs))
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

fn parent_of(stream: &StreamSummary, snapshot: &LocalSnapshot) -> Parent {
    Parent { stream: stream.name.clone(), snapshot: snapshot.name.clone(), uuid: snapshot.uuid }
}

/// Generation and sequence of the next stream: after its parent, or at the head of a new generation. A damaged
/// manifest can claim the last number there is; then there is no place.
fn place(streams: &[StreamSummary], parent: Option<&Parent>) -> Option<(Generation, u32)> {
    let before = parent.and_then(|p| streams.iter().find(|s| s.name == p.stream));
    match before {
        Some(before) => Some((before.generation, before.sequence.checked_add(1)?)),
        None => {
            let highest = streams.iter().map(|s| s.generation.0).max().unwrap_or(0);
            Some((Generation(highest.checked_add(1)?), 0))
        }
    }
}
