//! A stream, a store, and the way between them.

use std::convert::Infallible;
use std::io::Read;
use std::num::NonZeroU32;
use std::path::PathBuf;

use jiff::Timestamp;
use subvault_archive::age_file::header::{Identity, Recipient};
use subvault_archive::age_file::seal::{Sealer, StreamSecret};
use subvault_archive::error::ArchiveError;
use subvault_archive::frame::{FRAME_BYTES, zstd_version};
use subvault_archive::journal::{Begun, Journal, Shape};
use subvault_archive::layout::Layout;
use subvault_archive::manifest::{Compression, Encryption, FORMAT, HostIdentity, Manifest};
use subvault_archive::publish::publish;
use subvault_archive::read::{ReadError, ReadJob, read_stream};
use subvault_archive::write::{CommandObserver, Effort, WriteJob, Written, write_stream};
use subvault_model::bytesize::ByteSize;
use subvault_model::ids::{SnapshotUuid, TransactionId};
use subvault_model::monitor::Silent;
use subvault_model::names::{StreamKind, StreamName, SubvolumeName};
use subvault_model::stream::Generation;
use subvault_model::subvolume::SnapshotIdentity;
use subvault_sendstream::command::Command;
use subvault_sendstream::encode::Encoder;
use subvault_store::ObjectStore;
use tempfile::TempDir;

/// The smallest parts that a bucket takes, and chunks that are no multiple of them.
pub(crate) const PART: u64 = 5 << 20;
pub(crate) const CHUNK: u64 = 12 << 20;
pub(crate) const LANES: u32 = 3;

/// A valid send stream with about so many bytes of file content: words and noise by turns.
pub(crate) fn send_stream(bytes: usize, seed: u64) -> Vec<u8> {
    let encoder = Encoder::new(1).unwrap();
    let mut out = Vec::new();
    encoder.header(&mut out);
    let path = b"home".as_slice();
    encoder.command(&Command::Subvol { path, uuid: [7; 16], ctransid: 9 }, &mut out).unwrap();
    encoder.command(&Command::Mkfile { path: b"f" }, &mut out).unwrap();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let (mut offset, mut data) = (0_u64, Vec::with_capacity(48 << 10));
    while (offset as usize) < bytes {
        data.clear();
        let len = (48 << 10).min(bytes - offset as usize);
        let noisy = (offset >> 19) % 2 == 0;
        while data.len() < len {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let word = if noisy { state } else { state % 5 };
            data.extend_from_slice(&word.to_le_bytes());
        }
        data.truncate(len);
        encoder.command(&Command::Write { path: b"f", offset, data: &data }, &mut out).unwrap();
        offset += len as u64;
    }
    encoder.command(&Command::End, &mut out).unwrap();
    out
}

/// A place for streams of one subvolume.
pub(crate) struct Place {
    pub(crate) store: ObjectStore,
    pub(crate) layout: Layout,
    pub(crate) subvolume: SubvolumeName,
    pub(crate) dir: TempDir,
}

struct Deaf;

impl CommandObserver for Deaf {
    fn command(&mut self, _command: &Command<'_>) {}
}

impl Place {
    /// In a directory.
    pub(crate) fn directory() -> Self {
        let dir = TempDir::new().unwrap();
        let store = ObjectStore::create_directory(&dir.path().join("store")).unwrap();
        Self::at(store, dir)
    }

    pub(crate) fn at(store: ObjectStore, dir: TempDir) -> Self {
        Self { store, layout: Layout::new("laptop".parse().unwrap()), subvolume: "home".parse().unwrap(), dir }
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.dir.path().join("journal.jsonl")
    }

    /// The beginning of a stream; the same secret for the same recipients makes the same bytes.
    pub(crate) fn begin(
        &self,
        compressed: bool,
        sealed: Option<(&StreamSecret, &[u8], &[Recipient])>,
        attempt: u32,
    ) -> Begun {
        let compression =
            if compressed { Compression::Zstd { level: 3, frame_bytes: FRAME_BYTES } } else { Compression::Off };
        let encryption = sealed.map_or(Encryption::Off, |(_, _, recipients)| Encryption::Age {
            recipients: recipients.iter().map(ToString::to_string).collect(),
        });
        let shape = Shape {
            format: FORMAT,
            zstd: zstd_version(),
            store: "a store".to_owned(),
            compression,
            encryption,
            chunk_bytes: ByteSize::bytes(CHUNK),
            part_bytes: ByteSize::bytes(PART),
            protocol: 1,
            compressed_data: false,
        };
        let name = StreamName::new(taken(), StreamKind::Full, attempt);
        Begun::new(name, uuid(), None, shape, sealed.map(|(secret, header, _)| (secret.as_bytes(), header)))
    }

