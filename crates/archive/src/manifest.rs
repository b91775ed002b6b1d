//! What is known of a stream in a store. Written once, after all its chunks, and never edited.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subvault_model::bytesize::ByteSize;
use subvault_model::names::{HostName, StreamName, SubvolumeName};
use subvault_model::stream::{Generation, StreamSummary};
use subvault_model::subvolume::SnapshotIdentity;
use subvault_store::ObjectStore;

use crate::document;
use crate::error::ArchiveError;
use crate::hash::Hash256;
use crate::layout::{Layout, chunk_file_name};

/// The version of the format that is written and the highest that is read.
pub const FORMAT: u32 = 1;
/// The largest unit that is read: that of the largest object, in 10 000 parts, has half of it.
const UNIT_BYTES_MAX: u64 = 1 << 30;

/// How the stream is compressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    Off,
    /// As independent zstd frames, each of `frame_bytes` of the stream (the last of a chunk may be shorter), with
    /// a seek table at the end of each chunk.
    Zstd {
        /// The level it was compressed with.
        level: i32,
        /// How much of the stream one frame holds.
        frame_bytes: u32,
    },
}

/// How chunks are encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "lowercase")]
pub enum Encryption {
    /// Not at all.
    Off,
    /// Each chunk is an age file.
    Age {
        /// Who can open it.
        recipients: Vec<String>,
    },
}

/// The send stream inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendRecord {
    /// The version of the send protocol.
    pub protocol: u32,
    /// Whether extents that are compressed on disk are in it as they lie there.
    pub compressed_data: bool,
    /// Its length in bytes.
    pub bytes: ByteSize,
    /// How many commands it has.
    pub commands: u64,
    /// The BLAKE3 of the whole stream.
    pub blake3: Hash256,
}

/// One object that holds a piece of the packed stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Its file name in the stream's folder.
    pub file: String,
    /// Its size.
    pub bytes: ByteSize,
    /// The SHA-256 of the whole object.
    pub sha256: Hash256,
    /// Where its content begins in the send stream.
    pub stream_offset: u64,
    /// How much of the send stream it holds.
    pub stream_bytes: ByteSize,
    /// The size of the units that are checked one by one before they are used; the last may be shorter.
    pub unit_bytes: ByteSize,
    /// The BLAKE3 of each unit.
    pub units: Vec<Hash256>,
}

/// What of the snapshot the digest covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentScope {
    /// The whole tree.
    Tree,
    /// What the stream touches: the paths and byte ranges that its commands name, at their final paths.
    Changes,
}

/// The digest of the snapshot's content, read from the snapshot and not from the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentRecord {
    /// What it covers.
    pub scope: ContentScope,
    /// The digest, 128 hexadecimal digits (see `docs/format.md`).
    pub digest: String,
    /// How many entries it covers.
    pub entries: u64,
    /// How many bytes of files were read for it, for people: holes are not read, and where they are depends on how a
    /// file lies on disk.
    pub bytes: ByteSize,
}

impl ContentRecord {
    /// Whether both are of the same content.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        (self.scope, &self.digest, self.entries) == (other.scope, &other.digest, other.entries)
    }
}

/// The machine that made a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostIdentity {
    /// Its name in the configuration.
    pub name: HostName,
    /// A hash of its machine id, so that two machines of one name are told apart.
    pub machine: String,
}

/// The stream before this one in its chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentRecord {
    /// Its name.
    pub stream: StreamName,
    /// The snapshot that it was made of.
    pub snapshot: SnapshotIdentity,
    /// The hash in the last line of its manifest: manifests form a hash chain.
    pub manifest_sha256: Hash256,
}

/// A stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the format.
    pub format: u32,
    /// The program that wrote it, for people.
    pub tool: String,
    /// Who made it.
    pub host: HostIdentity,
    /// Which series it belongs to.
    pub subvolume: SubvolumeName,
    /// Its own name.
    pub stream: StreamName,
    /// Its chain.
    pub generation: Generation,
    /// Its place there, the full being 0.
    pub sequence: u32,
    /// What it was made of.
    pub snapshot: SnapshotIdentity,
    /// What it builds on; none for a full.
    pub parent: Option<ParentRecord>,
    /// When it was published.
    pub published: Timestamp,
    /// The send stream inside.
    pub send: SendRecord,
    /// How that is compressed.
    pub compression: Compression,
    /// How that is encrypted.
    pub encryption: Encryption,
    /// The storage class of the chunks, where the store has classes.
    pub storage_class: Option<String>,
    /// The digest of the snapshot, unless digests are off.
    pub content: Option<ContentRecord>,
    /// The chunks in order.
    pub chunks: Vec<Chunk>,
}

impl Manifest {
    /// What planning needs to know.
    #[must_use]
    pub fn summary(&self) -> StreamSummary {
        StreamSummary {
            name: self.stream.clone(),
            subvolume: self.subvolume.clone(),
            generation: self.generation,
            sequence: self.sequence,
            snapshot: self.snapshot.clone(),
            parent: self.parent.as_ref().map(|p| p.stream.clone()),
            published: self.published,
            stream_bytes: self.send.bytes,
            stored_bytes: self.chunks.iter().map(|c| c.bytes).sum(),
            storage_class: self.storage_class.clone(),
            recipients: match &self.encryption {
                Encryption::Off => BTreeSet::new(),
                Encryption::Age { recipients } => recipients.iter().cloned().collect(),
            },
        }
    }

    /// Reads the manifest of a stream and checks that it is the one that belongs there and agrees with itself.
    ///
    /// # Errors
    /// When the store fails, or the manifest is damaged, foreign or of a newer format.
    pub fn read(
        store: &ObjectStore,
        layout: &Layout,
        subvolume: &SubvolumeName,
        stream: &StreamName,
    ) -> Result<(Self, Hash256), ArchiveError> {
        let key = layout.manifest(subvolume, stream);
        let (manifest, sha256): (Self, Hash256) = document::read(store, &key)?;
        if manifest.stream != *stream || manifest.subvolume != *subvolume || manifest.host.name != *layout.host() {
            return Err(ArchiveError::damaged(&key, "it describes another stream: was it moved or copied?"));
        }
        match manifest.contradiction() {
            Some(what) => Err(ArchiveError::damaged(&key, what)),
            None => Ok((manifest, sha256)),
        }
    }

    /// Where the manifest contradicts itself.
    fn contradiction(&self) -> Option<String> {
        if self.parent.is_some() != (self.sequence > 0) {
            return Some("its sequence does not fit its parent".to_owned());
        }
        let mut offset = 0_u64;
        for (index, chunk) in (0..).zip(&self.chunks) {
            // The name becomes part of a key, and units are held in memory: nothing is taken on trust.
            let named = chunk.file == chunk_file_name(index, &self.compression, &self.encryption);
            let unit = chunk.unit_bytes.get();
            let units = (1..=UNIT_BYTES_MAX).contains(&unit).then(|| chunk.bytes.get().div_ceil(unit));
            let end = offset.checked_add(chunk.stream_bytes.get());
            match end.filter(|_| named && chunk.stream_offset == offset && units == Some(chunk.units.len() as u64)) {
                Some(end) => offset = end,
                None => return Some(format!("its entry of {:?} contradicts itself", chunk.file)),
            }
        }
        (offset != self.send.bytes.get()).then(|| "its chunks do not add up to the stream".to_owned())
    }
}
