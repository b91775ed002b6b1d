//! Looks at what has become of the changes between two states, so that `plan` can decide how they are taken back.
//!
//! It only looks, but for the temporary snapshot that a comparison takes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use subvault_host::copy::Below;
use subvault_host::subvolume::Subvolume;
use subvault_model::bytesize::ByteSize;
use subvault_model::file::{FileKind, FileState, Likeness};
use subvault_model::file_path::FilePath;
use subvault_plan::bring_back::{TreeSize, Twin};
use subvault_plan::undo::{Change, Now, Seen};

use crate::bring_back::measure;
use crate::diff::{self, Difference, Entry, Side};
use crate::error::JobError;

/// What was found.
pub struct Found {
    /// The changes, whether they are to be taken back or not.
    pub changes: Vec<Change>,
    /// Files that lost a name and are there under another.
    pub twins: Vec<Twin>,
    /// What killed copies left where something is to come back.
    pub leftovers: Vec<PathBuf>,
}

/// The places that are looked at.
struct Places {
    before: Below,
    after: Below,
    now: Below,
}

/// Finds the changes from one side to the other, and looks at what is there now in `live`. To be taken back are those at
/// or below `only`, or all if that is empty; what is at or below `not` never counts.
///
/// # Errors
/// When the sides cannot be compared, or something cannot be looked at.
pub fn look(
    from: &Side,
    to: &Side,
    live: &Subvolume,
    only: &[FilePath],
    not: Option<&Path>,
) -> Result<Found, JobError> {
    let report = diff::compare(from, to, &[])?;
    let open = |side: &Side| -> Result<Below, JobError> { Ok(Below::of(&Subvolume::open(side.location())?)?) };
    let places = Places { before: open(from)?, after: open(to)?, now: Below::of(live)? };
    let mut changes = Vec::with_capacity(report.changes.len());
    let not = not.map(|path| FilePath::new(path.as_os_str().as_bytes()));
    let is_ours = |entry: &&Entry| not.as_ref().is_some_and(|not| entry.path.is_within(not));
    for entry in report.changes.iter().filter(|entry| !is_ours(entry)) {
        changes.extend(places.change(entry, only)?);
    }
    let twins = places.twins(&changes)?;
    let mut leftovers = Vec::new();
    for change in changes.iter().filter(|change| change.wanted) {
        let path = change.before.as_ref().or(change.after.as_ref()).map(|seen| seen.path.clone()).unwrap_or_default();
        let parent = path.parent().unwrap_or(Path::new(""));
        if places.now.look(parent)?.is_some_and(|found| is_directory(&found)) {
            leftovers.extend(places.now.leftovers(parent)?);
        }
    }
    leftovers.sort();
    leftovers.dedup();
    // They are removed as such; a comparison with the present has them among what was made.
    let is_leftover = |seen: &Seen| leftovers.iter().any(|path| seen.path.starts_with(path));
    changes.retain(|change| change.before.is_some() || !change.after.as_ref().is_some_and(is_leftover));
    Ok(Found { changes, twins, leftovers })
}

fn path_of(path: &FilePath) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(path.as_bytes()))
}

fn is_directory(state: &FileState) -> bool {
    matches!(state.kind, FileKind::Directory | FileKind::Subvolume)
}

impl Places {
    /// What one line of the comparison means here; `None` for what is gone already, and for nested subvolumes.
    fn change(&self, entry: &Entry, only: &[FilePath]) -> Result<Option<Change>, JobError> {
        let old = entry.from.as_ref().unwrap_or(&entry.path);
        let meant = |path: &FilePath| only.is_empty() || only.iter().any(|directory| path.is_within(directory));
        let wanted = meant(&entry.path) || meant(old);
        let (has_before, has_after) = match entry.change {
            Difference::Created | Difference::Linked => (false, true),
            Difference::Deleted => (true, false),
            _ => (true, true),
        };
        let see = |place: &Below, path: &FilePath, has: bool| -> Result<Option<Seen>, JobError> {
            let path = path_of(path);
            let state = if has { place.look(&path)? } else { None };
            let is_top = path.as_os_str().is_empty();
            Ok(state.filter(|state| is_top || state.kind != FileKind::Subvolume).map(|state| Seen { path, state }))
        };
        let (before, after) = (see(&self.before, old, has_before)?, see(&self.after, &entry.path, has_after)?);
        if before.is_some() != has_before || after.is_some() != has_after {
            return Ok(None);
        }
        let replaced = entry.change == Difference::Replaced;
        let content = replaced || entry.written > ByteSize::ZERO || entry.size_before != entry.size_after;
        let attributes = replaced || !entry.metadata.is_empty() || !entry.xattrs.is_empty();
        let now = self.now(before.as_ref(), after.as_ref(), content, attributes)?;
        let size = match before.as_ref().filter(|_| after.is_none() || content) {
            Some(seen) => measure(&self.before, &seen.path, &seen.state)?,
            None => TreeSize::default(),
        };
        Ok(Some(Change { before, size, after, content, attributes, now, wanted }))
    }

