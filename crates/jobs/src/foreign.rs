//! Snapshots that other programs took of a subvolume that is looked after: snapper's, btrbk's, and whose nobody knows.
//!
//! They are found by the uuid of what they are snapshots of, wherever they lie, and told apart by where they lie and how
//! they are called. They can be shown, compared, sent and restored from. They must never be deleted, renamed or changed:
//! whoever took them cleans them up.

mod btrbk_name;
mod info_xml;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use subvault_host::HostErrorKind;
use subvault_host::mounts::Mounts;
use subvault_host::pool::Pool;
use subvault_host::subvolume::{ListedSubvolume, Subvolume, SubvolumeInfo};
use subvault_model::ids::{ParentUuid, ReceivedUuid, SnapshotUuid, SubvolumeId, TransactionId};
use subvault_model::names::{SnapshotName, SubvolumeName};
use subvault_model::note::Note;
use subvault_model::subvolume::LocalSnapshot;

pub use self::info_xml::Info;
use crate::error::JobError;
use crate::note;
use crate::setup::SubvolumeSetup;

/// The directory of snapper's snapshots.
const SNAPPER: &str = ".snapshots";

/// Who took a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// snapper.
    Snapper,
    /// btrbk.
    Btrbk,
    /// Nobody that is known: by hand, perhaps.
    Unknown,
}

/// A snapshot that is not ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForeignSnapshot {
    /// Who took it.
    pub owner: Owner,
    /// Where it is, from the top level of its pool, without a slash at the front.
    #[serde(serialize_with = "shown")]
    pub path: PathBuf,
    /// Its identity.
    pub uuid: SnapshotUuid,
    /// Its number in the pool.
    pub id: SubvolumeId,
    /// What it was received from, if it was received.
    pub received: Option<ReceivedUuid>,
    /// Its last change.
    pub ctransid: TransactionId,
    /// Whether it is read-only; only then can it be sent.
    pub read_only: bool,
    /// When it was taken: as snapper noted it, else as the kernel did. The names that btrbk gives are in local time, of a
    /// zone that nobody wrote down.
    pub taken: Timestamp,
    /// What snapper noted about it, where that could be read.
    pub info: Option<Info>,
}

/// A path as a text, for programs that read what is shown.
fn shown<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// The snapshots of the subvolume at `path` that others took, the oldest first. `ours` are those that we took, with their
/// notes.
///
/// # Errors
/// When the subvolume is not there, or the subvolumes of its pool cannot be listed.
pub fn find(path: &Path, ours: &[LocalSnapshot]) -> Result<Vec<ForeignSnapshot>, JobError> {
    let source = Subvolume::open(path)?.info()?;
    let pool = Pool::containing(path)?;
    let all = pool.subvolumes()?;
    let mounts = Mounts::read()?;
    let Some(identity) = source.uuid else { return Ok(Vec::new()) };
    let before = line(identity, &all, &note::gone_of(ours));
    let mut found = Vec::new();
    for listed in all.iter().filter(|listed| listed.info.id != source.id) {
        let Some(uuid) = listed.info.uuid.filter(|uuid| ours.iter().all(|own| own.uuid != *uuid)) else { continue };
        let taken_of = |of: &SnapshotUuid| listed.info.parent_uuid.is_some_and(|parent| of.is_parent_of(&parent));
        let owner = owner(&listed.path);
        // What it was before a rollback has snapshots too. Of others, a copy for another purpose cannot be told from one.
        let is_meant = match owner {
            Owner::Unknown => taken_of(&identity) && listed.info.read_only,
            Owner::Snapper | Owner::Btrbk => {
                before.iter().any(|of| taken_of(&of.uuid) && of.until.is_none_or(|until| listed.info.id < until))
            }
        };
        if is_meant {
            let info = (owner == Owner::Snapper).then(|| noted(&pool, listed, &mounts)).flatten();
            found.push(ForeignSnapshot {
                owner,
                path: listed.path.clone(),
                uuid,
                id: listed.info.id,
                received: listed.info.received_uuid,
                ctransid: listed.info.ctransid,
                read_only: listed.info.read_only,
                taken: info.as_ref().and_then(|info| info.taken).unwrap_or(listed.info.created),
                info,
            });
        }
    }
    found.sort_by_key(|snapshot| (snapshot.taken, snapshot.id));
    Ok(found)
}

