//! Brings paths back out of a snapshot: looks at both sides, and carries out what `plan` decided.
//!
//! Killed here: each step is done or not; what a killed copy left is removed by the next one. The snapshot that keeps the
//! present state is taken before anything is changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use subvault_host::copy::{Below, Copied, Copier};
use subvault_model::bytesize::ByteSize;
use subvault_model::file::{FileKind, FileState, Likeness, as_shown};
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::SnapshotName;
use subvault_model::note::{BEFORE_CHANGE, Note};
use subvault_model::subvolume::LocalSnapshot;
use subvault_plan::bring_back::{Item, TreeSize, Twin};
use subvault_plan::file_step::FileStep;

use crate::driver::{Verdict, chain};
use crate::error::JobError;
use crate::setup::SubvolumeSetup;
use crate::snapshot;

/// What was seen on both sides.
#[derive(Debug, Default)]
pub struct Seen {
    /// Path by path.
    pub items: Vec<Item>,
    /// What killed copies left where things go.
    pub leftovers: Vec<PathBuf>,
}

/// Looks at what is at `source` of one place and at `target` of another, and at everything in it.
///
/// Directories that are missing on the way to `target` are taken from the way to `source`, without what else is in them,
/// where the two are as deep. What is at `not` of the source is left out.
///
/// # Errors
/// When something cannot be looked at.
pub fn compare(from: &Below, source: &Path, to: &Below, target: &Path, not: Option<&Path>) -> Result<Seen, JobError> {
    let mut items = missing_parents(from, source, to, target)?;
    let parent = target.parent().unwrap_or(Path::new(""));
    let mut leftovers = if to.look(parent)?.is_some() { to.leftovers(parent)? } else { Vec::new() };
    let mut open = vec![(source.to_owned(), target.to_owned())];
    while let Some((source, target)) = open.pop() {
        if not == Some(source.as_path()) {
            continue;
        }
        let is_top = source.as_os_str().is_empty();
        // What stands for a nested subvolume is not what was in it.
        let wanted = from.look(&source)?.filter(|found| is_top || found.kind != FileKind::Subvolume);
        let Some(wanted) = wanted.map(|found| if is_top { as_directory(found) } else { found }) else { continue };
        let there = to.look(&target)?;
        let is_met =
            |there: FileState| there.kind == FileKind::Directory || (is_top && there.kind == FileKind::Subvolume);
        let both = wanted.kind == FileKind::Directory && there.is_some_and(is_met);
        if both {
            leftovers.extend(to.leftovers(&target)?);
        }
        if both || is_top {
            let names = from.names(&source)?;
            open.extend(names.iter().rev().map(|name| (source.join(name), target.join(name))));
        }
        let likeness = match there {
            Some(there) if !(is_top && both) => Some((there, from.compare(&source, to, &target)?)),
            // The top of a subvolume is a subvolume, and stays what it is.
            Some(there) => Some((there, Likeness::Same)),
            None => None,
        };
        let is_whole = !is_top && (likeness.is_none() || !both);
        let size = if is_whole { measure(from, &source, &wanted)? } else { TreeSize::default() };
        items.push(Item { from: source, to: target, wanted, size, there: likeness, alone: is_top });
    }
    Ok(Seen { items, leftovers })
}

/// The top of a subvolume comes back as a directory.
fn as_directory(top: FileState) -> FileState {
    FileState { kind: FileKind::Directory, ..top }
}

/// The directories on the way that are not there.
fn missing_parents(from: &Below, source: &Path, to: &Below, target: &Path) -> Result<Vec<Item>, JobError> {
    let mut items = Vec::new();
    let pairs = source.ancestors().zip(target.ancestors()).skip(1);
    for (source, target) in pairs.filter(|(_, target)| !target.as_os_str().is_empty()) {
        if to.look(target)?.is_some() {
            break;
        }
        let Some(wanted) = from.look(source)? else { break };
        let size = TreeSize { entries: 1, bytes: ByteSize::ZERO };
        let (source, target) = (source.to_owned(), target.to_owned());
        items.push(Item { from: source, to: target, wanted, size, there: None, alone: true });
    }
    items.reverse();
    Ok(items)
}

/// How much is in a tree.
pub(crate) fn measure(from: &Below, path: &Path, state: &FileState) -> Result<TreeSize, JobError> {
    let mut size = TreeSize::default();
    let mut open: Vec<(PathBuf, FileState)> = vec![(path.to_owned(), *state)];
    while let Some((path, state)) = open.pop() {
        size.entries += 1;
        match state.kind {
            FileKind::File => size.bytes += state.size,
            FileKind::Directory => {
                for name in from.names(&path)? {
                    let below = path.join(name);
                    open.extend(from.look(&below)?.map(|state| (below, state)));
                }
            }
            _ => {}
        }
    }
    Ok(size)
}

