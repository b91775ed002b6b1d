//! `[space]`: when a pool is short of space, and what stays then.

use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use subvault_model::bytesize::ByteSize;
use subvault_plan::space::{Limits, Line};
use toml::Spanned;

use super::keep::Keep;

/// When a pool is short of space.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Space {
    /// Below it, snapshots that are taken often go earlier.
    pub yellow: Option<Spanned<Below>>,
    /// Below it, all but the floor go.
    pub red: Option<Spanned<Below>>,
    /// What stays however short space is.
    pub keep: Option<Keep>,
    /// How much room snapshots may take, as a share of the data.
    pub overhead: Option<Share>,
}

/// `"15 %"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(pub u8);

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let percent = text.strip_suffix('%').and_then(|number| number.trim().parse().ok()).filter(|p| *p <= 100);
        percent.map(Self).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no share: say \"15 %\"")))
    }
}

/// `"15 %"` or `"20 GiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Below(pub Line);

impl FromStr for Below {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(share) = text.strip_suffix('%') else {
            let size = text.parse::<ByteSize>();
            return size.map(|size| Self(Line::Bytes(size))).map_err(|_| wrong(text));
        };
        let percent = share.trim().parse::<u8>().ok().filter(|percent| *percent <= 100);
        percent.map(|percent| Self(Line::Percent(percent))).ok_or_else(|| wrong(text))
    }
}

fn wrong(text: &str) -> String {
    format!("`{text}` is no amount of free space: say \"15 %\" or \"20 GiB\"")
}

impl<'de> Deserialize<'de> for Below {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Space {
    /// What is wrong with the lines.
    pub fn wrong(&self) -> Option<String> {
        let Limits { yellow, red } = self.limits();
        let is_above = match (red, yellow) {
            (Line::Percent(red), Line::Percent(yellow)) => red > yellow,
            (Line::Bytes(red), Line::Bytes(yellow)) => red > yellow,
            _ => false,
        };
        is_above
            .then(|| "the red line of [space] is above the yellow one (15 % and 5 % where nothing is said)".to_owned())
    }

    /// The lines.
    pub fn limits(&self) -> Limits {
        Limits {
            yellow: self.yellow.as_ref().map_or(Line::Percent(15), |below| below.get_ref().0),
            red: self.red.as_ref().map_or(Line::Percent(5), |below| below.get_ref().0),
        }
    }
}
