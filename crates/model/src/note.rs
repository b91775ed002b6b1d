//! What is known about a snapshot that Btrfs itself has no place for.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{ParentUuid, SnapshotUuid, SubvolumeId};
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
    /// What it replaced, after something was forgotten in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remade: Option<Remade>,
}

/// The tag of snapshots that stay until somebody takes it off.
pub const KEEP: &str = "keep";

/// The tag of snapshots that keep the state before a restore or an undo.
pub const BEFORE_CHANGE: &str = "before-change";

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

/// What the kernel said about a snapshot before it was replaced by one in which something is forgotten. The kernel takes
/// the new one for younger than all others, and for a snapshot of the one that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remade {
    /// The number that the first had, which says in what order snapshots were taken.
    pub number: SubvolumeId,
    /// What it was a snapshot of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentUuid>,
    /// When it was made.
    pub created: Timestamp,
    /// Those that were replaced, the first one first. What was made of one of them names it as its parent, and it is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<SnapshotUuid>,
}

impl Remade {
    /// Those that were replaced, with what they were snapshots of.
    pub fn gone(&self) -> impl Iterator<Item = (SnapshotUuid, ParentUuid)> + '_ {
        self.replaced.iter().filter_map(|uuid| Some((*uuid, self.parent?)))
    }
}

impl Note {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
