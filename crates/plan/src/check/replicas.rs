//! Lints the steps about replicas. Shares no code with what plans them.

use subvault_model::ids::SnapshotUuid;
use subvault_model::names::{SnapshotName, SubvolumeName, TargetName};
use subvault_model::replica::ReplicaCopy;
use subvault_model::subvolume::LocalSnapshot;

use super::Lint;
use crate::observed::{ObservedReplica, ObservedSubvolume};
use crate::step::{Common, Planned, Step, StepId, Which};

/// A snapshot that is sent, with what it is sent relative to.
struct Sent<'a> {
    name: &'a SnapshotName,
    snapshot: &'a Which,
    parent: Option<&'a Common>,
    clone_sources: &'a [Common],
}

impl<'a> Lint<'a> {
    /// A step about a replica.
    pub(super) fn replica_step(&mut self, index: usize, planned: &'a Planned, subvolume: &'a ObservedSubvolume) {
        let Some(target) = planned.step.replica() else { return };
        let Some(replica) = subvolume.replicas.iter().find(|replica| replica.name == *target) else {
            return self.require(false, index, "is about a replica that was not looked at");
        };
        match &planned.step {
            Step::SendCopy { name, snapshot, parent, clone_sources, .. } => {
                let sent = Sent { name, snapshot, parent: parent.as_ref(), clone_sources };
                self.send_copy(index, &planned.needs, subvolume, replica, &sent);
            }
            Step::RemoveUnfinishedCopy { name, uuid, .. } => {
                let seen = replica.unfinished.iter().any(|left| left.uuid == *uuid && left.name == *name);
                let whole = replica.copies.iter().any(|copy| copy.uuid == *uuid);
                self.require(seen && !whole, index, "removes something else than an interrupted receive");
                self.once(index, &subvolume.name, &planned.step);
            }
            Step::DeleteCopy { name, uuid, .. } => {
                self.delete_copy(index, &planned.needs, subvolume, replica, (name, *uuid));
                self.once(index, &subvolume.name, &planned.step);
            }
            _ => {}
        }
    }

    fn once(&mut self, index: usize, of: &SubvolumeName, step: &Step) {
        let again = self.earlier(of).iter().any(|(_, before)| *before == step);
        self.require(!again, index, "removes something twice");
    }

    /// The newest snapshot that a replica has too goes only after a newer one has arrived there.
    pub(super) fn parent_of_copies(
        &mut self,
        index: usize,
        needs: &[StepId],
        subvolume: &ObservedSubvolume,
        uuid: SnapshotUuid,
    ) {
        for replica in &subvolume.replicas {
            if newest_on_both(subvolume, replica) == Some(uuid) {
                let sends = |s: &Step| sends_to(s, &subvolume.name, &replica.name);
                let sent = self.earlier(&subvolume.name).iter().any(|(id, s)| needs.contains(id) && sends(s));
                self.require(sent, index, "deletes the parent of the next copy");
            }
        }
    }

    fn send_copy(
        &mut self,
        index: usize,
        needs: &[StepId],
        subvolume: &'a ObservedSubvolume,
        replica: &ObservedReplica,
        sent: &Sent<'a>,
    ) {
        let occupied = replica.copies.iter().any(|copy| copy.name == *sent.name);
        let again = self.earlier(&subvolume.name).into_iter().any(|(_, s)| is_copy_of(s, &replica.name, sent.name));
        self.require(!occupied && !again, index, "sends a copy whose name is in use there");
        match sent.snapshot {
            Which::Existing { name, uuid } => {
                self.uses(index, subvolume, name, *uuid);
                self.require(name == sent.name, index, "gives a copy another name");
            }
            Which::TakenBy(taker) => {
                let takes = self
                    .earlier(&subvolume.name)
                    .into_iter()
                    .any(|(id, s)| id == *taker && matches!(s, Step::TakeSnapshot { name, .. } if name == sent.name));
                self.require(
                    takes && needs.contains(taker),
                    index,
                    "sends a snapshot that no step that it needs takes",
                );
            }
        }
        for left in replica.unfinished.iter().filter(|left| left.name == *sent.name) {
            let removed = self.earlier(&subvolume.name).into_iter().any(|(id, s)| {
                needs.contains(&id) && matches!(s, Step::RemoveUnfinishedCopy { uuid, .. } if *uuid == left.uuid)
            });
            self.require(removed, index, "receives where an interrupted receive has left something");
        }
        for common in sent.parent.into_iter().chain(sent.clone_sources) {
            self.both_have(index, needs, &replica.name, common);
            let origin = |wanted| subvolume.snapshots.iter().find(|s| s.uuid == wanted).and_then(|s| s.received);
            if let Which::Existing { uuid, .. } = sent.snapshot {
                let same = origin(*uuid).is_some() && origin(*uuid) == origin(common.uuid);
                self.require(!same, index, "is relative to something of the same origin");
            }
        }
    }

