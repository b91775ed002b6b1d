//! A rollback as one transaction: what belongs where by uuid, and the steps that are still missing, from what is seen.
//!
//! There is no list of steps with a mark at the last one done. The transaction is written down before the first step and
//! removed after the last; whoever finds it compares it with the pool and knows what is left, forwards or back. So it
//! does not matter where a run died, or whether a power cut took its last steps back.

use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subvault_model::ids::{PoolUuid, SnapshotUuid};

use super::path::PoolPath;
use super::{Known, PoolFacts};

/// The form of the note that this program writes.
pub const FORM: u32 = 1;

/// What takes the place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Incoming {
    /// A new writable snapshot of this one, made where the old one will be kept.
    SnapshotOf {
        /// Its identity.
        uuid: SnapshotUuid,
        /// Where it is.
        path: PoolPath,
    },
    /// What is kept aside.
    Itself {
        /// Its identity.
        uuid: SnapshotUuid,
    },
}

/// A subvolume inside the outgoing one, which goes with the place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nested {
    /// Its identity.
    pub uuid: SnapshotUuid,
    /// Where it is, from the top of the outgoing one.
    pub below: PoolPath,
    /// Whether it is read-only, and must be so afterwards: it can be moved only while it is not.
    pub read_only: bool,
    /// Whether the snapshot has no directory for it, as it is from before there was one.
    #[serde(default)]
    pub is_new: bool,
}

/// A boot entry that comes or goes with the rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootEntry {
    /// The file, on this machine, or inside of the incoming subvolume.
    pub file: PathBuf,
    /// Whether it is inside of the incoming subvolume.
    #[serde(default)]
    pub within: bool,
    /// What it says after the rollback; `None`: it is gone.
    pub after: Option<String>,
    /// What it said before.
    pub before: Option<String>,
}

/// Where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To its end.
    Forward,
    /// Back to what was before.
    Back {
        /// Whether the new snapshot was never in the place, so that nothing can be lost with it.
        discard: bool,
    },
}

/// A rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// The form of this note.
    pub form: u32,
    /// When it was begun.
    pub begun: Timestamp,
    /// Which pool it is of.
    pub pool: PoolUuid,
    /// The place.
    pub place: PoolPath,
    /// Where what is replaced is kept.
    pub aside: PoolPath,
    /// What is replaced.
    pub outgoing: SnapshotUuid,
    /// What replaces it.
    pub incoming: Incoming,
    /// What is inside the outgoing one and goes with the place.
    pub nested: Vec<Nested>,
    /// Whether the outgoing one is the default subvolume, which the incoming one then becomes.
    pub moves_default: bool,
    /// Lines of the incoming tree's fstab that must name their subvolume.
    pub fstab_lines: Vec<usize>,
    /// A boot entry.
    pub entry: Option<BootEntry>,
    /// Where it goes.
    pub direction: Direction,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Take a writable snapshot.
    TakeSnapshot {
        /// Of which.
        of: SnapshotUuid,
        /// Where that is.
        from: PoolPath,
        /// Where the new one will be.
        at: PoolPath,
    },
    /// Let lines of the fstab in a subvolume name what they mount.
    MendFstab {
        /// The subvolume.
        at: PoolPath,
        /// The numbers of the lines.
        lines: Vec<usize>,
        /// What they mount.
        place: PoolPath,
    },
    /// Let two subvolumes change places.
    Exchange {
        /// The place.
        place: PoolPath,
        /// Where the other one is.
        aside: PoolPath,
    },
    /// Make the directories on the way to a place in a subvolume, with owner and mode as they are in another one.
    MakeDirectories {
        /// The directory, from the top of both.
        directory: PoolPath,
        /// Where it is missing.
        at: PoolPath,
        /// Where it is.
        like: PoolPath,
    },
    /// Move a subvolume.
    Move {
        /// Which.
        uuid: SnapshotUuid,
        /// From where.
        from: PoolPath,
        /// To where.
        to: PoolPath,
        /// Whether it is read-only before and after.
        read_only: bool,
    },
    /// Make a subvolume read-only again, which an interrupted run made writable to move it.
    MakeReadOnly {
        /// Which.
        uuid: SnapshotUuid,
        /// Where.
        at: PoolPath,
    },
    /// Make a subvolume the default one.
    SetDefault {
        /// Where it is then.
        at: PoolPath,
    },
    /// Write or remove a boot entry.
    WriteEntry {
        /// The file.
        file: PathBuf,
        /// The subvolume that it is inside of; `None`: the file is one of this machine.
        within: Option<PoolPath>,
        /// What it says; `None`: it is removed.
        text: Option<String>,
    },
    /// Delete a new snapshot that never was in the place.
    Discard {
        /// Where.
        at: PoolPath,
        /// Its identity.
        uuid: SnapshotUuid,
    },
    /// Rename the new snapshot of a rollback that was taken back.
    KeepReverted {
        /// Which.
        uuid: SnapshotUuid,
        /// From where.
        from: PoolPath,
        /// To where.
        to: PoolPath,
    },
}

