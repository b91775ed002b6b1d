//! Copies files and trees out of a snapshot, as they are: content shared where it can be, owner, permissions, times,
//! access lists, attributes, holes and hard links kept.
//!
//! Invariant: what is copied appears under its name all at once, and is on disk then. It is built under a name of its
//! own in the same directory; it takes the place of nothing, or of exactly what the caller saw there. Killed here: only
//! such a name stays (see `temporary`), and the next copy into that directory removes it.
//! It must never follow a symbolic link, nor leave the directories that it was given.

mod attributes;
mod below;
mod compare;
mod content;
mod names;
mod remove;
mod stream;
mod temporary;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use serde::Serialize;
use subvault_model::bytesize::ByteSize;
use subvault_model::crash;
use subvault_model::file::{FileKind, FileState, shown};
use subvault_model::monitor::Monitor;

pub use below::Below;
pub use stream::stream_path;

use crate::error::{HostError, HostErrorKind, Result};
use attributes::Lost;
use below::{names_in, stat_at};
use content::Way;
use temporary::Names;

const WHAT: &str = "copy";
/// How many paths a report names.
const NAMED_MOST: usize = 100;

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic links, pipes, sockets and devices.
    pub others: u64,
    /// Further names of files that were copied already.
    pub hard_links: u64,
    /// Bytes that are shared with the snapshot.
    pub shared_bytes: ByteSize,
    /// Bytes that had to be copied.
    pub copied_bytes: ByteSize,
    /// Nested subvolumes, which a snapshot does not hold; the first hundred.
    pub nested: Vec<String>,
    /// Of what the owner, permissions or attributes could not be kept, because the file system has no place for them;
    /// the first hundred.
    pub not_kept: Vec<String>,
}

/// Copies from one place to another.
pub struct Copier<'a> {
    from: &'a Below,
    to: &'a Below,
    monitor: &'a dyn Monitor,
    names: Names,
    /// Where the first name of an inode with several was copied to, and as which inode.
    links: BTreeMap<u64, (PathBuf, u64)>,
    /// Directories in which nothing dead is left.
    swept: BTreeSet<PathBuf>,
    copied: Copied,
}

impl<'a> Copier<'a> {
    /// Copies out of `from`, which must not change meanwhile, into `to`.
    ///
    /// # Errors
    /// When the kernel does not say which boot this is.
    pub fn new(from: &'a Below, to: &'a Below, monitor: &'a dyn Monitor) -> Result<Self> {
        let (links, swept, copied) = (BTreeMap::new(), BTreeSet::new(), Copied::default());
        Ok(Self { from, to, monitor, names: Names::new()?, links, swept, copied })
    }

    /// Where it copies to.
    #[must_use]
    pub fn to(&self) -> &Below {
        self.to
    }

    /// What was copied so far.
    #[must_use]
    pub fn copied(&self) -> &Copied {
        &self.copied
    }

    /// Takes note that the inode `number` of the source is at `path` already, as inode `there`: its further names become
    /// names of that.
    pub fn knows(&mut self, number: u64, path: &Path, there: u64) {
        self.links.insert(number, (path.to_owned(), there));
    }

    /// Copies what is at `from` to `to`, where nothing is, or what `over` describes; that is removed then.
    ///
    /// # Errors
    /// `Exists` if something is there, `Refused` if it is not what was described; then it is left as it is.
    pub fn copy(&mut self, from: &Path, to: &Path, over: Option<&FileState>) -> Result<()> {
        let (parent, name) = self.to.parent(to)?;
        let directory = to.parent().unwrap_or(Path::new(""));
        self.sweep(&parent, directory)?;
        if over.is_some_and(|there| there.kind == FileKind::Subvolume) {
            let hint = "a nested subvolume is there, which a snapshot would not keep; move it away first";
            return Err(HostError::because(WHAT, self.to.path().join(to), HostErrorKind::Refused, hint));
        }
        if over.is_some_and(|there| there.kind == FileKind::Directory) {
            self.to.require_own(to)?;
        }
        let temporary = directory.join(self.names.next());
        let built = self.build(from, &temporary).and_then(|()| self.place(&parent, &temporary, name, over));
        if let Err(error) = built {
            // What is worth telling is why it failed; a leftover is found again.
            let _ = self.to.remove(&temporary);
            self.links.retain(|_, (path, _)| !path.starts_with(&temporary));
            return Err(error);
        }
        for (path, _) in self.links.values_mut() {
            if let Ok(rest) = path.strip_prefix(&temporary) {
                *path = if rest.as_os_str().is_empty() { to.to_owned() } else { to.join(rest) };
            }
        }
        Ok(())
    }

