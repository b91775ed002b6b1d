//! Applies a send stream to a directory of a Btrfs pool, with the result that `btrfs receive` gives, and faster.
//!
//! What makes it fast: a file is made once, under its final name, written and finished on one descriptor, by
//! other threads than the one that reads the stream; directories stay open; what a new file already is, is not
//! set again; the times of a directory are set once, in the end. What makes it right: see `tree`.
//!
//! Invariant: the received uuid and the read-only flag are set last, when everything else has been done. Killed
//! or dropped before, it leaves a writable subvolume without received uuid: that is how an unfinished one is
//! known, and the caller deletes it. The stream is not trusted: it must never reach a file outside of the new
//! subvolume, other than the regular files of subvolumes that `Sources` gives to clone from.

mod data;
mod dirs;
mod error;
mod hand;
pub(crate) mod inode;
mod job;
mod lzo;
mod paths;
mod sources;
mod tree;
mod unpack;
mod workers;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{OFlags, Timestamps};
use rustix::io::Errno;
use subvault_model::ids::{ReceivedUuid, SnapshotUuid, TransactionId};
use subvault_sendstream::command::{Command, Timespec};

pub use error::{ReceiveError, Shown};
pub use sources::{Sources, These, WholePool};
pub use unpack::UnpackError;

use crate::snapshot;
use crate::subvolume::Subvolume;
use error::{Result, failed, refused};
use job::{Encoded, Node, Op, Rules, Source};
use tree::Tree;

/// How to receive. There is no default: each of these changes what comes out.
pub struct ReceiveSettings {
    /// What the new subvolume is called; the name in the stream is not used.
    pub name: OsString,
    /// Where the parent and what is cloned from is looked for.
    pub sources: Box<dyn Sources>,
    /// Write what comes compressed unpacked, always.
    pub force_decompress: bool,
    /// How many threads write files, beside the one that gives the commands.
    pub threads: usize,
}

/// A finished copy.
#[derive(Debug)]
pub struct Received {
    /// Its own identity.
    pub uuid: SnapshotUuid,
    /// What it is a copy of.
    pub received_uuid: ReceivedUuid,
    /// Where it is.
    pub path: PathBuf,
    /// The subvolume, open.
    pub subvolume: Subvolume,
}

/// Applies one stream, command by command.
pub struct Receiver {
    destination: PathBuf,
    settings: ReceiveSettings,
    work: Option<Work>,
    ended: bool,
}

/// What is done before a subvolume is marked as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Sync,
}

/// What there is once the stream has said which subvolume it describes.
struct Work {
    subvolume: Subvolume,
    uuid: [u8; 16],
    ctransid: u64,
    tree: Tree,
    sources: HashMap<[u8; 16], Subvolume>,
}

