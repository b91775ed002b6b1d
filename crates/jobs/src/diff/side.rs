//! One side of a comparison: a snapshot, or a subvolume as it is now.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use subvault_host::mounts::Mounts;
use subvault_host::subvolume::Subvolume;
use subvault_model::ids::SnapshotUuid;
use subvault_model::names::SnapshotName;

use crate::error::JobError;
use crate::note;
use crate::setup::SubvolumeSetup;
use crate::snapshot;

/// An open subvolume with what people call it.
#[derive(Debug)]
pub struct Side {
    /// What it is called.
    pub label: String,
    pub(super) subvolume: Subvolume,
    /// Where our own snapshots of it are, if it is configured.
    pub(super) snapshots: Option<PathBuf>,
}

impl Side {
    /// A snapshot of a configured subvolume.
    ///
    /// # Errors
    /// When it is not there.
    pub fn snapshot(setup: &SubvolumeSetup, name: &SnapshotName) -> Result<Self, JobError> {
        let subvolume = Subvolume::open_in(&setup.snapshots, name.to_string().as_ref())?;
        Ok(Self { label: name.to_string(), subvolume, snapshots: Some(setup.snapshots.clone()) })
    }

    /// The newest snapshot of a configured subvolume, or the newest that is not after a moment.
    ///
    /// # Errors
    /// When there is none.
    pub fn newest(setup: &SubvolumeSetup, until: Option<Timestamp>) -> Result<Self, JobError> {
        let existing = snapshot::existing(setup)?.into_iter().map(|snapshot| snapshot.name);
        let newest = existing.filter(|name| until.is_none_or(|until| name.taken() <= until)).max();
        let Some(name) = newest else {
            let when = until.map_or_else(String::new, |until| format!(" of {until} or before"));
            return Err(JobError::Refused {
                what: format!("there is no snapshot of `{}`{when}", setup.name),
                hint: "`subvault list` shows what there is".to_owned(),
            });
        };
        Self::snapshot(setup, &name)
    }

    /// A configured subvolume as it is now.
    ///
    /// # Errors
    /// When it is not there.
    pub fn present(setup: &SubvolumeSetup) -> Result<Self, JobError> {
        let subvolume = Subvolume::open(&setup.path)?;
        Ok(Self { label: format!("{} now", setup.name), subvolume, snapshots: Some(setup.snapshots.clone()) })
    }

    /// Any subvolume.
    ///
    /// # Errors
    /// When none is there.
    pub fn path(path: &Path) -> Result<Self, JobError> {
        let subvolume = Subvolume::open(path)?;
        Ok(Self { label: path.display().to_string(), subvolume, snapshots: None })
    }

    /// What this is a snapshot of, as it is now.
    ///
    /// # Errors
    /// When it is no snapshot, or what it is of is gone or not mounted.
    pub fn origin(&self) -> Result<Self, JobError> {
        let refuse = |what: &str| {
            Err(JobError::Refused {
                what: format!("{} {what}", self.label),
                hint: "name both sides of the comparison".to_owned(),
            })
        };
        let info = self.subvolume.info()?;
        let Some(parent) = note::parent(self.subvolume.path(), &info) else { return refuse("is not a snapshot") };
        let pool = self.subvolume.pool()?;
        let uuid = SnapshotUuid::from_bytes(*parent.as_bytes());
        let Some(info) = uuid.map(|uuid| pool.find_by_uuid(uuid)).transpose()?.flatten() else {
            return refuse("is a snapshot of a subvolume that is gone");
        };
        match pool.reach(info.id, &Mounts::read()?)? {
            Some(subvolume) => {
                let label = format!("{} now", subvolume.path().display());
                Ok(Self { label, subvolume, snapshots: self.snapshots.clone() })
            }
            None => refuse("is a snapshot of a subvolume that no mount shows"),
        }
    }

    /// Whether nothing can change in it.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn is_read_only(&self) -> Result<bool, JobError> {
        Ok(self.subvolume.is_read_only()?)
    }

    /// Where it is.
    #[must_use]
    pub fn location(&self) -> &Path {
        self.subvolume.path()
    }
}
