//! Rates at which bytes may move.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bytesize::ByteSize;

/// A number of bytes per second, never zero. Reads `10 Mbit/s` (decimal bits) and `2 MiB/s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bandwidth(NonZeroU64);

/// A text that is not a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a rate; write for example `10 Mbit/s` or `2 MiB/s`")]
pub struct BadBandwidth(String);

impl Bandwidth {
    /// So many bytes per second.
    #[must_use]
    pub const fn bytes_per_second(bytes: NonZeroU64) -> Self {
        Self(bytes)
    }

    /// So many millions of bits per second, never zero: none at all is one byte.
    #[must_use]
    pub const fn megabits_per_second(megabits: u32) -> Self {
        match NonZeroU64::new(megabits as u64 * 125_000) {
            Some(bytes) => Self(bytes),
            None => Self(NonZeroU64::MIN),
        }
    }

    /// How long so many bytes take at this rate.
    #[must_use]
    pub fn time_for(self, size: ByteSize) -> Duration {
        let nanos = u128::from(size.get()) * 1_000_000_000 / u128::from(self.0.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl FromStr for Bandwidth {
    type Err = BadBandwidth;

    fn from_str(text: &str) -> Result<Self, BadBandwidth> {
        let bad = || BadBandwidth(text.to_owned());
        let rate = text.trim().strip_suffix("/s").ok_or_else(bad)?.trim();
        // A small b is a bit wherever rates are written.
        let bits = rate.strip_suffix('b').map(str::to_ascii_lowercase);
        let bits = bits.or_else(|| rate.to_ascii_lowercase().strip_suffix("bit").map(str::to_owned));
        let bytes = match bits {
            Some(bits) => {
                // `10 M` bits: the prefixes of data rates are decimal.
                let decimal = format!("{}B", bits.trim());
                decimal.parse::<ByteSize>().map_err(|_| bad())?.get() / 8
            }
            None => rate.parse::<ByteSize>().map_err(|_| bad())?.get(),
        };
        NonZeroU64::new(bytes).map(Self).ok_or_else(bad)
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", ByteSize::bytes(self.0.get()))
    }
}

impl Serialize for Bandwidth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{} B/s", self.0))
    }
}

impl<'de> Deserialize<'de> for Bandwidth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_bits_and_bytes() {
        for (text, bytes) in [
            ("10 Mbit/s", 1_250_000),
            ("2 MiB/s", 2 << 20),
            ("1kbit/s", 125),
            ("20 Mb/s", 2_500_000),
            ("4096 B/s", 4096),
        ] {
            assert_eq!(text.parse::<Bandwidth>().unwrap().0.get(), bytes, "{text}");
        }
        for text in ["", "10", "10 Mbit", "0 B/s", "fast/s"] {
            assert!(text.parse::<Bandwidth>().is_err(), "{text}");
        }
    }
}
