//! All that the stream says about one file between two other files, and how it is carried out.
//!
//! A file is made under its final name, with its final mode and owner where that is the same as setting them
//! afterwards, written and finished on one descriptor. Invariant: the commands take effect in the order of the
//! stream; one is left out only where the inode, being new, already is what it asks for.
//! It must never look up more than a name in a directory that is already open.

use std::ffi::CString;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, FallocateFlags, FileType, Mode, OFlags, Timestamps};
use rustix::io::Errno;
use subvault_sendstream::command::Compression;

use super::data;
use super::dirs::Dir;
use super::error::{Result, failed};
use super::inode::Inode;

/// What a new inode is.
#[derive(Debug, Clone)]
pub(super) enum Node {
    File,
    Directory,
    Fifo,
    Socket,
    Device { mode: u32, rdev: u64 },
    Symlink(CString),
}

/// A name in an open directory.
pub(super) struct Place {
    pub(super) dir: Arc<Dir>,
    pub(super) name: CString,
}

/// How a job gets at its inode.
pub(super) enum Start {
    /// It is made; `born` is the name under which the stream made it, if it has been renamed since.
    Create { node: Node, born: Option<Place> },
    /// It exists.
    Open,
    /// The job before it, on the same thread, left it open.
    Continue,
}

/// Where cloned data comes from.
pub(super) enum Source {
    Itself,
    File(Arc<OwnedFd>),
}

/// The fields of an `encoded_write`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encoded {
    pub(super) offset: u64,
    pub(super) file_len: u64,
    pub(super) unencoded_len: u64,
    pub(super) unencoded_offset: u64,
    pub(super) compression: Compression,
}

/// One command. Ranges are of the job's `data`.
pub(super) enum Op {
    Write { offset: u64, data: Range<usize> },
    Encoded { what: Encoded, data: Range<usize> },
    Clone { source: Source, from: u64, len: u64, offset: u64 },
    Truncate(u64),
    Fallocate { mode: u32, offset: u64, len: u64 },
    SetXattr { name: CString, data: Range<usize> },
    RemoveXattr(CString),
    Chown(u32, u32),
    Chmod(u32),
    Utimes(Timestamps),
}

impl Op {
    /// The command's name in the stream.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Write { .. } => "write",
            Self::Encoded { .. } => "encoded_write",
            Self::Clone { .. } => "clone",
            Self::Truncate(_) => "truncate",
            Self::Fallocate { .. } => "fallocate",
            Self::SetXattr { .. } => "set_xattr",
            Self::RemoveXattr(_) => "remove_xattr",
            Self::Chown(..) => "chown",
            Self::Chmod(_) => "chmod",
            Self::Utimes(_) => "utimes",
        }
    }

    /// Whether it needs the file open for writing.
    pub(super) fn is_data(&self) -> bool {
        matches!(
            self,
            Self::Write { .. } | Self::Encoded { .. } | Self::Clone { .. } | Self::Truncate(_) | Self::Fallocate { .. }
        )
    }
}

/// What to do to one inode.
pub(super) struct Job {
    /// For messages.
    pub(super) path: Vec<u8>,
    pub(super) place: Place,
    pub(super) start: Start,
    pub(super) ops: Vec<Op>,
    pub(super) data: Vec<u8>,
    /// Whether more will come for the same inode, so that it stays open.
    pub(super) more: bool,
}

/// What is the same for all jobs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// What the process takes off the mode of what it makes.
    pub(super) umask: u32,
    /// Who owns what the process makes.
    pub(super) owner: (u32, u32),
    /// Never write compressed data as it is.
    pub(super) force_decompress: bool,
}

impl Rules {
    pub(super) fn of_this_process(force_decompress: bool) -> Self {
        let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Self { umask: umask().unwrap_or(0o777), owner, force_decompress }
    }
}

/// Asking the kernel would change it, for all threads.
fn umask() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(mask.trim(), 8).ok()
}

/// What a new inode already is.
struct Fresh {
    mode: Option<u32>,
    owner: Option<(u32, u32)>,
}

impl Job {
    /// Carries it out. `open` holds the inode between the jobs of one file.
    pub(super) fn run(&self, rules: &Rules, open: &mut Option<Inode>) -> Result<()> {
        let (inode, fresh) = self.begin(rules, open)?;
        self.apply(&inode, fresh, rules)?;
        if self.more {
            *open = Some(inode);
        }
        Ok(())
    }

    /// Makes the directory that this job is about, and leaves it open. Times are not set: they come last of all.
    pub(super) fn run_directory(&self, rules: &Rules) -> Result<OwnedFd> {
        let (inode, fresh) = self.begin(rules, &mut None)?;
        self.apply(&inode, fresh, rules)?;
        Ok(inode.into_fd())
    }

    fn begin(&self, rules: &Rules, open: &mut Option<Inode>) -> Result<(Inode, Fresh)> {
        let found = match &self.start {
            Start::Create { node, born } => return self.create(node, born.as_ref(), rules),
            Start::Open => {
                let data = self.more || self.ops.iter().any(Op::is_data);
                Inode::open_at(&*self.place.dir, &self.place.name, data)
            }
            Start::Continue => open.take().ok_or(Errno::BADF),
        };
        let command = self.ops.first().map_or("open", Op::name);
        Ok((found.map_err(failed(command, &self.path))?, Fresh { mode: None, owner: None }))
    }

