//! The numbers of the format, and the checksum: what decoder and encoder must agree on.
//!
//! Invariant: the numbers are those of the kernel's `fs/btrfs/send.h` and are never renumbered. Pure values; it
//! must never hold state.

use crc_fast::{CrcAlgorithm, Digest};

/// What every stream begins with, before its version as a little-endian `u32`.
pub(crate) const MAGIC: &[u8; 13] = b"btrfs-stream\0";
/// Magic and version.
pub(crate) const STREAM_HEADER: usize = 17;
/// Length (`u32`, without this header), number (`u16`), checksum (`u32`).
pub(crate) const COMMAND_HEADER: usize = 10;
/// Where in the command header the checksum lies.
pub(crate) const CHECKSUM_AT: usize = 6;
/// The newest version that is understood.
pub(crate) const NEWEST_VERSION: u32 = 3;

/// Longest body of a command. Version 1 has a fixed 64 KiB buffer for header and body; later versions name no
/// limit, so ours is far above what the kernel writes (about 130 KiB) and small enough to be buffered.
pub(crate) fn longest_body(version: u32) -> usize {
    if version == 1 { 64 * 1024 - COMMAND_HEADER } else { 16 * 1024 * 1024 }
}

/// CRC32C of header and body, with zeros where the checksum lies. The kernel starts at 0 and does not invert
/// the result, unlike everybody else.
pub(crate) fn checksum(unit: &[u8]) -> u32 {
    let mut header = [0; COMMAND_HEADER];
    header[..CHECKSUM_AT].copy_from_slice(&unit[..CHECKSUM_AT]);
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, 0);
    digest.update(&header);
    digest.update(&unit[COMMAND_HEADER..]);
    // finalize() inverts a value of 32 bits: the upper half is zero.
    !(digest.finalize() as u32)
}

/// Command numbers.
pub(crate) mod number {
    pub(crate) const SUBVOL: u16 = 1;
    pub(crate) const SNAPSHOT: u16 = 2;
    pub(crate) const MKFILE: u16 = 3;
    pub(crate) const MKDIR: u16 = 4;
    pub(crate) const MKNOD: u16 = 5;
    pub(crate) const MKFIFO: u16 = 6;
    pub(crate) const MKSOCK: u16 = 7;
    pub(crate) const SYMLINK: u16 = 8;
    pub(crate) const RENAME: u16 = 9;
    pub(crate) const LINK: u16 = 10;
    pub(crate) const UNLINK: u16 = 11;
    pub(crate) const RMDIR: u16 = 12;
    pub(crate) const SET_XATTR: u16 = 13;
    pub(crate) const REMOVE_XATTR: u16 = 14;
    pub(crate) const WRITE: u16 = 15;
    pub(crate) const CLONE: u16 = 16;
    pub(crate) const TRUNCATE: u16 = 17;
    pub(crate) const CHMOD: u16 = 18;
    pub(crate) const CHOWN: u16 = 19;
    pub(crate) const UTIMES: u16 = 20;
    pub(crate) const END: u16 = 21;
    pub(crate) const UPDATE_EXTENT: u16 = 22;
    pub(crate) const FALLOCATE: u16 = 23;
    pub(crate) const FILEATTR: u16 = 24;
    pub(crate) const ENCODED_WRITE: u16 = 25;
    pub(crate) const ENABLE_VERITY: u16 = 26;
}

/// Names of the commands, by number; number 0 is not a command.
const COMMAND_NAMES: [&str; 27] = [
    "",
    "subvol",
    "snapshot",
    "mkfile",
    "mkdir",
    "mknod",
    "mkfifo",
    "mksock",
    "symlink",
    "rename",
    "link",
    "unlink",
    "rmdir",
    "set_xattr",
    "remove_xattr",
    "write",
    "clone",
    "truncate",
    "chmod",
    "chown",
    "utimes",
    "end",
    "update_extent",
    "fallocate",
    "fileattr",
    "encoded_write",
    "enable_verity",
];

/// The command's name, `None` for a number that no version knows.
pub(crate) fn command_name(number: u16) -> Option<&'static str> {
    COMMAND_NAMES.get(usize::from(number)).copied().filter(|name| !name.is_empty())
}

/// The first version that has this command.
pub(crate) fn first_version(number: u16) -> u32 {
    match number {
        ..=number::UPDATE_EXTENT => 1,
        number::FALLOCATE..=number::ENCODED_WRITE => 2,
        _ => 3,
    }
}

