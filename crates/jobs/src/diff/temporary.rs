//! A read-only snapshot for as long as a comparison takes.
//!
//! Invariant: it is named `.subvault-diff.<process>.<number>`, and removed when the comparison ends, however it ends.
//! Killed here: it stays, and is removed by the next comparison that would put one in the same directory, since its
//! name tells that its process is gone. It must never remove what does not bear such a name, is not read-only, or belongs
//! to a process that runs.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use subvault_host::subvolume::Subvolume;
use subvault_host::{HostErrorKind, identity, snapshot};
use subvault_model::crash;
use subvault_model::ids::SnapshotUuid;

use super::Side;
use crate::error::JobError;

const PREFIX: &str = ".subvault-diff.";

/// Something read-only to compare.
pub(super) enum ReadOnly<'a> {
    /// It is so by itself.
    Itself(&'a Subvolume),
    /// A snapshot of what is not.
    Temporary(Temporary),
}

/// A snapshot that goes when this is dropped.
pub(super) struct Temporary {
    subvolume: Subvolume,
    directory: PathBuf,
    name: OsString,
    uuid: SnapshotUuid,
    removed: bool,
}

impl ReadOnly<'_> {
    pub(super) fn subvolume(&self) -> &Subvolume {
        match self {
            Self::Itself(subvolume) => subvolume,
            Self::Temporary(temporary) => &temporary.subvolume,
        }
    }

    /// Removes the snapshot, if one was taken, and tells when that fails.
    pub(super) fn remove(self) -> Result<(), JobError> {
        match self {
            Self::Itself(_) => Ok(()),
            Self::Temporary(mut temporary) => temporary.remove(),
        }
    }
}

impl Temporary {
    fn remove(&mut self) -> Result<(), JobError> {
        self.removed = true;
        Ok(Subvolume::delete(&self.directory, &self.name, self.uuid)?)
    }
}

impl Drop for Temporary {
    /// After an error, which is what the user is told; the next comparison tries again.
    fn drop(&mut self) {
        if !self.removed {
            let _ = self.remove();
        }
    }
}

/// The side itself where it is read-only, else a snapshot of it.
pub(super) fn read_only<'a>(side: &'a Side, other: &Side) -> Result<ReadOnly<'a>, JobError> {
    if side.is_read_only()? {
        return Ok(ReadOnly::Itself(&side.subvolume));
    }
    let mut refusal = None;
    for directory in directories(side, other)? {
        match take(side, &directory) {
            Ok(temporary) => return Ok(ReadOnly::Temporary(temporary)),
            Err(JobError::Host(error)) if is_no_place(error.kind()) => refusal = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(refusal.map_or_else(|| JobError::Bug("no place for a snapshot".to_owned()), JobError::Host))
}

/// Where a snapshot may be put, the least disturbing place first.
fn directories(side: &Side, other: &Side) -> Result<Vec<PathBuf>, JobError> {
    let above = |subvolume: &Subvolume| subvolume.path().parent().map(Path::to_owned);
    let mut directories: Vec<PathBuf> = side.snapshots.iter().chain(&other.snapshots).cloned().collect();
    if other.is_read_only()? {
        directories.extend(above(&other.subvolume));
    }
    directories.extend(above(&side.subvolume));
    directories.push(side.subvolume.path().to_owned());
    // A relative path of one name has an empty one above it.
    directories.retain(|directory| !directory.as_os_str().is_empty());
    Ok(directories)
}

fn is_no_place(kind: HostErrorKind) -> bool {
    use HostErrorKind as K;
    matches!(kind, K::NotFound | K::NotBtrfs | K::OtherPool | K::ReadOnly)
}

fn take(side: &Side, directory: &Path) -> Result<Temporary, JobError> {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    remove_left_behind(directory);
    let number = TAKEN.fetch_add(1, Ordering::Relaxed);
    let name = OsString::from(format!("{PREFIX}{}.{number}", identity::process_mark()?));
    let (subvolume, info) = snapshot::take(&side.subvolume, directory, &name)?;
    crash::point("diff-snapshot-taken");
    let uuid = info.identity()?;
    Ok(Temporary { subvolume, directory: directory.to_owned(), name, uuid, removed: false })
}

/// Removes what comparisons that were killed left here. What cannot be removed now is left to the next one.
fn remove_left_behind(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for name in entries.filter_map(|entry| Some(entry.ok()?.file_name())).filter(|name| is_left_behind(name)) {
        let Ok(found) = Subvolume::open_in(directory, &name).and_then(|found| found.info()) else { continue };
        if let Some(uuid) = found.uuid.filter(|_| found.read_only) {
            let _ = Subvolume::delete(directory, &name, uuid);
        }
    }
}

fn is_left_behind(name: &OsStr) -> bool {
    let text = std::str::from_utf8(name.as_bytes()).ok();
    let mark = text.and_then(|text| text.strip_prefix(PREFIX)?.rsplit_once('.'));
    mark.is_some_and(|(mark, number)| number.parse::<u32>().is_ok() && identity::is_running(mark) == Some(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_dead_processes_left_is_recognised() {
        let mine = format!("{PREFIX}{}.0", identity::process_mark().unwrap());
        assert!(!is_left_behind(OsStr::new(&mine)));
        assert!(is_left_behind(OsStr::new(".subvault-diff.00000000-1-1.0")));
        for name in [".subvault-diff.", ".subvault-diff.00000000-1-1", ".subvault-diff.00000000-1-1.x", "home", ""] {
            assert!(!is_left_behind(OsStr::new(name)), "{name}");
        }
        assert!(!is_left_behind(OsStr::from_bytes(b".subvault-diff.\xff.0")));
    }
}
