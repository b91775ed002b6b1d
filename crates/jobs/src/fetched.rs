//! A snapshot that is fetched out of an archive for a while, so that files can be copied out of it.
//!
//! It is received in a directory of its own beside the subvolume's snapshots. Killed here: the next one goes on after what
//! was proved, or uses what is there, and removes what is no longer wanted.
//! It must never delete what was not received there.

use std::ffi::OsStr;
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use subvault_archive::age_file::header::Identity;
use subvault_archive::inventory::Series;
use subvault_archive::layout::Layout;
use subvault_host::subvolume::Subvolume;
use subvault_model::ids::SnapshotUuid;
use subvault_model::monitor::Monitor;
use subvault_model::names::SnapshotName;
use subvault_model::stream::StreamSummary;
use subvault_plan::restore::RestorePlan;
use subvault_store::ObjectStore;

use crate::audit::make_directory;
use crate::error::JobError;
use crate::restore::{Form, RestoreJob, restore};
use crate::setup::SubvolumeSetup;

/// How the names of such directories begin.
const DIRECTORY: &str = ".subvault-fetched.";

/// Where it is fetched from.
pub struct Source<'a> {
    /// The store.
    pub store: &'a ObjectStore,
    /// The keys of the host that archived it.
    pub layout: &'a Layout,
    /// What the store has of the subvolume.
    pub series: &'a Series,
    /// Who opens the streams.
    pub identities: &'a [Identity],
    /// Units fetched at once.
    pub lanes: NonZeroU32,
}

/// A snapshot that is there for a while.
pub struct Fetched {
    directory: PathBuf,
    name: SnapshotName,
    uuid: SnapshotUuid,
}

impl Fetched {
    /// Fetches it, checked as every restore is.
    ///
    /// # Errors
    /// Those of a restore.
    pub fn fetch(
        setup: &SubvolumeSetup,
        source: &Source<'_>,
        plan: &RestorePlan,
        monitor: &dyn Monitor,
    ) -> Result<Self, JobError> {
        let last = plan.streams.last().ok_or_else(|| JobError::Bug("a restore of no stream".to_owned()))?;
        // First, or a directory would be made on what is below a subvolume that is not mounted.
        Subvolume::open(&setup.path)?;
        make_directory(&setup.snapshots)?;
        let directory = setup.snapshots.join(format!("{DIRECTORY}{}", setup.name));
        make_directory(&directory)?;
        let name = last.snapshot.name.clone();
        for other in others(&directory, &name)? {
            delete_received(&directory, &other)?;
        }
        let place = directory.join(name.to_string());
        if place.symlink_metadata().is_err() {
            let job = RestoreJob {
                store: source.store,
                layout: source.layout,
                series: source.series,
                plan,
                destination: &directory,
                form: Form::ReadOnly,
                identities: source.identities,
                lanes: source.lanes,
                monitor,
            };
            restore(&job)?;
        }
        let uuid = identity_of(&place, last)?;
        Ok(Self { directory, name, uuid })
    }

    /// Opens it.
    ///
    /// # Errors
    /// When somebody removed it.
    pub fn open(&self) -> Result<Subvolume, JobError> {
        crate::snapshot::open(&self.directory, &self.name, self.uuid)
    }

    /// Removes it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn remove(self) -> Result<(), JobError> {
        Subvolume::delete(&self.directory, OsStr::new(&self.name.to_string()), self.uuid)?;
        // Should something else be in it, that is not ours to remove.
        let _ = fs::remove_dir(&self.directory);
        Ok(())
    }
}

/// What is there must be what the stream was made of.
fn identity_of(place: &Path, stream: &StreamSummary) -> Result<SnapshotUuid, JobError> {
    let info = Subvolume::open(place)?.info()?;
    let origin = stream.snapshot.received.map(|received| *received.as_bytes());
    let origin = origin.unwrap_or(*stream.snapshot.uuid.as_bytes());
    if !info.read_only || info.received_uuid.is_none_or(|received| *received.as_bytes() != origin) {
        return Err(JobError::Refused {
            what: format!("{} is not what was received from {}", place.display(), stream.name),
            hint: "move it away, and run this again".to_owned(),
        });
    }
    Ok(info.identity()?)
}

/// Other snapshots that an interrupted run fetched.
fn others(directory: &Path, wanted: &SnapshotName) -> Result<Vec<SnapshotName>, JobError> {
    let failed = || JobError::file("read the directory", directory);
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed())? {
        let name = entry.map_err(failed())?.file_name();
        let name = name.to_str().and_then(|text| text.parse::<SnapshotName>().ok());
        found.extend(name.filter(|name| name != wanted));
    }
    Ok(found)
}

fn delete_received(directory: &Path, name: &SnapshotName) -> Result<(), JobError> {
    let info = Subvolume::open_in(directory, OsStr::new(&name.to_string()))?.info()?;
    if info.received_uuid.is_some() {
        Subvolume::delete(directory, OsStr::new(&name.to_string()), info.identity()?)?;
    }
    Ok(())
}
