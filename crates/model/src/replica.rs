//! A copy of a snapshot on another Btrfs, as whoever looked there tells it.

use serde::{Deserialize, Serialize};

use crate::ids::{ReceivedUuid, SnapshotUuid, TransactionId};
use crate::names::SnapshotName;

/// A received snapshot that has its name, so all of it arrived and is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaCopy {
    /// What it is called, there as here.
    pub name: SnapshotName,
    /// The kernel's identity of it there.
    pub uuid: SnapshotUuid,
    /// What it was received from; `None` for one that was made writable since.
    pub received: Option<ReceivedUuid>,
    /// The last change of what it was received from, when that was sent.
    pub sent: TransactionId,
    /// Whether it is read-only and nothing has changed it since it was received.
    pub intact: bool,
}

/// What is left of a receive that was interrupted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfinishedCopy {
    /// The snapshot that was being received.
    pub name: SnapshotName,
    /// The identity of what is there of it.
    pub uuid: SnapshotUuid,
}
