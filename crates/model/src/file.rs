//! What a file, directory, link or node is, as its inode says.

use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use crate::bytesize::ByteSize;
use crate::file_path::FilePath;

/// What kind of thing a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character or block device.
    Device,
    /// A subvolume inside another, or the empty directory that stands for it in a snapshot.
    Subvolume,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Directory => "directory",
            Self::File => "file",
            Self::Symlink => "symbolic link",
            Self::Fifo => "fifo",
            Self::Socket => "socket",
            Self::Device => "device",
            Self::Subvolume => "subvolume",
        })
    }
}

/// An inode as it was at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// What it is.
    pub kind: FileKind,
    /// Its number; the same in a subvolume and its snapshots.
    pub inode: u64,
    /// How long it is; of a directory, what the file system says.
    pub size: ByteSize,
    /// Its permissions.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// How many names it has.
    pub links: u64,
    /// When its content was changed last.
    pub modified: Timestamp,
    /// When anything of it was changed last; nobody can set this one.
    pub changed: Timestamp,
}

impl FileState {
    /// Whether this is the same inode, not changed in between. A directory changes with every name in it, and is
    /// compared by what it is and who may use it alone.
    #[must_use]
    pub fn is_still(&self, before: &Self) -> bool {
        let same_right = (self.kind, self.inode, self.mode, self.uid, self.gid)
            == (before.kind, before.inode, before.mode, before.uid, before.gid);
        let same_data = (self.size, self.modified) == (before.size, before.modified);
        same_right && (same_data || matches!(self.kind, FileKind::Directory | FileKind::Subvolume))
    }

    /// Whether it is the same inode and nothing at all was done to it in between.
    #[must_use]
    pub fn is_untouched(&self, before: &Self) -> bool {
        self.is_still(before) && self.changed == before.changed && self.size == before.size
    }
}

/// How alike two things are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// In everything.
    Same,
    /// They hold the same, and differ in owner, permissions, times or attributes.
    AttributesDiffer,
    /// They hold different things, or are of different kinds.
    Differs,
}

/// A path for people.
#[must_use]
pub fn shown(path: &Path) -> String {
    FilePath::new(path.as_os_str().as_encoded_bytes()).to_string()
}

/// Writes a path for programs, without loss; for `#[serde(serialize_with = …)]`.
///
/// # Errors
/// Those of the serializer.
pub fn as_shown<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    FilePath::new(path.as_os_str().as_encoded_bytes()).serialize(serializer)
}
