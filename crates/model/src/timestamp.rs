//! Moments in the compact form that names use: `20261120T221500Z`, always UTC, to the second.

use jiff::Timestamp;
use jiff::tz::TimeZone;

const COMPACT: &str = "%Y%m%dT%H%M%SZ";

/// The moment as `20261120T221500Z`; fractions of a second are cut off.
#[must_use]
pub fn compact(moment: Timestamp) -> String {
    moment.to_zoned(TimeZone::UTC).strftime(COMPACT).to_string()
}

/// Reads what `compact` wrote; `None` for anything else.
#[must_use]
pub fn parse_compact(text: &str) -> Option<Timestamp> {
    let civil = jiff::civil::DateTime::strptime(COMPACT, text).ok()?;
    let moment = civil.to_zoned(TimeZone::UTC).ok()?.timestamp();
    (compact(moment) == text).then_some(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compact_moment_reads_back() {
        let text = "20261120T221500Z";
        assert_eq!(compact(parse_compact(text).unwrap()), text);
    }

    #[test]
    fn other_texts_are_no_moments() {
        for text in ["", "20261120", "20261320T000000Z", "20261120T221500", "2026-11-20T22:15:00Z"] {
            assert!(parse_compact(text).is_none(), "{text}");
        }
    }
}
