//! Times of the day that come every day. In the night in which clocks are set forward some do not, and what is to happen then
//! is passed over (systemd.time(7)): a daily snapshot at two would be missing once a year where that hour is left out. Pure.

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// The clock on a wall, in the year for which is planned and the one after.
#[derive(Debug, Clone)]
pub struct WallClock {
    zone: TimeZone,
    year: i16,
}

/// Minutes of a day.
const DAY: u16 = 24 * 60;

impl WallClock {
    /// Of this time zone, from this year on.
    #[must_use]
    pub const fn new(zone: TimeZone, year: i16) -> Self {
        Self { zone, year }
    }

    /// The time zone.
    #[must_use]
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// This minute of the day where it comes every day, else the first one after it that does, by as much as clocks are set.
    #[must_use]
    pub fn existing(&self, minute: u16) -> u16 {
        let minute = minute % DAY;
        (minute..DAY).chain(0..minute).step_by(30).find(|candidate| self.comes_daily(*candidate)).unwrap_or(minute)
    }

    fn comes_daily(&self, minute: u16) -> bool {
        let Ok(mut date) = Date::new(self.year, 1, 1) else { return true };
        let (hour, minute) = (minute / 60, minute % 60);
        let (Ok(hour), Ok(minute)) = (i8::try_from(hour), i8::try_from(minute)) else { return true };
        while date.year() <= self.year.saturating_add(1) {
            let shown = date.at(hour, minute, 0, 0);
            if matches!(self.zone.to_ambiguous_timestamp(shown).offset(), AmbiguousOffset::Gap { .. }) {
                return false;
            }
            let Ok(next) = date.tomorrow() else { return true };
            date = next;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_comes_later() {
        let existing = |zone: &str, minute| WallClock::new(TimeZone::get(zone).unwrap(), 2026).existing(minute);
        for (zone, minute, expected) in [
            ("UTC", 120, 120),
            ("Europe/Berlin", 120, 180),
            ("Europe/Berlin", 137, 197),
            ("Europe/Berlin", 180, 180),
            ("America/New_York", 150, 180),
            ("Europe/Helsinki", 120, 120),
            ("Europe/Helsinki", 180, 240),
            ("Africa/Cairo", 0, 60),
            ("Australia/Lord_Howe", 120, 150),
        ] {
            assert_eq!(existing(zone, minute), expected, "{zone} {minute}");
        }
    }
}
