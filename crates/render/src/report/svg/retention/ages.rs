//! How old the snapshots are that retention keeps once it has been followed for long enough: found by the very rules that a run
//! uses, on all snapshots that would have been taken.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use subvault_plan::keep::{Candidate, Keep, judge};
use subvault_plan::strategy::snapshots::kept;

use crate::report::Report;
use crate::report::flow::parsed;

/// More than so many are not looked at; of what is taken more often than that, only some is.
const CANDIDATES_MAX: i64 = 50_000;
/// Snapshots are taken to have begun so long before what the rules reach back to.
const BEFORE: SignedDuration = SignedDuration::from_hours(100 * 24);

/// The ages, the youngest first.
pub(super) fn ages(report: &Report<'_>, calendar: &str, keep: &Keep) -> Vec<SignedDuration> {
    let candidates = candidates(report, calendar, keep);
    let reasons = judge(keep, &candidates, report.made, &report.zone);
    let kept = candidates.iter().zip(reasons).filter(|(_, reasons)| !reasons.is_empty());
    kept.map(|(candidate, _)| report.made.duration_since(candidate.taken)).rev().collect()
}

/// What would have been taken until now, in the order of time.
fn candidates(report: &Report<'_>, calendar: &str, keep: &Keep) -> Vec<Candidate> {
    let Some(calendar) = parsed(report, calendar) else { return Vec::new() };
    let days = SignedDuration::from_hours(24 * i64::from(kept(keep).days));
    let back = days.max(keep.within.unwrap_or_default()).saturating_add(BEFORE);
    let begin = report.made.checked_sub(back).unwrap_or(Timestamp::UNIX_EPOCH);
    let stride = SignedDuration::from_secs(back.as_secs() / CANDIDATES_MAX);
    let mut found: Vec<Candidate> = Vec::new();
    let mut after = begin;
    while let Some(taken) = calendar.next(after, &report.zone).filter(|taken| *taken <= report.made) {
        let order = u64::try_from(found.len()).unwrap_or(u64::MAX);
        found.push(Candidate { taken, order, tags: BTreeSet::new() });
        after = taken.max(after.checked_add(stride).unwrap_or(taken));
    }
    found
}
