//! Decides what a run does: snapshots first, back to back; then the streams; then what no rule keeps and nothing needs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use subvault_model::names::{SnapshotName, SubvolumeName};
use subvault_model::note::Note;
use subvault_model::stream::{Generation, StreamSummary};
use subvault_model::subvolume::LocalSnapshot;

use crate::chain::newest_tip;
use crate::due::{Due, due};
use crate::observed::{Observed, ObservedSubvolume, ObservedTarget, Unfinished};
use crate::parent::{ParentChoice, choose};
use crate::policy::{ArchivePolicy, Group, OnFailure, Policy, SubvolumePolicy};
use crate::replica::copy_all;
use crate::resume::{Interrupted, Resume, judge};
use crate::retention::{Claims, prune};
use crate::step::{Parent, Plan, Step, StepId, Which};

/// What is asked of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// Which snapshots are taken.
    pub snapshots: Wanted,
    /// What is sent to targets.
    pub sends: Wanted,
    /// Whether retention is enforced.
    pub prune: bool,
    /// What is noted about the snapshots.
    pub note: Note,
}

/// How much of one kind of work is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// None.
    No,
    /// What is due.
    Due,
    /// All of it, due or not.
    All,
}

/// Decides a run.
#[must_use]
pub fn plan(policy: &Policy, observed: &Observed, request: &Request, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    for open in &observed.open_hooks {
        let step = Step::EndHook { group: open.group.clone(), hook: open.hook.clone() };
        plan.push(step, "an earlier run died before it could", Vec::new());
    }
    let work: Vec<(&SubvolumePolicy, &ObservedSubvolume)> = policy
        .subvolumes
        .iter()
        .filter_map(|p| observed.subvolumes.iter().find(|o| o.name == p.name).map(|o| (p, o)))
        .collect();
    let taken = Taking { policy, request, now }.take_all(&mut plan, &work);
    let copies = copy_all(&mut plan, policy, observed, &taken, request.sends, now);
    for (wanted, seen) in work {
        report_nested(&mut plan, seen);
        if request.sends != Wanted::No && is_left_to_others(wanted) && seen.snapshots.is_empty() {
            plan.notes.push(format!("{}: no other program has a snapshot of it that could be sent", seen.name));
        }
        let taken = taken.get(&seen.name).copied();
        let mut sends = Vec::new();
        for (target, settings) in known(policy, seen).filter(|_| request.sends != Wanted::No) {
            let subject = Subject { policy, wanted, seen, target, settings, now };
            sends.extend(subject.send(&mut plan, taken, request.sends).map(|step| (target, step)));
        }
        if request.prune {
            let mut claims = Claims::of_archives(wanted, seen, &plan, &sends);
            claims.of_replicas(policy, seen, &plan, copies.get(&seen.name).map_or(&[], Vec::as_slice), now);
            prune(&mut plan, policy, (wanted, seen), &claims, taken, now);
        }
    }
    plan
}

fn report_nested(plan: &mut Plan, seen: &ObservedSubvolume) {
    for nested in &seen.nested {
        let what =
            format!("{}: {} is a subvolume of its own and not part of its snapshots", seen.name, nested.display());
        plan.notes.push(what);
    }
}

/// Whether what is sent is what another program takes: nobody asked for snapshots of our own.
fn is_left_to_others(wanted: &SubvolumePolicy) -> bool {
    wanted.ships_foreign && wanted.schedule.is_none()
}

/// The targets that were looked at and are configured.
fn known<'a>(
    policy: &'a Policy,
    seen: &'a ObservedSubvolume,
) -> impl Iterator<Item = (&'a ObservedTarget, &'a ArchivePolicy)> {
    seen.targets.iter().filter_map(|target| policy.targets.get(&target.name).map(|settings| (target, settings)))
}

/// When the newest snapshot of a subvolume was taken. What other programs took is theirs, and says nothing about ours.
///
/// One from the future (the clock was set back) says nothing about when the next is due: counted, it would keep every run
/// from taking one until the clock has come so far.
#[must_use]
pub fn last_taken(seen: &ObservedSubvolume, now: Timestamp) -> Option<Timestamp> {
    let ours = seen.snapshots.iter().filter(|snapshot| snapshot.read_only && !snapshot.foreign);
    let taken = ours.map(|snapshot| snapshot.name.taken());
    taken.filter(|taken| *taken <= now).max()
}

