//! One Btrfs file system: identity, devices, room.
//!
//! Invariant: a `Pool` holds something on the pool open, so that what it asks it asks of that pool,
//! whatever is mounted over its path later. Killed here: it only reads, but for `sync`.
//! It must never be asked for by device name: devices move, uuids do not.

mod default_subvolume;
mod space;

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use subvault_model::bytesize::ByteSize;
use subvault_model::ids::PoolUuid;

pub use space::{Profile, Purpose, Space, SpacePart};

use crate::error::{HostError, Result};
use crate::ioctl;
use crate::subvolume::require_btrfs;

/// An open pool.
#[derive(Debug)]
pub struct Pool {
    fd: OwnedFd,
    path: PathBuf,
    uuid: PoolUuid,
}

/// A device of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its number inside the pool.
    pub id: u64,
    /// Its node; `None` when it is missing.
    pub path: Option<PathBuf>,
    /// How large it is.
    pub size: ByteSize,
    /// How much of it is given to block groups.
    pub allocated: ByteSize,
}

/// Format features that a pool uses (`BTRFS_FEATURE_*` bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// Those that a kernel must know to write.
    pub compat_ro: u64,
    /// Those that a kernel must know to mount.
    pub incompat: u64,
}

impl AsFd for Pool {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Pool {
    /// The pool that `path`, a directory or file, is on.
    ///
    /// # Errors
    /// `NotBtrfs`, `NotFound`, `Permission` and others.
    pub fn containing(path: impl AsRef<Path>) -> Result<Self> {
        const WHAT: &str = "open the pool of";
        let path = path.as_ref();
        let open = |path: &Path| rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        // Never open a file itself: it could be a device or a pipe.
        let fd = match (open(path), path.parent()) {
            (Err(Errno::NOTDIR), Some(dir)) if dir.as_os_str().is_empty() => open(Path::new(".")),
            (Err(Errno::NOTDIR), Some(dir)) => open(dir),
            (opened, _) => opened,
        };
        let fd = fd.map_err(|error| HostError::new(WHAT, path, error))?;
        require_btrfs(fd.as_fd(), WHAT, path)?;
        Self::of(fd.as_fd(), path)
    }

    /// The pool that `fd` is on.
    pub(crate) fn of(fd: BorrowedFd<'_>, path: &Path) -> Result<Self> {
        let trouble = |error| HostError::new("identify the pool of", path, error);
        let info = ioctl::fs_info(fd).map_err(trouble)?;
        let uuid = PoolUuid::from_bytes(info.fsid).ok_or_else(|| trouble(Errno::IO))?;
        let fd = fd.try_clone_to_owned().map_err(|e| HostError::new("open", path, e))?;
        Ok(Self { fd, path: path.to_owned(), uuid })
    }

    /// Its uuid.
    #[must_use]
    pub fn uuid(&self) -> PoolUuid {
        self.uuid
    }

    /// The path that it was found by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its label, empty where it has none.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn label(&self) -> Result<OsString> {
        ioctl::label(self.as_fd()).map(OsString::from_vec).map_err(|error| self.trouble("read the label of", error))
    }

    /// Its devices, missing ones included.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn devices(&self) -> Result<Vec<Device>> {
        let trouble = |error| self.trouble("list the devices of", error);
        let info = ioctl::fs_info(self.as_fd()).map_err(trouble)?;
        let mut devices = Vec::new();
        // Numbers of removed devices are not used again; number 0 is a replacement under way.
        for id in 1..=info.max_id {
            if let Some(device) = ioctl::device(self.as_fd(), id).map_err(trouble)? {
                devices.push(Device {
                    id,
                    path: device_path(&device.path),
                    size: ByteSize::bytes(device.total_bytes),
                    allocated: ByteSize::bytes(device.bytes_used),
                });
            }
        }
        Ok(devices)
    }

    /// What is used and what is left.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn space(&self) -> Result<Space> {
        let devices = self.devices()?;
        let spaces = ioctl::spaces(self.as_fd()).map_err(|error| self.trouble("read the room on", error))?;
        Ok(Space::new(&devices, spaces.iter().filter_map(SpacePart::from_kernel).collect()))
    }

    /// The features that it uses.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn features(&self) -> Result<Features> {
        ioctl::features(self.as_fd())
            .map(|flags| Features { compat_ro: flags.compat_ro, incompat: flags.incompat })
            .map_err(|error| self.trouble("read the features of", error))
    }

    /// Writes everything to disk and commits.
    ///
    /// # Errors
    /// What the kernel says; then nothing is known about what is on disk.
    pub fn sync(&self) -> Result<()> {
        ioctl::sync(self.as_fd()).map_err(|error| self.trouble("sync", error))
    }

    fn trouble(&self, what: &'static str, error: Errno) -> HostError {
        HostError::new(what, &self.path, error)
    }
}

/// A missing device has no path, or on newer kernels the text `<missing disk>`.
fn device_path(bytes: &[u8]) -> Option<PathBuf> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.starts_with(b"/").then(|| OsStr::from_bytes(&bytes[..end]).into())
}
