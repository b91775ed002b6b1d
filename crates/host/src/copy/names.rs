//! Names that are given back, exchanged or taken away: only of exactly what the caller saw.
//!
//! Killed here: each of these happened or not.
//! It must never act on something that is not what was described.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;
use subvault_model::crash;
use subvault_model::file::{FileKind, FileState};

use super::below::{Below, stat_at};
use crate::error::{HostError, HostErrorKind, Result};
use crate::ioctl;

impl Below {
    /// Renames what is at `from` to `to`, where nothing is.
    ///
    /// # Errors
    /// `Refused` if it is not what was described, `Exists` if something is at `to`.
    pub fn rename(&self, from: &Path, to: &Path, there: &FileState) -> Result<()> {
        self.move_name("rename", from, to, there, RenameFlags::NOREPLACE)?;
        crash::point("undo-renamed");
        Ok(())
    }

    /// Exchanges what is at `from`, which is described, with whatever is at `to`.
    ///
    /// # Errors
    /// `Refused` if it is not what was described, `NotFound` if nothing is at `to`.
    pub fn exchange(&self, from: &Path, to: &Path, there: &FileState) -> Result<()> {
        self.move_name("exchange", from, to, there, RenameFlags::EXCHANGE)?;
        crash::point("undo-exchanged");
        Ok(())
    }

    /// Removes what is at `path`: a directory only if it is empty. Nothing there is nothing to do.
    ///
    /// # Errors
    /// `Refused` if it is not what was described, `NotEmpty` for a directory that has something in it.
    pub fn remove_exactly(&self, path: &Path, there: &FileState) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        let flags = if there.kind == FileKind::Directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        match stat_at(&parent, name) {
            Ok(stat) if self.state(&stat).is_still(there) => {}
            Ok(_) => return Err(self.not_it("remove", path)),
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(self.trouble("remove", path)(error)),
        }
        match rustix::fs::unlinkat(&parent, name, flags) {
            Ok(()) => {}
            Err(Errno::NOTEMPTY) => {
                let hint = "something is in it that was not there then";
                return Err(HostError::because("remove", self.path().join(path), HostErrorKind::NotEmpty, hint));
            }
            Err(error) => return Err(self.trouble("remove", path)(error)),
        }
        crash::point("undo-removed");
        Ok(())
    }

    /// Writes everything on the file system to disk.
    ///
    /// # Errors
    /// What the kernel says; then nothing is known about what is on disk.
    pub fn sync(&self) -> Result<()> {
        rustix::fs::syncfs(self).map_err(self.trouble("sync", Path::new("")))
    }

    /// A path of the inode with this number, below the top of a subvolume; `None` where it is gone.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn path_of(&self, inode: u64) -> Result<Option<PathBuf>> {
        if !self.btrfs {
            return Ok(None);
        }
        let trouble = |error| self.trouble("look for an inode in", Path::new(""))(error);
        let tree = ioctl::subvolume_of(self.as_fd()).map_err(trouble)?;
        let path = match ioctl::inode_path(self.as_fd(), tree, inode) {
            Ok(path) => path,
            Err(Errno::NOENT | Errno::NAMETOOLONG) => return Ok(None),
            Err(error) => return Err(trouble(error)),
        };
        let path: PathBuf = Path::new(&std::ffi::OsString::from_vec(path)).components().collect();
        Ok(self.look(&path)?.filter(|found| found.inode == inode).map(|_| path))
    }

    fn move_name(&self, what: &'static str, from: &Path, to: &Path, there: &FileState, how: RenameFlags) -> Result<()> {
        let ((dir, name), (new_dir, new_name)) = (self.parent(from)?, self.parent(to)?);
        self.require(what, &dir, from, there)?;
        rustix::fs::renameat_with(&dir, name, &new_dir, new_name, how).map_err(self.trouble(what, from))?;
        let moved = stat_at(&new_dir, new_name).map_err(self.trouble(what, to))?;
        if moved.st_ino == there.inode {
            return Ok(());
        }
        // Something else had come to have the name in between.
        rustix::fs::renameat_with(&new_dir, new_name, &dir, name, how).map_err(self.trouble(what, to))?;
        Err(self.not_it(what, from))
    }

    fn require(&self, what: &'static str, dir: &OwnedFd, path: &Path, there: &FileState) -> Result<()> {
        let name = path.file_name().unwrap_or_default();
        let stat = stat_at(dir, name).map_err(self.trouble(what, path))?;
        if self.state(&stat).is_still(there) { Ok(()) } else { Err(self.not_it(what, path)) }
    }

    fn not_it(&self, what: &'static str, path: &Path) -> HostError {
        let hint = "it has changed since it was looked at, so it is left as it is";
        HostError::because(what, self.path().join(path), HostErrorKind::Refused, hint)
    }
}