/// When what a target has last of a subvolume was taken, where that is not in the future either.
#[must_use]
pub fn last_sent(target: &ObservedTarget, now: Timestamp) -> Option<Timestamp> {
    let tip = newest_tip(&target.streams).map(|tip| tip.snapshot.taken).filter(|taken| *taken <= now);
    tip.or_else(|| target.streams.iter().map(|stream| stream.snapshot.taken).filter(|taken| *taken <= now).max())
}

/// The snapshot that was made last and can be sent.
fn newest(snapshots: &[LocalSnapshot]) -> Option<&LocalSnapshot> {
    snapshots.iter().filter(|s| s.read_only).max_by_key(|s| s.id)
}

/// Taking snapshots.
struct Taking<'a> {
    policy: &'a Policy,
    request: &'a Request,
    now: Timestamp,
}

impl Taking<'_> {
    /// Plans the snapshots: those of groups inside of their hooks, then all others, back to back.
    fn take_all(
        &self,
        plan: &mut Plan,
        work: &[(&SubvolumePolicy, &ObservedSubvolume)],
    ) -> BTreeMap<SubvolumeName, StepId> {
        let mut taken = BTreeMap::new();
        for group in &self.policy.groups {
            let find = |name: &SubvolumeName| work.iter().find(|(wanted, _)| wanted.name == *name).copied();
            let members: Vec<_> = group.members.iter().filter_map(find).collect();
            let wanted = |name: &&SubvolumeName| self.policy.subvolumes.iter().any(|wanted| wanted.name == **name);
            if let Some(unseen) = group.members.iter().filter(wanted).find(|name| find(name).is_none()) {
                if self.request.snapshots != Wanted::No {
                    let name = &group.name;
                    plan.notes
                        .push(format!("{name}: {unseen} could not be looked at, so no snapshot of the group is taken"));
                }
                continue;
            }
            // Together or not at all.
            let reason = members.iter().find_map(|(wanted, seen)| self.reason(wanted, seen));
            if let Some(because) = reason {
                taken.extend(self.take_group(plan, group, &members, &because));
            }
        }
        for (wanted, seen) in work {
            let is_grouped = self.policy.groups.iter().any(|group| group.members.contains(&wanted.name));
            let Some(because) = self.reason(wanted, seen).filter(|_| !is_grouped) else { continue };
            taken.insert(wanted.name.clone(), self.take(plan, seen, None, because, Vec::new()));
        }
        taken
    }

    fn take_group(
        &self,
        plan: &mut Plan,
        group: &Group,
        members: &[(&SubvolumePolicy, &ObservedSubvolume)],
        because: &str,
    ) -> Vec<(SubvolumeName, StepId)> {
        let mut needs = Vec::new();
        for hook in &group.hooks {
            let step = Step::BeginHook { group: group.name.clone(), hook: hook.name.clone() };
            // What one of them refused is refused: the others need not begin.
            let begun = plan.push(step, "snapshots of its group follow", needs.clone());
            if hook.on_failure == OnFailure::Skip {
                needs.push(begun);
            }
        }
        let take = |(wanted, seen): &(&SubvolumePolicy, &ObservedSubvolume)| {
            let step = self.take(plan, seen, Some(group), because.to_owned(), needs.clone());
            // Without this one, those that follow are no set.
            needs.push(step);
            (wanted.name.clone(), step)
        };
        let taken = members.iter().map(take).collect();
        for hook in group.hooks.iter().rev() {
            // Whatever came of them, also of the beginning: it may have come half way.
            let step = Step::EndHook { group: group.name.clone(), hook: hook.name.clone() };
            plan.push(step, "the snapshots of its group are taken", Vec::new());
        }
        taken
    }

    fn take(
        &self,
        plan: &mut Plan,
        seen: &ObservedSubvolume,
        group: Option<&Group>,
        because: String,
        needs: Vec<StepId>,
    ) -> StepId {
        let name = unused_name(seen, self.now);
        let (subvolume, group) = (seen.name.clone(), group.map(|group| group.name.clone()));
        plan.push(Step::TakeSnapshot { subvolume, name, group, note: self.request.note.clone() }, because, needs)
    }

    /// Why a snapshot is taken; `None` when none is.
    fn reason(&self, wanted: &SubvolumePolicy, seen: &ObservedSubvolume) -> Option<String> {
        match self.request.snapshots {
            Wanted::No => None,
            Wanted::Due => self.due(wanted, seen),
            Wanted::All if self.all_resume(seen) => None,
            Wanted::All if self.request.sends != Wanted::No && is_left_to_others(wanted) => None,
            Wanted::All => Some("a run takes a new snapshot".to_owned()),
        }
    }

    fn due(&self, wanted: &SubvolumePolicy, seen: &ObservedSubvolume) -> Option<String> {
        let calendar = wanted.schedule.as_ref()?;
        match due(calendar, last_taken(seen, self.now), self.now, &self.policy.zone) {
            Due::Now(None) => Some("there is none yet".to_owned()),
            Due::Now(Some(_)) => Some(format!("its schedule is {calendar}")),
            Due::At(_) | Due::Never => None,
        }
    }

    /// Whether every target of the subvolume still has an interrupted upload to finish.
    fn all_resume(&self, seen: &ObservedSubvolume) -> bool {
        let fulls = self.policy.fulls;
        let resumes = |t: &ObservedTarget| matches!(judge(t, &seen.snapshots, fulls), Interrupted::Resume(_));
        let mut targets = known(self.policy, seen).peekable();
        let replicas_wait = !seen.replicas.is_empty();
        self.request.sends != Wanted::No
            && !replicas_wait
            && targets.peek().is_some()
            && targets.all(|(target, _)| resumes(target))
    }
}

