//! One subvolume: open it, look at it, mark it, delete it.
//!
//! Invariant: a `Subvolume` holds the top of a subvolume open, so that renaming or replacing its
//! path does not make it another one. Killed here: every change is one ioctl, which happened or not;
//! a subvolume created and not yet filled has no received uuid, which marks it as unfinished.
//! It must never delete what was not identified by uuid in the same call, never follow a symbolic
//! link to what it deletes, and never make a received subvolume writable.

mod exchange;
mod info;
mod lineage;
mod listing;
mod located;

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use subvault_model::ids::{ReceivedUuid, SnapshotUuid, SubvolumeId, TransactionId};

pub use info::SubvolumeInfo;
pub use lineage::{Ancestor, parted};
pub use listing::ListedSubvolume;
pub use located::{Located, locate};

use crate::error::{HostError, HostErrorKind, Result};
use crate::ioctl;
use crate::mounts::Mounts;
use crate::pool::Pool;

/// `BTRFS_FIRST_FREE_OBJECTID`: the inode of the top of every subvolume.
const TOP_INODE: u64 = 256;

/// `BTRFS_SUPER_MAGIC`
const BTRFS: i64 = 0x9123_683e;

/// An open subvolume.
#[derive(Debug)]
pub struct Subvolume {
    fd: OwnedFd,
    path: PathBuf,
    id: SubvolumeId,
}

impl AsFd for Subvolume {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Subvolume {
    /// Opens the subvolume whose top is at `path`.
    ///
    /// # Errors
    /// `NotBtrfs`, `NotASubvolume`, `NotFound` and what else opening a directory can give.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let fd = rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        Self::from_opened(fd, path.to_owned())
    }

