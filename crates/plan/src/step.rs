//! A plan: an immutable list of typed steps, in the order in which they are done.

use std::fmt;

use serde::Serialize;
use subvault_model::ids::SnapshotUuid;
use subvault_model::names::{GroupName, HookName, SnapshotName, StreamKind, StreamName, SubvolumeName, TargetName};
use subvault_model::note::Note;
use subvault_model::stream::Generation;

/// The place of a step in its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct StepId(pub usize);

/// A snapshot that exists, or one that an earlier step of the same plan takes. (The kernel draws the uuid of a
/// new snapshot, so a plan cannot know it.)
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// Seen on the pool.
    Existing {
        /// Its name.
        name: SnapshotName,
        /// Its identity.
        uuid: SnapshotUuid,
    },
    /// Made by that step.
    TakenBy(StepId),
}

/// What a stream is relative to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parent {
    /// The stream it follows.
    pub stream: StreamName,
    /// The snapshot on the pool.
    pub snapshot: SnapshotName,
    /// That snapshot's identity.
    pub uuid: SnapshotUuid,
}

/// What a copy is made relative to: a snapshot that is on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Common {
    /// Of which subvolume.
    pub subvolume: SubvolumeName,
    /// What it is called on both sides.
    pub snapshot: SnapshotName,
    /// Its identity here.
    pub uuid: SnapshotUuid,
    /// The identity of its copy there; `None` where an earlier step of the same plan makes that.
    pub copy: Option<SnapshotUuid>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Take a read-only snapshot.
    TakeSnapshot {
        /// Of which subvolume.
        subvolume: SubvolumeName,
        /// What it will be called.
        name: SnapshotName,
        /// With which others.
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<GroupName>,
        /// What is noted about it.
        #[serde(skip_serializing_if = "Note::is_empty")]
        note: Note,
    },
    /// Begin a hook: what has to be done before the snapshots of a group.
    BeginHook {
        /// Which group.
        group: GroupName,
        /// Which hook.
        hook: HookName,
    },
    /// End a hook, whatever came of the snapshots in between.
    EndHook {
        /// Which group.
        group: GroupName,
        /// Which hook.
        hook: HookName,
    },
    /// Send a snapshot to a target and publish the stream.
    SendStream {
        /// Of which subvolume.
        subvolume: SubvolumeName,
        /// To where.
        target: TargetName,
        /// Which snapshot.
        snapshot: Which,
        /// Relative to what; `None` for a full.
        parent: Option<Parent>,
        /// The chain it belongs to.
        generation: Generation,
        /// Its place there.
        sequence: u32,
        /// The interrupted upload that is taken up again.
        resume: Option<StreamName>,
    },
    /// Give up an interrupted upload: remove what it stored and its journal.
    AbandonUpload {
        /// Of which subvolume.
        subvolume: SubvolumeName,
        /// At which target.
        target: TargetName,
        /// Which stream.
        stream: StreamName,
    },
    /// Make the current pointer name the newest published stream again.
    RepairPointer {
        /// Of which subvolume.
        subvolume: SubvolumeName,
        /// At which target.
        target: TargetName,
        /// What it must name.
        stream: StreamName,
    },
    /// Remove what an interrupted receive left at a replica.
    RemoveUnfinishedCopy {
        /// Of which subvolume.
        subvolume: SubvolumeName,
        /// At which replica.
        target: TargetName,
        /// The snapshot that was being received.
        name: SnapshotName,
        /// The identity of what is there of it, read again before removing.
        uuid: SnapshotUuid,
    },
    /// Copy a snapshot to a replica.
    SendCopy {
        /// Of which subvolume.
        subvolume: SubvolumeName,
        /// To where.
        target: TargetName,
        /// What it is called, there as here.
        name: SnapshotName,
        /// Which snapshot.
        snapshot: Which,
        /// Relative to what; `None`: all of it is sent.
        parent: Option<Common>,
        /// What else both sides have that it may share data with.
        clone_sources: Vec<Common>,
    },
    /// Delete a copy from a replica.
    DeleteCopy {
        /// Of which subvolume.
        subvolume: SubvolumeName,
        /// At which replica.
        target: TargetName,
        /// What it is called.
        name: SnapshotName,
        /// Its identity there, read again before deleting.
        uuid: SnapshotUuid,
    },
    /// Delete a snapshot from the pool.
    DeleteSnapshot {
        /// Of which subvolume.
        subvolume: SubvolumeName,
        /// Its name.
        name: SnapshotName,
        /// Its identity, read again before deleting.
        uuid: SnapshotUuid,
    },
    /// Remove a note that a run that died left: its snapshot is not there, or it is half written.
    RemoveLostNote {
        /// Of which subvolume.
        subvolume: SubvolumeName,
        /// The snapshot that it is on.
        name: SnapshotName,
    },
}

