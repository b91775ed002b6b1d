//! The content of a snapshot: read beside the kernel's send for the digest, and compared after a restore.
//!
//! For a full the whole tree is digested, by several threads that run ahead of the kernel: what they read is then in
//! the page cache, so that on a cold cache the digest is also the read-ahead. For an incremental, only what the stream
//! touches is digested, from the moment when its last command has passed, while the rest of it is still being stored.
//! Archive and restore derive that from the same commands.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Scope, ScopedJoinHandle};

use subvault_archive::manifest::{ContentRecord, ContentScope, Manifest};
use subvault_archive::write::CommandObserver;
use subvault_host::pace::Pace;
use subvault_host::prefetch::Prefetch;
use subvault_host::read_ahead::ReadAhead;
use subvault_host::subvolume::Subvolume;
use subvault_host::tree_digest::{self, Control, DigestSummary, Labels};
use subvault_host::{HostError, identity};
use subvault_model::bytesize::ByteSize;
use subvault_model::monitor::Silent;
use subvault_sendstream::command::Command;
use subvault_sendstream::touched::{Scope as TouchedScope, Touched};

use crate::error::JobError;
use crate::setup::ReadAheadChoice;

/// What remembering the touched paths may cost; beyond it the whole tree is digested. Part of the format: archive and
/// restore must come to the same decision.
const TOUCHED_BYTES_MAX: usize = 32 << 20;
/// How far the digest may run ahead of the kernel, at most. Less where memory is short.
const AHEAD_MAX: ByteSize = ByteSize::mib(2048);
/// Threads that read. They mostly wait for the disk.
pub(crate) const READERS: usize = 4;
/// Readers are told of progress in steps of so many bytes.
const TOLD_EVERY: u64 = 1 << 20;
/// Up to so many paths are read by one thread.
const FEW_PATHS: usize = 200;

/// What is to be done about the content while a snapshot is being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Nothing.
    Nothing,
    /// Only read ahead.
    ReadAhead,
    /// Digest the whole tree meanwhile.
    WholeTree,
    /// Note what the stream touches, and digest that afterwards.
    Changes,
}

/// What the threads of a watch share.
pub struct ContentWatch {
    mode: Mode,
    pace: Arc<Pace>,
    /// How much of what was changed is brought into the cache while the stream passes.
    prefetch_most: ByteSize,
    cancel: AtomicBool,
}

impl ContentWatch {
    /// Decides what is done: `full` says whether the stream is a full.
    #[must_use]
    pub fn new(full: bool, digest: bool, read_ahead: ReadAheadChoice) -> Self {
        let mode = match (full, digest, read_ahead) {
            (true, true, _) => Mode::WholeTree,
            (false, true, _) => Mode::Changes,
            (true, false, ReadAheadChoice::Auto) => Mode::ReadAhead,
            (_, false, _) => Mode::Nothing,
        };
        let ahead = ahead_most();
        let prefetch_most = if read_ahead == ReadAheadChoice::Auto { ahead } else { ByteSize::ZERO };
        Self { mode, pace: Arc::new(Pace::new(ahead)), prefetch_most, cancel: AtomicBool::new(false) }
    }

    /// Starts reading.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    pub fn start<'scope, 'env: 'scope>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        snapshot: &'env Subvolume,
    ) -> Result<Watching<'scope>, JobError> {
        Ok(match self.mode {
            Mode::Nothing | Mode::Changes => Watching::Nothing,
            Mode::ReadAhead => Watching::ReadAhead(ReadAhead::start(snapshot.path(), READERS, Arc::clone(&self.pace))?),
            Mode::WholeTree => Watching::Digest(scope.spawn(|| {
                let control =
                    Control { monitor: &Silent, cancel: &self.cancel, pace: Some(&self.pace), labels: Labels::Counted };
                tree_digest::whole_tree(snapshot, READERS, control)
            })),
        })
    }

    /// Listens to the commands.
    #[must_use]
    pub fn observer<'scope, 'env: 'scope>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        snapshot: &'env Subvolume,
    ) -> Observer<'scope, 'env> {
        let changes = self.mode == Mode::Changes;
        let touched = changes.then(|| Touched::new(TOUCHED_BYTES_MAX));
        let prefetch = changes.then(|| Prefetch::start(scope, snapshot, self.prefetch_most));
        let sent = Sent { bytes: 0, told: 0, pace: &self.pace };
        Observer { touched, prefetch, sent, digesting: None, scope, snapshot, cancel: &self.cancel }
    }

    /// Ends the readers: the stream has failed.
    pub fn give_up(&self) {
        self.cancel.store(true, Ordering::SeqCst);
        self.pace.release();
    }

    /// What is to be recorded of the content, now that the stream has passed.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    pub fn record(
        &self,
        watching: Watching<'_>,
        observer: Observer<'_, '_>,
    ) -> Result<Option<ContentRecord>, JobError> {
        self.pace.release();
        let died = |_| JobError::Bug("the digest's thread died".to_owned());
        match watching {
            Watching::Digest(thread) => {
                let summary = thread.join().map_err(died)?;
                Ok(Some(to_record(&summary?, ContentScope::Tree)))
            }
            Watching::ReadAhead(ahead) => {
                ahead.stop();
                Ok(None)
            }
            Watching::Nothing => observer.digesting.map(|thread| thread.join().map_err(died)?).transpose(),
        }
    }
}

