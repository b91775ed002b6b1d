//! What is known about a snapshot that Btrfs itself has no place for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::names::{GroupName, HookName};

/// A note on a snapshot. It is kept beside the snapshot, as a snapshot cannot be written to; without it, the snapshot is
/// as good as any other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// In the user's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Marks that retention goes by.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Its part in a pair around a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<Pair>,
    /// With what it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Together>,
}

/// The tag of snapshots that stay until somebody takes it off.
pub const KEEP: &str = "keep";

/// One side of a pair of snapshots around a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// What both sides have in common.
    pub id: String,
    /// Which one.
    pub side: Side,
    /// The command, for people.
    pub command: String,
}

/// Which side of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Before the command.
    Before,
    /// After it.
    After,
}

/// How a snapshot was taken together with others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Together {
    /// Their group.
    pub name: GroupName,
    /// How long after the first of the group, in milliseconds.
    pub skew_ms: u64,
    /// The hooks inside of which it was taken, as far as they succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<HookName>,
}

impl Note {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
