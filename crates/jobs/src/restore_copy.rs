//! Restore of a whole subvolume out of a snapshot on the pool, or a copy on a disk or another machine.
//!
//! On the same pool it is a snapshot of the snapshot, made at once; from elsewhere it is sent and received. It is called
//! `.subvault-restore.<snapshot>` until it is in its place, and is marked as received only when all of it is on disk: so an
//! interrupted restore that had received everything goes on from there, and what is half done is removed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use subvault_host::pool::Pool;
use subvault_host::subvolume::{Subvolume, SubvolumeInfo};
use subvault_host::{HostErrorKind, clock, snapshot};
use subvault_model::bytesize::ByteSize;
use subvault_model::crash;
use subvault_model::ids::ReceivedUuid;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{SnapshotName, SubvolumeName, TargetName};
use subvault_plan::observed::ObservedReplica;
use subvault_plan::replica::common;

use crate::error::JobError;
use crate::placing::{Placing, delete_leftover};
use crate::replica::attach::Attached;
use crate::replica::{CopySource, Extract, Intake, Inventory};
use crate::replicate::origin;
use crate::restore::{Form, RECEIVE_THREADS, STAGED};
use crate::setup::SubvolumeSetup;

/// Where it comes from.
pub enum Origin<'a> {
    /// A read-only subvolume on a pool of this machine.
    Here(Subvolume),
    /// A copy on another machine.
    There {
        /// The machine.
        replica: &'a Mutex<Attached>,
        /// The copy.
        copy: CopySource,
        /// What it was received from.
        received: ReceivedUuid,
        /// A copy there whose original is at this path here, to send only the difference to; it must be on the pool of the
        /// destination.
        parent: Option<(CopySource, PathBuf)>,
    },
}

/// A restore.
pub struct CopyRestore<'a> {
    /// From where.
    pub origin: Origin<'a>,
    /// Of which subvolume.
    pub subvolume: &'a SubvolumeName,
    /// What the snapshot is called.
    pub name: &'a SnapshotName,
    /// Into which directory of a Btrfs filesystem.
    pub destination: &'a Path,
    /// What is put there.
    pub form: Form,
    /// Who listens.
    pub monitor: &'a dyn Monitor,
}

/// A subvolume that is back.
#[derive(Debug, Clone, Serialize)]
pub struct RestoredCopy {
    /// The read-only one.
    pub path: PathBuf,
    /// The writable snapshot of it, if one was asked for.
    pub writable: Option<PathBuf>,
    /// Whether all its data is shared with where it came from.
    pub shared: bool,
    /// Bytes that were received.
    pub stream_bytes: ByteSize,
    /// How long it took.
    pub seconds: f64,
}

impl CopyRestore<'_> {
    /// What a stream of it says that it is of.
    fn identity(&self) -> Result<ReceivedUuid, JobError> {
        match &self.origin {
            Origin::Here(snapshot) => origin(snapshot),
            Origin::There { received, .. } => Ok(*received),
        }
    }
}

/// A copy beside the wanted one whose original is on the pool of the destination, so that only the difference has to come.
///
/// # Errors
/// When one side cannot be looked at.
pub fn parent_for(
    setup: &SubvolumeSetup,
    (target, replica): (&TargetName, &Mutex<Attached>),
    (wanted, received): (&CopySource, ReceivedUuid),
    destination: &Path,
) -> Result<Option<(CopySource, PathBuf)>, JobError> {
    if Pool::containing(destination)?.uuid() != Pool::containing(&setup.path)?.uuid() {
        return Ok(None);
    }
    let Inventory { copies, unfinished } =
        replica.lock().unwrap_or_else(PoisonError::into_inner).replica.look(&wanted.subvolume)?;
    let there = ObservedReplica { name: target.clone(), copies, unfinished };
    let snapshots = crate::snapshot::existing(setup)?;
    let pairs = common(&snapshots, &there);
    let usable = pairs.into_iter().find(|(_, copy)| copy.uuid != wanted.uuid && copy.received != Some(received));
    Ok(usable.map(|(local, copy)| {
        let source = CopySource { subvolume: wanted.subvolume.clone(), name: copy.name.clone(), uuid: copy.uuid };
        (source, setup.snapshots.join(local.name.to_string()))
    }))
}