    /// What a copy is relative to must be on both sides, the same, when the step's turn comes.
    fn both_have(&mut self, index: usize, needs: &[StepId], target: &TargetName, common: &'a Common) {
        let Some(of) = self.subvolumes.get(&common.subvolume).map(|known| known.seen) else {
            return self.require(false, index, "is relative to a subvolume that was not looked at");
        };
        self.uses(index, of, &common.snapshot, common.uuid);
        let Some(expected) = common.copy else {
            let sent = self
                .earlier(&common.subvolume)
                .into_iter()
                .any(|(id, s)| needs.contains(&id) && is_copy_of(s, target, &common.snapshot));
            return self.require(sent, index, "is relative to a copy that no step that it needs makes");
        };
        let local = of.snapshots.iter().find(|s| s.uuid == common.uuid);
        let copy = of
            .replicas
            .iter()
            .find(|r| r.name == *target)
            .and_then(|r| r.copies.iter().find(|copy| copy.uuid == expected));
        let same = local.zip(copy).is_some_and(|(local, copy)| is_same(local, copy));
        self.require(same, index, "is relative to a copy that is not what is here");
        let deleted = self
            .earlier(&common.subvolume)
            .into_iter()
            .any(|(_, s)| matches!(s, Step::DeleteCopy { target: at, uuid, .. } if at == target && *uuid == expected));
        self.require(!deleted, index, "is relative to a copy that is deleted before");
    }

    fn delete_copy(
        &mut self,
        index: usize,
        needs: &[StepId],
        subvolume: &ObservedSubvolume,
        replica: &ObservedReplica,
        (name, uuid): (&SnapshotName, SnapshotUuid),
    ) {
        let Some(copy) = replica.copies.iter().find(|copy| copy.uuid == uuid && copy.name == *name) else {
            return self.require(false, index, "deletes a copy that was not seen");
        };
        self.require(copy.intact && copy.received.is_some(), index, "deletes a copy that somebody has changed");
        let sends: Vec<StepId> = self
            .earlier(&subvolume.name)
            .into_iter()
            .filter(|(_, s)| sends_to(s, &subvolume.name, &replica.name))
            .map(|(id, _)| id)
            .collect();
        let arrived = sends.iter().all(|send| needs.contains(send));
        self.require(arrived, index, "deletes a copy before what is sent has arrived");
        let next = subvolume.snapshots.iter().find(|s| newest_on_both(subvolume, replica) == Some(s.uuid));
        let is_next = next.is_some_and(|local| is_same(local, copy));
        self.require(!sends.is_empty() || !is_next, index, "deletes the next parent");
        self.require(self.keeps_one(subvolume, replica, uuid, !sends.is_empty()), index, "deletes the last copy");
    }

    /// Whether a copy is left when this one is gone too.
    fn keeps_one(
        &self,
        subvolume: &ObservedSubvolume,
        replica: &ObservedReplica,
        gone: SnapshotUuid,
        sends: bool,
    ) -> bool {
        let deleted = |uuid| {
            uuid == gone
                || self
                    .earlier(&subvolume.name)
                    .into_iter()
                    .any(|(_, s)| matches!(s, Step::DeleteCopy { uuid: u, .. } if *u == uuid))
        };
        sends || replica.copies.iter().any(|copy| copy.intact && !deleted(copy.uuid))
    }
}

fn is_copy_of(step: &Step, to: &TargetName, of: &SnapshotName) -> bool {
    matches!(step, Step::SendCopy { target, name, .. } if target == to && name == of)
}

fn sends_to(step: &Step, of: &SubvolumeName, to: &TargetName) -> bool {
    matches!(step, Step::SendCopy { subvolume, target, .. } if subvolume == of && target == to)
}

/// Whether a copy is of that snapshot and neither was changed since.
fn is_same(local: &LocalSnapshot, copy: &ReplicaCopy) -> bool {
    let Some(origin) = copy.received else { return false };
    let same = match local.received {
        Some(received) => received == origin,
        None => local.uuid.is_copied_as(&origin) && local.ctransid == copy.sent,
    };
    same && local.read_only && copy.intact && local.name == copy.name
}

/// The newest snapshot that both sides have.
fn newest_on_both(subvolume: &ObservedSubvolume, replica: &ObservedReplica) -> Option<SnapshotUuid> {
    let on_both = |local: &&LocalSnapshot| replica.copies.iter().any(|copy| is_same(local, copy));
    subvolume.snapshots.iter().filter(on_both).max_by_key(|local| &local.name).map(|local| local.uuid)
}
