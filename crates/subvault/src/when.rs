//! Moments as people write them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use subvault_model::timestamp::parse_compact;

/// Reads a moment: RFC 3339, the compact form of snapshot names, a local date and time, or a local date, which means
/// the end of that day.
///
/// # Errors
/// When it is none of these.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    parse_in(text, &TimeZone::system())
}

fn parse_in(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    if let Some(at) = parse_compact(text) {
        return Ok(at);
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local = match text.parse::<Date>() {
        Ok(day) if !text.contains([':', 'T']) && text.trim().len() <= 10 => Ok(day.to_datetime(Time::MAX)),
        _ => text.parse::<DateTime>(),
    };
    let local = local.map_err(|_| "write 2026-11-20, '2026-11-20 14:30' or 2026-11-20T14:30:00Z".to_owned())?;
    local.to_zoned(zone.clone()).map(|zoned| zoned.timestamp()).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_it() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        for (text, utc) in [
            ("2026-11-20", "2026-11-20T21:59:59.999999999Z"),
            ("2026-11-20 14:30", "2026-11-20T12:30:00Z"),
            ("2026-11-20T14:30:05", "2026-11-20T12:30:05Z"),
            ("2026-11-20T14:30:05Z", "2026-11-20T14:30:05Z"),
            ("2026-11-20T14:30:05+01:00", "2026-11-20T13:30:05Z"),
            ("20261120T143005Z", "2026-11-20T14:30:05Z"),
        ] {
            assert_eq!(parse_in(text, &zone).map(|t| t.to_string()), Ok(utc.to_owned()), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "14:30"] {
            assert!(parse_in(text, &zone).is_err(), "{text}");
        }
    }
}
