//! Which snapshots retention keeps, and by which rules. What no rule keeps may go.
//!
//! Of each period (hour, day, …) that has snapshots, the first one is kept, for the last so many such periods: a machine that
//! was off for a month loses nothing by it, and what was kept once stays until it has grown too old. Periods are those of the
//! clock on the wall in the given time zone; the hour that comes twice counts twice.
//! A snapshot that is dated in the future is kept and counts for nothing, so that a clock that ran wild pushes nothing out; and
//! the newest are told by the order in which they were made as well as by their dates, so that a clock that was set back does
//! not either. Pure.

use std::collections::BTreeSet;
use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// The rules. Each keeps what it keeps, whatever the others say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Keep {
    /// The newest, at least one.
    pub newest: std::num::NonZeroU32,
    /// All that are younger.
    pub within: Option<SignedDuration>,
    /// The first of each of the last so many hours, days, weeks, months, quarters and years that have any.
    pub periods: [u32; Period::ALL.len()],
    /// Those that have one of these tags.
    pub tags: BTreeSet<String>,
}

/// How short the pool is of space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pressure {
    /// There is enough.
    None,
    /// It gets short.
    Yellow,
    /// It is about to run out.
    Red,
}

impl Keep {
    /// The rules while space is short, beside the floor. What is taken often goes first: at yellow the time within which all
    /// are kept, hours and days; at red everything else.
    fn under(&self, pressure: Pressure, floor: &Self) -> Self {
        let mut rules = self.clone();
        if pressure >= Pressure::Yellow {
            rules.within = self.within.zip(floor.within).map(|(own, floor)| own.min(floor));
        }
        for (period, (own, floor)) in Period::ALL.into_iter().zip(rules.periods.iter_mut().zip(floor.periods)) {
            if pressure == Pressure::Red || (pressure == Pressure::Yellow && period <= Period::Day) {
                *own = floor.min(*own);
            }
        }
        if pressure == Pressure::Red {
            rules.newest = self.newest.min(floor.newest);
        }
        rules
    }
}

/// A stretch of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "what they are called is what they are")]
pub enum Period {
    Hour,
    Day,
    /// From Monday on, as in ISO 8601.
    Week,
    Month,
    Quarter,
    Year,
}

/// A snapshot as retention sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// When it was taken, as far as the clock was right.
    pub taken: Timestamp,
    /// A number that is higher for those that were made later.
    pub order: u64,
    /// What it was marked with.
    pub tags: BTreeSet<String>,
}

/// Why a snapshot is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is among the newest.
    Newest,
    /// It is younger than the time within which all are kept.
    Within,
    /// It is the first of such a period, which is so many periods ago (the latest is 1).
    First(Period, u32),
    /// It has this tag.
    Tag(String),
    /// It is dated in the future.
    Future,
}

impl Period {
    /// All, the shortest first.
    pub const ALL: [Self; 6] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Year];

    /// What tells one such period from another.
    fn of(self, shown: DateTime, offset_seconds: i32) -> (i16, i32, i32) {
        let (year, month, day) = (shown.year(), i32::from(shown.month()), i32::from(shown.date().day_of_year()));
        match self {
            Self::Hour => (year, day * 24 + i32::from(shown.hour()), offset_seconds),
            Self::Day => (year, day, 0),
            Self::Week => {
                let week = shown.date().iso_week_date();
                (week.year(), i32::from(week.week()), 0)
            }
            Self::Month => (year, month, 0),
            Self::Quarter => (year, (month - 1) / 3, 0),
            Self::Year => (year, 0, 0),
        }
    }
}