    fn create(&self, node: &Node, born: Option<&Place>, rules: &Rules) -> Result<(Inode, Fresh)> {
        let heritage = self.place.dir.heritage;
        let early = self.mode_from_the_start(rules).filter(|_| heritage.is_none());
        let made = match (make(&self.place, node, early), born) {
            (Err(Errno::EXIST), Some(born)) => make(born, node, early).and_then(|inode| {
                let (from, to) = (born, &self.place);
                rustix::fs::renameat(&*from.dir, &from.name, &*to.dir, &to.name)?;
                Ok(inode)
            }),
            (made, _) => made,
        };
        let inode = made.map_err(failed(command_of(node), &self.path))?;
        let mut owner = Some(rules.owner);
        if !heritage.is_none() {
            let reset = || {
                inode.disinherit()?;
                inode.chown(rules.owner.0, rules.owner.1)?;
                if matches!(node, Node::Directory) { inode.chmod(0o700) } else { Ok(()) }
            };
            reset().map_err(failed(command_of(node), &self.path))?;
            owner = None;
        }
        Ok((inode, Fresh { mode: early, owner }))
    }

    /// The mode to make the inode with, where a chmod later would come to the same: it is the only one, has no
    /// special bits, survives the umask, and no access list was set that it would change.
    fn mode_from_the_start(&self, rules: &Rules) -> Option<u32> {
        let mut wanted = None;
        for op in &self.ops {
            match op {
                Op::Chmod(mode) if wanted.is_none() => wanted = Some(*mode & 0o7777),
                Op::Chmod(_) => return None,
                Op::SetXattr { name, .. } if name.as_bytes().starts_with(b"system.") => return None,
                _ => {}
            }
        }
        wanted.filter(|mode| !self.more && mode & (0o7000 | rules.umask) == 0)
    }

    fn apply(&self, inode: &Inode, mut fresh: Fresh, rules: &Rules) -> Result<()> {
        for op in &self.ops {
            match op {
                Op::Chown(uid, gid) if fresh.owner == Some((*uid, *gid)) => continue,
                Op::Chmod(mode) if fresh.mode == Some(*mode & 0o7777) => continue,
                // What a chown takes away again, and so cannot be left out any more.
                Op::SetXattr { .. } | Op::Chmod(_) | Op::Chown(..) => fresh.owner = None,
                _ => {}
            }
            self.one(inode, op, rules)?;
        }
        Ok(())
    }

    fn one(&self, inode: &Inode, op: &Op, rules: &Rules) -> Result<()> {
        let done = match op {
            Op::Write { offset, data } => data::write_all(inode, &self.data[data.clone()], *offset),
            Op::Encoded { what, data } => {
                return data::write_encoded(inode, what, &self.data[data.clone()], rules, &self.path);
            }
            Op::Clone { source, from, len, offset } => match source {
                Source::Itself => crate::ioctl::clone_range(inode, *from, *len, inode, *offset),
                Source::File(file) => crate::ioctl::clone_range(file, *from, *len, inode, *offset),
            },
            Op::Truncate(size) => rustix::fs::ftruncate(inode, *size),
            Op::Fallocate { mode, offset, len } => {
                rustix::fs::fallocate(inode, FallocateFlags::from_bits_retain(*mode), *offset, *len)
            }
            Op::SetXattr { name, data } => inode.set_xattr(name, &self.data[data.clone()]),
            Op::RemoveXattr(name) => inode.remove_xattr(name),
            Op::Chown(uid, gid) => inode.chown(*uid, *gid),
            Op::Chmod(mode) => inode.chmod(*mode),
            Op::Utimes(times) => inode.utimes(times),
        };
        done.map_err(failed(op.name(), &self.path))
    }
}

fn command_of(node: &Node) -> &'static str {
    match node {
        Node::File => "mkfile",
        Node::Directory => "mkdir",
        Node::Fifo => "mkfifo",
        Node::Socket => "mksock",
        Node::Device { .. } => "mknod",
        Node::Symlink(_) => "symlink",
    }
}

/// Makes a node where there is none. `mode` is for files and directories; others get theirs by chmod.
fn make(place: &Place, node: &Node, mode: Option<u32>) -> std::result::Result<Inode, Errno> {
    let (dir, name) = (place.dir.as_fd(), &place.name);
    let mode_or = |usual| Mode::from_raw_mode(mode.unwrap_or(usual));
    let (kind, mode, rdev) = match node {
        Node::File => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            return Ok(Inode::open(rustix::fs::openat(dir, name, flags, mode_or(0o600))?));
        }
        Node::Directory => {
            rustix::fs::mkdirat(dir, name, mode_or(0o700))?;
            let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            return Ok(Inode::open(rustix::fs::openat(dir, name, flags, Mode::empty())?));
        }
        Node::Symlink(target) => {
            rustix::fs::symlinkat(target, dir, name)?;
            return Inode::bare_at(dir, name);
        }
        Node::Fifo => (FileType::Fifo, mode_or(0o600), 0),
        Node::Socket => (FileType::Socket, mode_or(0o600), 0),
        Node::Device { mode, rdev } => (FileType::from_raw_mode(*mode), mode_or(0), *rdev),
    };
    if matches!(kind, FileType::Directory | FileType::Symlink | FileType::Unknown) {
        return Err(Errno::INVAL);
    }
    rustix::fs::mknodat(dir, name, kind, mode, rdev)?;
    Inode::open_at(dir, name, true)
}

/// Renames, with both names in open directories.
pub(super) fn rename(from: &Place, to: &Place) -> std::result::Result<(), Errno> {
    rustix::fs::renameat(&*from.dir, &from.name, &*to.dir, &to.name)
}

/// Gives a file another name; a symbolic link is not followed but linked.
pub(super) fn link(existing: &Place, new: &Place) -> std::result::Result<(), Errno> {
    rustix::fs::linkat(&*existing.dir, &existing.name, &*new.dir, &new.name, AtFlags::empty())
}
