//! Reading a stream back: fetched in units, each checked before any of its bytes goes on.
//!
//! ```text
//! store ─ lanes (range, BLAKE3) ─► in order ─► open (age) ─► decompress (zstd) ─► sink
//! ```
//! Bounded: as many units as lanes are held at once.

use std::io::Write;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use bytes::Bytes;
use subvault_model::bytesize::ByteSize;
use subvault_model::monitor::{Event, Monitor};
use subvault_store::{Key, ObjectStore, StoreErrorKind};

use crate::age_file::header::Identity;
use crate::age_file::open::Opener;
use crate::error::ArchiveError;
use crate::hash::Hash256;
use crate::layout::Layout;
use crate::manifest::{Chunk, Compression, Encryption, Manifest};

/// What units that wait for their turn may take of memory together.
const AHEAD_BYTES: u64 = 64 << 20;
/// How much of the plain stream is handed on at a time.
const PORTION_BYTES: usize = 1 << 20;

/// One stream to be read.
pub struct ReadJob<'a> {
    /// From which store.
    pub store: &'a ObjectStore,
    /// The host's keys there.
    pub layout: &'a Layout,
    /// The stream.
    pub manifest: &'a Manifest,
    /// Who opens it.
    pub identities: &'a [Identity],
    /// Units in flight.
    pub lanes: NonZeroU32,
    /// Who listens: progress is in bytes fetched.
    pub monitor: &'a dyn Monitor,
}

/// One unit that must be fetched.
struct Unit<'a> {
    chunk: &'a Chunk,
    key: Key,
    offset: u64,
    len: usize,
    expected: Hash256,
    last_of_chunk: bool,
}

type Fetched = Receiver<Result<Bytes, ArchiveError>>;
type Answer = SyncSender<Result<Bytes, ArchiveError>>;

/// Why reading ended early.
#[derive(Debug)]
pub enum ReadError<E> {
    /// The archive failed.
    Archive(ArchiveError),
    /// The sink failed.
    Sink(E),
}

impl<E> From<ArchiveError> for ReadError<E> {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

/// Feeds the plain send stream to `sink` in portions.
///
/// # Errors
/// When the store fails, an object is damaged or cannot be opened, or the sink fails.
pub fn read_stream<E>(job: &ReadJob<'_>, sink: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), ReadError<E>> {
    let lanes = lanes(job);
    let (todo_tx, todo_rx) = sync_channel::<(Unit<'_>, Answer)>(0);
    let (order_tx, order_rx) = sync_channel::<(Fetched, bool, String)>(lanes);
    let (plain_tx, plain_rx) = sync_channel::<Result<Vec<u8>, ArchiveError>>(4);
    let todo_rx = Mutex::new(todo_rx);
    std::thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(|| fetch_units(job, &todo_rx));
        }
        scope.spawn(move || {
            for unit in units(job) {
                let (answer, fetched) = sync_channel(1);
                let in_order = (fetched, unit.last_of_chunk, unit.key.to_string());
                // A closed queue means that a later stage ended, and said why.
                if order_tx.send(in_order).is_err() || todo_tx.send((unit, answer)).is_err() {
                    return;
                }
            }
        });
        scope.spawn(move || {
            let unpacker = Unpacker::new(job, plain_tx.clone());
            if let Err(error) = unpacker.and_then(|u| u.run(order_rx)) {
                // Nobody to tell: the sink failed first.
                let _ = plain_tx.send(Err(error));
            }
        });
        let mut hasher = blake3::Hasher::new();
        let mut total = 0_u64;
        for portion in plain_rx {
            let portion = portion?;
            hasher.update(&portion);
            total += portion.len() as u64;
            sink(&portion).map_err(ReadError::Sink)?;
        }
        let whole =
            total == job.manifest.send.bytes.get() && *hasher.finalize().as_bytes() == job.manifest.send.blake3.0;
        if whole {
            return Ok(());
        }
        let what = "the stream inside is not the one its manifest describes".to_owned();
        Err(ArchiveError::Damaged { key: job.manifest.stream.to_string(), what }.into())
    })
}

/// How many units are fetched ahead: as many as there are lanes, as far as memory allows.
fn lanes(job: &ReadJob<'_>) -> usize {
    let largest = job.manifest.chunks.iter().map(|c| c.unit_bytes.min(c.bytes).get()).max().unwrap_or(1).max(1);
    let fit = usize::try_from(AHEAD_BYTES / largest).unwrap_or(usize::MAX);
    fit.clamp(1, job.lanes.get() as usize)
}

fn units<'a>(job: &'a ReadJob<'_>) -> impl Iterator<Item = Unit<'a>> {
    job.manifest.chunks.iter().flat_map(|chunk| {
        let key = job.layout.chunk(&job.manifest.subvolume, &job.manifest.stream, &chunk.file);
        let (size, whole) = (chunk.unit_bytes.get(), chunk.bytes.get());
        chunk.units.iter().enumerate().map(move |(index, expected)| {
            let offset = index as u64 * size;
            let len = usize::try_from(size.min(whole.saturating_sub(offset))).unwrap_or(usize::MAX);
            let last_of_chunk = index + 1 == chunk.units.len();
            Unit { chunk, key: key.clone(), offset, len, expected: *expected, last_of_chunk }
        })
    })
}

