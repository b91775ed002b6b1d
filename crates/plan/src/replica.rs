//! Decides what goes to replicas, Btrfs disks and hosts that have copies of snapshots, and what goes away there.
//!
//! What an interrupted receive left goes first. Then what is missing is sent, the newest snapshot or all that retention
//! there would keep, each relative to the newest one that both sides have. Then what retention keeps no longer goes, once
//! all was sent: never the newest that both sides have, or the next copy would be of everything.

mod parent;
mod retention;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use subvault_model::ids::ReceivedUuid;
use subvault_model::names::{SnapshotName, SubvolumeName, TargetName};
use subvault_model::subvolume::LocalSnapshot;

pub use parent::{common, last_common, newest_common};

use crate::due::{Due, due};
use crate::observed::{Observed, ObservedReplica, ObservedSubvolume};
use crate::policy::{Policy, ReplicaPolicy};
use crate::run::Wanted;
use crate::step::{Common, Plan, Step, StepId, Which};

/// Which of the missing snapshots are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The newest.
    Newest,
    /// All that the replica would keep, oldest first.
    All,
}

/// The moment of a decision, and what days and months are where it is made.
#[derive(Clone, Copy)]
struct Moment<'a> {
    now: Timestamp,
    zone: &'a TimeZone,
}

/// One subvolume at one replica.
#[derive(Clone, Copy)]
struct Subject<'a> {
    /// All subvolumes, for what they share with this one.
    observed: &'a Observed,
    seen: &'a ObservedSubvolume,
    replica: &'a ObservedReplica,
    policy: &'a ReplicaPolicy,
    missing: Missing,
    moment: Moment<'a>,
}

/// Plans the copies of a whole run, for all subvolumes; the last step of each that sends, by subvolume and replica. `taken`
/// are the snapshots that the run takes before.
pub(crate) fn copy_all(
    plan: &mut Plan,
    policy: &Policy,
    observed: &Observed,
    taken: &BTreeMap<SubvolumeName, StepId>,
    wanted: Wanted,
    now: Timestamp,
) -> BTreeMap<SubvolumeName, Vec<(TargetName, StepId)>> {
    let moment = Moment { now, zone: &policy.zone };
    let is_wanted = |subject: &Subject<'_>| match wanted {
        Wanted::No => false,
        Wanted::Due => subject.is_due(policy),
        Wanted::All => true,
    };
    let subjects = subjects(policy, observed, Missing::Newest, moment).filter(is_wanted).collect();
    copy(plan, subjects, taken)
}

/// All subvolumes at all their replicas that were looked at.
fn subjects<'a>(
    policy: &'a Policy,
    observed: &'a Observed,
    missing: Missing,
    moment: Moment<'a>,
) -> impl Iterator<Item = Subject<'a>> {
    policy.subvolumes.iter().flat_map(move |wanted| {
        let seen = observed.subvolumes.iter().find(|seen| seen.name == wanted.name);
        let replicas = seen.into_iter().flat_map(|seen| seen.replicas.iter().map(move |replica| (seen, replica)));
        replicas.filter(|(_, replica)| wanted.replicas.contains(&replica.name)).filter_map(move |(seen, replica)| {
            let policy = policy.replicas.get(&replica.name)?;
            Some(Subject { observed, seen, replica, policy, missing, moment })
        })
    })
}

/// What is sent, and only then what goes: what one subvolume has there may be what another one shares data with.
fn copy(
    plan: &mut Plan,
    subjects: Vec<Subject<'_>>,
    taken: &BTreeMap<SubvolumeName, StepId>,
) -> BTreeMap<SubvolumeName, Vec<(TargetName, StepId)>> {
    let mut all: BTreeMap<SubvolumeName, Vec<(TargetName, StepId)>> = BTreeMap::new();
    let mut sent = Vec::new();
    for subject in subjects {
        let taken = taken.get(&subject.seen.name).and_then(|step| Some((*step, taken_name(plan, *step)?)));
        let sends = subject.send_all(plan, taken.as_ref().map(|(step, name)| (*step, name)));
        let steps = sends.iter().map(|(_, step)| (subject.replica.name.clone(), *step));
        all.entry(subject.seen.name.clone()).or_default().extend(steps);
        sent.push((subject, sends));
    }
    for (subject, sends) in sent {
        subject.delete_unneeded(plan, &sends);
    }
    all
}

fn taken_name(plan: &Plan, StepId(step): StepId) -> Option<SnapshotName> {
    match &plan.steps.get(step)?.step {
        Step::TakeSnapshot { name, .. } => Some(name.clone()),
        _ => None,
    }
}

/// When what a replica has last of a subvolume was taken, where that is not in the future: counted, a copy from when the
/// clock was wrong would keep every other from being due until the clock has come so far.
#[must_use]
pub fn last_copied(replica: &ObservedReplica, now: Timestamp) -> Option<Timestamp> {
    replica.copies.iter().map(|copy| copy.name.taken()).filter(|taken| *taken <= now).max()
}

/// Decides a run that copies what there is, and takes no snapshots.
#[must_use]
pub fn plan(policy: &Policy, observed: &Observed, missing: Missing, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let moment = Moment { now, zone: &policy.zone };
    let subjects: Vec<Subject<'_>> = subjects(policy, observed, missing, moment).collect();
    for seen in observed.subvolumes.iter().filter(|seen| seen.snapshots.is_empty()) {
        if subjects.iter().any(|subject| subject.seen.name == seen.name) {
            plan.notes.push(format!("{}: there is no snapshot to copy", seen.name));
        }
    }
    copy(&mut plan, subjects, &BTreeMap::new());
    plan
}

