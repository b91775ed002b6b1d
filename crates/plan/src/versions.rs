//! Where to bring a path back from: of all snapshots, copies and archives that may hold it, the best one.
//!
//! The newest that is old enough is wanted; of several of one moment the nearest to hand. What surely holds the path
//! comes before what would have to be fetched to find out.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;
use subvault_model::bytesize::ByteSize;
use subvault_model::file::FileState;
use subvault_model::ids::{ParentUuid, SnapshotUuid};

/// What kind of place a version is at, the nearest to hand first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceKind {
    /// A snapshot on the pool.
    Local,
    /// A copy on another Btrfs of this machine.
    Disk,
    /// A copy on another machine.
    Host,
    /// An archived stream: all of it must be fetched.
    Archive,
}

/// What is known of the path at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// It is there, and this is it.
    This(FileState),
    /// It is not there.
    Nothing,
    /// Only fetching so much would tell.
    Unknown(ByteSize),
}

/// A state of a subvolume from which a path may come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// At what kind of place it is.
    pub place: PlaceKind,
    /// What it is called there.
    pub name: String,
    /// When it was taken.
    pub taken: Timestamp,
    /// What it has at the path.
    pub holds: Holds,
    /// Whether it is only meant by its name: it keeps what a restore replaced, and the same restore, given again, must
    /// not bring that back.
    pub by_name_only: bool,
}

/// Chooses the version to bring back; its place in the list. For `at`, nothing younger than that.
#[must_use]
pub fn choose(versions: &[Version], at: Option<Timestamp>) -> Option<usize> {
    let rank = |version: &Version| match version.holds {
        Holds::Nothing => None,
        Holds::This(_) => Some((true, version.taken, std::cmp::Reverse(version.place))),
        Holds::Unknown(_) => Some((false, version.taken, std::cmp::Reverse(version.place))),
    };
    let old_enough = |version: &&Version| !version.by_name_only && at.is_none_or(|at| version.taken <= at);
    let ranked = versions.iter().enumerate().filter(|(_, version)| old_enough(version));
    ranked.filter_map(|(index, version)| Some((rank(version)?, index))).max_by_key(|(rank, _)| *rank).map(|(_, i)| i)
}

/// Chooses where a whole subvolume comes back from; its place in the list: the newest, nothing younger than `at`, and of
/// several of one moment the nearest to hand.
#[must_use]
pub fn choose_whole(versions: &[Version], at: Option<Timestamp>) -> Option<usize> {
    let fits = |version: &Version| !version.by_name_only && at.is_none_or(|at| version.taken <= at);
    let fitting = versions.iter().enumerate().filter(|(_, version)| fits(version));
    fitting.max_by_key(|(_, version)| (version.taken, std::cmp::Reverse(version.place))).map(|(index, _)| index)
}

/// Snapshots in a row that hold the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// What they hold; `None`: nothing.
    pub state: Option<FileState>,
    /// The first of them.
    pub from: String,
    /// When that was taken.
    pub from_taken: Timestamp,
    /// The last of them.
    pub to: String,
    /// When that was taken.
    pub to_taken: Timestamp,
    /// How many they are.
    pub snapshots: usize,
}

/// The versions of a path, the oldest first: what was the same from one snapshot to the next is one.
#[must_use]
pub fn history(versions: &[Version]) -> Vec<Stretch> {
    let known = |version: &&Version| !matches!(version.holds, Holds::Unknown(_));
    let mut sorted: Vec<&Version> = versions.iter().filter(known).collect();
    sorted.sort_by(|one, other| (one.taken, &one.name).cmp(&(other.taken, &other.name)));
    let mut stretches: Vec<Stretch> = Vec::new();
    for version in sorted {
        let state = if let Holds::This(state) = version.holds { Some(state) } else { None };
        match stretches.last_mut() {
            Some(last) if is_same(last.state.as_ref(), state.as_ref()) => {
                (last.to, last.to_taken) = (version.name.clone(), version.taken);
                last.snapshots += 1;
            }
            _ => stretches.push(Stretch {
                state,
                from: version.name.clone(),
                from_taken: version.taken,
                to: version.name.clone(),
                to_taken: version.taken,
                snapshots: 1,
            }),
        }
    }
    stretches
}

fn is_same(one: Option<&FileState>, other: Option<&FileState>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.is_untouched(other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// A subvolume and what it is a snapshot of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation {
    /// Its identity.
    pub uuid: SnapshotUuid,
    /// What it was made from.
    pub parent: Option<ParentUuid>,
    /// Whether it cannot have changed since.
    pub read_only: bool,
}

/// The read-only snapshots of a subvolume: those taken of it, and, where it is itself a snapshot (as after a rollback), what
/// it was made from and the other snapshots of that.
#[must_use]
pub fn snapshots_of(live: SnapshotUuid, all: &[Relation]) -> BTreeSet<SnapshotUuid> {
    let mut line: Vec<[u8; 16]> = vec![*live.as_bytes()];
    while let Some(parent) =
        all.iter().find(|r| Some(r.uuid.as_bytes()) == line.last()).and_then(|relation| relation.parent)
    {
        // Identities that lead in a circle would be nonsense, and must not hang us.
        if line.contains(parent.as_bytes()) {
            break;
        }
        line.push(*parent.as_bytes());
    }
    let in_line = |uuid: &[u8; 16]| line.contains(uuid);
    let belongs = |relation: &&Relation| {
        in_line(relation.uuid.as_bytes()) || relation.parent.is_some_and(|parent| in_line(parent.as_bytes()))
    };
    let frozen = all.iter().filter(|relation| relation.read_only && relation.uuid != live);
    frozen.filter(belongs).map(|relation| relation.uuid).collect()
}
