//! Why a stream could not be applied.
//!
//! Invariant: every error names the command and the path that it was about; the system's words are in
//! `source`. Plain data; it must never hold more of the stream than a path.

use std::fmt;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::error::HostError;

/// A path of the stream, for people: what is not UTF-8 is replaced, a control character is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown(String);

impl Shown {
    pub(super) fn new(path: &[u8]) -> Self {
        Self(String::from_utf8_lossy(path).escape_debug().to_string())
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("the top directory") } else { write!(f, "`{}`", self.0) }
    }
}

/// A stream that could not be applied. What was received so far stays, writable and without received uuid.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// Something about the destination that is not a matter of one command.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The destination directory is of no use.
    #[error("cannot receive into {}", path.display())]
    Destination {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: Errno,
    },
    /// The stream needs a subvolume that is not here.
    #[error("the stream needs the subvolume that has or was received from {uuid} as {role}, and the pool has none")]
    SourceMissing {
        /// What it is needed for.
        role: &'static str,
        /// Its uuid.
        uuid: String,
    },
    /// Commands in an order that makes no sense.
    #[error("the stream is not in order: {0}")]
    Order(&'static str),
    /// A command that cannot be carried out here.
    #[error("cannot apply `{command}` to {path}: {reason}")]
    Refused {
        /// The command.
        command: &'static str,
        /// What it was about.
        path: Shown,
        /// Why.
        reason: &'static str,
    },
    /// The system refused what a command asks for.
    #[error("cannot apply `{command}` to {path}")]
    Apply {
        /// The command.
        command: &'static str,
        /// What it was about.
        path: Shown,
        /// What the system said.
        source: Errno,
    },
    /// Compressed data that does not unpack.
    #[error("cannot unpack what `encoded_write` brings for {path}")]
    Unpack {
        /// What it was about.
        path: Shown,
        /// What is wrong with it.
        source: super::unpack::UnpackError,
    },
    /// A thread could not be started, or ended before its work.
    #[error("cannot write in parallel")]
    Thread(#[source] std::io::Error),
}

/// The result of applying a command.
pub(super) type Result<T> = std::result::Result<T, ReceiveError>;

/// Gives an error of the system its command and path.
pub(super) fn failed(command: &'static str, path: &[u8]) -> impl FnOnce(Errno) -> ReceiveError {
    move |source| ReceiveError::Apply { command, path: Shown::new(path), source }
}

/// A command that is not carried out.
pub(super) fn refused(command: &'static str, path: &[u8], reason: &'static str) -> ReceiveError {
    ReceiveError::Refused { command, path: Shown::new(path), reason }
}
