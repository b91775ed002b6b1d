//! Notes on snapshots: a file of JSON beside each that has one, `NAME.note.json`.
//!
//! A note appears all at once, and is on disk when it has been written. One that cannot be read counts as if it said to keep
//! its snapshot: whatever it says, somebody found it worth saying.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use subvault_host::subvolume::SubvolumeInfo;
use subvault_model::crash;
use subvault_model::ids::{ParentUuid, SnapshotUuid};
use subvault_model::names::{SnapshotName, SubvolumeName};
use subvault_model::note::{KEEP, Note, Remade};
use subvault_model::subvolume::LocalSnapshot;

use crate::error::JobError;

const ENDING: &str = ".note.json";
/// Longer than any note that somebody writes.
pub const LENGTH_MAX: u64 = 1 << 20;
const STAGED_ENDING: &str = ".note.part";

/// Which snapshot a file is a note on, if it is one.
#[must_use]
pub fn is_of(file: &OsStr) -> Option<SnapshotName> {
    file.to_str()?.strip_suffix(ENDING)?.parse().ok()
}

/// Which snapshot a file was to become a note on.
fn is_staged_for(file: &OsStr) -> Option<SnapshotName> {
    file.to_str()?.strip_prefix('.')?.strip_suffix(STAGED_ENDING)?.parse().ok()
}

/// The snapshots of a subvolume that are not there though a note on them is, or on which a note was being written.
///
/// # Errors
/// When the directory is there and cannot be read.
pub fn lost(directory: &Path, subvolume: &SubvolumeName) -> Result<Vec<SnapshotName>, JobError> {
    let mut lost = BTreeSet::new();
    for file in files(directory)? {
        lost.extend(is_staged_for(&file));
        lost.extend(is_of(&file).filter(|name| !is_there(directory, name)));
    }
    lost.retain(|name| name.subvolume() == subvolume);
    Ok(lost.into_iter().collect())
}

/// The names in a directory; none where that is not there.
fn files(directory: &Path) -> Result<Vec<OsString>, JobError> {
    let failed = || JobError::file("read the snapshot directory", directory);
    match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| Ok(entry.map_err(failed())?.file_name())).collect(),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(failed()(e)),
    }
}

/// Whatever it is: a note is lost only where nothing at all has the name.
fn is_there(directory: &Path, snapshot: &SnapshotName) -> bool {
    !matches!(fs::symlink_metadata(directory.join(snapshot.to_string())), Err(e) if e.kind() == ErrorKind::NotFound)
}

/// Where the note on what is at this path would be, if that is a snapshot of ours by its name.
#[must_use]
pub fn beside(snapshot: &Path) -> Option<PathBuf> {
    let name: SnapshotName = snapshot.file_name()?.to_str()?.parse().ok()?;
    Some(path(snapshot.parent()?, &name))
}

/// What is noted about a snapshot; nothing where there is no note.
#[must_use]
pub fn read(directory: &Path, snapshot: &SnapshotName) -> Note {
    let unreadable = || Note {
        description: Some("its note cannot be read, so it is kept".to_owned()),
        tags: BTreeSet::from([KEEP.to_owned()]),
        ..Note::default()
    };
    readable(directory, snapshot).unwrap_or_else(unreadable)
}

/// The same; `None` where there is a note that cannot be read.
#[must_use]
pub fn readable(directory: &Path, snapshot: &SnapshotName) -> Option<Note> {
    match fs::read(path(directory, snapshot)) {
        Ok(text) => serde_json::from_slice(&text).ok(),
        Err(e) if e.kind() == ErrorKind::NotFound => Some(Note::default()),
        Err(_) => None,
    }
}

/// What a snapshot is a snapshot of: as the kernel says, or as is noted where it was replaced since.
#[must_use]
pub fn parent(path: &Path, info: &SubvolumeInfo) -> Option<ParentUuid> {
    remade(path).and_then(|remade| remade.parent).or(info.parent_uuid)
}

/// What is noted about what the snapshot at this path replaced.
#[must_use]
pub fn remade(path: &Path) -> Option<Remade> {
    let name = path.file_name()?.to_str()?.parse().ok()?;
    readable(path.parent()?, &name)?.remade
}

