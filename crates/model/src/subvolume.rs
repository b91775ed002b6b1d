//! A snapshot as the planner sees it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{ReceivedUuid, SnapshotUuid, SubvolumeId, TransactionId};
use crate::names::SnapshotName;
use crate::note::Note;

/// A snapshot that exists on the pool: one that subvault took, or one of another program that is sent as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalSnapshot {
    /// What it is called.
    pub name: SnapshotName,
    /// The kernel's identity of it.
    pub uuid: SnapshotUuid,
    /// Its number in the pool, higher for what was made later: numbers are never given out twice. Of one that was replaced
    /// since, the number of the first.
    pub id: SubvolumeId,
    /// What it was received from, if it was received.
    pub received: Option<ReceivedUuid>,
    /// Its last change.
    pub ctransid: TransactionId,
    /// Whether it is read-only; only then can it be sent or be a parent.
    pub read_only: bool,
    /// Whether another program took it. Its name is then made of its time and its number, it lies wherever that program
    /// keeps it, and nothing here may delete, rename or change it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreign: bool,
    /// What was noted about it.
    #[serde(default, skip_serializing_if = "Note::is_empty")]
    pub note: Note,
}

/// What identifies the snapshot that a stream was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotIdentity {
    /// Its name where it was taken.
    pub name: SnapshotName,
    /// When it was taken.
    pub taken: Timestamp,
    /// The kernel's identity of it; streams carry this one, or `received` where that is set.
    pub uuid: SnapshotUuid,
    /// What it was received from, if it was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<ReceivedUuid>,
    /// The transaction of its last change.
    pub ctransid: TransactionId,
}
