//! Reads calendar events. The grammar is that of `systemd.time(7)`.

use jiff::tz::TimeZone;

use super::{Calendar, Days, Field, Range, YEAR_LAST};

/// A text that is no calendar event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a calendar event: {why}; write for example `hourly`, `Sun 03:00` or `*-*-01 04:00`")]
pub struct BadCalendar {
    text: String,
    why: String,
}

/// Words that stand for an event.
const SHORTHANDS: [(&str, &str); 9] = [
    ("minutely", "*-*-* *:*:00"),
    ("hourly", "*-*-* *:00:00"),
    ("daily", "*-*-* 00:00:00"),
    ("weekly", "Mon *-*-* 00:00:00"),
    ("monthly", "*-*-01 00:00:00"),
    ("quarterly", "*-01,04,07,10-01 00:00:00"),
    ("semiannually", "*-01,07-01 00:00:00"),
    ("yearly", "*-01-01 00:00:00"),
    ("annually", "*-01-01 00:00:00"),
];

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// What a component may hold.
#[derive(Clone, Copy)]
struct Limits {
    what: &'static str,
    first: i16,
    last: i16,
}

const YEAR: Limits = Limits { what: "year", first: 1970, last: YEAR_LAST };
const MONTH: Limits = Limits { what: "month", first: 1, last: 12 };
const DAY: Limits = Limits { what: "day", first: 1, last: 31 };
const HOUR: Limits = Limits { what: "hour", first: 0, last: 23 };
const MINUTE: Limits = Limits { what: "minute", first: 0, last: 59 };
const SECOND: Limits = Limits { what: "second", first: 0, last: 59 };

/// Reads an event.
pub(super) fn parse(text: &str, zones: &dyn Fn(&str) -> Option<TimeZone>) -> Result<Calendar, BadCalendar> {
    understand(text, zones).map_err(|why| BadCalendar { text: text.to_owned(), why })
}

fn understand(text: &str, zones: &dyn Fn(&str) -> Option<TimeZone>) -> Result<Calendar, String> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let zone = match words.last() {
        None => return Err("it is empty".to_owned()),
        Some(last) => zone_of(last, zones)?,
    };
    if zone.is_some() {
        words.pop();
    }
    if let [word] = words.as_slice()
        && let Some((_, meaning)) = SHORTHANDS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name))
    {
        words = meaning.split_whitespace().collect();
    }
    let mut calendar = Calendar {
        text: text.to_owned(),
        weekdays: [true; 7],
        years: Field::default(),
        months: Field::default(),
        days: Days::FromStart(Field::default()),
        hours: Field(vec![Range::only(0)]),
        minutes: Field(vec![Range::only(0)]),
        seconds: Field(vec![Range::only(0)]),
        zone,
    };
    let mut rest = words.as_slice();
    if rest.is_empty() {
        return Err("it names a time zone and no time".to_owned());
    }
    if let [first, more @ ..] = rest
        && first.starts_with(|c: char| c.is_ascii_alphabetic())
    {
        calendar.weekdays = weekdays(first)?;
        rest = more;
    }
    if let [first, more @ ..] = rest
        && !first.contains(':')
    {
        date(first, &mut calendar)?;
        rest = more;
    }
    if let [first, more @ ..] = rest {
        time(first, &mut calendar)?;
        rest = more;
    }
    rest.first().map_or(Ok(calendar), |extra| Err(format!("`{extra}` is too much")))
}

/// The time zone that a last word names, if it is none of the other words.
fn zone_of(word: &str, zones: &dyn Fn(&str) -> Option<TimeZone>) -> Result<Option<TimeZone>, String> {
    let is_other = !word.starts_with(|c: char| c.is_ascii_alphabetic())
        || SHORTHANDS.iter().any(|(name, _)| word.eq_ignore_ascii_case(name))
        || weekdays(word).is_ok();
    if is_other {
        return Ok(None);
    }
    if word.eq_ignore_ascii_case("utc") {
        return Ok(Some(TimeZone::UTC));
    }
    zones(word).map(Some).ok_or_else(|| format!("`{word}` is neither a day, a word for a time, nor a time zone"))
}