/// Attribute numbers.
pub(crate) mod attr {
    pub(crate) const UUID: u16 = 1;
    pub(crate) const CTRANSID: u16 = 2;
    pub(crate) const INO: u16 = 3;
    pub(crate) const SIZE: u16 = 4;
    pub(crate) const MODE: u16 = 5;
    pub(crate) const UID: u16 = 6;
    pub(crate) const GID: u16 = 7;
    pub(crate) const RDEV: u16 = 8;
    pub(crate) const CTIME: u16 = 9;
    pub(crate) const MTIME: u16 = 10;
    pub(crate) const ATIME: u16 = 11;
    pub(crate) const OTIME: u16 = 12;
    pub(crate) const XATTR_NAME: u16 = 13;
    pub(crate) const XATTR_DATA: u16 = 14;
    pub(crate) const PATH: u16 = 15;
    pub(crate) const PATH_TO: u16 = 16;
    pub(crate) const PATH_LINK: u16 = 17;
    pub(crate) const FILE_OFFSET: u16 = 18;
    pub(crate) const DATA: u16 = 19;
    pub(crate) const CLONE_UUID: u16 = 20;
    pub(crate) const CLONE_CTRANSID: u16 = 21;
    pub(crate) const CLONE_PATH: u16 = 22;
    pub(crate) const CLONE_OFFSET: u16 = 23;
    pub(crate) const CLONE_LEN: u16 = 24;
    pub(crate) const FALLOCATE_MODE: u16 = 25;
    pub(crate) const FILEATTR: u16 = 26;
    pub(crate) const UNENCODED_FILE_LEN: u16 = 27;
    pub(crate) const UNENCODED_LEN: u16 = 28;
    pub(crate) const UNENCODED_OFFSET: u16 = 29;
    pub(crate) const COMPRESSION: u16 = 30;
    pub(crate) const ENCRYPTION: u16 = 31;
    pub(crate) const VERITY_ALGORITHM: u16 = 32;
    pub(crate) const VERITY_BLOCK_SIZE: u16 = 33;
    pub(crate) const VERITY_SALT_DATA: u16 = 34;
    pub(crate) const VERITY_SIG_DATA: u16 = 35;
}

/// One more than the highest attribute number of any version.
pub(crate) const ATTRIBUTES: usize = 36;

/// The highest attribute number of a version.
pub(crate) fn last_attribute(version: u32) -> u16 {
    match version {
        1 => attr::CLONE_LEN,
        2 => attr::ENCRYPTION,
        _ => attr::VERITY_SIG_DATA,
    }
}

/// Names of the attributes, by number.
const ATTRIBUTE_NAMES: [&str; ATTRIBUTES] = [
    "",
    "uuid",
    "ctransid",
    "ino",
    "size",
    "mode",
    "uid",
    "gid",
    "rdev",
    "ctime",
    "mtime",
    "atime",
    "otime",
    "xattr_name",
    "xattr_data",
    "path",
    "path_to",
    "path_link",
    "file_offset",
    "data",
    "clone_uuid",
    "clone_ctransid",
    "clone_path",
    "clone_offset",
    "clone_len",
    "fallocate_mode",
    "fileattr",
    "unencoded_file_len",
    "unencoded_len",
    "unencoded_offset",
    "compression",
    "encryption",
    "verity_algorithm",
    "verity_block_size",
    "verity_salt_data",
    "verity_sig_data",
];

/// The attribute's name; only for numbers of this module.
pub(crate) fn attribute_name(number: u16) -> &'static str {
    ATTRIBUTE_NAMES[usize::from(number)]
}

/// The number under which a compression goes over the wire, and back.
pub(crate) mod compression {
    use crate::command::Compression;

    pub(crate) fn to_wire(compression: Compression) -> Option<u32> {
        Some(match compression {
            Compression::None => 0,
            Compression::Zlib => 1,
            Compression::Zstd => 2,
            Compression::Lzo { sector_kib: kib @ (4 | 8 | 16 | 32 | 64) } => kib.ilog2() + 1,
            Compression::Lzo { .. } => return None,
        })
    }

    pub(crate) fn from_wire(number: u32) -> Option<Compression> {
        Some(match number {
            0 => Compression::None,
            1 => Compression::Zlib,
            2 => Compression::Zstd,
            3..=7 => Compression::Lzo { sector_kib: 1 << (number - 1) },
            _ => return None,
        })
    }
}
