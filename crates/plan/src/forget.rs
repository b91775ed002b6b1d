//! Decides how paths are forgotten: in which snapshots, in what order, and what goes where copies and streams are.
//!
//! A read-only snapshot is never written to. A writable snapshot of it is made under another name, the paths are removed
//! there, it becomes read-only, the two change names, and only then the old one is deleted: at every moment a whole snapshot
//! has the name. Killed anywhere: what lies under the other name goes first in the next run, whichever of the two it is.

pub mod archives;
pub mod check;
pub mod rebase;

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use subvault_model::file::{FileKind, as_shown, shown};
use subvault_model::ids::SnapshotUuid;
use subvault_model::names::{SnapshotName, SubvolumeName};

use crate::bring_back::TreeSize;

/// Something at one of the paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The path below the top of the subvolume.
    #[serde(serialize_with = "as_shown")]
    pub path: PathBuf,
    /// What it is.
    pub kind: FileKind,
    /// How much it is.
    pub size: TreeSize,
    /// Files in it that have further names, which may lie elsewhere: those stay.
    pub linked: u64,
}

/// A snapshot of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeenSnapshot {
    /// Its name.
    pub name: SnapshotName,
    /// Its identity.
    pub uuid: SnapshotUuid,
    /// Whether it is read-only; somebody may be at work in one that is not.
    pub read_only: bool,
    /// What it has at the paths.
    pub holds: Vec<Held>,
}

/// What a run that died left under the other name: half a replacement, a whole one, or what was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeenLeftover {
    /// Of which snapshot.
    pub name: SnapshotName,
    /// Its identity.
    pub uuid: SnapshotUuid,
}

/// One subvolume and its snapshots on the pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Which.
    pub subvolume: SubvolumeName,
    /// What the subvolume itself has at the paths.
    pub live: Vec<Held>,
    /// The snapshots that subvault took.
    pub snapshots: Vec<SeenSnapshot>,
    /// What runs that died left.
    pub leftovers: Vec<SeenLeftover>,
}

/// What is done about the subvolume itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// It is left as it is.
    Leave,
    /// The paths are removed there too.
    Remove,
}

/// One thing to do on the pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Remove a path from the subvolume itself.
    RemoveLive {
        /// Which subvolume.
        subvolume: SubvolumeName,
        /// The path in it.
        #[serde(serialize_with = "as_shown")]
        path: PathBuf,
    },
    /// Delete what a run that died left under the other name.
    RemoveLeftover {
        /// Of which subvolume.
        subvolume: SubvolumeName,
        /// Of which snapshot.
        name: SnapshotName,
        /// Its identity, read again before deleting.
        uuid: SnapshotUuid,
    },
    /// Make a snapshot of a snapshot without the paths, read-only and on disk, under the other name.
    Rewrite {
        /// Of which subvolume.
        subvolume: SubvolumeName,
        /// Which snapshot.
        name: SnapshotName,
        /// Its identity.
        uuid: SnapshotUuid,
        /// What is removed.
        #[serde(serialize_with = "all_shown")]
        paths: Vec<PathBuf>,
    },
    /// The two change names.
    Exchange {
        /// Of which subvolume.
        subvolume: SubvolumeName,
        /// Which snapshot.
        name: SnapshotName,
        /// The identity of the one that loses the name.
        uuid: SnapshotUuid,
    },
    /// Delete the one that has lost its name.
    DeleteOld {
        /// Of which subvolume.
        subvolume: SubvolumeName,
        /// Which snapshot.
        name: SnapshotName,
        /// Its identity, read again before deleting.
        uuid: SnapshotUuid,
    },
    /// Wait until the kernel has removed what was deleted.
    AwaitCleaning {
        /// Of which subvolume.
        subvolume: SubvolumeName,
    },
}

fn all_shown<S: serde::Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(|path| shown(path)))
}

impl Step {
    /// The snapshot that it is about: a step that fails keeps the later ones about the same from being done.
    #[must_use]
    pub fn about(&self) -> Option<&SnapshotName> {
        match self {
            Self::RemoveLeftover { name, .. }
            | Self::Rewrite { name, .. }
            | Self::Exchange { name, .. }
            | Self::DeleteOld { name, .. } => Some(name),
            Self::RemoveLive { .. } | Self::AwaitCleaning { .. } => None,
        }
    }

    /// In which subvolume.
    #[must_use]
    pub fn subvolume(&self) -> &SubvolumeName {
        match self {
            Self::RemoveLive { subvolume, .. }
            | Self::RemoveLeftover { subvolume, .. }
            | Self::Rewrite { subvolume, .. }
            | Self::Exchange { subvolume, .. }
            | Self::DeleteOld { subvolume, .. }
            | Self::AwaitCleaning { subvolume } => subvolume,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RemoveLive { subvolume, path } => write!(f, "remove    {subvolume}:{}", shown(path)),
            Self::RemoveLeftover { name, .. } => {
                write!(f, "delete    what is left of an interrupted run beside {name}")
            }
            Self::Rewrite { name, paths, .. } => {
                let paths: Vec<String> = paths.iter().map(|path| shown(path)).collect();
                write!(f, "rewrite   {name} without {}", paths.join(", "))
            }
            Self::Exchange { name, .. } => write!(f, "exchange  {name} with what replaces it"),
            Self::DeleteOld { name, .. } => write!(f, "delete    what was {name}"),
            Self::AwaitCleaning { subvolume } => {
                write!(f, "wait      until the pool has let go of what was deleted of {subvolume}")
            }
        }
    }
}

/// Decides what is done on the pool. The newest snapshots come first: they are wanted soonest.
#[must_use]
pub fn plan(seen: &[Seen], live: Live) -> Vec<Step> {
    seen.iter().flat_map(|seen| one(seen, live)).collect()
}

fn one(seen: &Seen, live: Live) -> Vec<Step> {
    let subvolume = || seen.subvolume.clone();
    let mut steps: Vec<Step> = Vec::new();
    // First, or a snapshot that is taken meanwhile would hold it again.
    if live == Live::Remove {
        steps.extend(seen.live.iter().map(|held| Step::RemoveLive { subvolume: subvolume(), path: held.path.clone() }));
    }
    let deletions = steps.len();
    let left =
        |left: &SeenLeftover| Step::RemoveLeftover { subvolume: subvolume(), name: left.name.clone(), uuid: left.uuid };
    steps.extend(seen.leftovers.iter().map(left));
    let mut holding: Vec<&SeenSnapshot> =
        seen.snapshots.iter().filter(|s| s.read_only && !s.holds.is_empty()).collect();
    holding.sort_by(|a, b| b.name.cmp(&a.name));
    for SeenSnapshot { name, uuid, holds, .. } in holding {
        let (name, uuid) = (name.clone(), *uuid);
        let paths = holds.iter().map(|held| held.path.clone()).collect();
        steps.push(Step::Rewrite { subvolume: subvolume(), name: name.clone(), uuid, paths });
        steps.push(Step::Exchange { subvolume: subvolume(), name: name.clone(), uuid });
        steps.push(Step::DeleteOld { subvolume: subvolume(), name, uuid });
    }
    if steps.len() > deletions {
        steps.push(Step::AwaitCleaning { subvolume: subvolume() });
    }
    steps
}
