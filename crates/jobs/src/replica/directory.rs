//! A replica in a directory of this machine. What runs at the other end of an SSH connection is this too.
//!
//! Whatever is asked, it must never touch anything outside of its directory: names are of types that hold neither slashes
//! nor dots in front, and subvolumes are opened without following links.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use subvault_host::copy::{Below, stream_path};
use subvault_host::lock::{LockError, RunLock};
use subvault_host::pool::Pool;
use subvault_host::receive::ReceiveError;
use subvault_host::subvolume::{Subvolume, SubvolumeInfo};
use subvault_host::{HostErrorKind, clock, identity};
use subvault_model::bytesize::ByteSize;
use subvault_model::crash;
use subvault_model::file_path::FilePath;
use subvault_model::ids::{PoolUuid, SnapshotUuid};
use subvault_model::monitor::Event;
use subvault_model::names::{HostName, SnapshotName, SubvolumeName};
use subvault_model::replica::{ReplicaCopy, UnfinishedCopy};

use super::pump::{Intake, PIECE, next_piece, send_whole};
use super::{CopySource, Delivery, Extract, Holding, INCOMING, Inventory, Order, Replica, Sink};
use crate::audit::make_directory;
use crate::error::JobError;

/// The file that is locked while somebody works in a host's directory.
const LOCK: &str = ".subvault.lock";
/// How long it is waited for, and how often it is tried.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// Threads that write files while the stream is read, at most.
const THREADS_MAX: usize = 4;

/// The copies of one host in a directory.
pub struct DirectoryReplica {
    /// `<directory>/<host>`.
    top: PathBuf,
    pool: PoolUuid,
    /// Nobody else works here meanwhile. `None` where nothing is changed.
    _lock: Option<RunLock>,
}

/// Whether anything is to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The host's directory is made if need be, and locked.
    Change,
    /// Only looks.
    Look,
}

impl DirectoryReplica {
    /// Opens the copies of a host in a directory, which must be there and on Btrfs.
    ///
    /// # Errors
    /// When it is not, or when another run works there.
    pub fn open(directory: &Path, host: &HostName, access: Access, command: &str) -> Result<Self, JobError> {
        Self::open_on(Pool::containing(directory)?.uuid(), directory, host, access, command)
    }

    /// The same where the pool is known. Nothing is there as long as the directory is not.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_on(
        pool: PoolUuid,
        directory: &Path,
        host: &HostName,
        access: Access,
        command: &str,
    ) -> Result<Self, JobError> {
        let top = directory.join(host.as_str());
        let lock = match access {
            Access::Look => None,
            Access::Change => {
                make_directory(&top)?;
                Some(lock(&top.join(LOCK), command)?)
            }
        };
        Ok(Self { top, pool, _lock: lock })
    }

    /// The identity of the pool that it is on.
    pub(super) fn pool(&self) -> PoolUuid {
        self.pool
    }

    fn directory(&self, subvolume: &SubvolumeName) -> PathBuf {
        self.top.join(subvolume.as_str())
    }

    /// Opens a copy and makes sure that it is the very one that was meant, and intact.
    ///
    /// # Errors
    /// When it is another one, or was changed.
    fn open_copy(&self, source: &CopySource) -> Result<Subvolume, JobError> {
        let CopySource { subvolume, name, uuid } = source;
        let opened = Subvolume::open_in(&self.directory(subvolume), OsStr::new(&name.to_string()))?;
        let info = opened.info()?;
        if info.identity()? != *uuid || !is_intact(&info) {
            return Err(JobError::Stale(format!("the copy {name}")));
        }
        Ok(opened)
    }

    /// Begins to receive.
    pub(super) fn begin(&self, order: &Order) -> Result<Incoming, JobError> {
        let directory = self.directory(&order.subvolume);
        make_directory(&directory)?;
        let place = directory.join(order.name.to_string());
        if place.symlink_metadata().is_ok() {
            return Err(JobError::Refused {
                what: format!("{} exists already", place.display()),
                hint: "move it away if it is no copy of subvault's".to_owned(),
            });
        }
        let mut sources = Vec::new();
        for source in &order.sources {
            sources.push(self.open_copy(source)?.path().to_owned());
        }
        let threads = identity::cpus().get().min(THREADS_MAX);
        let intake = Intake::begin(&directory, staged(&order.name), sources, threads, order.name.to_string())?;
        crash::point("copy-begun");
        Ok(Incoming { directory, order: order.clone(), intake: Some(intake) })
    }
}

