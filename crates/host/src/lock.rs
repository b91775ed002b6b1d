//! One run at a time.
//!
//! Invariant: whoever holds the kernel's lock on the file is the run; the text in the file only says
//! who that is. Killed here: the kernel lets go of the lock with the process and the text stays, by
//! which the next run notices. It must never remove or rename the file, as two processes could then
//! hold locks on two files of one name, and never ask the text whether it may run.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::HostError;
use crate::{clock, identity};

/// Who holds, or held, a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The process.
    pub pid: u32,
    /// The boot that it ran in.
    pub boot_id: String,
    /// When it started, in ticks since that boot; numbers of processes come again.
    pub start_ticks: u64,
    /// What it does.
    pub command: String,
    /// Since when.
    pub since: Timestamp,
}

impl Owner {
    fn this_process(command: &str) -> Result<Self, HostError> {
        let pid = std::process::id();
        Ok(Self {
            pid,
            boot_id: identity::boot_id()?,
            start_ticks: identity::process_start(pid).unwrap_or(0),
            command: command.to_owned(),
            since: clock::now(),
        })
    }

    /// Whether that very process still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        identity::boot_id().is_ok_and(|boot| boot == self.boot_id)
            && identity::process_start(self.pid) == Some(self.start_ticks)
    }
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{} is held by {}", .path.display(), said(.owner.as_ref()))]
    Held {
        /// The file.
        path: PathBuf,
        /// Who; `None` when it only just took the lock and did not write yet.
        owner: Option<Owner>,
    },
    /// It could not be tried.
    #[error(transparent)]
    Host(#[from] HostError),
}

fn said(owner: Option<&Owner>) -> String {
    match owner {
        Some(owner) => {
            format!("`{}` (process {}) since {}", owner.command, owner.pid, owner.since)
        }
        None => "another process".to_owned(),
    }
}

/// The right to run, until it is dropped.
#[derive(Debug)]
pub struct RunLock {
    file: File,
    taken_over_from: Option<Owner>,
}

impl RunLock {
    /// Takes the lock at `path`, for `command`, without waiting. Directories on the way are made.
    ///
    /// # Errors
    /// `Held` while another process has it.
    pub fn acquire(path: &Path, command: &str) -> Result<Self, LockError> {
        let trouble = |error: io::Error| HostError::new("lock", path, error);
        let owner = Owner::this_process(command)?;
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(trouble)?;
        }
        let mut file = open(path).map_err(trouble)?;
        let before = match file.try_lock() {
            Ok(()) => read(&mut file),
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { path: path.to_owned(), owner: read(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(trouble(error).into()),
        };
        write(&mut file, &owner).map_err(trouble)?;
        Ok(Self { file, taken_over_from: before })
    }

    /// Who held it last and died without letting go; its work may be half done.
    #[must_use]
    pub fn taken_over_from(&self) -> Option<&Owner> {
        self.taken_over_from.as_ref()
    }
}

impl Drop for RunLock {
    /// Empties the file first: text that stays means that its writer died.
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

fn open(path: &Path) -> io::Result<File> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags(no_follow)
        .open(path)
}

/// What the file says, if it says something: it is empty after a clean end, torn after an unclean one.
fn read(file: &mut File) -> Option<Owner> {
    const ENOUGH: u64 = 64 << 10;
    let mut text = Vec::new();
    file.take(ENOUGH).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

fn write(file: &mut File, owner: &Owner) -> io::Result<()> {
    let mut text = serde_json::to_vec(owner)?;
    text.push(b'\n');
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner::this_process("subvault run").unwrap()
    }

    #[test]
    fn a_second_one_is_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/lock");
        let held = RunLock::acquire(&path, "subvault run").unwrap();
        assert!(held.taken_over_from().is_none());
        let error = RunLock::acquire(&path, "subvault prune").unwrap_err();
        assert!(error.to_string().contains("`subvault run` (process"), "{error}");
        let LockError::Held { owner: Some(found), .. } = error else { panic!("{error:?}") };
        assert_eq!(found.pid, std::process::id());
        assert!(found.is_alive());
        drop(held);
        assert_eq!(std::fs::read(&path).unwrap(), b"");
        assert!(RunLock::acquire(&path, "subvault run").unwrap().taken_over_from().is_none());
    }

    #[test]
    fn text_that_stayed_is_reported_and_torn_text_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let dead = Owner { boot_id: "another boot".to_owned(), ..owner() };
        assert!(!dead.is_alive());
        std::fs::write(&path, serde_json::to_vec(&dead).unwrap()).unwrap();
        let lock = RunLock::acquire(&path, "subvault run").unwrap();
        assert_eq!(lock.taken_over_from(), Some(&dead));
        drop(lock);
        std::fs::write(&path, b"{\"pid\": 1").unwrap();
        assert!(RunLock::acquire(&path, "x").unwrap().taken_over_from().is_none());
    }

    #[test]
    fn a_number_that_came_again_is_another_process() {
        let reused = Owner { start_ticks: 1, ..owner() };
        assert!(!reused.is_alive());
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
        assert!(matches!(RunLock::acquire(&path, "x"), Err(LockError::Host(_))));
    }
}
