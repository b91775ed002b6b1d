//! When snapshots are taken and which stay, by tier and kind of host (requirements P2 and P3, ruling 6). Pure.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use jiff::SignedDuration;
use serde::Serialize;
use subvault_model::note::KEEP;

use super::decision::Decision;
use super::profile::{Family, Profile};
use super::tier::{Promise, Tier, is_critical_host};
use super::wall_clock::WallClock;
use crate::keep::Keep;

/// When snapshots are taken, in systemd's words; `None`: never.
pub type Cadence = Option<String>;

/// How often, and what that is called. The first that is often enough counts.
const CADENCES: [(SignedDuration, &str); 6] = [
    (SignedDuration::from_hours(7 * 24), "weekly"),
    (SignedDuration::from_hours(24), "daily"),
    (SignedDuration::from_hours(4), "every 4 hours"),
    (SignedDuration::from_hours(1), "hourly"),
    (SignedDuration::from_mins(30), "every half hour"),
    (SHORTEST, "every quarter of an hour"),
];

/// Snapshots are not taken more often than this of the plan's own accord, so it promises no less.
pub const SHORTEST: SignedDuration = SignedDuration::from_mins(15);

/// How often snapshots have to be taken so that no more than this is lost.
#[must_use]
pub fn cadence(promise: Option<Promise>, wall: &WallClock) -> Decision<Cadence> {
    let Some(Promise { lose_at_most, .. }) = promise else {
        return Decision::new(None, "nothing of it has to come back");
    };
    let fits = CADENCES.iter().find(|(every, _)| *every <= lose_at_most);
    let (every, word) = fits.unwrap_or(&CADENCES[CADENCES.len() - 1]);
    let utc = wall.why_utc().map(|why| format!("; {why}")).unwrap_or_default();
    let because = format!("{word} suffices to lose {} at most{utc}", length(lose_at_most));
    Decision::new(Some(calendar(*every, wall)), because)
}

/// The times for one of the cadences, never further apart than it says.
fn calendar(every: SignedDuration, wall: &WallClock) -> String {
    match every.as_mins() {
        m if m >= 7 * 24 * 60 => wall.every_sunday(3 * 60),
        m if m >= 24 * 60 => wall.every_day(2 * 60),
        m if m >= 4 * 60 => wall.unmoved(EVERY_FOUR_HOURS),
        m if m >= 60 => wall.unmoved(HOURLY),
        m => wall.unmoved(&format!("*:00/{m}")),
    }
}

/// Every hour.
pub(super) const HOURLY: &str = "hourly";
/// Every four hours.
pub(super) const EVERY_FOUR_HOURS: &str = "00/4:00";

/// A length of time in the largest unit that divides it.
#[must_use]
pub fn length(length: SignedDuration) -> String {
    let minutes = length.as_secs() / 60;
    let (number, unit) = match minutes {
        0 => (length.as_secs(), "second"),
        m if m % (24 * 60) == 0 => (m / (24 * 60), "day"),
        m if m % 60 == 0 => (m / 60, "hour"),
        m => (m, "minute"),
    };
    if number == 1 { format!("1 {unit}") } else { format!("{number} {unit}s") }
}

/// A length of time in its two largest units, for what is long and even in none of them: `6 days 22 hours`.
#[must_use]
pub fn long(length: SignedDuration) -> String {
    let minutes = length.as_secs().max(0) / 60;
    let parts = [(minutes / (24 * 60), "day"), (minutes / 60 % 24, "hour"), (minutes % 60, "minute")];
    let Some(first) = parts.iter().position(|(number, _)| *number > 0) else { return "under a minute".to_owned() };
    let unit = |(number, unit): &(i64, &str)| format!("{number} {unit}{}", if *number == 1 { "" } else { "s" });
    let shown = parts[first..].iter().take(2).filter(|(number, _)| *number > 0).map(unit);
    shown.collect::<Vec<_>>().join(" ")
}

/// How many snapshots of each period stay: hours, days, weeks, months, quarters, years.
type Periods = [u32; 6];

