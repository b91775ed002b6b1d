//! Reads entries and files into items.
//!
//! Invariant: reads exactly what the digest is of, once, into one buffer. A file that turns out shorter than it was
//! is an error: what is being read has changed, and is no snapshot.

use std::ffi::{CStr, CString};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;

use blake3::Hasher;
use rustix::fs::{Advice, AtFlags, FileType, Mode, OFlags, ResolveFlags, SeekFrom, Stat};
use rustix::io::Errno;
use subvault_model::bytesize::ByteSize;
use subvault_model::monitor::Event;
use subvault_sendstream::touched::Ranges;

use super::item::{Kinds, Sum, is_zero, text};
use super::{Control, Labels};
use crate::tree_walk::{Did, Visit};

/// The unit in which zeros are left out.
const BLOCK: u64 = 128 << 10;
/// What is read at once.
const BUFFER: usize = 8 * BLOCK as usize;

/// Computes the digest of a whole tree.
pub(super) struct Digesting<'a> {
    control: Control<'a>,
}

impl<'a> Digesting<'a> {
    pub(super) fn new(control: Control<'a>) -> Self {
        Self { control }
    }
}

impl<'a> Visit for Digesting<'a> {
    type Own = Reader<'a>;

    fn own(&self) -> Reader<'a> {
        Reader::new(self.control)
    }

    fn directory(&self, own: &mut Reader<'a>, dir: BorrowedFd<'_>, path: &[u8], stat: &Stat) -> Did {
        own.entry(path, stat, b"", &mut Attributes::Open(dir))
    }

    fn entry(&self, own: &mut Reader<'a>, dir: BorrowedFd<'_>, name: &CString, path: &[u8], kind: FileType) -> Did {
        if kind != FileType::RegularFile {
            return own.node(dir, name, path);
        }
        let (file, stat) = open_file(dir, name)?;
        own.entry(path, &stat, b"", &mut Attributes::Open(file.as_fd()))?;
        own.content(&file, path, &stat)
    }

    fn stop(&self) -> bool {
        self.control.cancel.load(Ordering::Relaxed)
    }
}

/// Where extended attributes are read.
enum Attributes<'a> {
    /// Of an open file.
    Open(BorrowedFd<'a>),
    /// Of what cannot be opened, by its name in an open directory.
    Named(Vec<u8>),
}

impl Attributes<'_> {
    fn list(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Self::Open(file) => rustix::fs::flistxattr(file, buffer),
            Self::Named(path) => rustix::fs::llistxattr(path, buffer),
        }
    }

    fn get(&self, name: &CStr, buffer: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Self::Open(file) => rustix::fs::fgetxattr(file, name, buffer),
            Self::Named(path) => rustix::fs::lgetxattr(path, name, buffer),
        }
    }
}

