//! Names that subvault gives or is given: short, printable, safe as a path component and as an object key.
//!
//! These are not file names of the user's data, which are bytes and never come here.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::timestamp::{compact, parse_compact};

/// A text that cannot be a name of the asked kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind}: {rule}")]
pub struct BadName {
    text: String,
    kind: &'static str,
    rule: &'static str,
}

const RULE: &str =
    "use 1 to 64 of the characters a-z, A-Z, 0-9, `_`, `-`, `+`, `@` and `.`, not beginning with `.` or `-`";

fn is_plain(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-+@.".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with(['.', '-'])
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                if is_plain(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(BadName { text: text.to_owned(), kind: $kind, rule: RULE })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type! {
    /// The name of a host, under which its streams lie in every store.
    HostName, "host name"
}
name_type! {
    /// The name of a subvolume in the configuration; the identity of its series of snapshots and streams.
    SubvolumeName, "subvolume name"
}
name_type! {
    /// The name of a target in the configuration.
    TargetName, "target name"
}
name_type! {
    /// The name of a group of subvolumes that are snapshotted together.
    GroupName, "group name"
}
name_type! {
    /// The name of a hook in the configuration.
    HookName, "hook name"
}

impl SubvolumeName {
    /// A name for what is seen at a path: `/` is `root`, `/var/log` is `var-log`.
    #[must_use]
    pub fn of_place(path: &[u8]) -> Self {
        const LENGTH: usize = 56;
        let plain = |byte: &u8| match byte.to_ascii_lowercase() {
            byte @ (b'a'..=b'z' | b'0'..=b'9' | b'_') => char::from(byte),
            _ => '-',
        };
        let text: String = path.iter().map(plain).collect();
        let text: String = text.trim_matches('-').chars().take(LENGTH).collect();
        Self(if text.is_empty() { "root".to_owned() } else { text })
    }

    /// The same name with a number behind it.
    #[must_use]
    pub fn numbered(&self, number: u16) -> Self {
        Self(format!("{}-{number}", self.0))
    }
}

/// The name of a snapshot that subvault took: `home.20261120T221500Z`, with `.2`, `.3` … within one second.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotName {
    subvolume: SubvolumeName,
    taken: Timestamp,
    again: u32,
}

impl SnapshotName {
    /// The name of a snapshot of `subvolume` taken at `taken`, the `again`-th of that second (from 1).
    #[must_use]
    pub fn new(subvolume: SubvolumeName, taken: Timestamp, again: u32) -> Self {
        Self { subvolume, taken: parse_compact(&compact(taken)).unwrap_or(taken), again: again.max(1) }
    }

    /// Which subvolume it is a snapshot of.
    #[must_use]
    pub fn subvolume(&self) -> &SubvolumeName {
        &self.subvolume
    }

    /// When it was taken, to the second.
    #[must_use]
    pub fn taken(&self) -> Timestamp {
        self.taken
    }

    /// The same moment's next name, for when this one exists already.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { again: self.again + 1, ..self.clone() }
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.subvolume, compact(self.taken))?;
        if self.again > 1 { write!(f, ".{}", self.again) } else { Ok(()) }
    }
}

impl FromStr for SnapshotName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let bad =
            || BadName { text: text.to_owned(), kind: "snapshot name", rule: "it looks like `home.20261120T221500Z`" };
        let (rest, last) = text.rsplit_once('.').ok_or_else(bad)?;
        let (subvolume, moment, again) = match parse_compact(last) {
            Some(moment) => (rest, moment, 1),
            None => {
                let again: u32 = last.parse().ok().filter(|n| *n > 1).ok_or_else(bad)?;
                let (subvolume, moment) = rest.rsplit_once('.').ok_or_else(bad)?;
                (subvolume, parse_compact(moment).ok_or_else(bad)?, again)
            }
        };
        let name = Self { subvolume: subvolume.parse()?, taken: moment, again };
        if name.to_string() == text { Ok(name) } else { Err(bad()) }
    }
}

