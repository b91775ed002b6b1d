//! Whether something that recurs is due. Pure.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::calendar::Calendar;

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// Now: it was due at that moment, or has never been done.
    Now(Option<Timestamp>),
    /// Not before then.
    At(Timestamp),
    /// Never again.
    Never,
}

/// Whether it is due: one of its times has come since it was last done. However many times were missed, it is due once. If
/// it was last done in the future (the clock was set back), the next time from now on counts.
#[must_use]
pub fn due(calendar: &Calendar, last_done: Option<Timestamp>, now: Timestamp, local: &TimeZone) -> Due {
    let Some(last_done) = last_done else { return Due::Now(None) };
    match calendar.next(last_done.min(now), local) {
        Some(at) if at <= now => Due::Now(Some(at)),
        Some(at) => Due::At(at),
        None => Due::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_for_all_that_was_missed_and_never_early() {
        let daily = Calendar::parse("03:00", &|_| None).unwrap();
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let ask = |last: Option<&str>, now: &str| due(&daily, last.map(at), at(now), &TimeZone::UTC);
        assert_eq!(ask(None, "2026-05-01T12:00:00Z"), Due::Now(None));
        let three = at("2026-05-01T03:00:00Z");
        assert_eq!(ask(Some("2026-05-01T02:00:00Z"), "2026-05-01T02:59:59Z"), Due::At(three));
        assert_eq!(ask(Some("2026-05-01T02:00:00Z"), "2026-05-01T03:00:00Z"), Due::Now(Some(three)));
        assert_eq!(ask(Some("2026-05-01T03:00:00Z"), "2026-05-01T03:00:00Z"), Due::At(at("2026-05-02T03:00:00Z")));
        assert_eq!(
            ask(Some("2026-04-03T03:00:01Z"), "2026-05-01T09:00:00Z"),
            Due::Now(Some(at("2026-04-04T03:00:00Z")))
        );
        let set_back = ask(Some("2031-01-01T00:00:00Z"), "2026-05-01T09:00:00Z");
        assert_eq!(set_back, Due::At(at("2026-05-02T03:00:00Z")));
        let once = Calendar::parse("2020-01-01", &|_| None).unwrap();
        let now = at("2026-05-01T09:00:00Z");
        assert_eq!(due(&once, Some(now), now, &TimeZone::UTC), Due::Never);
    }
}
