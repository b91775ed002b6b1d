//! What a bucket turned out to honour, found out once and kept in the state directory.
//!
//! It is tried again when the settings that it depends on change. Losing it costs a few requests.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use subvault_archive::layout::Layout;
use subvault_jobs::audit::make_directory;
use subvault_jobs::error::JobError;
use subvault_jobs::setup::{Location, Setup};
use subvault_model::names::TargetName;
use subvault_store::{Capabilities, ObjectStore, S3Settings, StoreError};

/// What is written down.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    settings: S3Settings,
    capabilities: Capabilities,
}

fn path(state: &Path, target: &TargetName) -> PathBuf {
    state.join("capabilities").join(format!("{target}.json"))
}

/// What was found for these very settings, if it was.
#[must_use]
pub fn recorded(state: &Path, target: &TargetName, settings: &S3Settings) -> Option<Capabilities> {
    let record: Record = serde_json::from_slice(&fs::read(path(state, target)).ok()?).ok()?;
    let same = serde_json::to_value(&record.settings).ok() == serde_json::to_value(settings).ok();
    same.then_some(record.capabilities)
}

/// Tries out the buckets of which nothing is recorded, and records it. A bucket that cannot be reached is left to the
/// run, which says so.
///
/// # Errors
/// When the record cannot be written.
pub fn complete(setup: &mut Setup) -> Result<(), JobError> {
    let layout = setup.layout();
    // Without its access key a target is not tried with another one that may lie around.
    for target in setup.targets.iter_mut().filter(|target| target.unusable.is_none()) {
        let Location::S3(settings) = &mut target.location else { continue };
        if settings.capabilities.is_some() {
            continue;
        }
        let Ok(found) = ObjectStore::s3(settings).and_then(|store| probe(&store, &layout)) else { continue };
        let record = Record { settings: (**settings).clone(), capabilities: found };
        let path = path(&setup.state, &target.name);
        if let Some(directory) = path.parent() {
            make_directory(directory)?;
        }
        let text = serde_json::to_vec_pretty(&record).map_err(|e| JobError::Bug(e.to_string()))?;
        fs::write(&path, text).map_err(|source| JobError::File { what: "write", path, source })?;
        settings.capabilities = Some(found);
    }
    Ok(())
}

/// Tries out what a store honours, below the host's own keys.
///
/// # Errors
/// When the store cannot be used.
pub fn probe(store: &ObjectStore, layout: &Layout) -> Result<Capabilities, StoreError> {
    store.probe(&layout.scratch())
}
