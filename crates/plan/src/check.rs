//! Lints a plan against what was seen. Shares no code with the planner and runs before every execution, in release
//! builds too. Any finding is a bug in the planner, and the plan must not be run.

use std::collections::BTreeMap;

use subvault_model::ids::SnapshotUuid;
use subvault_model::names::{SnapshotName, StreamName, SubvolumeName, TargetName};
use subvault_model::stream::{Generation, StreamSummary};
use subvault_model::subvolume::LocalSnapshot;

use crate::observed::{Observed, ObservedSubvolume, ObservedTarget};
use crate::step::{Parent, Plan, Planned, Step, StepId, Which};

/// What is wrong with a plan.
#[must_use]
pub fn check(plan: &Plan, observed: &Observed) -> Vec<String> {
    let mut lint = Lint { plan, observed, findings: Vec::new() };
    for (index, planned) in plan.steps.iter().enumerate() {
        lint.step(index, planned);
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
    observed: &'a Observed,
    findings: Vec<String>,
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
        let (name, target) = about(&planned.step);
        let Some(subvolume) = self.observed.subvolumes.iter().find(|s| s.name == *name) else {
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
                let newest = newest_whole(&target.streams).is_some_and(|s| s.name == *stream);
                self.require(newest, index, "lets a pointer name something else than the newest stream");
            }
            (Step::DeleteSnapshot { name, uuid, .. }, _) => {
                self.delete(index, &planned.needs, subvolume, (name, *uuid));
            }
            (Step::SendStream { .. } | Step::AbandonUpload { .. } | Step::RepairPointer { .. }, None) => {}
        }
    }

    fn earlier(&self, index: usize) -> impl Iterator<Item = (StepId, &'a Step)> + use<'a> {
        self.plan.steps.iter().take(index).enumerate().map(|(i, p)| (StepId(i), &p.step))
    }

    fn take(&mut self, index: usize, subvolume: &ObservedSubvolume, name: &SnapshotName) {
        self.require(*name.subvolume() == subvolume.name, index, "names a snapshot after another subvolume");
        let exists = subvolume.snapshots.iter().any(|s| s.name == *name);
        self.require(!exists, index, "takes a snapshot whose name is in use");
        let again = self
            .earlier(index)
            .any(|(_, s)| matches!(s, Step::TakeSnapshot { subvolume: other, .. } if *other == subvolume.name));
        self.require(!again, index, "takes a second snapshot of a subvolume");
    }

    fn send(&mut self, index: usize, needs: &[StepId], send: &Send<'_>) {
        let (subvolume, target) = (&send.subvolume.name, &send.target.name);
        let again = self.earlier(index).any(|(_, s)| is_send(s, subvolume, Some(target)));
        self.require(!again, index, "is a second stream of a subvolume to one target");
        match send.snapshot {
            Which::Existing { name, uuid } => {
                self.uses(index, send.subvolume, name, *uuid);
                self.require(send.resume.is_some(), index, "sends an old snapshot without resuming");
                self.require(send.parent.is_none_or(|p| p.uuid != *uuid), index, "is relative to itself");
            }
            Which::TakenBy(taker) => {
                let takes = self.earlier(index).any(|(id, s)| {
                    id == *taker && matches!(s, Step::TakeSnapshot { subvolume: of, .. } if of == subvolume)
                });
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
        let given_up = self.earlier(index).any(|(_, s)| is_abandon(s, &send.subvolume.name, &send.target.name));
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
        let takes = |s: &Step| matches!(s, Step::TakeSnapshot { subvolume: of, .. } if *of == subvolume.name);
        let safe = self.earlier(index).any(|(id, s)| takes(s) && needs.contains(&id));
        self.require(safe, index, "gives up an upload before there is a new snapshot in its place");
        let unfinished = target.unfinished.as_ref().is_some_and(|u| u.stream == *stream);
        let published = target.is_published(stream);
        self.require(unfinished && !published, index, "gives up something else than an interrupted upload");
        let late = self.earlier(index).any(|(_, s)| {
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
        let Some(local) = subvolume.snapshots.iter().find(|s| s.uuid == uuid && s.name == *name) else {
            return self.require(false, index, "deletes a snapshot that was not seen");
        };
        self.require(!self.is_deleted(index, uuid), index, "deletes a snapshot twice");
        let mut replaced = false;
        let mut takes = None;
        for (id, step) in self.earlier(index) {
            if matches!(step, Step::TakeSnapshot { subvolume: of, .. } if *of == subvolume.name) {
                takes = Some(id);
            }
            replaced |= is_send(step, &subvolume.name, None) && needs.contains(&id);
            if uses_snapshot(step, uuid) {
                self.require(needs.contains(&id), index, "deletes what a stream is made of before it is published");
            }
            if resumes_snapshot(step, uuid) {
                self.require(false, index, "deletes the parent of the stream after an interrupted one");
            }
        }
        let replaced = takes.map_or(replaced, |id| needs.contains(&id));
        self.require(replaced, index, "deletes a snapshot whatever happens before");
        for target in &subvolume.targets {
            if newest_whole(&target.streams).is_some_and(|tip| has_identity(tip, local)) {
                let sent = self
                    .earlier(index)
                    .any(|(id, s)| is_send(s, &subvolume.name, Some(&target.name)) && needs.contains(&id));
                self.require(sent, index, "deletes a parent before its successor is published");
            }
        }
    }

    /// The snapshot must be there, be what is meant, and still be there when the step's turn comes.
    fn uses(&mut self, index: usize, subvolume: &ObservedSubvolume, name: &SnapshotName, uuid: SnapshotUuid) {
        let there = subvolume.snapshots.iter().any(|s| s.uuid == uuid && s.name == *name && s.read_only);
        self.require(there && !self.is_deleted(index, uuid), index, "uses a snapshot that is not there");
    }

    fn is_deleted(&self, index: usize, wanted: SnapshotUuid) -> bool {
        self.earlier(index).any(|(_, s)| matches!(s, Step::DeleteSnapshot { uuid, .. } if *uuid == wanted))
    }

    /// A pointer that names something else than the newest stream is repaired, and no other is touched.
    fn pointer(&mut self, subvolume: &ObservedSubvolume, target: &ObservedTarget) {
        let right = newest_whole(&target.streams).is_none_or(|s| target.pointer.as_ref() == Some(&s.name));
        let here = |s: &Step| matches!(s, Step::RepairPointer { subvolume: of, target: at, .. } if *of == subvolume.name && *at == target.name);
        let repairs = self.plan.steps.iter().filter(|p| here(&p.step)).count();
        let sends = self.plan.steps.iter().any(|p| is_send(&p.step, &subvolume.name, Some(&target.name)));
        if repairs > usize::from(!right) || (sends && !right && repairs == 0) {
            self.findings
                .push(format!("the pointer of {} at {} is repaired {repairs} times", subvolume.name, target.name));
        }
    }
}

fn about(step: &Step) -> (&SubvolumeName, Option<&TargetName>) {
    match step {
        Step::TakeSnapshot { subvolume, .. } | Step::DeleteSnapshot { subvolume, .. } => (subvolume, None),
        Step::SendStream { subvolume, target, .. }
        | Step::AbandonUpload { subvolume, target, .. }
        | Step::RepairPointer { subvolume, target, .. } => (subvolume, Some(target)),
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
        || resumes_snapshot(step, wanted)
}

fn resumes_snapshot(step: &Step, wanted: SnapshotUuid) -> bool {
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
