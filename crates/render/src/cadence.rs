//! How far apart the moments of a calendar are.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use subvault_plan::calendar::Calendar;

/// How many moments are looked at: enough for a month of half hours, and for centuries of days.
const LOOKED_AT: usize = 1500;
/// For how long at most: every four years there is a day more.
const LONGEST: SignedDuration = SignedDuration::from_hours(4 * 366 * 24);

/// The longest time from one moment to the next, on a clock that is never set; `None` for what comes once or never, or is no
/// calendar event.
pub(crate) fn longest_gap(event: &str) -> Option<SignedDuration> {
    // Where the clock stands does not change how far apart its hours are.
    let calendar = Calendar::parse(event, &|_| Some(TimeZone::UTC)).ok()?;
    let first = calendar.next(BEGIN, &TimeZone::UTC)?;
    let moments = std::iter::successors(Some(first), |last| calendar.next(*last, &TimeZone::UTC));
    let near: Vec<Timestamp> =
        moments.take(LOOKED_AT).take_while(|moment| moment.duration_since(BEGIN) < LONGEST).collect();
    near.windows(2).map(|pair| pair[1].duration_since(pair[0])).max()
}

/// Any moment would do; this is a Monday.
const BEGIN: Timestamp = Timestamp::constant(1_767_571_200, 0);

/// A length of time as systemd and Prometheus write it, in the largest unit that divides it.
pub(crate) fn short(length: SignedDuration) -> String {
    let seconds = length.as_secs();
    let units = [(7 * 86_400, "w"), (86_400, "d"), (3600, "h"), (60, "m")];
    let fits = units.iter().find(|(unit, _)| seconds != 0 && seconds % unit == 0);
    fits.map_or_else(|| format!("{seconds}s"), |(unit, letter)| format!("{}{letter}", seconds / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_the_longest_there_are() {
        for (event, hours) in [
            ("hourly", 1),
            ("02:17", 24),
            ("Sun 03:00", 168),
            ("Sat *-*-01..07 02:17", 35 * 24),
            ("00/4:00", 4),
            ("hourly America/New_York", 1),
            ("Mon..Fri 09:00", 72),
            ("*-02-29 00:00", 0),
        ] {
            let gap = longest_gap(event).map(|gap| gap.as_hours());
            assert_eq!(gap.unwrap_or(0), hours, "{event}");
        }
        assert_eq!(longest_gap("*:00/30").map(|gap| gap.as_mins()), Some(30));
        assert_eq!(longest_gap("nonsense"), None);
    }

    #[test]
    fn lengths_are_short() {
        for (seconds, wanted) in [(0, "0s"), (90, "90s"), (900, "15m"), (7200, "2h"), (129_600, "36h"), (604_800, "1w")]
        {
            assert_eq!(short(SignedDuration::from_secs(seconds)), wanted);
        }
    }
}
