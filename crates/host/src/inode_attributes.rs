//! Attributes of a directory that files made in it inherit: whether they are copied on write, and how they are compressed.
//!
//! Invariant: what is in the directory already stays as it is (btrfs(5), "Inode attributes"). It must never be asked to change
//! anything but a directory.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{IFlags, Mode, OFlags, XattrFlags};
use rustix::io::Errno;

use crate::error::{HostError, Result};

/// The extended attribute that `btrfs property` keeps the compression in.
const COMPRESSION: &str = "btrfs.compression";
/// The longest of its values, and some.
const LONGEST: usize = 64;

/// A directory whose attributes are read and set.
#[derive(Debug)]
pub struct Inherited<'a> {
    directory: OwnedFd,
    path: &'a Path,
}

impl<'a> Inherited<'a> {
    /// Opens a directory.
    ///
    /// # Errors
    /// When it is none, or is not there.
    pub fn open(path: &'a Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::open(path, flags, Mode::empty());
        Ok(Self { directory: directory.map_err(|error| HostError::new("open", path, error))?, path })
    }

    /// Whether new files are overwritten in place, without checksums.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn is_nocow(&self) -> Result<bool> {
        Ok(self.flags()?.contains(IFlags::NOCOW))
    }

    /// Has new files overwritten in place, and so not compressed: a compression that the directory inherited goes.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_nocow(&self) -> Result<()> {
        let flags = self.flags()?;
        let set =
            |flags| rustix::fs::ioctl_setflags(&self.directory, flags).map_err(self.trouble("set the attribute C of"));
        // The kernel refuses to go from one to the other in one step (`check_fsflags` in fs/btrfs/ioctl.c).
        if flags.contains(IFlags::COMPRESSED) {
            set(flags - IFlags::COMPRESSED)?;
        }
        set((flags | IFlags::NOCOW) - IFlags::COMPRESSED)
    }

    fn flags(&self) -> Result<IFlags> {
        rustix::fs::ioctl_getflags(&self.directory).map_err(self.trouble("read the attributes of"))
    }

    /// How new files are compressed, in the words of `btrfs property`; `None`: as the file system says.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn compression(&self) -> Result<Option<Vec<u8>>> {
        let mut value = [0; LONGEST];
        match rustix::fs::fgetxattr(&self.directory, COMPRESSION, &mut value) {
            Ok(length) => Ok(Some(value[..length].to_vec())),
            Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
            Err(error) => Err(self.trouble("read the compression of")(error)),
        }
    }

    /// Has new files compressed so: `zstd`, `zlib`, `lzo` or `none`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_compression(&self, word: &str) -> Result<()> {
        let set = rustix::fs::fsetxattr(&self.directory, COMPRESSION, word.as_bytes(), XattrFlags::empty());
        set.map_err(self.trouble("set the compression of"))
    }

    /// Whether nothing is in it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is_empty(&self) -> Result<bool> {
        let mut entries = rustix::fs::Dir::read_from(&self.directory).map_err(self.trouble("read"))?;
        let own = |name: &std::ffi::CStr| name.to_bytes() == b"." || name.to_bytes() == b"..";
        entries.try_fold(true, |empty, entry| {
            let entry = entry.map_err(self.trouble("read"))?;
            Ok(empty && own(entry.file_name()))
        })
    }

    fn trouble(&self, what: &'static str) -> impl Fn(Errno) -> HostError + use<'_> {
        move |error| HostError::new(what, self.path, error)
    }
}
