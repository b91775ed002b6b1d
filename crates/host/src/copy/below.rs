//! A directory and what lies below it, reached through real directories only.
//!
//! Invariant: no symbolic link is followed and no mount is entered on the way from the top to a name, whoever replaces
//! directories meanwhile; and nothing but a regular file or a directory is ever opened. It only looks.

use std::ffi::{OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags, Stat};
use rustix::io::Errno;
use subvault_model::bytesize::ByteSize;
use subvault_model::file::{FileKind, FileState};

use crate::error::{HostError, HostErrorKind, Result};
use crate::subvolume::{Subvolume, open_dir};

const RESOLVE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// The inode of the top of a subvolume, and of what stands for a nested one in a snapshot.
const SUBVOLUME_INODES: [u64; 2] = [256, STAND_IN_INODE];
/// `BTRFS_EMPTY_SUBVOL_DIR_OBJECTID`
const STAND_IN_INODE: u64 = 2;

/// A directory and what lies below it. Paths are relative to it; the empty one is itself.
#[derive(Debug)]
pub struct Below {
    fd: OwnedFd,
    path: PathBuf,
    device: u64,
    pub(super) btrfs: bool,
}

impl AsFd for Below {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Below {
    /// A directory of any file system.
    ///
    /// # Errors
    /// When it is not there or is none.
    pub fn open(path: &Path) -> Result<Self> {
        Self::new(open_dir(path)?, path)
    }

    /// A subvolume or snapshot.
    ///
    /// # Errors
    /// When it is gone.
    pub fn of(subvolume: &Subvolume) -> Result<Self> {
        let trouble = |error| HostError::new("open", subvolume.path(), error);
        Self::new(subvolume.as_fd().try_clone_to_owned().map_err(trouble)?, subvolume.path())
    }

    fn new(fd: OwnedFd, path: &Path) -> Result<Self> {
        let stat = rustix::fs::fstat(&fd).map_err(|error| HostError::new("look at", path, error))?;
        let btrfs = crate::subvolume::require_btrfs(fd.as_fd(), "look at", path).is_ok();
        Ok(Self { fd, path: path.to_owned(), device: stat.st_dev, btrfs })
    }

