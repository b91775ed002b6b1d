//! Which of our snapshots go after a run, and why the others stay.
//!
//! Rules say what is wanted (see `keep`); on top of them stays what is needed. The parent of a target's next stream goes only
//! after that stream was published there, so a run that dies anywhere leaves every chain able to go on. What a target
//! needs that could not be looked at is not known: then everything stays, but not for ever, or a lost disk would fill the
//! pool.

use std::collections::BTreeMap;

use jiff::Timestamp;
use subvault_model::ids::SnapshotUuid;
use subvault_model::names::{SubvolumeName, TargetName};
use subvault_model::note::BEFORE_CHANGE;
use subvault_model::subvolume::LocalSnapshot;

use crate::chain::newest_tip;
use crate::keep::{Candidate, Pressure, judge_under};
use crate::observed::{ObservedSubvolume, ObservedTarget};
use crate::parent::find_here;
use crate::policy::{Policy, SubvolumePolicy};
use crate::replica::newest_common;
use crate::step::{Kept, Plan, Step, StepId, Which};

/// For how many days snapshots stay for the sake of a target that cannot be looked at: long enough for a disk that is
/// plugged in once a month.
const PINNED_DAYS: i64 = 40;

/// For how many days snapshots stay that were taken so that a change can be undone.
const CHANGE_DAYS: i64 = 30;

/// What needs snapshots, whatever the rules say.
#[derive(Default)]
pub(crate) struct Claims {
    /// Those that stay in any case, and why.
    stays: BTreeMap<SnapshotUuid, Vec<String>>,
    /// Those that stay unless these steps succeed.
    until: BTreeMap<SnapshotUuid, Vec<StepId>>,
    /// A target that was not looked at.
    unseen: Option<TargetName>,
    /// Parents of the next copies to replicas that were not seen for too long.
    given_up: BTreeMap<SnapshotUuid, TargetName>,
}

impl Claims {
    /// A snapshot stays, for this reason.
    pub(crate) fn stays(&mut self, snapshot: SnapshotUuid, because: String) {
        self.stays.entry(snapshot).or_default().push(because);
    }

    /// A snapshot stays until this step has succeeded.
    pub(crate) fn stays_until(&mut self, snapshot: SnapshotUuid, step: StepId) {
        self.until.entry(snapshot).or_default().push(step);
    }

    /// What archive targets need; `sends` are the streams of this plan by target.
    pub(crate) fn of_archives(
        wanted: &SubvolumePolicy,
        seen: &ObservedSubvolume,
        plan: &Plan,
        sends: &[(&ObservedTarget, StepId)],
    ) -> Self {
        let unseen = wanted.targets.iter().find(|t| !seen.targets.iter().any(|seen| seen.name == **t)).cloned();
        let mut claims = Self { unseen, ..Self::default() };
        for target in &seen.targets {
            let send = sends.iter().find(|(to, _)| to.name == target.name).map(|(_, step)| *step);
            claims.of_archive(seen, target, plan, send);
        }
        claims
    }

    /// What replicas need; `copies` are the copies of this plan by replica. One that was not looked at needs what it had
    /// when it was seen last, for so many days.
    pub(crate) fn of_replicas(
        &mut self,
        policy: &Policy,
        seen: &ObservedSubvolume,
        plan: &Plan,
        copies: &[(TargetName, StepId)],
        now: Timestamp,
    ) {
        for replica in &seen.replicas {
            let to = &replica.name;
            let copy = copies.iter().rfind(|(target, _)| target == to).map(|(_, step)| *step);
            if let Some(uuid) = copy.and_then(|StepId(index)| sent(&plan.steps.get(index)?.step)) {
                self.stays(uuid, format!("the copy after this run's to {to} will build on it"));
            }
            match (newest_common(&seen.snapshots, replica), copy) {
                (Some(parent), Some(step)) => self.stays_until(parent.uuid, step),
                (Some(parent), None) => self.stays(parent.uuid, format!("the next copy to {to} builds on it")),
                (None, _) => {}
            }
        }
        for pin in seen.pins.iter().filter(|pin| seen.replicas.iter().all(|replica| replica.name != pin.target)) {
            let Some(replica) = policy.replicas.get(&pin.target) else { continue };
            let away = now.as_second().saturating_sub(pin.seen.as_second());
            if away < i64::from(replica.pin_days.get()) * 86_400 {
                self.stays(pin.snapshot, format!("the next copy to {} builds on it", pin.target));
            } else {
                self.given_up.insert(pin.snapshot, pin.target.clone());
            }
        }
    }

    fn of_archive(&mut self, seen: &ObservedSubvolume, target: &ObservedTarget, plan: &Plan, send: Option<StepId>) {
        let to = &target.name;
        if let Some(uuid) = send.and_then(|StepId(index)| sent(&plan.steps.get(index)?.step)) {
            self.stays(uuid, format!("the stream after this run's to {to} will build on it"));
        }
        let parent = newest_tip(&target.streams).and_then(|tip| find_here(tip, &seen.snapshots).ok());
        match (parent, send) {
            (Some(parent), Some(step)) => self.stays_until(parent.uuid, step),
            (Some(parent), None) => self.stays(parent.uuid, format!("the next stream to {to} builds on it")),
            (None, _) => {}
        }
        if let Some(unfinished) =
            target.unfinished.as_ref().filter(|u| send.is_none() && !target.is_published(&u.stream))
        {
            self.stays(unfinished.snapshot, format!("an unfinished upload to {to} is made of it"));
        }
    }
}

