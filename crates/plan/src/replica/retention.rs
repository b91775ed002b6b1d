//! Which copies stay at a replica.

use std::collections::{BTreeMap, BTreeSet};

use subvault_model::names::SnapshotName;
use subvault_model::replica::ReplicaCopy;

use super::{Subject, common};
use crate::keep::{Candidate, Reason, judge};
use crate::step::{Plan, Step, StepId};

impl Subject<'_> {
    /// Copies that are what they were sent as; what somebody changed is his.
    fn intact(&self) -> impl Iterator<Item = &ReplicaCopy> {
        self.replica.copies.iter().filter(|copy| copy.intact && copy.received.is_some())
    }

    /// Those that stay when `more` have come: their names, and why.
    fn judged<'a>(&'a self, more: impl Iterator<Item = &'a SnapshotName>) -> BTreeMap<&'a SnapshotName, Vec<Reason>> {
        let names: BTreeSet<&SnapshotName> = self.intact().map(|copy| &copy.name).chain(more).collect();
        let candidates: Vec<Candidate> = names
            .iter()
            .zip(0..)
            .map(|(name, order)| Candidate { taken: name.taken(), order, tags: BTreeSet::new() })
            .collect();
        let reasons = judge(&self.policy.keep, &candidates, self.moment.now, self.moment.zone);
        names.into_iter().zip(reasons).collect()
    }

    /// The names that retention keeps when `more` have come.
    pub(super) fn kept<'a>(&'a self, more: impl Iterator<Item = &'a SnapshotName>) -> BTreeSet<SnapshotName> {
        let judged = self.judged(more).into_iter();
        judged.filter(|(_, reasons)| !reasons.is_empty()).map(|(name, _)| name.clone()).collect()
    }

    /// Plans the deletion of copies that no rule keeps, after all that is sent has arrived.
    pub(super) fn delete_unneeded(&self, plan: &mut Plan, sends: &[(SnapshotName, StepId)]) {
        let kept = self.kept(sends.iter().map(|(name, _)| name));
        let there = common(&self.seen.snapshots, self.replica);
        // When something was sent, that is the newest that both sides have.
        let pinned = there.first().filter(|_| sends.is_empty()).map(|(_, copy)| copy.uuid);
        let mut gone: Vec<&ReplicaCopy> =
            self.intact().filter(|copy| !kept.contains(&copy.name) && pinned != Some(copy.uuid)).collect();
        gone.sort_by(|a, b| a.name.cmp(&b.name));
        for copy in gone {
            let step = Step::DeleteCopy {
                subvolume: self.seen.name.clone(),
                target: self.replica.name.clone(),
                name: copy.name.clone(),
                uuid: copy.uuid,
            };
            let needs = sends.iter().map(|(_, step)| *step).collect();
            plan.push(step, format!("no rule of {} keeps it", self.replica.name), needs);
        }
    }
}