    /// The path that it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a name stands for; `None` where there is nothing, or something else than directories on the way to it.
    ///
    /// # Errors
    /// When another mount is on the way, and what else looking can give.
    pub fn look(&self, path: &Path) -> Result<Option<FileState>> {
        match self.name(path) {
            Ok(fd) => rustix::fs::fstat(&fd).map(|stat| Some(self.state(&stat))).map_err(self.trouble("look at", path)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(self.trouble("look at", path)(error)),
        }
    }

    /// What a path of this subvolume stands for, if it lies in this subvolume: not in one inside of it, nor is one.
    ///
    /// # Errors
    /// As `look`.
    pub fn has(&self, path: &Path) -> Result<Option<FileState>> {
        let mut found = None;
        let mut above: Vec<&Path> = path.ancestors().filter(|above| !above.as_os_str().is_empty()).collect();
        above.reverse();
        for above in above {
            match self.look(above)? {
                Some(state) if state.kind != FileKind::Subvolume => found = Some(state),
                _ => return Ok(None),
            }
        }
        Ok(found)
    }

    /// The names in a directory, in the order of their bytes.
    ///
    /// # Errors
    /// When it is none.
    pub fn names(&self, path: &Path) -> Result<Vec<OsString>> {
        let fd = self.directory(path)?;
        names_in(&fd).map_err(self.trouble("list", path))
    }

    /// Where a symbolic link leads.
    ///
    /// # Errors
    /// When it is none.
    pub fn target(&self, path: &Path) -> Result<OsString> {
        let (dir, name) = self.parent(path)?;
        let target = rustix::fs::readlinkat(&dir, name, Vec::new()).map_err(self.trouble("read", path))?;
        Ok(OsString::from_vec(target.into_bytes()))
    }

    /// What an inode of this file system is.
    pub(super) fn state(&self, stat: &Stat) -> FileState {
        let is_subvolume = self.btrfs && SUBVOLUME_INODES.contains(&stat.st_ino);
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if is_subvolume => FileKind::Subvolume,
            FileType::Directory => FileKind::Directory,
            FileType::RegularFile => FileKind::File,
            FileType::Symlink => FileKind::Symlink,
            FileType::Fifo => FileKind::Fifo,
            FileType::Socket => FileKind::Socket,
            _ => FileKind::Device,
        };
        FileState {
            kind,
            inode: stat.st_ino,
            size: ByteSize::bytes(u64::try_from(stat.st_size).unwrap_or(0)),
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            links: stat.st_nlink,
            modified: moment(stat.st_mtime, stat.st_mtime_nsec),
            changed: moment(stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// Names what is at `path` without opening it.
    pub(super) fn name(&self, path: &Path) -> std::result::Result<OwnedFd, Errno> {
        self.resolve(path, OFlags::PATH | OFlags::NOFOLLOW)
    }

    /// Opens a directory.
    pub(super) fn directory(&self, path: &Path) -> Result<OwnedFd> {
        self.resolve(path, OFlags::DIRECTORY | OFlags::NOFOLLOW).map_err(self.trouble("open the directory", path))
    }

    /// The directory that `path` lies in, open, and its name there.
    pub(super) fn parent<'a>(&self, path: &'a Path) -> Result<(OwnedFd, &'a OsStr)> {
        let no_name = || HostError::because("use the name", self.path.join(path), HostErrorKind::Refused, "it is none");
        let name = path.file_name().ok_or_else(no_name)?;
        let above = path.parent().unwrap_or(Path::new(""));
        let directory = self.directory(above)?;
        self.require_same(&rustix::fs::fstat(&directory).map_err(self.trouble("look at", above))?, path)?;
        Ok((directory, name))
    }

    /// Refuses what lies in a nested subvolume: a snapshot of this one would not keep it.
    pub(super) fn require_same(&self, stat: &Stat, path: &Path) -> Result<()> {
        if stat.st_dev == self.device {
            return Ok(());
        }
        let hint = "it lies in another subvolume, nested in this one; name that subvolume";
        Err(HostError::because("change", self.path.join(path), HostErrorKind::Refused, hint))
    }

    /// Whether it is on the file system and in the subvolume of the top.
    pub(super) fn is_inside(&self, stat: &Stat) -> bool {
        stat.st_dev == self.device && !(self.btrfs && SUBVOLUME_INODES.contains(&stat.st_ino))
    }

    /// Whether it is an empty directory that stands for a subvolume which a snapshot does not hold. The kernel says that it
    /// is on another device; another file system it cannot be, as no mount is entered on the way.
    pub(super) fn stands_in(&self, stat: &Stat) -> bool {
        self.btrfs && stat.st_ino == STAND_IN_INODE
    }

    pub(super) fn trouble(&self, what: &'static str, path: &Path) -> impl FnOnce(Errno) -> HostError {
        let whole = self.path.join(path);
        move |error| match error {
            Errno::LOOP => {
                HostError::new(what, whole, error).with_hint("a symbolic link is on the way, and none is followed")
            }
            _ => HostError::new(what, whole, error),
        }
    }

    fn resolve(&self, path: &Path, flags: OFlags) -> std::result::Result<OwnedFd, Errno> {
        if path.components().any(|part| !matches!(part, Component::Normal(_))) {
            return Err(Errno::INVAL);
        }
        let path = if path.as_os_str().is_empty() { b"." } else { path.as_os_str().as_bytes() };
        rustix::fs::openat2(&self.fd, path, flags | OFlags::CLOEXEC, Mode::empty(), RESOLVE)
    }
}

/// The names in an open directory, in the order of their bytes.
pub(super) fn names_in(dir: &OwnedFd) -> std::result::Result<Vec<OsString>, Errno> {
    let mut buffer = [MaybeUninit::<u8>::uninit(); 32 << 10];
    let mut raw = RawDir::new(dir, &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = raw.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") {
            names.push(OsString::from_vec(name.to_vec()));
        }
    }
    names.sort();
    Ok(names)
}

/// What a name in an open directory stands for.
pub(super) fn stat_at(dir: impl AsFd, name: &OsStr) -> std::result::Result<Stat, Errno> {
    rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
}

fn moment(seconds: i64, nanoseconds: impl TryInto<i32>) -> Timestamp {
    let nanoseconds = nanoseconds.try_into().unwrap_or(0);
    let beyond = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::new(seconds, nanoseconds).unwrap_or(beyond)
}