/// What a stream of one path says that it is of: nothing that anybody else could take for the whole.
fn part_identity(copy: SnapshotUuid, path: &FilePath) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key("subvault: a path of a snapshot");
    hasher.update(copy.as_bytes()).update(path.as_bytes());
    let mut identity = [0; 16];
    hasher.finalize_xof().fill(&mut identity);
    identity
}

/// A copy that is being received. Dropped before its end, what is there of it is removed.
pub(super) struct Incoming {
    directory: PathBuf,
    order: Order,
    intake: Option<Intake>,
}

impl Incoming {
    /// Applies the next piece of the stream.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), JobError> {
        match &mut self.intake {
            Some(intake) => intake.push(piece),
            None => Err(JobError::Bug("something follows the end of a copy".to_owned())),
        }
    }

    /// The stream was whole: gives the copy its name, after everything is on disk.
    pub(super) fn finish(mut self) -> Result<SnapshotUuid, JobError> {
        let name = self.order.name.clone();
        let intake = self.intake.take().ok_or_else(|| JobError::Bug("a copy ended twice".to_owned()))?;
        let finished = intake.end().and_then(|receiver| receiver.finish_on_disk().map_err(|e| failed(&name, e)));
        let placed = finished.and_then(|received| {
            if received.received_uuid != self.order.origin {
                let what = format!("the stream is of {} and not of {}", received.received_uuid, self.order.origin);
                return Err(JobError::Unfaithful { what });
            }
            crash::point("copy-received");
            let (from, to) = (self.directory.join(staged(&name)), self.directory.join(name.to_string()));
            fs::rename(&from, &to).map_err(JobError::file("give its name to", &from))?;
            // What is told to be there must be there after a power cut too: the parent may go now.
            received.subvolume.sync_filesystem()?;
            crash::point("copy-placed");
            Ok(received.uuid)
        });
        if placed.is_err() {
            self.give_up();
        }
        placed
    }

    /// Removes what is there of it. Where that cannot be done, the next run finds it.
    fn give_up(&mut self) {
        self.intake = None;
        let name = staged(&self.order.name);
        let found = Subvolume::open_in(&self.directory, &name).and_then(|found| found.info()?.identity());
        if let Ok(found) = found {
            let _ = Subvolume::delete(&self.directory, &name, found);
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.intake.is_some() {
            self.give_up();
        }
    }
}