fn fetch_units(job: &ReadJob<'_>, todo: &Mutex<Receiver<(Unit<'_>, Answer)>>) {
    loop {
        let next = match todo.lock() {
            Ok(receiver) => receiver.recv(),
            Err(_) => return,
        };
        let Ok((unit, answer)) = next else { return };
        let fetched = fetch(job.store, &unit);
        if let Ok(bytes) = &fetched {
            job.monitor.event(Event::Progress(ByteSize::bytes(bytes.len() as u64)));
        }
        let _ = answer.send(fetched);
    }
}

fn fetch(store: &ObjectStore, unit: &Unit<'_>) -> Result<Bytes, ArchiveError> {
    let bytes = store.get_range(&unit.key, unit.offset, unit.len).map_err(|error| match error.kind() {
        // A manifest names it, so it was there once.
        StoreErrorKind::NotFound => ArchiveError::damaged(&unit.key, "it is missing"),
        _ => error.into(),
    })?;
    if Hash256::blake3(&bytes) == unit.expected {
        return Ok(bytes);
    }
    let end = unit.offset + unit.len as u64;
    let what = format!("bytes {}..{end} of {} are not what was written", unit.offset, unit.chunk.bytes.get());
    Err(ArchiveError::damaged(&unit.key, what))
}

/// Takes the layers off: age, then zstd.
struct Unpacker<'a> {
    job: &'a ReadJob<'a>,
    zstd: Option<zstd::stream::write::Decoder<'static, Portions>>,
    plain: Option<Portions>,
}

/// Collects plain bytes and hands them on in portions.
struct Portions {
    held: Vec<u8>,
    out: SyncSender<Result<Vec<u8>, ArchiveError>>,
}

impl Portions {
    fn hand_on(&mut self) -> std::io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let portion = std::mem::replace(&mut self.held, Vec::with_capacity(PORTION_BYTES));
        self.out.send(Ok(portion)).map_err(|_| std::io::Error::from(std::io::ErrorKind::BrokenPipe))
    }
}

impl Write for Portions {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= PORTION_BYTES {
            self.hand_on()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.hand_on()
    }
}

impl<'a> Unpacker<'a> {
    fn new(job: &'a ReadJob<'a>, out: SyncSender<Result<Vec<u8>, ArchiveError>>) -> Result<Self, ArchiveError> {
        let portions = Portions { held: Vec::with_capacity(PORTION_BYTES), out };
        Ok(match job.manifest.compression {
            Compression::Off => Self { job, zstd: None, plain: Some(portions) },
            Compression::Zstd { .. } => {
                let decoder = zstd::stream::write::Decoder::new(portions).map_err(|source| failed(job, source))?;
                Self { job, zstd: Some(decoder), plain: None }
            }
        })
    }

    fn run(mut self, order: Receiver<(Fetched, bool, String)>) -> Result<(), ArchiveError> {
        let encrypted = matches!(self.job.manifest.encryption, Encryption::Age { .. });
        let mut opener: Option<Opener<'_>> = None;
        let mut opened = Vec::new();
        for (fetched, last_of_chunk, name) in order {
            let bytes = fetched.recv().map_err(|_| ArchiveError::Bug("a lane died"))??;
            if !encrypted {
                self.take(&bytes)?;
                continue;
            }
            if self.job.identities.is_empty() {
                return Err(ArchiveError::NoIdentity(name));
            }
            let current = opener.get_or_insert_with(|| Opener::new(name, self.job.identities));
            // Small steps, so that what was opened is still in the cache when it is decompressed.
            for step in bytes.chunks(PORTION_BYTES) {
                opened.clear();
                current.push(step, &mut opened)?;
                self.take(&opened)?;
            }
            if last_of_chunk && let Some(mut ended) = opener.take() {
                opened.clear();
                ended.finish(&mut opened)?;
                self.take(&opened)?;
            }
        }
        self.end()
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        let result = match (&mut self.zstd, &mut self.plain) {
            (Some(decoder), _) => decoder.write_all(bytes),
            (None, Some(plain)) => plain.write_all(bytes),
            (None, None) => Ok(()),
        };
        result.map_err(|source| failed(self.job, source))
    }

    fn end(mut self) -> Result<(), ArchiveError> {
        let result = match (&mut self.zstd, &mut self.plain) {
            (Some(decoder), _) => decoder.flush(),
            (None, Some(plain)) => plain.flush(),
            (None, None) => Ok(()),
        };
        result.map_err(|source| failed(self.job, source))
    }
}

fn failed(job: &ReadJob<'_>, source: std::io::Error) -> ArchiveError {
    ArchiveError::Zstd { what: job.manifest.stream.to_string(), source }
}
