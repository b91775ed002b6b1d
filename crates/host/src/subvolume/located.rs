//! In which subvolume a path lies, also one that does not exist any more.
//!
//! Invariant: what is told is what the kernel says of the nearest directory on the path that exists; symbolic links on
//! the way to it are followed, the last name never is. It only looks.

use std::ffi::OsString;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use subvault_model::ids::{PoolUuid, SubvolumeId};

use super::{TOP_INODE, require_btrfs};
use crate::error::{HostError, HostErrorKind, Result};
use crate::ioctl;
use crate::pool::Pool;

const WHAT: &str = "find the subvolume of";

/// Where a path lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// On which pool.
    pub pool: PoolUuid,
    /// In which subvolume.
    pub subvolume: SubvolumeId,
    /// The path below the top of that; empty for the top itself.
    pub inside: PathBuf,
}

/// Finds where an absolute path lies.
///
/// # Errors
/// `NotBtrfs`, and what else looking can give.
pub fn locate(path: &Path) -> Result<Located> {
    let (directory, rest) = split(path)?;
    let trouble = |error: Errno| HostError::new(WHAT, path, error);
    let fd = rustix::fs::open(&directory, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(trouble)?;
    require_btrfs(fd.as_fd(), WHAT, &directory)?;
    let pool = Pool::containing(&directory)?;
    let id = ioctl::subvolume_of(fd.as_fd()).map_err(trouble)?;
    let inode = rustix::fs::fstat(&fd).map_err(trouble)?.st_ino;
    let mut inside = PathBuf::new();
    if inode != TOP_INODE {
        let bytes = ioctl::inode_path(fd.as_fd(), id, inode).map_err(trouble)?;
        let name = OsString::from_vec(bytes);
        // Without the slash at its end.
        inside = Path::new(&name).components().collect();
    }
    inside.extend(rest.components());
    Ok(Located { pool: pool.uuid(), subvolume: SubvolumeId(id), inside })
}

/// The nearest directory that exists, and what comes after it.
fn split(path: &Path) -> Result<(PathBuf, PathBuf)> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
        let real = fs::canonicalize(path).map_err(|error| HostError::new(WHAT, path, error))?;
        return Ok((real, PathBuf::new()));
    }
    let (mut names, mut directory) = (Vec::new(), path);
    loop {
        let (Some(parent), Some(name)) = (directory.parent(), directory.file_name()) else {
            let hint = "a name is missing, or `..` comes after what does not exist";
            return Err(HostError::because(WHAT, path, HostErrorKind::NotFound, hint));
        };
        names.push(name);
        directory = parent;
        match fs::canonicalize(directory) {
            Ok(real) if real.is_dir() => return Ok((real, names.iter().rev().collect())),
            _ => {}
        }
    }
}
