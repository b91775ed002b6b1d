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
        let pid = std::process::id();
        Ok(Self { owner: format!("{}-{pid}-{}", boot()?, identity::process_start(pid).unwrap_or(0)), given: 0 })
    }

    /// One that was not given out before.
    pub(super) fn next(&mut self) -> OsString {
        self.given += 1;
        OsString::from(format!("{PREFIX}{}-{}", self.owner, self.given))
    }

    /// The names in a directory that killed copies left.
    pub(super) fn dead_in(dir: &OwnedFd) -> std::result::Result<Vec<OsString>, Errno> {
        let boot = boot().unwrap_or_default();
        Ok(names_in(dir)?.into_iter().filter(|name| is_dead(name, &boot)).collect())
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
        if path.file_name().is_some_and(|name| boot().is_ok_and(|boot| is_dead(name, &boot))) {
            return self.remove(path);
        }
        let hint = "it is not what a killed copy left";
        Err(HostError::because("remove", self.path().join(path), HostErrorKind::Refused, hint))
    }
}

/// The beginning of what names this boot.
fn boot() -> Result<String> {
    Ok(identity::boot_id()?.chars().filter(char::is_ascii_hexdigit).take(12).collect())
}

/// Whether a name is one of ours and its process is gone.
fn is_dead(name: &OsStr, this_boot: &str) -> bool {
    let owner = name.as_bytes().strip_prefix(PREFIX.as_bytes()).and_then(|rest| std::str::from_utf8(rest).ok());
    let Some(owner) = owner else { return false };
    let mut parts = owner.split('-');
    let (Some(boot), Some(pid), Some(ticks), Some(number), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let (Ok(pid), Ok(ticks), Ok(_)) = (pid.parse::<u32>(), ticks.parse::<u64>(), number.parse::<u32>()) else {
        return false;
    };
    let is_whole = boot.len() == 12 && boot.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_whole && !this_boot.is_empty() && (boot != this_boot || identity::process_start(pid) != Some(ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_dead_processes_are_dead() {
        let mut names = Names::new().unwrap();
        let boot = boot().unwrap();
        let (one, other) = (names.next(), names.next());
        assert_ne!(one, other);
        assert!(!is_dead(&one, &boot));
        for dead in [format!("{PREFIX}0123456789ab-1-2-3"), format!("{PREFIX}{boot}-1-0-3")] {
            assert!(is_dead(OsStr::new(&dead), &boot), "{dead}");
        }
        for other in
            ["", "x", PREFIX, ".subvault-copy.mine", ".subvault-copy.0123456789ab-1-2", ".subvault-copy.a-1-2-3"]
        {
            assert!(!is_dead(OsStr::new(other), &boot), "{other}");
        }
    }
}
