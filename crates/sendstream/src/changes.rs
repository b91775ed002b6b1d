//! What an incremental stream changes, as a list: made, removed, renamed, written, and only described anew.
//!
//! Fed with the commands in order; the stream may be one without data (`BTRFS_SEND_FLAG_NO_FILE_DATA`), which carries
//! all that is needed here. Pure: it must never look at a file system, and so it cannot tell what no stream tells.
//!
//! Guaranteed, for a stream that a receiver can apply to its parent:
//! - The list is net: passing names (the kernel's `o257-7-0`) and what came and went within the stream are not in it.
//! - Paths are final: the old ones are those of the parent, the new ones those of the new snapshot, whatever was
//!   renamed at which point of the stream. What lies below a renamed directory is not listed for that alone.
//! - Each name that is gone, that is new, or that stands for something else is listed once.
//! - Memory is proportional to what the stream names, not to the snapshots.
//!
//! Not guaranteed: a file that had several names in the parent looks like several files here, as the stream mentions
//! one of them; what was written is listed under that one.

use std::collections::BTreeSet;

use crate::command::Command;

mod net;
mod tree;

use tree::Tree;

/// The attribute that the kernel sends at the end of whatever it sends of a file, because a change of the owner takes
/// it away at the receiver.
const CAPABILITY: &[u8] = b"security.capability";

/// A stream that no receiver could apply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stream has `{command}` on `{}`, which {why}", .path.escape_ascii())]
pub struct Misfit {
    /// The command's name.
    pub command: &'static str,
    /// The path in it.
    pub path: Vec<u8>,
    /// What is the matter with that path.
    pub why: &'static str,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A device.
    Device,
}

/// What became of a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// What it stands for is new.
    Created,
    /// A further name of something that has a name already, which is given here as of the new snapshot.
    Linked(Vec<u8>),
    /// It is gone, and as far as the stream tells, what it stood for as well.
    Deleted,
    /// What it stood for has another name, or lies in another directory.
    Renamed,
    /// It stands for the same as before, and that was changed.
    Changed,
}

/// What was done to content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Content {
    /// How many bytes of the file were written or cloned; some may be as they were before.
    pub written: u64,
    /// The size that was set at last, where one was; it may be the old one.
    pub size: Option<u64>,
}

/// What of the metadata was set. The kernel sends what differs, and all of it for what is new.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// Permissions.
    pub mode: bool,
    /// User and group.
    pub owner: bool,
    /// Times; sent along with almost any change, also if only the time of the last access differs.
    pub times: bool,
    /// Inode flags.
    pub flags: bool,
    /// Extended attributes that were set or removed, access lists among them.
    pub xattrs: BTreeSet<Vec<u8>>,
    /// Whether a file capability was set, which is sent along with any change of a file that has one: it may be as it
    /// was. One that was removed is among `xattrs`.
    pub capability: bool,
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What became of it.
    pub what: What,
    /// Its path in the parent; `None` for what is new.
    pub old: Option<Vec<u8>>,
    /// Its path in the new snapshot; `None` for what is gone.
    pub new: Option<Vec<u8>>,
    /// What it is, as far as the stream tells.
    pub kind: Option<Kind>,
    /// What was done to its content.
    pub content: Content,
    /// What of its metadata was set.
    pub metadata: Metadata,
    /// Whether it is a directory in which names came or went.
    pub entries: bool,
    /// For what is gone: the path, in the new snapshot, of what was made under its very name.
    pub successor: Option<Vec<u8>>,
}

/// Collects what a stream changes.
#[derive(Debug)]
pub struct Changes {
    tree: Tree,
}

impl Default for Changes {
    fn default() -> Self {
        Self::new()
    }
}

impl Changes {
    /// A collector that waits for the first command.
    pub fn new() -> Self {
        Self { tree: Tree::of_parent() }
    }

    /// Takes note of the next command of the stream.
    ///
    /// # Errors
    /// When the command does not fit what came before it.
    pub fn command(&mut self, command: &Command<'_>) -> Result<(), Misfit> {
        let misfit = |why| Misfit { command: command.name(), path: command.path().unwrap_or_default().to_vec(), why };
        self.apply(command).map_err(misfit)
    }

    /// The list, in the order of the new paths (the old ones for what is gone).
    pub fn finish(self) -> Vec<Change> {
        net::changes(&self.tree)
    }

    fn apply(&mut self, command: &Command<'_>) -> Result<(), &'static str> {
        let tree = &mut self.tree;
        match *command {
            Command::Subvol { .. } => *tree = Tree::empty(),
            Command::Snapshot { .. } | Command::End => {}
            Command::Mkfile { path } => tree.create(path, Kind::File)?,
            Command::Mkdir { path } => tree.create(path, Kind::Directory)?,
            Command::Mknod { path, .. } => tree.create(path, Kind::Device)?,
            Command::Mkfifo { path } => tree.create(path, Kind::Fifo)?,
            Command::Mksock { path } => tree.create(path, Kind::Socket)?,
            Command::Symlink { path, .. } => tree.create(path, Kind::Symlink)?,
            Command::Rename { path, to } => tree.rename(path, to)?,
            Command::Link { path, existing } => tree.link(path, existing)?,
            Command::Unlink { path } | Command::Rmdir { path } => tree.remove(path)?,
            _ => self.change(command)?,
        }
        Ok(())
    }

    /// A command that changes what its path stands for, not the path.
    fn change(&mut self, command: &Command<'_>) -> Result<(), &'static str> {
        let node = self.tree.find(command.path().unwrap_or_default())?;
        let (content, metadata) = (&mut node.content, &mut node.metadata);
        let mut write = |len: u64| content.written = content.written.saturating_add(len);
        match *command {
            Command::Write { data, .. } => write(data.len() as u64),
            Command::UpdateExtent { len, .. } | Command::Clone { len, .. } | Command::Fallocate { len, .. } => {
                write(len);
            }
            Command::EncodedWrite { unencoded_file_len, .. } => write(unencoded_file_len),
            Command::Truncate { size, .. } => content.size = Some(size),
            Command::Chmod { .. } => metadata.mode = true,
            Command::Chown { .. } => metadata.owner = true,
            Command::Utimes { .. } => metadata.times = true,
            Command::Fileattr { .. } | Command::EnableVerity { .. } => metadata.flags = true,
            Command::SetXattr { name: CAPABILITY, .. } => metadata.capability = true,
            Command::SetXattr { name, .. } | Command::RemoveXattr { name, .. } => {
                metadata.xattrs.insert(name.to_vec());
            }
            _ => {}
        }
        Ok(())
    }
}
