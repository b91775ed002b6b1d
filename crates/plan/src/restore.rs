//! Which streams a restore needs, in which order.

use jiff::Timestamp;
use serde::Serialize;
use subvault_model::bytesize::ByteSize;
use subvault_model::names::{StreamName, SubvolumeName};
use subvault_model::stream::StreamSummary;

use crate::chain::ancestry;

/// The streams to receive, the full first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestorePlan {
    /// Which subvolume comes back.
    pub subvolume: SubvolumeName,
    /// The streams in order; never empty.
    pub streams: Vec<StreamSummary>,
    /// What must be fetched.
    pub fetch_bytes: ByteSize,
    /// What will be received.
    pub stream_bytes: ByteSize,
}

impl RestorePlan {
    /// When the snapshot that comes back was taken.
    #[must_use]
    pub fn taken(&self) -> Option<Timestamp> {
        self.streams.last().map(|s| s.snapshot.taken)
    }
}

/// Why nothing can be restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRestore {
    /// The store has nothing of that subvolume.
    #[error("nothing of {0} is archived there")]
    NothingArchived(SubvolumeName),
    /// Everything is younger than asked for.
    #[error("nothing of {subvolume} is archived from {at:.0} or before; the oldest is of {oldest:.0}")]
    NothingThatOld {
        /// Which subvolume.
        subvolume: SubvolumeName,
        /// What was asked for.
        at: Timestamp,
        /// What there is.
        oldest: Timestamp,
    },
    /// The stream is there, but not all it builds on.
    #[error("{stream} cannot be restored: a stream before it in its chain is missing")]
    ChainBroken {
        /// The stream that was wanted.
        stream: StreamName,
    },
}

/// Chooses the newest stream of the subvolume that was taken at `at` or before, with its chain; for `None` the one that
/// was archived last, whatever the clock said when it was taken.
///
/// # Errors
/// When there is none, or its chain has a gap; an older one is never taken silently in its place.
pub fn plan(
    subvolume: &SubvolumeName,
    streams: &[StreamSummary],
    at: Option<Timestamp>,
) -> Result<RestorePlan, NoRestore> {
    let Some(oldest) = streams.iter().map(|s| s.snapshot.taken).min() else {
        return Err(NoRestore::NothingArchived(subvolume.clone()));
    };
    let old_enough = |s: &&StreamSummary| at.is_none_or(|at| s.snapshot.taken <= at);
    let rank = |s: &StreamSummary| match at {
        None => (None, s.generation, s.sequence, s.snapshot.taken),
        Some(_) => (Some(s.snapshot.taken), s.generation, s.sequence, s.snapshot.taken),
    };
    let highest = streams.iter().filter(old_enough).map(rank).max();
    // Of rivals for the same place and the same second, the one that can be restored is meant, of several the last.
    let mut rivals: Vec<&StreamSummary> =
        streams.iter().filter(|s| old_enough(s) && Some(rank(s)) == highest).collect();
    rivals.sort_by_key(|s| (std::cmp::Reverse(s.published), &s.name));
    let Some(last) = rivals.first() else {
        let at = at.unwrap_or(oldest);
        return Err(NoRestore::NothingThatOld { subvolume: subvolume.clone(), at, oldest });
    };
    let Some(chain) = rivals.iter().find_map(|wanted| ancestry(streams, wanted)) else {
        return Err(NoRestore::ChainBroken { stream: last.name.clone() });
    };
    Ok(RestorePlan {
        subvolume: subvolume.clone(),
        streams: chain.iter().map(|s| (*s).clone()).collect(),
        fetch_bytes: chain.iter().map(|s| s.stored_bytes).sum(),
        stream_bytes: chain.iter().map(|s| s.stream_bytes).sum(),
    })
}
