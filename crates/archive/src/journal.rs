//! The journal of an upload: what a rerun needs to go on where a killed run stopped.
//!
//! One file of JSON lines per subvolume and target, for root only: it holds the stream's secret. A record is on disk
//! before the act that it announces: the hash of a part before the part leaves, so that the same secret never seals
//! two different parts unnoticed (see `age_file`). A last line that was cut off by a crash is dropped. Without the
//! journal a rerun is right as well; it only sends everything again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use subvault_model::bytesize::ByteSize;
use subvault_model::crash;
use subvault_model::ids::SnapshotUuid;
use subvault_model::names::StreamName;
use subvault_store::{PartTag, UploadId};

use crate::error::ArchiveError;
use crate::hash::{Hash256, from_hex, to_hex};
use crate::manifest::{Chunk, Compression, Encryption};

/// Everything that shapes the bytes of a stream. A rerun with another shape begins anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Version of the archive format.
    pub format: u32,
    /// Version of the compressor, which decides what a level means.
    pub zstd: u32,
    /// Which store, in words.
    pub store: String,
    /// Compression.
    pub compression: Compression,
    /// Encryption.
    pub encryption: Encryption,
    /// Size of chunks.
    pub chunk_bytes: ByteSize,
    /// Size of parts.
    pub part_bytes: ByteSize,
    /// Version of the send protocol.
    pub protocol: u32,
    /// Whether compressed extents are passed through.
    pub compressed_data: bool,
}

/// How an upload began.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The stream.
    pub stream: StreamName,
    /// The snapshot it is made of.
    pub snapshot: SnapshotUuid,
    /// The snapshot it is relative to.
    pub parent: Option<SnapshotUuid>,
    /// What shapes its bytes.
    pub shape: Shape,
    /// The stream's secret, when it is encrypted.
    secret: Option<String>,
    /// The header of its chunks, when it is encrypted.
    header: Option<String>,
}

impl Begun {
    /// The beginning of an upload; `sealed` is the secret and the header of an encrypted one.
    #[must_use]
    pub fn new(
        stream: StreamName,
        snapshot: SnapshotUuid,
        parent: Option<SnapshotUuid>,
        shape: Shape,
        sealed: Option<(&[u8; 32], &[u8])>,
    ) -> Self {
        let secret = sealed.map(|(secret, _)| to_hex(secret));
        let header = sealed.map(|(_, header)| to_hex(header));
        Self { stream, snapshot, parent, shape, secret, header }
    }

    /// The secret and the header of an encrypted upload.
    #[must_use]
    pub fn sealed(&self) -> Option<([u8; 32], Vec<u8>)> {
        let secret = Hash256::from_slice(&from_hex(self.secret.as_ref()?)?).0;
        Some((secret, from_hex(self.header.as_ref()?)?))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
enum Record {
    Begun(Begun),
    UploadBegun { chunk: u32, upload: UploadId },
    PartIntended { chunk: u32, part: u32, bytes: u64, blake3: Hash256 },
    PartStored { chunk: u32, part: u32, tag: PartTag },
    ChunkStored { index: u32, chunk: Chunk },
}

/// What is known of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartState {
    /// Its length.
    pub bytes: u64,
    /// Its BLAKE3.
    pub blake3: Hash256,
    /// What the store answered when it had taken the part.
    pub tag: Option<PartTag>,
}

/// What is known of one chunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChunkState {
    /// The upload that makes it.
    pub upload: Option<UploadId>,
    /// Its parts.
    pub parts: BTreeMap<u32, PartState>,
    /// Set when it is stored.
    pub stored: Option<Chunk>,
}

/// What a journal says, for those who only look.
#[derive(Clone)]
pub struct Recorded {
    /// How the upload began.
    pub begun: Begun,
    /// What is known of its chunks.
    pub chunks: BTreeMap<u32, ChunkState>,
}

/// The journal of one upload, by the run that writes it.
pub struct Journal {
    path: PathBuf,
    file: File,
    recorded: Recorded,
    /// Set when a line could not be written whole.
    broken: bool,
}

