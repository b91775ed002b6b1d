//! `[schedule]` and the words of calendars: when `subvault run` does what.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer};
use subvault_plan::calendar::Calendar;

/// When what is done, for all that do not say otherwise.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Snapshots.
    pub snapshot: Option<When>,
    /// Sending to targets.
    pub send: Option<When>,
}

/// `"hourly"`, `"Sun 03:00"`, `"never"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When(pub Option<Calendar>);

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "never" {
            return Ok(Self(None));
        }
        calendar(&text).map(|found| Self(Some(found))).map_err(serde::de::Error::custom)
    }
}

impl Schedule {
    /// When snapshots are taken.
    pub fn snapshots(&self) -> Option<Calendar> {
        self.snapshot.clone().map_or_else(|| usual("hourly"), |when| when.0)
    }

    /// When targets are sent to.
    pub fn sends(&self) -> Option<Calendar> {
        self.send.clone().map_or_else(|| usual("daily"), |when| when.0)
    }
}

fn usual(word: &str) -> Option<Calendar> {
    calendar(word).ok()
}

fn calendar(text: &str) -> Result<Calendar, String> {
    let found = Calendar::parse(text, &|name| TimeZone::get(name).ok()).map_err(|error| error.to_string())?;
    match found.next(Timestamp::UNIX_EPOCH, &TimeZone::UTC) {
        Some(_) => Ok(found),
        None => Err(format!("`{text}` never comes; write for example `hourly`, `Sun 03:00` or `*-*-01 04:00`")),
    }
}
