//! What a name in a subvolume stands for, and the file behind it.
//!
//! Invariant: nothing is opened to be read but regular files, nothing is changed, and the last name of a path is never
//! followed if it is a symbolic link. It must never be used to decide what to delete: between looking and
//! acting, a writable subvolume changes.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use subvault_model::file_path::FilePath;
use subvault_sendstream::changes::Kind;

use crate::error::{HostError, HostErrorKind, Result};
use crate::subvolume::Subvolume;

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The number of the inode.
    pub inode: u64,
    /// What it is; `None` for what the system does not say.
    pub kind: Option<Kind>,
    /// Its size in bytes; of a directory, what its names take.
    pub size: u64,
    /// How many names it has.
    pub links: u64,
    /// When its content was last changed: seconds and nanoseconds.
    pub modified: (i64, i64),
    /// When anything of it was last changed.
    pub changed: (i64, i64),
}

impl Subvolume {
    /// Looks at a name below the top; `None` when nothing is there.
    ///
    /// # Errors
    /// What the system says, `Other` for a path that is too long for it.
    pub fn look(&self, path: &FilePath) -> Result<Option<Look>> {
        let (name, flags) = match path.as_bytes() {
            b"" => (OsStr::new(""), AtFlags::EMPTY_PATH),
            bytes => (OsStr::from_bytes(bytes), AtFlags::SYMLINK_NOFOLLOW),
        };
        match rustix::fs::statat(self.as_fd(), name, flags) {
            Ok(stat) => Ok(Some(Look {
                inode: stat.st_ino,
                kind: kind(FileType::from_raw_mode(stat.st_mode)),
                size: stat.st_size.unsigned_abs(),
                links: stat.st_nlink,
                modified: (stat.st_mtime, stat.st_mtime_nsec.cast_signed()),
                changed: (stat.st_ctime, stat.st_ctime_nsec.cast_signed()),
            })),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(HostError::new("look at", self.path().join(name), error)),
        }
    }

    /// Opens a regular file to read it; `None` when nothing is there.
    ///
    /// # Errors
    /// `Refused` for what is no regular file, or lies behind a symbolic link, which could lead out of the subvolume.
    pub fn open_file(&self, path: &FilePath) -> Result<Option<File>> {
        const WHAT: &str = "read";
        let name = OsStr::from_bytes(path.as_bytes());
        let trouble = |error| HostError::new(WHAT, self.path().join(name), error);
        let refuse = |hint| Err(HostError::because(WHAT, self.path().join(name), HostErrorKind::Refused, hint));
        // Not to be held up by a pipe.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let opened = match rustix::fs::openat2(self.as_fd(), name, flags, Mode::empty(), resolve) {
            Ok(opened) => File::from(opened),
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(Errno::LOOP) => return refuse("a symbolic link is on the way"),
            Err(error) => return Err(trouble(error)),
        };
        let stat = rustix::fs::fstat(&opened).map_err(trouble)?;
        match kind(FileType::from_raw_mode(stat.st_mode)) {
            Some(Kind::File) => Ok(Some(opened)),
            _ => refuse("it is not a regular file"),
        }
    }

    /// The value of an extended attribute of a regular file; `None` when it has none of that name.
    ///
    /// # Errors
    /// As `open_file`.
    pub fn attribute(&self, path: &FilePath, name: &str) -> Result<Option<Vec<u8>>> {
        /// `XATTR_SIZE_MAX`
        const LONGEST: usize = 64 << 10;
        let Some(file) = self.open_file(path)? else { return Ok(None) };
        let mut value = vec![0; LONGEST];
        match rustix::fs::fgetxattr(&file, name, &mut value) {
            Ok(len) => {
                value.truncate(len);
                Ok(Some(value))
            }
            Err(Errno::NODATA) => Ok(None),
            Err(error) => {
                let path = self.path().join(OsStr::from_bytes(path.as_bytes()));
                Err(HostError::new("read the attributes of", path, error))
            }
        }
    }
}

fn kind(of: FileType) -> Option<Kind> {
    match of {
        FileType::RegularFile => Some(Kind::File),
        FileType::Directory => Some(Kind::Directory),
        FileType::Symlink => Some(Kind::Symlink),
        FileType::Fifo => Some(Kind::Fifo),
        FileType::Socket => Some(Kind::Socket),
        FileType::BlockDevice | FileType::CharacterDevice => Some(Kind::Device),
        FileType::Unknown => None,
    }
}
