//! The pipeline that packs a send stream into objects.
//!
//! ```text
//! source ─ reader ─► workers (zstd) ─► assembler ─► workers (age) ─► assembler ─ parts ─► lanes ─► store
//!          parses,                      cuts chunks,                  cuts parts,          journal,
//!          hashes                       keeps order                   hashes               upload
//! ```
//! Every arrow is a bounded queue, so memory is bounded and a slow store slows the kernel down. The first failure
//! anywhere stops all. Killed at any moment, it leaves chunks and uploads that no manifest names.

mod assembler;
mod lanes;
mod pace;
mod reader;
mod shared;
mod workers;

use std::io::Read;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use subvault_model::bandwidth::Bandwidth;
use subvault_model::monitor::Monitor;
use subvault_model::names::SubvolumeName;
use subvault_sendstream::command::Command;
use subvault_store::ObjectStore;

use crate::age_file::seal::Sealer;
use crate::error::ArchiveError;
use crate::journal::Begun;
use crate::layout::Layout;
use crate::manifest::{Chunk, Compression, SendRecord};

use self::assembler::Assembler;
use self::lanes::{Lane, Upload};
use self::shared::Failure;

/// Listens to the commands of a stream as it passes: what a catalogue is made from.
pub trait CommandObserver {
    /// Takes note of a command that has passed its checks.
    fn command(&mut self, command: &Command<'_>);
}

/// How the pipeline works; nothing here changes the bytes that are made.
#[derive(Debug, Clone)]
pub struct Effort {
    /// Threads that compress and seal.
    pub workers: NonZeroU32,
    /// Parts in flight.
    pub lanes: NonZeroU32,
    /// At most so fast into the store.
    pub bandwidth: Option<Bandwidth>,
}

/// One stream to be written.
pub struct WriteJob<'a> {
    /// Into which store.
    pub store: &'a ObjectStore,
    /// The host's keys there.
    pub layout: &'a Layout,
    /// Which series it belongs to.
    pub subvolume: &'a SubvolumeName,
    /// Its name, snapshots and shape.
    pub begun: Begun,
    /// What seals it; `None` writes it unencrypted.
    pub sealer: Option<Sealer>,
    /// Where the upload's journal is, or is begun when the stream turns out to be larger than a part.
    pub journal_path: PathBuf,
    /// Whether to go on with the upload that the journal there tells of (`begun` must be that journal's).
    pub resume: bool,
    /// How the pipeline works.
    pub effort: Effort,
    /// Who listens.
    pub monitor: &'a dyn Monitor,
}

/// A stream whose chunks are all stored, and that nothing names yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The stream inside.
    pub send: SendRecord,
    /// Its chunks in order.
    pub chunks: Vec<Chunk>,
}

/// Packs `source` and stores it.
///
/// # Errors
/// When the source, the store or the journal fails, the stream is not valid, or (on a resumed upload) its bytes are
/// no longer those that an earlier run began to upload.
pub fn write_stream(
    job: &WriteJob<'_>,
    source: &mut (dyn Read + Send),
    observer: &mut (dyn CommandObserver + Send),
) -> Result<Written, ArchiveError> {
    let failure = Failure::default();
    let workers = job.effort.workers.get() as usize;
    let upload = Mutex::new(Upload::new(job)?);
    let (job_tx, job_rx) = sync_channel(workers * 2);
    let (frame_tx, frame_rx) = sync_channel(workers * 2);
    let (part_tx, part_rx) = sync_channel(0);
    let (job_rx, part_rx) = (Mutex::new(job_rx), Mutex::new(part_rx));
    let level = match job.begun.shape.compression {
        Compression::Zstd { level, .. } => Some(level),
        Compression::Off => None,
    };
    let sent = std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| failure.note(workers::work(&job_rx, level)));
        }
        for _ in 0..job.effort.lanes.get() {
            scope.spawn(|| failure.note(Lane { job, upload: &upload, failure: &failure }.run(&part_rx)));
        }
        let assembler = Assembler::new(job, job_tx.clone(), part_tx);
        scope.spawn(|| failure.note(assembler.run(frame_rx, &failure)));
        let downstream = reader::Downstream { jobs: job_tx, frames: frame_tx };
        reader::read(job, source, observer, downstream, &failure)
    });
    failure.into_result()?;
    let upload = upload.into_inner().map_err(|_| ArchiveError::Bug("a thread of the pipeline died"))?;
    let send = sent.ok_or(ArchiveError::Bug("the pipeline ended without a result"))?;
    Ok(Written { send, chunks: upload.into_chunks()? })
}