fn weekdays(text: &str) -> Result<[bool; 7], String> {
    let mut found = [false; 7];
    for part in text.strip_suffix(',').unwrap_or(text).split(',') {
        let (from, to) = part.split_once("..").or_else(|| part.split_once('-')).unwrap_or((part, part));
        let (from, to) = (weekday(from)?, weekday(to)?);
        if from > to {
            return Err(format!("`{part}` goes backwards"));
        }
        found[from..=to].fill(true);
    }
    Ok(found)
}

fn weekday(text: &str) -> Result<usize, String> {
    let text = text.to_ascii_lowercase();
    let is_it = |day: &str| day == text || (text.len() == 3 && day.starts_with(&text));
    WEEKDAYS.iter().position(|day| is_it(day)).ok_or_else(|| format!("`{text}` is no day of the week"))
}

fn date(text: &str, calendar: &mut Calendar) -> Result<(), String> {
    let split = text.rfind(['-', '~']).ok_or_else(|| format!("`{text}` is neither a date nor a time"))?;
    let (before, from_end) = (&text[..split], text[split..].starts_with('~'));
    let days = field(&text[split + 1..], DAY, from_end)?;
    calendar.days = if from_end { Days::FromEnd(days) } else { Days::FromStart(days) };
    let months = match before.rsplit_once('-') {
        None => before,
        Some((years, months)) => {
            calendar.years = field(years, YEAR, false)?;
            months
        }
    };
    calendar.months = field(months, MONTH, false)?;
    Ok(())
}

fn time(text: &str, calendar: &mut Calendar) -> Result<(), String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours, minutes] => (hours, minutes, &"00"),
        [hours, minutes, seconds] => (hours, minutes, seconds),
        _ => return Err(format!("`{text}` is not a time of day")),
    };
    calendar.hours = field(hours, HOUR, false)?;
    calendar.minutes = field(minutes, MINUTE, false)?;
    calendar.seconds = field(seconds, SECOND, false)?;
    Ok(())
}

fn field(text: &str, limits: Limits, from_end: bool) -> Result<Field, String> {
    if text == "*" {
        return Ok(Field::default());
    }
    Ok(Field(text.split(',').map(|part| range(part, limits, from_end)).collect::<Result<_, _>>()?))
}

fn range(text: &str, limits: Limits, from_end: bool) -> Result<Range, String> {
    let (values, step) = match text.split_once('/') {
        None => (text, None),
        Some((values, step)) => (values, Some(step)),
    };
    let (from, to) = match values.split_once("..") {
        None => (value(values, limits)?, None),
        Some((from, to)) => (value(from, limits)?, Some(value(to, limits)?)),
    };
    if to.is_some_and(|to| to < from) {
        return Err(format!("`{values}` goes backwards"));
    }
    let step = match step.map(str::parse) {
        None => None,
        Some(Ok(step)) if (1..=limits.last).contains(&step) => Some(step),
        Some(_) => return Err(format!("`{text}` has no step from 1 to {}", limits.last)),
    };
    Ok(match (to, step) {
        (to, None) => Range { from, to: to.unwrap_or(from), step: 1 },
        // Steps go towards the end of the month.
        (None, Some(step)) if from_end => Range { from: 1 + (from - 1) % step, to: from, step },
        (to, Some(step)) => Range { from, to: to.unwrap_or(limits.last), step },
    })
}

fn value(text: &str, limits: Limits) -> Result<i16, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if is_number { text.parse::<i16>().ok() } else { None };
    // As people write them.
    let number = number.map(|number| match number {
        0..=69 if limits.first == YEAR.first => number + 2000,
        70..=99 if limits.first == YEAR.first => number + 1900,
        other => other,
    });
    let Limits { what, first, last } = limits;
    number.filter(|n| (first..=last).contains(n)).ok_or_else(|| format!("`{text}` is no {what} from {first} to {last}"))
}

impl Range {
    const fn only(value: i16) -> Self {
        Self { from: value, to: value, step: 1 }
    }
}
