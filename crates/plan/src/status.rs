//! How things stand: how old what there is has become, and what is wrong with that. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use subvault_model::names::{SubvolumeName, TargetName};
use subvault_model::subvolume::LocalSnapshot;

use crate::calendar::Calendar;
use crate::keep::Pressure;
use crate::observed::{Observed, ObservedSubvolume};
use crate::policy::{Policy, SubvolumePolicy};
use crate::run::{last_sent, last_taken};
use crate::space::Room;
use crate::upcoming::{Next, upcoming};

/// A copy that is older than this is stale: a disk that nobody plugs in protects nobody. Where the target's own schedule asks
/// for less, one that a whole turn of that has gone by without.
const STALE_DAYS: i64 = 7;

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// What is wrong, the worst first.
    pub problems: Vec<Problem>,
    /// Each subvolume, in the order of the policy.
    pub subvolumes: Vec<OfSubvolume>,
    /// What comes next by the calendar.
    pub next: Vec<Next>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What.
    pub what: String,
    /// What to do.
    pub hint: String,
}

/// How one subvolume stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfSubvolume {
    /// Its name.
    pub name: SubvolumeName,
    /// When its newest snapshot was taken.
    pub newest: Option<Timestamp>,
    /// How many snapshots there are.
    pub snapshots: usize,
    /// Whether one should have been taken since.
    pub is_late: bool,
    /// How much room there is on its pool.
    pub room: Option<Room>,
    /// How its copies stand.
    pub copies: Vec<OfTarget>,
}

/// How the copies at one target stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfTarget {
    /// Which.
    pub target: TargetName,
    /// When the newest snapshot that is there was taken, as far as that is known.
    pub newest: Option<Timestamp>,
    /// When that was seen; now, where it was looked at.
    pub seen: Option<Timestamp>,
    /// Whether it is too old.
    pub is_stale: bool,
}

/// What is remembered of targets that were not looked at: what was newest there, and when that was seen.
pub type Remembered = BTreeMap<(TargetName, SubvolumeName), (Timestamp, Timestamp)>;

/// How things stand.
#[must_use]
pub fn status(policy: &Policy, observed: &Observed, remembered: &Remembered, now: Timestamp) -> Status {
    let mut problems = Vec::new();
    let mut subvolumes = Vec::new();
    for wanted in &policy.subvolumes {
        let Some(seen) = observed.subvolumes.iter().find(|seen| seen.name == wanted.name) else { continue };
        let stands = stand(policy, wanted, seen, remembered, now);
        problems.extend(problems_of(policy, wanted, seen, &stands, now));
        subvolumes.push(stands);
    }
    problems.extend(observed.open_hooks.iter().map(|open| Problem {
        what: format!("the hook {} for {} was begun by a run that died, and not ended", open.hook, open.group),
        hint: "the next `subvault run` ends it".to_owned(),
    }));
    Status { problems, subvolumes, next: upcoming(policy, observed, now) }
}

fn stand(
    policy: &Policy,
    wanted: &SubvolumePolicy,
    seen: &ObservedSubvolume,
    remembered: &Remembered,
    now: Timestamp,
) -> OfSubvolume {
    let of = |target: &TargetName| {
        let looked = seen.targets.iter().find(|t| t.name == *target).map(|t| (last_sent(t, now), Some(now)));
        let (newest, seen) = looked.unwrap_or_else(|| {
            let known = remembered.get(&(target.clone(), wanted.name.clone()));
            (known.map(|(newest, _)| *newest), known.map(|(_, seen)| *seen))
        });
        let is_stale = newest.is_some_and(|newest| is_stale(policy, wanted, target, newest, now));
        OfTarget { target: target.clone(), newest, seen, is_stale }
    };
    let theirs = seen.snapshots.iter().filter(|s| s.foreign && s.read_only).map(|s| s.name.taken());
    // Where another program takes them, its newest is what counts.
    let newest = last_taken(seen, now).max(theirs.filter(|_| wanted.schedule.is_none()).max());
    OfSubvolume {
        name: wanted.name.clone(),
        newest,
        snapshots: seen.snapshots.iter().filter(|snapshot| !snapshot.foreign).count(),
        is_late: is_late(policy, wanted, newest, now),
        room: seen.room,
        copies: wanted.targets.iter().chain(&wanted.replicas).map(of).collect(),
    }
}

