//! Retention: a year lived through by the hour against a list written by hand, and properties that hold for any rules.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use proptest::prelude::*;
use subvault_plan::keep::{Candidate, Keep, Period, Pressure, Reason, judge, judge_under};

use crate::fixtures::some;

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn rules(newest: u32, periods: [u32; 6]) -> Keep {
    Keep { newest: some(newest), within: None, periods, tags: BTreeSet::new() }
}

fn candidate(taken: Timestamp, order: u64) -> Candidate {
    Candidate { taken, order, tags: BTreeSet::new() }
}

/// Those that stay.
fn pruned(keep: &Keep, candidates: Vec<Candidate>, now: Timestamp, zone: &TimeZone) -> Vec<Candidate> {
    let reasons = judge(keep, &candidates, now, zone);
    candidates.into_iter().zip(reasons).filter(|(_, reasons)| !reasons.is_empty()).map(|(kept, _)| kept).collect()
}

fn local(text: &str) -> Timestamp {
    text.parse::<jiff::civil::DateTime>().unwrap().to_zoned(berlin()).unwrap().timestamp()
}

/// A snapshot every hour of a year, and after each a pruning: both changes of the clock are in it.
#[test]
fn a_year_by_the_hour_leaves_what_was_written_down() {
    let keep = rules(2, [5, 4, 3, 4, 3, 2]);
    let (mut at, end) = (local("2025-12-30T00:00:00"), local("2026-12-30T10:00:00"));
    let mut all = Vec::new();
    let mut order = 0;
    while at <= end {
        order += 1;
        all.push(candidate(at, order));
        all = pruned(&keep, all, at, &berlin());
        at += 1.hour();
    }
    let found: Vec<Timestamp> = all.iter().map(|c| c.taken).collect();
    let wanted = [
        // Years: 2025 began here with its first snapshot, 2026 with its own.
        "2025-12-30T00:00:00",
        "2026-01-01T00:00:00",
        // Quarters: this one and two before.
        "2026-04-01T00:00:00",
        "2026-07-01T00:00:00",
        // Months, and the quarter that one of them begins.
        "2026-09-01T00:00:00",
        "2026-10-01T00:00:00",
        "2026-11-01T00:00:00",
        "2026-12-01T00:00:00",
        // Weeks: Mondays.
        "2026-12-14T00:00:00",
        "2026-12-21T00:00:00",
        // Days; the 28th is a Monday, too.
        "2026-12-27T00:00:00",
        "2026-12-28T00:00:00",
        "2026-12-29T00:00:00",
        "2026-12-30T00:00:00",
        // Hours.
        "2026-12-30T06:00:00",
        "2026-12-30T07:00:00",
        "2026-12-30T08:00:00",
        "2026-12-30T09:00:00",
        "2026-12-30T10:00:00",
    ];
    let wanted: Vec<Timestamp> = wanted.into_iter().map(local).collect();
    assert_eq!(found, wanted);
}

#[test]
fn the_hour_that_comes_twice_is_two_hours_and_a_day_is_a_day_whatever_its_length() {
    let keep = rules(1, [30, 2, 0, 0, 0, 0]);
    let begin = local("2026-10-25T00:30:00");
    let taken = (0..25).map(|hour| begin + hour.hours());
    let all: Vec<Candidate> = taken.zip(0..).map(|(taken, order)| candidate(taken, order)).collect();
    let reasons = judge(&keep, &all, all[24].taken, &berlin());
    assert!(reasons.iter().all(|r| r.iter().any(|r| matches!(r, Reason::First(Period::Hour, _)))));
    let days: Vec<usize> = (0..25).filter(|i| reasons[*i].contains(&Reason::First(Period::Day, 1))).collect();
    assert_eq!(days, [0], "25 hours and still one day");
}

#[test]
fn a_clock_that_ran_wild_pushes_nothing_out() {
    let keep = rules(2, [0, 2, 0, 0, 0, 0]);
    let days = [1, 2, 3].map(|day| local(&format!("2026-05-0{day}T12:00:00")));
    let future = local("2031-01-01T00:00:00");
    // The third was taken with the clock far ahead, then it was set right, then far back.
    let past = local("1970-01-02T00:00:00");
    let all: Vec<Candidate> =
        [days[0], days[1], future, days[2], past].into_iter().zip(0..).map(|(t, order)| candidate(t, order)).collect();
    let reasons = judge(&keep, &all, days[2], &berlin());
    assert_eq!(reasons[0], []);
    assert_eq!(reasons[1], [Reason::Newest, Reason::First(Period::Day, 2)]);
    assert_eq!(reasons[2], [Reason::Future]);
    assert_eq!(reasons[3], [Reason::Newest, Reason::First(Period::Day, 1)]);
    assert_eq!(reasons[4], [Reason::Newest], "made last, whatever it is dated");
}

