//! Identities that Btrfs gives to subvolumes, one type per meaning.
//!
//! Names change and uuids do not, so relations between snapshots are kept by uuid alone. A uuid that a
//! subvolume *has* and one that it was *received from* are different types, so that comparing them is
//! always a deliberate, named act (`SnapshotUuid::is_copied_as`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that is not a uuid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a uuid")]
pub struct BadUuid(String);

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let hex: Vec<u8> = text.bytes().filter(|b| *b != b'-').collect();
    if hex.len() != 32 || !text.is_ascii() {
        return None;
    }
    let mut out = [0_u8; 16];
    for (byte, pair) in out.iter_mut().zip(hex.chunks_exact(2)) {
        let digits = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(out)
}

macro_rules! uuid_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Takes the sixteen bytes as the kernel hands them out; `None` for the all-zero "no uuid".
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
                (bytes != [0; 16]).then_some(Self(bytes))
            }

            /// The sixteen bytes, in the kernel's order.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// The first eight hexadecimal digits, for names that people read.
            #[must_use]
            pub fn short(&self) -> String {
                self.0[..4].iter().map(|b| format!("{b:02x}")).collect()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for (i, byte) in self.0.iter().enumerate() {
                    if matches!(i, 4 | 6 | 8 | 10) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = BadUuid;

            fn from_str(text: &str) -> Result<Self, BadUuid> {
                parse_uuid(text).and_then(Self::from_bytes).ok_or_else(|| BadUuid(text.to_owned()))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

uuid_type! {
    /// The uuid of a Btrfs filesystem (a pool).
    PoolUuid
}
uuid_type! {
    /// The uuid that the kernel gave a subvolume or snapshot when it was created.
    SnapshotUuid
}
uuid_type! {
    /// The uuid of the subvolume that a snapshot was taken of (`parent_uuid`).
    ParentUuid
}
uuid_type! {
    /// The uuid that a received subvolume had where it was sent from (`received_uuid`).
    ReceivedUuid
}

impl SnapshotUuid {
    /// Whether `received` says that its bearer is a copy of the snapshot with this uuid.
    #[must_use]
    pub fn is_copied_as(&self, received: &ReceivedUuid) -> bool {
        self.0 == received.0
    }

    /// Whether `parent` says that its bearer is a snapshot of the subvolume with this uuid.
    #[must_use]
    pub fn is_parent_of(&self, parent: &ParentUuid) -> bool {
        self.0 == parent.0
    }
}

/// A transaction number of a pool (`generation`, `ctransid`, `stransid`): grows with every commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransactionId(pub u64);

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a subvolume inside its pool (`subvolid`); 5 is the top level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubvolumeId(pub u64);

impl SubvolumeId {
    /// The top level of every pool (`BTRFS_FS_TREE_OBJECTID`).
    pub const TOP: Self = Self(5);
}

impl fmt::Display for SubvolumeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_prints_as_it_was_read() {
        let text = "0f3c1b9e-8a52-4c0d-9e8b-001122334455";
        assert_eq!(text.parse::<SnapshotUuid>().unwrap().to_string(), text);
    }

    #[test]
    fn what_is_no_uuid_is_refused() {
        for text in ["", "0f3c", "00000000-0000-0000-0000-000000000000", "0f3c1b9e-8a52-4c0d-9e8b-00112233445é"] {
            assert!(text.parse::<SnapshotUuid>().is_err(), "{text}");
        }
    }
}
