//! Streams to stores: the kernel sends, the pipeline packs, and what is whole is published.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use subvault_archive::age_file::seal::{Sealer, StreamSecret, draw_attempt};
use subvault_archive::error::ArchiveError;
use subvault_archive::inventory::Published;
use subvault_archive::journal::{Begun, Journal};
use subvault_archive::manifest::{ContentRecord, FORMAT, Manifest, ParentRecord};
use subvault_archive::publish::{point_at, publish};
use subvault_archive::write::{Effort, WriteJob, Written, write_stream};
use subvault_host::priority::when_idle;
use subvault_host::send::{SendSettings, SendStream, send};
use subvault_host::{HostErrorKind, clock};
use subvault_model::bytesize::ByteSize;
use subvault_model::crash;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{StreamKind, StreamName, SubvolumeName, TargetName};
use subvault_model::stream::Generation;
use subvault_model::subvolume::{LocalSnapshot, SnapshotIdentity};
use subvault_plan::step::{Parent, Step, StepId};
use subvault_store::{ObjectStore, StoreErrorKind};

use crate::audit::make_directory;
use crate::content::ContentWatch;
use crate::error::JobError;
use crate::observe::Sight;
use crate::setup::{Setup, SubvolumeSetup, TargetSetup};
use crate::snapshot;

/// The hands for archives.
pub struct Archiver<'a> {
    setup: &'a Setup,
    sight: &'a Sight,
    monitor: &'a dyn Monitor,
}

/// Figures of a stream that was archived.
#[derive(Debug, Clone, Serialize)]
pub struct StreamFigures {
    /// Its name.
    pub stream: StreamName,
    /// Which subvolume.
    pub subvolume: SubvolumeName,
    /// To which target.
    pub target: TargetName,
    /// Full or incremental.
    pub kind: StreamKind,
    /// Length of the send stream.
    pub stream_bytes: ByteSize,
    /// Length of what is stored.
    pub stored_bytes: ByteSize,
    /// Number of objects.
    pub chunks: usize,
    /// How long it took.
    pub seconds: f64,
    /// Entries that the content digest covers.
    pub entries: Option<u64>,
}

/// A stream to be sent, with everything that the step names looked up.
struct Subject<'a> {
    subvolume: &'a SubvolumeSetup,
    target: &'a TargetSetup,
    store: &'a ObjectStore,
    snapshot: LocalSnapshot,
    parent: Option<(&'a Parent, &'a Published)>,
    generation: Generation,
    sequence: u32,
}

impl<'a> Archiver<'a> {
    /// Hands that act on what was seen.
    #[must_use]
    pub fn new(setup: &'a Setup, sight: &'a Sight, monitor: &'a dyn Monitor) -> Self {
        Self { setup, sight, monitor }
    }

