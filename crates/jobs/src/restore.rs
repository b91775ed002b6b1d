//! Restore: a subvolume comes back from its chain, checked stream by stream, and is put in place in the end.
//!
//! Streams are received at the destination under names of our own: a stream is called `.subvault-restore.<stream>.part`
//! until its content was compared with what was archived, and `.subvault-restore.<stream>` from then on; so an
//! interrupted restore goes on after the last stream that was proved, and what is half done is recognised by its name.
//! (They are not in a directory of their own because the kernel refuses to move a read-only subvolume to another
//! directory.) The last one is renamed to its place as the very last act, so a restore is done when that is there.
//! No byte reaches the receiver before the unit it is in was verified.

use std::ffi::OsString;
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use serde::Serialize;
use subvault_archive::age_file::header::Identity;
use subvault_archive::inventory::Series;
use subvault_archive::layout::Layout;
use subvault_archive::manifest::{ContentScope, Manifest};
use subvault_archive::read::{ReadError, ReadJob, read_stream};
use subvault_host::receive::{ReceiveError, ReceiveSettings, Receiver, These};
use subvault_host::subvolume::Subvolume;
use subvault_host::tree_digest::Labels;
use subvault_host::{HostErrorKind, clock, identity};
use subvault_model::bytesize::ByteSize;
use subvault_model::crash;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::StreamName;
use subvault_plan::restore::RestorePlan;
use subvault_sendstream::command::Command;
use subvault_sendstream::decode::{Decoder, PushError, StreamError};
use subvault_store::ObjectStore;

use crate::content;
use crate::error::JobError;
use crate::placing::{Placing, delete_leftover};

/// Threads that write files while the stream is read.
pub(crate) const RECEIVE_THREADS: usize = 2;
/// How the names of what is being received begin.
pub const STAGED: &str = ".subvault-restore.";

/// What is put in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The read-only copy, which can be a parent again.
    ReadOnly,
    /// A writable snapshot of it, beside it.
    WithWritableCopy,
}

/// A restore.
pub struct RestoreJob<'a> {
    /// From which store.
    pub store: &'a ObjectStore,
    /// The keys of the host that archived it.
    pub layout: &'a Layout,
    /// What the store has of the subvolume.
    pub series: &'a Series,
    /// The streams to receive.
    pub plan: &'a RestorePlan,
    /// Into which directory of a Btrfs filesystem.
    pub destination: &'a Path,
    /// What is put there.
    pub form: Form,
    /// Who opens the streams.
    pub identities: &'a [Identity],
    /// Units fetched at once.
    pub lanes: NonZeroU32,
    /// Who listens.
    pub monitor: &'a dyn Monitor,
}

/// A subvolume that is back.
#[derive(Debug, Clone, Serialize)]
pub struct Restored {
    /// The read-only copy.
    pub path: PathBuf,
    /// The writable snapshot of it, if one was asked for.
    pub writable: Option<PathBuf>,
    /// Streams that were received in this run.
    pub streams: usize,
    /// Streams that an interrupted run had received and proved.
    pub reused: usize,
    /// Bytes that were fetched.
    pub fetched_bytes: ByteSize,
    /// Bytes that were received.
    pub stream_bytes: ByteSize,
    /// Entries whose content was compared.
    pub entries_compared: u64,
    /// Streams that were archived without a content digest, whose content could not be compared.
    pub not_compared: usize,
    /// How long it took.
    pub seconds: f64,
}

impl RestoreJob<'_> {
    /// How the last stream comes to its place.
    fn placing(&self) -> Option<Placing<'_>> {
        let last = self.plan.streams.last()?;
        Some(Placing {
            destination: self.destination,
            staged: staged_name(&last.name),
            name: &last.snapshot.name,
            writable: (self.form == Form::WithWritableCopy).then_some(&self.plan.subvolume),
        })
    }
}