/// Whether a copy is too old.
fn is_stale(policy: &Policy, wanted: &SubvolumePolicy, target: &TargetName, newest: Timestamp, now: Timestamp) -> bool {
    let schedule = policy.send_schedule(wanted, target);
    let is_old = now.duration_since(newest) > SignedDuration::from_hours(STALE_DAYS * 24);
    is_old && schedule.is_none_or(|calendar| is_missed(policy, calendar, newest, now))
}

/// Whether a whole turn of a schedule went by since.
fn is_missed(policy: &Policy, calendar: &Calendar, since: Timestamp, now: Timestamp) -> bool {
    let due = calendar.next(since, &policy.zone);
    let again = due.and_then(|due| calendar.next(due, &policy.zone));
    again.is_some_and(|again| again <= now)
}

/// Whether a whole turn of its schedule went by without a snapshot. One that is only due is not late: the next run takes it.
fn is_late(policy: &Policy, wanted: &SubvolumePolicy, newest: Option<Timestamp>, now: Timestamp) -> bool {
    let Some((calendar, newest)) = wanted.schedule.as_ref().zip(newest) else { return false };
    is_missed(policy, calendar, newest, now)
}

fn problems_of(
    policy: &Policy,
    wanted: &SubvolumePolicy,
    seen: &ObservedSubvolume,
    stands: &OfSubvolume,
    now: Timestamp,
) -> Vec<Problem> {
    let name = &wanted.name;
    let mut problems = Vec::new();
    let mut problem = |what: String, hint: &str| problems.push(Problem { what, hint: hint.to_owned() });
    if wanted.targets.is_empty() && wanted.replicas.is_empty() {
        problem(format!("{name} goes to no target: with its disk, its snapshots are lost too"), "add a [[target]]");
    }
    for copy in &stands.copies {
        let target = &copy.target;
        match copy.newest {
            None => problem(format!("{name}: nothing is known to be at {target}"), "`subvault run` sends what is due"),
            Some(newest) if copy.is_stale => {
                let days = now.duration_since(newest).as_hours() / 24;
                let hint = "plug its disk in or see why it cannot be reached, then `subvault run`";
                problem(format!("{name}: the newest copy at {target} is {days} days old"), hint);
            }
            Some(newest) if newest > now => {
                let hint = "see whether the clock was wrong; `subvault run` sends what is due";
                problem(format!("{name}: the newest copy at {target} is dated in the future"), hint);
            }
            Some(_) => {}
        }
    }
    let is_counted = |snapshot: &LocalSnapshot| !snapshot.foreign || wanted.schedule.is_none();
    let mut counted = seen.snapshots.iter().filter(|snapshot| snapshot.read_only && is_counted(snapshot));
    if counted.any(|snapshot| snapshot.name.taken() > now) {
        problem(format!("{name}: the newest snapshot is dated in the future"), "see whether the clock was wrong");
    }
    match stands.newest {
        None if wanted.schedule.is_none() => {
            problem(format!("{name} has no snapshot"), "`subvault snapshot` takes one; its schedule is \"never\"");
        }
        None => problem(format!("{name} has no snapshot"), "`subvault run` takes one"),
        Some(_) if stands.is_late => {
            let hint = "see whether the timer runs: `systemctl list-timers subvault.timer`";
            problem(format!("{name}: the newest snapshot is older than its schedule asks for"), hint);
        }
        Some(_) => {}
    }
    match seen.room.map_or(Pressure::None, |room| policy.limits.pressure(room)) {
        Pressure::None => {}
        Pressure::Yellow => problem(format!("{name}: space gets short on its pool"), "free some, or keep less"),
        Pressure::Red => problem(format!("{name}: space is about to run out on its pool"), "free some, now"),
    }
    problems
}
