//! What differs between two snapshots, or between a snapshot and the present, in time proportional to the difference.
//!
//! The kernel compares the trees and sends what differs without data; [`Changes`] makes a list of it; here it is
//! completed with what no stream tells (sizes before, what a deleted name stood for), and rid of what is no difference to
//! anybody (times of the last access). What is writable is compared through a temporary snapshot. Nothing is written but
//! that; it must never be left behind by a process that lives.

mod entry;
mod kin;
mod side;
mod temporary;
pub mod text;

use std::io::Read;

use serde::Serialize;
use subvault_host::send::{SendSettings, send, supported_protocol};
use subvault_host::subvolume::Subvolume;
use subvault_model::bytesize::ByteSize;
use subvault_model::file_path::FilePath;
use subvault_sendstream::changes::{Change, Changes};
use subvault_sendstream::decode::{Decoder, PushError};

pub use entry::{Difference, Entry, EntryKind};
pub use side::Side;

use crate::error::JobError;

/// How much of the stream is read at a time.
const BLOCK: usize = 256 << 10;

/// What differs, and how much of it there is.
#[derive(Debug, Serialize)]
pub struct DiffReport {
    /// The older side.
    pub from: String,
    /// The newer side.
    pub to: String,
    /// What differs, by path.
    pub changes: Vec<Entry>,
    /// How much of it there is.
    pub totals: Totals,
}

/// Counts and sizes of what differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// Names of what is new, further names included.
    pub created: u64,
    /// Names that are gone.
    pub deleted: u64,
    /// Files whose content differs, those in whose place there is another file included.
    pub modified: u64,
    /// What has another name.
    pub renamed: u64,
    /// What differs in its metadata only.
    pub metadata: u64,
    /// Bytes of files that are new.
    pub created_bytes: ByteSize,
    /// Bytes of files that are gone.
    pub deleted_bytes: ByteSize,
    /// Bytes that were written into files that were there before, also those that are as they were.
    pub written_bytes: ByteSize,
}

impl Totals {
    /// Adds one line.
    pub fn add(&mut self, entry: &Entry) {
        let size = |size: Option<ByteSize>| size.unwrap_or_default();
        match entry.change {
            Difference::Created => {
                self.created += 1;
                self.created_bytes += size(entry.size_after);
            }
            Difference::Linked => self.created += 1,
            Difference::Deleted => {
                self.deleted += 1;
                self.deleted_bytes += size(entry.size_before);
            }
            Difference::Replaced => {
                self.modified += 1;
                self.written_bytes += size(entry.size_after);
            }
            Difference::Modified => {
                self.modified += 1;
                self.written_bytes += entry.written;
            }
            Difference::Renamed => {
                self.renamed += 1;
                self.written_bytes += entry.written;
            }
            Difference::Metadata => self.metadata += 1,
        }
    }
}

/// Compares two sides, which must descend from each other or from a third.
///
/// With `only`, what lies at or below these paths, before or after, and nothing else.
///
/// # Errors
/// When they are not related, or the kernel cannot compare them.
pub fn compare(from: &Side, to: &Side, only: &[FilePath]) -> Result<DiffReport, JobError> {
    kin::require(from, to)?;
    let older = temporary::read_only(from, to)?;
    let newer = temporary::read_only(to, from)?;
    let changes = changes(older.subvolume(), newer.subvolume())?;
    let mut entries = entry::entries(changes, older.subvolume(), newer.subvolume())?;
    for temporary in [older, newer] {
        temporary.remove()?;
    }
    let meant = |path: &FilePath| only.is_empty() || only.iter().any(|directory| path.is_within(directory));
    entries.retain(|entry| meant(&entry.path) || entry.from.as_ref().is_some_and(meant));
    let mut totals = Totals::default();
    entries.iter().for_each(|entry| totals.add(entry));
    Ok(DiffReport { from: from.label.clone(), to: to.label.clone(), changes: entries, totals })
}

/// The list that follows from the kernel's stream.
fn changes(from: &Subvolume, to: &Subvolume) -> Result<Vec<Change>, JobError> {
    let settings = SendSettings { protocol: supported_protocol(), compressed: false, no_data: true };
    let mut stream = send(to, Some(from), &[], settings)?;
    let (mut decoder, mut changes) = (Decoder::new(), Changes::new());
    let mut block = vec![0; BLOCK];
    loop {
        let len = stream.read(&mut block).map_err(|source| broken(to, source))?;
        if len == 0 {
            break;
        }
        let pushed = decoder.push(&block[..len], &mut |command| changes.command(&command));
        pushed.map_err(|error| match error {
            PushError::Stream(error) => broken(to, error),
            PushError::Each(error) => broken(to, error),
        })?;
    }
    decoder.finish().map_err(|error| broken(to, error))?;
    stream.finish()?;
    Ok(changes.finish())
}

fn broken(of: &Subvolume, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> JobError {
    JobError::Compare { what: of.path().display().to_string(), source: source.into() }
}
