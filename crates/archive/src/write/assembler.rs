//! The middle of the pipeline: puts frames in order into chunks, has them sealed, and cuts the result into parts.
//!
//! What it makes depends on the stream, the shape and the secret alone, never on timing: a rerun makes the same
//! parts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use aws_lc_rs::aead::LessSafeKey;
use aws_lc_rs::digest;
use subvault_model::bytesize::ByteSize;
use subvault_store::PartBuffer;

use super::WriteJob;
use super::lanes::{ChunkEnd, Part};
use super::reader::Frame;
use super::shared::Failure;
use super::workers::{Answer, Job};
use crate::age_file::seal::{Segment, sealed_bytes};
use crate::error::ArchiveError;
use crate::frame::SeekTable;
use crate::hash::Hash256;
use crate::manifest::Compression;

/// How many segments are being sealed at once.
const SEALING_MAX: usize = 4;

/// Assembles chunks.
pub(super) struct Assembler<'a> {
    job: &'a WriteJob<'a>,
    jobs: SyncSender<Job>,
    parts: SyncSender<Part>,
    next_chunk: u32,
    stream_offset: u64,
}

/// A chunk that is being put together.
struct Building {
    index: u32,
    stream_offset: u64,
    stream_bytes: u64,
    /// Bytes of frames so far, and their table.
    packed_bytes: u64,
    table: Option<SeekTable>,
    sealing: Option<Sealing>,
    /// The part that is being filled.
    part: PartBuffer,
    part_number: u32,
    bytes: u64,
    sha256: digest::Context,
}

struct Sealing {
    key: Arc<LessSafeKey>,
    segment: Segment,
    pending: VecDeque<Answer>,
}

/// Why assembling ends early.
enum Stop {
    /// A later stage has failed, and said why.
    Gone,
    /// This stage has failed.
    Failed(ArchiveError),
}

impl From<ArchiveError> for Stop {
    fn from(error: ArchiveError) -> Self {
        Self::Failed(error)
    }
}

impl<'a> Assembler<'a> {
    pub(super) fn new(job: &'a WriteJob<'a>, jobs: SyncSender<Job>, parts: SyncSender<Part>) -> Self {
        Self { job, jobs, parts, next_chunk: 0, stream_offset: 0 }
    }

