//! What comes next by the calendar. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use subvault_model::names::{SubvolumeName, TargetName};

use crate::observed::Observed;
use crate::policy::Policy;

/// Something that will be due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Next {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Work,
}

/// What will be due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Snapshots of these.
    Snapshot(Vec<SubvolumeName>),
    /// Sending to this target.
    Send(TargetName),
}

/// The next time of each snapshot and each target after `now`, the soonest first.
#[must_use]
pub fn upcoming(policy: &Policy, observed: &Observed, now: Timestamp) -> Vec<Next> {
    let mut snapshots: BTreeMap<Timestamp, Vec<SubvolumeName>> = BTreeMap::new();
    let seen = |name: &SubvolumeName| observed.subvolumes.iter().any(|subvolume| subvolume.name == *name);
    for wanted in policy.subvolumes.iter().filter(|wanted| seen(&wanted.name)) {
        if let Some(at) = wanted.schedule.as_ref().and_then(|calendar| calendar.next(now, &policy.zone)) {
            snapshots.entry(at).or_default().push(wanted.name.clone());
        }
    }
    let next_send = |name: &TargetName| {
        let used = policy.subvolumes.iter().filter(|subvolume| subvolume.targets.contains(name));
        let schedules = used.filter_map(|subvolume| policy.send_schedule(subvolume, name));
        schedules.filter_map(|calendar| calendar.next(now, &policy.zone)).min()
    };
    let sends = policy.targets.keys().filter_map(|name| {
        let at = next_send(name)?;
        Some(Next { at, what: Work::Send(name.clone()) })
    });
    let snapshots = snapshots.into_iter().map(|(at, names)| Next { at, what: Work::Snapshot(names) });
    let mut next: Vec<Next> = snapshots.chain(sends).collect();
    next.sort_by(|a, b| (a.at, &a.what).cmp(&(b.at, &b.what)));
    next
}
