//! What can go wrong with streams in a store.

use std::io;
use std::path::PathBuf;

use subvault_model::names::{HostName, StreamName};
use subvault_sendstream::decode::StreamError;
use subvault_store::{Key, StoreError};

/// A failure of this room. What the store says is passed on as it is.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The send stream could not be read from its source.
    #[error("cannot read the send stream")]
    Source(#[source] io::Error),
    /// The send stream is not one, or is cut off.
    #[error("the send stream is not valid")]
    Stream(#[from] StreamError),
    /// The bytes made now are not those that an interrupted run began to upload.
    #[error("the stream of this snapshot is no longer the one whose upload of {0} was interrupted")]
    Diverged(StreamName),
    /// The journal of an upload could not be kept.
    #[error("cannot keep the upload journal {path}")]
    Journal {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An object is not what it was when it was written.
    #[error("{key} is damaged: {what}")]
    Damaged {
        /// Which object.
        key: String,
        /// What is wrong with it.
        what: String,
    },
    /// An object of a newer format.
    #[error("{key} is of format {found}, and this program reads up to {known}")]
    NewerFormat {
        /// Which object.
        key: Key,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Another machine archives under this host's name.
    #[error("the store holds streams of another machine under the host name {0}")]
    OtherHost(HostName),
    /// A recipient or an identity is not one.
    #[error("{0}")]
    Key(String),
    /// None of the given identities opens an object.
    #[error("none of the given identities opens {0}")]
    NoIdentityMatches(String),
    /// An encrypted object and no identity to open it with.
    #[error("{0} is encrypted and no identity was given")]
    NoIdentity(String),
    /// Compressing or decompressing failed.
    #[error("zstd failed on {what}")]
    Zstd {
        /// What it was working on.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A promise inside this program was broken, for example a thread that died.
    #[error("internal error: {0}")]
    Bug(&'static str),
}

impl ArchiveError {
    /// An object that is not what it was.
    pub(crate) fn damaged(key: &Key, what: impl Into<String>) -> Self {
        Self::Damaged { key: key.to_string(), what: what.into() }
    }
}
