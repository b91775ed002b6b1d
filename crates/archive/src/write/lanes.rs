//! The tail of the pipeline: lanes that bring parts into the store, several at once.
//!
//! A stream that fits into one part is put as it is, without a journal: resuming it would save nothing. From the first
//! full part on, each part is announced in the journal before it leaves and noted after it was taken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use subvault_model::bytesize::ByteSize;
use subvault_model::crash;
use subvault_model::monitor::Event;
use subvault_store::{Create, Key, ObjectKind, PartClaim, PartTag, StoreError, StoreErrorKind, UploadId};

use super::WriteJob;
use super::pace::Pace;
use super::shared::Failure;
use crate::error::ArchiveError;
use crate::hash::Hash256;
use crate::journal::{ChunkState, Journal};
use crate::layout::chunk_file_name;
use crate::manifest::Chunk;

/// A part on its way into the store.
pub(super) struct Part {
    pub(super) chunk: u32,
    pub(super) number: u32,
    pub(super) offset: u64,
    pub(super) body: Bytes,
    /// Set on the last part of a chunk.
    pub(super) end: Option<ChunkEnd>,
}

/// What is known of a chunk when its last part is made.
pub(super) struct ChunkEnd {
    /// Whether the stream ends with it.
    pub(super) is_last: bool,
    pub(super) parts: u32,
    pub(super) bytes: ByteSize,
    pub(super) sha256: Hash256,
    pub(super) stream_offset: u64,
    pub(super) stream_bytes: ByteSize,
}

/// What all lanes know of the stream that is being stored.
pub(super) struct Upload {
    journal: Option<Journal>,
    chunks: BTreeMap<u32, Progress>,
    pace: std::sync::Arc<Pace>,
}

/// One chunk on its way.
#[derive(Default)]
struct Progress {
    upload: Option<UploadId>,
    /// Parts that the store was found to have when the run began.
    verified: BTreeSet<u32>,
    tags: BTreeMap<u32, PartTag>,
    units: BTreeMap<u32, Hash256>,
    end: Option<ChunkEnd>,
    /// Set when an earlier run stored the whole chunk.
    stored_before: Option<Chunk>,
    stored: Option<Chunk>,
}

impl Upload {
    /// Takes stock: what an interrupted run left in the journal is compared with what the store has.
    pub(super) fn new(job: &WriteJob<'_>) -> Result<Self, ArchiveError> {
        let pace = std::sync::Arc::new(Pace::new(job.effort.bandwidth));
        // The journal is opened anew, since the job is shared with the other threads of the pipeline.
        let journal = if job.resume { Journal::resume(&job.journal_path)? } else { None };
        let mut chunks = BTreeMap::new();
        for (index, state) in journal.iter().flat_map(Journal::chunks) {
            chunks.insert(*index, take_stock(job, *index, state)?);
        }
        Ok(Self { journal, chunks, pace })
    }

    /// The chunks in order, when all are stored.
    pub(super) fn into_chunks(self) -> Result<Vec<Chunk>, ArchiveError> {
        let all = self.chunks.into_values().map(|c| c.stored);
        all.collect::<Option<_>>().ok_or(ArchiveError::Bug("a chunk was left without its end"))
    }
}

fn take_stock(job: &WriteJob<'_>, index: u32, state: &ChunkState) -> Result<Progress, ArchiveError> {
    let mut progress = Progress::default();
    if let Some(chunk) = &state.stored {
        let found = job.store.head(&chunk_key(job, index))?;
        if found.is_some_and(|f| f.size == chunk.bytes.get()) {
            progress.stored_before = Some(chunk.clone());
        }
        return Ok(progress);
    }
    let Some(upload) = &state.upload else { return Ok(progress) };
    let part_bytes = job.begun.shape.part_bytes.get();
    let known: Vec<_> = state.parts.iter().filter_map(|(n, p)| p.tag.as_ref().map(|tag| (*n, p, tag))).collect();
    let claims: Vec<PartClaim<'_>> = known
        .iter()
        .map(|(number, part, tag)| PartClaim {
            number: *number,
            offset: u64::from(*number) * part_bytes,
            size: part.bytes,
            tag,
            blake3: &part.blake3.0,
        })
        .collect();
    match job.store.check_parts(upload, &claims) {
        Ok(answers) => {
            progress.upload = Some(upload.clone());
            for ((number, _, tag), _) in known.iter().zip(answers).filter(|(_, there)| *there) {
                progress.verified.insert(*number);
                progress.tags.insert(*number, (*tag).clone());
            }
        }
        // It was aborted, or completed without our noting it. Completing again tells which: `finish` asks for the
        // same upload, and a store that made the object of it says so.
        Err(e) if e.kind() == StoreErrorKind::NoSuchUpload => {
            if job.store.head(&chunk_key(job, index))?.is_some() {
                progress.upload = Some(upload.clone());
                for (number, _, tag) in known {
                    progress.verified.insert(number);
                    progress.tags.insert(number, tag.clone());
                }
            }
        }
        Err(e) => return Err(e.into()),
    }
    Ok(progress)
}

