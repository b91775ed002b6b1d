//! The send ioctl: the kernel writes a stream into a descriptor.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Result;

use super::abi::{Plain, SEND, SendArgs};
use super::call;

/// `BTRFS_SEND_FLAG_NO_FILE_DATA`
const NO_FILE_DATA: u64 = 0x1;
/// `BTRFS_SEND_FLAG_VERSION`
const VERSION: u64 = 0x8;
/// `BTRFS_SEND_FLAG_COMPRESSED`
const COMPRESSED: u64 = 0x10;

/// What is to be sent, and how.
pub(crate) struct SendCall {
    /// Id of the parent, 0 for a full stream.
    pub(crate) parent: u64,
    /// Ids of the subvolumes that the receiver has.
    pub(crate) clone_sources: Vec<u64>,
    pub(crate) version: u32,
    pub(crate) compressed: bool,
    pub(crate) no_data: bool,
}

/// Writes the stream of `snapshot` into `into`; returns when all of it is written.
pub(crate) fn send(snapshot: BorrowedFd<'_>, into: BorrowedFd<'_>, what: &SendCall) -> Result<()> {
    let mut args = SendArgs::zeroed();
    args.send_fd = i64::from(into.as_raw_fd());
    args.clone_sources_count = what.clone_sources.len() as u64;
    args.clone_sources = what.clone_sources.as_ptr();
    args.parent_root = what.parent;
    // Kernels before 6.0 refuse the flag, and protocol 1 is what they speak without it.
    if what.version > 1 {
        args.flags |= VERSION;
        args.version = what.version;
    }
    args.flags |= if what.compressed { COMPRESSED } else { 0 };
    args.flags |= if what.no_data { NO_FILE_DATA } else { 0 };
    // SAFETY: `clone_sources` points to as many ids as the count says, alive until the call returns.
    unsafe { call(snapshot, &SEND, &mut args) }.map(drop)
}
