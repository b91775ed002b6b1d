//! Measures each stage of archiving on its own and all of them together, on a real snapshot and a real target.
//!
//! The stages work on the beginning of the stream, held in memory, so that each is measured without the others. What is
//! stored for that lies under keys of its own, is never published, and is removed again.

use std::io::{self, Read};
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use subvault_archive::age_file::seal::{Sealer, Segment, StreamSecret, draw_attempt};
use subvault_archive::frame::{FRAME_BYTES, FrameCompressor};
use subvault_archive::journal::Begun;
use subvault_archive::layout::Layout;
use subvault_archive::manifest::Compression;
use subvault_archive::write::{CommandObserver, Effort, WriteJob, write_stream};
use subvault_host::clock;
use subvault_host::send::{SendSettings, SendStream, send};
use subvault_host::subvolume::Subvolume;
use subvault_model::bytesize::ByteSize;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{HostName, StreamKind, StreamName};
use subvault_model::note::Note;
use subvault_sendstream::command::Command;
use subvault_sendstream::decode::Decoder;
use subvault_store::{Create, Key, ObjectKind, ObjectStore};

use crate::error::JobError;
use crate::setup::{SubvolumeSetup, TargetSetup};
use crate::snapshot;

/// How much of the stream the stages work on.
const SAMPLE_BYTES: usize = 128 << 20;
/// How long a stage is repeated.
const STAGE_TIME: Duration = Duration::from_secs(2);
/// How the host is called whose keys the stored bytes lie under, followed by a number that was drawn.
const SCRATCH_HOST: &str = "subvault-bench";

/// A stage and how fast it is.
#[derive(Debug, Clone, Serialize)]
pub struct Stage {
    /// What it does.
    pub name: String,
    /// How many bytes of stream it worked on.
    pub bytes: ByteSize,
    /// How long that took.
    pub seconds: f64,
}

/// What is measured.
pub struct BenchJob<'a> {
    /// The subvolume whose snapshot is sent.
    pub subvolume: &'a SubvolumeSetup,
    /// The target whose settings are used and that is written to.
    pub target: &'a TargetSetup,
    /// The state directory, where the upload's journal is kept meanwhile.
    pub state: &'a Path,
    /// The kernel alone is measured on at most so much of the stream; end to end, all of it is sent.
    pub limit: ByteSize,
    /// Who listens.
    pub monitor: &'a dyn Monitor,
}

/// Measures.
///
/// # Errors
/// When the subvolume or the target cannot be used.
pub fn bench(job: &BenchJob<'_>) -> Result<Vec<Stage>, JobError> {
    let store = job.target.open()?;
    let name = subvault_model::names::SnapshotName::new(job.subvolume.name.clone(), clock::now(), 1);
    let taken = snapshot::take(job.subvolume, &name, &Note::default())?;
    let result = stages(job, &store, &name, taken.uuid);
    let deleted = snapshot::delete(&job.subvolume.snapshots, &name, taken.uuid);
    let stages = result?;
    deleted?;
    Ok(stages)
}

fn stages(
    job: &BenchJob<'_>,
    store: &ObjectStore,
    name: &subvault_model::names::SnapshotName,
    uuid: subvault_model::ids::SnapshotUuid,
) -> Result<Vec<Stage>, JobError> {
    let snapshot = snapshot::open(&job.subvolume.snapshots, name, uuid)?;
    let mut stages = Vec::new();
    let tell = |what: &str| {
        job.monitor.event(Event::Started { what: what.to_owned(), expected: None });
    };
    tell("btrfs send");
    // The first pass fills the cache; the second is the kernel's own speed.
    drain(job, &snapshot)?;
    stages.push(drain(job, &snapshot)?);
    let sample = sample(job, &snapshot)?;
    tell("decoding and hashing");
    stages.push(repeat("decode and hash", &sample, decode)?);
    if let Compression::Zstd { level, .. } = job.target.compression {
        tell("compressing");
        let what = format!("zstd -{level}, one thread");
        stages.push(repeat(&what, &sample, |sample| compress(sample, level))?);
    }
    if !job.target.recipients.is_empty() {
        tell("encrypting");
        let sealer = Sealer::new(StreamSecret::draw()?, &job.target.recipients)?;
        stages.push(repeat("age, one thread", &sample, |sample| seal(sample, &sealer))?);
    }
    tell("storing");
    stages.push(put(job, store, &sample)?);
    drop(sample);
    tell("all together");
    stages.push(end_to_end(job, store, &snapshot, uuid)?);
    job.monitor.event(Event::Finished);
    Ok(stages)
}

fn open(job: &BenchJob<'_>, snapshot: &Subvolume) -> Result<io::Take<SendStream>, JobError> {
    let (protocol, compressed) = job.target.protocol();
    let settings = SendSettings { protocol, compressed, no_data: false };
    Ok(send(snapshot, None, &[], settings)?.take(job.limit.get()))
}

fn drain(job: &BenchJob<'_>, snapshot: &Subvolume) -> Result<Stage, JobError> {
    let begin = clock::monotonic();
    let mut stream = open(job, snapshot)?;
    let bytes = io::copy(&mut stream, &mut io::sink()).map_err(JobError::file("send", snapshot.path()))?;
    Ok(Stage {
        name: "btrfs send, warm".to_owned(),
        bytes: ByteSize::bytes(bytes),
        seconds: begin.elapsed().as_secs_f64(),
    })
}

fn sample(job: &BenchJob<'_>, snapshot: &Subvolume) -> Result<Vec<u8>, JobError> {
    let mut sample = Vec::with_capacity(SAMPLE_BYTES);
    let mut stream = open(job, snapshot)?.take(SAMPLE_BYTES as u64);
    stream.read_to_end(&mut sample).map_err(JobError::file("send", snapshot.path()))?;
    Ok(sample)
}

