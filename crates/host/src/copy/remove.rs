//! Removing a file or a tree through open directories.
//!
//! Invariant: a symbolic link is removed and never followed, and where another subvolume or file system is inside,
//! nothing is removed at all. Killed here: some of the tree is gone; the same call removes the rest.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::below::{Below, names_in, stat_at};
use crate::error::{HostError, HostErrorKind, Result};

const WHAT: &str = "remove";

impl Below {
    /// Removes what is at `path`, with everything in it. Nothing there is nothing to do.
    ///
    /// # Errors
    /// `NotEmpty` where another subvolume or file system is inside; then nothing was removed.
    pub fn remove(&self, path: &Path) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        let stat = match stat_at(&parent, name) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(self.trouble(WHAT, path)(error)),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return unlinked(rustix::fs::unlinkat(&parent, name, AtFlags::empty())).map_err(self.trouble(WHAT, path));
        }
        for directory in self.directories_of(path)?.iter().rev() {
            self.empty(directory)?;
            let (parent, name) = self.parent(directory)?;
            unlinked(rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR)).map_err(self.trouble(WHAT, directory))?;
        }
        Ok(())
    }

    /// Makes sure that no other subvolume and no other file system is in the tree at `path`.
    ///
    /// # Errors
    /// `NotEmpty` if there is.
    pub fn require_own(&self, path: &Path) -> Result<()> {
        self.directories_of(path).map(drop)
    }

    /// A directory and all directories in it, each before those inside it.
    fn directories_of(&self, path: &Path) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut open = vec![path.to_owned()];
        while let Some(path) = open.pop() {
            let fd = self.directory(&path)?;
            let stat = rustix::fs::fstat(&fd).map_err(self.trouble(WHAT, &path))?;
            if !self.is_inside(&stat) {
                let hint = "another subvolume or file system; move it away first";
                return Err(HostError::because(WHAT, self.path().join(path), HostErrorKind::NotEmpty, hint));
            }
            for name in names_in(&fd).map_err(self.trouble(WHAT, &path))? {
                let stat = stat_at(&fd, &name).map_err(self.trouble(WHAT, &path))?;
                if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                    open.push(path.join(name));
                }
            }
            found.push(path);
        }
        Ok(found)
    }

    /// Removes what is in a directory and is no directory.
    fn empty(&self, path: &Path) -> Result<()> {
        let fd = self.directory(path)?;
        let names: Vec<OsString> = names_in(&fd).map_err(self.trouble(WHAT, path))?;
        for name in names {
            match rustix::fs::unlinkat(&fd, &name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(self.trouble(WHAT, &path.join(name))(error)),
            }
        }
        Ok(())
    }
}

fn unlinked(result: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match result {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}