/// Why the steps cannot be told: the pool is not as this transaction left it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rollback of {place} begun {begun} cannot go on: {what}")]
pub struct Stuck {
    place: PoolPath,
    begun: Timestamp,
    what: String,
}

/// Who is where.
enum Stage<'a> {
    /// The new snapshot is not there.
    NotTaken { outgoing: &'a Known },
    /// The outgoing one is in its place, the incoming one aside.
    Before { outgoing: &'a Known, incoming: &'a Known },
    /// They have changed places.
    After { outgoing: &'a Known, incoming: &'a Known },
}

impl Transaction {
    /// The same, to be taken back.
    ///
    /// # Errors
    /// When the pool is not as this transaction left it.
    pub fn reverted(&self, pool: &PoolFacts) -> Result<Self, Stuck> {
        if matches!(self.direction, Direction::Back { .. }) {
            return Ok(self.clone());
        }
        let discard =
            matches!(self.incoming, Incoming::SnapshotOf { .. }) && !matches!(self.stage(pool)?, Stage::After { .. });
        Ok(Self { direction: Direction::Back { discard }, ..self.clone() })
    }

    /// What is still to be done.
    ///
    /// # Errors
    /// When the pool is not as this transaction left it.
    pub fn steps(&self, pool: &PoolFacts) -> Result<Vec<Step>, Stuck> {
        match self.direction {
            Direction::Forward => self.forward(pool),
            Direction::Back { discard } => self.back(pool, discard),
        }
    }

    /// Whether this subvolume is the one that takes the place.
    #[must_use]
    pub fn is_incoming(&self, known: &Known) -> bool {
        match &self.incoming {
            Incoming::Itself { uuid } => known.uuid == *uuid,
            Incoming::SnapshotOf { uuid, .. } => {
                known.uuid != self.outgoing && known.parent.is_some_and(|parent| uuid.is_parent_of(&parent))
            }
        }
    }