impl Replica for DirectoryReplica {
    fn look(&mut self, subvolume: &SubvolumeName) -> Result<Inventory, JobError> {
        let directory = self.directory(subvolume);
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Inventory::default()),
            Err(e) => return Err(JobError::file("read the directory of copies", &directory)(e)),
        };
        let mut found = Inventory::default();
        for entry in entries {
            let entry = entry.map_err(JobError::file("read the directory of copies", &directory))?;
            let file_name = entry.file_name();
            // Our names are plain text; whatever is not is somebody else's.
            let Some(text) = file_name.to_str() else { continue };
            let (text, staged) = text.strip_prefix(INCOMING).map_or((text, false), |rest| (rest, true));
            let Ok(name) = text.parse::<SnapshotName>() else { continue };
            if name.subvolume() != subvolume {
                continue;
            }
            match Subvolume::open_in(&directory, &file_name).and_then(|opened| opened.info()) {
                Ok(info) if staged => {
                    found.unfinished.push(UnfinishedCopy { name, uuid: info.identity()? });
                }
                Ok(info) => found.copies.push(describe(name, &info)?),
                Err(e) if matches!(e.kind(), HostErrorKind::NotASubvolume | HostErrorKind::NotFound) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(found)
    }

    fn look_inside(&mut self, subvolume: &SubvolumeName, path: &FilePath) -> Result<Vec<Holding>, JobError> {
        let mut found = Vec::new();
        for copy in self.look(subvolume)?.copies.into_iter().filter(|copy| copy.intact) {
            let source = CopySource { subvolume: subvolume.clone(), name: copy.name.clone(), uuid: copy.uuid };
            let state = Below::of(&self.open_copy(&source)?)?.look(path.as_path())?;
            found.push(Holding { copy, state });
        }
        Ok(found)
    }

    fn open(&self, copy: &CopySource) -> Result<Option<Subvolume>, JobError> {
        self.open_copy(copy).map(Some)
    }

    fn send(&mut self, wanted: &Extract, sink: &mut Sink<'_>) -> Result<(), JobError> {
        let copy = self.open_copy(&wanted.copy)?;
        if let Some(path) = &wanted.path {
            return stream_path(&Below::of(&copy)?, path.as_path(), part_identity(wanted.copy.uuid, path), sink);
        }
        let parent = wanted.parent.as_ref().map(|parent| self.open_copy(parent)).transpose()?;
        send_whole(&copy, parent.as_ref(), sink)
    }

    fn receive(&mut self, order: &Order, mut delivery: Delivery<'_>) -> Result<(SnapshotUuid, u64), JobError> {
        let mut incoming = self.begin(order)?;
        let mut block = vec![0; PIECE];
        let mut bytes = 0;
        let fed = loop {
            let piece = match next_piece(&mut delivery.stream, &mut block) {
                Ok([]) => break Ok(()),
                Ok(piece) => piece,
                Err(error) => break Err(JobError::file("send", order.name.to_string())(error)),
            };
            delivery.throttle.wait(piece.len());
            if let Err(error) = incoming.push(piece) {
                break Err(error);
            }
            bytes += piece.len() as u64;
            delivery.pace.consumed(ByteSize::bytes(bytes));
            delivery.monitor.event(Event::Progress(ByteSize::bytes(piece.len() as u64)));
            crash::point("copy-fed");
        };
        match (fed, delivery.stream.finish()) {
            (Ok(()), Ok(())) => Ok((incoming.finish()?, bytes)),
            // The kernel's word counts: a stream that it broke off is cut short for us.
            (Ok(()) | Err(JobError::File { .. }), Err(kernel)) => Err(kernel.into()),
            (Err(error), _) => Err(error),
        }
    }

    fn remove_unfinished(
        &mut self,
        subvolume: &SubvolumeName,
        name: &SnapshotName,
        uuid: SnapshotUuid,
    ) -> Result<(), JobError> {
        Subvolume::delete(&self.directory(subvolume), &staged(name), uuid)?;
        crash::point("copy-removed");
        Ok(())
    }

    fn delete(&mut self, subvolume: &SubvolumeName, name: &SnapshotName, uuid: SnapshotUuid) -> Result<(), JobError> {
        // It may have been changed since the plan was made.
        self.open_copy(&CopySource { subvolume: subvolume.clone(), name: name.clone(), uuid })?;
        Subvolume::delete(&self.directory(subvolume), OsStr::new(&name.to_string()), uuid)?;
        crash::point("copy-deleted");
        Ok(())
    }
}

/// Takes the lock. Whoever serves a machine that has died holds it until he has noticed, and removed what is half done.
fn lock(path: &Path, command: &str) -> Result<RunLock, JobError> {
    let deadline = clock::monotonic() + LOCK_PATIENCE;
    loop {
        match RunLock::acquire(path, command) {
            Err(LockError::Held { .. }) if clock::monotonic() < deadline => std::thread::sleep(LOCK_PAUSE),
            other => return other.map_err(|error| JobError::InUse { source: Box::new(error) }),
        }
    }
}

fn staged(name: &SnapshotName) -> OsString {
    OsString::from(format!("{INCOMING}{name}"))
}

fn failed(name: &SnapshotName, source: ReceiveError) -> JobError {
    JobError::Receive { stream: name.to_string(), source: Box::new(source) }
}

/// Read-only, received, and not written to since: even a tool that made it writable and kept its origin is found out.
fn is_intact(info: &SubvolumeInfo) -> bool {
    info.read_only && info.received_uuid.is_some() && info.ctransid <= info.rtransid
}

fn describe(name: SnapshotName, info: &SubvolumeInfo) -> Result<ReplicaCopy, JobError> {
    Ok(ReplicaCopy {
        name,
        uuid: info.identity()?,
        received: info.received_uuid,
        sent: info.stransid,
        intact: is_intact(info),
    })
}
