//! Writing file data without copying it or without unpacking it.

use std::os::fd::{AsFd, AsRawFd};

use rustix::io::{Errno, Result};

use super::abi::{CLONE_RANGE, CloneRangeArgs, ENCODED_WRITE, EncodedIoArgs, IoVec, Plain};
use super::call;

/// Lets `into` share the bytes `from[offset..offset + length]` at `at` (`FICLONERANGE`).
///
/// # Errors
/// What the kernel says, `INVAL` for offsets that are not block-aligned among it.
pub fn clone_range(from: impl AsFd, offset: u64, length: u64, into: impl AsFd, at: u64) -> Result<()> {
    let mut args = CloneRangeArgs::zeroed();
    args.src_fd = i64::from(from.as_fd().as_raw_fd());
    args.src_offset = offset;
    args.src_length = length;
    args.dest_offset = at;
    // SAFETY: no pointers inside; both files are open for as long as the call lasts.
    unsafe { call(into.as_fd(), &CLONE_RANGE, &mut args) }.map(drop)
}

/// Where already compressed data belongs; the fields of an `encoded_write` command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodedWrite {
    /// Where in the file it begins.
    pub offset: u64,
    /// How long it is in the file.
    pub len: u64,
    /// How long it is unpacked.
    pub unencoded_len: u64,
    /// Where in the unpacked data the file's part begins.
    pub unencoded_offset: u64,
    /// `BTRFS_ENCODED_IO_COMPRESSION_*`
    pub compression: u32,
    /// `BTRFS_ENCODED_IO_ENCRYPTION_*`
    pub encryption: u32,
}

/// Writes compressed `data` as it is; gives how many bytes of it were taken.
///
/// # Errors
/// What the kernel says: `NOTTY` or `INVAL` from one that cannot, `NOSPC`, `PERM` without
/// `CAP_SYS_ADMIN`.
pub fn encoded_write(into: impl AsFd, what: &EncodedWrite, data: &[u8]) -> Result<usize> {
    let vector = IoVec { base: data.as_ptr(), len: data.len() };
    let mut args = EncodedIoArgs::zeroed();
    args.iov = &raw const vector;
    args.iovcnt = 1;
    args.offset = i64::try_from(what.offset).map_err(|_| Errno::FBIG)?;
    args.len = what.len;
    args.unencoded_len = what.unencoded_len;
    args.unencoded_offset = what.unencoded_offset;
    args.compression = what.compression;
    args.encryption = what.encryption;
    // SAFETY: `iov` points to one vector over `data`, which the kernel only reads; both outlive the call.
    let taken = unsafe { call(into.as_fd(), &ENCODED_WRITE, &mut args) }?;
    usize::try_from(taken).map_err(|_| Errno::IO)
}
