//! Disk priority of a thread. No ioctl, but a system call that neither std nor rustix has.

use std::ffi::{c_int, c_long};
use std::io;

#[cfg(target_arch = "x86_64")]
const IOPRIO_SET: c_long = 251;
#[cfg(target_arch = "aarch64")]
const IOPRIO_SET: c_long = 30;

const WHO_PROCESS: c_int = 1;
const THIS_THREAD: c_int = 0;
/// `IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)`
const IDLE: c_int = 3 << 13;

// SAFETY: the C library's own declaration; std links it already.
unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

/// Lets the calling thread read and write only when nobody else does.
pub(crate) fn make_this_thread_idle() -> io::Result<()> {
    // SAFETY: three integers, no memory.
    match unsafe { syscall(IOPRIO_SET, WHO_PROCESS, THIS_THREAD, IDLE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
