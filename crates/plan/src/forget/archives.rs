//! What archives may still hold of what is forgotten, until when, and what of it goes once something newer is there.
//!
//! A stream has no list of what is in it. A generation is known not to hold a path only if every snapshot that it was made
//! of is still on the pool, unchanged, and does not have it; each of its streams then tells of nothing else.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use subvault_model::bytesize::ByteSize;
use subvault_model::ids::{SnapshotUuid, TransactionId};
use subvault_model::names::StreamName;
use subvault_model::stream::{Generation, StreamSummary};

use crate::chain::{Chain, chains};
use crate::policy::ArchivePolicy;

/// The snapshots on the pool that do not hold it, and their last changes.
pub type Clean = BTreeMap<SnapshotUuid, TransactionId>;

/// One generation at a target that may hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MayHold {
    /// Its number.
    pub generation: Generation,
    /// How many streams it has.
    pub streams: usize,
    /// When the first of its snapshots was taken.
    pub from: Timestamp,
    /// When the last one was.
    pub to: Timestamp,
    /// How much is stored.
    pub stored_bytes: ByteSize,
    /// How many further fulls must be archived before `gc` removes it.
    pub fulls_before: u32,
    /// When that can be at the earliest, as fulls become due and storage is paid for; `None`: fulls are archived when
    /// somebody asks for them.
    pub not_before: Option<Timestamp>,
}

/// Whether a chain surely does not hold it.
pub(crate) fn is_clean(chain: &Chain<'_>, clean: &Clean) -> bool {
    let known = |s: &&StreamSummary| clean.get(&s.snapshot.uuid) == Some(&s.snapshot.ctransid);
    chain.streams.iter().chain(&chain.unreachable).all(known)
}

/// Whether a chain can be restored as a whole.
pub(crate) fn is_whole(chain: &Chain<'_>, incomplete: &BTreeSet<StreamName>) -> bool {
    !chain.streams.is_empty()
        && chain.unreachable.is_empty()
        && chain.streams.iter().all(|stream| !incomplete.contains(&stream.name))
}

/// The generations that may hold it, the oldest first.
#[must_use]
pub fn may_hold(policy: &ArchivePolicy, streams: &[StreamSummary], clean: &Clean, now: Timestamp) -> Vec<MayHold> {
    let chains = chains(streams);
    let newer = |chain: &Chain<'_>| chains.iter().filter(|other| other.generation > chain.generation).count();
    let tell = |chain: &Chain<'_>| {
        let all = || chain.streams.iter().chain(&chain.unreachable);
        let taken = || all().map(|stream| stream.snapshot.taken);
        let newer = u32::try_from(newer(chain)).unwrap_or(u32::MAX);
        let fulls_before = policy.keep_generations.get().saturating_sub(newer);
        let published = all().map(|stream| stream.published).max().unwrap_or(now);
        let paid_for = published.as_second().saturating_add(i64::from(policy.minimum_storage_days) * DAY);
        // The next full comes with the next stream, as what that would be relative to is gone.
        let cadence = match (fulls_before, policy.full_every_days) {
            (0 | 1, _) => Some(now.as_second()),
            (more, Some(days)) => {
                Some(now.as_second().saturating_add(i64::from(more - 1) * i64::from(days.get()) * DAY))
            }
            (_, None) => None,
        };
        let not_before = cadence.and_then(|at| Timestamp::from_second(at.max(paid_for)).ok());
        MayHold {
            generation: chain.generation,
            streams: all().count(),
            from: taken().min().unwrap_or(now),
            to: taken().max().unwrap_or(now),
            stored_bytes: all().map(|stream| stream.stored_bytes).sum(),
            fulls_before,
            not_before,
        }
    };
    chains.iter().filter(|chain| !is_clean(chain, clean)).map(tell).collect()
}

const DAY: i64 = 86_400;

/// Whether a full must be archived before anything may go: unless the newest generation is whole and surely clean.
#[must_use]
pub fn needs_full(streams: &[StreamSummary], incomplete: &BTreeSet<StreamName>, clean: &Clean) -> bool {
    chains(streams).last().is_none_or(|newest| !is_whole(newest, incomplete) || !is_clean(newest, clean))
}
