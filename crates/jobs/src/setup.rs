//! What a run works with: the configuration, checked and resolved.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};

use subvault_archive::age_file::header::Recipient;
use subvault_archive::journal::Shape;
use subvault_archive::layout::Layout;
use subvault_archive::manifest::{Compression, Encryption, FORMAT, HostIdentity};
use subvault_host::hook::Hook;
use subvault_host::send::{Protocol, supported_protocol};
use subvault_model::bandwidth::Bandwidth;
use subvault_model::bytesize::ByteSize;
use subvault_model::names::{HookName, SubvolumeName, TargetName};
use subvault_plan::policy::{ArchivePolicy, Policy};
use subvault_plan::strategy::sending::Conditions;
use subvault_store::{ObjectStore, S3Settings};

use crate::error::JobError;
use crate::replica::attach::ReplicaPlace;

/// Where a store is.
#[derive(Debug, Clone)]
pub enum Location {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A bucket.
    S3(Box<S3Settings>),
}

/// Which send protocol is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolChoice {
    /// The newest that the kernel has, with compressed extents passed through.
    Newest,
    /// Version 1, which every receiver understands.
    V1,
    /// Version 2, and whether compressed extents are passed through.
    V2 {
        /// Whether extents that are compressed on disk go through as they are.
        compressed: bool,
    },
}

/// Whether the snapshot is read ahead of the kernel's send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadAheadChoice {
    /// Where it pays.
    Auto,
    /// Never.
    Off,
}

/// A subvolume that is looked after.
#[derive(Debug, Clone)]
pub struct SubvolumeSetup {
    /// Its name.
    pub name: SubvolumeName,
    /// Where it is mounted.
    pub path: PathBuf,
    /// Where its snapshots are.
    pub snapshots: PathBuf,
    /// What is done about the subvolumes inside of it.
    pub nested: NestedChoice,
    /// What is done about snapshots that other programs took of it.
    pub foreign: ForeignChoice,
}

/// What is done about snapshots that other programs took of a subvolume. They are never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignChoice {
    /// They are shown.
    Show,
    /// They are archived and copied like our own.
    Ship,
}

/// What is done about the subvolumes inside of one, which its snapshots do not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NestedChoice {
    /// They are reported.
    Report,
    /// They are looked after as it is.
    Include,
    /// Nothing.
    Ignore,
}

/// Why a target cannot be used: its access key is not to be had. The others can be.
#[derive(Debug, Clone)]
pub struct Unusable {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
}

/// A target that streams are archived to.
#[derive(Debug, Clone)]
pub struct TargetSetup {
    /// Its name.
    pub name: TargetName,
    /// Where it is.
    pub location: Location,
    /// Why it cannot be used now, where that is known already.
    pub unusable: Option<Unusable>,
    /// Who can read it; empty: not encrypted, as the configuration says in so many words.
    pub recipients: Vec<Recipient>,
    /// How streams are compressed.
    pub compression: Compression,
    /// Size of chunks.
    pub chunk_bytes: ByteSize,
    /// Size of parts.
    pub part_bytes: ByteSize,
    /// Parts in flight.
    pub lanes: NonZeroU32,
    /// Threads that compress and seal; `None`: one per processor, at most eight.
    pub workers: Option<NonZeroU32>,
    /// At most so fast.
    pub bandwidth: Option<Bandwidth>,
    /// Which protocol.
    pub protocol: ProtocolChoice,
    /// Whether the snapshot's content digest is recorded.
    pub content_digest: bool,
    /// Read-ahead.
    pub read_ahead: ReadAheadChoice,
    /// Whether reading is left to when the disk is idle.
    pub idle_io: bool,
}

/// A place that has copies of snapshots.
#[derive(Debug, Clone)]
pub struct ReplicaSetup {
    /// Its name.
    pub name: TargetName,
    /// Where it is.
    pub place: ReplicaPlace,
    /// At most so fast.
    pub bandwidth: Option<Bandwidth>,
}