/// Plans the deletion of snapshots that no rule keeps and nothing needs; tells why the others stay.
pub(crate) fn prune(
    plan: &mut Plan,
    policy: &Policy,
    (wanted, seen): (&SubvolumePolicy, &ObservedSubvolume),
    claims: &Claims,
    taken: Option<StepId>,
    now: Timestamp,
) {
    let pressure = seen.room.map_or(Pressure::None, |room| policy.limits.pressure(room));
    announce(plan, wanted, claims, pressure);
    // What others took is none of this: they clean it up, and nothing is counted on their behalf.
    let ours = || seen.snapshots.iter().filter(|snapshot| !snapshot.foreign);
    for snapshot in ours().filter(|snapshot| !snapshot.read_only) {
        let because = vec!["it was made writable, and somebody may be at work in it".to_owned()];
        plan.kept.push(Kept { name: snapshot.name.clone(), because });
    }
    let mut snapshots: Vec<&LocalSnapshot> = ours().filter(|snapshot| snapshot.read_only).collect();
    snapshots.sort_by(|a, b| (&b.name, b.id).cmp(&(&a.name, a.id)));
    // The snapshot that this run takes counts too; it is the last one made.
    let candidate = |s: &&LocalSnapshot| Candidate { taken: s.name.taken(), order: s.id.0, tags: s.note.tags.clone() };
    let mut candidates: Vec<Candidate> = snapshots.iter().map(candidate).collect();
    candidates.extend(taken.map(|_| Candidate { taken: now, order: u64::MAX, tags: Default::default() }));
    let reasons = judge_under((&wanted.keep, &policy.floor), pressure, &candidates, now, &policy.zone);
    for (snapshot, mut rules) in snapshots.into_iter().zip(reasons) {
        rules.sort();
        let mut because: Vec<String> = rules.iter().map(ToString::to_string).collect();
        because.extend(claims.stays.get(&snapshot.uuid).into_iter().flatten().cloned());
        because.extend(for_the_unseen(claims, snapshot, now));
        because.extend(for_a_change(snapshot, now));
        if because.is_empty() {
            let mut needs: Vec<StepId> = claims.until.get(&snapshot.uuid).into_iter().flatten().copied().collect();
            needs.extend(taken);
            needs.sort_unstable();
            needs.dedup();
            let (subvolume, name, uuid) = (seen.name.clone(), snapshot.name.clone(), snapshot.uuid);
            let because = reason(claims, &wanted.name, uuid, pressure);
            plan.push(Step::DeleteSnapshot { subvolume, name, uuid }, because, needs);
        } else {
            plan.kept.push(Kept { name: snapshot.name.clone(), because });
        }
    }
    for name in &seen.lost_notes {
        let step = Step::RemoveLostNote { subvolume: seen.name.clone(), name: name.clone() };
        plan.push(step, "an earlier run died before it had a snapshot, or after that was gone", Vec::new());
    }
}

/// What is out of the ordinary about this subvolume's retention.
fn announce(plan: &mut Plan, wanted: &SubvolumePolicy, claims: &Claims, pressure: Pressure) {
    let name = &wanted.name;
    if let Some(unseen) = &claims.unseen {
        plan.notes.push(format!(
            "{name}: {unseen} was not looked at; no snapshot of the last {PINNED_DAYS} days is deleted, in case it needs it"
        ));
    }
    match pressure {
        Pressure::None => {}
        Pressure::Yellow => {
            plan.notes.push(format!("{name}: space gets short on its pool, so fewer hours and days are kept"));
        }
        Pressure::Red => {
            plan.notes.push(format!("{name}: space is about to run out on its pool, so only the least is kept"));
        }
    }
}

fn reason(claims: &Claims, of: &SubvolumeName, uuid: SnapshotUuid, pressure: Pressure) -> String {
    let rules = if pressure == Pressure::None { "no rule keeps it" } else { "no rule keeps it while space is short" };
    if let Some(replica) = claims.given_up.get(&uuid) {
        return format!("{rules}; {replica} was not seen for too long: all of {of} must be sent there again");
    }
    match &claims.unseen {
        None => rules.to_owned(),
        Some(target) => format!("{rules}; if it was the parent for {target}, that will need a full"),
    }
}

fn for_the_unseen(claims: &Claims, snapshot: &LocalSnapshot, now: Timestamp) -> Option<String> {
    let target = claims.unseen.as_ref().filter(|_| is_recent(snapshot, now))?;
    Some(format!("{target} was not looked at and may need it"))
}

/// What was taken to take a change back stays for a while, whatever else is taken since.
fn for_a_change(snapshot: &LocalSnapshot, now: Timestamp) -> Option<String> {
    let age = now.as_second().saturating_sub(snapshot.name.taken().as_second());
    let serves = snapshot.note.tags.contains(BEFORE_CHANGE) || snapshot.note.pair.is_some();
    (serves && age < CHANGE_DAYS * 86_400)
        .then(|| format!("a change of the last {CHANGE_DAYS} days can be undone with it"))
}

/// A snapshot from the future (the clock was set back) is recent.
fn is_recent(snapshot: &LocalSnapshot, now: Timestamp) -> bool {
    now.as_second().saturating_sub(snapshot.name.taken().as_second()) < PINNED_DAYS * 86_400
}

/// Which snapshot of the pool a stream is made of; one that this plan takes has no uuid yet.
fn sent(step: &Step) -> Option<SnapshotUuid> {
    match step {
        Step::SendStream { snapshot: Which::Existing { uuid, .. }, .. }
        | Step::SendCopy { snapshot: Which::Existing { uuid, .. }, .. } => Some(*uuid),
        _ => None,
    }
}
