//! Which snapshot the next stream is relative to, or why there is none.

use std::num::NonZeroU32;

use jiff::Timestamp;
use serde::Serialize;
use subvault_model::names::{SnapshotName, StreamName};
use subvault_model::stream::StreamSummary;
use subvault_model::subvolume::LocalSnapshot;

use crate::chain::chains;
use crate::observed::ObservedTarget;
use crate::policy::{ArchivePolicy, Fulls};

/// The decision, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum ParentChoice<'a> {
    /// The difference from `snapshot`, which the published `stream` was made of.
    Incremental {
        /// The tip of the chain that is continued.
        stream: &'a StreamSummary,
        /// The same snapshot, here on the pool.
        snapshot: &'a LocalSnapshot,
    },
    /// Everything, and why.
    Full(NoParent),
}

/// Why a full is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum NoParent {
    /// The user asked for it.
    Asked,
    /// The target has nothing of this subvolume.
    TargetEmpty,
    /// The last full is as old as the cadence allows.
    Due {
        /// When the last full's snapshot was taken.
        last_full: Timestamp,
        /// The configured cadence.
        every_days: NonZeroU32,
    },
    /// Another set of keys opens the newest chain, of which all is needed to restore.
    KeysChanged,
    /// The snapshot of the last published stream is no longer on the pool.
    GoneHere {
        /// What it was called.
        wanted: SnapshotName,
    },
    /// A snapshot of that name or uuid exists, but is not what was sent: changed or writable.
    ChangedHere {
        /// Which one.
        snapshot: SnapshotName,
    },
    /// The newest generation in the store has a gap.
    ChainBroken {
        /// The first stream that cannot be reached.
        at: StreamName,
    },
    /// A stream of the newest generation lacks chunks, so nothing that builds on it could be restored.
    ChainIncomplete {
        /// The first such stream.
        at: StreamName,
    },
}

impl std::fmt::Display for NoParent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Asked => write!(f, "a full was asked for"),
            Self::TargetEmpty => write!(f, "nothing is archived there yet"),
            Self::Due { last_full, every_days } => {
                write!(f, "the last full is of {last_full:.0} and one is due every {every_days} days")
            }
            Self::KeysChanged => write!(f, "the recipients were changed, and whoever reads a chain needs all of it"),
            Self::GoneHere { wanted } => {
                write!(f, "the parent snapshot {wanted} is no longer on the pool")
            }
            Self::ChangedHere { snapshot } => write!(f, "the parent snapshot {snapshot} was changed since it was sent"),
            Self::ChainBroken { at } => {
                write!(f, "the newest chain in the store has a gap before {at}")
            }
            Self::ChainIncomplete { at } => {
                write!(f, "the store has lost chunks of {at}, which the next stream would build on")
            }
        }
    }
}

/// Chooses the parent for the next stream of a subvolume.
#[must_use]
pub fn choose<'a>(
    target: &'a ObservedTarget,
    snapshots: &'a [LocalSnapshot],
    settings: &ArchivePolicy,
    fulls: Fulls,
    now: Timestamp,
) -> ParentChoice<'a> {
    if fulls == Fulls::Now {
        return ParentChoice::Full(NoParent::Asked);
    }
    let (full, tip) = match newest(target) {
        Ok(ends) => ends,
        Err(because) => return ParentChoice::Full(because),
    };
    if let Some(every_days) = settings.full_every_days
        && is_due(full.snapshot.taken, every_days, now)
    {
        return ParentChoice::Full(NoParent::Due { last_full: full.snapshot.taken, every_days });
    }
    if full.recipients != settings.recipients || tip.recipients != settings.recipients {
        return ParentChoice::Full(NoParent::KeysChanged);
    }
    match find_here(tip, snapshots) {
        Ok(snapshot) => ParentChoice::Incremental { stream: tip, snapshot },
        Err(because) => ParentChoice::Full(because),
    }
}

/// A full is due when the last one is at least that old. A last full from the future (the clock was set back)
/// is not old.
fn is_due(last_full: Timestamp, every_days: NonZeroU32, now: Timestamp) -> bool {
    now.as_second().saturating_sub(last_full.as_second()) >= i64::from(every_days.get()) * 86_400
}

/// The full and the tip of the newest generation, when all of it can be restored.
pub(crate) fn newest(target: &ObservedTarget) -> Result<(&StreamSummary, &StreamSummary), NoParent> {
    let chains = chains(&target.streams);
    let newest = chains.last().ok_or(NoParent::TargetEmpty)?;
    if let Some(first) = newest.unreachable.first() {
        return Err(NoParent::ChainBroken { at: first.name.clone() });
    }
    if let Some(hollow) = newest.streams.iter().find(|s| target.incomplete.contains(&s.name)) {
        return Err(NoParent::ChainIncomplete { at: hollow.name.clone() });
    }
    newest.streams.first().copied().zip(newest.tip()).ok_or(NoParent::TargetEmpty)
}

/// Finds the tip's snapshot on the pool: the very one, or a received copy of it, unchanged since.
pub(crate) fn find_here<'a>(
    tip: &StreamSummary,
    snapshots: &'a [LocalSnapshot],
) -> Result<&'a LocalSnapshot, NoParent> {
    let same = snapshots.iter().find(|s| s.uuid == tip.snapshot.uuid);
    match same {
        Some(same) if same.read_only && same.ctransid == tip.snapshot.ctransid => Ok(same),
        _ => match (snapshots.iter().find(|s| is_copy(tip, s)), same) {
            (Some(copy), _) => Ok(copy),
            (None, Some(changed)) => Err(NoParent::ChangedHere { snapshot: changed.name.clone() }),
            (None, None) => Err(NoParent::GoneHere { wanted: tip.snapshot.name.clone() }),
        },
    }
}

/// A copy that came back by receive carries the identity of what it was sent from, and the kernel's send then names
/// it as the parent. The identity alone is not enough: read-only snapshots inherit it from what they were taken of,
/// and a subvolume that was made writable by an old tool still has it. A copy has the original's name, they do not.
fn is_copy(tip: &StreamSummary, snapshot: &LocalSnapshot) -> bool {
    snapshot.read_only
        && snapshot.name == tip.snapshot.name
        && snapshot.received.is_some_and(|r| tip.snapshot.uuid.is_copied_as(&r))
}
