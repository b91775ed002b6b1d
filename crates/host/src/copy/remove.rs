//! Removing a file or a tree through open directories.
//!
//! Invariant: a symbolic link is removed and never followed, and where another subvolume or file system is inside,
//! nothing is removed at all. Killed here: some of the tree is gone; the same call removes the rest.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Stat, Timespec, Timestamps};
use rustix::io::Errno;

use super::below::{Below, names_in, stat_at};
use crate::error::{HostError, HostErrorKind, Result};

const WHAT: &str = "remove";

/// What becomes of an empty directory that stands for a subvolume in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StandIn {
    /// It counts as a subvolume.
    Refuse,
    /// It is removed as any other directory.
    Take,
}

impl Below {
    /// Removes what is at `path`, with everything in it. Nothing there is nothing to do.
    ///
    /// # Errors
    /// `NotEmpty` where another subvolume or file system is inside; then nothing was removed.
    pub fn remove(&self, path: &Path) -> Result<()> {
        self.remove_tree(path, StandIn::Refuse)
    }

    /// Removes what is at `path` of a writable copy of a snapshot, with everything in it, also the empty directories that
    /// stand for subvolumes that a snapshot does not hold. The directory that it was in keeps its times: nothing else
    /// tells that there was something.
    ///
    /// # Errors
    /// As `remove`.
    pub fn forget(&self, path: &Path) -> Result<()> {
        let (parent, _) = self.parent(path)?;
        let stat = rustix::fs::fstat(&parent).map_err(self.trouble(WHAT, path))?;
        self.remove_tree(path, StandIn::Take)?;
        rustix::fs::futimens(&parent, &times(&stat)).map_err(self.trouble("set the times of the directory of", path))
    }

    fn remove_tree(&self, path: &Path, stand_in: StandIn) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        let stat = match stat_at(&parent, name) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(self.trouble(WHAT, path)(error)),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return unlinked(rustix::fs::unlinkat(&parent, name, AtFlags::empty())).map_err(self.trouble(WHAT, path));
        }
        for directory in self.directories_of(path, stand_in)?.iter().rev() {
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
        self.directories_of(path, StandIn::Refuse).map(drop)
    }

    /// A directory and all directories in it, each before those inside it.
    fn directories_of(&self, path: &Path, stand_in: StandIn) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut open = vec![path.to_owned()];
        while let Some(path) = open.pop() {
            let fd = self.directory(&path)?;
            let stat = rustix::fs::fstat(&fd).map_err(self.trouble(WHAT, &path))?;
            let is_own = self.is_inside(&stat) || (stand_in == StandIn::Take && self.stands_in(&stat));
            if !is_own {
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

/// The times of access and change of what was looked at.
fn times(stat: &Stat) -> Timestamps {
    let time = |tv_sec: i64, nanoseconds| Timespec { tv_sec, tv_nsec: i64::try_from(nanoseconds).unwrap_or(0) };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}

fn unlinked(result: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match result {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}
