//! Sealing a file with fs-verity (`linux/fsverity.h`).

use std::os::fd::AsFd;

use rustix::io::{Errno, Result};
use rustix::ioctl::{ioctl, opcode};

use super::Call;

/// `struct fsverity_enable_arg`
#[repr(C)]
struct EnableArgs {
    version: u32,
    hash_algorithm: u32,
    block_size: u32,
    salt_size: u32,
    salt_ptr: u64,
    sig_size: u32,
    reserved1: u32,
    sig_ptr: u64,
    reserved2: [u64; 11],
}

const _: () = assert!(size_of::<EnableArgs>() == 128, "as in linux/fsverity.h");

/// Makes a file unchangeable, and every read of it checked against a tree of hashes. Nobody may have it open for
/// writing.
///
/// # Errors
/// What the kernel says; `OPNOTSUPP` or `NOTTY` where it has no fs-verity.
pub(crate) fn enable_verity(
    file: impl AsFd,
    algorithm: u8,
    block_size: u32,
    salt: &[u8],
    signature: &[u8],
) -> Result<()> {
    let length = |part: &[u8]| u32::try_from(part.len()).map_err(|_| Errno::INVAL);
    let address = |part: &[u8]| if part.is_empty() { 0 } else { part.as_ptr().addr() as u64 };
    let mut args = EnableArgs {
        version: 1,
        hash_algorithm: algorithm.into(),
        block_size,
        salt_size: length(salt)?,
        salt_ptr: address(salt),
        sig_size: length(signature)?,
        reserved1: 0,
        sig_ptr: address(signature),
        reserved2: [0; 11],
    };
    let opcode = opcode::write::<EnableArgs>(b'f', 133);
    // SAFETY: the number belongs to the structure; both addresses are of so many readable bytes, which outlive the
    // call and are only read.
    unsafe { ioctl(file.as_fd(), Call { opcode, argument: &mut args }) }.map(drop)
}