/// The snapshots of a directory that were replaced, with what they were snapshots of: what was made of one of them names it
/// as its parent, and it is gone.
///
/// # Errors
/// When the directory is there and cannot be read.
pub fn gone(directory: &Path) -> Result<BTreeMap<SnapshotUuid, ParentUuid>, JobError> {
    let mut gone = BTreeMap::new();
    for file in files(directory)? {
        let remade = is_of(&file).and_then(|name| readable(directory, &name)?.remade);
        gone.extend(remade.iter().flat_map(Remade::gone));
    }
    Ok(gone)
}

/// The same of snapshots that were looked at.
#[must_use]
pub fn gone_of(snapshots: &[LocalSnapshot]) -> BTreeMap<SnapshotUuid, ParentUuid> {
    snapshots.iter().filter_map(|snapshot| snapshot.note.remade.as_ref()).flat_map(Remade::gone).collect()
}

/// Notes something about a snapshot, in place of what was noted before.
///
/// # Errors
/// When it cannot be written.
pub fn write(directory: &Path, snapshot: &SnapshotName, note: &Note) -> Result<(), JobError> {
    let path = path(directory, snapshot);
    let text = serde_json::to_vec(note).map_err(|e| JobError::Bug(e.to_string()))?;
    let staged = staged(directory, snapshot);
    let put = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&staged)?;
        file.write_all(&text)?;
        file.sync_all()?;
        crash::point("note-staged");
        fs::rename(&staged, &path)
    };
    put().map_err(JobError::file("write the note", &path))
}

/// Removes what was noted.
///
/// # Errors
/// When it is there and stays.
pub fn remove(directory: &Path, snapshot: &SnapshotName) -> Result<(), JobError> {
    remove_file(&path(directory, snapshot))
}

/// Removes what a run that died left: a note that is half written, and the note itself where its snapshot is not there.
///
/// # Errors
/// When it is there and stays.
pub fn remove_lost(directory: &Path, snapshot: &SnapshotName) -> Result<(), JobError> {
    remove_file(&staged(directory, snapshot))?;
    if !is_there(directory, snapshot) {
        remove(directory, snapshot)?;
    }
    crash::point("prune-lost-note-removed");
    Ok(())
}

fn remove_file(path: &Path) -> Result<(), JobError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(JobError::file("remove the note", path)(e)),
        _ => Ok(()),
    }
}

fn staged(directory: &Path, snapshot: &SnapshotName) -> PathBuf {
    directory.join(format!(".{snapshot}{STAGED_ENDING}"))
}

fn path(directory: &Path, snapshot: &SnapshotName) -> PathBuf {
    directory.join(format!("{snapshot}{ENDING}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_read_back_and_what_is_unreadable_keeps() {
        let dir = tempfile::tempdir().unwrap();
        let name: SnapshotName = "home.20261120T221500Z".parse().unwrap();
        assert_eq!(read(dir.path(), &name), Note::default());
        let note = Note { description: Some("before the upgrade".to_owned()), ..Note::default() };
        write(dir.path(), &name, &note).unwrap();
        assert_eq!(read(dir.path(), &name), note);
        let files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(files.len(), 1);
        assert_eq!(is_of(&files[0]), Some(name.clone()));
        fs::write(path(dir.path(), &name), "{").unwrap();
        assert!(read(dir.path(), &name).tags.contains(KEEP));
        remove(dir.path(), &name).unwrap();
        remove(dir.path(), &name).unwrap();
        assert_eq!(read(dir.path(), &name), Note::default());
    }

    #[test]
    fn what_a_dead_run_left_goes_and_what_is_used_stays() {
        let dir = tempfile::tempdir().unwrap();
        let [there, gone, other] = ["home.20261120T221500Z", "home.20261120T221501Z", "srv.20261120T221501Z"]
            .map(|text| text.parse::<SnapshotName>().unwrap());
        let note = Note { description: Some("before the upgrade".to_owned()), ..Note::default() };
        [&there, &gone, &other].into_iter().for_each(|name| write(dir.path(), name, &note).unwrap());
        fs::create_dir(dir.path().join(there.to_string())).unwrap();
        assert_eq!(lost(dir.path(), there.subvolume()).unwrap(), std::slice::from_ref(&gone));
        fs::write(staged(dir.path(), &there), "{").unwrap();
        let left = lost(dir.path(), there.subvolume()).unwrap();
        assert_eq!(left, [there.clone(), gone.clone()]);
        left.iter().for_each(|name| remove_lost(dir.path(), name).unwrap());
        assert_eq!(lost(dir.path(), there.subvolume()).unwrap(), []);
        assert_eq!([&there, &gone, &other].map(|name| read(dir.path(), name) == note), [true, false, true]);
    }
}
