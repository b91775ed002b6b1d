//! Lints a plan against what was seen. Shares no code with the planner and runs before every execution, in release
//! builds too. Any finding is a bug in the planner, and the plan must not be run.

mod replicas;

use std::collections::{BTreeMap, BTreeSet};

use subvault_model::ids::SnapshotUuid;
use subvault_model::names::{SnapshotName, StreamName, SubvolumeName, TargetName};
use subvault_model::stream::{Generation, StreamSummary};
use subvault_model::subvolume::LocalSnapshot;

use crate::observed::{Observed, ObservedSubvolume, ObservedTarget};
use crate::step::{Parent, Plan, Planned, Step, StepId, Which};

/// What is wrong with a plan.
#[must_use]
pub fn check(plan: &Plan, observed: &Observed) -> Vec<String> {
    let mut lint = Lint {
        plan,
        subvolumes: known(observed),
        findings: Vec::new(),
        earlier: BTreeMap::new(),
        deleted: BTreeSet::new(),
    };
    for (index, planned) in plan.steps.iter().enumerate() {
        lint.step(index, planned);
        lint.pass(index, &planned.step);
    }
    for subvolume in &observed.subvolumes {
        for target in &subvolume.targets {
            lint.pointer(subvolume, target);
        }
    }
    lint.findings
}

struct Lint<'a> {
    plan: &'a Plan,
    subvolumes: BTreeMap<&'a SubvolumeName, Known<'a>>,
    findings: Vec<String>,
    /// The steps of each subvolume before the one that is looked at, without deletions, of which there can be very many.
    earlier: BTreeMap<&'a SubvolumeName, Vec<(StepId, &'a Step)>>,
    deleted: BTreeSet<SnapshotUuid>,
}

/// What was seen of a subvolume, ready to be looked up.
struct Known<'a> {
    seen: &'a ObservedSubvolume,
    snapshots: BTreeMap<SnapshotUuid, &'a LocalSnapshot>,
    names: BTreeSet<&'a SnapshotName>,
    /// The snapshot that was made last and can be sent.
    newest: Option<SnapshotUuid>,
    /// The same of those that are ours.
    newest_of_ours: Option<SnapshotUuid>,
    /// What each target's next stream would build on.
    tips: Vec<(&'a ObservedTarget, Option<&'a StreamSummary>)>,
}

fn known(observed: &Observed) -> BTreeMap<&SubvolumeName, Known<'_>> {
    observed
        .subvolumes
        .iter()
        .map(|seen| {
            let newest = |ours: fn(&&LocalSnapshot) -> bool| {
                let sendable = seen.snapshots.iter().filter(|s| s.read_only).filter(ours);
                sendable.max_by_key(|s| s.id).map(|s| s.uuid)
            };
            let known = Known {
                seen,
                snapshots: seen.snapshots.iter().map(|s| (s.uuid, s)).collect(),
                names: seen.snapshots.iter().map(|s| &s.name).collect(),
                newest: newest(|_| true),
                newest_of_ours: newest(|s| !s.foreign),
                tips: seen.targets.iter().map(|target| (target, newest_whole(&target.streams))).collect(),
            };
            (&seen.name, known)
        })
        .collect()
}

/// A stream step with its fields.
struct Send<'a> {
    subvolume: &'a ObservedSubvolume,
    target: &'a ObservedTarget,
    snapshot: &'a Which,
    parent: Option<&'a Parent>,
    place: (Generation, u32),
    resume: Option<&'a StreamName>,
}

impl<'a> Lint<'a> {
    fn require(&mut self, holds: bool, index: usize, what: &str) {
        if !holds {
            self.findings.push(format!("step {index} {what}"));
        }
    }

