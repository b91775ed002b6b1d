//! What was seen on the pool and in the stores before deciding.

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;
use subvault_model::ids::{PoolUuid, SnapshotUuid};
use subvault_model::names::{GroupName, HookName, SnapshotName, StreamName, SubvolumeName, TargetName};
use subvault_model::replica::{ReplicaCopy, UnfinishedCopy};
use subvault_model::stream::StreamSummary;
use subvault_model::subvolume::LocalSnapshot;

use crate::space::Room;

/// Everything a run decides on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Observed {
    /// Per subvolume, in the order of the policy.
    pub subvolumes: Vec<ObservedSubvolume>,
    /// Hooks that an earlier run began and, as it died, did not end.
    pub open_hooks: Vec<OpenHook>,
}

/// A hook that was begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenHook {
    /// For which group.
    pub group: GroupName,
    /// Which one.
    pub hook: HookName,
}

/// One subvolume, its snapshots, and what the targets have of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObservedSubvolume {
    /// Its name.
    pub name: SubvolumeName,
    /// The snapshots that subvault took of it and that exist, and those of other programs where they are sent as well; in no
    /// particular order.
    pub snapshots: Vec<LocalSnapshot>,
    /// Snapshots of which a run that died left a note: one without its snapshot, or one that is half written.
    pub lost_notes: Vec<SnapshotName>,
    /// What each target has.
    pub targets: Vec<ObservedTarget>,
    /// How much room there is on its pool, if that could be told.
    pub room: Option<Room>,
    /// Where the subvolumes inside of it are that its snapshots do not hold and nothing else looks after.
    pub nested: Vec<PathBuf>,
    /// The pool that they are on, if that could be told; what shares extents is on one.
    pub pool: Option<PoolUuid>,
    /// What each replica that was looked at has.
    pub replicas: Vec<ObservedReplica>,
    /// Which of the snapshots a replica had when it was seen last, each the newest of those that both sides had.
    pub pins: Vec<Pin>,
}

/// What one replica has of one subvolume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObservedReplica {
    /// The target's name.
    pub name: TargetName,
    /// The copies there; in no particular order.
    pub copies: Vec<ReplicaCopy>,
    /// What interrupted receives left there.
    pub unfinished: Vec<UnfinishedCopy>,
}

/// A snapshot that the next stream to a replica would be relative to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pin {
    /// Which snapshot.
    pub snapshot: SnapshotUuid,
    /// For which replica.
    pub target: TargetName,
    /// When that was seen last.
    pub seen: Timestamp,
}

/// What one target has of one subvolume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObservedTarget {
    /// The target's name.
    pub name: TargetName,
    /// Its published streams; in no particular order.
    pub streams: Vec<StreamSummary>,
    /// Those of them whose chunks are not all there at the right size.
    pub incomplete: BTreeSet<StreamName>,
    /// Streams whose manifests are there and cannot be read.
    pub unreadable: BTreeSet<StreamName>,
    /// An upload that an earlier run began and did not finish, if its journal is there.
    pub unfinished: Option<Unfinished>,
    /// What the current pointer names; `None` when it is missing or unreadable.
    pub pointer: Option<StreamName>,
}

impl ObservedTarget {
    /// Whether the stream has a manifest. One that cannot be read may be damaged, or a newer version's: the stream below
    /// it may be all right.
    #[must_use]
    pub fn is_published(&self, stream: &StreamName) -> bool {
        self.streams.iter().any(|s| s.name == *stream) || self.unreadable.contains(stream)
    }
}

/// An upload that was interrupted and can be taken up again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unfinished {
    /// The stream that was being written.
    pub stream: StreamName,
    /// The snapshot it is made of.
    pub snapshot: SnapshotUuid,
    /// The snapshot it is relative to.
    pub parent: Option<SnapshotUuid>,
    /// Whether the settings that shape its bytes (recipients, level, sizes …) are still those of the configuration.
    pub same_settings: bool,
}
