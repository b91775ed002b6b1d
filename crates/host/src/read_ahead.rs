//! Brings the files of a snapshot into the cache ahead of the kernel's `send`.
//!
//! The kernel sends one file after the other and waits for the disk each time; several threads that only ask for the
//! same files in about the same order keep the disk busy. Invariant: it stops by itself when it has seen that nearly
//! everything is in the cache anyway, and when told to. Killed or failing here: nothing but time is lost.
//! It must never read so far ahead that what it read is thrown out again before it is used.

use std::ffi::CString;
use std::io::IoSliceMut;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use rustix::fs::{Advice, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, ReadWriteFlags};
use subvault_model::bytesize::ByteSize;

use crate::error::{HostError, Result};
use crate::pace::Pace;
use crate::subvolume::Subvolume;
use crate::tree_walk::{Did, Visit, walk};

/// So many files are looked at before it is decided whether it pays.
const SAMPLE: u64 = 512;
/// It does not pay if at least so many of 100 are in the cache already.
const CACHED_PERCENT: u64 = 90;

/// What came of reading ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadAheadSummary {
    /// How many files were asked for.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: ByteSize,
    /// Whether it stopped because nearly everything was in the cache.
    pub was_cached: bool,
}

#[derive(Debug)]
struct Shared {
    stop: AtomicBool,
    was_cached: AtomicBool,
    sampled: AtomicU64,
    cached: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
    pace: Arc<Pace>,
}

/// Threads that read ahead. Dropping it stops them.
#[derive(Debug)]
pub struct ReadAhead {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl ReadAhead {
    /// Starts reading ahead in the subvolume at `path`, as far as the pace allows, which is released at the end.
    ///
    /// # Errors
    /// When it cannot be opened, or no thread can be started. What goes wrong later only ends it.
    pub fn start(path: &Path, threads: usize, pace: Arc<Pace>) -> Result<Self> {
        let top = Subvolume::open(path)?;
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            was_cached: AtomicBool::new(false),
            sampled: AtomicU64::new(0),
            cached: AtomicU64::new(0),
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            pace,
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("read-ahead".to_owned())
            .spawn(move || {
                // Whatever went wrong, whoever really reads will meet it too.
                let _ = walk(&top, threads, &*theirs);
            })
            .map_err(|error| HostError::new("read ahead in", path, error))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Stops, if it has not stopped itself, and tells what was done.
    pub fn stop(mut self) -> ReadAheadSummary {
        self.halt();
        self.summary()
    }

    /// Waits until there is nothing left to read ahead, and tells what was done.
    pub fn wait(mut self) -> ReadAheadSummary {
        if let Some(thread) = self.thread.take() {
            // It has no result to lose.
            let _ = thread.join();
        }
        self.summary()
    }

    fn summary(&self) -> ReadAheadSummary {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        ReadAheadSummary {
            files: count(&self.shared.files),
            bytes: ByteSize::bytes(count(&self.shared.bytes)),
            was_cached: self.shared.was_cached.load(Ordering::Relaxed),
        }
    }

    fn halt(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.pace.release();
        if let Some(thread) = self.thread.take() {
            // It has no result to lose.
            let _ = thread.join();
        }
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.halt();
    }
}

impl Visit for Shared {
    type Own = ();

    fn own(&self) {}

    fn directory(&self, (): &mut (), _: BorrowedFd<'_>, _: &[u8], _: &Stat) -> Did {
        Ok(())
    }

    fn entry(&self, (): &mut (), dir: BorrowedFd<'_>, name: &CString, _: &[u8], kind: FileType) -> Did {
        if kind != FileType::RegularFile || self.stop() {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = rustix::fs::openat(dir, name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        let size = stat.st_size.cast_unsigned();
        let Some(size) = NonZeroU64::new(size) else { return Ok(()) };
        self.sample(file.as_fd());
        rustix::fs::fadvise(&file, 0, Some(size), Advice::WillNeed)?;
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(size.get(), Ordering::Relaxed);
        // Holes are not sent.
        self.pace.read(size.get().min(stat.st_blocks.cast_unsigned().saturating_mul(512)));
        Ok(())
    }

    fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// Looks whether a file is in the cache, as long as not enough have been looked at.
    fn sample(&self, file: BorrowedFd<'_>) {
        let number = self.sampled.fetch_add(1, Ordering::Relaxed) + 1;
        if number > SAMPLE {
            return;
        }
        let mut byte = [0];
        let answer = rustix::io::preadv2(file, &mut [IoSliceMut::new(&mut byte)], 0, ReadWriteFlags::NOWAIT);
        // Any other answer than "not without waiting" tells nothing against going on.
        let cached = self.cached.fetch_add(u64::from(answer == Ok(1)), Ordering::Relaxed) + u64::from(answer == Ok(1));
        let tells = matches!(answer, Ok(_) | Err(Errno::AGAIN));
        if tells && number == SAMPLE && cached * 100 >= SAMPLE * CACHED_PERCENT {
            self.was_cached.store(true, Ordering::Relaxed);
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}
