//! Writes commands as a stream, with the attributes in the order in which the kernel writes them.
//!
//! Invariant: what was written decodes to the same command, and a command that fails leaves the buffer as it was.
//! It must never write what [`crate::decode`] refuses.
//!
//! Some of what the kernel sends is no part of a command's meaning and not kept by [`Command`]: the inode number of
//! a new entry, which receivers demand and ignore (written as 0), and mode and device number of a fifo or socket,
//! which they do not even look for (not written), and that an encoded extent is not encrypted (always written; the
//! kernel leaves it out for extents that are stored inline). All else comes out as the kernel wrote it, byte by byte.

pub use crate::error::{EncodeError, Fault};
use crate::{
    check::check,
    command::{Command, Timespec},
    wire::{CHECKSUM_AT, COMMAND_HEADER, MAGIC, NEWEST_VERSION, attr, attribute_name, checksum, compression},
    wire::{first_version, longest_body, number},
};

/// Writes a stream of one version.
#[derive(Debug, Clone, Copy)]
pub struct Encoder {
    version: u32,
}

impl Encoder {
    /// An encoder of this version.
    pub fn new(version: u32) -> Result<Self, EncodeError> {
        match version {
            1..=NEWEST_VERSION => Ok(Self { version }),
            _ => Err(EncodeError::Version { version }),
        }
    }

    /// Appends what a stream begins with.
    pub fn header(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.version.to_le_bytes());
    }

    /// Appends a command; on an error nothing is appended.
    pub fn command(&self, command: &Command<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        let result = self.write(command, out);
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    fn write(&self, command: &Command<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let (number, version) = (number_of(command), self.version);
        let malformed = |fault| EncodeError::Malformed { command: command.name(), fault };
        if version < first_version(number) {
            return Err(EncodeError::NotInVersion { command: command.name(), version });
        }
        check(command).map_err(malformed)?;
        let start = out.len();
        out.extend_from_slice(&[0; COMMAND_HEADER]);
        let mut body = Body { out, version, fault: None };
        body.command(command);
        body.fault.map_or(Ok(()), |fault| Err(malformed(fault)))?;
        let (len, limit) = (out.len() - start - COMMAND_HEADER, longest_body(version));
        let unit = &mut out[start..];
        match u32::try_from(len) {
            Ok(body) if len <= limit => unit[..4].copy_from_slice(&body.to_le_bytes()),
            _ => return Err(EncodeError::TooLong { command: command.name(), len, limit }),
        }
        unit[4..CHECKSUM_AT].copy_from_slice(&number.to_le_bytes());
        let sum = checksum(unit);
        unit[CHECKSUM_AT..COMMAND_HEADER].copy_from_slice(&sum.to_le_bytes());
        Ok(())
    }
}

/// The command's number on the wire.
pub(crate) fn number_of(command: &Command<'_>) -> u16 {
    match command {
        Command::Subvol { .. } => number::SUBVOL,
        Command::Snapshot { .. } => number::SNAPSHOT,
        Command::Mkfile { .. } => number::MKFILE,
        Command::Mkdir { .. } => number::MKDIR,
        Command::Mknod { .. } => number::MKNOD,
        Command::Mkfifo { .. } => number::MKFIFO,
        Command::Mksock { .. } => number::MKSOCK,
        Command::Symlink { .. } => number::SYMLINK,
        Command::Rename { .. } => number::RENAME,
        Command::Link { .. } => number::LINK,
        Command::Unlink { .. } => number::UNLINK,
        Command::Rmdir { .. } => number::RMDIR,
        Command::SetXattr { .. } => number::SET_XATTR,
        Command::RemoveXattr { .. } => number::REMOVE_XATTR,
        Command::Write { .. } => number::WRITE,
        Command::Clone { .. } => number::CLONE,
        Command::Truncate { .. } => number::TRUNCATE,
        Command::Chmod { .. } => number::CHMOD,
        Command::Chown { .. } => number::CHOWN,
        Command::Utimes { .. } => number::UTIMES,
        Command::UpdateExtent { .. } => number::UPDATE_EXTENT,
        Command::Fallocate { .. } => number::FALLOCATE,
        Command::Fileattr { .. } => number::FILEATTR,
        Command::EncodedWrite { .. } => number::ENCODED_WRITE,
        Command::EnableVerity { .. } => number::ENABLE_VERITY,
        Command::End => number::END,
    }
}

/// The attributes of one command being written. The first fault is kept, so that the lists below stay lists.
struct Body<'o> {
    out: &'o mut Vec<u8>,
    version: u32,
    fault: Option<Fault>,
}