    fn subvolume(&self, name: &SubvolumeName) -> Result<&'a SubvolumeSetup, JobError> {
        self.setup.subvolume(name).ok_or_else(|| JobError::Bug(format!("no subvolume {name}")))
    }

    fn target(&self, name: &TargetName) -> Result<(&'a TargetSetup, &'a ObjectStore), JobError> {
        let found = self.setup.target(name).zip(self.sight.stores.get(name));
        found.ok_or_else(|| JobError::Bug(format!("no target {name}")))
    }

    fn published(&self, target: &TargetName, subvolume: &SubvolumeName, stream: &StreamName) -> Option<&'a Published> {
        self.sight.series.get(&(target.clone(), subvolume.clone()))?.streams.get(stream)
    }

    /// Does a step about a target; `taken` are the snapshots of this run.
    ///
    /// # Errors
    /// When it could not be done.
    pub fn perform(&self, step: &Step, taken: &BTreeMap<StepId, LocalSnapshot>) -> Result<Value, JobError> {
        match step {
            Step::SendStream { .. } => {
                serde_json::to_value(self.send(step, taken)?).map_err(|e| JobError::Bug(e.to_string()))
            }
            Step::AbandonUpload { subvolume, target, stream } => {
                let (target, store) = self.target(target)?;
                abandon(self.setup, target, store, subvolume, stream)?;
                Ok(Value::Null)
            }
            Step::RepairPointer { subvolume, target, stream } => {
                let (target, store) = self.target(target)?;
                let published = self.published(&target.name, subvolume, stream);
                let published = published.ok_or_else(|| JobError::Stale(format!("stream {stream}")))?;
                point_at(store, &self.setup.layout(), &published.manifest, published.sha256)?;
                Ok(Value::Null)
            }
            other => Err(JobError::Bug(format!("not about an archive: {other}"))),
        }
    }

    fn send(&self, step: &Step, taken: &BTreeMap<StepId, LocalSnapshot>) -> Result<StreamFigures, JobError> {
        let Step::SendStream { subvolume, target, snapshot, parent, generation, sequence, resume } = step else {
            return Err(JobError::Bug("not a stream".to_owned()));
        };
        let setup = self.subvolume(subvolume)?;
        let (target, store) = self.target(target)?;
        let parent = match parent {
            None => None,
            Some(parent) => {
                let published = self.published(&target.name, subvolume, &parent.stream);
                let published = published.ok_or_else(|| JobError::Stale(format!("stream {}", parent.stream)))?;
                Some((parent, published))
            }
        };
        let snapshot = snapshot::resolve(setup, snapshot, taken)?;
        let (generation, sequence) = (*generation, *sequence);
        let subject = Subject { subvolume: setup, target, store, snapshot, parent, generation, sequence };
        let what = format!("{subvolume} → {}", target.name);
        self.monitor.event(Event::Started { what, expected: None });
        let result = self.send_or_begin_anew(&subject, resume.is_some());
        self.monitor.event(Event::Finished);
        result
    }

    /// Goes on with an interrupted upload, or begins anew when that turns out to be impossible. What the kernel broke
    /// off (it was suspended, or a balance came in between) is sent once more.
    fn send_or_begin_anew(&self, subject: &Subject<'_>, resume: bool) -> Result<StreamFigures, JobError> {
        match self.send_once(subject, resume) {
            Err(JobError::Archive(ArchiveError::Diverged(stream))) => {
                let note = format!("the interrupted upload {stream} cannot be resumed; beginning anew");
                self.monitor.event(Event::Note(note));
                abandon(self.setup, subject.target, subject.store, &subject.subvolume.name, &stream)?;
                self.send_once(subject, false)
            }
            Err(JobError::Host(error)) if error.kind() == HostErrorKind::Interrupted => {
                self.monitor.event(Event::Note(format!("{error}; sending it again")));
                let journal = subject.target.journal(&self.setup.state, &subject.subvolume.name);
                let begun = Journal::look(&journal)?.map(|recorded| recorded.begun);
                self.send_once(subject, begun.is_some_and(|begun| begun.snapshot == subject.snapshot.uuid))
            }
            other => other,
        }
    }

    fn send_once(&self, subject: &Subject<'_>, resume: bool) -> Result<StreamFigures, JobError> {
        let begin = clock::monotonic();
        let journal_path = subject.target.journal(&self.setup.state, &subject.subvolume.name);
        if let Some(directory) = journal_path.parent() {
            make_directory(directory)?;
        }
        let recorded = if resume { Journal::look(&journal_path)? } else { None };
        let (begun, sealer) = match recorded {
            Some(recorded) => resumed(recorded.begun),
            None => {
                // What is left of a stream that was published would pass for this one's.
                Journal::remove(&journal_path)?;
                begin_stream(subject)?
            }
        };
        let layout = self.setup.layout();
        let job = WriteJob {
            store: subject.store,
            layout: &layout,
            subvolume: &subject.subvolume.name,
            begun,
            sealer,
            journal_path: journal_path.clone(),
            resume,
            effort: Effort {
                workers: subject.target.workers(),
                lanes: subject.target.lanes,
                bandwidth: subject.target.bandwidth,
            },
            monitor: self.monitor,
        };
        let pumped = if subject.target.idle_io { when_idle(|| pump(subject, &job)) } else { pump(subject, &job) };
        let (written, content) = pumped?;
        crash::point("stream-written");
        let manifest = self.manifest(subject, &job, written, content);
        publish(subject.store, &layout, &manifest)?;
        Journal::remove(&journal_path)?;
        crash::point("journal-removed");
        Ok(figures(&manifest, &subject.target.name, begin.elapsed()))
    }

    fn manifest(
        &self,
        subject: &Subject<'_>,
        job: &WriteJob<'_>,
        written: Written,
        content: Option<ContentRecord>,
    ) -> Manifest {
        Manifest {
            format: FORMAT,
            tool: format!("subvault {}", env!("CARGO_PKG_VERSION")),
            host: self.setup.host.clone(),
            subvolume: subject.subvolume.name.clone(),
            stream: job.begun.stream.clone(),
            generation: subject.generation,
            sequence: subject.sequence,
            snapshot: identity(&subject.snapshot),
            parent: subject.parent.map(|(parent, published)| ParentRecord {
                stream: parent.stream.clone(),
                snapshot: published.manifest.snapshot.clone(),
                manifest_sha256: published.sha256,
            }),
            published: clock::now(),
            send: written.send,
            compression: job.begun.shape.compression.clone(),
            encryption: job.begun.shape.encryption.clone(),
            storage_class: subject.target.bulk_class(),
            content,
            chunks: written.chunks,
        }
    }
}

