//! The current pointer: which stream of a subvolume was published last.
//!
//! It is a convenience for readers with `cat` and a witness for `verify`; what is published is told by manifests.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subvault_model::names::StreamName;
use subvault_model::stream::Generation;

use crate::hash::Hash256;

/// The content of `current.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The version of the format.
    pub format: u32,
    /// The stream that was published last.
    pub stream: StreamName,
    /// Its chain.
    pub generation: Generation,
    /// Its place there.
    pub sequence: u32,
    /// When its snapshot was taken.
    pub taken: Timestamp,
    /// The hash in the last line of its manifest.
    pub manifest_sha256: Hash256,
}