/// Why each of the candidates is kept, in their order; for no reason, it goes.
#[must_use]
pub fn judge(keep: &Keep, candidates: &[Candidate], now: Timestamp, zone: &TimeZone) -> Vec<Vec<Reason>> {
    let mut reasons: Vec<Vec<Reason>> = vec![Vec::new(); candidates.len()];
    for (candidate, reasons) in candidates.iter().zip(&mut reasons) {
        reasons.extend(by_itself(keep, candidate, now));
    }
    let mut newest_first: Vec<usize> = (0..candidates.len()).filter(|i| candidates[*i].taken <= now).collect();
    newest_first.sort_by_key(|i| std::cmp::Reverse((candidates[*i].taken, candidates[*i].order)));
    let mut made_last_first: Vec<usize> = (0..candidates.len()).collect();
    made_last_first.sort_by_key(|i| std::cmp::Reverse(candidates[*i].order));
    let newest: BTreeSet<usize> = [&newest_first, &made_last_first]
        .into_iter()
        .flat_map(|order| order.iter().take(keep.newest.get() as usize).copied())
        .collect();
    newest.into_iter().for_each(|index| reasons[index].push(Reason::Newest));
    let shown: Vec<(DateTime, i32)> = newest_first
        .iter()
        .map(|i| {
            let offset = zone.to_offset(candidates[*i].taken);
            (offset.to_datetime(candidates[*i].taken), offset.seconds())
        })
        .collect();
    for (period, count) in Period::ALL.into_iter().zip(keep.periods) {
        for (index, ago) in firsts(period, count, &newest_first, &shown) {
            reasons[index].push(Reason::First(period, ago));
        }
    }
    reasons
}

/// The same while space may be short: the rules are shortened, but what the floor keeps of what they would keep otherwise
/// stays, so that rules of one kind alone do not fall below it.
#[must_use]
pub fn judge_under(
    (keep, floor): (&Keep, &Keep),
    pressure: Pressure,
    candidates: &[Candidate],
    now: Timestamp,
    zone: &TimeZone,
) -> Vec<Vec<Reason>> {
    if pressure == Pressure::None {
        return judge(keep, candidates, now, zone);
    }
    let mut reasons = judge(&keep.under(pressure, floor), candidates, now, zone);
    let otherwise = judge(keep, candidates, now, zone);
    let kept: Vec<usize> = (0..candidates.len()).filter(|index| !otherwise[*index].is_empty()).collect();
    let among: Vec<Candidate> = kept.iter().map(|index| candidates[*index].clone()).collect();
    for (index, of_floor) in kept.into_iter().zip(judge(floor, &among, now, zone)) {
        let new: Vec<Reason> = of_floor.into_iter().filter(|reason| !reasons[index].contains(reason)).collect();
        reasons[index].extend(new);
    }
    reasons
}

/// The reasons that depend on nothing else.
fn by_itself(keep: &Keep, candidate: &Candidate, now: Timestamp) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let age = now.duration_since(candidate.taken);
    if age.is_negative() {
        reasons.push(Reason::Future);
    } else if keep.within.is_some_and(|within| age < within) {
        reasons.push(Reason::Within);
    }
    reasons.extend(keep.tags.intersection(&candidate.tags).cloned().map(Reason::Tag));
    reasons
}

/// The first snapshot of each of the last `count` periods, with how many periods ago that is.
fn firsts(period: Period, count: u32, newest_first: &[usize], shown: &[(DateTime, i32)]) -> Vec<(usize, u32)> {
    let mut found: Vec<(usize, u32)> = Vec::new();
    let mut last = None;
    for (index, (shown, offset)) in newest_first.iter().zip(shown) {
        let this = period.of(*shown, *offset);
        if last == Some(this) {
            // An earlier one of the same period.
            if let Some(first) = found.last_mut() {
                first.0 = *index;
            }
        } else if found.len() as u64 == u64::from(count) {
            break;
        } else {
            found.push((*index, u32::try_from(found.len()).unwrap_or(u32::MAX).saturating_add(1)));
            last = Some(this);
        }
    }
    found
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest => f.write_str("one of the newest"),
            Self::Within => f.write_str("young"),
            Self::First(period, 1) => write!(f, "first of this {period}"),
            Self::First(period, ago) => write!(f, "first of the {period}, number {ago}"),
            Self::Tag(tag) => write!(f, "tagged {tag}"),
            Self::Future => f.write_str("dated in the future"),
        }
    }
}
