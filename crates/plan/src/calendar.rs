//! Calendar events in systemd's words: `hourly`, `Sun 03:00`, `*-*-01 04:00 Europe/Berlin`.
//!
//! Means what `systemd.time(7)` says and `systemd-analyze calendar` shows, also where clocks change: a moment that does not
//! exist is passed over, and of one that comes twice the first is meant. Fractions of seconds are refused. Pure: time
//! zones are handed in, and nothing here knows what time it is.

mod parse;

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use serde::{Serialize, Serializer};

pub use parse::BadCalendar;

/// The last year that is looked at, as in systemd.
const YEAR_LAST: i16 = 2199;

/// When something recurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    text: String,
    /// Which days of the week, Monday first.
    weekdays: [bool; 7],
    years: Field,
    months: Field,
    days: Days,
    hours: Field,
    minutes: Field,
    seconds: Field,
    zone: Option<TimeZone>,
}

/// Values of one component; without a range, all are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Field(Vec<Range>);

/// From a value to another, in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    from: i16,
    to: i16,
    step: i16,
}

/// Days of the month.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Days {
    /// Counted from its beginning.
    FromStart(Field),
    /// Counted from its end, the last being 1.
    FromEnd(Field),
}

impl Field {
    fn has(&self, value: i16) -> bool {
        self.0.is_empty() || self.0.iter().any(|r| r.has(value))
    }

    /// The values that are meant, of those from `first` to `last`. What is not meant is stepped over, not looked at.
    fn values(&self, first: i8, last: i8) -> impl Iterator<Item = i8> + '_ {
        let next =
            move |from: i16| self.next(from).and_then(|next| i8::try_from(next).ok()).filter(|next| *next <= last);
        std::iter::successors(next(i16::from(first)), move |value| next(i16::from(*value) + 1))
    }

    /// The first value from `from` on that is meant.
    fn next(&self, from: i16) -> Option<i16> {
        if self.0.is_empty() { Some(from) } else { self.0.iter().filter_map(|range| range.next(from)).min() }
    }
}

impl Range {
    fn has(self, value: i16) -> bool {
        (self.from..=self.to).contains(&value) && (value - self.from) % self.step == 0
    }

    /// The first of its values from `from` on.
    fn next(self, from: i16) -> Option<i16> {
        let over = (from - self.from).max(0);
        let next = self.from.checked_add((over + self.step - 1) / self.step * self.step)?;
        (next <= self.to).then_some(next)
    }
}

impl Calendar {
    /// Reads an event; `zones` finds a time zone by its name.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str, zones: &dyn Fn(&str) -> Option<TimeZone>) -> Result<Self, BadCalendar> {
        parse::parse(text, zones)
    }

    /// The first time after `after`; in the time zone `local` where the event names none. `None` when there is no more.
    #[must_use]
    pub fn next(&self, after: Timestamp, local: &TimeZone) -> Option<Timestamp> {
        let zone = self.zone.as_ref().unwrap_or(local);
        let mut date = zone.to_datetime(after).date();
        while date.year() <= YEAR_LAST {
            if !self.years.has(date.year()) {
                date = Date::new(date.year() + 1, 1, 1).ok()?;
            } else if !self.months.has(i16::from(date.month())) {
                date = date.last_of_month().tomorrow().ok()?;
            } else {
                if self.has_day(date)
                    && let Some(found) = self.on_day(date, after, zone)
                {
                    return Some(found);
                }
                date = date.tomorrow().ok()?;
            }
        }
        None
    }

    /// Whether the event itself says in which time zone it is meant.
    #[must_use]
    pub fn names_a_zone(&self) -> bool {
        self.zone.is_some()
    }

    fn has_day(&self, date: Date) -> bool {
        let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or_default();
        let from_end = i16::from(date.days_in_month() - date.day()) + 1;
        self.weekdays[weekday]
            && match &self.days {
                Days::FromStart(days) => days.has(i16::from(date.day())),
                Days::FromEnd(days) => days.has(from_end),
            }
    }

    /// The first moment of this day that is after `after`.
    fn on_day(&self, date: Date, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        // What clocks have shown before does not come again: the first time counts.
        let shown = zone.to_datetime(after);
        let (begin, is_today) = (shown.time(), date == shown.date());
        let first_hour = if is_today { begin.hour() } else { 0 };
        self.hours.values(first_hour, 23).find_map(|hour| {
            let is_this_hour = is_today && hour == begin.hour();
            self.minutes.values(if is_this_hour { begin.minute() } else { 0 }, 59).find_map(|minute| {
                let is_this_minute = is_this_hour && minute == begin.minute();
                self.seconds.values(if is_this_minute { begin.second() } else { 0 }, 59).find_map(|second| {
                    let moment = moment(date.at(hour, minute, second, 0), zone)?;
                    (moment > after).then_some(moment)
                })
            })
        })
    }
}

/// The moment that a clock on the wall shows this; `None` when it never does.
fn moment(shown: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(shown);
    match ambiguous.offset() {
        AmbiguousOffset::Gap { .. } => None,
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
    }
}

impl Serialize for Calendar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