/// Restores.
///
/// # Errors
/// When something is in the way, an object is damaged, or what came back is not what was archived; nothing is put in
/// place then.
pub fn restore(job: &RestoreJob<'_>) -> Result<Restored, JobError> {
    let begin = clock::monotonic();
    let placing = job.placing().ok_or_else(|| JobError::Bug("a restore of no stream".to_owned()))?;
    let first = first_missing(job)?;
    placing.refuse_occupied(first == job.plan.streams.len())?;
    let mut restored = Restored {
        path: placing.place(),
        writable: None,
        streams: 0,
        reused: 0,
        fetched_bytes: ByteSize::ZERO,
        stream_bytes: ByteSize::ZERO,
        entries_compared: 0,
        not_compared: 0,
        seconds: 0.0,
    };
    restored.reused = first;
    for index in first..job.plan.streams.len() {
        receive_one(job, index, &mut restored)?;
        if let Some(before) = index.checked_sub(1) {
            // A parent is needed no longer than its child is being made.
            delete_leftover(job.destination, &staged_name(&job.plan.streams[before].name))?;
        }
    }
    put_in_place(job, &placing, &mut restored)?;
    restored.seconds = begin.elapsed().as_secs_f64();
    Ok(restored)
}

/// How many streams need not be received: the last one that an interrupted run proved, and all before it.
fn first_missing(job: &RestoreJob<'_>) -> Result<usize, JobError> {
    for (index, stream) in job.plan.streams.iter().enumerate().rev() {
        match Subvolume::open_in(job.destination, &staged_name(&stream.name)) {
            Ok(found) => {
                let info = found.info()?;
                if info.read_only && info.received_uuid.is_some() {
                    return Ok(index + 1);
                }
            }
            Err(e) if e.kind() == HostErrorKind::NotFound => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(0)
}

fn manifest<'a>(job: &'a RestoreJob<'_>, stream: &StreamName) -> Result<&'a Manifest, JobError> {
    let found = job.series.streams.get(stream).map(|p| &p.manifest);
    found.ok_or_else(|| JobError::Stale(format!("stream {stream}")))
}

fn staged_name(stream: &StreamName) -> OsString {
    OsString::from(format!("{STAGED}{stream}"))
}

fn part_name(stream: &StreamName) -> OsString {
    OsString::from(format!("{STAGED}{stream}.part"))
}

fn receive_one(job: &RestoreJob<'_>, index: usize, restored: &mut Restored) -> Result<(), JobError> {
    let name = &job.plan.streams[index].name;
    let staging = job.destination;
    let manifest = manifest(job, name)?;
    let part = part_name(name);
    delete_leftover(staging, &part)?;
    let before = index.checked_sub(1).and_then(|i| job.plan.streams.get(i));
    let parent = before.map(|stream| staging.join(staged_name(&stream.name))).into_iter().collect();
    let settings = ReceiveSettings {
        name: part.clone(),
        // Built on what this restore has proved, never on something else of the same identity.
        sources: Box::new(These(parent)),
        force_decompress: false,
        threads: RECEIVE_THREADS,
    };
    let mut receiver = Receiver::new(staging, settings).map_err(receive_failed(name))?;
    crash::point("restore-begun");
    let mut touched = content::touched_of(manifest);
    let what = format!("restore {} of {}", manifest.subvolume, manifest.snapshot.taken);
    let expected = manifest.chunks.iter().map(|c| c.bytes).sum();
    job.monitor.event(Event::Started { what, expected: Some(expected) });
    let fed = feed(job, manifest, &mut |command| {
        if let Some(touched) = &mut touched {
            touched.command(command);
        }
        receiver.command(command)
    });
    fed.map_err(|error| error.explain(name))?;
    let received = receiver.finish().map_err(receive_failed(name))?;
    received.subvolume.sync_filesystem()?;
    job.monitor.event(Event::Finished);
    crash::point("restore-received");
    compare(job, manifest, &received.subvolume, touched.as_ref(), restored)?;
    fs::rename(staging.join(&part), staging.join(staged_name(name)))
        .map_err(JobError::file("rename the received subvolume in", staging))?;
    received.subvolume.sync_filesystem()?;
    crash::point("restore-stream-checked");
    restored.streams += 1;
    restored.fetched_bytes += expected;
    restored.stream_bytes += manifest.send.bytes;
    Ok(())
}

/// Compares what was received with what was archived.
fn compare(
    job: &RestoreJob<'_>,
    manifest: &Manifest,
    received: &Subvolume,
    touched: Option<&subvault_sendstream::touched::Touched>,
    restored: &mut Restored,
) -> Result<(), JobError> {
    let Some(recorded) = &manifest.content else {
        restored.not_compared += 1;
        job.monitor.event(Event::Warning(format!(
            "{} was archived without a content digest, so its content could not be compared",
            manifest.stream
        )));
        return Ok(());
    };
    let touched = touched.filter(|_| recorded.scope == ContentScope::Changes);
    let mut found = content::record_of(received, touched, Labels::Counted)?;
    if !found.agrees_with(recorded) && identity::labels_files() {
        found = content::record_of(received, touched, Labels::LeftOut)?;
        if found.agrees_with(recorded) {
            job.monitor.event(Event::Warning(format!(
                "{} has no security labels, so this kernel gave its files some; all else is as it was archived",
                manifest.stream
            )));
        }
    }
    if !found.agrees_with(recorded) {
        let what = format!("the subvolume received from {}", manifest.stream);
        return Err(JobError::ContentDiffers { what });
    }
    restored.entries_compared += found.entries;
    Ok(())
}

/// Why a stream could not be brought in.
enum FeedError {
    Read(ReadError<std::convert::Infallible>),
    Stream(StreamError),
    Receive(ReceiveError),
}

impl FeedError {
    fn explain(self, stream: &StreamName) -> JobError {
        match self {
            Self::Read(ReadError::Archive(error)) => error.into(),
            Self::Read(ReadError::Sink(never)) => match never {},
            Self::Stream(error) => JobError::Archive(error.into()),
            Self::Receive(error) => receive_failed(stream)(error),
        }
    }
}

fn receive_failed(stream: &StreamName) -> impl Fn(ReceiveError) -> JobError {
    let stream = stream.to_string();
    move |source| JobError::Receive { stream: stream.clone(), source: Box::new(source) }
}

/// Fetches a stream, decodes it, and gives each command to `each`.
fn feed(
    job: &RestoreJob<'_>,
    manifest: &Manifest,
    each: &mut dyn FnMut(&Command<'_>) -> Result<(), ReceiveError>,
) -> Result<(), FeedError> {
    let read = ReadJob {
        store: job.store,
        layout: job.layout,
        manifest,
        identities: job.identities,
        lanes: job.lanes,
        monitor: job.monitor,
    };
    let mut decoder = Decoder::new();
    let result = read_stream(&read, &mut |portion: &[u8]| {
        decoder.push(portion, &mut |command: Command<'_>| each(&command)).map_err(|error| match error {
            PushError::Stream(error) => FeedError::Stream(error),
            PushError::Each(error) => FeedError::Receive(error),
        })
    });
    match result {
        Ok(()) => decoder.finish().map_err(FeedError::Stream),
        Err(ReadError::Sink(error)) => Err(error),
        Err(ReadError::Archive(error)) => Err(FeedError::Read(ReadError::Archive(error))),
    }
}

fn put_in_place(job: &RestoreJob<'_>, placing: &Placing<'_>, restored: &mut Restored) -> Result<(), JobError> {
    restored.writable = placing.make_writable()?;
    // Also of other streams than this plan's: an interrupted restore may have begun with what was newest then.
    let last = job.plan.streams.last().map(|last| &last.name);
    for stream in job.series.streams.keys().rev().filter(|stream| Some(*stream) != last) {
        delete_leftover(job.destination, &staged_name(stream))?;
        delete_leftover(job.destination, &part_name(stream))?;
    }
    crash::point("restore-cleaned");
    placing.put()
}
