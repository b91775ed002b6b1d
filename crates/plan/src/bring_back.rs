//! What is done to bring paths back: what is missing is made, what is the same is left alone, and what differs is
//! replaced only where that was asked for, after its present state was kept in a snapshot.

use std::path::PathBuf;

use serde::Serialize;
use subvault_model::bytesize::ByteSize;
use subvault_model::file::{FileKind, FileState, Likeness, as_shown};
use subvault_model::names::SnapshotName;

use crate::file_step::FileStep;

/// What was seen of one path on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The path in what it comes from.
    pub from: PathBuf,
    /// The path where it goes.
    pub to: PathBuf,
    /// What would come.
    pub wanted: FileState,
    /// How much that is, with everything in it.
    pub size: TreeSize,
    /// What is there, and how alike it is.
    pub there: Option<(FileState, Likeness)>,
    /// Whether a directory comes without what is in it, because only something in it is wanted.
    pub alone: bool,
}

/// How much a tree holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TreeSize {
    /// Names in it, its own included.
    pub entries: u64,
    /// Bytes in regular files.
    pub bytes: ByteSize,
}

/// What is done where something is in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnConflict {
    /// It is left alone.
    Leave,
    /// It is replaced, after a snapshot of this name kept it.
    Overwrite(SnapshotName),
}

/// Something in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// Where.
    #[serde(serialize_with = "as_shown")]
    pub path: PathBuf,
    /// What would come.
    pub wanted: FileState,
    /// What is there.
    pub there: FileState,
    /// How alike they are.
    pub likeness: Likeness,
}

/// A file that is there as it was and had several names then: a further name of it is made one again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twin {
    /// Its inode in what things come from.
    pub inode: u64,
    /// A name of it where things go.
    pub path: PathBuf,
    /// Its inode there.
    pub there: u64,
}

/// What will be done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BringBack {
    /// The steps in order.
    pub steps: Vec<FileStep>,
    /// What is left alone although it differs.
    pub conflicts: Vec<Conflict>,
    /// How many paths are already as they would become.
    pub same: usize,
    /// Those of them that may get further names.
    #[serde(skip)]
    pub twins: Vec<Twin>,
}

/// Decides what is done for each path; `leftovers` are what killed copies left there. Items come in the order of their paths: what is in a directory after it.
#[must_use]
pub fn decide(items: &[Item], leftovers: &[PathBuf], on_conflict: &OnConflict) -> BringBack {
    let mut plan = BringBack::default();
    plan.steps.extend(leftovers.iter().map(|path| FileStep::RemoveLeftover { path: path.clone() }));
    // Of directories last, and of those inside first: what is done in a directory changes its times.
    let mut last = Vec::new();
    for item in items {
        match item.there {
            None => plan.steps.push(create(item)),
            Some((there, Likeness::Same)) => {
                plan.same += 1;
                if item.wanted.links > 1 && item.wanted.kind != FileKind::Directory {
                    plan.twins.push(Twin { inode: item.wanted.inode, path: item.to.clone(), there: there.inode });
                }
            }
            Some((there, likeness)) => match on_conflict {
                OnConflict::Leave => {
                    let (path, wanted) = (item.to.clone(), item.wanted);
                    plan.conflicts.push(Conflict { path, wanted, there, likeness });
                }
                OnConflict::Overwrite(_) if there.kind == FileKind::Directory && likeness != Likeness::Differs => {
                    last.push(overwrite(item, there, likeness));
                }
                OnConflict::Overwrite(_) => plan.steps.push(overwrite(item, there, likeness)),
            },
        }
    }
    plan.steps.extend(last.into_iter().rev());
    let changes_something = plan.steps.iter().any(FileStep::changes_what_is_there);
    if let OnConflict::Overwrite(name) = on_conflict
        && changes_something
    {
        plan.steps.insert(0, FileStep::KeepState { name: name.clone() });
    }
    plan
}

fn create(item: &Item) -> FileStep {
    let (from, to) = (item.from.clone(), item.to.clone());
    if item.alone && item.wanted.kind == FileKind::Directory {
        return FileStep::MakeDirectory { from, to };
    }
    FileStep::Create { from, to, kind: item.wanted.kind, size: item.size }
}

fn overwrite(item: &Item, there: FileState, likeness: Likeness) -> FileStep {
    let (from, to) = (item.from.clone(), item.to.clone());
    match likeness {
        Likeness::AttributesDiffer => FileStep::SetAttributes { from, to, there },
        _ => FileStep::Replace { from, to, kind: item.wanted.kind, size: item.size, there },
    }
}
