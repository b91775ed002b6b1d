//! Whether two subvolumes can be compared: only what descends from one subvolume by snapshots shares inode numbers.
//!
//! The kernel does not ask. Of two subvolumes that have nothing to do with each other it would take files that have the
//! same number for the same file, so this must be asked before.

use std::collections::BTreeSet;

use subvault_host::subvolume::{Subvolume, SubvolumeInfo};

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
    if lineage(older)?.is_disjoint(&lineage(newer)?) {
        return Err(JobError::Refused {
            what: format!("{} and {} do not descend from one subvolume", from.label, to.label),
            hint: "only snapshots of one subvolume, and snapshots of those, can be compared; \
                `btrfs subvolume show` tells what each is a snapshot of"
                .to_owned(),
        });
    }
    Ok(())
}

/// Its uuid, that of what it is a snapshot of, and so on. The last one may be of a subvolume that is gone.
fn lineage(of: &Subvolume) -> Result<BTreeSet<[u8; 16]>, JobError> {
    let pool = of.pool()?;
    let mut found = BTreeSet::new();
    let info = of.info()?;
    let mut at = Some(SubvolumeInfo { parent_uuid: note::parent(of.path(), &info), ..info });
    while let Some(info) = at {
        found.extend(info.uuid.map(|uuid| *uuid.as_bytes()));
        let Some(parent) = info.parent_uuid else { break };
        // A ring would be a damaged pool.
        if !found.insert(*parent.as_bytes()) {
            break;
        }
        at = match subvault_model::ids::SnapshotUuid::from_bytes(*parent.as_bytes()) {
            Some(uuid) => pool.find_by_uuid(uuid)?,
            None => None,
        };
    }
    Ok(found)
}