    /// Makes the directory `to`, where nothing is, as the one at `from` is, with nothing in it.
    ///
    /// # Errors
    /// `Exists` if something is there.
    pub fn make_directory(&mut self, from: &Path, to: &Path) -> Result<()> {
        let (parent, name) = self.to.parent(to)?;
        let directory = to.parent().unwrap_or(Path::new(""));
        self.sweep(&parent, directory)?;
        let temporary = directory.join(self.names.next());
        rustix::fs::mkdirat(&parent, temporary.file_name().unwrap_or(name), Mode::RWXU)
            .map_err(self.to.trouble(WHAT, to))?;
        let named = self.to.name(&temporary).map_err(self.to.trouble(WHAT, to))?;
        let made = self.carry(from, to, &named).and_then(|()| self.place(&parent, &temporary, name, None));
        if made.is_err() {
            let _ = self.to.remove(&temporary);
        }
        self.copied.directories += 1;
        made
    }

    /// Makes owner, permissions, attributes and times of what is at `to` those of what is at `from`.
    ///
    /// # Errors
    /// `Refused` if it is not what was described.
    pub fn set_attributes(&mut self, from: &Path, to: &Path, there: &FileState) -> Result<()> {
        let named = self.to.name(to).map_err(self.to.trouble(WHAT, to))?;
        let stat = rustix::fs::fstat(&named).map_err(self.to.trouble(WHAT, to))?;
        self.to.require_same(&stat, to)?;
        if !self.to.state(&stat).is_still(there) {
            return Err(self.changed(to));
        }
        self.carry(from, to, &named)
    }

    /// Gives the file at `to` content and attributes of the one at `from`, and lets it stay the same inode, which may have
    /// other names. It does not change all at once: its present state must be kept elsewhere.
    ///
    /// # Errors
    /// `Refused` if it is not what was described.
    pub fn rewrite(&mut self, from: &Path, to: &Path, there: &FileState) -> Result<()> {
        let trouble = |error| self.to.trouble("rewrite", to)(error);
        let named = self.to.name(to).map_err(trouble)?;
        let found = rustix::fs::fstat(&named).map_err(trouble)?;
        self.to.require_same(&found, to)?;
        if there.kind != FileKind::File || !self.to.state(&found).is_still(there) {
            return Err(self.changed(to));
        }
        let source = self.from.name(from).map_err(self.from.trouble(WHAT, from))?;
        let stat = rustix::fs::fstat(&source).map_err(trouble)?;
        if !stat_is_file(&stat) {
            return Err(self.changed(to));
        }
        let write = || {
            let data = crate::receive::inode::reopen(&source, OFlags::RDONLY)?;
            let into = crate::receive::inode::reopen(&named, OFlags::RDWR)?;
            rustix::fs::ftruncate(&into, 0)?;
            let length = u64::try_from(stat.st_size).unwrap_or(0);
            content::bring(data.as_fd(), into.as_fd(), length, self.monitor)
        };
        write().map_err(trouble)?;
        crash::point("undo-rewritten");
        self.copied.files += 1;
        self.carry(from, to, &named)
    }

    /// Removes what killed copies left in a directory.
    fn sweep(&mut self, dir: &OwnedFd, path: &Path) -> Result<()> {
        if !self.swept.insert(path.to_owned()) {
            return Ok(());
        }
        for name in Names::dead_in(dir).map_err(self.to.trouble("list", path))? {
            self.to.remove(&path.join(name))?;
        }
        Ok(())
    }

    /// Copies what is at `from` to the new name `temporary`.
    fn build(&mut self, from: &Path, temporary: &Path) -> Result<()> {
        let (source, name) = self.from.parent(from)?;
        let (target, new_name) = self.to.parent(temporary)?;
        let stat = stat_at(&source, name).map_err(self.from.trouble(WHAT, from))?;
        match self.from.state(&stat).kind {
            FileKind::Directory => {}
            FileKind::Subvolume => {
                let hint = "a nested subvolume, which snapshots do not hold";
                return Err(HostError::because(WHAT, self.from.path().join(from), HostErrorKind::NotFound, hint));
            }
            _ => {
                let made = self.one((&source, name, from), (&target, new_name, temporary));
                crash::point("file-begun");
                return made;
            }
        }
        let mut directories: Vec<(PathBuf, PathBuf)> = Vec::new();
        let mut open = vec![(from.to_owned(), temporary.to_owned())];
        while let Some((source, target)) = open.pop() {
            self.directory(&source, &target, &mut open)?;
            directories.push((source, target));
        }
        // What is inside is done, so the times stay.
        for (source, target) in directories.iter().rev() {
            let named = self.to.name(target).map_err(self.to.trouble(WHAT, target))?;
            self.carry(source, target, &named)?;
        }
        rustix::fs::syncfs(self.to).map_err(self.to.trouble("sync", temporary))
    }