/// What a tier asks for: critical hourly for 7 days, daily for 30, weekly for 90; important daily for 14, weekly for 60; standard
/// daily for 7, weekly for 30. A week that has begun counts.
const fn of_tier(tier: Tier) -> Option<Periods> {
    match tier {
        Tier::Critical => Some([7 * 24, 30, 13, 0, 0, 0]),
        Tier::Important => Some([0, 14, 9, 0, 0, 0]),
        Tier::Standard => Some([0, 7, 5, 0, 0, 0]),
        Tier::Temporary => None,
    }
}

/// What a kind of host asks for of what matters: laptops 7 daily, 4 weekly, 12 monthly; servers 30, 12, 12.
const fn of_family(family: Family) -> Periods {
    match family {
        Family::Laptop | Family::Desktop => [0, 7, 4, 12, 0, 0],
        Family::Vps | Family::Server => [0, 30, 12, 12, 0, 0],
    }
}

/// Which snapshots stay; `None` where none are taken.
#[must_use]
pub fn retention(tier: Tier, profile: Profile) -> Option<Decision<Keep>> {
    let mut periods = of_tier(tier)?;
    let mut because = format!("that is what the tier {tier} keeps");
    // What is only missed needs no year of it.
    if tier <= Tier::Important {
        for (own, of_family) in periods.iter_mut().zip(of_family(profile.family())) {
            *own = (*own).max(of_family);
        }
        because = format!("what the tier {tier} keeps and what a {profile} keeps, whichever is longer");
    }
    if profile == Profile::ProxmoxHost {
        periods = [0, 7, 4, 0, 0, 0];
        "the archive is what goes back further here, and space is for machines".clone_into(&mut because);
    }
    let within = (tier == Tier::Critical && is_critical_host(profile)).then_some(SignedDuration::from_hours(24));
    Some(Decision::new(Keep { within, ..rules(periods) }, because))
}

/// Which copies stay on a disk or another host: 12 months and 3 years of them, and the days in between.
#[must_use]
pub fn retention_of_copies() -> Keep {
    rules([0, 7, 4, 12, 0, 3])
}

fn rules(periods: Periods) -> Keep {
    let newest = NonZeroU32::MIN.saturating_add(2);
    Keep { newest, within: None, periods, tags: BTreeSet::from([KEEP.to_owned()]) }
}

/// Rules in short, as btrbk writes them: `24h 7d 4w 12m`.
#[must_use]
pub fn short(keep: &Keep) -> String {
    const UNITS: [&str; 6] = ["h", "d", "w", "m", "q", "y"];
    let periods = keep.periods.iter().zip(UNITS).filter(|(count, _)| **count > 0);
    let mut parts: Vec<String> = keep.within.map(|within| format!("all of {}", length(within))).into_iter().collect();
    parts.extend(periods.map(|(count, unit)| format!("{count}{unit}")));
    if parts.is_empty() { format!("the newest {}", keep.newest) } else { parts.join(" ") }
}

/// A set of snapshots that retention keeps, for people: how far it goes back in each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// How many at most.
    pub most: u32,
    /// How many days back the oldest is.
    pub days: u32,
}

/// How many snapshots rules keep at most, and how far back they go, when one is taken as often as the finest of them asks.
#[must_use]
pub fn kept(keep: &Keep) -> Kept {
    const DAYS: [(u32, u32); 6] = [(1, 24), (1, 1), (7, 1), (31, 1), (92, 1), (366, 1)];
    let most = keep.periods.iter().sum::<u32>() + keep.newest.get();
    let back = keep.periods.iter().zip(DAYS).map(|(count, (days, per))| count.div_ceil(per) * days);
    Kept { most, days: back.max().unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_two_units_at_most() {
        for (minutes, words) in [
            (0, "under a minute"),
            (30, "30 minutes"),
            (60, "1 hour"),
            (90, "1 hour 30 minutes"),
            (24 * 60 + 5, "1 day"),
            (166 * 60, "6 days 22 hours"),
        ] {
            assert_eq!(long(SignedDuration::from_mins(minutes)), words);
        }
    }
}