    fn now(
        &self,
        before: Option<&Seen>,
        after: Option<&Seen>,
        content: bool,
        attributes: bool,
    ) -> Result<Now, JobError> {
        let here = match (before, after) {
            (Some(before), None) => return self.now_gone(before),
            (None, None) => return Ok(Now::AsBefore),
            (_, Some(after)) => self.find(after)?,
        };
        let Some(after) = after else { return Ok(Now::AsBefore) };
        if let Some(found) = here.as_ref().filter(|found| found.state.is_still(&after.state)) {
            let same_name = before.is_none_or(|before| before.path == found.path);
            let back = match before {
                Some(_) if !content => same_name && !attributes,
                // Another file may hold what was there before, as after an undo.
                _ => same_name && self.is_as_before(&found.path)?,
            };
            return Ok(if back { Now::AsBefore } else { Now::AsAfter(found.path.clone()) });
        }
        let Some(before) = before else {
            return Ok(Now::Otherwise(self.now.look(&after.path)?));
        };
        if let Some(there) = self.now.look(&before.path)? {
            match self.before.compare(&before.path, &self.now, &before.path)? {
                Likeness::Same => return Ok(Now::AsBefore),
                Likeness::AttributesDiffer if there.inode == before.state.inode => return Ok(Now::Almost(there)),
                _ => {}
            }
        }
        Ok(Now::Otherwise(here.map(|found| found.state)))
    }

    /// What became of something that is gone.
    fn now_gone(&self, before: &Seen) -> Result<Now, JobError> {
        let Some(there) = self.now.look(&before.path)? else { return Ok(Now::AsAfter(before.path.clone())) };
        if self.is_as_before(&before.path)? {
            return Ok(Now::AsBefore);
        }
        // Something else has the name since, which is another change.
        let same_as_after = self.after.look(&before.path)?.is_some_and(|after| after.inode == there.inode);
        if same_as_after && there.inode != before.state.inode {
            return Ok(Now::AsAfter(before.path.clone()));
        }
        Ok(Now::Otherwise(Some(there)))
    }

    /// Whether what is there now is what was there before, be it the same file or another one. Of a directory this is said
    /// of itself alone: what is in it has lines of its own.
    fn is_as_before(&self, path: &Path) -> Result<bool, JobError> {
        let is_there = self.before.look(path)?.is_some() && self.now.look(path)?.is_some();
        Ok(is_there && self.before.compare(path, &self.now, path)? == Likeness::Same)
    }

    /// Where something is now: where it was, or, by its number, elsewhere.
    fn find(&self, seen: &Seen) -> Result<Option<Seen>, JobError> {
        let at = |path: PathBuf, state: FileState| Seen { path, state };
        if let Some(state) = self.now.look(&seen.path)?.filter(|state| state.inode == seen.state.inode) {
            return Ok(Some(at(seen.path.clone(), state)));
        }
        match self.now.path_of(seen.state.inode)? {
            Some(path) => Ok(self.now.look(&path)?.map(|state| at(path, state))),
            None => Ok(self.now.look(&seen.path)?.map(|state| at(seen.path.clone(), state))),
        }
    }

    /// Files that lost a name: it becomes a name of the same file again, if that is or will be as it was.
    fn twins(&self, changes: &[Change]) -> Result<Vec<Twin>, JobError> {
        let mut twins = Vec::new();
        for before in changes.iter().filter(|change| change.after.is_none()).filter_map(|change| change.before.as_ref())
        {
            let inode = before.state.inode;
            if before.state.links < 2 || is_directory(&before.state) {
                continue;
            }
            let Some(path) = self.now.path_of(inode)? else { continue };
            let comes_back = changes.iter().any(|change| {
                let is_it = |seen: &Option<Seen>| seen.as_ref().is_some_and(|seen| seen.state.inode == inode);
                change.wanted && is_it(&change.before) && is_it(&change.after) && matches!(change.now, Now::AsAfter(_))
            });
            if comes_back || self.before.compare(&before.path, &self.now, &path)? == Likeness::Same {
                twins.push(Twin { inode, path, there: inode });
            }
        }
        Ok(twins)
    }
}
