//! One open file, directory or node, and what commands do to it.
//!
//! Invariant: everything is done through the descriptor, so that nobody who renames or replaces names meanwhile
//! can turn a change of one file into a change of another. A device is never opened, only named (`O_PATH`).

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Timestamps, Uid, XattrFlags};
use rustix::io::{Errno, Result};

/// An inode that can be changed.
pub(crate) struct Inode {
    fd: OwnedFd,
    /// Whether `fd` is only a name for the inode: then it is changed by way of `/proc/self/fd`.
    bare: bool,
}

impl AsFd for Inode {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Inode {
    pub(crate) fn into_fd(self) -> OwnedFd {
        self.fd
    }

    pub(crate) fn open(fd: OwnedFd) -> Self {
        Self { fd, bare: false }
    }

    /// Opens an existing file or node. With `data`, a regular file is opened for writing.
    pub(crate) fn open_at(dir: impl AsFd, name: &CStr, data: bool) -> Result<Self> {
        let dir = dir.as_fd();
        let kind = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(kind.st_mode) != FileType::RegularFile {
            return Self::bare_at(dir, name);
        }
        // Should it have become something else since: a fifo does not block, a link is not followed.
        let safe = OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let access = if data { OFlags::RDWR } else { OFlags::RDONLY };
        let fd = rustix::fs::openat(dir, name, safe | access, Mode::empty())?;
        if FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) != FileType::RegularFile {
            return Err(Errno::AGAIN);
        }
        Ok(Self::open(fd))
    }

    /// Opens a node by name only.
    pub(crate) fn bare_at(dir: impl AsFd, name: &CStr) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self { fd: rustix::fs::openat(dir, name, flags, Mode::empty())?, bare: true })
    }

    /// What is named already.
    pub(crate) fn bare(named: OwnedFd) -> Self {
        Self { fd: named, bare: true }
    }

    /// The path that leads to exactly this inode, a symbolic link too, without following anything further.
    fn by_number(&self) -> String {
        format!("/proc/self/fd/{}", self.fd.as_raw_fd())
    }

    pub(crate) fn chown(&self, uid: u32, gid: u32) -> Result<()> {
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        if self.bare {
            rustix::fs::chownat(&self.fd, c"", uid, gid, AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW)
        } else {
            rustix::fs::fchown(&self.fd, uid, gid)
        }
    }

    pub(crate) fn chmod(&self, mode: u32) -> Result<()> {
        let mode = Mode::from_raw_mode(mode & 0o7777);
        if self.bare {
            rustix::fs::chmodat(rustix::fs::CWD, self.by_number(), mode, AtFlags::empty())
        } else {
            rustix::fs::fchmod(&self.fd, mode)
        }
    }

    pub(crate) fn utimes(&self, times: &Timestamps) -> Result<()> {
        if self.bare {
            rustix::fs::utimensat(&self.fd, c"", times, AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW)
        } else {
            rustix::fs::futimens(&self.fd, times)
        }
    }

    pub(crate) fn set_xattr(&self, name: &CStr, value: &[u8]) -> Result<()> {
        if self.bare {
            rustix::fs::setxattr(self.by_number(), name, value, XattrFlags::empty())
        } else {
            rustix::fs::fsetxattr(&self.fd, name, value, XattrFlags::empty())
        }
    }

    pub(crate) fn remove_xattr(&self, name: &CStr) -> Result<()> {
        if self.bare {
            rustix::fs::removexattr(self.by_number(), name)
        } else {
            rustix::fs::fremovexattr(&self.fd, name)
        }
    }

    /// Takes off what a new inode inherited from the directory that it was made in. `btrfs receive` makes
    /// files elsewhere and moves them, so they inherit nothing from it, and the stream counts on that.
    pub(crate) fn disinherit(&self) -> Result<()> {
        for name in INHERITED {
            match self.remove_xattr(name) {
                Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Opens what `named` names, and nothing else.
pub(crate) fn reopen(named: &OwnedFd, access: OFlags) -> Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", named.as_raw_fd());
    rustix::fs::open(path, access | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())
}

/// What a new inode can inherit as an attribute.
const INHERITED: [&CStr; 3] = [c"system.posix_acl_access", c"system.posix_acl_default", c"btrfs.compression"];

/// What a directory passes on to what is made in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Heritage {
    /// An access list or a compression.
    pub(crate) attributes: bool,
    /// Its group.
    pub(crate) group: bool,
}

impl Heritage {
    /// Asks an open directory.
    pub(crate) fn of(dir: impl AsFd) -> Result<Self> {
        let dir = dir.as_fd();
        let mut names = [0_u8; 512];
        let attributes = match rustix::fs::flistxattr(dir, &mut names) {
            Ok(length) => names[..length].split(|byte| *byte == 0).any(passes_on),
            // More than fits: one of them may be.
            Err(Errno::RANGE) => true,
            Err(error) => return Err(error),
        };
        let group = rustix::fs::fstat(dir)?.st_mode & 0o2000 != 0;
        Ok(Self { attributes, group })
    }

    pub(crate) fn is_none(self) -> bool {
        self == Self::default()
    }
}

fn passes_on(name: &[u8]) -> bool {
    name == b"system.posix_acl_default" || name.starts_with(b"btrfs.")
}
