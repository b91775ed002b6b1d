//! Finding the subvolumes that a stream builds on.

use std::path::{Path, PathBuf};

use subvault_model::ids::{ReceivedUuid, SnapshotUuid};

use crate::error::HostError;
use crate::mounts::Mounts;
use crate::pool::Pool;
use crate::subvolume::Subvolume;

/// Where the parent of an incremental stream, and what it clones from, is looked for.
pub trait Sources: Send {
    /// Opens the subvolume that was received from what has this uuid, or else the one that has it itself.
    ///
    /// # Errors
    /// When it cannot be told whether there is one.
    fn open(&mut self, uuid: [u8; 16]) -> Result<Option<Subvolume>, HostError>;
}

/// Looks in the whole pool, as `btrfs receive` does.
#[derive(Debug)]
pub struct WholePool {
    pool: Pool,
}

impl WholePool {
    /// The pool that `path` is on.
    ///
    /// # Errors
    /// When it is not on one.
    pub fn of(path: &Path) -> Result<Self, HostError> {
        Ok(Self { pool: Pool::containing(path)? })
    }
}

impl Sources for WholePool {
    fn open(&mut self, uuid: [u8; 16]) -> Result<Option<Subvolume>, HostError> {
        let received = match ReceivedUuid::from_bytes(uuid) {
            Some(uuid) => self.pool.find_by_received_uuid(uuid)?,
            None => Vec::new(),
        };
        let own = SnapshotUuid::from_bytes(uuid).map(|uuid| self.pool.find_by_uuid(uuid)).transpose()?.flatten();
        let mounts = Mounts::read()?;
        for info in received.into_iter().chain(own) {
            if let Some(found) = self.pool.reach(info.id, &mounts)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// Looks among subvolumes that were chosen before, and nowhere else.
#[derive(Debug, Default)]
pub struct These(pub Vec<PathBuf>);

impl Sources for These {
    fn open(&mut self, uuid: [u8; 16]) -> Result<Option<Subvolume>, HostError> {
        let mut own = None;
        for path in &self.0 {
            let candidate = Subvolume::open(path)?;
            let info = candidate.info()?;
            if info.received_uuid.is_some_and(|received| *received.as_bytes() == uuid) {
                return Ok(Some(candidate));
            }
            if info.uuid.is_some_and(|its| *its.as_bytes() == uuid) {
                own = Some(candidate);
            }
        }
        Ok(own)
    }
}
