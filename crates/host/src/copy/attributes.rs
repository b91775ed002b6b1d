//! Owner, permissions, times, access lists and other attributes of one inode.
//!
//! Invariant: they are set in the order in which one does not undo another: the owner before the permissions (or a
//! setuid bit would go) and before the attributes (or capabilities would), the times last. Inode flags are not carried.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{Stat, Timespec, Timestamps};
use rustix::io::{Errno, Result};

use crate::receive::inode::Inode;

/// Extended attributes by name.
pub(super) type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a security module gives each file of its own accord, and Btrfs' own properties: never a difference, never a
/// reason to fail.
fn is_given(name: &[u8]) -> bool {
    matches!(name, b"security.selinux" | b"security.SMACK64" | b"security.ima" | b"security.evm")
        || name.starts_with(b"btrfs.")
}

/// The attributes of a named inode (`O_PATH` is enough).
pub(super) fn read(named: &OwnedFd) -> Result<Xattrs> {
    let path = format!("/proc/self/fd/{}", named.as_raw_fd());
    let names = match grown(|buffer| rustix::fs::listxattr(path.as_str(), buffer)) {
        Ok(names) => names,
        Err(Errno::OPNOTSUPP) => return Ok(Xattrs::new()),
        Err(error) => return Err(error),
    };
    let mut found = Xattrs::new();
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        match grown(|buffer| rustix::fs::getxattr(path.as_str(), name, buffer)) {
            Ok(value) => drop(found.insert(name.to_vec(), value)),
            Err(Errno::NODATA) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Reads with a larger buffer until it fits.
fn grown(mut read: impl FnMut(&mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
    let mut buffer = vec![0; 512];
    loop {
        match read(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            Err(Errno::RANGE) if buffer.len() < 1 << 20 => buffer = vec![0; buffer.len() * 4],
            Err(error) => return Err(error),
        }
    }
}

/// Whether two inodes have the same attributes, as far as people set them.
pub(super) fn is_same(one: &OwnedFd, other: &OwnedFd) -> Result<bool> {
    let set = |mut all: Xattrs| {
        all.retain(|name, _| !is_given(name));
        all
    };
    Ok(set(read(one)?) == set(read(other)?))
}

/// What could not be set because the file system has no place for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lost {
    /// The owner or the permissions.
    pub(super) owner: bool,
    /// Attributes, access lists among them.
    pub(super) attributes: bool,
}

/// Makes the attributes of `inode` those of `from`, whose `stat` is given. `named` names the same inode.
pub(super) fn carry(from: &OwnedFd, stat: &Stat, inode: &Inode, named: &OwnedFd) -> Result<Lost> {
    let mut lost = Lost::default();
    let is_link = stat.st_mode & 0o170_000 == 0o120_000;
    lost.owner |= cannot(inode.chown(stat.st_uid, stat.st_gid))?;
    let (wanted, there) = (read(from)?, read(named)?);
    for name in there.keys().filter(|name| !wanted.contains_key(*name) && !is_given(name)) {
        // Inherited from the directory that it was made in.
        lost.attributes |= cannot(inode.remove_xattr(&c_string(name)?))?;
    }
    for (name, value) in wanted.iter().filter(|(name, value)| there.get(*name) != Some(value)) {
        let result = inode.set_xattr(&c_string(name)?, value);
        match cannot(result) {
            Ok(missing) => lost.attributes |= missing && !is_given(name),
            Err(_) if is_given(name) => {}
            Err(error) => return Err(error),
        }
    }
    if !is_link {
        lost.owner |= cannot(inode.chmod(stat.st_mode & 0o7777))?;
    }
    inode.utimes(&times(stat))?;
    Ok(lost)
}

/// The times of an inode, as they are set.
fn times(stat: &Stat) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: stat.st_atime, tv_nsec: nanoseconds(stat.st_atime_nsec) },
        last_modification: Timespec { tv_sec: stat.st_mtime, tv_nsec: nanoseconds(stat.st_mtime_nsec) },
    }
}

fn nanoseconds(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(0)
}

/// Whether it was refused because this file system has no place for it.
fn cannot(result: Result<()>) -> Result<bool> {
    match result {
        Ok(()) => Ok(false),
        Err(Errno::OPNOTSUPP | Errno::NODATA | Errno::PERM) => Ok(true),
        Err(error) => Err(error),
    }
}

fn c_string(name: &[u8]) -> Result<std::ffi::CString> {
    std::ffi::CString::new(name).map_err(|_| Errno::INVAL)
}

/// Opens an inode so that it can be changed: a file or directory itself, of everything else its name alone.
pub(super) fn changeable(named: &OwnedFd, opened: bool) -> Result<Inode> {
    if opened {
        return crate::receive::inode::reopen(named, rustix::fs::OFlags::RDONLY).map(Inode::open);
    }
    Ok(Inode::bare(named.as_fd().try_clone_to_owned().map_err(|_| Errno::MFILE)?))
}
