//! What retention keeps of many subvolumes at one moment. Those whose snapshots were taken at the same times and that keep by the
//! same rules have the same answer, which is found once: most subvolumes of a host are treated like others. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::series::Taken;
use crate::keep::{Candidate, Keep, judge};

/// Answers at one moment.
pub(super) struct Retention<'a> {
    now: Timestamp,
    zone: &'a TimeZone,
    known: Vec<Answer<'a>>,
}

struct Answer<'a> {
    keep: &'a Keep,
    /// What the clock showed at each, in the order in which they were taken.
    shown: Vec<Timestamp>,
    kept: Vec<bool>,
}

impl<'a> Retention<'a> {
    /// At a moment, by what the host's clock shows.
    pub(super) const fn new(now: Timestamp, zone: &'a TimeZone) -> Self {
        Self { now, zone, known: Vec::new() }
    }

    /// Which of these snapshots, which are in the order in which they were taken, some rule keeps.
    pub(super) fn kept(&mut self, keep: &'a Keep, taken: &[Taken]) -> &[bool] {
        let is_alike = |answer: &Answer<'_>| {
            answer.keep == keep && answer.shown.iter().copied().eq(taken.iter().map(|taken| taken.shown))
        };
        let place = self.known.iter().position(is_alike).unwrap_or_else(|| {
            let shown = taken.iter().map(|taken| taken.shown).collect();
            self.known.push(Answer { keep, shown, kept: self.judged(keep, taken) });
            self.known.len() - 1
        });
        &self.known[place].kept
    }

    fn judged(&self, keep: &Keep, taken: &[Taken]) -> Vec<bool> {
        let candidate = |taken: &Taken| Candidate { taken: taken.shown, order: taken.order, tags: BTreeSet::new() };
        let candidates: Vec<Candidate> = taken.iter().map(candidate).collect();
        judge(keep, &candidates, self.now, self.zone).iter().map(|reasons| !reasons.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    /// However many subvolumes there are, each way to treat them is thought through once.
    #[test]
    fn what_is_treated_alike_is_judged_once() {
        let keep = |hours| Keep {
            newest: NonZeroU32::MIN,
            within: None,
            periods: [hours, 0, 0, 0, 0, 0],
            tags: BTreeSet::new(),
        };
        let of = |first: u32| -> Vec<Taken> {
            let hour = |n: u32| Timestamp::from_second(i64::from(first + n) * 3600).unwrap();
            let taken = |n: u32| Taken { shown: hour(n), real: hour(n), written: u128::from(n), order: u64::from(n) };
            (0..100).map(taken).collect()
        };
        let (two, three) = (keep(2), keep(3));
        let zone = TimeZone::UTC;
        let mut retention = Retention::new(Timestamp::from_second(500 * 3600).unwrap(), &zone);
        for (rules, first, expected) in [(&two, 0, 2), (&three, 0, 3), (&two, 1, 2)].repeat(1000) {
            let kept = retention.kept(rules, &of(first));
            assert_eq!(kept.iter().filter(|kept| **kept).count(), expected);
            assert!(kept[99]);
        }
        assert_eq!(retention.known.len(), 3);
    }
}