/// Restores.
///
/// # Errors
/// When something is in the way, or it could not all be received; nothing is put in place then.
pub fn restore_copy(job: &CopyRestore<'_>) -> Result<RestoredCopy, JobError> {
    let begin = clock::monotonic();
    let staged = OsString::from(format!("{STAGED}{}", job.name));
    let placing = Placing {
        destination: job.destination,
        staged: staged.clone(),
        name: job.name,
        writable: (job.form == Form::WithWritableCopy).then_some(job.subvolume),
    };
    let identity = job.identity()?;
    let is_whole = is_whole(job, &staged, identity)?;
    placing.refuse_occupied(is_whole)?;
    let is_shared = is_shared(job)?;
    let mut stream_bytes = ByteSize::ZERO;
    if !is_whole {
        delete_leftover(job.destination, &staged)?;
        stream_bytes = bring(job, &staged, identity, is_shared)?;
    }
    crash::point("return-staged");
    let writable = placing.make_writable()?;
    placing.put()?;
    let seconds = begin.elapsed().as_secs_f64();
    Ok(RestoredCopy { path: placing.place(), writable, shared: is_shared, stream_bytes, seconds })
}

/// Whether an interrupted restore had brought all of it.
fn is_whole(job: &CopyRestore<'_>, staged: &OsString, identity: ReceivedUuid) -> Result<bool, JobError> {
    match Subvolume::open_in(job.destination, staged) {
        Ok(found) => Ok(is_of(&found.info()?, identity)),
        Err(e) if e.kind() == HostErrorKind::NotFound => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Whether a subvolume is what is wanted, received or as a snapshot of the snapshot.
fn is_of(info: &SubvolumeInfo, identity: ReceivedUuid) -> bool {
    let wanted = identity.as_bytes();
    let is_received = info.received_uuid.is_some_and(|received| received.as_bytes() == wanted);
    info.read_only && (is_received || info.parent_uuid.is_some_and(|parent| parent.as_bytes() == wanted))
}

fn is_shared(job: &CopyRestore<'_>) -> Result<bool, JobError> {
    match &job.origin {
        Origin::Here(snapshot) => Ok(snapshot.pool()?.uuid() == Pool::containing(job.destination)?.uuid()),
        Origin::There { .. } => Ok(false),
    }
}

/// Makes the staged subvolume; how much was received for it.
fn bring(
    job: &CopyRestore<'_>,
    staged: &OsString,
    identity: ReceivedUuid,
    is_shared: bool,
) -> Result<ByteSize, JobError> {
    let (extract, parents) = match &job.origin {
        Origin::Here(source) if is_shared => {
            let (taken, _) = snapshot::take(source, job.destination, staged)?;
            taken.sync_filesystem()?;
            return Ok(ByteSize::ZERO);
        }
        Origin::Here(_) => (None, Vec::new()),
        Origin::There { copy, parent, .. } => {
            let (there, here) = parent.clone().unzip();
            let extract = Extract { copy: copy.clone(), path: None, parent: there };
            (Some(extract), here.into_iter().collect())
        }
    };
    let mut intake = Intake::begin(job.destination, staged.clone(), parents, RECEIVE_THREADS, job.name.to_string())?;
    let mut bytes = ByteSize::ZERO;
    let what = format!("restore {} of {}", job.subvolume, job.name.taken());
    job.monitor.event(Event::Started { what, expected: None });
    let mut sink = |piece: &[u8]| {
        intake.push(piece)?;
        let length = ByteSize::bytes(piece.len() as u64);
        bytes += length;
        job.monitor.event(Event::Progress(length));
        crash::point("return-fed");
        Ok(())
    };
    let sent = match (&job.origin, &extract) {
        (Origin::There { replica, .. }, Some(extract)) => {
            let mut attached = replica.lock().unwrap_or_else(PoisonError::into_inner);
            attached.replica.send(extract, &mut sink)
        }
        (Origin::Here(source), _) => crate::replica::send_whole(source, None, &mut sink),
        (Origin::There { .. }, None) => Err(JobError::Bug("nothing to ask for".to_owned())),
    };
    let received = sent.and_then(|()| intake.end()?.finish_on_disk().map_err(|e| failed(job, e)));
    job.monitor.event(Event::Finished);
    let received = received.inspect_err(|_| {
        // Half of it is of no use to a rerun, and may be what fills the pool. A leftover is found again.
        let _ = delete_leftover(job.destination, staged);
    })?;
    if received.received_uuid != identity {
        delete_leftover(job.destination, staged)?;
        let what = format!("what was sent is of {} and not of {}", received.received_uuid, identity);
        return Err(JobError::Unfaithful { what });
    }
    Ok(bytes)
}

fn failed(job: &CopyRestore<'_>, source: subvault_host::receive::ReceiveError) -> JobError {
    JobError::Receive { stream: job.name.to_string(), source: Box::new(source) }
}