    fn step(&mut self, index: usize, planned: &'a Planned) {
        self.require(!planned.because.is_empty(), index, "has no reason");
        self.require(planned.needs.iter().all(|StepId(n)| *n < index), index, "needs a step that comes later");
        let Some((name, target)) = about(&planned.step) else { return self.hook(index, planned) };
        let Some(subvolume) = self.subvolumes.get(name).map(|known| known.seen) else {
            return self.require(false, index, "is about a subvolume that was not looked at");
        };
        let target = match target.map(|name| subvolume.targets.iter().find(|t| t.name == *name)) {
            Some(None) => return self.require(false, index, "is about a target that was not looked at"),
            Some(found) => found,
            None => None,
        };
        match (&planned.step, target) {
            (Step::TakeSnapshot { name, .. }, _) => self.take(index, subvolume, name),
            (Step::SendStream { snapshot, parent, generation, sequence, resume, .. }, Some(target)) => {
                let (parent, resume, place) = (parent.as_ref(), resume.as_ref(), (*generation, *sequence));
                self.send(index, &planned.needs, &Send { subvolume, target, snapshot, parent, place, resume });
            }
            (Step::AbandonUpload { stream, .. }, Some(target)) => {
                self.abandon(index, &planned.needs, subvolume, target, stream);
            }
            (Step::RepairPointer { stream, .. }, Some(target)) => {
                let newest = self.tip(subvolume, target).is_some_and(|s| s.name == *stream);
                self.require(newest, index, "lets a pointer name something else than the newest stream");
            }
            (Step::DeleteSnapshot { name, uuid, .. }, _) => {
                self.delete(index, &planned.needs, subvolume, (name, *uuid));
            }
            (Step::RemoveLostNote { name, .. }, _) => self.remove_note(index, subvolume, name),
            (Step::SendCopy { .. } | Step::RemoveUnfinishedCopy { .. } | Step::DeleteCopy { .. }, _) => {
                self.replica_step(index, planned, subvolume);
            }
            _ => {}
        }
    }

    /// Takes note of a step, for those after it.
    fn pass(&mut self, index: usize, step: &'a Step) {
        match step {
            Step::DeleteSnapshot { uuid, .. } => drop(self.deleted.insert(*uuid)),
            step => {
                if let Some((subvolume, _)) = about(step) {
                    self.earlier.entry(subvolume).or_default().push((StepId(index), step));
                }
            }
        }
    }

    /// A hook that was begun in this plan is ended in it, whatever happens.
    fn hook(&mut self, index: usize, planned: &Planned) {
        let (plan, step) = (self.plan, &planned.step);
        if let Step::EndHook { .. } = step {
            return self.require(planned.needs.is_empty(), index, "ends a hook only if something else succeeds");
        }
        let Step::BeginHook { group, hook } = step else { return };
        let ends = |s: &Step| matches!(s, Step::EndHook { group: of, hook: ended } if of == group && ended == hook);
        let ended = plan.steps.iter().skip(index + 1).any(|later| ends(&later.step));
        self.require(ended, index, "begins a hook that no later step ends");
    }

    fn earlier(&self, of: &SubvolumeName) -> Vec<(StepId, &'a Step)> {
        self.earlier.get(of).cloned().unwrap_or_default()
    }

