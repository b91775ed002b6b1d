//! Looks for the versions of a path or of a whole subvolume: in snapshots on the pool, whoever took them, in copies on
//! disks and other machines, and in archives.
//!
//! It only looks.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Mutex;

use subvault_archive::inventory::Series;
use subvault_host::HostErrorKind;
use subvault_host::copy::Below;
use subvault_host::mounts::Mounts;
use subvault_host::subvolume::{ListedSubvolume, Subvolume};
use subvault_model::file::shown;
use subvault_model::file_path::FilePath;
use subvault_model::ids::{ReceivedUuid, SnapshotUuid};
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{SubvolumeName, TargetName};
use subvault_model::note::Remade;
use subvault_model::subvolume::LocalSnapshot;
use subvault_plan::restore::{self, RestorePlan};
use subvault_plan::versions::{Holds, PlaceKind, Relation, Version, snapshots_of};

use crate::bring_back::is_kept_state;
use crate::driver::chain;
use crate::error::JobError;
use crate::replica::attach::attach;
use crate::replica::directory::Access;
use crate::replica::{CopySource, Holding};
use crate::replicate::{Reached, each_replica};
use crate::setup::{ReplicaSetup, Setup, SubvolumeSetup};
use crate::snapshot;

/// A version and how to get at it.
#[derive(Debug)]
pub struct Found {
    /// What is decided on.
    pub version: Version,
    /// Where it is.
    pub reach: Reach,
}

/// How to get at a version.
#[derive(Debug)]
pub enum Reach {
    /// A snapshot on the pool, open.
    Snapshot {
        /// The snapshot.
        subvolume: Subvolume,
        /// Its identity.
        uuid: SnapshotUuid,
    },
    /// A copy on a disk or another machine.
    Copy {
        /// Where it is.
        target: TargetName,
        /// Which.
        copy: CopySource,
        /// What it was received from.
        received: ReceivedUuid,
    },
    /// Streams to be received first.
    Archive {
        /// Where they are.
        target: TargetName,
        /// Which.
        plan: RestorePlan,
    },
}

impl Reach {
    /// The identity of the snapshot, where it is on the pool.
    #[must_use]
    pub fn local(&self) -> Option<SnapshotUuid> {
        match self {
            Self::Snapshot { uuid, .. } => Some(*uuid),
            Self::Copy { .. } | Self::Archive { .. } => None,
        }
    }
}

/// The versions of the path `inside` a subvolume in all its snapshots on the pool, and how many snapshots there are that no
/// mount shows.
///
/// # Errors
/// When the subvolume is not there, or the kernel does not list the pool.
pub fn local(setup: &SubvolumeSetup, inside: &Path) -> Result<(Vec<Found>, usize), JobError> {
    let live = Subvolume::open(&setup.path)?;
    let pool = live.pool()?;
    let all = pool.subvolumes()?;
    let ours: BTreeMap<SnapshotUuid, LocalSnapshot> =
        snapshot::existing(setup)?.into_iter().filter(|s| s.read_only).map(|s| (s.uuid, s)).collect();
    // What was replaced is gone, and is still what the subvolume came from.
    let remade = ours.values().filter_map(|ours| ours.note.remade.as_ref());
    let gone = remade.flat_map(Remade::gone);
    let gone = gone.map(|(uuid, parent)| Relation { uuid, parent: Some(parent), read_only: false });
    let relations: Vec<Relation> = all.iter().filter_map(relation).chain(gone).collect();
    let related = snapshots_of(live.info()?.identity()?, &relations);
    let mounts = Mounts::read()?;
    let (mut found, mut unseen) = (Vec::new(), 0);
    for listed in &all {
        let Some(uuid) = listed.info.uuid.filter(|uuid| related.contains(uuid) || ours.contains_key(uuid)) else {
            continue;
        };
        match pool.reach_listed(listed, &mounts)? {
            Some(subvolume) => found.extend(look(subvolume, uuid, ours.get(&uuid), listed, inside)?),
            None => unseen += 1,
        }
    }
    Ok((found, unseen))
}

fn relation(listed: &ListedSubvolume) -> Option<Relation> {
    let info = &listed.info;
    Some(Relation { uuid: info.uuid?, parent: info.parent_uuid, read_only: info.read_only })
}