impl Receiver {
    /// Gets ready to receive into the directory `destination`. Makes nothing yet.
    ///
    /// # Errors
    /// When it is not a directory.
    pub fn new(destination: &Path, settings: ReceiveSettings) -> Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(destination, flags, rustix::fs::Mode::empty())
            .map_err(|source| ReceiveError::Destination { path: destination.to_owned(), source })?;
        Ok(Self { destination: destination.to_owned(), settings, work: None, ended: false })
    }

    /// Applies the next command of the stream, or takes note of it: an error can be that of an earlier command.
    ///
    /// # Errors
    /// After the first, only giving up is left.
    pub fn command(&mut self, command: &Command<'_>) -> Result<()> {
        if self.ended {
            return Err(ReceiveError::Order("something follows the end"));
        }
        match *command {
            Command::Subvol { uuid, ctransid, .. } => self.begin(uuid, ctransid, None),
            Command::Snapshot { uuid, ctransid, clone_uuid, .. } => self.begin(uuid, ctransid, Some(clone_uuid)),
            Command::End => {
                self.ended = true;
                Ok(())
            }
            _ => {
                let work = self.work.as_mut().ok_or(ReceiveError::Order("it does not begin with a subvolume"))?;
                work.command(command, self.settings.sources.as_mut())
            }
        }
    }

    /// Does what is still to be done, and marks the subvolume as received and read-only. It is not synced.
    ///
    /// # Errors
    /// When the stream has not ended, or something could not be done.
    pub fn finish(self) -> Result<Received> {
        self.mark(Before::Nothing)
    }

    /// The same, with all of it on disk before it is marked: then the mark proves that, also after a power cut, and that
    /// nothing was written since, as the transaction of the last change is not after that of the mark.
    ///
    /// # Errors
    /// As `finish`; and when it could not be written to disk.
    pub fn finish_on_disk(self) -> Result<Received> {
        self.mark(Before::Sync)
    }

    fn mark(self, before: Before) -> Result<Received> {
        let mut work = self.work.filter(|_| self.ended).ok_or(ReceiveError::Order("it ends too early"))?;
        let received_uuid =
            ReceivedUuid::from_bytes(work.uuid).ok_or(ReceiveError::Order("its subvolume has no uuid"))?;
        work.tree.finish()?;
        drop(work.tree);
        let subvolume = work.subvolume;
        if before == Before::Sync {
            subvolume.sync_filesystem()?;
        }
        subvolume.set_received(received_uuid, TransactionId(work.ctransid))?;
        subvolume.make_read_only()?;
        let uuid = subvolume.info()?.identity()?;
        Ok(Received { uuid, received_uuid, path: subvolume.path().to_owned(), subvolume })
    }

    fn begin(&mut self, uuid: [u8; 16], ctransid: u64, parent: Option<[u8; 16]>) -> Result<()> {
        if self.work.is_some() {
            return Err(ReceiveError::Order("it describes a second subvolume"));
        }
        let mut sources = HashMap::new();
        let (dir, name) = (&self.destination, &self.settings.name);
        let subvolume = match parent {
            None => Subvolume::create(dir, name)?,
            Some(parent) => {
                let found = self.settings.sources.open(parent)?.ok_or_else(|| missing("parent", parent))?;
                let (subvolume, _) = snapshot::take_writable(&found, dir, name)?;
                sources.insert(parent, found);
                subvolume
            }
        };
        let top =
            || subvolume.as_fd().try_clone_to_owned().map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::MFILE));
        if parent.is_none() {
            let made = inode::Inode::open(top().map_err(failed("subvol", b""))?);
            made.disinherit().map_err(failed("subvol", b""))?;
        }
        let rules = Rules::of_this_process(self.settings.force_decompress);
        let mut tree = Tree::new(top().map_err(failed("subvol", b""))?, rules, self.settings.threads)?;
        if parent.is_some() {
            tree.keep_times_of_top()?;
        }
        self.work = Some(Work { subvolume, uuid, ctransid, tree, sources });
        Ok(())
    }
}

fn missing(role: &'static str, uuid: [u8; 16]) -> ReceiveError {
    let uuid = SnapshotUuid::from_bytes(uuid).map_or_else(|| "no uuid".to_owned(), |uuid| uuid.to_string());
    ReceiveError::SourceMissing { role, uuid }
}

impl Work {
    fn command(&mut self, command: &Command<'_>, sources: &mut dyn Sources) -> Result<()> {
        let (tree, name) = (&mut self.tree, command.name());
        match *command {
            Command::Mkfile { path } => tree.create(path, Node::File, name),
            Command::Mkdir { path } => tree.create(path, Node::Directory, name),
            Command::Mkfifo { path } => tree.create(path, Node::Fifo, name),
            Command::Mksock { path } => tree.create(path, Node::Socket, name),
            Command::Mknod { path, mode, rdev } => {
                let mode = u32::try_from(mode).map_err(|_| failed(name, path)(Errno::INVAL))?;
                tree.create(path, Node::Device { mode, rdev }, name)
            }
            Command::Symlink { path, target } => {
                let target = paths::c_string(target).map_err(failed(name, path))?;
                tree.create(path, Node::Symlink(target), name)
            }
            Command::Rename { path, to } => tree.rename(path, to),
            Command::Link { path, existing } => tree.link(path, existing),
            Command::Unlink { path } => tree.unlink(path),
            Command::Rmdir { path } => tree.rmdir(path),
            Command::Clone { .. } => self.clone_data(command, sources),
            Command::UpdateExtent { path, .. } => {
                Err(refused(name, path, "the stream was made without file data, and cannot be restored"))
            }
            Command::EnableVerity { path, algorithm, block_size, salt, signature } => {
                let file = tree.settled_file(path, name)?;
                crate::ioctl::enable_verity(file, algorithm, block_size, salt, signature).map_err(failed(name, path))
            }
            // The numbers are those of the sender's disk format, and `btrfs receive` leaves them alone too: what is
            // immutable could not be received any further.
            Command::Fileattr { .. } => Ok(()),
            Command::Subvol { .. } | Command::Snapshot { .. } | Command::End => {
                Err(ReceiveError::Order("it begins again"))
            }
            _ => self.inode_command(command),
        }
    }

