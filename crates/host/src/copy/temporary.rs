//! Names of what is being copied and is not in place yet.
//!
//! Such a name says which process made it, so that what a killed copy left is known from what a living one works on.
//! Killed here: the name stays, and the next copy into the same directory removes it.
//! It must never take a name for dead whose process could still run.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::below::{Below, names_in};
use crate::error::{HostError, HostErrorKind, Result};
use crate::identity;

/// How such names begin.
const PREFIX: &str = ".subvault-copy.";

/// Gives out names.
#[derive(Debug)]
pub(super) struct Names {
    owner: String,
    given: u32,
}

impl Names {
    /// Of this process.
    pub(super) fn new() -> Result<Self> {
        Ok(Self { owner: identity::process_mark()?, given: 0 })
    }

    /// One that was not given out before.
    pub(super) fn next(&mut self) -> OsString {
        self.given += 1;
        OsString::from(format!("{PREFIX}{}.{}", self.owner, self.given))
    }

    /// The names in a directory that killed copies left.
    pub(super) fn dead_in(dir: &OwnedFd) -> std::result::Result<Vec<OsString>, Errno> {
        Ok(names_in(dir)?.into_iter().filter(|name| is_dead(name)).collect())
    }
}

impl Below {
    /// What killed copies left in a directory.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn leftovers(&self, directory: &Path) -> Result<Vec<PathBuf>> {
        let fd = self.directory(directory)?;
        let names = Names::dead_in(&fd).map_err(self.trouble("list", directory))?;
        Ok(names.into_iter().map(|name| directory.join(name)).collect())
    }

    /// Removes what a killed copy left.
    ///
    /// # Errors
    /// `Refused` if it is none.
    pub fn remove_leftover(&self, path: &Path) -> Result<()> {
        if path.file_name().is_some_and(is_dead) {
            return self.remove(path);
        }
        let hint = "it is not what a killed copy left";
        Err(HostError::because("remove", self.path().join(path), HostErrorKind::Refused, hint))
    }
}

/// Whether a name is one of ours and its process is gone.
fn is_dead(name: &OsStr) -> bool {
    let text = std::str::from_utf8(name.as_bytes()).ok();
    let mark = text.and_then(|text| text.strip_prefix(PREFIX)?.rsplit_once('.'));
    mark.is_some_and(|(mark, number)| number.parse::<u32>().is_ok() && identity::is_running(mark) == Some(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_dead_processes_are_dead() {
        let mut names = Names::new().unwrap();
        let (one, other) = (names.next(), names.next());
        assert_ne!(one, other);
        assert!(!is_dead(&one));
        assert!(is_dead(OsStr::new(".subvault-copy.00000000-1-2.3")));
        for other in ["", "x", PREFIX, ".subvault-copy.mine", ".subvault-copy.00000000-1-2", ".subvault-copy.a-1-2.3"] {
            assert!(!is_dead(OsStr::new(other)), "{other}");
        }
    }
}
