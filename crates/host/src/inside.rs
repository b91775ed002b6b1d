//! Files below a directory that is taken for the root, as a system that boots from it would find them.
//!
//! Invariant: symbolic links are followed inside and never lead out of the directory, whatever they say; it may be the tree
//! of another machine. Killed while replacing a file: the old one is there, or the new one, and perhaps a file beside
//! it that the next time replaces. It must never follow a link to what it replaces.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use crate::error::{HostError, HostErrorKind, Result};

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing, and its directory is there.
    Nothing,
    /// Not even the directory that it would be in.
    NoDirectory,
    /// A directory without anything in it.
    EmptyDirectory,
    /// Anything else.
    Something,
}

/// A directory that is taken for the root.
#[derive(Debug)]
pub struct Inside {
    root: OwnedFd,
    path: PathBuf,
}

impl Inside {
    /// Takes this directory for the root.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty());
        Ok(Self { root: root.map_err(|error| HostError::new("open", path, error))?, path: path.to_owned() })
    }

    /// The first so many bytes of a file; `None` where there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(&self, path: &Path, max: u64) -> Result<Option<Vec<u8>>> {
        self.read_if(path, max, |_| true)
    }

    /// The same for a file that says what root is to do.
    ///
    /// # Errors
    /// As `read`, and `Refused` when somebody else could have written it.
    pub fn read_from_root(&self, path: &Path, max: u64) -> Result<Option<Vec<u8>>> {
        self.read_if(path, max, |stat| stat.st_uid == 0 && stat.st_mode & 0o022 == 0)
    }

    fn read_if(&self, path: &Path, max: u64, is_trusted: impl Fn(&Stat) -> bool) -> Result<Option<Vec<u8>>> {
        // Not waiting for the other end of a pipe.
        let Some(fd) = self.find(path, OFlags::RDONLY | OFlags::NONBLOCK)? else { return Ok(None) };
        let stat = rustix::fs::fstat(&fd).map_err(|error| self.trouble("read", path, error))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(None);
        }
        if !is_trusted(&stat) {
            let hint = "others than root could have written it: look at it, and remove it";
            return Err(HostError::because("trust", self.path.join(path), HostErrorKind::Refused, hint));
        }
        let mut bytes = Vec::new();
        let read = File::from(fd).take(max).read_to_end(&mut bytes);
        read.map_err(|error| HostError::new("read", self.path.join(path), error))?;
        Ok(Some(bytes))
    }

    /// The names in a directory, in order; none where there is no such directory.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn names(&self, path: &Path) -> Result<Vec<OsString>> {
        let Some(fd) = self.find(path, OFlags::RDONLY | OFlags::DIRECTORY)? else { return Ok(Vec::new()) };
        let mut names = self.entries(fd.as_fd(), path)?;
        names.sort();
        Ok(names)
    }

    /// What is at a path; a symbolic link there is something.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn find_at(&self, path: &Path) -> Result<Found> {
        let parent = path.parent().unwrap_or(Path::new(""));
        if self.find(parent, OFlags::PATH | OFlags::DIRECTORY)?.is_none() {
            return Ok(Found::NoDirectory);
        }
        let Some(fd) = self.find(path, OFlags::PATH | OFlags::NOFOLLOW)? else { return Ok(Found::Nothing) };
        let stat = rustix::fs::fstat(&fd).map_err(|error| self.trouble("look at", path, error))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return Ok(Found::Something);
        }
        let is_empty = self.names(path)?.is_empty();
        Ok(if is_empty { Found::EmptyDirectory } else { Found::Something })
    }

    /// Puts a file in place all at once, with the owner and mode of the one that it replaces.
    ///
    /// # Errors
    /// When it cannot be written; `Refused` when something other than a file is there.
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        const WHAT: &str = "write";
        let trouble = |error: Errno| self.trouble(WHAT, path, error);
        let (dir, name) = self.directory_of(path)?;
        let before = match rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => Some(stat),
            Ok(_) => {
                let hint = "it is not a plain file";
                return Err(HostError::because(WHAT, self.path.join(path), HostErrorKind::Refused, hint));
            }
            Err(Errno::NOENT) => None,
            Err(error) => return Err(trouble(error)),
        };
        let beside = [b".".as_slice(), name.as_bytes(), b".subvault"].concat();
        let beside = OsStr::from_bytes(&beside);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = before.map_or(Mode::from_raw_mode(0o644), |stat| Mode::from_raw_mode(stat.st_mode));
        let fd = rustix::fs::openat(&dir, beside, flags, mode).map_err(trouble)?;
        if let Some(stat) = before {
            let ids = (rustix::fs::Uid::from_raw(stat.st_uid), rustix::fs::Gid::from_raw(stat.st_gid));
            rustix::fs::fchown(&fd, Some(ids.0), Some(ids.1)).map_err(trouble)?;
            rustix::fs::fchmod(&fd, mode).map_err(trouble)?;
        }
        let mut file = File::from(fd);
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written.map_err(|error| HostError::new(WHAT, self.path.join(path), error))?;
        rustix::fs::renameat(&dir, beside, &dir, name).map_err(trouble)?;
        rustix::fs::fsync(&dir).map_err(trouble)
    }

    /// Makes the directories that are missing on the way to `path`, with owner and mode of those in `like`. Each appears as
    /// it is to be.
    ///
    /// # Errors
    /// When one cannot be made, or `like` has none to go by.
    pub fn make_directories(&self, path: &Path, like: &Self) -> Result<()> {
        let mut way = PathBuf::new();
        for part in path.components() {
            way.push(part);
            if self.find(&way, OFlags::PATH | OFlags::DIRECTORY)?.is_none() {
                self.make_directory(&way, like)?;
            }
        }
        Ok(())
    }

    /// Makes the directories that are missing on the way to `path`, such as everybody can read.
    ///
    /// # Errors
    /// When one cannot be made.
    pub fn make_plain_directories(&self, path: &Path) -> Result<()> {
        let mut way = PathBuf::new();
        for part in path.components() {
            way.push(part);
            if self.find(&way, OFlags::PATH | OFlags::DIRECTORY)?.is_none() {
                let (dir, name) = self.directory_of(&way)?;
                let made = rustix::fs::mkdirat(&dir, name, Mode::from_raw_mode(0o755));
                made.map_err(|error| self.trouble("make the directory", &way, error))?;
            }
        }
        Ok(())
    }

    fn make_directory(&self, path: &Path, like: &Self) -> Result<()> {
        let trouble = |error: Errno| self.trouble("make the directory", path, error);
        let model = like.find(path, OFlags::PATH | OFlags::DIRECTORY)?.ok_or_else(|| trouble(Errno::NOENT))?;
        let model = rustix::fs::fstat(&model).map_err(trouble)?;
        let (dir, name) = self.directory_of(path)?;
        let beside = [b".".as_slice(), name.as_bytes(), b".subvault"].concat();
        let beside = OsStr::from_bytes(&beside);
        match rustix::fs::mkdirat(&dir, beside, Mode::RWXU) {
            // Killed here before.
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(trouble(error)),
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = rustix::fs::openat(&dir, beside, flags, Mode::empty()).map_err(trouble)?;
        let ids = (rustix::fs::Uid::from_raw(model.st_uid), rustix::fs::Gid::from_raw(model.st_gid));
        rustix::fs::fchown(&made, Some(ids.0), Some(ids.1)).map_err(trouble)?;
        rustix::fs::fchmod(&made, Mode::from_raw_mode(model.st_mode)).map_err(trouble)?;
        rustix::fs::renameat_with(&dir, beside, &dir, name, RenameFlags::NOREPLACE).map_err(trouble)
    }

    /// Removes a file; it may be gone already.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, path: &Path) -> Result<()> {
        let (dir, name) = self.directory_of(path)?;
        match rustix::fs::unlinkat(&dir, name, AtFlags::empty()) {
            Ok(()) => rustix::fs::fsync(&dir).map_err(|error| self.trouble("remove", path, error)),
            Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.trouble("remove", path, error)),
        }
    }

    fn directory_of<'a>(&self, path: &'a Path) -> Result<(OwnedFd, &'a OsStr)> {
        let parent = path.parent().unwrap_or(Path::new(""));
        let dir = self.find(parent, OFlags::RDONLY | OFlags::DIRECTORY)?;
        match (dir, path.file_name()) {
            (Some(dir), Some(name)) => Ok((dir, name)),
            _ => Err(self.trouble("open the directory of", path, Errno::NOENT)),
        }
    }

    fn find(&self, path: &Path, flags: OFlags) -> Result<Option<OwnedFd>> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&self.root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(self.trouble("open", path, error)),
        }
    }

    fn entries(&self, fd: impl AsFd, path: &Path) -> Result<Vec<OsString>> {
        let trouble = |error| self.trouble("list", path, error);
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(fd).map_err(trouble)? {
            let entry = entry.map_err(trouble)?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    fn trouble(&self, what: &'static str, path: &Path, error: Errno) -> HostError {
        HostError::new(what, self.path.join(path), error)
    }
}