    /// Takes frames until there are no more.
    pub(super) fn run(mut self, frames: Receiver<Frame>, failure: &Failure) -> Result<(), ArchiveError> {
        match self.assemble(frames, failure) {
            Ok(()) | Err(Stop::Gone) => Ok(()),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    fn assemble(&mut self, frames: Receiver<Frame>, failure: &Failure) -> Result<(), Stop> {
        let mut building: Option<Building> = None;
        for frame in frames {
            let packed = frame.answer.recv().map_err(|_| Stop::Gone)??;
            if building.as_ref().is_some_and(|b| self.overflows(b, packed.len() as u64))
                && let Some(full) = building.take()
            {
                self.close(full, false)?;
            }
            let mut chunk = match building.take() {
                Some(chunk) => chunk,
                None => self.begin()?,
            };
            self.add(&mut chunk, &packed, frame.plain_bytes)?;
            building = Some(chunk);
        }
        // A stream that failed on its way in is not closed: what looks complete must be complete.
        match building {
            Some(last) if !failure.is_set() => self.close(last, true),
            _ => Ok(()),
        }
    }

    fn begin(&mut self) -> Result<Building, ArchiveError> {
        let index = self.next_chunk;
        self.next_chunk += 1;
        let mut building = Building {
            index,
            stream_offset: self.stream_offset,
            stream_bytes: 0,
            packed_bytes: 0,
            table: matches!(self.job.begun.shape.compression, Compression::Zstd { .. }).then(SeekTable::default),
            sealing: None,
            part: PartBuffer::new(self.part_bytes()),
            part_number: 0,
            bytes: 0,
            sha256: digest::Context::new(&digest::SHA256),
        };
        if let Some(sealer) = &self.job.sealer {
            let (front, key) = sealer.begin_chunk(index)?;
            // A header is far smaller than the smallest part, so it never fills one.
            building.bytes = front.len() as u64;
            building.sha256.update(&front);
            let _ = building.part.fill(&front);
            building.sealing = Some(Sealing { key: Arc::new(key), segment: Segment::new(0), pending: VecDeque::new() });
        }
        Ok(building)
    }

    /// Whether a frame would make the chunk larger than chunks may be. A chunk holds at least one frame.
    fn overflows(&self, building: &Building, frame_bytes: u64) -> bool {
        let table = building.table.as_ref().map_or(0, |t| t.encoded_bytes(1));
        let packed = building.packed_bytes + frame_bytes + table;
        let front = self.job.sealer.as_ref().map_or(0, |s| s.header().len() as u64 + 16);
        let whole = if building.sealing.is_some() { front + sealed_bytes(packed) } else { packed };
        building.packed_bytes > 0 && whole > self.job.begun.shape.chunk_bytes.get()
    }

    fn add(&self, b: &mut Building, packed: &[u8], plain_bytes: u32) -> Result<(), Stop> {
        if let Some(table) = &mut b.table {
            let frame = u32::try_from(packed.len()).map_err(|_| ArchiveError::Bug("a frame above 4 GiB"))?;
            table.push(frame, plain_bytes);
        }
        b.packed_bytes += packed.len() as u64;
        b.stream_bytes += u64::from(plain_bytes);
        self.append(b, packed)
    }

    /// Appends packed bytes: sealed where the chunk is encrypted.
    fn append(&self, b: &mut Building, mut packed: &[u8]) -> Result<(), Stop> {
        let Some(mut sealing) = b.sealing.take() else { return self.emit(b, packed) };
        while !packed.is_empty() {
            // A full segment goes only when more follows: the last piece is sealed with a mark.
            if sealing.segment.is_full() {
                let next = sealing.segment.next();
                let full = std::mem::replace(&mut sealing.segment, next);
                self.seal(&mut sealing, full, false)?;
            }
            packed = sealing.segment.fill(packed);
        }
        while sealing.pending.len() > SEALING_MAX {
            self.collect(b, &mut sealing)?;
        }
        b.sealing = Some(sealing);
        Ok(())
    }

    fn seal(&self, sealing: &mut Sealing, segment: Segment, last: bool) -> Result<(), Stop> {
        let (answer, picked_up) = sync_channel(1);
        sealing.pending.push_back(picked_up);
        let key = Arc::clone(&sealing.key);
        self.jobs.send(Job::Seal { segment, key, last, answer }).map_err(|_| Stop::Gone)
    }

    /// Takes the oldest sealed segment and emits it.
    fn collect(&self, b: &mut Building, sealing: &mut Sealing) -> Result<(), Stop> {
        let Some(answer) = sealing.pending.pop_front() else { return Ok(()) };
        self.emit(b, &answer.recv().map_err(|_| Stop::Gone)??)
    }

    /// Appends final bytes to the current part, and sends each part that is full.
    fn emit(&self, b: &mut Building, mut bytes: &[u8]) -> Result<(), Stop> {
        b.sha256.update(bytes);
        b.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            // A full part goes only when more follows, so that the last part is never empty.
            if b.part.len() == self.part_bytes() {
                let full = std::mem::replace(&mut b.part, PartBuffer::new(self.part_bytes()));
                self.send_part(b, full, None)?;
            }
            bytes = b.part.fill(bytes);
        }
        Ok(())
    }

    fn part_bytes(&self) -> usize {
        usize::try_from(self.job.begun.shape.part_bytes.get()).unwrap_or(usize::MAX)
    }

    fn send_part(&self, b: &mut Building, body: PartBuffer, end: Option<ChunkEnd>) -> Result<(), Stop> {
        let offset = u64::from(b.part_number) * self.job.begun.shape.part_bytes.get();
        let part = Part { chunk: b.index, number: b.part_number, offset, body: body.into_bytes(), end };
        b.part_number += 1;
        self.parts.send(part).map_err(|_| Stop::Gone)
    }

    fn close(&mut self, mut b: Building, is_last: bool) -> Result<(), Stop> {
        if let Some(table) = b.table.take() {
            self.append(&mut b, &table.encode())?;
        }
        if let Some(mut sealing) = b.sealing.take() {
            let last = std::mem::replace(&mut sealing.segment, Segment::new(0));
            self.seal(&mut sealing, last, true)?;
            while !sealing.pending.is_empty() {
                self.collect(&mut b, &mut sealing)?;
            }
        }
        self.stream_offset += b.stream_bytes;
        let end = ChunkEnd {
            is_last,
            parts: b.part_number + 1,
            bytes: ByteSize::bytes(b.bytes),
            sha256: Hash256::from_slice(b.sha256.clone().finish().as_ref()),
            stream_offset: b.stream_offset,
            stream_bytes: ByteSize::bytes(b.stream_bytes),
        };
        let body = std::mem::replace(&mut b.part, PartBuffer::new(0));
        self.send_part(&mut b, body, Some(end))
    }
}