/// Gives up an interrupted upload: what it stored, and its journal last.
fn abandon(
    setup: &Setup,
    target: &TargetSetup,
    store: &ObjectStore,
    subvolume: &SubvolumeName,
    stream: &StreamName,
) -> Result<(), JobError> {
    let layout = setup.layout();
    // A damaged manifest may be there. It goes before what it names, as everywhere.
    store.delete(&layout.manifest(subvolume, stream))?;
    let prefix = format!("{}{stream}/", layout.subvolume_prefix(subvolume));
    for pending in store.uploads(&prefix)? {
        match store.abort_upload(&pending.upload) {
            Err(e) if e.kind() != StoreErrorKind::NoSuchUpload => return Err(e.into()),
            _ => {}
        }
    }
    for object in store.list(&prefix) {
        store.delete(&object?.key)?;
    }
    Ok(Journal::remove(&target.journal(&setup.state, subvolume))?)
}

/// The beginning of a new stream: a name and a secret that were never used before.
fn begin_stream(subject: &Subject<'_>) -> Result<(Begun, Option<Sealer>), JobError> {
    let kind = if subject.parent.is_some() { StreamKind::Incremental } else { StreamKind::Full };
    let stream = StreamName::new(subject.snapshot.name.taken(), kind, draw_attempt()?);
    // Fail closed: a target that is to be encrypted has recipients, and without a sealer nothing is written.
    let sealer = match subject.target.recipients.as_slice() {
        [] => None,
        recipients => Some(Sealer::new(StreamSecret::draw()?, recipients)?),
    };
    let shape = subject.target.shape(subject.store);
    let sealed = sealer.as_ref().map(|s| (s.secret().as_bytes(), s.header()));
    let parent = subject.parent.map(|(p, _)| p.uuid);
    Ok((Begun::new(stream, subject.snapshot.uuid, parent, shape, sealed), sealer))
}

fn resumed(begun: Begun) -> (Begun, Option<Sealer>) {
    let sealer = begun.sealed().map(|(secret, header)| Sealer::resume(StreamSecret::from_bytes(secret), header));
    (begun, sealer)
}

/// Lets the kernel send and packs what comes, while the content of the snapshot is being read for its digest.
fn pump(subject: &Subject<'_>, job: &WriteJob<'_>) -> Result<(Written, Option<ContentRecord>), JobError> {
    let open = |name, uuid| snapshot::open_to_send(subject.subvolume, name, uuid);
    let snapshot = open(&subject.snapshot.name, subject.snapshot.uuid)?;
    let parent = match subject.parent {
        None => None,
        Some((parent, _)) => Some(open(&parent.snapshot, parent.uuid)?),
    };
    let mut stream = send(&snapshot, parent.as_ref(), &[], send_settings(subject.target))?;
    let target = subject.target;
    let watch = ContentWatch::new(parent.is_none(), target.content_digest, target.read_ahead);
    std::thread::scope(|scope| {
        let watching = watch.start(scope, &snapshot)?;
        let mut observer = watch.observer(scope, &snapshot);
        let written = write_stream(job, &mut stream, &mut observer);
        let sent = finish(written, stream);
        if sent.is_err() {
            watch.give_up();
        }
        Ok((sent?, watch.record(watching, observer)?))
    })
}

/// The kernel's word counts before ours: a stream that it broke off is cut short for us.
fn finish(written: Result<Written, ArchiveError>, stream: SendStream) -> Result<Written, JobError> {
    match (written, stream.finish()) {
        (Ok(written), Ok(())) => Ok(written),
        (Ok(_) | Err(ArchiveError::Stream(_) | ArchiveError::Source(_)), Err(kernel)) => Err(kernel.into()),
        (Err(error), _) => Err(error.into()),
    }
}

fn send_settings(target: &TargetSetup) -> SendSettings {
    let (protocol, compressed) = target.protocol();
    SendSettings { protocol, compressed, no_data: false }
}

fn identity(snapshot: &LocalSnapshot) -> SnapshotIdentity {
    SnapshotIdentity {
        name: snapshot.name.clone(),
        taken: snapshot.name.taken(),
        uuid: snapshot.uuid,
        received: snapshot.received,
        ctransid: snapshot.ctransid,
    }
}

fn figures(manifest: &Manifest, target: &TargetName, took: Duration) -> StreamFigures {
    let summary = manifest.summary();
    StreamFigures {
        stream: manifest.stream.clone(),
        subvolume: manifest.subvolume.clone(),
        target: target.clone(),
        kind: summary.kind(),
        stream_bytes: summary.stream_bytes,
        stored_bytes: summary.stored_bytes,
        chunks: manifest.chunks.len(),
        seconds: took.as_secs_f64(),
        entries: manifest.content.as_ref().map(|c| c.entries),
    }
}