    /// A command about what an inode holds or is.
    fn inode_command(&mut self, command: &Command<'_>) -> Result<()> {
        let (tree, command_name) = (&mut self.tree, command.name());
        let number = |path, value: u64| u32::try_from(value).map_err(|_| failed(command_name, path)(Errno::INVAL));
        let text = |path, name| paths::c_string(name).map_err(failed(command_name, path));
        match *command {
            Command::Write { path, offset, data } => tree.file(path, command_name, |hand| hand.write(offset, data)),
            Command::Truncate { path, size } => tree.file(path, command_name, |hand| hand.truncate(size)),
            Command::Fallocate { path, mode, offset, len } => tree.file(path, command_name, |hand| {
                hand.grown_to(None);
                hand.ops.push(Op::Fallocate { mode, offset, len });
            }),
            Command::EncodedWrite {
                path,
                offset,
                unencoded_file_len: file_len,
                unencoded_len,
                unencoded_offset,
                compression,
                data,
            } => tree.file(path, command_name, |hand| {
                let data = hand.keep(data);
                hand.grown_to(offset.checked_add(file_len));
                let what = Encoded { offset, file_len, unencoded_len, unencoded_offset, compression };
                hand.ops.push(Op::Encoded { what, data });
            }),
            Command::SetXattr { path, name, data } => {
                tree.attribute(path, Op::SetXattr { name: text(path, name)?, data: 0..0 }, data)
            }
            Command::RemoveXattr { path, name } => tree.attribute(path, Op::RemoveXattr(text(path, name)?), b""),
            Command::Chmod { path, mode } => tree.attribute(path, Op::Chmod(number(path, mode)?), b""),
            Command::Chown { path, uid, gid } => {
                tree.attribute(path, Op::Chown(number(path, uid)?, number(path, gid)?), b"")
            }
            Command::Utimes { path, atime, mtime, .. } => tree.utimes(path, timestamps(atime, mtime)),
            _ => Err(ReceiveError::Order("a command that is not known")),
        }
    }

    fn clone_data(&mut self, command: &Command<'_>, sources: &mut dyn Sources) -> Result<()> {
        let Command::Clone { path, offset, len, clone_uuid, clone_path, clone_offset, .. } = *command else {
            return Ok(());
        };
        // Takes the file in hand, so that what it is cloned from is looked at as the stream left it.
        self.tree.file(path, "clone", |_| {})?;
        let source = if clone_uuid != self.uuid {
            Source::File(self.foreign_file(clone_uuid, clone_path, sources)?)
        } else if clone_path == path {
            Source::Itself
        } else {
            let key = [&clone_uuid, clone_path].concat();
            Source::File(match self.tree.known_source(&key) {
                Some(file) => file,
                None => self.remember(key, |tree| tree.open_own(clone_path))?,
            })
        };
        self.tree.file(path, "clone", |hand| {
            hand.grown_to(offset.checked_add(len).filter(|_| len != 0));
            hand.ops.push(Op::Clone { source, from: clone_offset, len, offset });
        })
    }

    /// Opens a file of another subvolume to clone from.
    fn foreign_file(&mut self, uuid: [u8; 16], path: &[u8], sources: &mut dyn Sources) -> Result<Arc<OwnedFd>> {
        let key = [&uuid, path].concat();
        if let Some(file) = self.tree.known_source(&key) {
            return Ok(file);
        }
        let top = match self.sources.entry(uuid) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let found = sources.open(uuid)?;
                new.insert(found.ok_or_else(|| missing("source of a clone", uuid))?)
            }
        };
        let file = tree::open_source(top.as_fd(), path).map_err(failed("clone", path))?;
        self.remember(key, |_| Ok(file))
    }

    fn remember(&mut self, key: Vec<u8>, open: impl FnOnce(&mut Tree) -> Result<OwnedFd>) -> Result<Arc<OwnedFd>> {
        let file = Arc::new(open(&mut self.tree)?);
        self.tree.remember_source(key, &file);
        Ok(file)
    }
}

fn timestamps(atime: Timespec, mtime: Timespec) -> Timestamps {
    let convert = |time: Timespec| rustix::fs::Timespec { tv_sec: time.seconds, tv_nsec: time.nanoseconds.into() };
    Timestamps { last_access: convert(atime), last_modification: convert(mtime) }
}
