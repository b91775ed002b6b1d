//! `[[target]]`: where streams are archived to, and how they are packed.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use subvault_model::bandwidth::Bandwidth;
use subvault_model::bytesize::ByteSize;
use subvault_model::names::TargetName;
use toml::Spanned;

use super::btrfs::Btrfs;
use super::s3::S3;
use super::schedule::When;

/// A target.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What it is called.
    pub name: TargetName,
    /// Where it is: a directory …
    pub directory: Option<PathBuf>,
    /// … or a bucket …
    pub s3: Option<S3>,
    /// … or a Btrfs disk or host, which has copies of snapshots instead of archived streams.
    pub btrfs: Option<Btrfs>,
    /// When a run sends there.
    pub schedule: Option<When>,
    /// Who can read it: age recipients.
    #[serde(default)]
    pub recipients: Vec<Spanned<String>>,
    /// The word that nothing is to be encrypted.
    pub encryption: Option<EncryptionWord>,
    /// How streams are compressed.
    pub compression: Option<CompressionWord>,
    /// After how many days the next stream is a full.
    pub full_every_days: Option<FullEvery>,
    /// How many chains stay.
    pub keep_generations: Option<NonZeroU32>,
    /// For how many days an object is paid for in any case.
    pub minimum_storage_days: Option<u32>,
    /// The largest object.
    pub chunk_size: Option<Spanned<ByteSize>>,
    /// Parts in flight.
    pub lanes: Option<NonZeroU32>,
    /// Threads that compress and encrypt.
    pub workers: Option<NonZeroU32>,
    /// The fastest it may be filled.
    pub bandwidth: Option<Bandwidth>,
    /// The version of the send protocol.
    pub protocol: Option<ProtocolWord>,
    /// Whether a digest of each snapshot's content is recorded, so that restores can be compared with it.
    pub content_digest: Option<bool>,
    /// Whether the snapshot is read ahead of the kernel.
    pub read_ahead: Option<bool>,
    /// Whether reading waits until the disk has nothing else to do.
    pub idle_io: Option<bool>,
}

/// `encryption = "off"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EncryptionWord {
    /// Not encrypted.
    Off,
}

/// `compression = "zstd-3"` or `"off"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompressionWord {
    /// Not compressed.
    Off,
    /// With zstd at this level.
    Zstd(i32),
}

impl Default for CompressionWord {
    fn default() -> Self {
        Self::Zstd(3)
    }
}

impl FromStr for CompressionWord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = text.strip_prefix("zstd-").and_then(|l| l.parse::<i32>().ok()).filter(|l| (1..=19).contains(l));
        match (text, level) {
            ("off", _) => Ok(Self::Off),
            ("zstd", _) => Ok(Self::default()),
            (_, Some(level)) => Ok(Self::Zstd(level)),
            _ => Err(format!("`{text}` is no compression: say \"off\", or \"zstd-1\" to \"zstd-19\"")),
        }
    }
}

impl<'de> Deserialize<'de> for CompressionWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// `protocol = "newest"`, `"v1"`, `"v2"` or `"v2-uncompressed"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProtocolWord {
    /// The newest that the kernel has.
    #[default]
    Newest,
    /// Version 1.
    V1,
    /// Version 2 with compressed extents as they are.
    V2,
    /// Version 2 with compressed extents unpacked.
    V2Uncompressed,
}

/// `full_every_days = 30` or `"never"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FullEvery(pub Option<NonZeroU32>);

impl<'de> Deserialize<'de> for FullEvery {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || serde::de::Error::custom("say a number of days from 1 on, or \"never\"");
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(word) if word == "never" => Ok(Self(None)),
            toml::Value::Integer(days) => {
                let days = u32::try_from(days).ok().and_then(NonZeroU32::new);
                days.map(|days| Self(Some(days))).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}

impl Default for FullEvery {
    fn default() -> Self {
        Self(NonZeroU32::new(30))
    }
}

impl Target {
    /// How many chains stay.
    #[must_use]
    pub fn generations(&self) -> NonZeroU32 {
        self.keep_generations.unwrap_or(NonZeroU32::MIN.saturating_add(1))
    }

    /// Parts in flight.
    #[must_use]
    pub fn lanes(&self) -> NonZeroU32 {
        self.lanes.unwrap_or(NonZeroU32::MIN.saturating_add(3))
    }

    /// A key that is about archived streams, if there is one.
    #[must_use]
    pub fn archive_key(&self) -> Option<&'static str> {
        [
            ("directory", self.directory.is_some()),
            ("s3", self.s3.is_some()),
            ("recipients", !self.recipients.is_empty()),
            ("encryption", self.encryption.is_some()),
            ("compression", self.compression.is_some()),
            ("full_every_days", self.full_every_days.is_some()),
            ("keep_generations", self.keep_generations.is_some()),
            ("minimum_storage_days", self.minimum_storage_days.is_some()),
            ("chunk_size", self.chunk_size.is_some()),
            ("lanes", self.lanes.is_some()),
            ("workers", self.workers.is_some()),
            ("bandwidth", self.bandwidth.is_some()),
            ("protocol", self.protocol.is_some()),
            ("content_digest", self.content_digest.is_some()),
            ("read_ahead", self.read_ahead.is_some()),
            ("idle_io", self.idle_io.is_some()),
        ]
        .into_iter()
        .find_map(|(key, is_there)| is_there.then_some(key))
    }
}