    fn tip(&self, subvolume: &ObservedSubvolume, target: &ObservedTarget) -> Option<&'a StreamSummary> {
        let tips = &self.subvolumes.get(&subvolume.name)?.tips;
        tips.iter().find(|(of, _)| of.name == target.name).and_then(|(_, tip)| *tip)
    }

    fn take(&mut self, index: usize, subvolume: &ObservedSubvolume, name: &SnapshotName) {
        self.require(*name.subvolume() == subvolume.name, index, "names a snapshot after another subvolume");
        let exists = self.subvolumes.get(&subvolume.name).is_some_and(|known| known.names.contains(name));
        self.require(!exists, index, "takes a snapshot whose name is in use");
        let again = self.earlier(&subvolume.name).iter().any(|(_, s)| matches!(s, Step::TakeSnapshot { .. }));
        self.require(!again, index, "takes a second snapshot of a subvolume");
    }

    fn send(&mut self, index: usize, needs: &[StepId], send: &Send<'_>) {
        let (subvolume, target) = (&send.subvolume.name, &send.target.name);
        let earlier = self.earlier(subvolume);
        let again = earlier.iter().any(|(_, s)| is_send(s, subvolume, Some(target)));
        self.require(!again, index, "is a second stream of a subvolume to one target");
        match send.snapshot {
            Which::Existing { name, uuid } => {
                self.uses(index, send.subvolume, name, *uuid);
                let known = self.subvolumes.get(&send.subvolume.name);
                let is_newest = known.is_some_and(|known| known.newest == Some(*uuid));
                self.require(send.resume.is_some() || is_newest, index, "sends an old snapshot without resuming");
                let is_there = send.target.streams.iter().any(|s| s.snapshot.uuid == *uuid);
                self.require(send.resume.is_some() || !is_there, index, "sends what the target has");
                let takes = |(_, s): &(StepId, &Step)| matches!(s, Step::TakeSnapshot { .. });
                let passed_over = send.resume.is_none() && earlier.iter().any(takes);
                self.require(!passed_over, index, "sends an old snapshot in place of the one that is taken");
                self.require(send.parent.is_none_or(|p| p.uuid != *uuid), index, "is relative to itself");
            }
            Which::TakenBy(taker) => {
                let takes = earlier.iter().any(|(id, s)| id == taker && matches!(s, Step::TakeSnapshot { .. }));
                self.require(takes, index, "uses a snapshot that no earlier step takes");
                self.require(needs.contains(taker), index, "does not need the step that takes its snapshot");
                self.require(send.resume.is_none(), index, "resumes with a new snapshot");
            }
        }
        match send.parent {
            None => self.full(index, send),
            Some(parent) => self.incremental(index, send, parent),
        }
        self.interrupted(index, send);
    }

    fn full(&mut self, index: usize, send: &Send<'_>) {
        self.require(send.place.1 == 0, index, "is a full with a sequence other than 0");
        let follows = send.target.streams.iter().map(|s| s.generation.0).max().unwrap_or(0).checked_add(1);
        self.require(follows == Some(send.place.0.0), index, "is a full that does not begin the next generation");
    }

    fn incremental(&mut self, index: usize, send: &Send<'_>, parent: &Parent) {
        self.uses(index, send.subvolume, &parent.snapshot, parent.uuid);
        let streams = &send.target.streams;
        let Some(before) = streams.iter().find(|s| s.name == parent.stream) else {
            return self.require(false, index, "follows a stream that is not published");
        };
        self.require(whole(streams).contains(&before), index, "follows a stream whose chain has a gap");
        let hollow = |s: &&StreamSummary| s.generation == before.generation && s.sequence <= before.sequence;
        let lacks = streams.iter().filter(hollow).any(|s| send.target.incomplete.contains(&s.name));
        self.require(!lacks, index, "follows a chain that lacks chunks");
        let last = streams.iter().map(|s| (s.generation, s.sequence)).max();
        self.require(last == Some((before.generation, before.sequence)), index, "does not follow the last stream");
        let next = before.sequence.checked_add(1).map(|sequence| (before.generation, sequence));
        self.require(next == Some(send.place), index, "does not have the place after its parent");
        let local = send.subvolume.snapshots.iter().find(|s| s.uuid == parent.uuid);
        let same = local.is_some_and(|local| is_what_was_sent(before, local));
        self.require(same, index, "is relative to a snapshot that is not what its parent was made of");
    }

    fn interrupted(&mut self, index: usize, send: &Send<'_>) {
        let published = |name: &StreamName| send.target.is_published(name);
        let earlier = self.earlier(&send.subvolume.name);
        let given_up = earlier.iter().any(|(_, s)| is_abandon(s, &send.subvolume.name, &send.target.name));
        match (send.resume, &send.target.unfinished) {
            (None, None) => {}
            (None, Some(unfinished)) => {
                let settled = given_up || published(&unfinished.stream);
                self.require(settled, index, "begins anew without having given up an interrupted upload");
            }
            (Some(resume), unfinished) => {
                let fits = unfinished.as_ref().is_some_and(|u| {
                    let snapshot = matches!(send.snapshot, Which::Existing { uuid, .. } if *uuid == u.snapshot);
                    u.stream == *resume && u.same_settings && snapshot && u.parent == send.parent.map(|p| p.uuid)
                });
                let open = !given_up && !published(resume);
                self.require(fits && open, index, "resumes what cannot be resumed");
            }
        }
    }

    fn abandon(
        &mut self,
        index: usize,
        needs: &[StepId],
        subvolume: &ObservedSubvolume,
        target: &ObservedTarget,
        stream: &StreamName,
    ) {
        let earlier = self.earlier(&subvolume.name);
        let taken = earlier.iter().find(|(_, s)| matches!(s, Step::TakeSnapshot { .. })).map(|(id, _)| *id);
        let newest = self.subvolumes.get(&subvolume.name).and_then(|known| known.newest);
        let safe = taken.map_or(newest.is_some(), |id| needs.contains(&id));
        self.require(safe, index, "gives up an upload before there is a snapshot to send in its place");
        let unfinished = target.unfinished.as_ref().is_some_and(|u| u.stream == *stream);
        let published = target.is_published(stream);
        self.require(unfinished && !published, index, "gives up something else than an interrupted upload");
        let late = earlier.iter().any(|(_, s)| {
            is_send(s, &subvolume.name, Some(&target.name)) || is_abandon(s, &subvolume.name, &target.name)
        });
        self.require(!late, index, "gives up an upload after that target was dealt with");
    }

    fn delete(
        &mut self,
        index: usize,
        needs: &[StepId],
        subvolume: &ObservedSubvolume,
        (name, uuid): (&SnapshotName, SnapshotUuid),
    ) {
        let Some(known) = self.subvolumes.get(&subvolume.name) else { return };
        let Some(local) = known.snapshots.get(&uuid).copied().filter(|s| s.name == *name) else {
            return self.require(false, index, "deletes a snapshot that was not seen");
        };
        let is_newest = known.newest_of_ours == Some(uuid);
        let tips = known.tips.clone();
        self.require(!local.foreign, index, "deletes a snapshot of another program");
        self.require(!self.deleted.contains(&uuid), index, "deletes a snapshot twice");
        let mut takes = None;
        let earlier = self.earlier(&subvolume.name);
        for (id, step) in earlier.iter().copied() {
            if matches!(step, Step::TakeSnapshot { .. }) {
                takes = Some(id);
            }
            if uses_snapshot(step, uuid) {
                self.require(needs.contains(&id), index, "deletes what a stream is made of before it is published");
            }
            if sends_snapshot(step, uuid) {
                self.require(false, index, "deletes the parent of the stream after the one that is sent");
            }
        }
        let replaced = takes.map_or(!is_newest, |id| needs.contains(&id));
        self.require(replaced, index, "deletes a snapshot whatever happens before");
        self.parent_of_copies(index, needs, subvolume, uuid);
        for (target, tip) in tips {
            let sends = |s: &Step| is_send(s, &subvolume.name, Some(&target.name));
            let sent = earlier.iter().any(|(id, s)| sends(s) && needs.contains(id));
            if tip.is_some_and(|tip| is_what_was_sent(tip, local)) {
                self.require(sent, index, "deletes a parent before its successor is published");
            }
            let unfinished =
                target.unfinished.as_ref().filter(|u| u.snapshot == uuid && !target.is_published(&u.stream));
            let given_up = earlier.iter().any(|(_, s)| is_abandon(s, &subvolume.name, &target.name));
            self.require(
                unfinished.is_none() || sent || given_up,
                index,
                "deletes what an unfinished upload is made of",
            );
        }
    }

    /// A note goes alone only where a run that died left it, and not that of a snapshot that is taken in this one.
    fn remove_note(&mut self, index: usize, subvolume: &ObservedSubvolume, name: &SnapshotName) {
        self.require(subvolume.lost_notes.contains(name), index, "removes a note that is not lost");
        let taken = |(_, s): &(StepId, &Step)| matches!(s, Step::TakeSnapshot { name: taken, .. } if taken == name);
        let is_taken = self.earlier(&subvolume.name).iter().any(taken);
        self.require(!is_taken, index, "removes the note on a snapshot that is taken");
        let again = |(_, s): &(StepId, &Step)| matches!(s, Step::RemoveLostNote { name: before, .. } if before == name);
        let again = self.earlier(&subvolume.name).iter().any(again);
        self.require(!again, index, "removes a note twice");
    }

    /// The snapshot must be there, be what is meant, and still be there when the step's turn comes.
    fn uses(&mut self, index: usize, subvolume: &ObservedSubvolume, name: &SnapshotName, uuid: SnapshotUuid) {
        let found = self.subvolumes.get(&subvolume.name).and_then(|known| known.snapshots.get(&uuid));
        let there = found.is_some_and(|s| s.name == *name && s.read_only) && !self.deleted.contains(&uuid);
        self.require(there, index, "uses a snapshot that is not there");
    }

    /// A pointer that names something else than the newest stream is repaired, and no other is touched.
    fn pointer(&mut self, subvolume: &ObservedSubvolume, target: &ObservedTarget) {
        let right = self.tip(subvolume, target).is_none_or(|s| target.pointer.as_ref() == Some(&s.name));
        let here = |s: &Step| matches!(s, Step::RepairPointer { subvolume: of, target: at, .. } if *of == subvolume.name && *at == target.name);
        let repairs = self.plan.steps.iter().filter(|p| here(&p.step)).count();
        let sends = self.plan.steps.iter().any(|p| is_send(&p.step, &subvolume.name, Some(&target.name)));
        if repairs > usize::from(!right) || (sends && !right && repairs == 0) {
            self.findings
                .push(format!("the pointer of {} at {} is repaired {repairs} times", subvolume.name, target.name));
        }
    }
}

