//! A published stream as the planner sees it.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bytesize::ByteSize;
use crate::names::{StreamKind, StreamName, SubvolumeName};
use crate::subvolume::SnapshotIdentity;

/// The number of a chain: a full and its incrementals. Each full begins the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u32);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a manifest says, without its chunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamSummary {
    /// The stream's name in the store.
    pub name: StreamName,
    /// Which series it belongs to.
    pub subvolume: SubvolumeName,
    /// Which chain.
    pub generation: Generation,
    /// Its place in the chain, the full being 0.
    pub sequence: u32,
    /// The snapshot it was made of.
    pub snapshot: SnapshotIdentity,
    /// The stream before it in the chain; `None` for a full.
    pub parent: Option<StreamName>,
    /// When it became visible.
    pub published: Timestamp,
    /// How many bytes the send stream has.
    pub stream_bytes: ByteSize,
    /// How many bytes its chunks take in the store.
    pub stored_bytes: ByteSize,
    /// The storage class of its chunks, where the store has classes.
    pub storage_class: Option<String>,
    /// Who can open it; empty when it is not encrypted.
    pub recipients: BTreeSet<String>,
}

impl StreamSummary {
    /// Full or incremental.
    #[must_use]
    pub fn kind(&self) -> StreamKind {
        if self.parent.is_some() { StreamKind::Incremental } else { StreamKind::Full }
    }
}
