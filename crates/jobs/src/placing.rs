//! Puts a subvolume that was received, or made, under a name of our own in its place, with a writable copy beside it.
//!
//! Invariant: its own name comes last, so a restore is done when that is there; and nothing that was there is replaced.
//! Killed here: the rerun finds the staged one and the writable copy made of it, and goes on.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use subvault_host::subvolume::Subvolume;
use subvault_host::{HostErrorKind, snapshot};
use subvault_model::crash;
use subvault_model::names::{SnapshotName, SubvolumeName};

use crate::error::JobError;

/// What goes where.
pub(crate) struct Placing<'a> {
    /// A directory of a Btrfs filesystem.
    pub(crate) destination: &'a Path,
    /// What it is called there until it is in place.
    pub(crate) staged: OsString,
    /// What it is called in its place.
    pub(crate) name: &'a SnapshotName,
    /// What the writable copy is called, if one is wanted.
    pub(crate) writable: Option<&'a SubvolumeName>,
}

impl Placing<'_> {
    /// Where the read-only subvolume will be.
    pub(crate) fn place(&self) -> PathBuf {
        self.destination.join(self.name.to_string())
    }

    fn writable_place(&self) -> Option<PathBuf> {
        self.writable.map(|name| self.destination.join(name.as_str()))
    }

    /// Makes sure that nothing is in the way. Where the staged one `is_whole`, the writable copy may be there already.
    ///
    /// # Errors
    /// `Refused` when something is.
    pub(crate) fn refuse_occupied(&self, is_whole: bool) -> Result<(), JobError> {
        let refuse = |occupied: &Path| JobError::Refused {
            what: format!("{} exists already, and a restore never overwrites", occupied.display()),
            hint: "restore into another directory, or move it away".to_owned(),
        };
        let place = self.place();
        if place.symlink_metadata().is_ok() {
            return Err(refuse(&place));
        }
        match self.writable_place().filter(|writable| writable.symlink_metadata().is_ok()) {
            Some(writable) if !(is_whole && self.is_our_copy(&writable)?) => Err(refuse(&writable)),
            _ => Ok(()),
        }
    }

    /// Whether the writable copy is the one that this restore, interrupted after that, had made.
    fn is_our_copy(&self, writable: &Path) -> Result<bool, JobError> {
        let staged = Subvolume::open_in(self.destination, &self.staged)?.info()?.identity()?;
        match Subvolume::open(writable) {
            Ok(found) => Ok(found.info()?.parent_uuid.is_some_and(|parent| staged.is_parent_of(&parent))),
            Err(_) => Ok(false),
        }
    }

    /// Makes the writable copy, if one is wanted and not there.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn make_writable(&self) -> Result<Option<PathBuf>, JobError> {
        let (Some(name), Some(writable)) = (self.writable, self.writable_place()) else { return Ok(None) };
        if writable.symlink_metadata().is_err() {
            // A new snapshot of it: making the received one writable would cost it its worth as a parent.
            let received = Subvolume::open(self.destination.join(&self.staged))?;
            snapshot::take_writable(&received, self.destination, OsStr::new(name.as_str()))?;
            crash::point("restore-copied");
        }
        Ok(Some(writable))
    }

    /// Gives the staged one its name.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn put(&self) -> Result<(), JobError> {
        let (staged, place) = (self.destination.join(&self.staged), self.place());
        fs::rename(&staged, &place).map_err(JobError::file("put in place", &place))?;
        crash::point("restore-placed");
        Ok(Subvolume::open(place)?.sync_filesystem()?)
    }
}

/// Deletes a subvolume that this or an interrupted restore made, if it is there; its identity is read and compared in the
/// same go.
///
/// # Errors
/// When the kernel refuses.
pub(crate) fn delete_leftover(staging: &Path, name: &OsStr) -> Result<(), JobError> {
    let found = match Subvolume::open_in(staging, name) {
        Ok(found) => found.info()?.identity()?,
        Err(e) if e.kind() == HostErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e.into()),
    };
    Ok(Subvolume::delete(staging, name, found)?)
}
