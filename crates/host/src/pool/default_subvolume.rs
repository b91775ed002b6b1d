//! Which subvolume is mounted when none is named.
//!
//! Invariant: what is read is as of now, not as of the last commit. Killed here: the change is one ioctl, which happened
//! or not; it is on disk after the next commit. It must never guess: a pool that does not say has the top level.

use std::os::fd::AsFd;

use subvault_model::ids::SubvolumeId;

use crate::error::{HostError, Result};
use crate::ioctl::{self, Key};
use crate::pool::Pool;

const ROOT_TREE: u64 = 1;
/// `BTRFS_ROOT_TREE_DIR_OBJECTID`, the directory of the tree of trees.
const ROOT_TREE_DIRECTORY: u64 = 6;
const DIR_ITEM: u8 = 84;
/// `struct btrfs_dir_item`: a key, a transaction, the lengths of data and name, a kind; the name follows.
const NAME_LENGTH_AT: usize = 27;
const NAME_AT: usize = 30;

impl Pool {
    /// The subvolume that is mounted when none is named.
    ///
    /// # Errors
    /// What the kernel says; `Permission` without `CAP_SYS_ADMIN`.
    pub fn default_subvolume(&self) -> Result<SubvolumeId> {
        let from = Key { objectid: ROOT_TREE_DIRECTORY, kind: DIR_ITEM, offset: 0 };
        let to = Key { offset: u64::MAX, ..from };
        let mut found = None;
        ioctl::search(self.as_fd(), ROOT_TREE, from, to, |key, item| {
            if key.kind == DIR_ITEM {
                found = found.or_else(|| read(item));
            }
        })
        .map_err(|error| HostError::new("read the default subvolume of", self.path(), error))?;
        Ok(found.unwrap_or(SubvolumeId::TOP))
    }

    /// Makes this subvolume the one that is mounted when none is named.
    ///
    /// # Errors
    /// What the kernel says; `NotFound` when there is none of this number.
    pub fn set_default_subvolume(&self, id: SubvolumeId) -> Result<()> {
        ioctl::set_default_subvolume(self.as_fd(), id.0)
            .map_err(|error| HostError::new("set the default subvolume of", self.path(), error))
    }
}

/// The subvolume that the entry `default` leads to.
fn read(item: &[u8]) -> Option<SubvolumeId> {
    let length = u16::from_le_bytes(item.get(NAME_LENGTH_AT..NAME_LENGTH_AT + 2)?.try_into().ok()?);
    let name = item.get(NAME_AT..NAME_AT + usize::from(length))?;
    let id = u64::from_le_bytes(item.get(..8)?.try_into().ok()?);
    (name == b"default").then_some(SubvolumeId(id))
}