impl Body<'_> {
    fn command(&mut self, command: &Command<'_>) {
        match *command {
            // The only one whose path is not first.
            Command::Clone { path, offset, len, clone_uuid, clone_ctransid, clone_path, clone_offset } => self
                .u64(attr::FILE_OFFSET, offset)
                .u64(attr::CLONE_LEN, len)
                .bytes(attr::PATH, path)
                .bytes(attr::CLONE_UUID, &clone_uuid)
                .u64(attr::CLONE_CTRANSID, clone_ctransid)
                .bytes(attr::CLONE_PATH, clone_path)
                .u64(attr::CLONE_OFFSET, clone_offset),
            Command::End => self,
            _ => {
                self.bytes(attr::PATH, command.path().unwrap_or_default());
                if number_of(command) <= number::RMDIR { self.tree(command) } else { self.content(command) }
            }
        };
    }

    fn tree(&mut self, command: &Command<'_>) -> &mut Self {
        match *command {
            Command::Subvol { uuid, ctransid, .. } => self.bytes(attr::UUID, &uuid).u64(attr::CTRANSID, ctransid),
            Command::Snapshot { uuid, ctransid, clone_uuid, clone_ctransid, .. } => self
                .bytes(attr::UUID, &uuid)
                .u64(attr::CTRANSID, ctransid)
                .bytes(attr::CLONE_UUID, &clone_uuid)
                .u64(attr::CLONE_CTRANSID, clone_ctransid),
            Command::Mkfile { .. } | Command::Mkdir { .. } | Command::Mkfifo { .. } | Command::Mksock { .. } => {
                self.u64(attr::INO, 0)
            }
            Command::Mknod { mode, rdev, .. } => self.u64(attr::INO, 0).u64(attr::RDEV, rdev).u64(attr::MODE, mode),
            Command::Symlink { target, .. } => self.u64(attr::INO, 0).bytes(attr::PATH_LINK, target),
            Command::Rename { to, .. } => self.bytes(attr::PATH_TO, to),
            Command::Link { existing, .. } => self.bytes(attr::PATH_LINK, existing),
            _ => self,
        }
    }

    fn content(&mut self, command: &Command<'_>) -> &mut Self {
        match *command {
            Command::SetXattr { name, data, .. } => self.bytes(attr::XATTR_NAME, name).bytes(attr::XATTR_DATA, data),
            Command::RemoveXattr { name, .. } => self.bytes(attr::XATTR_NAME, name),
            Command::Write { offset, data, .. } => self.u64(attr::FILE_OFFSET, offset).data(data),
            Command::Truncate { size, .. } => self.u64(attr::SIZE, size),
            Command::Chmod { mode, .. } => self.u64(attr::MODE, mode),
            Command::Chown { uid, gid, .. } => self.u64(attr::UID, uid).u64(attr::GID, gid),
            Command::Utimes { atime, mtime, ctime, otime, .. } => {
                self.time(attr::ATIME, atime).time(attr::MTIME, mtime).time(attr::CTIME, ctime);
                match otime {
                    Some(otime) => self.time(attr::OTIME, otime),
                    None => self,
                }
            }
            Command::UpdateExtent { offset, len, .. } => self.u64(attr::FILE_OFFSET, offset).u64(attr::SIZE, len),
            Command::Fallocate { mode, offset, len, .. } => self
                .bytes(attr::FALLOCATE_MODE, &mode.to_le_bytes())
                .u64(attr::FILE_OFFSET, offset)
                .u64(attr::SIZE, len),
            Command::Fileattr { attr, .. } => self.u64(attr::FILEATTR, attr),
            Command::EncodedWrite { .. } => self.encoded_write(command),
            Command::EnableVerity { algorithm, block_size, salt, signature, .. } => self
                .bytes(attr::VERITY_ALGORITHM, &[algorithm])
                .bytes(attr::VERITY_BLOCK_SIZE, &block_size.to_le_bytes())
                .bytes(attr::VERITY_SALT_DATA, salt)
                .bytes(attr::VERITY_SIG_DATA, signature),
            _ => self,
        }
    }

    fn encoded_write(&mut self, command: &Command<'_>) -> &mut Self {
        let Command::EncodedWrite {
            offset,
            unencoded_file_len,
            unencoded_len,
            unencoded_offset,
            compression,
            data,
            ..
        } = *command
        else {
            return self;
        };
        let Some(compression) = compression::to_wire(compression) else {
            self.fault.get_or_insert(Fault::Compression);
            return self;
        };
        self.u64(attr::FILE_OFFSET, offset)
            .u64(attr::UNENCODED_FILE_LEN, unencoded_file_len)
            .u64(attr::UNENCODED_LEN, unencoded_len)
            .u64(attr::UNENCODED_OFFSET, unencoded_offset)
            .bytes(attr::COMPRESSION, &compression.to_le_bytes())
            .bytes(attr::ENCRYPTION, &[0; 4])
            .data(data)
    }

    fn u64(&mut self, number: u16, value: u64) -> &mut Self {
        self.bytes(number, &value.to_le_bytes())
    }

    fn time(&mut self, number: u16, moment: Timespec) -> &mut Self {
        let mut value = [0; 12];
        value[..8].copy_from_slice(&moment.seconds.to_le_bytes());
        value[8..].copy_from_slice(&moment.nanoseconds.to_le_bytes());
        self.bytes(number, &value)
    }

    /// From version 2 on, data has no length field and must be the last attribute.
    fn data(&mut self, data: &[u8]) -> &mut Self {
        if self.version == 1 {
            return self.bytes(attr::DATA, data);
        }
        self.out.extend_from_slice(&attr::DATA.to_le_bytes());
        self.out.extend_from_slice(data);
        self
    }

    fn bytes(&mut self, number: u16, value: &[u8]) -> &mut Self {
        match u16::try_from(value.len()) {
            Ok(len) => {
                self.out.extend_from_slice(&number.to_le_bytes());
                self.out.extend_from_slice(&len.to_le_bytes());
                self.out.extend_from_slice(value);
            }
            Err(_) => {
                let fault = Fault::Long { attribute: attribute_name(number), len: value.len() };
                self.fault.get_or_insert(fault);
            }
        }
        self
    }
}