/// What one snapshot holds; `None` if it has gone meanwhile.
fn look(
    subvolume: Subvolume,
    uuid: SnapshotUuid,
    ours: Option<&LocalSnapshot>,
    listed: &ListedSubvolume,
    inside: &Path,
) -> Result<Option<Found>, JobError> {
    let state = match Below::of(&subvolume)?.look(inside) {
        Ok(state) => state,
        Err(error) if error.kind() == HostErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let holds = state.map_or(Holds::Nothing, Holds::This);
    let name = ours.map_or_else(|| shown(subvolume.path()), |ours| ours.name.to_string());
    let by_name_only = ours.is_some_and(is_kept_state);
    let taken = ours.map_or(listed.info.created, |ours| ours.name.taken());
    let version = Version { place: PlaceKind::Local, name, taken, holds, by_name_only };
    Ok(Some(Found { version, reach: Reach::Snapshot { subvolume, uuid } }))
}

/// Opens one snapshot by its path, such as one that another tool took, and looks there.
///
/// # Errors
/// When there is none, or it can be written to: what comes from it could change meanwhile.
pub fn at_path(path: &Path, inside: &Path) -> Result<Found, JobError> {
    let subvolume = Subvolume::open(path)?;
    let info = subvolume.info()?;
    if !info.read_only {
        return Err(JobError::Refused {
            what: format!("{} is not read-only", path.display()),
            hint: "take a read-only snapshot of it, or copy with `cp -a --reflink`".to_owned(),
        });
    }
    let holds = Below::of(&subvolume)?.look(inside)?.map_or(Holds::Nothing, Holds::This);
    let version =
        Version { place: PlaceKind::Local, name: shown(path), taken: info.created, holds, by_name_only: false };
    Ok(Found { version, reach: Reach::Snapshot { subvolume, uuid: info.identity()? } })
}

/// The versions of the path `inside` a subvolume in its copies at replicas, `only` at one, that are not among the snapshots
/// on the pool, which are `here`; and the replicas, which are within reach as long as they are not dropped. Of several
/// copies of one snapshot the nearest to hand. What cannot be looked at is told and left out.
///
/// # Errors
/// When `only` one was asked, and cannot be.
pub fn copies(
    setup: &Setup,
    subvolume: &SubvolumeName,
    inside: &Path,
    only: Option<&TargetName>,
    here: &[SnapshotUuid],
    monitor: &dyn Monitor,
) -> Result<(Reached, Vec<Found>), JobError> {
    let path = FilePath::new(inside.as_os_str().as_bytes());
    let is_meant = |replica: &ReplicaSetup| only.is_none_or(|only| replica.name == *only);
    let looked = each_replica(setup, is_meant, |replica| {
        let mut attached = attach(setup, &replica.name, &replica.place, Access::Look)?;
        let held = attached.replica.look_inside(subvolume, &path)?;
        Ok((attached, held))
    });
    let (mut reached, mut found) = (Reached::default(), Vec::new());
    for (replica, looked) in looked {
        match looked {
            Ok((attached, held)) => {
                let place = if replica.place.is_elsewhere() { PlaceKind::Host } else { PlaceKind::Disk };
                found.extend(held.into_iter().filter_map(|held| version_of(held, replica, place)));
                reached.attached.insert(replica.name.clone(), Mutex::new(attached));
            }
            Err(error) if only.is_some() => return Err(error),
            Err(error) => monitor.event(Event::Warning(format!("{}: {}", replica.name, chain(&error)))),
        }
    }
    found.sort_by_key(|found| found.version.place);
    let is_here = |received: &ReceivedUuid| here.iter().any(|uuid| uuid.as_bytes() == received.as_bytes());
    let mut known = BTreeSet::new();
    found.retain(|found| match &found.reach {
        // Snapshots of a received subvolume share its origin, so the name counts too.
        Reach::Copy { received, copy, .. } => !is_here(received) && known.insert((*received, copy.name.clone())),
        _ => true,
    });
    Ok((reached, found))
}

fn version_of(held: Holding, replica: &ReplicaSetup, place: PlaceKind) -> Option<Found> {
    let Holding { copy, state } = held;
    let source = CopySource { subvolume: copy.name.subvolume().clone(), name: copy.name.clone(), uuid: copy.uuid };
    let version = Version {
        place,
        name: format!("{} at {}", copy.name, replica.name),
        taken: copy.name.taken(),
        holds: state.map_or(Holds::Nothing, Holds::This),
        by_name_only: false,
    };
    Some(Found { version, reach: Reach::Copy { target: replica.name.clone(), copy: source, received: copy.received? } })
}

/// What a store has of a subvolume that is not among the snapshots on the pool. Whether it holds a path is only known
/// when it was fetched.
#[must_use]
pub fn archived(target: &TargetName, series: &Series, local: &[SnapshotUuid]) -> Vec<Found> {
    let streams = series.summaries();
    let further = streams.iter().filter(|stream| !local.contains(&stream.snapshot.uuid));
    let found = further.filter_map(|stream| {
        let plan = restore::plan(&stream.subvolume, &streams, Some(stream.snapshot.taken)).ok()?;
        let holds = Holds::Unknown(plan.fetch_bytes);
        let name = format!("{} at {target}", stream.snapshot.name);
        let version =
            Version { place: PlaceKind::Archive, name, taken: stream.snapshot.taken, holds, by_name_only: false };
        Some(Found { version, reach: Reach::Archive { target: target.clone(), plan } })
    });
    found.collect()
}
