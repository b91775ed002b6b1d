//! Keeps a reader from running too far ahead of the one that it reads ahead for.
//!
//! What was read too early has left the cache by the time it is needed, and then is read twice. Invariant: never
//! waits once released. It must never wait for longer than until the other goes on or `release` is called.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use subvault_model::bytesize::ByteSize;

/// How far each of the two is.
#[derive(Debug)]
pub struct Pace {
    ahead_most: u64,
    ahead: AtomicU64,
    behind: AtomicU64,
    released: AtomicBool,
    lock: Mutex<()>,
    moved: Condvar,
}

impl Pace {
    /// Lets the reader be so far ahead.
    #[must_use]
    pub fn new(ahead_most: ByteSize) -> Self {
        Self {
            ahead_most: ahead_most.get(),
            ahead: AtomicU64::new(0),
            behind: AtomicU64::new(0),
            released: AtomicBool::new(false),
            lock: Mutex::new(()),
            moved: Condvar::new(),
        }
    }

    /// The one behind has come as far as this.
    pub fn consumed(&self, up_to: ByteSize) {
        self.behind.fetch_max(up_to.get(), Ordering::Relaxed);
        self.wake();
    }

    /// The reader need not wait any more.
    pub fn release(&self) {
        self.released.store(true, Ordering::Relaxed);
        self.wake();
    }

    fn wake(&self) {
        // With the lock, so that nobody is between looking and waiting.
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.moved.notify_all();
    }

    fn is_far(&self) -> bool {
        let ahead = self.ahead.load(Ordering::Relaxed).saturating_sub(self.behind.load(Ordering::Relaxed));
        ahead > self.ahead_most && !self.released.load(Ordering::Relaxed)
    }

    /// The reader has read so many bytes more, and waits here if that is too far.
    pub(crate) fn read(&self, bytes: u64) {
        self.ahead.fetch_add(bytes, Ordering::Relaxed);
        if !self.is_far() {
            return;
        }
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.is_far() {
            guard = self.moved.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_waits_until_the_other_has_come_nearer() {
        let pace = Pace::new(ByteSize::bytes(100));
        pace.read(100);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| pace.read(50));
            std::thread::sleep(std::time::Duration::from_millis(20));
            assert!(!reader.is_finished());
            pace.consumed(ByteSize::bytes(50));
            reader.join().unwrap();
            let reader = scope.spawn(|| pace.read(1 << 40));
            pace.release();
            reader.join().unwrap();
        });
    }
}
