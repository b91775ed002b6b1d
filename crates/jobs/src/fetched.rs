//! A snapshot that is fetched out of an archive for a while, or one path of a copy on another machine, so that files can be
//! copied out of it.
//!
//! It is received in a directory of its own beside the subvolume's snapshots. Killed here: the next one goes on after what
//! was proved, or uses what is there, and removes what is no longer wanted.
//! It must never delete what was not received there.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use subvault_archive::age_file::header::Identity;
use subvault_archive::inventory::Series;
use subvault_archive::layout::Layout;
use subvault_host::subvolume::Subvolume;
use subvault_model::bytesize::ByteSize;
use subvault_model::crash;
use subvault_model::file_path::FilePath;
use subvault_model::ids::SnapshotUuid;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::SnapshotName;
use subvault_model::stream::StreamSummary;
use subvault_plan::restore::RestorePlan;
use subvault_store::ObjectStore;

use crate::audit::make_directory;
use crate::error::JobError;
use crate::placing::delete_leftover;
use crate::replica::{CopySource, Extract, Intake, Replica};
use crate::restore::{Form, RECEIVE_THREADS, RestoreJob, restore};
use crate::setup::SubvolumeSetup;

/// How the names of such directories begin.
pub(crate) const DIRECTORY: &str = ".subvault-fetched.";
/// What a single path is received as.
const PATH: &str = "path";

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
    name: OsString,
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
        let directory = prepare(setup)?;
        let name = OsString::from(last.snapshot.name.to_string());
        remove_others(&directory, &name)?;
        let place = directory.join(&name);
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

    /// Fetches what is at one path of a copy on another machine. What an interrupted run fetched is not used again.
    ///
    /// # Errors
    /// When it could not all be received.
    pub fn fetch_path(
        setup: &SubvolumeSetup,
        replica: &mut dyn Replica,
        copy: &CopySource,
        path: &FilePath,
        monitor: &dyn Monitor,
    ) -> Result<Self, JobError> {
        let directory = prepare(setup)?;
        let name = OsString::from(PATH);
        remove_others(&directory, &name)?;
        delete_leftover(&directory, &name)?;
        let failed = |source| JobError::Receive { stream: path.to_string(), source: Box::new(source) };
        let mut intake = Intake::begin(&directory, name.clone(), Vec::new(), RECEIVE_THREADS, path.to_string())?;
        monitor.event(Event::Started { what: format!("fetch {path}"), expected: None });
        let wanted = Extract { copy: copy.clone(), path: Some(path.clone()), parent: None };
        let sent = replica.send(&wanted, &mut |piece| {
            intake.push(piece)?;
            crash::point("return-path-fed");
            monitor.event(Event::Progress(ByteSize::bytes(piece.len() as u64)));
            Ok(())
        });
        monitor.event(Event::Finished);
        let received = sent.and_then(|()| intake.end()?.finish().map_err(failed));
        match received {
            Ok(received) => Ok(Self { directory, name, uuid: received.uuid }),
            Err(error) => {
                // What is worth telling is why it failed; a leftover is found again.
                let _ = delete_leftover(&directory, &name);
                Err(error)
            }
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// When somebody removed it.
    pub fn open(&self) -> Result<Subvolume, JobError> {
        let opened = Subvolume::open_in(&self.directory, &self.name)?;
        match opened.info()?.identity()? == self.uuid {
            true => Ok(opened),
            false => Err(JobError::Stale(opened.path().display().to_string())),
        }
    }

    /// Removes it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn remove(self) -> Result<(), JobError> {
        Subvolume::delete(&self.directory, &self.name, self.uuid)?;
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

/// The directory for what is fetched.
fn prepare(setup: &SubvolumeSetup) -> Result<PathBuf, JobError> {
    // First, or a directory would be made on what is below a subvolume that is not mounted.
    Subvolume::open(&setup.path)?;
    make_directory(&setup.snapshots)?;
    let directory = setup.snapshots.join(format!("{DIRECTORY}{}", setup.name));
    make_directory(&directory)?;
    Ok(directory)
}

/// Removes what interrupted runs fetched, but for what is wanted.
fn remove_others(directory: &Path, wanted: &OsStr) -> Result<(), JobError> {
    let failed = || JobError::file("read the directory", directory);
    for entry in fs::read_dir(directory).map_err(failed())? {
        let name = entry.map_err(failed())?.file_name();
        let is_ours = name == PATH || name.to_str().is_some_and(|text| text.parse::<SnapshotName>().is_ok());
        if name == wanted || !is_ours {
            continue;
        }
        let info = Subvolume::open_in(directory, &name)?.info()?;
        if info.received_uuid.is_some() || name == PATH {
            Subvolume::delete(directory, &name, info.identity()?)?;
        }
    }
    Ok(())
}
