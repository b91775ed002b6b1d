//! Questions and answers between two machines, as JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use subvault_model::error::Kind;
use subvault_model::file_path::FilePath;
use subvault_model::ids::{PoolUuid, SnapshotUuid};
use subvault_model::names::{HostName, SnapshotName, SubvolumeName};

use super::{Extract, Order};
use crate::error::JobError;

/// What the one that has snapshots asks of the one that has copies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub(super) enum Question {
    /// The first: who asks, and in which version.
    Hello {
        /// The version of the conversation.
        protocol: u32,
        /// Whose copies this is about.
        host: HostName,
        /// Whether anything will be changed.
        change: bool,
    },
    /// What is there?
    Look {
        /// Of which subvolume.
        subvolume: SubvolumeName,
    },
    /// What do the copies have at a path?
    LookInside {
        /// Of which subvolume.
        subvolume: SubvolumeName,
        /// The path in it.
        path: FilePath,
    },
    /// Send something back. The answer is the stream and its end, or why there is none.
    Send(Extract),
    /// Receive the stream that follows.
    Receive(Order),
    /// Remove what an interrupted receive left.
    RemoveUnfinished {
        /// Of which subvolume.
        subvolume: SubvolumeName,
        /// Of which snapshot.
        name: SnapshotName,
        /// Its identity.
        uuid: SnapshotUuid,
    },
    /// Delete a copy.
    Delete {
        /// Of which subvolume.
        subvolume: SubvolumeName,
        /// Which.
        name: SnapshotName,
        /// Its identity.
        uuid: SnapshotUuid,
    },
}

/// The answer to the first question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Welcome {
    /// The version of the conversation.
    pub(super) protocol: u32,
    /// What answers.
    pub(super) tool: String,
    /// The pool that the copies are on.
    pub(super) pool: PoolUuid,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// It was done; what came of it.
    Done(Value),
    /// It was not done.
    Failed {
        /// Why.
        what: String,
        /// What kind of trouble it is.
        kind: KindWord,
        /// What to do.
        hint: Option<String>,
    },
}

/// A kind of failure as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KindWord {
    /// `Kind::Config`, `Kind::Usage`
    Config,
    /// `Kind::Busy`
    Busy,
    /// `Kind::Unavailable`
    Unavailable,
    /// `Kind::Damaged`
    Damaged,
    /// `Kind::Refused`
    Refused,
    /// `Kind::Bug`
    Bug,
}

impl From<Kind> for KindWord {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Usage | Kind::Config => Self::Config,
            Kind::Busy => Self::Busy,
            Kind::Unavailable => Self::Unavailable,
            Kind::Damaged => Self::Damaged,
            Kind::Refused => Self::Refused,
            Kind::Bug => Self::Bug,
        }
    }
}

impl From<KindWord> for Kind {
    fn from(word: KindWord) -> Self {
        match word {
            KindWord::Config => Self::Config,
            KindWord::Busy => Self::Busy,
            KindWord::Unavailable => Self::Unavailable,
            KindWord::Damaged => Self::Damaged,
            KindWord::Refused => Self::Refused,
            KindWord::Bug => Self::Bug,
        }
    }
}

impl Answer {
    /// The answer to a question that was not done.
    pub(super) fn failed(error: &JobError) -> Self {
        Self::Failed { what: crate::driver::chain(error), kind: error.kind().into(), hint: error.hint() }
    }
}