impl Step {
    /// The replica that it is about. Steps about different replicas do not disturb each other.
    #[must_use]
    pub fn replica(&self) -> Option<&TargetName> {
        match self {
            Self::RemoveUnfinishedCopy { target, .. }
            | Self::SendCopy { target, .. }
            | Self::DeleteCopy { target, .. } => Some(target),
            _ => None,
        }
    }
}

/// A step with its reason and what must have succeeded before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// What to do.
    #[serde(flatten)]
    pub step: Step,
    /// Why, for people.
    pub because: String,
    /// Steps without whose success this one is left out.
    pub needs: Vec<StepId>,
}

/// A snapshot that stays, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Which one.
    pub name: SnapshotName,
    /// The rules that keep it, and what needs it.
    pub because: Vec<String>,
}

/// What a run will do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The steps in order.
    pub steps: Vec<Planned>,
    /// The snapshots that stay, where retention was judged; the newest first.
    pub kept: Vec<Kept>,
    /// What will not be done, and why: "usb: not reachable".
    pub notes: Vec<String>,
}

impl Plan {
    /// Appends a step and tells its place.
    pub fn push(&mut self, step: Step, because: impl Into<String>, needs: Vec<StepId>) -> StepId {
        self.steps.push(Planned { step, because: because.into(), needs });
        StepId(self.steps.len() - 1)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TakeSnapshot { name, .. } => write!(f, "snapshot  {name}"),
            Self::BeginHook { group, hook } => write!(f, "begin     hook {hook} for {group}"),
            Self::EndHook { group, hook } => write!(f, "end       hook {hook} for {group}"),
            Self::SendStream { subvolume, target, parent, generation, sequence, resume, .. } => {
                let kind = if parent.is_some() { StreamKind::Incremental } else { StreamKind::Full };
                let verb = if resume.is_some() { "resume " } else { "archive" };
                write!(f, "{verb}   {subvolume} → {target}, {kind}, generation {generation}.{sequence}")?;
                parent.as_ref().map_or(Ok(()), |p| write!(f, ", from {}", p.snapshot))
            }
            Self::AbandonUpload { subvolume, target, stream } => {
                write!(f, "abandon   {subvolume} → {target}, {stream}")
            }
            Self::RepairPointer { subvolume, target, stream } => {
                write!(f, "repair    pointer of {subvolume} at {target} → {stream}")
            }
            Self::RemoveUnfinishedCopy { target, name, .. } => {
                write!(f, "remove    unfinished copy of {name} at {target}")
            }
            Self::SendCopy { target, name, parent, .. } => {
                write!(f, "copy      {name} → {target}")?;
                match parent {
                    Some(parent) => write!(f, ", from {}", parent.snapshot),
                    None => write!(f, ", all of it"),
                }
            }
            Self::DeleteCopy { target, name, .. } => write!(f, "delete    copy {name} at {target}"),
            Self::DeleteSnapshot { name, .. } => write!(f, "delete    snapshot {name}"),
            Self::RemoveLostNote { name, .. } => write!(f, "remove    lost note on {name}"),
        }
    }
}
