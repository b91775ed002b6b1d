//! The Btrfs ioctls, one thin function each: the only unsafe code of the project.
//!
//! Invariant: a function here makes one call (a search one per page) and decides nothing. Every
//! structure is laid out as in `linux/btrfs.h`; a test compiles that header and compares.
//! Killed here: each call either happened or did not, the kernel sees to that.
//! It must never retry, remember, or guess; the modules above give these calls a meaning.

mod abi;
mod data;
#[cfg(test)]
mod layout_tests;
mod pool;
mod search;
mod send;
mod subvolume;
mod thread;
mod verity;

pub use data::{EncodedWrite, clone_range, encoded_write};
pub(crate) use pool::{device, features, fs_info, label, set_default_subvolume, spaces, sync};
pub(crate) use search::{Key, Search, search};
pub(crate) use send::{SendCall, SendRequest};
pub(crate) use subvolume::{
    children, create, destroy, flags, info, inode_path, set_flags, set_received, snapshot, subvolume_of,
};
#[cfg(test)]
pub(crate) use thread::this_thread_is_idle;
pub(crate) use thread::{block_signals_in_this_thread, make_this_thread_idle};
pub(crate) use verity::enable_verity;

pub(crate) use abi::{SpaceInfo, SubvolInfoArgs};

use std::os::fd::BorrowedFd;

use rustix::io::Result;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl};

use abi::{Op, Plain};

/// `BTRFS_SUBVOL_RDONLY`
pub(crate) const READ_ONLY: u64 = 1 << 1;

struct Call<'a, T> {
    opcode: Opcode,
    argument: &'a mut T,
}

// SAFETY: `as_ptr` points to a live, exclusively borrowed `T`, which `Op<T>` promises to be what this
// opcode reads and writes; the output is the call's return value, nothing is read through the pointer.
unsafe impl<T> Ioctl for Call<'_, T> {
    type Output = IoctlOutput;

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        self.opcode
    }

    fn as_ptr(&mut self) -> *mut std::ffi::c_void {
        std::ptr::from_mut(self.argument).cast()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut std::ffi::c_void) -> Result<Self::Output> {
        Ok(output)
    }
}

/// Makes the call; gives what the kernel returned.
///
/// # Safety
/// Pointers and lengths inside `argument` must be valid for what the ioctl does with them.
unsafe fn call<T: Plain>(fd: BorrowedFd<'_>, op: &Op<T>, argument: &mut T) -> Result<IoctlOutput> {
    // SAFETY: `Op<T>` ties the number to the structure; the caller vouches for pointers inside it.
    unsafe { ioctl(fd, Call { opcode: op.opcode(), argument }) }
}
