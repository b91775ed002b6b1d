//! Writes file data.
//!
//! Invariant: nothing is written where the stream has nothing, so holes stay holes. Compressed data goes in as
//! it is where the pool takes it, and unpacked where not.

use rustix::io::Errno;
use subvault_sendstream::command::Compression;

use super::error::{ReceiveError, Result, Shown, failed};
use super::inode::Inode;
use super::job::{Encoded, Rules};
use super::unpack::{self, UnpackError};
use crate::ioctl::{EncodedWrite, encoded_write};

/// Writes all of `data` at `offset`.
pub(super) fn write_all(inode: &Inode, mut data: &[u8], mut offset: u64) -> std::result::Result<(), Errno> {
    while !data.is_empty() {
        let written = match rustix::io::pwrite(inode, data, offset) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => written,
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error),
        };
        data = &data[written..];
        offset = offset.checked_add(written as u64).ok_or(Errno::FBIG)?;
    }
    Ok(())
}

/// Writes an extent that is compressed.
pub(super) fn write_encoded(inode: &Inode, what: &Encoded, data: &[u8], rules: &Rules, path: &[u8]) -> Result<()> {
    if !rules.force_decompress {
        let call = EncodedWrite {
            offset: what.offset,
            len: what.file_len,
            unencoded_len: what.unencoded_len,
            unencoded_offset: what.unencoded_offset,
            compression: number(what.compression),
            encryption: 0,
        };
        match encoded_write(inode, &call, data) {
            Ok(_) => return Ok(()),
            // This pool, this file (`chattr +C`, say) or this alignment does not take it.
            Err(Errno::NOSPC | Errno::NOTTY | Errno::INVAL | Errno::OPNOTSUPP) => {}
            Err(error) => return Err(failed("encoded_write", path)(error)),
        }
    }
    let bad = |source| ReceiveError::Unpack { path: Shown::new(path), source };
    let unpacked = unpack::unpack(data, what.compression, what.unencoded_len).map_err(bad)?;
    let part = part(&unpacked, what.unencoded_offset, what.file_len).ok_or_else(|| bad(UnpackError::Lengths))?;
    write_all(inode, part, what.offset).map_err(failed("encoded_write", path))
}

fn part(unpacked: &[u8], offset: u64, len: u64) -> Option<&[u8]> {
    unpacked.get(usize::try_from(offset).ok()?..)?.get(..usize::try_from(len).ok()?)
}

/// `BTRFS_ENCODED_IO_COMPRESSION_*`
fn number(compression: Compression) -> u32 {
    match compression {
        Compression::None => 0,
        Compression::Zlib => 1,
        Compression::Zstd => 2,
        Compression::Lzo { sector_kib } => 1 + sector_kib.max(4).ilog2(),
    }
}
