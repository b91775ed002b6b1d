//! The threads that do the arithmetic: compress frames and seal segments.
//!
//! They never wait for anything but work: each answer has a place of its own, so that the queue of jobs always
//! drains and the threads that feed it cannot lock each other up.

use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex};

use aws_lc_rs::aead::LessSafeKey;

use crate::age_file::seal::Segment;
use crate::error::ArchiveError;
use crate::frame::FrameCompressor;

/// Where an answer is picked up.
pub(super) type Answer = Receiver<Result<Vec<u8>, ArchiveError>>;

/// One piece of work.
pub(super) enum Job {
    /// Compress a piece of the stream into a frame.
    Compress { plain: Vec<u8>, answer: SyncSender<Result<Vec<u8>, ArchiveError>> },
    /// Seal a segment.
    Seal { segment: Segment, key: Arc<LessSafeKey>, last: bool, answer: SyncSender<Result<Vec<u8>, ArchiveError>> },
}

/// Works until there are no more jobs. `level` is that of compression, where there is any.
pub(super) fn work(jobs: &Mutex<Receiver<Job>>, level: Option<i32>) -> Result<(), ArchiveError> {
    let mut compressor = None;
    loop {
        let job = match jobs.lock() {
            Ok(receiver) => receiver.recv(),
            Err(_) => return Err(ArchiveError::Bug("a worker died")),
        };
        let Ok(job) = job else { return Ok(()) };
        // Nobody may be there to take the answer: then the pipeline has failed, and said so.
        let _ = match job {
            Job::Compress { plain, answer } => answer.send(match level {
                Some(level) => compress(&mut compressor, level, &plain),
                None => Ok(plain),
            }),
            Job::Seal { segment, key, last, answer } => answer.send(segment.seal(&key, last)),
        };
    }
}

/// Compresses with a compressor that is made at the first call and kept.
fn compress(kept: &mut Option<FrameCompressor>, level: i32, plain: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let compressor = match kept {
        Some(compressor) => compressor,
        None => kept.insert(FrameCompressor::new(level)?),
    };
    compressor.compress(plain)
}