fn chunk_key(job: &WriteJob<'_>, index: u32) -> Key {
    let file = chunk_file_name(index, &job.begun.shape.compression, &job.begun.shape.encryption);
    job.layout.chunk(job.subvolume, &job.begun.stream, &file)
}

/// What a lane does with a part.
enum Course {
    /// The whole stream is this part: put it.
    Put,
    /// Send it as part of this upload.
    Send(UploadId),
    /// The store has it.
    Skip,
}

/// One lane.
pub(super) struct Lane<'a> {
    pub(super) job: &'a WriteJob<'a>,
    pub(super) upload: &'a Mutex<Upload>,
    pub(super) failure: &'a Failure,
}

impl Lane<'_> {
    /// Stores parts until there are no more.
    pub(super) fn run(&self, parts: &Mutex<Receiver<Part>>) -> Result<(), ArchiveError> {
        loop {
            let part = match parts.lock() {
                Ok(receiver) => receiver.recv(),
                Err(_) => return Err(ArchiveError::Bug("a lane died")),
            };
            let Ok(part) = part else { return Ok(()) };
            if self.failure.is_set() {
                continue;
            }
            // It goes on taking parts after a failure, so that nobody waits for this lane for ever.
            self.failure.note(self.store(part));
        }
    }

    fn store(&self, part: Part) -> Result<(), ArchiveError> {
        let unit = Hash256::blake3(&part.body);
        let course = self.announce(&part, unit)?;
        let tag = match &course {
            Course::Skip => None,
            Course::Put => {
                self.pace(&part)?;
                self.put(&part)?;
                None
            }
            Course::Send(upload) => {
                self.pace(&part)?;
                let sent = self.job.store.put_part(upload, part.number, part.offset, part.body.clone());
                let tag = sent.map_err(|e| self.or_gone(e))?;
                crash::point("part-stored");
                Some(tag)
            }
        };
        self.note(part, unit, tag, matches!(course, Course::Put))
    }

    /// An upload that the store no longer knows cannot be gone on with: the stream must be begun anew.
    fn or_gone(&self, error: StoreError) -> ArchiveError {
        match error.kind() {
            StoreErrorKind::NoSuchUpload => ArchiveError::Diverged(self.job.begun.stream.clone()),
            _ => error.into(),
        }
    }

    fn pace(&self, part: &Part) -> Result<(), ArchiveError> {
        let pace = std::sync::Arc::clone(&self.lock()?.pace);
        pace.wait(ByteSize::bytes(part.body.len() as u64));
        Ok(())
    }

    fn lock(&self) -> Result<MutexGuard<'_, Upload>, ArchiveError> {
        self.upload.lock().map_err(|_| ArchiveError::Bug("a lane died"))
    }

    /// Decides what to do with a part, and writes its hash into the journal before it leaves.
    fn announce(&self, part: &Part, unit: Hash256) -> Result<Course, ArchiveError> {
        let mut shared = self.lock()?;
        let upload = &mut *shared;
        let is_whole_stream = part.chunk == 0 && part.number == 0 && part.end.as_ref().is_some_and(|end| end.is_last);
        if is_whole_stream && upload.journal.is_none() {
            return Ok(Course::Put);
        }
        let journal = match &mut upload.journal {
            Some(journal) => journal,
            none => none.insert(Journal::begin(&self.job.journal_path, self.job.begun.clone())?),
        };
        journal.part_intended(part.chunk, part.number, part.body.len() as u64, unit)?;
        crash::point("part-intended");
        let progress = upload.chunks.entry(part.chunk).or_default();
        if progress.stored_before.is_some() || progress.verified.contains(&part.number) {
            self.job.monitor.event(Event::Reused(ByteSize::bytes(part.body.len() as u64)));
            return Ok(Course::Skip);
        }
        if let Some(id) = &progress.upload {
            return Ok(Course::Send(id.clone()));
        }
        let key = chunk_key(self.job, part.chunk);
        let id = self.job.store.begin_upload(&key, ObjectKind::Bulk, self.job.begun.shape.part_bytes.get())?;
        crash::point("upload-begun");
        journal.upload_begun(part.chunk, id.clone())?;
        progress.upload = Some(id.clone());
        Ok(Course::Send(id))
    }

    /// Puts a stream of one part. The key is this attempt's alone, so a put whose answer was lost is recognised by
    /// the object that it left.
    fn put(&self, part: &Part) -> Result<(), ArchiveError> {
        let key = chunk_key(self.job, part.chunk);
        match self.job.store.put(&key, part.body.clone(), &Create::IfAbsent, ObjectKind::Bulk) {
            Err(e) if e.kind() == StoreErrorKind::AlreadyExists => {
                let found = self.job.store.head(&key)?.map(|f| f.size);
                if found != Some(part.body.len() as u64) {
                    return Err(e.into());
                }
            }
            other => drop(other?),
        }
        crash::point("chunk-put");
        Ok(())
    }

    /// Whether the store has an object of this length for a chunk.
    fn is_stored(&self, chunk: u32, bytes: ByteSize) -> Result<bool, ArchiveError> {
        Ok(self.job.store.head(&chunk_key(self.job, chunk))?.is_some_and(|found| found.size == bytes.get()))
    }

    /// Notes a part that is stored, and completes its chunk if it was the last one to arrive.
    fn note(&self, part: Part, unit: Hash256, tag: Option<PartTag>, put: bool) -> Result<(), ArchiveError> {
        let mut shared = self.lock()?;
        let upload = &mut *shared;
        let progress = upload.chunks.entry(part.chunk).or_default();
        progress.units.insert(part.number, unit);
        if let Some(tag) = tag {
            if let Some(journal) = &mut upload.journal {
                journal.part_stored(part.chunk, part.number, tag.clone())?;
            }
            crash::point("part-recorded");
            progress.tags.insert(part.number, tag);
        }
        if part.end.is_some() {
            progress.end = part.end;
        }
        let Some(end) = &progress.end else { return Ok(()) };
        if progress.units.len() < end.parts as usize {
            return Ok(());
        }
        let chunk = describe(self.job, part.chunk, end, &progress.units);
        let complete = !put && progress.stored_before.is_none();
        if let (true, Some(id)) = (complete, progress.upload.clone()) {
            let tags: Vec<(u32, PartTag)> = progress.tags.iter().map(|(n, t)| (*n, t.clone())).collect();
            match self.job.store.complete_upload(&id, &tags, end.bytes.get(), &Create::IfAbsent) {
                // An earlier run completed it, and a power cut took what it noted of that. The key is this attempt's alone,
                // and each part was compared with what was intended then.
                Err(e) if e.kind() == StoreErrorKind::AlreadyExists && self.is_stored(part.chunk, end.bytes)? => {
                    self.job.store.abort_upload(&id)?;
                }
                completed => drop(completed.map_err(|e| self.or_gone(e))?),
            }
            crash::point("chunk-completed");
        }
        if let (true, Some(journal)) = (complete, &mut upload.journal) {
            journal.chunk_stored(part.chunk, chunk.clone())?;
            crash::point("chunk-recorded");
        }
        progress.stored = Some(chunk);
        Ok(())
    }
}

fn describe(job: &WriteJob<'_>, index: u32, end: &ChunkEnd, units: &BTreeMap<u32, Hash256>) -> Chunk {
    Chunk {
        file: chunk_file_name(index, &job.begun.shape.compression, &job.begun.shape.encryption),
        bytes: end.bytes,
        sha256: end.sha256,
        stream_offset: end.stream_offset,
        stream_bytes: end.stream_bytes,
        unit_bytes: job.begun.shape.part_bytes,
        units: units.values().copied().collect(),
    }
}
