//! What is remembered of replicas: the newest snapshot that both sides had, and when that was seen.
//!
//! It keeps the next parent here while a disk is away, and tells how old what is there has become. Losing it costs a copy
//! of everything at most.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subvault_model::ids::{PoolUuid, SnapshotUuid};
use subvault_model::names::{SnapshotName, SubvolumeName, TargetName};

use crate::audit::make_directory;
use crate::error::JobError;

/// What was seen last of one subvolume at one replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSeen {
    /// The newest snapshot that both sides had.
    pub snapshot: SnapshotName,
    /// Its identity here.
    pub uuid: SnapshotUuid,
    /// When.
    pub seen: Timestamp,
}

fn place(state: &Path, target: &TargetName, subvolume: &SubvolumeName) -> PathBuf {
    state.join("replicas").join(target.as_str()).join(format!("{subvolume}.json"))
}

/// What was seen last; nothing where that is not known, or not understood.
#[must_use]
pub fn read(state: &Path, target: &TargetName, subvolume: &SubvolumeName) -> Option<LastSeen> {
    let text = fs::read(place(state, target, subvolume)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Remembers what was seen.
///
/// # Errors
/// When it cannot be written.
pub fn write(state: &Path, target: &TargetName, subvolume: &SubvolumeName, seen: &LastSeen) -> Result<(), JobError> {
    let place = place(state, target, subvolume);
    let text = serde_json::to_vec(seen).map_err(|e| JobError::Bug(e.to_string()))?;
    replace(&place, &text)
}

/// Writes a file as a whole or not at all.
fn replace(place: &Path, text: &[u8]) -> Result<(), JobError> {
    if let Some(parent) = place.parent() {
        make_directory(parent)?;
    }
    let new = place.with_extension("new");
    fs::write(&new, text).map_err(JobError::file("write", &new))?;
    fs::rename(&new, place).map_err(JobError::file("write", place))
}

/// Makes sure that a target is on the pool that it was on, or notes that pool when it is seen for the first time.
///
/// A disk that is not mounted leaves an empty directory of another pool behind.
///
/// # Errors
/// `Away` when it is another pool.
pub(crate) fn claim(state: &Path, target: &TargetName, pool: PoolUuid, note: bool) -> Result<(), JobError> {
    let place = state.join("claimed").join(target.as_str());
    match fs::read_to_string(&place) {
        Ok(text) if text.trim().parse() == Ok(pool) => Ok(()),
        Ok(text) => Err(JobError::Away {
            what: format!("{target} is not on the pool {} that its copies are on", text.trim()),
            hint: format!("mount its disk; if it is meant to begin anew, remove {}", place.display()),
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && note => replace(&place, pool.to_string().as_bytes()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(JobError::file("read", &place)(e)),
    }
}