    fn stage<'a>(&self, pool: &'a PoolFacts) -> Result<Stage<'a>, Stuck> {
        let (place, aside) = (pool.at(self.place.as_path()), pool.at(self.aside.as_path()));
        let is_outgoing = |known: &Known| known.uuid == self.outgoing;
        match (place, aside) {
            (Some(outgoing), None) if is_outgoing(outgoing) && self.makes_one() => Ok(Stage::NotTaken { outgoing }),
            (Some(outgoing), Some(incoming)) if is_outgoing(outgoing) && self.is_incoming(incoming) => {
                Ok(Stage::Before { outgoing, incoming })
            }
            (Some(incoming), Some(outgoing)) if is_outgoing(outgoing) && self.is_incoming(incoming) => {
                Ok(Stage::After { outgoing, incoming })
            }
            _ => Err(self.stuck(place, aside)),
        }
    }

    fn makes_one(&self) -> bool {
        matches!(self.incoming, Incoming::SnapshotOf { .. })
    }

    fn stuck(&self, place: Option<&Known>, aside: Option<&Known>) -> Stuck {
        let said =
            |known: Option<&Known>| known.map_or_else(|| "nothing".to_owned(), |k| format!("the subvolume {}", k.uuid));
        let what = format!("at {} there is {}, and at {} {}", self.place, said(place), self.aside, said(aside));
        Stuck { place: self.place.clone(), begun: self.begun, what }
    }

    fn forward(&self, pool: &PoolFacts) -> Result<Vec<Step>, Stuck> {
        let stage = self.stage(pool)?;
        let mut steps = Vec::new();
        if let (Stage::NotTaken { .. }, Incoming::SnapshotOf { uuid, path }) = (&stage, &self.incoming) {
            steps.push(Step::TakeSnapshot { of: *uuid, from: path.clone(), at: self.aside.clone() });
        }
        if !matches!(stage, Stage::After { .. }) {
            if !self.fstab_lines.is_empty() {
                let (at, lines) = (self.aside.clone(), self.fstab_lines.clone());
                steps.push(Step::MendFstab { at, lines, place: self.place.clone() });
            }
            // What is inside goes with the subvolume, and is there when it comes into its place.
            if let Some(entry) = self.entry.as_ref().filter(|entry| entry.within) {
                let (file, text) = (entry.file.clone(), entry.after.clone());
                steps.push(Step::WriteEntry { file, within: Some(self.aside.clone()), text });
            }
            steps.push(self.exchange());
        }
        let (outgoing, incoming) = match stage {
            Stage::NotTaken { outgoing } => (outgoing, None),
            Stage::Before { outgoing, incoming } | Stage::After { outgoing, incoming } => (outgoing, Some(incoming)),
        };
        self.moves(pool, outgoing, incoming, &mut steps);
        // Somebody else's choice, made since, is left alone.
        if self.moves_default && pool.default == outgoing.id {
            steps.push(Step::SetDefault { at: self.place.clone() });
        }
        if let Some(entry) = self.entry.as_ref().filter(|entry| !entry.within) {
            steps.push(Step::WriteEntry { file: entry.file.clone(), within: None, text: entry.after.clone() });
        }
        Ok(steps)
    }

    fn back(&self, pool: &PoolFacts, discard: bool) -> Result<Vec<Step>, Stuck> {
        let mut steps = Vec::new();
        if let Some(entry) = self.entry.as_ref().filter(|entry| !entry.within) {
            steps.push(Step::WriteEntry { file: entry.file.clone(), within: None, text: entry.before.clone() });
        }
        let stage = self.stage(pool)?;
        if matches!(stage, Stage::After { .. }) {
            steps.push(self.exchange());
        }
        if let Stage::Before { outgoing, incoming } | Stage::After { outgoing, incoming } = stage {
            self.moves(pool, incoming, Some(outgoing), &mut steps);
            if self.moves_default && pool.default == incoming.id {
                steps.push(Step::SetDefault { at: self.place.clone() });
            }
            let (at, uuid) = (self.aside.clone(), incoming.uuid);
            match self.incoming {
                Incoming::Itself { .. } => {}
                Incoming::SnapshotOf { .. } if discard => steps.push(Step::Discard { at, uuid }),
                Incoming::SnapshotOf { .. } => {
                    steps.push(Step::KeepReverted { uuid, to: reverted_name(&at), from: at });
                }
            }
        }
        Ok(steps)
    }

    fn exchange(&self) -> Step {
        Step::Exchange { place: self.place.clone(), aside: self.aside.clone() }
    }

    /// Moves what is inside `from`, which ends up aside, to the same places inside `to`, which ends up in the place.
    fn moves(&self, pool: &PoolFacts, from: &Known, to: Option<&Known>, steps: &mut Vec<Step>) {
        for nested in &self.nested {
            // What was deleted or moved elsewhere meanwhile is somebody's wish.
            let Some(known) = pool.by_uuid(nested.uuid) else { continue };
            let Nested { uuid, below, read_only, is_new } = nested.clone();
            if known.path == from.path.join(&below) {
                // On the way back they are there.
                if is_new && matches!(self.direction, Direction::Forward) {
                    let directory = PoolPath::new(below.as_path().parent().unwrap_or(Path::new("")));
                    let (at, like) = (self.place.clone(), self.aside.clone());
                    steps.push(Step::MakeDirectories { directory, at, like });
                }
                let (from, to) = (self.aside.join(&below), self.place.join(&below));
                steps.push(Step::Move { uuid, from, to, read_only });
            } else if to.is_some_and(|to| known.path == to.path.join(&below)) && read_only && !known.read_only {
                steps.push(Step::MakeReadOnly { uuid, at: self.place.join(&below) });
            }
        }
    }
}

fn reverted_name(aside: &PoolPath) -> PoolPath {
    let mut name = aside.as_path().as_os_str().to_owned();
    name.push(".reverted");
    PoolPath::new(PathBuf::from(name))
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TakeSnapshot { from, at, .. } => write!(f, "snapshot  {from} → {at}, writable"),
            Self::MendFstab { at, lines, place } => {
                let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
                write!(f, "edit      etc/fstab in {at}, line {}: subvol={place} instead of a number", lines.join(", "))
            }
            Self::Exchange { place, aside } => write!(f, "exchange  {place} ↔ {aside}"),
            Self::MakeDirectories { directory, at, .. } => write!(f, "make      {directory} in {at}"),
            Self::Move { from, to, .. } => write!(f, "move      {from} → {to}"),
            Self::MakeReadOnly { at, .. } => write!(f, "read-only {at}"),
            Self::SetDefault { at } => write!(f, "default   {at}"),
            Self::WriteEntry { file, within: Some(at), .. } => {
                write!(f, "write     boot entry {} in {at}", file.display())
            }
            Self::WriteEntry { file, text: Some(_), .. } => write!(f, "write     boot entry {}", file.display()),
            Self::WriteEntry { file, text: None, .. } => write!(f, "remove    boot entry {}", file.display()),
            Self::Discard { at, .. } => write!(f, "delete    {at}, which never was in use"),
            Self::KeepReverted { from, to, .. } => write!(f, "rename    {from} → {to}"),
        }
    }
}
