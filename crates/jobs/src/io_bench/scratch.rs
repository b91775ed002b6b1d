//! Scratch subvolumes, one for each side, and a snapshot beside them for a while.
//!
//! Invariant: they are named `.subvault-bench.<process>.<what>`, and nothing is removed that is not named so and a subvolume.
//! Of others' only those of processes that are gone. Killed here: they stay, and the next one removes them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use subvault_host::inode_attributes::Inherited;
use subvault_host::interruption::Interruption;
use subvault_host::io_bench::Scratch;
use subvault_host::subvolume::Subvolume;
use subvault_host::{HostErrorKind, identity};
use subvault_plan::io_bench::trial::Storage;

use super::{IoBenchJob, Side};
use crate::error::JobError;

const PREFIX: &str = ".subvault-bench.";
const NOW: &str = "now";
const TUNED: &str = "tuned";
const SNAPSHOT: &str = "snapshot";

/// One for each side.
pub(super) struct Scratches {
    now: Subvolume,
    tuned: Subvolume,
    snapshot: OsString,
}

impl Scratches {
    pub(super) fn make(job: &IoBenchJob<'_>, mark: &str) -> Result<Self, JobError> {
        let make = |what: &str, storage: &Storage| -> Result<Subvolume, JobError> {
            let made = Subvolume::create(job.directory, &name(mark, what));
            let made = made.map_err(|error| match error.kind() {
                HostErrorKind::ReadOnly => error.with_hint("nothing can be written there; say another --path"),
                _ => error,
            })?;
            store_so(made.path(), storage)?;
            Ok(made)
        };
        let now = make(NOW, &job.trial.now)?;
        Ok(Self { now, tuned: make(TUNED, &job.trial.tuned)?, snapshot: name(mark, SNAPSHOT) })
    }

    pub(super) fn of<'a>(&'a self, side: Side, job: &'a IoBenchJob<'_>, stop: &'a Interruption) -> Scratch<'a> {
        Scratch {
            subvolume: if side == Side::Now { &self.now } else { &self.tuned },
            directory: job.directory,
            snapshot: &self.snapshot,
            size: job.size,
            interruption: stop,
        }
    }
}

/// Has new files in an empty subvolume stored so. How it is to be compressed it may have from the subvolume around it; the
/// attribute C it has not.
fn store_so(path: &Path, storage: &Storage) -> Result<(), JobError> {
    let inherited = Inherited::open(path)?;
    // Neither `zstd` nor `none` goes together with the attribute C.
    let wanted = storage.compression.as_deref().filter(|_| !storage.is_nocow);
    if inherited.compression()?.as_deref() != wanted.map(str::as_bytes) {
        // Nothing at all stands for what the filesystem says.
        inherited.set_compression(wanted.unwrap_or_default())?;
    }
    if storage.is_nocow {
        inherited.set_nocow()?;
    }
    Ok(())
}

fn name(mark: &str, what: &str) -> OsString {
    format!("{PREFIX}{mark}.{what}").into()
}

/// Whose a name is, if it is one of ours.
fn mark(name: &OsStr) -> Option<&str> {
    let text = std::str::from_utf8(name.as_bytes()).ok()?;
    let (mark, what) = text.strip_prefix(PREFIX)?.rsplit_once('.')?;
    [NOW, TUNED, SNAPSHOT].contains(&what).then_some(mark)
}

/// Removes our own.
pub(super) fn remove(directory: &Path, own: &str) -> Result<(), JobError> {
    remove_those(directory, |name| mark(name) == Some(own)).map(drop)
}

/// Removes what those left that were killed; what that was, in words.
pub(super) fn remove_left_behind(directory: &Path) -> Result<Vec<String>, JobError> {
    let removed = remove_those(directory, |name| mark(name).and_then(identity::is_running) == Some(false))?;
    let count = removed.len();
    Ok((count > 0).then(|| format!("{count} scratch subvolumes in {}", directory.display())).into_iter().collect())
}

fn remove_those(directory: &Path, is_wanted: impl Fn(&OsStr) -> bool) -> Result<Vec<OsString>, JobError> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        // A disk that was taken away took them along.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(JobError::file("read", directory)(error)),
    };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name())).filter(|name| is_wanted(name));
    let mut removed = Vec::new();
    for name in names.collect::<Vec<_>>() {
        let found = Subvolume::open_in(directory, &name)?.info()?;
        Subvolume::delete(directory, &name, found.identity()?)?;
        removed.push(name);
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours_are_known() {
        assert_eq!(mark(OsStr::new(".subvault-bench.00000000-1-1.now")), Some("00000000-1-1"));
        assert_eq!(mark(&name("x", SNAPSHOT)), Some("x"));
        for other in [".subvault-bench.", ".subvault-bench.x", ".subvault-bench.x.else", "subvault-bench.x.now", "home"]
        {
            assert_eq!(mark(OsStr::new(other)), None, "{other}");
        }
        assert_eq!(mark(OsStr::from_bytes(b".subvault-bench.\xff.now")), None);
    }
}