/// A snapshot that is to be copied.
struct Sending {
    name: SnapshotName,
    which: Which,
    /// What it was received from, or inherits from what it was taken of.
    received: Option<ReceivedUuid>,
}

impl Subject<'_> {
    /// What is left over from an interrupted receive is due at once: it is half done.
    fn is_due(&self, policy: &Policy) -> bool {
        let due = |calendar| due(calendar, last_copied(self.replica, self.moment.now), self.moment.now, &policy.zone);
        let wanted = policy.subvolumes.iter().find(|wanted| wanted.name == self.seen.name);
        let schedule = wanted.and_then(|wanted| policy.send_schedule(wanted, &self.replica.name));
        !self.replica.unfinished.is_empty() || matches!(schedule.map(due), Some(Due::Now(_)))
    }

    /// Plans what is sent; `taken` is the snapshot that the same run takes before.
    fn send_all(&self, plan: &mut Plan, taken: Option<(StepId, &SnapshotName)>) -> Vec<(SnapshotName, StepId)> {
        self.tell_of_changed(plan);
        let removed = self.remove_unfinished(plan);
        let mut sends = Vec::new();
        let mut before: Option<(Common, StepId)> = None;
        for wanted in self.wanted(taken) {
            let step = self.send(plan, &wanted, before.as_ref(), &removed, taken.map(|(step, _)| step));
            if let Which::Existing { uuid, .. } = wanted.which {
                let (subvolume, snapshot) = (self.seen.name.clone(), wanted.name.clone());
                let made = Common { subvolume, snapshot, uuid, copy: None };
                before = Some((made, step)).filter(|_| wanted.received.is_none());
            }
            sends.push((wanted.name, step));
        }
        sends
    }

    fn tell_of_changed(&self, plan: &mut Plan) {
        for copy in self.replica.copies.iter().filter(|copy| !copy.intact || copy.received.is_none()) {
            let (name, replica) = (&copy.name, &self.replica.name);
            plan.notes
                .push(format!("{name} at {replica} was changed after it was received: it is no parent, and stays"));
        }
    }

    /// All that was left, whatever it is of: it is of no use to anybody.
    fn remove_unfinished(&self, plan: &mut Plan) -> Vec<(SnapshotName, StepId)> {
        let steps = self.replica.unfinished.iter().map(|left| {
            let step = Step::RemoveUnfinishedCopy {
                subvolume: self.seen.name.clone(),
                target: self.replica.name.clone(),
                name: left.name.clone(),
                uuid: left.uuid,
            };
            (left.name.clone(), plan.push(step, "receiving it was interrupted", Vec::new()))
        });
        steps.collect()
    }

    /// What is to be sent, oldest first.
    fn wanted(&self, taken: Option<(StepId, &SnapshotName)>) -> Vec<Sending> {
        let is_there = |name: &SnapshotName| self.replica.copies.iter().any(|copy| copy.name == *name);
        let is_past = |name: &SnapshotName| name.taken() <= self.moment.now;
        let newest_there = self.replica.copies.iter().map(|copy| &copy.name).filter(|name| is_past(name)).max();
        let mut missing: Vec<&LocalSnapshot> =
            self.seen.snapshots.iter().filter(|s| s.read_only && !is_there(&s.name)).collect();
        missing.sort_by(|a, b| a.name.cmp(&b.name));
        match self.missing {
            Missing::All => {
                let kept = self.kept(missing.iter().map(|s| &s.name));
                missing.retain(|s| kept.contains(&s.name));
            }
            Missing::Newest if taken.is_some() => missing.clear(),
            // An older one that is missing is none that was waited for. One from the future is, and goes last.
            Missing::Newest => {
                missing.retain(|s| newest_there.is_none_or(|there| s.name > *there));
                let newest = missing.iter().rfind(|s| is_past(&s.name)).or(missing.last()).copied();
                missing = newest.into_iter().collect();
            }
        }
        let existing = missing.into_iter().map(|s| Sending {
            name: s.name.clone(),
            which: Which::Existing { name: s.name.clone(), uuid: s.uuid },
            received: s.received,
        });
        // As far as can be told before it is there: it inherits what the one before has inherited.
        let inherited = self.seen.snapshots.iter().max_by_key(|s| &s.name).and_then(|s| s.received);
        let new =
            taken.map(|(step, name)| Sending { name: name.clone(), which: Which::TakenBy(step), received: inherited });
        existing.chain(new).collect()
    }

    fn send(
        &self,
        plan: &mut Plan,
        wanted: &Sending,
        before: Option<&(Common, StepId)>,
        removed: &[(SnapshotName, StepId)],
        taken: Option<StepId>,
    ) -> StepId {
        let (parent, because) = self.parent_of(wanted, before.map(|(common, _)| common));
        let mut needs: Vec<StepId> = removed.iter().filter(|(n, _)| *n == wanted.name).map(|(_, step)| *step).collect();
        if matches!(wanted.which, Which::TakenBy(_)) {
            needs.extend(taken);
        }
        if parent.as_ref().is_some_and(|p| p.copy.is_none()) {
            needs.extend(before.map(|(_, step)| *step));
        }
        needs.sort_unstable();
        let clone_sources = self.clone_sources(wanted, parent.as_ref());
        let step = Step::SendCopy {
            subvolume: self.seen.name.clone(),
            target: self.replica.name.clone(),
            name: wanted.name.clone(),
            snapshot: wanted.which.clone(),
            parent,
            clone_sources,
        };
        plan.push(step, because, needs)
    }
}
