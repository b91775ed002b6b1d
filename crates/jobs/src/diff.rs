//! What differs between two snapshots, or between a snapshot and the present, in time proportional to the difference.
//!
//! What differs is read from the trees where it is known when their lines parted ([`tree_diff`]), else the kernel compares
//! them ([`by_stream`]); both give the same list. Here it is rid of what is no difference to anybody (times of the last
//! access). What is writable is compared through a temporary snapshot. Nothing is written but that; it must never be left
//! behind by a process that lives.

mod by_stream;
mod entry;
mod kin;
mod side;
mod temporary;
pub mod text;

use serde::Serialize;
use subvault_host::subvolume::{Subvolume, parted};
use subvault_host::tree_diff::{self, Compared};
use subvault_model::bytesize::ByteSize;
use subvault_model::file_path::FilePath;

pub use entry::{Difference, Entry, EntryKind};
pub use side::Side;

use crate::error::JobError;

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
    let mut entries = entry::entries(compared(older.subvolume(), newer.subvolume())?);
    for temporary in [older, newer] {
        temporary.remove()?;
    }
    let meant = |path: &FilePath| only.is_empty() || only.iter().any(|directory| path.is_within(directory));
    entries.retain(|entry| meant(&entry.path) || entry.from.as_ref().is_some_and(meant));
    let mut totals = Totals::default();
    entries.iter().for_each(|entry| totals.add(entry));
    Ok(DiffReport { from: from.label.clone(), to: to.label.clone(), changes: entries, totals })
}

/// What differs: read from the trees where that is possible, else from what the kernel sends.
fn compared(from: &Subvolume, to: &Subvolume) -> Result<Vec<Compared>, JobError> {
    if let Some(parted) = parted(&from.lineage()?, &to.lineage()?)
        && let Some(list) = tree_diff::compare(from, to, parted)?
    {
        return Ok(list);
    }
    by_stream::compare(from, to)
}
