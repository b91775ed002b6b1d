//! Claims the host's name in a store, so that no other machine writes to the same place.
//!
//! A disk that is not mounted leaves an empty directory behind, which looks like a new store. So it is noted which
//! directories this machine has claimed: one that has lost its record is written to no more until somebody says so.

use std::fs;
use std::path::{Path, PathBuf};

use subvault_archive::layout::Layout;
use subvault_archive::publish;
use subvault_store::ObjectStore;

use crate::audit::make_directory;
use crate::error::JobError;
use crate::setup::{Location, Setup, TargetSetup};

/// Claims the host's name there for this machine, or finds that it was claimed by it before.
///
/// # Errors
/// When another machine has the name, when a directory that was claimed before is empty, or when the store or the note
/// fails.
pub(crate) fn claim_host(setup: &Setup, target: &TargetSetup, store: &ObjectStore) -> Result<(), JobError> {
    let layout = setup.layout();
    let Location::Directory(directory) = &target.location else {
        return Ok(publish::claim_host(store, &layout, &setup.host)?);
    };
    let note = note(&setup.state, target);
    let noted = fs::read(&note).is_ok_and(|noted| noted == directory.as_os_str().as_encoded_bytes());
    if noted && !publish::is_claimed(store, &layout, &setup.host)? && is_empty(store, &layout)? {
        let (directory, note) = (directory.display(), note.display());
        return Err(JobError::Refused {
            what: format!("{directory} does not hold what this machine has archived there"),
            hint: format!("mount its disk; if it is meant to begin anew, remove {note}"),
        });
    }
    publish::claim_host(store, &layout, &setup.host)?;
    if noted { Ok(()) } else { write(&note, directory) }
}

/// Whether a store has nothing of this host. Anything says that it is the right place, which has only lost its record.
fn is_empty(store: &ObjectStore, layout: &Layout) -> Result<bool, JobError> {
    Ok(store.list(&layout.prefix()).next().transpose()?.is_none())
}

fn note(state: &Path, target: &TargetSetup) -> PathBuf {
    state.join("claimed").join(target.name.as_str())
}

fn write(note: &Path, directory: &Path) -> Result<(), JobError> {
    if let Some(parent) = note.parent() {
        make_directory(parent)?;
    }
    fs::write(note, directory.as_os_str().as_encoded_bytes()).map_err(JobError::file("write", note))
}