impl Journal {
    /// Begins a journal, in place of one that may be there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(path: &Path, begun: Begun) -> Result<Self, ArchiveError> {
        let failed = |source| ArchiveError::Journal { path: path.to_owned(), source };
        let open = || {
            let mut options = OpenOptions::new();
            options.append(true).create_new(true).mode(0o600).open(path)
        };
        Self::remove(path)?;
        let file = open().map_err(failed)?;
        let recorded = Recorded { begun: begun.clone(), chunks: BTreeMap::new() };
        let mut journal = Self { path: path.to_owned(), file, recorded, broken: false };
        journal.write(&Record::Begun(begun))?;
        sync_directory_of(path).map_err(failed)?;
        crash::point("journal-begun");
        Ok(journal)
    }

    /// Goes on with the journal at `path`, if there is one with a beginning. Only for whoever holds the run's lock.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn resume(path: &Path) -> Result<Option<Self>, ArchiveError> {
        let failed = |source| ArchiveError::Journal { path: path.to_owned(), source };
        let Some((text, file)) = read(path, OpenOptions::new().read(true).append(true)).map_err(failed)? else {
            return Ok(None);
        };
        let (recorded, whole_bytes) = parse(&text);
        // What a crash cut off is dropped, so that the next record begins on a line of its own.
        file.set_len(whole_bytes).map_err(failed)?;
        Ok(recorded.map(|recorded| Self { path: path.to_owned(), file, recorded, broken: false }))
    }

    /// Reads the journal at `path`, if there is one with a beginning, and changes nothing.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn look(path: &Path) -> Result<Option<Recorded>, ArchiveError> {
        match read(path, OpenOptions::new().read(true)) {
            Ok(found) => Ok(found.and_then(|(text, _)| parse(&text).0)),
            Err(source) => Err(ArchiveError::Journal { path: path.to_owned(), source }),
        }
    }

    /// Removes the journal at `path`; none there is fine.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(path: &Path) -> Result<(), ArchiveError> {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(ArchiveError::Journal { path: path.to_owned(), source: e })
            }
            _ => Ok(()),
        }
    }

    /// What is known of the chunks.
    #[must_use]
    pub fn chunks(&self) -> &BTreeMap<u32, ChunkState> {
        &self.recorded.chunks
    }

    /// Notes that the store made an upload for a chunk. Parts of an earlier one count as not stored.
    pub(crate) fn upload_begun(&mut self, chunk: u32, upload: UploadId) -> Result<(), ArchiveError> {
        self.record(Record::UploadBegun { chunk, upload }, Durable::No)
    }

    /// Announces a part before it leaves, on disk when this returns.
    ///
    /// Fails with `Diverged` when the same part was announced with other content.
    pub(crate) fn part_intended(
        &mut self,
        chunk: u32,
        part: u32,
        bytes: u64,
        blake3: Hash256,
    ) -> Result<(), ArchiveError> {
        match self.recorded.chunks.get(&chunk).and_then(|c| c.parts.get(&part)) {
            Some(known) if known.blake3 == blake3 && known.bytes == bytes => Ok(()),
            Some(_) => Err(ArchiveError::Diverged(self.recorded.begun.stream.clone())),
            None => self.record(Record::PartIntended { chunk, part, bytes, blake3 }, Durable::Yes),
        }
    }

    /// Notes that the store has a part.
    pub(crate) fn part_stored(&mut self, chunk: u32, part: u32, tag: PartTag) -> Result<(), ArchiveError> {
        self.record(Record::PartStored { chunk, part, tag }, Durable::No)
    }

    /// Notes that a chunk is stored.
    pub(crate) fn chunk_stored(&mut self, index: u32, chunk: Chunk) -> Result<(), ArchiveError> {
        self.record(Record::ChunkStored { index, chunk }, Durable::Yes)
    }

    fn record(&mut self, record: Record, durable: Durable) -> Result<(), ArchiveError> {
        self.write(&record)?;
        if durable == Durable::Yes {
            self.file.sync_data().map_err(|source| ArchiveError::Journal { path: self.path.clone(), source })?;
        }
        apply(&mut self.recorded.chunks, record);
        Ok(())
    }

    fn write(&mut self, record: &Record) -> Result<(), ArchiveError> {
        let mut line = serde_json::to_vec(record).map_err(|_| ArchiveError::Bug("a journal record is not JSON"))?;
        line.push(b'\n');
        let failed = |source| ArchiveError::Journal { path: self.path.clone(), source };
        if self.broken {
            return Err(failed(io::Error::other("an earlier line could not be written")));
        }
        self.file.write_all(&line).map_err(|source| {
            // Behind half a line nothing would be read again.
            self.broken = true;
            failed(source)
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Durable {
    Yes,
    No,
}

/// The text of a file, and the file.
fn read(path: &Path, how: &OpenOptions) -> io::Result<Option<(Vec<u8>, File)>> {
    let mut file = match how.open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(Some((text, file)))
}

/// What the whole lines at the beginning say, and how many bytes they have.
fn parse(text: &[u8]) -> (Option<Recorded>, u64) {
    let mut chunks = BTreeMap::new();
    let mut begun = None;
    let mut whole_bytes = 0;
    for line in text.split_inclusive(|b| *b == b'\n') {
        let Some(record) = line.strip_suffix(b"\n").and_then(|l| serde_json::from_slice(l).ok()) else { break };
        whole_bytes += line.len() as u64;
        match record {
            Record::Begun(b) => begun = Some(b),
            other => apply(&mut chunks, other),
        }
    }
    (begun.map(|begun| Recorded { begun, chunks }), whole_bytes)
}

fn apply(chunks: &mut BTreeMap<u32, ChunkState>, record: Record) {
    match record {
        Record::Begun(_) => {}
        Record::UploadBegun { chunk, upload } => {
            let state = chunks.entry(chunk).or_default();
            state.parts.values_mut().for_each(|p| p.tag = None);
            state.upload = Some(upload);
        }
        Record::PartIntended { chunk, part, bytes, blake3 } => {
            chunks.entry(chunk).or_default().parts.insert(part, PartState { bytes, blake3, tag: None });
        }
        Record::PartStored { chunk, part, tag } => {
            if let Some(state) = chunks.entry(chunk).or_default().parts.get_mut(&part) {
                state.tag = Some(tag);
            }
        }
        Record::ChunkStored { index, chunk } => chunks.entry(index).or_default().stored = Some(chunk),
    }
}

fn sync_directory_of(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}
