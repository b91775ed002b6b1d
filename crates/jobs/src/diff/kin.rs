//! Whether two subvolumes can be compared: only what descends from one subvolume by snapshots shares inode numbers.
//!
//! The kernel does not ask. Of two subvolumes that have nothing to do with each other it would take files that have the
//! same number for the same file, so this must be asked before.

use std::collections::{BTreeMap, BTreeSet};

use subvault_host::subvolume::Subvolume;
use subvault_model::ids::{ParentUuid, SnapshotUuid};

use super::Side;
use crate::error::JobError;
use crate::note;

/// Refuses what is not related, as far as the pool knows.
pub(super) fn require(from: &Side, to: &Side) -> Result<(), JobError> {
    let (older, newer) = (&from.subvolume, &to.subvolume);
    if older.pool()?.uuid() != newer.pool()?.uuid() {
        return Err(JobError::Refused {
            what: format!("{} and {} are on different pools", from.label, to.label),
            hint: "compare copies on the same pool, or use `diff -r`".to_owned(),
        });
    }
    let mut gone = BTreeMap::new();
    for directory in [&from.snapshots, &to.snapshots].into_iter().flatten() {
        gone.extend(note::gone(directory)?);
    }
    if lineage(older, &gone)?.is_disjoint(&lineage(newer, &gone)?) {
        return Err(JobError::Refused {
            what: format!("{} and {} do not descend from one subvolume", from.label, to.label),
            hint: "only snapshots of one subvolume, and snapshots of those, can be compared; \
                `btrfs subvolume show` tells what each is a snapshot of"
                .to_owned(),
        });
    }
    Ok(())
}

/// Its uuid, that of what it is a snapshot of, and so on, through what was replaced since. The last one may be of a
/// subvolume that is gone.
fn lineage(of: &Subvolume, gone: &BTreeMap<SnapshotUuid, ParentUuid>) -> Result<BTreeSet<[u8; 16]>, JobError> {
    let pool = of.pool()?;
    let info = of.info()?;
    let mut found: BTreeSet<[u8; 16]> = info.uuid.iter().map(|uuid| *uuid.as_bytes()).collect();
    // Of a snapshot that was replaced both: what the kernel says is what it replaced, and what others were made of.
    let mut open: Vec<ParentUuid> = info.parent_uuid.into_iter().chain(note::parent(of.path(), &info)).collect();
    while let Some(parent) = open.pop() {
        // A ring would be a damaged pool.
        if !found.insert(*parent.as_bytes()) {
            continue;
        }
        let Some(uuid) = SnapshotUuid::from_bytes(*parent.as_bytes()) else { continue };
        open.extend(gone.get(&uuid));
        open.extend(pool.find_by_uuid(uuid)?.and_then(|info| info.parent_uuid));
    }
    Ok(found)
}
