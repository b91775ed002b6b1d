//! Whether two things are the same to those who use them.
//!
//! Invariant: it only looks, and it reads the content only where everything else is the same.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::OFlags;
use subvault_model::file::{FileKind, FileState, Likeness};

use super::{Below, attributes, content};
use crate::error::Result;
use crate::receive::inode::reopen;

impl Below {
    /// How alike what is at `path` is to what is at `there` of `other`. Of directories only they themselves are compared,
    /// and not their times, which change with every name in them.
    ///
    /// # Errors
    /// When one of them cannot be looked at.
    pub fn compare(&self, path: &Path, other: &Self, there: &Path) -> Result<Likeness> {
        let one = self.name(path).map_err(self.trouble("compare", path))?;
        let two = other.name(there).map_err(other.trouble("compare", there))?;
        let stat = rustix::fs::fstat(&one).map_err(self.trouble("compare", path))?;
        let stat_there = rustix::fs::fstat(&two).map_err(other.trouble("compare", there))?;
        let (state, state_there) = (self.state(&stat), other.state(&stat_there));
        if state.kind != state_there.kind || (state.kind == FileKind::Device && stat.st_rdev != stat_there.st_rdev) {
            return Ok(Likeness::Differs);
        }
        if self.btrfs && other.btrfs && state.is_untouched(&state_there) {
            // The same inode in a subvolume and its snapshot, and the kernel's own clock says that it was left alone.
            return Ok(Likeness::Same);
        }
        let same_content = match state.kind {
            FileKind::File => state.size == state_there.size && self.same_bytes(&one, &two, path)?,
            FileKind::Symlink => self.target(path)? == other.target(there)?,
            _ => true,
        };
        if !same_content {
            return Ok(Likeness::Differs);
        }
        let same_attributes = attributes::is_same(&one, &two).map_err(self.trouble("compare", path))?;
        Ok(if same_attributes && is_owned_alike(&state, &state_there) {
            Likeness::Same
        } else {
            Likeness::AttributesDiffer
        })
    }

    fn same_bytes(&self, one: &OwnedFd, two: &OwnedFd, path: &Path) -> Result<bool> {
        let same = || content::is_same(reopen(one, OFlags::RDONLY)?, reopen(two, OFlags::RDONLY)?);
        same().map_err(self.trouble("compare", path))
    }
}

fn is_owned_alike(one: &FileState, other: &FileState) -> bool {
    let same_time = one.modified == other.modified || one.kind == FileKind::Directory;
    (one.mode, one.uid, one.gid) == (other.mode, other.uid, other.gid) && same_time
}
