//! What a copy is made relative to: snapshots that are on both sides.
//!
//! A snapshot and its copy belong together by identity: the copy was received from it, or from what it was received from
//! itself. That alone is not enough, since snapshots of a received subvolume inherit its origin: they must have the same
//! name too. Both must be unchanged since, or what is sent would not fit what is there. And what has the same origin as the
//! snapshot itself is no parent, as a stream tells its sources by origin alone.

use jiff::Timestamp;
use subvault_model::replica::ReplicaCopy;
use subvault_model::subvolume::LocalSnapshot;

use super::{Sending, Subject};
use crate::observed::{ObservedReplica, ObservedSubvolume};
use crate::step::Common;

/// How many snapshots of the same subvolume, beside the parent, data may be shared with. The kernel looks each extent up in
/// all of them.
const OWN_SOURCES: usize = 2;
/// How many other subvolumes data may be shared with.
const OTHER_SOURCES: usize = 4;

/// The snapshots that both sides have, newest first.
#[must_use]
pub fn common<'a>(
    snapshots: &'a [LocalSnapshot],
    replica: &'a ObservedReplica,
) -> Vec<(&'a LocalSnapshot, &'a ReplicaCopy)> {
    let copy_of = |local: &LocalSnapshot| replica.copies.iter().find(|copy| is_copy(copy, local));
    let mut found: Vec<_> = snapshots.iter().filter_map(|local| copy_of(local).map(|copy| (local, copy))).collect();
    found.sort_by(|(a, _), (b, _)| b.name.cmp(&a.name));
    found
}

/// The newest snapshot that both sides have.
#[must_use]
pub fn newest_common<'a>(snapshots: &'a [LocalSnapshot], replica: &'a ObservedReplica) -> Option<&'a LocalSnapshot> {
    common(snapshots, replica).first().map(|(local, _)| *local)
}

/// The same, where there is one that is not dated in the future: what is remembered of a replica.
#[must_use]
pub fn last_common<'a>(
    snapshots: &'a [LocalSnapshot],
    replica: &'a ObservedReplica,
    now: Timestamp,
) -> Option<&'a LocalSnapshot> {
    let all = common(snapshots, replica);
    let past = all.iter().find(|(local, _)| local.name.taken() <= now);
    past.or(all.first()).map(|(local, _)| *local)
}

fn is_copy(copy: &ReplicaCopy, local: &LocalSnapshot) -> bool {
    let same_origin = match (&local.received, &copy.received) {
        // It came back from a replica, where the transaction was another one.
        (Some(here), Some(there)) => here == there,
        (None, Some(there)) => local.uuid.is_copied_as(there) && local.ctransid == copy.sent,
        (_, None) => false,
    };
    same_origin && copy.intact && local.read_only && copy.name == local.name
}

fn is_told_from(local: &LocalSnapshot, wanted: &Sending) -> bool {
    local.received.is_none() || local.received != wanted.received
}

fn as_common(seen: &ObservedSubvolume, local: &LocalSnapshot, copy: &ReplicaCopy) -> Common {
    let (subvolume, snapshot) = (seen.name.clone(), local.name.clone());
    Common { subvolume, snapshot, uuid: local.uuid, copy: Some(copy.uuid) }
}

impl Subject<'_> {
    /// The parent of the copy of this snapshot, and why that or why none; `before` is what the same plan sends before.
    pub(super) fn parent_of(&self, wanted: &Sending, before: Option<&Common>) -> (Option<Common>, String) {
        let name = &wanted.name;
        let mut there = common(&self.seen.snapshots, self.replica);
        there.retain(|(local, _)| is_told_from(local, wanted));
        let older = there.iter().find(|(local, _)| local.name < *name);
        // Better one from after it than none.
        let nearest = older.or_else(|| there.iter().rfind(|(local, _)| local.name > *name));
        let nearest = nearest.map(|(local, copy)| as_common(self.seen, local, copy));
        let older = older.map(|(local, _)| &local.name);
        let chosen = before.filter(|before| older.is_none_or(|older| before.snapshot > *older)).cloned().or(nearest);
        let because = match &chosen {
            Some(parent) if *name > parent.snapshot => format!("it follows {}", parent.snapshot),
            Some(parent) => format!("it is missing there; {} is the nearest that both sides have", parent.snapshot),
            None if self.replica.copies.is_empty() => "nothing of it is there yet".to_owned(),
            None => "no snapshot that is there is still here unchanged, so everything is sent again".to_owned(),
        };
        (chosen, because)
    }

    /// What else both sides have that data may be shared with.
    pub(super) fn clone_sources(&self, wanted: &Sending, parent: Option<&Common>) -> Vec<Common> {
        let own = common(&self.seen.snapshots, self.replica);
        let own = own
            .into_iter()
            .filter(|(local, _)| is_told_from(local, wanted) && parent.is_none_or(|parent| parent.uuid != local.uuid));
        let own = own.take(OWN_SOURCES).map(|(local, copy)| as_common(self.seen, local, copy));
        let others = self
            .observed
            .subvolumes
            .iter()
            .filter(|other| other.name != self.seen.name && other.pool.is_some() && other.pool == self.seen.pool);
        let others = others.filter_map(|other| {
            let there = other.replicas.iter().find(|replica| replica.name == self.replica.name)?;
            let found = common(&other.snapshots, there);
            let (local, copy) = found.first().filter(|(local, _)| is_told_from(local, wanted))?;
            Some(as_common(other, local, copy))
        });
        own.chain(others.take(OTHER_SOURCES)).collect()
    }
}
