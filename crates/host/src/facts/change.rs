//! How much a subvolume changes: what was written between two of its snapshots.
//!
//! The kernel finds the leaves that were written since without looking at the others. That still takes long after much was
//! written, so it is given up after a time.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use subvault_model::bytesize::ByteSize;
use subvault_model::facts::ChangeRate;
use subvault_model::ids::{ParentUuid, SnapshotUuid};

use crate::clock;
use crate::pool::Pool;
use crate::subvolume::SubvolumeInfo;
use crate::tree_diff;

/// What is older tells nothing of today.
const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);
/// What changes in less is no measure of a day.
const SHORTEST: SignedDuration = SignedDuration::from_hours(1);
/// A subvolume is not looked at for longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The oldest and the newest snapshot of each subvolume, as far as they are recent.
#[derive(Debug)]
pub(super) struct Pairs<'a>(BTreeMap<ParentUuid, (&'a SubvolumeInfo, &'a SubvolumeInfo)>);

impl<'a> Pairs<'a> {
    /// Of these snapshots, each of which is looked at once: there may be tens of thousands.
    pub(super) fn new(snapshots: impl Iterator<Item = &'a SubvolumeInfo>, now: Timestamp) -> Self {
        let is_recent = |at: Timestamp| at <= now && now.duration_since(at) <= LONGEST;
        let age = |info: &SubvolumeInfo| (info.created, info.otransid);
        let mut pairs = BTreeMap::new();
        for info in snapshots.filter(|info| is_recent(info.created) && info.otransid.0 > 0) {
            let Some(parent) = info.parent_uuid else { continue };
            let (old, new) = pairs.entry(parent).or_insert((info, info));
            if age(info) < age(old) {
                *old = info;
            }
            if age(info) > age(new) {
                *new = info;
            }
        }
        Self(pairs)
    }

    /// Those of the subvolume with this uuid, where they are far enough apart.
    pub(super) fn of(&self, uuid: SnapshotUuid) -> Option<(&'a SubvolumeInfo, &'a SubvolumeInfo)> {
        let (old, new) = *self.0.get(&ParentUuid::from_bytes(*uuid.as_bytes())?)?;
        let is_apart = new.created.duration_since(old.created) >= SHORTEST && new.otransid > old.otransid;
        is_apart.then_some((old, new))
    }
}

/// How much was written from one snapshot to the other; `None` where nothing says.
///
/// # Errors
/// Why not, in words.
pub(super) fn rate(pool: &Pool, old: &SubvolumeInfo, new: &SubvolumeInfo) -> Result<Option<ChangeRate>, String> {
    let until = clock::monotonic() + PATIENCE;
    // A snapshot is the last act of its transaction: what it has not was written in a later one.
    let written = tree_diff::written_since(pool, new.id, old.otransid, || clock::monotonic() < until);
    match written {
        Ok(Some(written)) => Ok(per_day(written, new.created.duration_since(old.created))),
        Ok(None) => Err(format!("it was not read in {} seconds", PATIENCE.as_secs())),
        Err(error) => Err(error.to_string()),
    }
}

fn per_day(written: ByteSize, between: SignedDuration) -> Option<ChangeRate> {
    let seconds = u128::try_from(between.as_secs()).ok().filter(|seconds| *seconds > 0)?;
    let bytes = u128::from(written.get()) * 86_400 / seconds;
    let hours = u32::try_from(seconds / 3600).ok()?;
    Some(ChangeRate { per_day: ByteSize::bytes(u64::try_from(bytes).unwrap_or(u64::MAX)), hours })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use subvault_model::ids::{SubvolumeId, TransactionId};

    use super::*;

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;

    fn snapshot(id: u64, of: u8, created: i64) -> SubvolumeInfo {
        SubvolumeInfo {
            id: SubvolumeId(id),
            parent_id: Some(SubvolumeId::TOP),
            directory: 256,
            name: OsString::from("x"),
            uuid: SnapshotUuid::from_bytes([9; 16]),
            parent_uuid: ParentUuid::from_bytes([of; 16]),
            received_uuid: None,
            generation: TransactionId(id),
            ctransid: TransactionId(id),
            otransid: TransactionId(id),
            stransid: TransactionId(0),
            rtransid: TransactionId(0),
            created: Timestamp::from_second(created).unwrap(),
            read_only: true,
        }
    }

    #[test]
    fn the_oldest_and_the_newest_of_a_month_are_compared() {
        let now = 100 * DAY;
        let of = |snapshots: &[SubvolumeInfo]| {
            let uuid = SnapshotUuid::from_bytes([1; 16]).unwrap();
            let pairs = Pairs::new(snapshots.iter(), Timestamp::from_second(now).unwrap());
            pairs.of(uuid).map(|(old, new)| (old.id.0, new.id.0))
        };
        let all = [
            snapshot(1, 1, now - 31 * DAY),
            snapshot(2, 1, now - 29 * DAY),
            snapshot(3, 2, now - 29 * DAY - 1),
            snapshot(4, 1, now - DAY),
            snapshot(5, 2, now - HOUR),
            snapshot(6, 1, now + HOUR),
        ];
        assert_eq!(of(&all), Some((2, 4)));
        assert_eq!(of(&all[..3]), None);
        assert_eq!(of(&[snapshot(1, 1, now - 2 * HOUR), snapshot(2, 1, now - HOUR - 1)]), None);
        assert_eq!(of(&[snapshot(1, 1, now - 2 * HOUR), snapshot(2, 1, now - HOUR)]), Some((1, 2)));
        // A clock that was set back between them.
        assert_eq!(of(&[snapshot(2, 1, now - 3 * HOUR), snapshot(1, 1, now - HOUR)]), None);
    }

    #[test]
    fn a_rate_is_of_a_day() {
        let rate = |bytes, seconds| per_day(ByteSize::bytes(bytes), SignedDuration::from_secs(seconds));
        assert_eq!(rate(1000, 2 * HOUR), Some(ChangeRate { per_day: ByteSize::bytes(12_000), hours: 2 }));
        assert_eq!(rate(1000, 2 * DAY), Some(ChangeRate { per_day: ByteSize::bytes(500), hours: 48 }));
        assert_eq!(rate(1000, 0), None);
    }
}
