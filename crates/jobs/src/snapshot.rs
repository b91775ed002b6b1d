//! Snapshots of configured subvolumes: taken, found, deleted.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use subvault_host::subvolume::{Subvolume, SubvolumeInfo};
use subvault_host::{HostErrorKind, snapshot};
use subvault_model::crash;
use subvault_model::ids::SnapshotUuid;
use subvault_model::names::SnapshotName;
use subvault_model::subvolume::LocalSnapshot;

use crate::audit::make_directory;
use crate::error::JobError;
use crate::setup::SubvolumeSetup;

/// Takes a snapshot.
///
/// # Errors
/// When the kernel refuses.
pub fn take(setup: &SubvolumeSetup, name: &SnapshotName) -> Result<LocalSnapshot, JobError> {
    // First, or a directory would be made on what is below a subvolume that is not mounted.
    let source = Subvolume::open(&setup.path)?;
    make_directory(&setup.snapshots)?;
    let (_, info) = snapshot::take(&source, &setup.snapshots, OsStr::new(&name.to_string()))?;
    crash::point("snapshot-taken");
    describe(name.clone(), &info)
}

/// The snapshots of a subvolume that subvault took: by place and name.
///
/// # Errors
/// When the subvolume is not there, or the directory is there and cannot be read.
pub fn existing(setup: &SubvolumeSetup) -> Result<Vec<LocalSnapshot>, JobError> {
    // Of one that is not mounted nothing is seen, which is not the same as that it has none.
    Subvolume::open(&setup.path)?;
    let entries = match fs::read_dir(&setup.snapshots) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(JobError::file("read the snapshot directory", &setup.snapshots)(e)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(JobError::file("read the snapshot directory", &setup.snapshots))?;
        // Our names are plain text; whatever is not is somebody else's.
        let name = entry.file_name().to_str().and_then(|text| text.parse::<SnapshotName>().ok());
        let Some(name) = name.filter(|n| *n.subvolume() == setup.name) else { continue };
        match Subvolume::open_in(&setup.snapshots, &entry.file_name()) {
            Ok(opened) => found.push(describe(name, &opened.info()?)?),
            // A directory of that name that is no subvolume is not ours either.
            Err(e) if matches!(e.kind(), HostErrorKind::NotASubvolume | HostErrorKind::NotFound) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(found)
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

/// Deletes a snapshot whose identity was read in this run, and is read again by the kernel's side of the call.
///
/// # Errors
/// When it is another one, or the kernel refuses.
pub fn delete(directory: &Path, name: &SnapshotName, expected: SnapshotUuid) -> Result<(), JobError> {
    Subvolume::delete(directory, OsStr::new(&name.to_string()), expected)?;
    crash::point("snapshot-deleted");
    Ok(())
}

fn describe(name: SnapshotName, info: &SubvolumeInfo) -> Result<LocalSnapshot, JobError> {
    Ok(LocalSnapshot {
        name,
        uuid: info.identity()?,
        received: info.received_uuid,
        ctransid: info.ctransid,
        read_only: info.read_only,
    })
}