/// A name that sorts after all that were taken in the same second, also those that are only in a store or a copy by now: which of
/// two is newer is told by their names.
fn unused_name(seen: &ObservedSubvolume, now: Timestamp) -> SnapshotName {
    let first = SnapshotName::new(seen.name.clone(), now, 1);
    let archived = seen.targets.iter().flat_map(|t| &t.streams).map(|s| &s.snapshot.name);
    let copied = seen.replicas.iter().flat_map(|replica| &replica.copies).map(|copy| &copy.name);
    // A note that a run left must not become the note on another one.
    let known = seen.snapshots.iter().map(|s| &s.name).chain(archived).chain(copied).chain(&seen.lost_notes);
    let last = known.filter(|name| name.taken() == first.taken() && *name.subvolume() == seen.name).max();
    last.map_or(first, SnapshotName::next)
}

/// One subvolume at one target.
struct Subject<'a> {
    policy: &'a Policy,
    wanted: &'a SubvolumePolicy,
    seen: &'a ObservedSubvolume,
    target: &'a ObservedTarget,
    settings: &'a ArchivePolicy,
    now: Timestamp,
}

impl Subject<'_> {
    /// Plans the stream of this subvolume to this target; `taken` is the snapshot that the run takes.
    ///
    /// An interrupted upload goes on, due or not: half of it is there.
    fn send(&self, plan: &mut Plan, taken: Option<StepId>, wanted: Wanted) -> Option<StepId> {
        let interrupted = judge(self.target, &self.seen.snapshots, self.policy.fulls);
        if let Interrupted::Resume(resume) = &interrupted {
            self.repair_pointer(plan);
            return self.resume(plan, resume);
        }
        let is_due = wanted == Wanted::All || self.is_due();
        let which = self.which(taken).filter(|_| is_due)?;
        self.repair_pointer(plan);
        if let Interrupted::GiveUp(unfinished, because) = interrupted {
            self.abandon(plan, unfinished, because, taken);
        }
        let fulls = self.policy.fulls;
        let choice = choose(self.target, &self.seen.snapshots, self.settings, fulls, self.now);
        let (parent, because) = match &choice {
            ParentChoice::Incremental { stream, snapshot } => {
                (Some(parent_of(stream, snapshot)), format!("continues {}", stream.name))
            }
            ParentChoice::Full(because) => (None, because.to_string()),
        };
        self.push_send(plan, which, parent, None, because, taken.into_iter().collect())
    }

    fn is_due(&self) -> bool {
        let last = last_sent(self.target, self.now);
        let due = |calendar| due(calendar, last, self.now, &self.policy.zone);
        matches!(self.policy.send_schedule(self.wanted, &self.target.name).map(due), Some(Due::Now(_)))
    }

    /// The snapshot that is sent: the one that the run takes, or the newest there is, unless the target has it.
    fn which(&self, taken: Option<StepId>) -> Option<Which> {
        if let Some(taken) = taken {
            return Some(Which::TakenBy(taken));
        }
        let newest = newest(&self.seen.snapshots)?;
        let copied = |s: &StreamSummary| newest.received.is_some_and(|from| s.snapshot.uuid.is_copied_as(&from));
        let is_there = self.target.streams.iter().any(|s| s.snapshot.uuid == newest.uuid || copied(s));
        (!is_there).then(|| Which::Existing { name: newest.name.clone(), uuid: newest.uuid })
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
