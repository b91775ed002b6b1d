//! The send ioctl: the kernel writes a stream into a descriptor.
//!
//! A pitfall that decides the shape of this file: the kernel writes to a pipe in a way that a stop of the process
//! (Ctrl-Z, a debugger, a suspend of the machine) interrupts, and then begins the whole call again by itself, so
//! that a second stream follows in the middle of the first and the call ends well. Therefore the argument is kept
//! where `forbid_restart` can spoil it while the call runs: a call that is begun again then fails.

use std::ffi::c_void;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::Ordering;

use rustix::io::Result;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl};

use super::abi::{Plain, SEND, SendArgs};

/// `BTRFS_SEND_FLAG_NO_FILE_DATA`
const NO_FILE_DATA: u64 = 0x1;
/// `BTRFS_SEND_FLAG_VERSION`
const VERSION: u64 = 0x8;
/// `BTRFS_SEND_FLAG_COMPRESSED`
const COMPRESSED: u64 = 0x10;

/// No descriptor.
const NOWHERE: i64 = -1;

/// What is to be sent, and how.
pub(crate) struct SendRequest {
    /// Id of the parent, 0 for a full stream.
    pub(crate) parent: u64,
    /// Ids of the subvolumes that the receiver has.
    pub(crate) clone_sources: Vec<u64>,
    pub(crate) version: u32,
    pub(crate) compressed: bool,
    pub(crate) no_data: bool,
}

/// A call that is being made, or will be once.
pub(crate) struct SendCall {
    args: SendArgs,
    /// What `args` points to.
    _clone_sources: Vec<u64>,
}

// SAFETY: the pointer in `args` is to the vector beside it, which nobody changes.
unsafe impl Send for SendCall {}
// SAFETY: as above; the one field that changes while shared is atomic.
unsafe impl Sync for SendCall {}

impl SendCall {
    pub(crate) fn new(what: SendRequest) -> Self {
        let mut args = SendArgs::zeroed();
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
        Self { args, _clone_sources: what.clone_sources }
    }

    /// Writes the stream of `snapshot` into `into`; returns when all of it is written.
    pub(crate) fn run(&self, snapshot: BorrowedFd<'_>, into: BorrowedFd<'_>) -> Result<()> {
        self.args.send_fd.store(into.as_raw_fd().into(), Ordering::SeqCst);
        // SAFETY: the ioctl takes `SendArgs` and only reads it, once at its beginning; `clone_sources` points to as
        // many ids as the count says, alive as long as `self`.
        unsafe { ioctl(snapshot, Shared(&self.args)) }.map(drop)
    }

    /// From now on the kernel, should it begin the call again, gives up with `BADF`. To be called once the first
    /// bytes of the stream arrived.
    pub(crate) fn forbid_restart(&self) {
        self.args.send_fd.store(NOWHERE, Ordering::SeqCst);
    }
}

struct Shared<'a>(&'a SendArgs);

// SAFETY: `as_ptr` points to a live `SendArgs`, which is what the opcode reads; nothing is written through it.
unsafe impl Ioctl for Shared<'_> {
    type Output = IoctlOutput;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        SEND.opcode()
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::from_ref(self.0).cast_mut().cast()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut c_void) -> Result<Self::Output> {
        Ok(output)
    }
}
