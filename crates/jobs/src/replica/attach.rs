//! Brings a replica within reach: finds its directory, mounts its disk, connects to its host; and undoes that.

use std::path::{Path, PathBuf};

use subvault_host::attach::{AttachedPool, Encrypted};
use subvault_host::pool::Pool;
use subvault_host::{HostError, HostErrorKind};
use subvault_model::ids::PoolUuid;
use subvault_model::names::TargetName;

use super::directory::{Access, DirectoryReplica};
use super::remote::{RemoteReplica, SshSettings};
use super::{Replica, record};
use crate::audit::make_directory;
use crate::error::JobError;
use crate::setup::{Setup, SubvolumeSetup};

/// Where disks are mounted.
const MOUNTS: &str = "/run/subvault/pools";

/// Where copies are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplicaPlace {
    /// A directory that somebody else has mounted.
    Directory(PathBuf),
    /// A directory, from the top level, of a pool that is mounted for the time of the run.
    Disk {
        /// The pool.
        uuid: PoolUuid,
        /// From its top level.
        directory: PathBuf,
        /// What is opened first.
        luks: Option<Encrypted>,
    },
    /// A directory of another machine.
    Host {
        /// How it is reached.
        ssh: Box<SshSettings>,
        /// The directory there.
        directory: PathBuf,
    },
}

impl ReplicaPlace {
    /// Whether it is on another machine.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Host { .. })
    }
}

/// A replica within reach.
pub struct Attached {
    /// What acts there.
    pub replica: Box<dyn Replica>,
    /// What is undone after that: last, as the fields are dropped in this order.
    _disk: Option<AttachedPool>,
}

/// Brings a replica within reach.
///
/// # Errors
/// `Away` where its disk is not here; others as they come.
pub fn attach(setup: &Setup, target: &TargetName, place: &ReplicaPlace, access: Access) -> Result<Attached, JobError> {
    let host = &setup.host.name;
    let attached = match place {
        ReplicaPlace::Directory(directory) => {
            let pool = Pool::containing(directory).map_err(|error| away(target, error))?.uuid();
            not_a_source(setup, target, pool)?;
            record::claim(&setup.state, target, pool, access == Access::Change)?;
            let replica = DirectoryReplica::open(directory, host, access, "subvault replicate")?;
            Attached { replica: Box::new(replica), _disk: None }
        }
        ReplicaPlace::Disk { uuid, directory, luks } => {
            if let Some(source) = source_on(setup, *uuid) {
                return Err(JobError::Refused {
                    what: format!("{target} names the pool that {} itself is on", source.name),
                    hint: "write the uuid of another disk; a copy on the same pool would be lost together with the original"
                        .to_owned(),
                });
            }
            // Two targets may be on one pool.
            let point = Path::new(MOUNTS).join(format!("{uuid}.{target}"));
            let disk = AttachedPool::attach(*uuid, luks.as_ref(), &point).map_err(|error| away(target, error))?;
            let directory = point.join(directory);
            if access == Access::Change {
                make_directory(&directory)?;
            }
            let replica = DirectoryReplica::open_on(*uuid, &directory, host, access, "subvault replicate")?;
            Attached { replica: Box::new(replica), _disk: Some(disk) }
        }
        ReplicaPlace::Host { ssh, directory } => {
            let (replica, pool) = RemoteReplica::connect(ssh, directory, host, access == Access::Change)?;
            record::claim(&setup.state, target, pool, access == Access::Change)?;
            Attached { replica: Box::new(replica), _disk: None }
        }
    };
    Ok(attached)
}

fn away(target: &TargetName, error: HostError) -> JobError {
    match error.kind() {
        HostErrorKind::NotFound | HostErrorKind::NotBtrfs => JobError::Away {
            what: format!("{target} is not here: {error}"),
            hint: "plug its disk in, or mount it".to_owned(),
        },
        _ => error.into(),
    }
}

/// A copy on the pool of its original is lost with it; and that is what a mount point is without its disk.
fn not_a_source(setup: &Setup, target: &TargetName, pool: PoolUuid) -> Result<(), JobError> {
    match source_on(setup, pool) {
        None => Ok(()),
        Some(subvolume) => Err(JobError::Away {
            what: format!("{target} is on the same pool as {}, so its disk is not mounted there", subvolume.name),
            hint: "mount its disk; a copy on the same pool would be lost together with the original".to_owned(),
        }),
    }
}

/// A subvolume on this pool that is copied.
fn source_on(setup: &Setup, pool: PoolUuid) -> Option<&SubvolumeSetup> {
    let is_source = |path: &PathBuf| Pool::containing(path).is_ok_and(|source| source.uuid() == pool);
    setup.subvolumes.iter().find(|subvolume| is_source(&subvolume.path))
}
