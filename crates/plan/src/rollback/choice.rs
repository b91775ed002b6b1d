//! Which snapshot is meant, and whether it is one of this subvolume.
//!
//! Relations are kept by uuid. After a rollback the subvolume descends from a snapshot of what it replaced, so its family
//! is followed back through its parents, through what is kept aside, and through snapshots that were replaced since.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use subvault_model::ids::SnapshotUuid;

use super::path::PoolPath;
use super::{Known, PoolFacts, replaced_from};

/// Which snapshot is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The newest.
    Latest,
    /// The newest that is not younger.
    At(Timestamp),
    /// The one of this name, path from the top level, or number of snapper's.
    Named(PoolPath),
}

/// Why none was chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoChoice {
    /// It has none.
    #[error("{0} has no snapshots on this pool")]
    None(PoolPath),
    /// None is that old.
    #[error("no snapshot of {0} is that old; the oldest is {1}")]
    NoneThatOld(PoolPath, PoolPath),
    /// There is none of this name.
    #[error("there is no snapshot `{0}` on this pool")]
    Unknown(PoolPath),
    /// There are several.
    #[error("`{0}` is the name of several: {1}")]
    Several(PoolPath, String),
    /// Nothing is kept aside.
    #[error("nothing is kept aside of {0}, so there is nothing to undo")]
    NothingAside(PoolPath),
}

/// The subvolume and those that it descends from.
#[must_use]
pub fn family(pool: &PoolFacts, subject: &Known) -> BTreeSet<SnapshotUuid> {
    let aside =
        |known: &&Known| replaced_from(known.path.as_path()).is_some_and(|(of, _)| of == subject.path.as_path());
    let mut found: BTreeSet<SnapshotUuid> = pool.subvolumes.iter().filter(aside).map(|known| known.uuid).collect();
    found.insert(subject.uuid);
    loop {
        let is_member = |known: &&Known| {
            found.contains(&known.uuid) || known.replaced.iter().any(|replaced| found.contains(replaced))
        };
        let parent_of = |known: &Known| known.parent.and_then(|parent| SnapshotUuid::from_bytes(*parent.as_bytes()));
        let members = pool.subvolumes.iter().filter(is_member);
        let new: Vec<SnapshotUuid> = members
            .flat_map(|known| [Some(known.uuid), parent_of(known)])
            .flatten()
            .filter(|uuid| !found.contains(uuid))
            .collect();
        if new.is_empty() {
            return found;
        }
        found.extend(new);
    }
}

/// Whether it is a snapshot of one of the family, or a copy of such a one.
#[must_use]
pub fn descends(pool: &PoolFacts, family: &BTreeSet<SnapshotUuid>, known: &Known) -> bool {
    let taken_of =
        |known: &Known| known.parent.is_some_and(|parent| family.iter().any(|uuid| uuid.is_parent_of(&parent)));
    let is_copy = known.received.is_some_and(|received| {
        pool.subvolumes.iter().any(|other| other.uuid.is_copied_as(&received) && taken_of(other))
    });
    taken_of(known) || is_copy || family.contains(&known.uuid)
}

/// The read-only snapshots of a subvolume, newest first.
#[must_use]
pub fn snapshots<'a>(pool: &'a PoolFacts, subject: &Known) -> Vec<&'a Known> {
    let family = family(pool, subject);
    let ours = |known: &&Known| {
        let name = known.path.as_path().file_name();
        let is_temporary = name.is_some_and(|name| name.as_encoded_bytes().starts_with(b".subvault-"));
        known.read_only && known.uuid != subject.uuid && !is_temporary && descends(pool, &family, known)
    };
    let mut found: Vec<_> = pool.subvolumes.iter().filter(ours).collect();
    found.sort_by_key(|known| std::cmp::Reverse((known.created, known.id)));
    found
}

/// Chooses the snapshot that is wanted.
///
/// # Errors
/// When there is none, or several are meant.
pub fn choose<'a>(pool: &'a PoolFacts, subject: &Known, wanted: &Wanted) -> Result<&'a Known, NoChoice> {
    let snapshots = snapshots(pool, subject);
    let none = || NoChoice::None(subject.path.clone());
    match wanted {
        Wanted::Latest => snapshots.first().copied().ok_or_else(none),
        Wanted::At(moment) => match snapshots.iter().find(|known| known.created <= *moment) {
            Some(known) => Ok(known),
            None => {
                let oldest = snapshots.last().ok_or_else(none)?;
                Err(NoChoice::NoneThatOld(subject.path.clone(), oldest.path.clone()))
            }
        },
        Wanted::Named(name) => {
            if let Some(known) = pool.at(name.as_path()) {
                return Ok(known);
            }
            let meant = |known: &&Known| known.path.as_path().ends_with(name.as_path()) || is_numbered(known, name);
            let of_it: Vec<_> = snapshots.iter().copied().filter(meant).collect();
            let found = if of_it.is_empty() { pool.subvolumes.iter().filter(meant).collect() } else { of_it };
            match found.as_slice() {
                [one] => Ok(one),
                [] => Err(NoChoice::Unknown(name.clone())),
                several => {
                    let paths: Vec<_> = several.iter().map(|known| known.path.to_string()).collect();
                    Err(NoChoice::Several(name.clone(), paths.join(", ")))
                }
            }
        }
    }
}

/// Snapper's `.snapshots/7/snapshot` goes by its number.
fn is_numbered(known: &Known, name: &PoolPath) -> bool {
    let path = known.path.as_path();
    let is_snappers = path.ends_with("snapshot") && path.iter().rev().nth(2).is_some_and(|dir| dir == ".snapshots");
    is_snappers && path.parent().and_then(Path::file_name) == Some(name.as_path().as_os_str())
}

/// What is kept aside of a place, the one replaced last.
///
/// # Errors
/// When there is nothing.
pub fn kept_aside<'a>(pool: &'a PoolFacts, place: &PoolPath) -> Result<&'a Known, NoChoice> {
    let of_it = pool.subvolumes.iter().filter_map(|known| {
        let (of, moment) = replaced_from(known.path.as_path())?;
        (of == place.as_path()).then_some((moment, known))
    });
    of_it.max_by_key(|(moment, _)| *moment).map(|(_, known)| known).ok_or_else(|| NoChoice::NothingAside(place.clone()))
}