#[test]
fn tags_and_youth_keep() {
    let mut keep = rules(1, [0; 6]);
    keep.within = Some(SignedDuration::from_hours(10));
    keep.tags.insert("before-upgrade".to_owned());
    let now = local("2026-05-03T12:00:00");
    let mut all: Vec<Candidate> = (0..30_u64).map(|n| candidate(now - (30 - n.cast_signed()).hours(), n)).collect();
    all[3].tags.insert("before-upgrade".to_owned());
    all[4].tags.insert("other".to_owned());
    let kept: Vec<u64> = pruned(&keep, all, now, &berlin()).iter().map(|c| c.order).collect();
    assert_eq!(kept, [3, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
}

/// Any rules, any snapshots of about three years, in any order.
fn anything() -> impl Strategy<Value = (Keep, Vec<Candidate>)> {
    let periods = proptest::array::uniform6(0_u32..6);
    let candidates = proptest::collection::vec(0_i64..95_000_000, 0..120);
    (1_u32..4, periods, proptest::option::of(0_i64..4_000_000), candidates).prop_map(
        |(newest, periods, within, taken)| {
            let within = within.map(SignedDuration::from_secs);
            let base = local("2024-01-01T00:00:00").as_second();
            let taken = taken.into_iter().map(|offset| Timestamp::from_second(base + offset).unwrap());
            (Keep { within, ..rules(newest, periods) }, taken.zip(0..).map(|(taken, n)| candidate(taken, n)).collect())
        },
    )
}

proptest! {
    #[test]
    fn pruning_twice_prunes_nothing_more((keep, all) in anything()) {
        let now = local("2026-06-15T12:00:00");
        let once = pruned(&keep, all, now, &berlin());
        prop_assert_eq!(pruned(&keep, once.clone(), now, &berlin()), once);
    }

    #[test]
    fn longer_rules_keep_no_less((keep, all) in anything(), which in 0_usize..8, more in 1_u32..5) {
        let now = local("2026-06-15T12:00:00");
        let mut longer = keep.clone();
        match which {
            6 => longer.newest = some(keep.newest.get() + more),
            7 => longer.within = Some(keep.within.unwrap_or_default() + SignedDuration::from_hours(i64::from(more) * 50)),
            period => longer.periods[period] += more,
        }
        let more = pruned(&longer, all.clone(), now, &berlin());
        prop_assert!(pruned(&keep, all, now, &berlin()).iter().all(|kept| more.contains(kept)));
    }

    #[test]
    fn less_space_keeps_less_and_never_less_than_the_floor((keep, all) in anything(), (floor, _) in anything()) {
        let now = local("2026-06-15T12:00:00");
        let kept = |from: &[Candidate], pressure| -> Vec<Candidate> {
            let reasons = judge_under((&keep, &floor), pressure, from, now, &berlin());
            from.iter().zip(reasons).filter(|(_, reasons)| !reasons.is_empty()).map(|(c, _)| c.clone()).collect()
        };
        let stages = [Pressure::None, Pressure::Yellow, Pressure::Red].map(|pressure| kept(&all, pressure));
        prop_assert_eq!(&stages[0], &pruned(&keep, all.clone(), now, &berlin()));
        prop_assert!(stages[1].iter().all(|c| stages[0].contains(c)));
        prop_assert!(stages[2].iter().all(|c| stages[1].contains(c)));
        // The floor holds, whatever kind the rules are of: of what is kept otherwise, what it keeps.
        let least = pruned(&floor, stages[0].clone(), now, &berlin());
        prop_assert!(least.iter().all(|c| stages[2].contains(c)));
        // And nothing more is pruned by pruning again.
        for (stage, pressure) in stages.iter().zip([Pressure::None, Pressure::Yellow, Pressure::Red]) {
            prop_assert_eq!(&kept(stage, pressure), stage);
        }
    }

    /// The definition, spelled out: nobody in the same period came before, and fewer than so many periods came after.
    #[test]
    fn each_rule_keeps_what_its_definition_says((keep, all) in anything()) {
        let now = local("2026-06-15T12:00:00");
        let zone = berlin();
        let reasons = judge(&keep, &all, now, &zone);
        let past: Vec<&Candidate> = all.iter().filter(|c| c.taken <= now).collect();
        let month = |c: &Candidate| c.taken.to_zoned(zone.clone()).strftime("%Y-%m").to_string();
        for (candidate, reasons) in all.iter().zip(&reasons) {
            let own = month(candidate);
            let is_first = past.iter().all(|c| month(c) != own || (c.taken, c.order) >= (candidate.taken, candidate.order));
            let after: BTreeSet<String> = past.iter().map(|c| month(c)).filter(|m| *m > own).collect();
            let wanted = candidate.taken <= now && is_first && (after.len() as u64) < u64::from(keep.periods[3]);
            let found = reasons.iter().any(|r| matches!(r, Reason::First(Period::Month, _)));
            prop_assert_eq!(found, wanted);
        }
    }
}
