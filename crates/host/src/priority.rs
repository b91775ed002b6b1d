//! How much the work of this machine is disturbed.
//!
//! A priority is a thread's, and threads inherit it from the one that begins them; so what is to be done with care is
//! done in a thread of its own, and nothing else is slowed down afterwards.

use crate::ioctl;

/// Does `work` in a thread that reads and writes only when nobody else does, together with all threads it begins. A
/// kernel or a disk without such priorities does it all the same.
pub fn when_idle<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let idle = || {
        // Told by nobody: the work matters more than when it is done.
        let _ = ioctl::make_this_thread_idle();
        work()
    };
    match std::thread::scope(|scope| scope.spawn(idle).join()) {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ioctl::this_thread_is_idle;

    #[test]
    fn threads_begun_by_the_work_are_idle_too_and_nothing_else() {
        let (itself, begun) = when_idle(|| (this_thread_is_idle(), std::thread::spawn(this_thread_is_idle).join()));
        assert!(itself && begun.unwrap());
        assert!(!this_thread_is_idle());
    }
}
