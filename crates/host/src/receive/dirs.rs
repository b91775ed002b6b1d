//! The directories that are open.
//!
//! Invariant: an entry is the directory that its path leads to now: whoever renames or removes a directory, or
//! changes what it passes on, says so here. At most `MOST` are kept; a holder of a `Dir` keeps it open longer.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, Result};

use super::inode::Heritage;
use super::paths::{self, RESOLVE};

/// With what waiting jobs hold open, below the usual limit of 1024 descriptors.
const MOST: usize = 192;

/// An open directory.
pub(super) struct Dir {
    fd: OwnedFd,
    pub(super) heritage: Heritage,
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Dir {
    pub(super) fn new(fd: OwnedFd, heritage: Heritage) -> Self {
        Self { fd, heritage }
    }
}

struct Entry {
    dir: Arc<Dir>,
    used: u64,
}

/// The directories of one subvolume that were used last.
pub(super) struct Dirs {
    top: OwnedFd,
    open: BTreeMap<Vec<u8>, Entry>,
    clock: u64,
}

impl Dirs {
    pub(super) fn new(top: OwnedFd) -> Self {
        Self { top, open: BTreeMap::new(), clock: 0 }
    }

    /// The top of the subvolume.
    pub(super) fn top(&self) -> BorrowedFd<'_> {
        self.top.as_fd()
    }

    /// The directory at `path`, which `check` passed or which is empty for the top; `NOTDIR` if it is none.
    pub(super) fn get(&mut self, path: &[u8]) -> Result<Arc<Dir>> {
        self.clock += 1;
        if let Some(entry) = self.open.get_mut(path) {
            entry.used = self.clock;
            return Ok(Arc::clone(&entry.dir));
        }
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = if path.is_empty() {
            self.top.try_clone().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::MFILE))?
        } else {
            rustix::fs::openat2(&self.top, path, flags, Mode::empty(), RESOLVE)?
        };
        let heritage = Heritage::of(&fd)?;
        Ok(self.insert(path, Dir::new(fd, heritage)))
    }

    /// Whether `path` is known to be a directory.
    pub(super) fn knows(&self, path: &[u8]) -> bool {
        path.is_empty() || self.open.contains_key(path)
    }

    /// Keeps a directory that was opened elsewhere.
    pub(super) fn insert(&mut self, path: &[u8], dir: Dir) -> Arc<Dir> {
        if self.open.len() >= MOST {
            self.forget_the_older_half();
        }
        self.clock += 1;
        let dir = Arc::new(dir);
        self.open.insert(path.to_vec(), Entry { dir: Arc::clone(&dir), used: self.clock });
        dir
    }

    /// `path` and all below it may be something else from now on, or pass on other things.
    pub(super) fn forget(&mut self, path: &[u8]) {
        self.open.remove(path);
        for key in paths::below(&self.open, path) {
            self.open.remove(&key);
        }
    }

    fn forget_the_older_half(&mut self) {
        let mut uses: Vec<u64> = self.open.values().map(|entry| entry.used).collect();
        let (_, middle, _) = uses.select_nth_unstable(MOST / 2);
        let middle = *middle;
        self.open.retain(|_, entry| entry.used > middle);
    }
}