    /// Makes a directory and everything in it but its directories, which come to be `open`.
    fn directory(&mut self, from: &Path, to: &Path, open: &mut Vec<(PathBuf, PathBuf)>) -> Result<()> {
        let (parent, name) = self.to.parent(to)?;
        rustix::fs::mkdirat(&parent, name, Mode::RWXU).map_err(self.to.trouble(WHAT, to))?;
        self.copied.directories += 1;
        let (source, target) = (self.from.directory(from)?, self.to.directory(to)?);
        for name in names_in(&source).map_err(self.from.trouble("list", from))? {
            let (below, new) = (from.join(&name), to.join(&name));
            let stat = stat_at(&source, &name).map_err(self.from.trouble(WHAT, &below))?;
            match self.from.state(&stat).kind {
                FileKind::Directory => open.push((below, new)),
                FileKind::Subvolume => note(&mut self.copied.nested, &below),
                _ => self.one((&source, &name, &below), (&target, &name, &new))?,
            }
        }
        Ok(())
    }

    /// Copies one thing that is no directory.
    fn one(&mut self, source: (&OwnedFd, &OsStr, &Path), target: (&OwnedFd, &OsStr, &Path)) -> Result<()> {
        let (dir, name, path) = source;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let from = self.from;
        let named = rustix::fs::openat(dir, name, flags, Mode::empty()).map_err(from.trouble(WHAT, path))?;
        let stat = rustix::fs::fstat(&named).map_err(from.trouble(WHAT, path))?;
        if stat.st_nlink > 1 && self.link(stat.st_ino, target)? {
            return Ok(());
        }
        let (new_dir, new_name, new_path) = target;
        let made = self.make(&named, (dir, name), &stat, target).map_err(self.to.trouble(WHAT, new_path))?;
        let lost = attributes::changeable(&made, stat_is_file(&stat))
            .and_then(|inode| {
                let lost = attributes::carry(&named, &stat, &inode, &made)?;
                if stat_is_file(&stat) { rustix::fs::fsync(&inode).map(|()| lost) } else { Ok(lost) }
            })
            .map_err(self.to.trouble(WHAT, new_path))?;
        self.lost(path, &lost);
        if stat.st_nlink > 1 {
            let number = stat_at(new_dir, new_name).map_err(self.to.trouble(WHAT, new_path))?.st_ino;
            self.links.insert(stat.st_ino, (new_path.to_owned(), number));
        }
        Ok(())
    }

    /// Makes the new inode, with its content; gives a name for it.
    fn make(
        &mut self,
        named: &OwnedFd,
        source: (&OwnedFd, &OsStr),
        stat: &Stat,
        (dir, name, _): (&OwnedFd, &OsStr, &Path),
    ) -> rustix::io::Result<OwnedFd> {
        let private = Mode::RUSR | Mode::WUSR;
        let kind = FileType::from_raw_mode(stat.st_mode);
        match kind {
            FileType::RegularFile => {
                let data = crate::receive::inode::reopen(named, OFlags::RDONLY)?;
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let into = rustix::fs::openat(dir, name, flags, private)?;
                let length = u64::try_from(stat.st_size).unwrap_or(0);
                let way = content::bring(data.as_fd(), into.as_fd(), length, self.monitor)?;
                let bytes = ByteSize::bytes(length);
                match way {
                    Way::Shared => self.copied.shared_bytes += bytes,
                    Way::Copied => self.copied.copied_bytes += bytes,
                }
                self.copied.files += 1;
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(source.0, source.1, Vec::new())?;
                rustix::fs::symlinkat(target, dir, name)?;
                self.copied.others += 1;
            }
            _ => {
                rustix::fs::mknodat(dir, name, kind, private, stat.st_rdev)?;
                self.copied.others += 1;
            }
        }
        rustix::fs::openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
    }

