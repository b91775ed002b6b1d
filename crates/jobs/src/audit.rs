//! The audit log: a line of JSON for everything that changed something, kept for good.
//!
//! Append-only, and written before the run goes on; it is not synced line by line, so a power cut may cost the last
//! ones. It is a record for people and for statistics: losing it loses these, never the ability to continue a chain or to
//! restore.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::JobError;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Which run: all its lines have the same number (its process id and the second it began in).
    pub run: String,
    /// What was done: `send_stream`, `delete_snapshot` …
    pub action: String,
    /// How it ended: `done`, `failed`, `left_out`.
    pub outcome: String,
    /// On what, with figures.
    pub detail: Value,
}

/// Writes the log of one run.
#[derive(Debug)]
pub struct Audit {
    path: PathBuf,
    run: String,
}

impl Audit {
    /// The log in the state directory, which is made if need be, for root only.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(state: &Path, now: Timestamp) -> Result<Self, JobError> {
        make_directory(state)?;
        let run = format!("{}-{}", subvault_model::timestamp::compact(now), std::process::id());
        Ok(Self { path: state.join("audit.jsonl"), run })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&self, at: Timestamp, action: &str, outcome: &str, detail: Value) -> Result<(), JobError> {
        let entry = Entry { at, run: self.run.clone(), action: action.to_owned(), outcome: outcome.to_owned(), detail };
        let mut line = serde_json::to_vec(&entry).map_err(|e| JobError::Bug(e.to_string()))?;
        line.push(b'\n');
        let append = || {
            let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
            file.write_all(&line)
        };
        append().map_err(JobError::file("write the audit log", &self.path))
    }
}

/// All lines of a log that can be read, oldest first.
///
/// # Errors
/// When the log is there and cannot be read.
pub fn read(state: &Path) -> Result<Vec<Entry>, JobError> {
    let path = state.join("audit.jsonl");
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(JobError::file("read the audit log", &path)(e)),
    };
    // A line that a power cut left unfinished is passed over.
    Ok(text.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// Makes a directory of ours and its parents, for root only.
///
/// # Errors
/// When it cannot be made.
pub fn make_directory(path: &Path) -> Result<(), JobError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(JobError::file("make the directory", path))
}
