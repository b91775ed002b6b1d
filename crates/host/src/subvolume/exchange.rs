//! Two subvolumes of one directory change names.
//!
//! Killed here: it happened or not; at no moment is either name missing.
//! It must never exchange anything but the two that were named by their uuids.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::RenameFlags;
use subvault_model::ids::SnapshotUuid;

use super::{Subvolume, open_dir};
use crate::error::{HostError, HostErrorKind, Result};

/// A subvolume by its name in a directory, and by its uuid.
pub(crate) type Named<'a> = (&'a OsStr, SnapshotUuid);

impl Subvolume {
    /// Exchanges the names of two subvolumes in `dir`, if they are the ones with these uuids.
    ///
    /// # Errors
    /// `Refused` if one of them is another subvolume, and what the kernel says.
    pub fn exchange(dir: &Path, one: Named<'_>, other: Named<'_>) -> Result<()> {
        const WHAT: &str = "exchange the names of the subvolume";
        let dir_fd = open_dir(dir)?;
        for (name, expected) in [one, other] {
            let subvolume = Self::open_below(dir_fd.as_fd(), dir, name)?;
            if subvolume.info()?.uuid != Some(expected) {
                let hint = "it is another one than was meant";
                return Err(HostError::because(WHAT, dir.join(name), HostErrorKind::Refused, hint));
            }
        }
        rustix::fs::renameat_with(&dir_fd, one.0, &dir_fd, other.0, RenameFlags::EXCHANGE)
            .map_err(|error| HostError::new(WHAT, dir.join(one.0), error))
    }
}