/// Reads, and sums up what it has read.
pub(super) struct Reader<'a> {
    pub(super) sum: Sum,
    pub(super) entries: u64,
    pub(super) bytes: u64,
    /// How many of these bytes nobody has been told of.
    untold: u64,
    kinds: Kinds,
    control: Control<'a>,
    buffer: Vec<u8>,
    item: Vec<u8>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(control: Control<'a>) -> Self {
        let (buffer, item) = (vec![0; BUFFER], Vec::new());
        Self { sum: Sum::default(), entries: 0, bytes: 0, untold: 0, kinds: Kinds::new(), control, buffer, item }
    }

    /// Tells what has not been told yet, now that all is read.
    pub(super) fn tell_the_rest(&self) {
        self.control.monitor.event(Event::Progress(ByteSize::bytes(self.untold)));
    }

    /// Takes in the attributes of an entry.
    fn entry(&mut self, path: &[u8], stat: &Stat, target: &[u8], attributes: &mut Attributes<'_>) -> Did {
        let kind = FileType::from_raw_mode(stat.st_mode);
        let letter = match kind {
            FileType::RegularFile => b'f',
            FileType::Directory => b'd',
            FileType::Symlink => b'l',
            FileType::Fifo => b'p',
            FileType::Socket => b's',
            FileType::CharacterDevice => b'c',
            FileType::BlockDevice => b'b',
            FileType::Unknown => return Err(Errno::INVAL),
        };
        let device = if matches!(letter, b'c' | b'b') { stat.st_rdev } else { 0 };
        let size = if letter == b'f' { stat.st_size.cast_unsigned() } else { 0 };
        let links = if letter == b'd' { 0 } else { u32::try_from(stat.st_nlink).map_err(|_| Errno::OVERFLOW)? };
        let nanoseconds = u32::try_from(stat.st_mtime_nsec).map_err(|_| Errno::OVERFLOW)?;
        let item = &mut self.item;
        item.clear();
        text(item, path);
        item.push(letter);
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        for number in [stat.st_mode & 0o7777, stat.st_uid, stat.st_gid, major, minor] {
            item.extend(number.to_le_bytes());
        }
        item.extend(stat.st_mtime.to_le_bytes());
        item.extend(nanoseconds.to_le_bytes());
        item.extend(size.to_le_bytes());
        item.extend(links.to_le_bytes());
        text(item, target);
        self.attributes(attributes)?;
        let mut hasher = self.kinds.entry.clone();
        hasher.update(&self.item);
        self.sum.item(&hasher);
        self.entries += 1;
        Ok(())
    }

    fn attributes(&mut self, attributes: &Attributes<'_>) -> Did {
        let length = attributes.list(&mut self.buffer)?;
        let list = self.buffer[..length].to_vec();
        let mut names: Vec<&CStr> = Vec::new();
        let mut rest = list.as_slice();
        while let Ok(name) = CStr::from_bytes_until_nul(rest) {
            if self.control.labels == Labels::Counted || !is_label(name) {
                names.push(name);
            }
            rest = &rest[name.to_bytes_with_nul().len()..];
        }
        names.sort_unstable();
        self.item.extend((names.len() as u64).to_le_bytes());
        for name in names {
            let length = attributes.get(name, &mut self.buffer)?;
            text(&mut self.item, name.to_bytes());
            text(&mut self.item, &self.buffer[..length]);
        }
        Ok(())
    }

    /// Takes in what is neither file nor directory.
    fn node(&mut self, dir: BorrowedFd<'_>, name: &CStr, path: &[u8]) -> Did {
        let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let target = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => rustix::fs::readlinkat(dir, name, Vec::new())?.into_bytes(),
            _ => Vec::new(),
        };
        let mut by_name = format!("/proc/self/fd/{}/", dir.as_raw_fd()).into_bytes();
        by_name.extend(name.to_bytes());
        self.entry(path, &stat, &target, &mut Attributes::Named(by_name))
    }

    /// Takes in all of a file's content.
    fn content(&mut self, file: &OwnedFd, path: &[u8], stat: &Stat) -> Did {
        let size = stat.st_size.cast_unsigned();
        if size == 0 {
            return Ok(());
        }
        let mut hasher = self.kinds.content.clone();
        begin(&mut hasher, path, &[size]);
        if size > BUFFER as u64 {
            rustix::fs::fadvise(file, 0, None, Advice::Sequential)?;
        }
        // Blocks that are there make up all of the file unless it has holes.
        let sparse = stat.st_blocks.cast_unsigned().saturating_mul(512) < size && size > BLOCK;
        self.blocks(file, 0..size, sparse, &mut hasher)?;
        self.sum.item(&hasher);
        Ok(())
    }

    /// Takes in one name of a scope.
    pub(super) fn part(&mut self, top: BorrowedFd<'_>, path: &[u8], ranges: &Ranges) -> Did {
        let (dir, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&b"."[..], if path.is_empty() { b"." } else { path }),
        };
        let name = CString::new(name).map_err(|_| Errno::INVAL)?;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let dir = rustix::fs::openat2(top, dir, flags, Mode::empty(), resolve)?;
        let stat = rustix::fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let (file, stat) = open_file(dir.as_fd(), &name)?;
                self.entry(path, &stat, b"", &mut Attributes::Open(file.as_fd()))?;
                ranges.iter().try_for_each(|range| self.range(&file, path, range, &stat))
            }
            FileType::Directory => {
                let dir = rustix::fs::openat(&dir, &name, flags, Mode::empty())?;
                self.entry(path, &stat, b"", &mut Attributes::Open(dir.as_fd()))
            }
            _ => self.node(dir.as_fd(), &name, path),
        }
    }

    fn range(&mut self, file: &OwnedFd, path: &[u8], range: Range<u64>, stat: &Stat) -> Did {
        let end = range.end.min(stat.st_size.cast_unsigned());
        if range.start >= end {
            return Ok(());
        }
        let mut hasher = self.kinds.range.clone();
        begin(&mut hasher, path, &[range.start, end - range.start]);
        self.blocks(file, range.start..end, end - range.start > BLOCK, &mut hasher)?;
        self.sum.item(&hasher);
        Ok(())
    }

    /// Counts what was read, and tells it when it has become worth telling.
    fn count(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.untold += bytes;
        if self.untold >= BUFFER as u64 {
            self.control.advance(std::mem::take(&mut self.untold));
        }
    }

    /// Takes in the blocks of a part of a file, those of zeros left out. With `sparse` holes are not even read.
    fn blocks(&mut self, file: &OwnedFd, range: Range<u64>, sparse: bool, hasher: &mut Hasher) -> Did {
        let mut at = range.start;
        while at < range.end {
            if sparse {
                match rustix::fs::seek(file, SeekFrom::Data(at)) {
                    // From the beginning of its block on, but not from before what is wanted.
                    Ok(data) => at = at.max(data - data % BLOCK),
                    Err(Errno::NXIO) => return Ok(()),
                    Err(error) => return Err(error),
                }
                if at >= range.end {
                    return Ok(());
                }
            }
            // To the end of a block, so that all further reads begin with one.
            let wanted = (BUFFER as u64 - at % BLOCK).min(range.end - at);
            let wanted = usize::try_from(wanted).map_err(|_| Errno::OVERFLOW)?;
            read_exactly(file, &mut self.buffer[..wanted], at)?;
            self.count(wanted as u64);
            let mut rest = &self.buffer[..wanted];
            while !rest.is_empty() {
                let length = usize::try_from(BLOCK - at % BLOCK).map_err(|_| Errno::OVERFLOW)?.min(rest.len());
                let (block, more) = rest.split_at(length);
                if !is_zero(block) {
                    hasher.update(&(at / BLOCK).to_le_bytes()).update(block);
                }
                at += length as u64;
                rest = more;
            }
        }
        Ok(())
    }
}

/// Whether a security module of the kernel gives files this attribute by itself.
fn is_label(name: &CStr) -> bool {
    name.to_bytes() == b"security.selinux" || name.to_bytes().starts_with(b"security.SMACK64")
}

fn begin(hasher: &mut Hasher, path: &[u8], numbers: &[u64]) {
    hasher.update(&(path.len() as u64).to_le_bytes()).update(path);
    for number in numbers {
        hasher.update(&number.to_le_bytes());
    }
}

fn open_file(dir: BorrowedFd<'_>, name: &CStr) -> Result<(OwnedFd, Stat), Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::openat(dir, name, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&file)?;
    Ok((file, stat))
}

fn read_exactly(file: &OwnedFd, mut buffer: &mut [u8], mut at: u64) -> Did {
    while !buffer.is_empty() {
        match rustix::io::pread(file, &mut *buffer, at) {
            // It had this size a moment ago.
            Ok(0) => return Err(Errno::STALE),
            Ok(length) => {
                buffer = &mut buffer[length..];
                at += length as u64;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