impl Serialize for SnapshotName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SnapshotName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Whether a stream carries everything or the difference from a parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamKind {
    /// The whole subvolume.
    Full,
    /// What changed since the parent.
    Incremental,
}

impl fmt::Display for StreamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Full => "full",
            Self::Incremental => "incremental",
        })
    }
}

/// The name of a stream in a store: `20261120T221500Z-full-1a2b3c4d`.
///
/// The moment is the snapshot's; the last part is drawn anew for each attempt, so that two attempts never
/// write the same key and sealed bytes never meet under one key twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName {
    taken: Timestamp,
    kind: StreamKind,
    attempt: u32,
}

impl StreamName {
    /// The stream of a snapshot taken at `taken`, in the attempt with this random number.
    #[must_use]
    pub fn new(taken: Timestamp, kind: StreamKind, attempt: u32) -> Self {
        Self { taken: parse_compact(&compact(taken)).unwrap_or(taken), kind, attempt }
    }

    /// When its snapshot was taken, to the second.
    #[must_use]
    pub fn taken(&self) -> Timestamp {
        self.taken
    }

    /// Full or incremental.
    #[must_use]
    pub fn kind(&self) -> StreamKind {
        self.kind
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            StreamKind::Full => "full",
            StreamKind::Incremental => "incr",
        };
        write!(f, "{}-{kind}-{:08x}", compact(self.taken), self.attempt)
    }
}

impl FromStr for StreamName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let bad = || BadName {
            text: text.to_owned(),
            kind: "stream name",
            rule: "it looks like `20261120T221500Z-full-1a2b3c4d`",
        };
        let mut parts = text.split('-');
        let (Some(moment), Some(kind), Some(attempt), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(bad());
        };
        let kind = match kind {
            "full" => StreamKind::Full,
            "incr" => StreamKind::Incremental,
            _ => return Err(bad()),
        };
        let attempt = u32::from_str_radix(attempt, 16).map_err(|_| bad())?;
        let name = Self { taken: parse_compact(moment).ok_or_else(bad)?, kind, attempt };
        if name.to_string() == text { Ok(name) } else { Err(bad()) }
    }
}

impl Serialize for StreamName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StreamName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_names() {
        for (path, name) in [
            (&b"/"[..], "root"),
            (b"", "root"),
            (b"/home", "home"),
            (b"/var/log", "var-log"),
            (b"/srv/My Data", "srv-my-data"),
            (b"/\xff\xfe", "root"),
            (b"@home", "home"),
        ] {
            let found = SubvolumeName::of_place(path);
            assert_eq!(found.as_str(), name);
            assert_eq!(name.parse(), Ok(found));
        }
        let long = SubvolumeName::of_place(&[b'x'; 300]).numbered(u16::MAX);
        assert_eq!(long.as_str().parse(), Ok(long));
    }

    #[test]
    fn snapshot_names_read_back() {
        for text in ["home.20261120T221500Z", "data.v2.20261120T221500Z.3", "@home.20261120T221500Z"] {
            assert_eq!(text.parse::<SnapshotName>().unwrap().to_string(), text);
        }
        for text in ["home", "home.2026", "home.20261120T221500Z.1", ".20261120T221500Z", "a/b.20261120T221500Z"] {
            assert!(text.parse::<SnapshotName>().is_err(), "{text}");
        }
    }

    #[test]
    fn stream_names_read_back() {
        let text = "20261120T221500Z-incr-0000beef";
        assert_eq!(text.parse::<StreamName>().unwrap().to_string(), text);
        for text in
            ["", "20261120T221500Z-incr-beef", "20261120T221500Z-part-0000beef", "20261120T221500Z-full-0000BEEF"]
        {
            assert!(text.parse::<StreamName>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_keep_out_of_paths() {
        for text in ["", "..", ".hidden", "a/b", "-rf", "naïve", &"x".repeat(65)] {
            assert!(text.parse::<SubvolumeName>().is_err(), "{text}");
        }
    }
}
