//! Times of the day that can be relied on where clocks are set twice a year. In the night in which they are set forward some
//! times do not come, and what is to happen then is passed over; of those that come twice the first alone counts, so that
//! "hourly" has two hours once a year and "daily" has 25 (systemd.time(7), and `systemd-analyze calendar` shows it). What has
//! to come as often as it says is therefore said in UTC there. Pure.

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// The clock on a wall, in the year for which is planned and the one after.
#[derive(Debug, Clone)]
pub struct WallClock {
    zone: TimeZone,
    year: i16,
}

/// How events say that they are meant in UTC.
const UTC: &str = " UTC";
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

    /// An event every day at about this minute, each 24 hours after the last: in winter then, in summer later by as much as
    /// clocks are set.
    #[must_use]
    pub fn every_day(&self, minute: u16) -> String {
        let (_, time, zone) = self.steady(minute);
        format!("{time}{zone}")
    }

    /// The same on Sundays, each 7 times 24 hours after the last.
    #[must_use]
    pub fn every_sunday(&self, minute: u16) -> String {
        let (days, time, zone) = self.steady(minute);
        let day = match days {
            ..0 => "Sat",
            0 => "Sun",
            1.. => "Mon",
        };
        format!("{day} {time}{zone}")
    }

    /// An event that is meant without regard for the time of the day, so that it comes as often as it says.
    #[must_use]
    pub fn unmoved(&self, event: &str) -> String {
        let zone = if self.offsets().is_some() { UTC } else { "" };
        format!("{event}{zone}")
    }

    /// Why `every_day` and its like say UTC; `None` where they do not.
    #[must_use]
    pub fn why_utc(&self) -> Option<&'static str> {
        self.offsets().map(|_| "in UTC, where no hour comes twice or never")
    }

    /// A minute of the day as it is to be said: on which day after, at which time, in which zone.
    fn steady(&self, minute: u16) -> (i32, String, &'static str) {
        let (offset, zone) = self.offsets().map_or((0, ""), |least| (least / 60, UTC));
        let minutes = i32::from(minute) - offset;
        let (days, minute) = (minutes.div_euclid(i32::from(DAY)), minutes.rem_euclid(i32::from(DAY)));
        (days, format!("{:02}:{:02}", minute / 60, minute % 60), zone)
    }

    /// By how many seconds the clock is ahead of UTC when it is least so; `None` where it is never set.
    fn offsets(&self) -> Option<i32> {
        let begin = Date::new(self.year, 1, 1).ok()?.to_zoned(self.zone.clone()).ok()?;
        let end = begin.checked_add(jiff::Span::new().years(2)).ok()?;
        let set = self.zone.following(begin.timestamp()).take_while(|set| set.timestamp() < end.timestamp());
        let all: Vec<i32> =
            std::iter::once(begin.offset()).chain(set.map(|set| set.offset())).map(|o| o.seconds()).collect();
        let least = all.iter().min().copied()?;
        all.iter().any(|offset| *offset != least).then_some(least)
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

    #[test]
    fn what_must_not_be_late_is_said_in_utc_where_clocks_are_set() {
        let said = |zone: &str, minute| {
            let wall = WallClock::new(TimeZone::get(zone).unwrap(), 2026);
            (wall.every_day(minute), wall.every_sunday(minute), wall.unmoved("hourly"))
        };
        for (zone, minute, daily, weekly, hourly) in [
            ("UTC", 180, "03:00", "Sun 03:00", "hourly"),
            ("Asia/Kolkata", 180, "03:00", "Sun 03:00", "hourly"),
            ("Europe/Berlin", 180, "02:00 UTC", "Sun 02:00 UTC", "hourly UTC"),
            ("Europe/Berlin", 30, "23:30 UTC", "Sat 23:30 UTC", "hourly UTC"),
            ("Pacific/Auckland", 180, "15:00 UTC", "Sat 15:00 UTC", "hourly UTC"),
            ("America/Los_Angeles", 23 * 60, "07:00 UTC", "Mon 07:00 UTC", "hourly UTC"),
            ("Australia/Lord_Howe", 120, "15:30 UTC", "Sat 15:30 UTC", "hourly UTC"),
        ] {
            assert_eq!(said(zone, minute), (daily.into(), weekly.into(), hourly.into()), "{zone}");
        }
    }
}
