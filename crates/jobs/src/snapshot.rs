//! Snapshots of configured subvolumes: taken, found, deleted. What is noted about them is in files beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use subvault_host::subvolume::{Subvolume, SubvolumeInfo, locate};
use subvault_host::{HostErrorKind, snapshot};
use subvault_model::crash;
use subvault_model::ids::SnapshotUuid;
use subvault_model::names::SnapshotName;
use subvault_model::note::Note;
use subvault_model::subvolume::LocalSnapshot;
use subvault_plan::step::{StepId, Which};

use crate::audit::make_directory;
use crate::error::JobError;
use crate::setup::{ForeignChoice, SubvolumeSetup};
use crate::{foreign, note};

/// Takes a snapshot. What is noted about it is on disk before it is there: a tag may be all that keeps it.
///
/// # Errors
/// When the kernel refuses.
pub fn take(setup: &SubvolumeSetup, name: &SnapshotName, noted: &Note) -> Result<LocalSnapshot, JobError> {
    // First, or a directory would be made on what is below a subvolume that is not mounted.
    let source = Subvolume::open(&setup.path)?;
    make_directory(&setup.snapshots)?;
    if noted.is_empty() {
        // One that a run left that died before it took a snapshot of this name.
        note::remove(&setup.snapshots, name)?;
    } else {
        note::write(&setup.snapshots, name, noted)?;
        crash::point("note-written");
    }
    let (_, info) = snapshot::take(&source, &setup.snapshots, OsStr::new(&name.to_string()))?;
    crash::point("snapshot-taken");
    describe(name.clone(), &info, noted.clone())
}

/// The snapshots of a subvolume that subvault took: by place and name.
///
/// # Errors
/// When the subvolume is not there, or the directory is there and cannot be read.
pub fn existing(setup: &SubvolumeSetup) -> Result<Vec<LocalSnapshot>, JobError> {
    // Of one that is not mounted nothing is seen, which is not the same as that it has none.
    Subvolume::open(&setup.path)?;
    in_directory(setup)
}

/// The same where the subvolume itself may be gone.
///
/// # Errors
/// When the directory is there and cannot be read.
pub fn in_directory(setup: &SubvolumeSetup) -> Result<Vec<LocalSnapshot>, JobError> {
    let entries = match fs::read_dir(&setup.snapshots) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(JobError::file("read the snapshot directory", &setup.snapshots)(e)),
    };
    let (mut found, mut noted) = (Vec::new(), BTreeSet::new());
    for entry in entries {
        let entry = entry.map_err(JobError::file("read the snapshot directory", &setup.snapshots))?;
        noted.extend(note::is_of(&entry.file_name()));
        // Our names are plain text; whatever is not is somebody else's.
        let name = entry.file_name().to_str().and_then(|text| text.parse::<SnapshotName>().ok());
        let Some(name) = name.filter(|n| *n.subvolume() == setup.name) else { continue };
        match Subvolume::open_in(&setup.snapshots, &entry.file_name()) {
            Ok(opened) => found.push(describe(name, &opened.info()?, Note::default())?),
            // A directory of that name that is no subvolume is not ours either.
            Err(e) if matches!(e.kind(), HostErrorKind::NotASubvolume | HostErrorKind::NotFound) => {}
            Err(e) => return Err(e.into()),
        }
    }
    for snapshot in found.iter_mut().filter(|snapshot| noted.contains(&snapshot.name)) {
        snapshot.note = note::read(&setup.snapshots, &snapshot.name);
        snapshot.id = snapshot.note.remade.as_ref().map_or(snapshot.id, |remade| remade.number);
    }
    Ok(found)
}

/// What can be sent: the snapshots that subvault took, and, where that is asked for, those of other programs.
///
/// # Errors
/// As `existing`, or when the pool does not tell what else is there.
pub fn to_send(setup: &SubvolumeSetup) -> Result<Vec<LocalSnapshot>, JobError> {
    let mut found = existing(setup)?;
    if setup.foreign == ForeignChoice::Ship {
        found.extend(foreign::to_ship(setup, &found)?);
    }
    Ok(found)
}

/// The directory of the snapshots as a path inside the subvolume, where it lies in that: what is there is not the user's,
/// and neither comes back with files nor is taken back with changes.
///
/// # Errors
/// When the subvolume is not there.
pub fn directory_inside(setup: &SubvolumeSetup) -> Result<Option<PathBuf>, JobError> {
    let live = Subvolume::open(&setup.path)?;
    let found = match locate(&setup.snapshots) {
        Ok(found) => found,
        Err(e) if matches!(e.kind(), HostErrorKind::NotBtrfs | HostErrorKind::NotFound) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let is_inside = found.subvolume == live.id() && found.pool == live.pool()?.uuid();
    Ok(Some(found.inside).filter(|inside| is_inside && !inside.as_os_str().is_empty()))
}

/// The snapshot that a step means: one that is there, or one of those that this run has taken.
///
/// # Errors
/// When it is not there.
pub fn resolve(
    setup: &SubvolumeSetup,
    which: &Which,
    taken: &BTreeMap<StepId, LocalSnapshot>,
) -> Result<LocalSnapshot, JobError> {
    let found = match which {
        Which::TakenBy(step) => taken.get(step).cloned(),
        Which::Existing { uuid, .. } => to_send(setup)?.into_iter().find(|s| s.uuid == *uuid),
    };
    found.ok_or_else(|| JobError::Stale(format!("the snapshot of {}", setup.name)))
}

/// Opens a snapshot and makes sure that it is the very one that was meant, read-only.
///
/// # Errors
/// When it is another one or was made writable.
pub fn open(directory: &Path, name: &SnapshotName, expected: SnapshotUuid) -> Result<Subvolume, JobError> {
    let opened = Subvolume::open_in(directory, OsStr::new(&name.to_string()))?;
    let info = opened.info()?;
    if info.identity()? != expected || !info.read_only {
        return Err(JobError::Stale(format!("snapshot {name}")));
    }
    Ok(opened)
}

/// The same for one that is sent, which may be another program's.
///
/// # Errors
/// As `open`.
pub fn open_to_send(
    setup: &SubvolumeSetup,
    name: &SnapshotName,
    expected: SnapshotUuid,
) -> Result<Subvolume, JobError> {
    match open(&setup.snapshots, name, expected) {
        Err(JobError::Host(error))
            if error.kind() == HostErrorKind::NotFound && setup.foreign == ForeignChoice::Ship =>
        {
            foreign::open(setup, expected)
        }
        other => other,
    }
}

/// Deletes a snapshot whose identity was read in this run, and is read again by the kernel's side of the call.
///
/// # Errors
/// When it is another one, or the kernel refuses.
pub fn delete(directory: &Path, name: &SnapshotName, expected: SnapshotUuid) -> Result<(), JobError> {
    crash::point("prune-begun");
    // It may have been made writable since the plan was made, and somebody may be at work in it.
    open(directory, name, expected)?;
    Subvolume::delete(directory, OsStr::new(&name.to_string()), expected)?;
    crash::point("snapshot-deleted");
    note::remove(directory, name)?;
    crash::point("prune-note-removed");
    Ok(())
}

fn describe(name: SnapshotName, info: &SubvolumeInfo, note: Note) -> Result<LocalSnapshot, JobError> {
    Ok(LocalSnapshot {
        name,
        uuid: info.identity()?,
        id: info.id,
        received: info.received_uuid,
        ctransid: info.ctransid,
        read_only: info.read_only,
        foreign: false,
        note,
    })
}
