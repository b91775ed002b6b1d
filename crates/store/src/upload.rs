//! Resumable uploads: an object stored in parts that appears under its key all at once.
//!
//! An [`UploadId`] can be written into a journal. Whoever reads it back, after a kill, can ask what is stored,
//! go on, complete it (again), or abort it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::class::ObjectKind;
use crate::key::Key;

/// An upload that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadId {
    pub(crate) key: Key,
    pub(crate) kind: ObjectKind,
    pub(crate) part_size: u64,
    /// The store's own name of the upload.
    pub(crate) id: String,
    /// How the finished object is recognised as this upload's.
    pub(crate) mark: String,
}

impl UploadId {
    /// The key the object will have.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// What the object is.
    #[must_use]
    pub fn kind(&self) -> ObjectKind {
        self.kind
    }

    /// The length of every part but the last, in bytes.
    #[must_use]
    pub fn part_size(&self) -> u64 {
        self.part_size
    }
}

/// The store's receipt for a part; what is in it is the store's business.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PartTag {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) etag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) crc64nvme: Option<String>,
}

/// A part that the store says it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPart {
    /// Its number, from 0.
    pub number: u32,
    /// Its length in bytes.
    pub size: u64,
    /// The receipt.
    pub tag: PartTag,
}

/// A part that the caller stored earlier, as its journal has it.
#[derive(Debug, Clone, Copy)]
pub struct PartClaim<'a> {
    /// Its number, from 0.
    pub number: u32,
    /// Where it begins in the object.
    pub offset: u64,
    /// Its length in bytes.
    pub size: u64,
    /// The receipt it got.
    pub tag: &'a PartTag,
    /// The BLAKE3 hash of its bytes.
    pub blake3: &'a [u8; 32],
}

/// An upload that was begun and neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingUpload {
    /// The upload. One found in a bucket can be aborted; to go on, the journal's own `UploadId` is needed.
    pub upload: UploadId,
    /// When it was begun.
    pub started: Timestamp,
}