fn repeat(name: &str, sample: &[u8], work: impl Fn(&[u8]) -> Result<(), JobError>) -> Result<Stage, JobError> {
    let begin = clock::monotonic();
    let mut bytes = ByteSize::ZERO;
    while begin.elapsed() < STAGE_TIME && !sample.is_empty() {
        work(sample)?;
        bytes += ByteSize::bytes(sample.len() as u64);
    }
    Ok(Stage { name: name.to_owned(), bytes, seconds: begin.elapsed().as_secs_f64() })
}

fn decode(sample: &[u8]) -> Result<(), JobError> {
    let mut decoder = Decoder::new();
    let mut hasher = blake3::Hasher::new();
    for block in sample.chunks(FRAME_BYTES as usize) {
        hasher.update(block);
        // The sample ends in the middle of a command, which only `finish` would complain of.
        let pushed = decoder.push(block, &mut |_: Command<'_>| Ok::<(), std::convert::Infallible>(()));
        pushed.map_err(|e| JobError::Bug(e.to_string()))?;
    }
    std::hint::black_box(hasher.finalize());
    Ok(())
}

fn compress(sample: &[u8], level: i32) -> Result<(), JobError> {
    let mut compressor = FrameCompressor::new(level)?;
    for block in sample.chunks(FRAME_BYTES as usize) {
        std::hint::black_box(compressor.compress(block)?);
    }
    Ok(())
}

fn seal(sample: &[u8], sealer: &Sealer) -> Result<(), JobError> {
    let (_, key) = sealer.begin_chunk(0)?;
    let mut segment = Segment::new(0);
    let mut rest = sample;
    while !rest.is_empty() {
        rest = segment.fill(rest);
        if segment.is_full() {
            let next = segment.next();
            std::hint::black_box(std::mem::replace(&mut segment, next).seal(&key, false)?);
        }
    }
    Ok(())
}

/// Stores the sample once, in parts and one after the other, until it is safe there.
fn put(job: &BenchJob<'_>, store: &ObjectStore, sample: &[u8]) -> Result<Stage, JobError> {
    let key: Key = format!("{SCRATCH_HOST}/put-{:08x}", draw_attempt()?)
        .parse()
        .map_err(|e: subvault_store::BadKey| JobError::Bug(e.to_string()))?;
    let part = job.target.part_bytes.get();
    let begin = clock::monotonic();
    let upload = store.begin_upload(&key, ObjectKind::Bulk, part)?;
    let stored = (|| {
        let mut tags = Vec::new();
        for (number, bytes) in (0_u32..).zip(sample.chunks(usize::try_from(part).unwrap_or(usize::MAX))) {
            let offset = u64::from(number) * part;
            tags.push((number, store.put_part(&upload, number, offset, bytes.to_vec().into())?));
        }
        store.complete_upload(&upload, &tags, sample.len() as u64, &Create::IfAbsent)
    })();
    let seconds = begin.elapsed().as_secs_f64();
    store.abort_upload(&upload)?;
    store.delete(&key)?;
    stored?;
    let bytes = ByteSize::bytes(sample.len() as u64);
    Ok(Stage { name: "store, one lane".to_owned(), bytes, seconds })
}

/// Listens to nothing.
struct Deaf;

impl CommandObserver for Deaf {
    fn command(&mut self, _command: &Command<'_>) {}
}

fn end_to_end(
    job: &BenchJob<'_>,
    store: &ObjectStore,
    snapshot: &Subvolume,
    uuid: subvault_model::ids::SnapshotUuid,
) -> Result<Stage, JobError> {
    let host = format!("{SCRATCH_HOST}-{:08x}", draw_attempt()?);
    let layout = Layout::new(host.parse::<HostName>().map_err(|e| JobError::Bug(e.to_string()))?);
    let stream = StreamName::new(clock::now(), StreamKind::Full, draw_attempt()?);
    let sealer = match job.target.recipients.as_slice() {
        [] => None,
        recipients => Some(Sealer::new(StreamSecret::draw()?, recipients)?),
    };
    let sealed = sealer.as_ref().map(|s| (s.secret().as_bytes(), s.header()));
    let begun = Begun::new(stream, uuid, None, job.target.shape(store), sealed);
    let scratch = job.state.join("bench.jsonl");
    let write = WriteJob {
        store,
        layout: &layout,
        subvolume: &job.subvolume.name,
        begun,
        sealer,
        journal_path: scratch.clone(),
        resume: false,
        effort: Effort { workers: job.target.workers(), lanes: job.target.lanes, bandwidth: job.target.bandwidth },
        monitor: job.monitor,
    };
    let begin = clock::monotonic();
    let (protocol, compressed) = job.target.protocol();
    let settings = SendSettings { protocol, compressed, no_data: false };
    let mut stream = send(snapshot, None, &[], settings)?;
    let written = write_stream(&write, &mut stream, &mut Deaf);
    let seconds = begin.elapsed().as_secs_f64();
    clean(store, &layout)?;
    subvault_archive::journal::Journal::remove(&scratch)?;
    let workers: NonZeroU32 = job.target.workers();
    let name = format!("end to end, {workers} threads, {} lanes", job.target.lanes);
    Ok(Stage { name, bytes: written?.send.bytes, seconds })
}

fn clean(store: &ObjectStore, layout: &Layout) -> Result<(), JobError> {
    for pending in store.uploads(&layout.prefix())? {
        store.abort_upload(&pending.upload)?;
    }
    for object in store.list(&layout.prefix()) {
        store.delete(&object?.key)?;
    }
    Ok(())
}
