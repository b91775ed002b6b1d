//! What holds for the values of a command, whichever way it goes: the decoder hands out nothing else, and the encoder
//! writes nothing else.
//!
//! Invariant: a command that passes names no place outside the subvolume and no byte beyond the largest file. Pure;
//! it must never look at how a command is laid out.

use crate::{
    command::{Command, Timespec},
    error::Fault,
    wire::{attr, attribute_name, compression},
};

pub(crate) fn check(command: &Command<'_>) -> Result<(), Fault> {
    match *command {
        Command::Subvol { path, .. }
        | Command::Snapshot { path, .. }
        | Command::Mkfile { path }
        | Command::Mkdir { path }
        | Command::Mknod { path, .. }
        | Command::Mkfifo { path }
        | Command::Mksock { path }
        | Command::Unlink { path }
        | Command::Rmdir { path }
        | Command::EnableVerity { path, .. } => entry(path, attr::PATH),
        Command::Symlink { path, target } => entry(path, attr::PATH).and_then(|()| text(target, attr::PATH_LINK)),
        Command::Rename { path, to } => entry(path, attr::PATH).and_then(|()| entry(to, attr::PATH_TO)),
        Command::Link { path, existing } => entry(path, attr::PATH).and_then(|()| entry(existing, attr::PATH_LINK)),
        Command::SetXattr { path, name, .. } | Command::RemoveXattr { path, name } => {
            place(path, attr::PATH).and_then(|()| text(name, attr::XATTR_NAME))
        }
        Command::Chmod { path, .. } | Command::Chown { path, .. } | Command::Fileattr { path, .. } => {
            place(path, attr::PATH)
        }
        Command::Utimes { path, atime, mtime, ctime, otime } => {
            place(path, attr::PATH)?;
            time(atime, attr::ATIME)?;
            time(mtime, attr::MTIME)?;
            time(ctime, attr::CTIME)?;
            otime.map_or(Ok(()), |otime| time(otime, attr::OTIME))
        }
        Command::Truncate { path, size } => entry(path, attr::PATH).and_then(|()| range(size, 0)),
        Command::Write { path, offset, data } => {
            entry(path, attr::PATH)?;
            range(offset, data.len() as u64)
        }
        Command::UpdateExtent { path, offset, len } | Command::Fallocate { path, offset, len, .. } => {
            entry(path, attr::PATH)?;
            range(offset, len)
        }
        Command::Clone { path, offset, len, clone_path, clone_offset, .. } => {
            entry(path, attr::PATH)?;
            entry(clone_path, attr::CLONE_PATH)?;
            range(offset, len)?;
            range(clone_offset, len)
        }
        Command::EncodedWrite { path, .. } => entry(path, attr::PATH).and_then(|()| extent(command)),
        Command::End => Ok(()),
    }
}

/// The path of an entry of the tree.
fn entry(path: &[u8], number: u16) -> Result<(), Fault> {
    let attribute = attribute_name(number);
    if path.contains(&0) {
        return Err(Fault::Nul { attribute });
    }
    if path.split(|&byte| byte == b'/').any(|component| matches!(component, b"" | b"." | b"..")) {
        return Err(Fault::Path { attribute });
    }
    Ok(())
}

/// The path of an entry, or the top directory.
fn place(path: &[u8], number: u16) -> Result<(), Fault> {
    if path.is_empty() { Ok(()) } else { entry(path, number) }
}

/// A receiver hands these to the kernel as C strings, which would cut them at a NUL; the kernel knows no empty ones.
fn text(value: &[u8], number: u16) -> Result<(), Fault> {
    let attribute = attribute_name(number);
    if value.is_empty() {
        return Err(Fault::Empty { attribute });
    }
    if value.contains(&0) { Err(Fault::Nul { attribute }) } else { Ok(()) }
}

fn time(moment: Timespec, number: u16) -> Result<(), Fault> {
    let nanoseconds = moment.nanoseconds;
    if nanoseconds < 1_000_000_000 {
        Ok(())
    } else {
        Err(Fault::Nanoseconds { attribute: attribute_name(number), nanoseconds })
    }
}

/// File offsets are signed in the kernel.
fn range(offset: u64, len: u64) -> Result<(), Fault> {
    match offset.checked_add(len) {
        Some(end) if i64::try_from(end).is_ok() => Ok(()),
        _ => Err(Fault::Range { offset, len }),
    }
}

fn extent(command: &Command<'_>) -> Result<(), Fault> {
    let Command::EncodedWrite { offset, unencoded_file_len, unencoded_len, unencoded_offset, compression, .. } =
        *command
    else {
        return Ok(());
    };
    range(offset, unencoded_file_len)?;
    if unencoded_offset.checked_add(unencoded_file_len).is_none_or(|end| end > unencoded_len) {
        return Err(Fault::Extent { offset: unencoded_offset, file_len: unencoded_file_len, len: unencoded_len });
    }
    compression::to_wire(compression).map(|_| ()).ok_or(Fault::Compression)
}
