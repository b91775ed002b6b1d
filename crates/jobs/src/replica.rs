//! Replicas: places on another Btrfs, of this machine or another one, that have copies of snapshots.
//!
//! Copies lie in `<directory>/<host>/<subvolume>/<snapshot>`, so that several hosts can share a disk. One that is being
//! received is called `.incoming.<snapshot>`: it gets its name when all of it is there, compared with what was announced,
//! and on disk. So a name says that a copy is whole, and what is half done is known by its name whatever ended the receive.

pub mod attach;
pub mod directory;
mod line;
mod message;
mod pump;
pub mod record;
pub mod remote;
pub mod serve;
mod wire;

use serde::{Deserialize, Serialize};
use subvault_host::pace::Pace;
use subvault_host::send::SendStream;
use subvault_host::subvolume::Subvolume;
use subvault_model::file::FileState;
use subvault_model::file_path::FilePath;
use subvault_model::ids::{ReceivedUuid, SnapshotUuid};
use subvault_model::monitor::Monitor;
use subvault_model::names::{SnapshotName, SubvolumeName};
use subvault_model::replica::{ReplicaCopy, UnfinishedCopy};

use crate::error::JobError;
pub use pump::Throttle;
pub(crate) use pump::{Intake, as_stored, send_whole};

/// How the names of what is being received begin.
pub const INCOMING: &str = ".incoming.";

/// What a replica has of one subvolume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The copies.
    pub copies: Vec<ReplicaCopy>,
    /// What interrupted receives left.
    pub unfinished: Vec<UnfinishedCopy>,
}

/// A copy that a stream builds on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopySource {
    /// Of which subvolume.
    pub subvolume: SubvolumeName,
    /// What it is called.
    pub name: SnapshotName,
    /// Its identity there.
    pub uuid: SnapshotUuid,
}

/// What is to be received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Of which subvolume.
    pub subvolume: SubvolumeName,
    /// What it will be called.
    pub name: SnapshotName,
    /// What the stream must say that it is of.
    pub origin: ReceivedUuid,
    /// What it builds on, the parent first.
    pub sources: Vec<CopySource>,
}

/// What is to come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extract {
    /// Out of which copy.
    pub copy: CopySource,
    /// Only what is at this path in it; `None`: all.
    pub path: Option<FilePath>,
    /// Another copy, of which the one who asks has the original: only the difference to it is sent.
    pub parent: Option<CopySource>,
}

/// A copy, and what it has at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// The copy.
    pub copy: ReplicaCopy,
    /// What is there.
    pub state: Option<FileState>,
}

/// Takes a stream, piece by piece.
pub type Sink<'a> = dyn FnMut(&[u8]) -> Result<(), JobError> + 'a;

/// A stream on its way, and who watches it.
pub struct Delivery<'a> {
    /// The stream.
    pub stream: SendStream,
    /// Who is told how far it is: what is read ahead of it waits for it.
    pub pace: &'a Pace,
    /// At most so fast.
    pub throttle: Throttle,
    /// Who listens.
    pub monitor: &'a dyn Monitor,
}

/// A place that has copies.
pub trait Replica: Send {
    /// What is there of a subvolume.
    ///
    /// # Errors
    /// When it cannot be told.
    fn look(&mut self, subvolume: &SubvolumeName) -> Result<Inventory, JobError>;

    /// The copies of a subvolume that nothing has changed, and what each has at a path.
    ///
    /// # Errors
    /// When it cannot be told.
    fn look_inside(&mut self, subvolume: &SubvolumeName, path: &FilePath) -> Result<Vec<Holding>, JobError>;

    /// Opens a copy; `None` if it is on another machine.
    ///
    /// # Errors
    /// When it is another one by now, or was changed.
    fn open(&self, copy: &CopySource) -> Result<Option<Subvolume>, JobError>;

    /// Sends something back.
    ///
    /// # Errors
    /// When it could not be done, or the sink does not want more; what came until then is of no use.
    fn send(&mut self, wanted: &Extract, sink: &mut Sink<'_>) -> Result<(), JobError>;

    /// Receives a copy: its identity, and the bytes that it took.
    ///
    /// # Errors
    /// When it could not be done. What was half done is gone again, or is found as unfinished.
    fn receive(&mut self, order: &Order, delivery: Delivery<'_>) -> Result<(SnapshotUuid, u64), JobError>;

    /// Removes what an interrupted receive left.
    ///
    /// # Errors
    /// When it is something else, or could not be done.
    fn remove_unfinished(
        &mut self,
        subvolume: &SubvolumeName,
        name: &SnapshotName,
        uuid: SnapshotUuid,
    ) -> Result<(), JobError>;

    /// Deletes a copy.
    ///
    /// # Errors
    /// When it is another one, or could not be done.
    fn delete(&mut self, subvolume: &SubvolumeName, name: &SnapshotName, uuid: SnapshotUuid) -> Result<(), JobError>;
}
