//! From the attributes of a command to the command.
//!
//! Invariant: what is returned passed [`crate::check`]. It must never fail on a command that the kernel writes, nor
//! accept one that lacks something it needs.

use crate::{
    attributes::Attributes,
    check::check,
    command::{Command, Compression},
    error::Fault,
    wire::{attr, compression, number},
};

/// The command with this number, `None` when there is no such number.
pub(crate) fn parse<'a>(number: u16, body: &'a [u8], version: u32) -> Result<Option<Command<'a>>, Fault> {
    let attributes = Attributes::parse(body, version)?;
    let command = match number {
        number::END => Some(Command::End),
        number::SUBVOL..=number::RMDIR => tree(number, &attributes)?,
        _ => content(number, &attributes)?,
    };
    if let Some(command) = &command {
        check(command)?;
    }
    Ok(command)
}

/// The commands that begin a stream, and those that make, move and remove names.
fn tree<'a>(number: u16, a: &Attributes<'a>) -> Result<Option<Command<'a>>, Fault> {
    let path = a.bytes(attr::PATH)?;
    Ok(Some(match number {
        number::SUBVOL => Command::Subvol { path, uuid: a.array(attr::UUID)?, ctransid: a.u64(attr::CTRANSID)? },
        number::SNAPSHOT => Command::Snapshot {
            path,
            uuid: a.array(attr::UUID)?,
            ctransid: a.u64(attr::CTRANSID)?,
            clone_uuid: a.array(attr::CLONE_UUID)?,
            clone_ctransid: a.u64(attr::CLONE_CTRANSID)?,
        },
        number::MKFILE => Command::Mkfile { path },
        number::MKDIR => Command::Mkdir { path },
        number::MKNOD => Command::Mknod { path, mode: a.u64(attr::MODE)?, rdev: a.u64(attr::RDEV)? },
        number::MKFIFO => Command::Mkfifo { path },
        number::MKSOCK => Command::Mksock { path },
        number::SYMLINK => Command::Symlink { path, target: a.bytes(attr::PATH_LINK)? },
        number::RENAME => Command::Rename { path, to: a.bytes(attr::PATH_TO)? },
        number::LINK => Command::Link { path, existing: a.bytes(attr::PATH_LINK)? },
        number::UNLINK => Command::Unlink { path },
        number::RMDIR => Command::Rmdir { path },
        _ => return Ok(None),
    }))
}

/// The commands that change what a name stands for.
fn content<'a>(number: u16, a: &Attributes<'a>) -> Result<Option<Command<'a>>, Fault> {
    if !(number::SET_XATTR..=number::ENABLE_VERITY).contains(&number) {
        return Ok(None);
    }
    let path = a.bytes(attr::PATH)?;
    Ok(Some(match number {
        number::SET_XATTR => {
            Command::SetXattr { path, name: a.bytes(attr::XATTR_NAME)?, data: a.bytes(attr::XATTR_DATA)? }
        }
        number::REMOVE_XATTR => Command::RemoveXattr { path, name: a.bytes(attr::XATTR_NAME)? },
        number::WRITE => Command::Write { path, offset: a.u64(attr::FILE_OFFSET)?, data: a.bytes(attr::DATA)? },
        number::CLONE => Command::Clone {
            path,
            offset: a.u64(attr::FILE_OFFSET)?,
            len: a.u64(attr::CLONE_LEN)?,
            clone_uuid: a.array(attr::CLONE_UUID)?,
            clone_ctransid: a.u64(attr::CLONE_CTRANSID)?,
            clone_path: a.bytes(attr::CLONE_PATH)?,
            clone_offset: a.u64(attr::CLONE_OFFSET)?,
        },
        number::TRUNCATE => Command::Truncate { path, size: a.u64(attr::SIZE)? },
        number::CHMOD => Command::Chmod { path, mode: a.u64(attr::MODE)? },
        number::CHOWN => Command::Chown { path, uid: a.u64(attr::UID)?, gid: a.u64(attr::GID)? },
        number::UTIMES => Command::Utimes {
            path,
            atime: a.time(attr::ATIME)?,
            mtime: a.time(attr::MTIME)?,
            ctime: a.time(attr::CTIME)?,
            otime: a.optional(attr::OTIME).map(|_| a.time(attr::OTIME)).transpose()?,
        },
        number::UPDATE_EXTENT => {
            Command::UpdateExtent { path, offset: a.u64(attr::FILE_OFFSET)?, len: a.u64(attr::SIZE)? }
        }
        number::FALLOCATE => Command::Fallocate {
            path,
            mode: a.u32(attr::FALLOCATE_MODE)?,
            offset: a.u64(attr::FILE_OFFSET)?,
            len: a.u64(attr::SIZE)?,
        },
        number::FILEATTR => Command::Fileattr { path, attr: a.u64(attr::FILEATTR)? },
        number::ENCODED_WRITE => encoded_write(path, a)?,
        number::ENABLE_VERITY => Command::EnableVerity {
            path,
            algorithm: a.u8(attr::VERITY_ALGORITHM)?,
            block_size: a.u32(attr::VERITY_BLOCK_SIZE)?,
            salt: a.bytes(attr::VERITY_SALT_DATA)?,
            signature: a.bytes(attr::VERITY_SIG_DATA)?,
        },
        _ => return Ok(None),
    }))
}

/// Compression and encryption may be left out, which means none.
fn encoded_write<'a>(path: &'a [u8], a: &Attributes<'a>) -> Result<Command<'a>, Fault> {
    let compression = match a.optional(attr::COMPRESSION) {
        None => Compression::None,
        Some(_) => compression::from_wire(a.u32(attr::COMPRESSION)?).ok_or(Fault::Compression)?,
    };
    if a.optional(attr::ENCRYPTION).is_some() {
        let method = a.u32(attr::ENCRYPTION)?;
        if method != 0 {
            return Err(Fault::Encrypted { method });
        }
    }
    Ok(Command::EncodedWrite {
        path,
        offset: a.u64(attr::FILE_OFFSET)?,
        unencoded_file_len: a.u64(attr::UNENCODED_FILE_LEN)?,
        unencoded_len: a.u64(attr::UNENCODED_LEN)?,
        unencoded_offset: a.u64(attr::UNENCODED_OFFSET)?,
        compression,
        data: a.bytes(attr::DATA)?,
    })
}
