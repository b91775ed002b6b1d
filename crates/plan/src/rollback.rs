//! Decides a rollback: whether a system or subvolume would work with a snapshot in its place, and what is done to bring
//! that about.
//!
//! A rollback never deletes and never writes to what it replaces: a writable snapshot takes the place, and what was there
//! is kept aside under another name. What was looked at comes in as `Facts`; out go checks, which refuse with the reason,
//! and a `Transaction`, whose steps follow from what is seen, also in the middle of it.

pub mod boot;
pub mod choice;
pub mod entry;
pub mod fstab;
mod grub;
mod judge;
pub mod kernel;
pub mod path;
pub mod transaction;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;
use subvault_model::ids::{ParentUuid, PoolUuid, ReceivedUuid, SnapshotUuid, SubvolumeId};

use self::boot::BootFiles;
pub use self::judge::judge;
use self::path::PoolPath;

/// A subvolume of the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its number.
    pub id: SubvolumeId,
    /// Its identity.
    pub uuid: SnapshotUuid,
    /// What it is a snapshot of.
    pub parent: Option<ParentUuid>,
    /// What it replaced, after something was forgotten in it: gone, and still what others were made of.
    pub replaced: Vec<SnapshotUuid>,
    /// What it was received from.
    pub received: Option<ReceivedUuid>,
    /// Whether it is read-only.
    pub read_only: bool,
    /// When it was made.
    pub created: Timestamp,
    /// Where it is, from the top level.
    pub path: PoolPath,
    /// The subvolume that it lies in.
    pub outer: SubvolumeId,
}

/// The pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolFacts {
    /// Its uuid.
    pub uuid: PoolUuid,
    /// Its label.
    pub label: Vec<u8>,
    /// What is mounted when no subvolume is named.
    pub default: SubvolumeId,
    /// Its subvolumes, without the top level.
    pub subvolumes: Vec<Known>,
}

impl PoolFacts {
    /// The subvolume at this path.
    #[must_use]
    pub fn at(&self, path: &Path) -> Option<&Known> {
        self.subvolumes.iter().find(|known| known.path.as_path() == path)
    }

    /// The subvolume with this uuid.
    #[must_use]
    pub fn by_uuid(&self, uuid: SnapshotUuid) -> Option<&Known> {
        self.subvolumes.iter().find(|known| known.uuid == uuid)
    }

    /// The subvolumes directly inside this one.
    pub fn inside(&self, outer: SubvolumeId) -> impl Iterator<Item = &Known> {
        self.subvolumes.iter().filter(move |known| known.outer == outer)
    }
}

/// What a subvolume is to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The root of the system that runs.
    RunningSystem,
    /// The root of a system that does not run now.
    System,
    /// Neither.
    Data,
}

/// What is at a place in the tree that comes in, where a nested subvolume is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// Room for it: nothing, or an empty directory.
    Free,
    /// Its directory is not there.
    NoDirectory,
    /// Something else.
    Taken,
}

/// What the tree that comes in holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Its `/etc/fstab`.
    pub fstab: Option<Vec<u8>>,
    /// Versions of kernels that it has modules for.
    pub modules: BTreeSet<String>,
    /// Where nested subvolumes are to go.
    pub spots: BTreeMap<PoolPath, Spot>,
}

/// What takes the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The snapshot, or what was kept aside.
    pub known: Known,
    /// Whether it takes the place itself, having been there before, instead of a new snapshot of it.
    pub itself: bool,
}

/// Everything that a decision depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The pool.
    pub pool: PoolFacts,
    /// What is in the place now.
    pub subject: Known,
    /// What takes the place.
    pub source: Source,
    /// What it is to the machine.
    pub role: Role,
    /// The tree that comes in.
    pub tree: Tree,
    /// The running system's `/etc/fstab`, where the pool is the running system's.
    pub fstab_here: Option<Vec<u8>>,
    /// The running kernel's command line, where the subject is the running system's root.
    pub cmdline: Option<Vec<u8>>,
    /// What the boot loader finds.
    pub boot: BootFiles,
}

/// What may be accepted although it is refused: in so many words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// What the fstab says.
    Fstab,
    /// What the boot loader says.
    Boot,
    /// Which kernel starts.
    Kernel,
    /// That the snapshot is of another subvolume.
    Lineage,
    /// That a nested subvolume has no place.
    Nested,
}

impl Word {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Fstab, Self::Boot, Self::Kernel, Self::Lineage, Self::Nested];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fstab => "fstab",
            Self::Boot => "boot",
            Self::Kernel => "kernel",
            Self::Lineage => "lineage",
            Self::Nested => "nested",
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Word {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::as_str).join(", ");
        Self::ALL.into_iter().find(|word| word.as_str() == text).ok_or(format!("write one of {names}"))
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it must be.
    Good,
    /// Worth knowing, or not looked at.
    Warning,
    /// It would be refused, and was accepted on the command line.
    Accepted,
    /// It would not work.
    Refused,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub what: Word,
    /// How it ended.
    pub outcome: Outcome,
    /// What was found, and what to do about it.
    pub found: String,
}

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// What is accepted although it would be refused.
    pub accept: BTreeSet<Word>,
    /// Whether the incoming tree's fstab may be changed so that it names the subvolume and not its number.
    pub edit_fstab: bool,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What was checked.
    pub checks: Vec<Check>,
    /// What is to be done, unless a check refuses it.
    pub transaction: transaction::Transaction,
}

impl Verdict {
    /// Why it must not be done.
    pub fn refusals(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.outcome == Outcome::Refused)
    }
}

/// The end of the name of what is kept aside: `@.replaced.20261121T101500Z`.
const REPLACED: &str = ".replaced.";

/// Where what is in this place is kept aside.
#[must_use]
pub fn aside(place: &Path, now: Timestamp) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(REPLACED);
    name.push(subvault_model::timestamp::compact(now));
    name.into()
}

/// The place that something was kept aside of, and when, if its path says that it was.
#[must_use]
pub fn replaced_from(path: &Path) -> Option<(PathBuf, Timestamp)> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = path.as_os_str().as_bytes();
    let at = bytes.windows(REPLACED.len()).rposition(|window| window == REPLACED.as_bytes())?;
    let moment = std::str::from_utf8(&bytes[at + REPLACED.len()..]).ok()?;
    let moment = subvault_model::timestamp::parse_compact(moment)?;
    Some((PathBuf::from(std::ffi::OsStr::from_bytes(&bytes[..at])), moment))
}