/// How far may be read ahead now: half of what is free, so that what was read is still there when the kernel comes.
pub(crate) fn ahead_most() -> ByteSize {
    identity::memory_available().map_or(ByteSize::ZERO, |free| ByteSize::bytes(free.get() / 2)).min(AHEAD_MAX)
}

/// What reads while the stream passes.
pub enum Watching<'scope> {
    /// Nothing.
    Nothing,
    /// The read-ahead.
    ReadAhead(ReadAhead),
    /// The digest of the whole tree.
    Digest(ScopedJoinHandle<'scope, Result<DigestSummary, HostError>>),
}

/// Tells those who read ahead how far the kernel has come, in bytes of files: in the stream they may be compressed, or
/// be shared with other files.
struct Sent<'env> {
    bytes: u64,
    told: u64,
    pace: &'env Pace,
}

impl Sent<'_> {
    fn command(&mut self, command: &Command<'_>) {
        self.bytes += match *command {
            Command::Write { data, .. } => data.len() as u64,
            Command::EncodedWrite { unencoded_file_len, .. } => unencoded_file_len,
            Command::Clone { len, .. } => len,
            _ => 0,
        };
        if self.bytes - self.told >= TOLD_EVERY {
            self.told = self.bytes;
            self.pace.consumed(ByteSize::bytes(self.bytes));
        }
    }
}

/// Notes what a stream touches, and begins to digest that when the stream has ended.
pub struct Observer<'scope, 'env> {
    touched: Option<Touched>,
    prefetch: Option<Prefetch>,
    sent: Sent<'env>,
    digesting: Option<ScopedJoinHandle<'scope, Result<ContentRecord, JobError>>>,
    scope: &'scope Scope<'scope, 'env>,
    snapshot: &'env Subvolume,
    cancel: &'env AtomicBool,
}

impl CommandObserver for Observer<'_, '_> {
    fn command(&mut self, command: &Command<'_>) {
        if let Some(touched) = &mut self.touched {
            touched.command(command);
        }
        self.sent.command(command);
        if let (Some(prefetch), Some((path, range))) = (&mut self.prefetch, written_by(command)) {
            prefetch.written(path, range);
        }
        if matches!(command, Command::End)
            && let Some(touched) = self.touched.take()
        {
            if let Some(prefetch) = self.prefetch.take() {
                prefetch.finish();
            }
            let (snapshot, cancel) = (self.snapshot, self.cancel);
            self.digesting = Some(self.scope.spawn(move || digest(snapshot, Some(&touched), Labels::Counted, cancel)));
        }
    }
}

/// Which bytes of which file a command brings data for.
fn written_by<'a>(command: &Command<'a>) -> Option<(&'a [u8], Range<u64>)> {
    let (path, offset, length) = match *command {
        Command::Write { path, offset, data, .. } => (path, offset, data.len() as u64),
        Command::EncodedWrite { path, offset, unencoded_file_len, .. } => (path, offset, unencoded_file_len),
        _ => return None,
    };
    Some((path, offset..offset.saturating_add(length)))
}

/// A collector for restoring a stream, where its manifest has a digest of what it touches.
#[must_use]
pub fn touched_of(manifest: &Manifest) -> Option<Touched> {
    let changes = manifest.content.as_ref().is_some_and(|c| c.scope == ContentScope::Changes);
    changes.then(|| Touched::new(TOUCHED_BYTES_MAX))
}

/// The digest of what `touched` names, or of the whole tree.
///
/// # Errors
/// When the subvolume cannot be read.
pub fn record_of(subvolume: &Subvolume, touched: Option<&Touched>, labels: Labels) -> Result<ContentRecord, JobError> {
    digest(subvolume, touched, labels, &AtomicBool::new(false))
}

fn digest(
    subvolume: &Subvolume,
    touched: Option<&Touched>,
    labels: Labels,
    cancel: &AtomicBool,
) -> Result<ContentRecord, JobError> {
    let control = Control { monitor: &Silent, cancel, pace: None, labels };
    let (summary, scope) = match touched.map(Touched::scope) {
        Some(TouchedScope::Paths(paths)) => {
            // Beginning a thread takes longer than reading a few files.
            let threads = if paths.iter().nth(FEW_PATHS).is_some() { READERS } else { 1 };
            (tree_digest::touched(subvolume, paths, threads, control)?, ContentScope::Changes)
        }
        Some(TouchedScope::Everything) | None => {
            (tree_digest::whole_tree(subvolume, READERS, control)?, ContentScope::Tree)
        }
    };
    Ok(to_record(&summary, scope))
}

fn to_record(summary: &DigestSummary, scope: ContentScope) -> ContentRecord {
    ContentRecord { scope, digest: summary.digest.to_string(), entries: summary.entries, bytes: summary.bytes }
}