/// The snapshots of snapper and btrbk that are sent like our own, under names that our own could have. Those that no mount
/// shows cannot be.
///
/// # Errors
/// As `find`.
pub fn to_ship(setup: &SubvolumeSetup, ours: &[LocalSnapshot]) -> Result<Vec<LocalSnapshot>, JobError> {
    let (pool, mounts) = (Pool::containing(&setup.path)?, Mounts::read()?);
    let mut shipped = Vec::new();
    for found in find(&setup.path, ours)?.iter().filter(|found| found.owner != Owner::Unknown && found.read_only) {
        let info = match pool.reach(found.id, &mounts).and_then(|at| at.map(|at| at.info()).transpose()) {
            Ok(Some(info)) => info,
            Ok(None) => continue,
            // It was cleaned up since.
            Err(error) if error.kind() == HostErrorKind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        let snapshot = LocalSnapshot {
            name: name(&setup.name, &info),
            uuid: info.identity()?,
            id: info.id,
            received: info.received_uuid,
            ctransid: info.ctransid,
            read_only: info.read_only,
            foreign: true,
            note: Note::default(),
        };
        if ours.iter().all(|own| own.name != snapshot.name) {
            shipped.push(snapshot);
        }
    }
    Ok(shipped)
}

/// Our name for one of theirs: its time as the kernel noted it, and its number in the pool. Neither depends on what else
/// there is, so that the name is the same in every run, also when others of that second have gone.
fn name(subvolume: &SubvolumeName, info: &SubvolumeInfo) -> SnapshotName {
    let number = u32::try_from(info.id.0).unwrap_or(u32::MAX);
    SnapshotName::new(subvolume.clone(), info.created, number)
}

/// Opens a snapshot of another program wherever it lies, if it is still there, read-only.
///
/// # Errors
/// When it is gone, no mount shows it, or it was made writable.
pub fn open(setup: &SubvolumeSetup, uuid: SnapshotUuid) -> Result<Subvolume, JobError> {
    let pool = Pool::containing(&setup.path)?;
    let found = pool.find_by_uuid(uuid)?;
    let reached = found.map(|info| pool.reach(info.id, &Mounts::read()?)).transpose()?.flatten();
    let stale = || JobError::Stale(format!("a snapshot that another program took of {}", setup.name));
    let reached = reached.ok_or_else(stale)?;
    let info = reached.info()?;
    if info.uuid == Some(uuid) && info.read_only { Ok(reached) } else { Err(stale()) }
}

/// One that a subvolume was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Before {
    uuid: SnapshotUuid,
    /// The number of what went on from it: later snapshots of it are not of that.
    until: Option<SubvolumeId>,
}

/// The subvolume, and what it was made from, as far as that is there or was replaced. A snapshot on the way is only where
/// a rollback came from: what it was taken of went on until the rollback.
fn line(of: SnapshotUuid, all: &[ListedSubvolume], gone: &BTreeMap<SnapshotUuid, ParentUuid>) -> Vec<Before> {
    let mut line = vec![Before { uuid: of, until: None }];
    let mut until = None;
    while let Some(last) = line.last().copied() {
        let info = all.iter().map(|listed| &listed.info).find(|info| info.uuid == Some(last.uuid));
        if let Some(info) = info.filter(|info| until.is_none() || !info.read_only) {
            until = Some(info.id);
        }
        let parent = info.and_then(|info| info.parent_uuid).or_else(|| gone.get(&last.uuid).copied());
        let parent = parent.and_then(|parent| SnapshotUuid::from_bytes(*parent.as_bytes()));
        match parent.filter(|parent| line.iter().all(|before| before.uuid != *parent)) {
            Some(uuid) => line.push(Before { uuid, until }),
            None => break,
        }
    }
    line
}

/// Whose it is, by where it lies and how it is called.
fn owner(path: &Path) -> Owner {
    let mut upwards = path.components().rev().map(|part| part.as_os_str());
    let (name, number, directory) = (upwards.next(), upwards.next(), upwards.next());
    let is_number = |name: &OsStr| name.to_str().is_some_and(|text| text.parse::<u32>().is_ok());
    if name == Some(OsStr::new("snapshot")) && directory == Some(OsStr::new(SNAPPER)) && number.is_some_and(is_number) {
        Owner::Snapper
    } else if name.is_some_and(|name| btrbk_name::is_one(name.as_encoded_bytes())) {
        Owner::Btrbk
    } else {
        Owner::Unknown
    }
}

/// What snapper noted beside its snapshot. That it cannot be read is no trouble of ours.
fn noted(pool: &Pool, listed: &ListedSubvolume, mounts: &Mounts) -> Option<Info> {
    let path = pool.path_under_mount(listed.info.id, mounts).ok()??;
    let beside = path.parent()?;
    // A snapshot that is mounted on its own has something else beside it.
    if path.file_name() != listed.path.file_name() || beside.file_name() != listed.path.parent()?.file_name() {
        return None;
    }
    info_xml::read(&beside.join("info.xml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_told_by_place_and_name() {
        for (path, wanted) in [
            ("@/.snapshots/12/snapshot", Owner::Snapper),
            (".snapshots/1/snapshot", Owner::Snapper),
            ("snapshots/1/snapshot", Owner::Unknown),
            (".snapshots/x/snapshot", Owner::Unknown),
            (".snapshots/1/other", Owner::Unknown),
            ("_btrbk_snap/@home.20261120T2046", Owner::Btrbk),
            ("home/.subvault/home.20261120T204600Z", Owner::Unknown),
            ("", Owner::Unknown),
        ] {
            assert_eq!(owner(Path::new(path)), wanted, "{path}");
        }
    }
}
