//! Taking snapshots.
//!
//! Invariant: what is returned is on disk; the kernel commits as part of the call. Killed here: the
//! snapshot is there as a whole or not at all, and is found by its name and uuid in the next run.
//! It must never make a writable one where a read-only one was asked for, not even for a moment.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::io::Errno;

use crate::error::{HostError, HostErrorKind, Result};
use crate::ioctl;
use crate::subvolume::{Subvolume, SubvolumeInfo, check_name, open_dir, require_btrfs};

/// Takes a read-only snapshot `name` of `source` in the directory `dir` of the same pool.
///
/// Subvolumes inside `source` are empty directories in the snapshot.
///
/// # Errors
/// `Exists`, `NoSpace`, `OtherPool`, `ReadOnly` and others.
pub fn take(source: &Subvolume, dir: &Path, name: &OsStr) -> Result<(Subvolume, SubvolumeInfo)> {
    snapshot(source, dir, name, true)
}

/// Takes a writable snapshot: the only way to write to what a read-only one holds.
///
/// # Errors
/// As `take`.
pub fn take_writable(source: &Subvolume, dir: &Path, name: &OsStr) -> Result<(Subvolume, SubvolumeInfo)> {
    snapshot(source, dir, name, false)
}

fn snapshot(source: &Subvolume, dir: &Path, name: &OsStr, read_only: bool) -> Result<(Subvolume, SubvolumeInfo)> {
    const WHAT: &str = "take the snapshot";
    let path = dir.join(name);
    check_name(&path, name)?;
    let dir_fd = open_dir(dir)?;
    require_btrfs(dir_fd.as_fd(), WHAT, &path)?;
    ioctl::snapshot(dir_fd.as_fd(), source.as_fd(), name.as_bytes(), read_only).map_err(|error| {
        let wrapped = HostError::new(WHAT, &path, error);
        match error {
            Errno::XDEV => wrapped.with_hint("what it is of is on another pool"),
            // A source that is going away, or the kernel's answer to a swap file in use.
            Errno::TXTBSY => wrapped
                .of_kind(HostErrorKind::Busy)
                .with_hint("an active swap file is in it; put that in a subvolume of its own"),
            _ => wrapped,
        }
    })?;
    let taken = Subvolume::open_below(dir_fd.as_fd(), dir, name)?;
    let info = taken.info()?;
    Ok((taken, info))
}
