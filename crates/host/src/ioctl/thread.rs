//! What a thread is disturbed by, and how much it disturbs. No ioctls, but system calls that neither
//! std nor rustix has.

use std::ffi::{c_int, c_long};
use std::io;

#[cfg(target_arch = "x86_64")]
mod number {
    pub(super) const RT_SIGPROCMASK: super::c_long = 14;
    pub(super) const IOPRIO_SET: super::c_long = 251;
    #[cfg(test)]
    pub(super) const IOPRIO_GET: super::c_long = 252;
}
#[cfg(target_arch = "aarch64")]
mod number {
    pub(super) const RT_SIGPROCMASK: super::c_long = 135;
    pub(super) const IOPRIO_SET: super::c_long = 30;
    #[cfg(test)]
    pub(super) const IOPRIO_GET: super::c_long = 31;
}

// SAFETY: the C library's own declaration; std links it already.
unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

const WHO_PROCESS: c_int = 1;
const THIS_THREAD: c_int = 0;
/// `IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)`
const IDLE: c_int = 3 << 13;

/// Lets the calling thread, and threads that it begins later, read and write only when nobody else does.
pub(crate) fn make_this_thread_idle() -> io::Result<()> {
    // SAFETY: three integers, no memory.
    match unsafe { syscall(number::IOPRIO_SET, WHO_PROCESS, THIS_THREAD, IDLE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
pub(crate) fn this_thread_is_idle() -> bool {
    // SAFETY: two integers, no memory.
    let priority = unsafe { syscall(number::IOPRIO_GET, WHO_PROCESS, THIS_THREAD) };
    priority >> 13 == c_long::from(IDLE >> 13)
}

/// Leaves all signals that can be left to the other threads of the process.
pub(crate) fn block_signals_in_this_thread() -> io::Result<()> {
    const SIG_BLOCK: c_int = 0;
    const NO_OLD_SET: *mut u64 = std::ptr::null_mut();
    let all = u64::MAX;
    // SAFETY: the kernel reads a set of the eight bytes it is told, and writes no old one.
    match unsafe { syscall(number::RT_SIGPROCMASK, SIG_BLOCK, &raw const all, NO_OLD_SET, size_of_val(&all)) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_can_be_idle_and_deaf() {
        let other = std::thread::spawn(|| {
            make_this_thread_idle().unwrap();
            block_signals_in_this_thread().unwrap();
            std::fs::read_to_string("/proc/thread-self/status").unwrap()
        });
        let status = other.join().unwrap();
        // All but SIGKILL and SIGSTOP.
        assert!(status.contains("SigBlk:\tfffffffffffbfeff"), "{status}");
        let own = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        assert!(own.contains("SigBlk:\t0000000000000000"), "{own}");
    }
}
