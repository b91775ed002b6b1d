//! Brings what a stream says it changed back into the cache while the stream is still passing.
//!
//! The kernel drops what its `send` has read, so that the digest of what an incremental touches would wait for the disk
//! once more, file by file, when all else is done. Invariants: it only asks the kernel to read and waits for nobody;
//! a name that is not final, or no file, is passed over; and it asks for no more than stays in the cache.

use std::ffi::OsStr;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use rustix::fs::{Advice, Mode, OFlags, ResolveFlags};
use subvault_model::bytesize::ByteSize;

use crate::subvolume::Subvolume;

/// How many files may wait to be asked for; more are passed over.
const WAITING: usize = 256;

/// Takes note of what is written, and has it fetched.
pub struct Prefetch {
    left: u64,
    path: Vec<u8>,
    range: Range<u64>,
    requests: SyncSender<Request>,
}

struct Request {
    path: Vec<u8>,
    range: Range<u64>,
}

impl Prefetch {
    /// Fetches from `snapshot`, in a thread of the scope, at most so much.
    pub fn start<'scope, 'env>(scope: &'scope Scope<'scope, 'env>, snapshot: &'env Subvolume, most: ByteSize) -> Self {
        let (requests, wanted) = sync_channel(WAITING);
        scope.spawn(move || fetch(snapshot, &wanted));
        Self { left: most.get(), path: Vec::new(), range: 0..0, requests }
    }

    /// These bytes of a file were written. Writes that follow each other are asked for together.
    pub fn written(&mut self, path: &[u8], range: Range<u64>) {
        if self.path == path && self.range.end == range.start {
            self.range.end = range.end;
            return;
        }
        self.ask();
        self.path.extend_from_slice(path);
        self.range = range;
    }

    /// Nothing more is written.
    pub fn finish(mut self) {
        self.ask();
    }

    fn ask(&mut self) {
        let path = std::mem::take(&mut self.path);
        let range = std::mem::take(&mut self.range);
        let length = range.end.saturating_sub(range.start);
        if length > 0 && length <= self.left {
            self.left -= length;
            // Where the thread cannot follow, the digest reads by itself.
            let _ = self.requests.try_send(Request { path, range });
        }
    }
}

fn fetch(snapshot: &Subvolume, wanted: &Receiver<Request>) {
    for Request { path, range } in wanted {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let path = Path::new(OsStr::from_bytes(&path));
        if let Ok(file) = rustix::fs::openat2(snapshot.as_fd(), path, flags, Mode::empty(), resolve) {
            // A hint: what goes wrong, the digest will meet and tell.
            let length = NonZeroU64::new(range.end - range.start);
            let _ = rustix::fs::fadvise(&file, range.start, length, Advice::WillNeed);
        }
    }
}