    /// Opens the subvolume `name` in the directory `dir`; a symbolic link of that name is refused.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_in(dir: &Path, name: &OsStr) -> Result<Self> {
        Self::open_below(open_dir(dir)?.as_fd(), dir, name)
    }

    pub(crate) fn open_below(dir: BorrowedFd<'_>, dir_path: &Path, name: &OsStr) -> Result<Self> {
        let path = dir_path.join(name);
        check_name(&path, name)?;
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Self::from_opened(rustix::fs::openat(dir, name, flags, Mode::empty()), path)
    }

    fn from_opened(fd: rustix::io::Result<OwnedFd>, path: PathBuf) -> Result<Self> {
        const WHAT: &str = "open the subvolume";
        let fd = fd.map_err(|error| {
            let wrapped = HostError::new(WHAT, &path, error);
            match error {
                Errno::NOTDIR | Errno::LOOP => {
                    wrapped.of_kind(HostErrorKind::NotASubvolume).with_hint("not a directory")
                }
                _ => wrapped,
            }
        })?;
        require_btrfs(fd.as_fd(), WHAT, &path)?;
        let stat = rustix::fs::fstat(&fd).map_err(|e| HostError::new(WHAT, &path, e))?;
        if stat.st_ino != TOP_INODE {
            let hint = "a directory on Btrfs, but not a subvolume; `btrfs subvolume list` shows those";
            return Err(HostError::because(WHAT, path, HostErrorKind::NotASubvolume, hint));
        }
        let id = ioctl::subvolume_of(fd.as_fd()).map_err(|e| HostError::new(WHAT, &path, e))?;
        Ok(Self { fd, path, id: SubvolumeId(id) })
    }

    /// Makes an empty subvolume `name` in the directory `dir`.
    ///
    /// # Errors
    /// `Exists`, `NoSpace`, `ReadOnly`, `NotBtrfs` and others.
    pub fn create(dir: &Path, name: &OsStr) -> Result<Self> {
        let path = dir.join(name);
        check_name(&path, name)?;
        let dir_fd = open_dir(dir)?;
        require_btrfs(dir_fd.as_fd(), "create the subvolume", &path)?;
        ioctl::create(dir_fd.as_fd(), name.as_bytes())
            .map_err(|error| HostError::new("create the subvolume", &path, error))?;
        Self::open_below(dir_fd.as_fd(), dir, name)
    }

    /// Deletes the subvolume `name` in `dir`, if it is the one with the uuid `expected`.
    ///
    /// The uuid is read here, and the kernel is then told the subvolume's number, which is never
    /// given out twice; so whatever happens to the name meanwhile, nothing else is deleted.
    ///
    /// # Errors
    /// `Refused` if it is another subvolume, `NotEmpty` if subvolumes are inside, `Busy` if it is
    /// mounted or being sent.
    pub fn delete(dir: &Path, name: &OsStr, expected: SnapshotUuid) -> Result<()> {
        const WHAT: &str = "delete the subvolume";
        let dir_fd = open_dir(dir)?;
        let subvolume = Self::open_below(dir_fd.as_fd(), dir, name)?;
        let refuse = |kind, hint| Err(HostError::because(WHAT, &subvolume.path, kind, hint));
        let found = subvolume.info()?.uuid;
        if found != Some(expected) {
            let found = found.map_or_else(|| "none".to_owned(), |uuid| uuid.to_string());
            let hint = format!("its uuid is {found} and not {expected}, so it is another one");
            return refuse(HostErrorKind::Refused, hint);
        }
        if !subvolume.children()?.is_empty() {
            return refuse(HostErrorKind::NotEmpty, "other subvolumes are inside it".to_owned());
        }
        if let Some(mount) = Mounts::read()?.of_subvolume(&subvolume)? {
            let hint = format!("it is mounted at {}", mount.point.display());
            return refuse(HostErrorKind::Busy, hint);
        }
        ioctl::destroy(dir_fd.as_fd(), subvolume.id.0).map_err(|error| {
            let wrapped = HostError::new(WHAT, &subvolume.path, error);
            match error {
                Errno::PERM => wrapped
                    .of_kind(HostErrorKind::Busy)
                    .with_hint("it is being sent, or is the pool's default subvolume"),
                _ => wrapped,
            }
        })
    }

    /// The path that it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its number inside the pool.
    #[must_use]
    pub fn id(&self) -> SubvolumeId {
        self.id
    }

    /// The pool that it is on.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn pool(&self) -> Result<Pool> {
        Pool::of(self.as_fd(), &self.path)
    }

    /// What the kernel knows about it, as of now.
    ///
    /// # Errors
    /// When the kernel does not say, as for a subvolume that was deleted meanwhile.
    pub fn info(&self) -> Result<SubvolumeInfo> {
        ioctl::info(self.as_fd())
            .map(|args| SubvolumeInfo::from_kernel(&args))
            .map_err(|error| self.trouble("read the identity of", error))
    }

    /// The numbers of the subvolumes directly inside it.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn children(&self) -> Result<Vec<SubvolumeId>> {
        ioctl::children(self.as_fd())
            .map(|ids| ids.into_iter().map(SubvolumeId).collect())
            .map_err(|error| self.trouble("list the subvolumes in", error))
    }

    /// Whether it is read-only.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn is_read_only(&self) -> Result<bool> {
        ioctl::flags(self.as_fd())
            .map(|flags| flags & ioctl::READ_ONLY != 0)
            .map_err(|error| self.trouble("read the flags of", error))
    }

    /// Makes it read-only, as the last act of receiving or restoring.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn make_read_only(&self) -> Result<()> {
        self.set_flag(true)
    }

    /// Makes it writable again, if it was not received: that would break every later incremental.
    ///
    /// # Errors
    /// `Refused` if it was received; take a writable snapshot of it instead.
    pub fn make_writable(&self) -> Result<()> {
        if self.info()?.received_uuid.is_some() {
            let hint = "it was received, and could then no longer be a parent; take a writable snapshot of it";
            let kind = HostErrorKind::Refused;
            return Err(HostError::because("make writable", &self.path, kind, hint));
        }
        self.set_flag(false)
    }

    fn set_flag(&self, read_only: bool) -> Result<()> {
        let trouble = |error| self.trouble("change the read-only flag of", error);
        let flags = ioctl::flags(self.as_fd()).map_err(trouble)? & !ioctl::READ_ONLY;
        let flag = if read_only { ioctl::READ_ONLY } else { 0 };
        ioctl::set_flags(self.as_fd(), flags | flag).map_err(trouble)
    }

    /// Notes that it is a copy of what had this uuid and this `ctransid` where it was sent from.
    ///
    /// # Errors
    /// What the kernel says; `ReadOnly` if it was made read-only before.
    pub fn set_received(&self, from: ReceivedUuid, ctransid: TransactionId) -> Result<TransactionId> {
        ioctl::set_received(self.as_fd(), *from.as_bytes(), ctransid.0)
            .map(TransactionId)
            .map_err(|error| self.trouble("note the origin of", error))
    }

    /// Writes everything on the pool to disk and commits.
    ///
    /// # Errors
    /// What the kernel says; then nothing is known about what is on disk.
    pub fn sync_filesystem(&self) -> Result<()> {
        ioctl::sync(self.as_fd()).map_err(|error| self.trouble("sync the pool of", error))
    }

    fn trouble(&self, what: &'static str, error: Errno) -> HostError {
        HostError::new(what, &self.path, error)
    }
}

/// Opens a directory to work in.
pub(crate) fn open_dir(dir: &Path) -> Result<OwnedFd> {
    rustix::fs::open(dir, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| HostError::new("open the directory", dir, error))
}

/// Refuses what is on another kind of file system.
pub(crate) fn require_btrfs(fd: BorrowedFd<'_>, what: &'static str, path: &Path) -> Result<()> {
    let stat = rustix::fs::fstatfs(fd).map_err(|error| HostError::new(what, path, error))?;
    if stat.f_type == BTRFS {
        return Ok(());
    }
    let hint = "it is not on a Btrfs file system";
    Err(HostError::because(what, path, HostErrorKind::NotBtrfs, hint))
}

/// Refuses a name that is none, before the kernel takes part of it for a path.
pub(crate) fn check_name(path: &Path, name: &OsStr) -> Result<()> {
    let bytes = name.as_bytes();
    let bad =
        matches!(bytes, b"" | b"." | b"..") || bytes.len() > 255 || bytes.iter().any(|byte| matches!(byte, b'/' | 0));
    if !bad {
        return Ok(());
    }
    let hint = "a name has 1 to 255 bytes and neither `/` nor NUL";
    Err(HostError::because("use the name", path, HostErrorKind::Refused, hint))
}
