//! Notes on snapshots: a file of JSON beside each that has one, `NAME.note.json`.
//!
//! A note appears all at once, and is on disk when it has been written. One that cannot be read counts as if it said to keep
//! its snapshot: whatever it says, somebody found it worth saying.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use subvault_model::names::SnapshotName;
use subvault_model::note::{KEEP, Note};

use crate::error::JobError;

const ENDING: &str = ".note.json";

/// Which snapshot a file is a note on, if it is one.
#[must_use]
pub fn is_of(file: &OsStr) -> Option<SnapshotName> {
    file.to_str()?.strip_suffix(ENDING)?.parse().ok()
}

/// What is noted about a snapshot; nothing where there is no note.
#[must_use]
pub fn read(directory: &Path, snapshot: &SnapshotName) -> Note {
    let unreadable = || Note {
        description: Some("its note cannot be read, so it is kept".to_owned()),
        tags: BTreeSet::from([KEEP.to_owned()]),
        ..Note::default()
    };
    match fs::read(path(directory, snapshot)) {
        Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|_| unreadable()),
        Err(e) if e.kind() == ErrorKind::NotFound => Note::default(),
        Err(_) => unreadable(),
    }
}

/// Notes something about a snapshot, in place of what was noted before.
///
/// # Errors
/// When it cannot be written.
pub fn write(directory: &Path, snapshot: &SnapshotName, note: &Note) -> Result<(), JobError> {
    let path = path(directory, snapshot);
    let text = serde_json::to_vec(note).map_err(|e| JobError::Bug(e.to_string()))?;
    let staged = directory.join(format!(".{snapshot}.note.part"));
    let put = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&staged)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&staged, &path)
    };
    put().map_err(JobError::file("write the note", &path))
}

/// Removes what was noted.
///
/// # Errors
/// When it is there and stays.
pub fn remove(directory: &Path, snapshot: &SnapshotName) -> Result<(), JobError> {
    let path = path(directory, snapshot);
    match fs::remove_file(&path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(JobError::file("remove the note", &path)(e)),
        _ => Ok(()),
    }
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
}