fn about(step: &Step) -> Option<(&SubvolumeName, Option<&TargetName>)> {
    match step {
        // A replica is no target that streams are archived to, and is looked up elsewhere.
        Step::TakeSnapshot { subvolume, .. }
        | Step::DeleteSnapshot { subvolume, .. }
        | Step::RemoveLostNote { subvolume, .. }
        | Step::SendCopy { subvolume, .. }
        | Step::RemoveUnfinishedCopy { subvolume, .. }
        | Step::DeleteCopy { subvolume, .. } => Some((subvolume, None)),
        Step::SendStream { subvolume, target, .. }
        | Step::AbandonUpload { subvolume, target, .. }
        | Step::RepairPointer { subvolume, target, .. } => Some((subvolume, Some(target))),
        Step::BeginHook { .. } | Step::EndHook { .. } => None,
    }
}

fn is_send(step: &Step, of: &SubvolumeName, to: Option<&TargetName>) -> bool {
    matches!(step, Step::SendStream { subvolume, target, .. } if subvolume == of && to.is_none_or(|to| to == target))
}

fn is_abandon(step: &Step, of: &SubvolumeName, at: &TargetName) -> bool {
    matches!(step, Step::AbandonUpload { subvolume, target, .. } if subvolume == of && target == at)
}