    /// Makes a further name of an inode that was copied; whether that was so.
    fn link(&mut self, inode: u64, (dir, name, path): (&OwnedFd, &OsStr, &Path)) -> Result<bool> {
        let Some((first, number)) = self.links.get(&inode).cloned() else { return Ok(false) };
        let is_it = |found: FileState| found.inode == number;
        // A twin may have got another name since it was seen.
        let first = if self.to.look(&first)?.is_some_and(is_it) { Some(first) } else { self.to.path_of(number)? };
        let Some(first) = first else { return Ok(false) };
        let Ok((first_dir, first_name)) = self.to.parent(&first) else { return Ok(false) };
        match rustix::fs::linkat(&first_dir, first_name, dir, name, AtFlags::empty()) {
            Ok(()) => {}
            // It is gone, or the file system has no hard links, or no more of them.
            Err(Errno::NOENT | Errno::PERM | Errno::MLINK | Errno::OPNOTSUPP | Errno::XDEV) => return Ok(false),
            Err(error) => return Err(self.to.trouble(WHAT, path)(error)),
        }
        if stat_at(dir, name).map_err(self.to.trouble(WHAT, path))?.st_ino == number {
            self.copied.hard_links += 1;
            return Ok(true);
        }
        // Somebody put something else under the first name.
        rustix::fs::unlinkat(dir, name, AtFlags::empty()).map_err(self.to.trouble(WHAT, path))?;
        Ok(false)
    }

    /// Gives a directory, or what is named, the attributes of what is at `from`.
    fn carry(&mut self, from: &Path, to: &Path, named: &OwnedFd) -> Result<()> {
        let source = self.from.name(from).map_err(self.from.trouble(WHAT, from))?;
        let stat = rustix::fs::fstat(&source).map_err(self.from.trouble(WHAT, from))?;
        let opened = stat_is_file(&stat) || FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let carried = attributes::changeable(named, opened)
            .and_then(|inode| attributes::carry(&source, &stat, &inode, named))
            .map_err(self.to.trouble("set the attributes of", to))?;
        self.lost(from, &carried);
        Ok(())
    }

    fn lost(&mut self, path: &Path, lost: &Lost) {
        if *lost != Lost::default() {
            note(&mut self.copied.not_kept, path);
        }
    }

    /// Puts what was built in its place.
    fn place(&mut self, dir: &OwnedFd, temporary: &Path, name: &OsStr, over: Option<&FileState>) -> Result<()> {
        let Some(built) = temporary.file_name() else { return Ok(()) };
        let path = temporary.with_file_name(name);
        let trouble = |error| self.to.trouble("put in place", &path)(error);
        crash::point("file-filled");
        let exchanged = match over {
            None => false,
            Some(_) => match rustix::fs::renameat_with(dir, built, dir, name, RenameFlags::EXCHANGE) {
                Ok(()) => true,
                Err(Errno::NOENT) => false,
                Err(error) => return Err(trouble(error)),
            },
        };
        if let Some(there) = over.filter(|_| exchanged) {
            let found = stat_at(dir, built).map(|stat| self.to.state(&stat)).map_err(trouble)?;
            if !found.is_still(there) {
                rustix::fs::renameat_with(dir, built, dir, name, RenameFlags::EXCHANGE).map_err(trouble)?;
                return Err(self.changed(&path));
            }
        } else {
            put(dir, built, name).map_err(trouble)?;
        }
        rustix::fs::fsync(dir).map_err(trouble)?;
        if exchanged {
            crash::point("file-exchanged");
            self.to.remove(temporary)?;
        }
        crash::point("file-placed");
        Ok(())
    }

    fn changed(&self, path: &Path) -> HostError {
        let hint = "it has changed since it was looked at, so it is left as it is; run it again";
        HostError::because("replace", self.to.path().join(path), HostErrorKind::Refused, hint)
    }
}

/// Renames to where nothing is.
fn put(dir: &OwnedFd, from: &OsStr, to: &OsStr) -> rustix::io::Result<()> {
    match rustix::fs::renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
        // A file system that cannot be told so.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => match stat_at(dir, to) {
            Err(Errno::NOENT) => rustix::fs::renameat(dir, from, dir, to),
            Ok(_) => Err(Errno::EXIST),
            Err(error) => Err(error),
        },
        other => other,
    }
}

fn stat_is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

fn note(list: &mut Vec<String>, path: &Path) {
    if list.len() < NAMED_MOST {
        list.push(shown(path));
    }
}