    /// Writes a stream, going on with the journal's if `resume`.
    pub(crate) fn write(
        &self,
        begun: &Begun,
        source: &mut (dyn Read + Send),
        resume: bool,
    ) -> Result<Written, ArchiveError> {
        let begun = if resume { Journal::look(&self.journal()).unwrap().unwrap().begun } else { begun.clone() };
        let sealer = begun.sealed().map(|(secret, header)| Sealer::resume(StreamSecret::from_bytes(secret), header));
        let job = WriteJob {
            store: &self.store,
            layout: &self.layout,
            subvolume: &self.subvolume,
            begun,
            sealer,
            journal_path: self.journal(),
            resume,
            effort: Effort {
                workers: NonZeroU32::new(2).unwrap(),
                lanes: NonZeroU32::new(LANES).unwrap(),
                bandwidth: None,
            },
            monitor: &Silent,
        };
        write_stream(&job, source, &mut Deaf)
    }

    /// Publishes what was written.
    pub(crate) fn publish(&self, begun: &Begun, written: Written) -> Manifest {
        let manifest = Manifest {
            format: FORMAT,
            tool: "a test".to_owned(),
            host: HostIdentity { name: "laptop".parse().unwrap(), machine: "m".to_owned() },
            subvolume: self.subvolume.clone(),
            stream: begun.stream.clone(),
            generation: Generation(1),
            sequence: 0,
            snapshot: SnapshotIdentity {
                name: "home.20261120T221500Z".parse().unwrap(),
                taken: taken(),
                uuid: uuid(),
                received: None,
                ctransid: TransactionId(9),
            },
            parent: None,
            published: taken(),
            send: written.send,
            compression: begun.shape.compression.clone(),
            encryption: begun.shape.encryption.clone(),
            storage_class: None,
            content: None,
            chunks: written.chunks,
        };
        publish(&self.store, &self.layout, &manifest).unwrap();
        Journal::remove(&self.journal()).unwrap();
        manifest
    }

    /// Reads a stream back.
    pub(crate) fn read(&self, manifest: &Manifest, identities: &[Identity]) -> Result<Vec<u8>, ArchiveError> {
        let lanes = NonZeroU32::new(LANES).unwrap();
        let job = ReadJob { store: &self.store, layout: &self.layout, manifest, identities, lanes, monitor: &Silent };
        let mut plain = Vec::new();
        let result = read_stream(&job, &mut |portion: &[u8]| {
            plain.extend_from_slice(portion);
            Ok::<(), Infallible>(())
        });
        match result {
            Ok(()) => Ok(plain),
            Err(ReadError::Archive(error)) => Err(error),
            Err(ReadError::Sink(never)) => match never {},
        }
    }

    /// The chunks of a stream as they are stored, in order.
    pub(crate) fn chunks(&self, manifest: &Manifest) -> Vec<Vec<u8>> {
        let key = |file: &str| self.layout.chunk(&self.subvolume, &manifest.stream, file);
        manifest.chunks.iter().map(|c| self.store.get(&key(&c.file), 1 << 30).unwrap().to_vec()).collect()
    }
}

/// A secret with its header for these recipients.
pub(crate) fn secret(recipients: &[Recipient]) -> (StreamSecret, Vec<u8>) {
    let secret = StreamSecret::draw().unwrap();
    let sealer = Sealer::new(secret.clone(), recipients).unwrap();
    (secret, sealer.header().to_vec())
}

fn taken() -> Timestamp {
    "2026-11-20T22:15:00Z".parse().unwrap()
}

fn uuid() -> SnapshotUuid {
    SnapshotUuid::from_bytes([7; 16]).unwrap()
}