fn uses_snapshot(step: &Step, wanted: SnapshotUuid) -> bool {
    matches!(step, Step::SendStream { parent: Some(parent), .. } if parent.uuid == wanted)
        || sends_snapshot(step, wanted)
}

fn sends_snapshot(step: &Step, wanted: SnapshotUuid) -> bool {
    matches!(step, Step::SendStream { snapshot: Which::Existing { uuid, .. }, .. } if *uuid == wanted)
}

/// Whether a snapshot is what the stream was made of, or a copy of it.
fn has_identity(stream: &StreamSummary, local: &LocalSnapshot) -> bool {
    let copied = local.received.is_some_and(|received| stream.snapshot.uuid.is_copied_as(&received));
    stream.snapshot.uuid == local.uuid || copied
}

/// The same, and unchanged since.
fn is_what_was_sent(stream: &StreamSummary, local: &LocalSnapshot) -> bool {
    let unchanged = if stream.snapshot.uuid == local.uuid {
        local.ctransid == stream.snapshot.ctransid
    } else {
        local.name == stream.snapshot.name
    };
    has_identity(stream, local) && local.read_only && unchanged
}

/// The streams that can be restored: fulls, and what follows a restorable one at the next place. Of rivals for one
/// place the first that was published counts.
fn whole(streams: &[StreamSummary]) -> Vec<&StreamSummary> {
    let mut first: BTreeMap<(Generation, u32, Option<&StreamName>), &StreamSummary> = BTreeMap::new();
    for stream in streams {
        let claim = first.entry((stream.generation, stream.sequence, stream.parent.as_ref())).or_insert(stream);
        if (stream.published, &stream.name) < (claim.published, &claim.name) {
            *claim = stream;
        }
    }
    let mut whole: Vec<&StreamSummary> =
        first.iter().filter(|((_, sequence, parent), _)| *sequence == 0 && parent.is_none()).map(|(_, s)| *s).collect();
    let mut done = 0;
    while let Some(stream) = whole.get(done) {
        let next = stream.sequence.checked_add(1).map(|n| (stream.generation, n, Some(&stream.name)));
        whole.extend(next.and_then(|next| first.get(&next)));
        done += 1;
    }
    whole
}

/// The last stream of the newest generation that can be restored.
fn newest_whole(streams: &[StreamSummary]) -> Option<&StreamSummary> {
    whole(streams).into_iter().max_by_key(|s| (s.generation, s.sequence))
}
