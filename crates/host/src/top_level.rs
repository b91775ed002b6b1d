//! The top level of a pool, mounted where nobody else sees it.
//!
//! Names of subvolumes are changed here: what is mounted on a host shows a part of the pool only, and a subvolume cannot be
//! renamed through two mounts. The mount has no place in any directory; it goes with the process, also when that is
//! killed. It must never follow a symbolic link, replace anything but an empty directory, or be given to anybody else.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
use subvault_model::ids::{SnapshotUuid, SubvolumeId};

use crate::error::{HostError, HostErrorKind, Result};
use crate::ioctl;
use crate::mounts::Mounts;
use crate::pool::Pool;
use crate::subvolume::Subvolume;

/// What the mount is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing is written; a pool that was not mounted is not changed by having been looked at.
    Look,
    /// Names are changed.
    Change,
}

/// The top level of a pool.
#[derive(Debug)]
pub struct TopLevel {
    /// Good for paths alone: it is not open for reading.
    fd: OwnedFd,
    path: PathBuf,
}

impl TopLevel {
    /// Mounts the top level of the pool that this device belongs to.
    ///
    /// # Errors
    /// `NotFound`, `NotBtrfs`, `Permission`, and what else mounting can give.
    pub fn of_device(device: &Path, access: Access) -> Result<Self> {
        let fd = match (access, mount(device, access == Access::Look, access)) {
            // It is mounted to be written to elsewhere: then this mount alone is read-only.
            (Access::Look, Err(Errno::BUSY)) => mount(device, false, access),
            (_, mounted) => mounted,
        };
        let fd = fd.map_err(|error| {
            let wrapped = HostError::new("mount the top level of the pool on", device, error);
            match error {
                Errno::INVAL => {
                    wrapped.of_kind(HostErrorKind::NotBtrfs).with_hint("is Btrfs on it, and are all its devices there?")
                }
                Errno::PERM => wrapped.with_hint("only root may"),
                _ => wrapped,
            }
        })?;
        // What is opened by this path is opened through the mount, as by a directory.
        let path = PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
        Ok(Self { fd, path })
    }

    /// Mounts the top level of a pool that is mounted already.
    ///
    /// # Errors
    /// As `of_device`.
    pub fn of_pool(pool: &Pool, access: Access) -> Result<Self> {
        let device = pool.devices()?.into_iter().find_map(|device| device.path);
        let device = device.ok_or_else(|| {
            let hint = "the kernel names none of its devices";
            HostError::because("mount the top level of", pool.path(), HostErrorKind::NotFound, hint)
        })?;
        let top = Self::of_device(&device, access)?;
        if top.pool()?.uuid() == pool.uuid() {
            return Ok(top);
        }
        let hint = format!("{} holds another pool", device.display());
        Err(HostError::because("mount the top level of", pool.path(), HostErrorKind::Refused, hint))
    }

    /// The path of something in the pool, for as long as this value lives.
    #[must_use]
    pub fn join(&self, path: &Path) -> PathBuf {
        self.path.join(path)
    }

    /// The pool.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn pool(&self) -> Result<Pool> {
        Pool::containing(&self.path)
    }

    /// The subvolume at this path from the top level.
    ///
    /// # Errors
    /// As `Subvolume::open`.
    pub fn subvolume(&self, path: &Path) -> Result<Subvolume> {
        Subvolume::open(self.join(path))
    }

    /// Exchanges two subvolumes: neither name is missing at any moment.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn exchange(&self, one: &Path, other: &Path) -> Result<()> {
        self.rename_with("exchange the subvolume at", one, other, RenameFlags::EXCHANGE)
    }

    /// Gives a subvolume another path. What is there already must be an empty directory.
    ///
    /// # Errors
    /// What the kernel says; `NotEmpty` when something is there.
    pub fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.rename_with("move the subvolume at", from, to, RenameFlags::empty())
    }

    fn rename_with(&self, what: &'static str, from: &Path, to: &Path, flags: RenameFlags) -> Result<()> {
        let ((from_dir, from_name), (to_dir, to_name)) = (self.parent(from)?, self.parent(to)?);
        rustix::fs::renameat_with(&from_dir, from_name, &to_dir, to_name, flags).map_err(|error| {
            let wrapped = HostError::new(what, from, error);
            match error {
                Errno::BUSY => wrapped.with_hint("something is mounted on it: unmount that first"),
                Errno::ROFS => wrapped.with_hint("the pool or the subvolume is read-only"),
                _ => wrapped,
            }
        })
    }

    fn parent<'a>(&self, path: &'a Path) -> Result<(OwnedFd, &'a OsStr)> {
        const WHAT: &str = "open the directory of";
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            let hint = "the top level has no name";
            return Err(HostError::because(WHAT, path, HostErrorKind::Refused, hint));
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let dir = rustix::fs::openat2(&self.fd, parent, flags, Mode::empty(), resolve);
        Ok((dir.map_err(|error| HostError::new(WHAT, path, error))?, name))
    }

    /// Where a subvolume of this pool is mounted.
    ///
    /// # Errors
    /// When the table of mounts cannot be read.
    pub fn mounts_of(&self, id: SubvolumeId) -> Result<Vec<PathBuf>> {
        let uuid = self.pool()?.uuid();
        let mounts = Mounts::read()?;
        let of_it = mounts.btrfs().filter(|mount| mount.subvolume_id() == Some(id));
        let here = |point: &Path| Pool::containing(point).is_ok_and(|pool| pool.uuid() == uuid);
        Ok(of_it.map(|mount| mount.point.clone()).filter(|point| here(point)).collect())
    }

    /// Deletes the subvolume at this path, if it is the one with the uuid `expected`, holds no other and is mounted nowhere.
    ///
    /// # Errors
    /// `Refused`, `NotEmpty` and `Busy` when it is not so.
    pub fn delete(&self, path: &Path, expected: SnapshotUuid) -> Result<()> {
        const WHAT: &str = "delete the subvolume";
        let subvolume = self.subvolume(path)?;
        let refuse = |kind, hint: &str| Err(HostError::because(WHAT, path, kind, hint));
        if subvolume.info()?.uuid != Some(expected) {
            return refuse(HostErrorKind::Refused, "it is another one than was meant");
        }
        if !subvolume.children()?.is_empty() {
            return refuse(HostErrorKind::NotEmpty, "other subvolumes are inside it");
        }
        if !self.mounts_of(subvolume.id())?.is_empty() {
            return refuse(HostErrorKind::Busy, "it is mounted");
        }
        // By its number, which is never given out twice: whatever happens to the name, nothing else is deleted.
        let pool = self.pool()?;
        ioctl::destroy(pool.as_fd(), subvolume.id().0).map_err(|error| HostError::new(WHAT, path, error))
    }
}

fn mount(device: &Path, read_only: bool, access: Access) -> rustix::io::Result<OwnedFd> {
    let context = rustix::mount::fsopen("btrfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(&context, "source", device)?;
    rustix::mount::fsconfig_set_string(&context, "subvolid", "5")?;
    if read_only {
        rustix::mount::fsconfig_set_flag(&context, "ro")?;
    }
    rustix::mount::fsconfig_create(&context)?;
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    attributes |= MountAttrFlags::MOUNT_ATTR_NOEXEC | MountAttrFlags::MOUNT_ATTR_NOATIME;
    if access == Access::Look {
        attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}
