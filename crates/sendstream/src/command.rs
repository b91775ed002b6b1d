//! The commands of a send stream, as values that borrow from the bytes they were read from.
//!
//! Invariant: a value from the decoder keeps what its fields promise. Plain data; it must never own or copy content.

use crate::{encode::number_of, wire::command_name};

/// A path inside the subvolume that is being described: relative, `/` between components, any other byte allowed.
///
/// The decoder promises that it is not empty where a path is required, holds no NUL byte, does not begin with
/// `/` and has no component `.` or `..`, except that the top directory itself is the empty path (utimes, chown,
/// chmod and xattrs of the subvolume's root).
pub type StreamPath<'a> = &'a [u8];

/// A moment as the stream carries it: seconds since 1970 (negative before) and nanoseconds below 1 000 000 000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timespec {
    /// Whole seconds since 1970-01-01 UTC.
    pub seconds: i64,
    /// Nanoseconds of the second.
    pub nanoseconds: u32,
}

/// How an extent that is passed through as it lies on disk is encoded (`BTRFS_ENCODED_IO_COMPRESSION_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not compressed.
    None,
    /// zlib.
    Zlib,
    /// zstd, one frame.
    Zstd,
    /// lzo with Btrfs's framing, in sectors of so many KiB (4, 8, 16, 32 or 64).
    Lzo {
        /// Sector size in KiB.
        sector_kib: u32,
    },
}

/// One command of a stream. Lengths and offsets are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields carry the names that the kernel's documentation of the format gives them")]
pub enum Command<'a> {
    /// The stream describes a whole subvolume.
    Subvol {
        path: StreamPath<'a>,
        uuid: [u8; 16],
        ctransid: u64,
    },
    /// The stream describes the difference from a parent.
    Snapshot {
        path: StreamPath<'a>,
        uuid: [u8; 16],
        ctransid: u64,
        clone_uuid: [u8; 16],
        clone_ctransid: u64,
    },
    Mkfile {
        path: StreamPath<'a>,
    },
    Mkdir {
        path: StreamPath<'a>,
    },
    Mknod {
        path: StreamPath<'a>,
        mode: u64,
        rdev: u64,
    },
    Mkfifo {
        path: StreamPath<'a>,
    },
    Mksock {
        path: StreamPath<'a>,
    },
    Symlink {
        path: StreamPath<'a>,
        target: &'a [u8],
    },
    Rename {
        path: StreamPath<'a>,
        to: StreamPath<'a>,
    },
    /// A hard link `path` to the existing `existing`.
    Link {
        path: StreamPath<'a>,
        existing: StreamPath<'a>,
    },
    Unlink {
        path: StreamPath<'a>,
    },
    Rmdir {
        path: StreamPath<'a>,
    },
    SetXattr {
        path: StreamPath<'a>,
        name: &'a [u8],
        data: &'a [u8],
    },
    RemoveXattr {
        path: StreamPath<'a>,
        name: &'a [u8],
    },
    Write {
        path: StreamPath<'a>,
        offset: u64,
        data: &'a [u8],
    },
    /// Copy by reference from `clone_path` of the subvolume `clone_uuid` (which may be this one).
    Clone {
        path: StreamPath<'a>,
        offset: u64,
        len: u64,
        clone_uuid: [u8; 16],
        clone_ctransid: u64,
        clone_path: StreamPath<'a>,
        clone_offset: u64,
    },
    Truncate {
        path: StreamPath<'a>,
        size: u64,
    },
    Chmod {
        path: StreamPath<'a>,
        mode: u64,
    },
    Chown {
        path: StreamPath<'a>,
        uid: u64,
        gid: u64,
    },
    Utimes {
        path: StreamPath<'a>,
        atime: Timespec,
        mtime: Timespec,
        ctime: Timespec,
        otime: Option<Timespec>,
    },
    /// An extent changed, without its data (`--no-data` streams; cannot be received).
    UpdateExtent {
        path: StreamPath<'a>,
        offset: u64,
        len: u64,
    },
    /// Version 2: `fallocate(2)` with this mode.
    Fallocate {
        path: StreamPath<'a>,
        mode: u32,
        offset: u64,
        len: u64,
    },
    /// Version 2: inode flags.
    Fileattr {
        path: StreamPath<'a>,
        attr: u64,
    },
    /// Version 2: an extent as it lies on disk, for `BTRFS_IOC_ENCODED_WRITE`.
    EncodedWrite {
        path: StreamPath<'a>,
        offset: u64,
        unencoded_file_len: u64,
        unencoded_len: u64,
        unencoded_offset: u64,
        compression: Compression,
        data: &'a [u8],
    },
    /// Version 3: fs-verity.
    EnableVerity {
        path: StreamPath<'a>,
        algorithm: u8,
        block_size: u32,
        salt: &'a [u8],
        signature: &'a [u8],
    },
    /// The stream is complete.
    End,
}

impl<'a> Command<'a> {
    /// The command's name, for messages: as `btrfs receive --dump` prints it.
    pub fn name(&self) -> &'static str {
        // Every command has a number, and every such number a name.
        command_name(number_of(self)).unwrap_or_default()
    }

    /// The path that the command is about: for a rename the old one. `None` for the end of the stream.
    pub fn path(&self) -> Option<StreamPath<'a>> {
        match *self {
            Self::Subvol { path, .. }
            | Self::Snapshot { path, .. }
            | Self::Mkfile { path }
            | Self::Mkdir { path }
            | Self::Mknod { path, .. }
            | Self::Mkfifo { path }
            | Self::Mksock { path }
            | Self::Symlink { path, .. }
            | Self::Rename { path, .. }
            | Self::Link { path, .. }
            | Self::Unlink { path }
            | Self::Rmdir { path }
            | Self::SetXattr { path, .. }
            | Self::RemoveXattr { path, .. }
            | Self::Write { path, .. }
            | Self::Clone { path, .. }
            | Self::Truncate { path, .. }
            | Self::Chmod { path, .. }
            | Self::Chown { path, .. }
            | Self::Utimes { path, .. }
            | Self::UpdateExtent { path, .. }
            | Self::Fallocate { path, .. }
            | Self::Fileattr { path, .. }
            | Self::EncodedWrite { path, .. }
            | Self::EnableVerity { path, .. } => Some(path),
            Self::End => None,
        }
    }
}