/// Everything a run works with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// This machine.
    pub host: HostIdentity,
    /// Where journals, the audit log and the lock are.
    pub state: PathBuf,
    /// The subvolumes in the order of the configuration.
    pub subvolumes: Vec<SubvolumeSetup>,
    /// The targets in the order of the configuration.
    pub targets: Vec<TargetSetup>,
    /// The replicas in the order of the configuration.
    pub replicas: Vec<ReplicaSetup>,
    /// What is run around snapshots.
    pub hooks: BTreeMap<HookName, Hook>,
    /// What has to be so before a run sends what is due.
    pub conditions: Conditions,
    /// What is asked for.
    pub policy: Policy,
}

impl Setup {
    /// The keys of this host.
    #[must_use]
    pub fn layout(&self) -> Layout {
        Layout::new(self.host.name.clone())
    }

    /// A target by name.
    #[must_use]
    pub fn target(&self, name: &TargetName) -> Option<&TargetSetup> {
        self.targets.iter().find(|t| t.name == *name)
    }

    /// A replica by name.
    #[must_use]
    pub fn replica(&self, name: &TargetName) -> Option<&ReplicaSetup> {
        self.replicas.iter().find(|r| r.name == *name)
    }

    /// A subvolume by name.
    #[must_use]
    pub fn subvolume(&self, name: &SubvolumeName) -> Option<&SubvolumeSetup> {
        self.subvolumes.iter().find(|s| s.name == *name)
    }

    /// The policy of a target.
    #[must_use]
    pub fn target_policy(&self, name: &TargetName) -> Option<&ArchivePolicy> {
        self.policy.targets.get(name)
    }
}

impl TargetSetup {
    /// Opens the store.
    ///
    /// # Errors
    /// When it is not there, or its access key is not.
    pub fn open(&self) -> Result<ObjectStore, JobError> {
        if let Some(Unusable { what, hint }) = self.unusable.clone() {
            return Err(JobError::Unusable { what, hint });
        }
        Ok(match &self.location {
            Location::Directory(path) => ObjectStore::directory(path)?,
            Location::S3(settings) => ObjectStore::s3(settings)?,
        })
    }

    /// Where an upload's journal is.
    #[must_use]
    pub fn journal(&self, state: &Path, subvolume: &SubvolumeName) -> PathBuf {
        state.join("journal").join(self.name.as_str()).join(format!("{subvolume}.jsonl"))
    }

    /// The protocol that is used on this kernel.
    #[must_use]
    pub fn protocol(&self) -> (Protocol, bool) {
        match (self.protocol, supported_protocol()) {
            (ProtocolChoice::V1, _) | (_, Protocol::V1) => (Protocol::V1, false),
            (ProtocolChoice::Newest, Protocol::V2) => (Protocol::V2, true),
            (ProtocolChoice::V2 { compressed }, Protocol::V2) => (Protocol::V2, compressed),
        }
    }

    /// How chunks are encrypted.
    #[must_use]
    pub fn encryption(&self) -> Encryption {
        if self.recipients.is_empty() {
            return Encryption::Off;
        }
        let mut recipients: Vec<String> = self.recipients.iter().map(ToString::to_string).collect();
        recipients.sort();
        Encryption::Age { recipients }
    }

    /// What shapes the bytes of a stream.
    #[must_use]
    pub fn shape(&self, store: &ObjectStore) -> Shape {
        let (protocol, compressed_data) = self.protocol();
        Shape {
            format: FORMAT,
            zstd: subvault_archive::frame::zstd_version(),
            store: store.describe(),
            compression: self.compression.clone(),
            encryption: self.encryption(),
            chunk_bytes: self.chunk_bytes,
            part_bytes: self.part_bytes,
            protocol: match protocol {
                Protocol::V1 => 1,
                Protocol::V2 => 2,
            },
            compressed_data,
        }
    }

    /// Threads that compress and seal. More than eight only cost memory: the kernel's send is one thread.
    #[must_use]
    pub fn workers(&self) -> NonZeroU32 {
        let cpus = subvault_host::identity::cpus().min(NonZeroUsize::new(8).unwrap_or(NonZeroUsize::MIN));
        self.workers.unwrap_or_else(|| NonZeroU32::try_from(cpus).unwrap_or(NonZeroU32::MIN))
    }

    /// The storage class of chunks, where the store has classes and one is asked for.
    #[must_use]
    pub fn bulk_class(&self) -> Option<String> {
        match &self.location {
            Location::Directory(_) => None,
            Location::S3(settings) => settings.bulk_class.as_ref().map(|c| c.as_str().to_owned()),
        }
    }
}