/// What is worked with.
pub struct Work<'a> {
    /// The subvolume, where its present state may have to be kept.
    pub setup: Option<&'a SubvolumeSetup>,
    /// Where things come from.
    pub from: &'a Below,
    /// Where they go.
    pub to: &'a Below,
    /// What is there already and may get further names.
    pub twins: &'a [Twin],
    /// The command, for the note on the snapshot that keeps the present state.
    pub command: &'static str,
    /// Who listens.
    pub monitor: &'a dyn Monitor,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// What was done.
    pub done: Vec<FileStep>,
    /// What was not.
    pub failed: Vec<NotDone>,
    /// The snapshot that has the state before.
    pub kept: Option<SnapshotName>,
    /// What was copied.
    pub copied: Copied,
}

/// A step that was not done.
#[derive(Debug, Serialize)]
pub struct NotDone {
    /// Where.
    #[serde(serialize_with = "as_shown")]
    pub path: PathBuf,
    /// Why.
    pub error: String,
}

impl Report {
    /// How it went as a whole.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let did = self.done.iter().any(|step| !matches!(step, FileStep::KeepState { .. }));
        match (did, self.failed.is_empty()) {
            (_, true) => Verdict::AllDone,
            (true, false) => Verdict::SomeFailed,
            (false, false) => Verdict::NothingDone,
        }
    }
}

/// Carries out steps. One that fails is told, and the others are done all the same.
///
/// # Errors
/// When the present state cannot be kept, or work cannot begin; then nothing was changed.
pub fn carry_out(work: &Work<'_>, steps: &[FileStep]) -> Result<Report, JobError> {
    let mut copier = Copier::new(work.from, work.to, work.monitor)?;
    for twin in work.twins {
        copier.knows(twin.inode, &twin.path, twin.there);
    }
    let mut report = Report::default();
    let expected = steps.iter().map(amount).sum();
    work.monitor.event(Event::Started { what: "copy".to_owned(), expected: Some(expected) });
    for step in steps {
        if let FileStep::KeepState { name } = step {
            let setup = work.setup.ok_or_else(|| JobError::Bug("a state to keep of no subvolume".to_owned()))?;
            snapshot::take(setup, name, &noted(work.command))?;
            report.kept = Some(name.clone());
            report.done.push(step.clone());
            continue;
        }
        match perform(&mut copier, step) {
            Ok(()) => report.done.push(step.clone()),
            Err(error) => {
                work.monitor.event(Event::Warning(chain(&error)));
                report.failed.push(NotDone { path: step.path().to_owned(), error: chain(&error) });
            }
        }
    }
    work.monitor.event(Event::Finished);
    if report.done.iter().any(FileStep::changes_what_is_there) {
        work.to.sync()?;
    }
    report.copied = copier.copied().clone();
    Ok(report)
}

fn noted(command: &str) -> Note {
    Note {
        description: Some(format!("before `{command}`")),
        tags: BTreeSet::from([BEFORE_CHANGE.to_owned()]),
        ..Note::default()
    }
}

/// Whether a snapshot was taken to keep the state before a restore or an undo.
#[must_use]
pub fn is_kept_state(snapshot: &LocalSnapshot) -> bool {
    snapshot.note.tags.contains(BEFORE_CHANGE)
}

fn amount(step: &FileStep) -> ByteSize {
    match step {
        FileStep::Create { size, .. } | FileStep::Replace { size, .. } | FileStep::Rewrite { size, .. } => size.bytes,
        _ => ByteSize::ZERO,
    }
}

fn perform(copier: &mut Copier<'_>, step: &FileStep) -> Result<(), JobError> {
    match step {
        FileStep::KeepState { .. } => {}
        FileStep::RemoveLeftover { path } => copier.to().remove_leftover(path)?,
        FileStep::Rename { from, to, there } => copier.to().rename(from, to, there)?,
        FileStep::Exchange { from, to, there } => copier.to().exchange(from, to, there)?,
        FileStep::Remove { path, there } => copier.to().remove_exactly(path, there)?,
        FileStep::Rewrite { from, to, there, .. } => copier.rewrite(from, to, there)?,
        FileStep::MakeDirectory { from, to } => copier.make_directory(from, to)?,
        FileStep::Create { from, to, .. } => copier.copy(from, to, None)?,
        FileStep::Replace { from, to, there, .. } => copier.copy(from, to, Some(there))?,
        FileStep::SetAttributes { from, to, there } => copier.set_attributes(from, to, there)?,
    }
    Ok(())
}
