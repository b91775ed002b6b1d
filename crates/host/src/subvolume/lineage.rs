//! What a subvolume descends from by snapshots, and when its line left each of them.
//!
//! A tree is never edited in place: a block that was written before the snapshot is the same block in both lines. That is
//! what a comparison by transactions rests on, so a transaction must never be told here that is later than the truth.

use subvault_model::ids::{SnapshotUuid, TransactionId};

use super::{Subvolume, SubvolumeInfo};
use crate::error::Result;

/// A subvolume in whose line another stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ancestor {
    /// Its uuid; the subvolume may be gone.
    pub uuid: [u8; 16],
    /// The transaction in which the line left it; `None` for the subvolume whose line it is.
    pub left: Option<TransactionId>,
}

impl Subvolume {
    /// Itself, what it is a snapshot of, and so on, as far as the pool knows.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn lineage(&self) -> Result<Vec<Ancestor>> {
        let pool = self.pool()?;
        let mut line: Vec<Ancestor> = Vec::new();
        let mut left = None;
        let mut at: Option<SubvolumeInfo> = Some(self.info()?);
        while let Some(info) = at {
            line.extend(info.uuid.map(|uuid| Ancestor { uuid: *uuid.as_bytes(), left }));
            let Some(parent) = info.parent_uuid.map(|uuid| *uuid.as_bytes()) else { break };
            left = Some(info.otransid);
            at = SnapshotUuid::from_bytes(parent).map(|uuid| pool.find_by_uuid(uuid)).transpose()?.flatten();
            // A ring would be a damaged pool.
            if line.iter().any(|known| known.uuid == parent) {
                break;
            }
            if at.is_none() {
                line.push(Ancestor { uuid: parent, left });
            }
        }
        Ok(line)
    }
}

/// The transaction in which two lines parted: what neither has written since then is the same in both.
///
/// `None` where that is not known.
#[must_use]
pub fn parted(one: &[Ancestor], other: &[Ancestor]) -> Option<TransactionId> {
    let common = one.iter().find_map(|mine| {
        let theirs = other.iter().find(|theirs| theirs.uuid == mine.uuid)?;
        Some(mine.left.into_iter().chain(theirs.left).min())
    });
    common.flatten().filter(|transaction| transaction.0 > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Line = [(u8, Option<u64>)];

    fn line(of: &Line) -> Vec<Ancestor> {
        of.iter().map(|(name, left)| Ancestor { uuid: [*name; 16], left: left.map(TransactionId) }).collect()
    }

    #[test]
    fn lines_part_where_the_first_of_them_left_what_they_share() {
        let table: &[(&Line, &Line, Option<u64>)] = &[
            // Two snapshots of one subvolume.
            (&[(1, None), (9, Some(10))], &[(2, None), (9, Some(20))], Some(10)),
            (&[(2, None), (9, Some(20))], &[(1, None), (9, Some(10))], Some(10)),
            // A snapshot of the other one, and of a copy of it.
            (&[(1, None), (9, Some(10))], &[(2, None), (1, Some(30)), (9, Some(10))], Some(30)),
            (&[(1, None), (9, Some(10))], &[(3, None), (2, Some(50)), (1, Some(30)), (9, Some(10))], Some(30)),
            // Kernels that did not know when, the same twice, and nothing in common.
            (&[(1, None), (9, Some(0))], &[(2, None), (9, Some(20))], None),
            (&[(1, None), (9, Some(10))], &[(1, None), (9, Some(10))], None),
            (&[(1, None)], &[(2, None)], None),
        ];
        for (one, other, expected) in table {
            assert_eq!(parted(&line(one), &line(other)), expected.map(TransactionId), "{one:?} {other:?}");
        }
    }
}
