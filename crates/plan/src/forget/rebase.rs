//! Decides what is sent anew to targets, and which copies go there then, so that nothing there holds what is forgotten.
//!
//! First something newer arrives that surely does not hold it, and only then goes what may. What is sent is decided as in
//! any other run, but it is one of our own snapshots: those of other programs may hold it and are never rewritten.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use subvault_model::ids::SnapshotUuid;
use subvault_model::names::{SubvolumeName, TargetName};
use subvault_model::note::Note;
use subvault_model::replica::ReplicaCopy;
use subvault_model::subvolume::LocalSnapshot;

use super::archives::{self, Clean};
use crate::observed::{Observed, ObservedReplica, ObservedSubvolume, ObservedTarget};
use crate::policy::{ArchivePolicy, Fulls, Policy};
use crate::replica::common;
use crate::run::{self, Request, Wanted};
use crate::step::{Plan, Step, StepId};

/// What is known about what holds it, after it was forgotten on the pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The snapshots on the pool that do not, by subvolume.
    pub clean: BTreeMap<SubvolumeName, Clean>,
    /// The copies at replicas that do or may.
    pub copies: BTreeMap<(SubvolumeName, TargetName), BTreeSet<SnapshotUuid>>,
}

impl Known {
    fn clean(&self, subvolume: &SubvolumeName) -> Clean {
        self.clean.get(subvolume).cloned().unwrap_or_default()
    }

    pub(super) fn holds(&self, subvolume: &SubvolumeName, replica: &ObservedReplica, copy: SnapshotUuid) -> bool {
        let key = (subvolume.clone(), replica.name.clone());
        self.copies.get(&key).is_some_and(|holding| holding.contains(&copy))
    }
}

/// What is to be done at targets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebase {
    /// What is sent, and which copies go.
    pub plan: Plan,
    /// Where generations go after that.
    pub archives: Vec<(SubvolumeName, TargetName)>,
}

/// Decides about the targets that were `asked` for.
#[must_use]
pub fn plan(policy: &Policy, observed: &Observed, asked: &[TargetName], known: &Known, now: Timestamp) -> Rebase {
    let mut rebase = Rebase::default();
    let mut narrowed = Observed { open_hooks: Vec::new(), ..observed.clone() };
    for seen in &mut narrowed.subvolumes {
        seen.targets.retain(|target| asked.contains(&target.name));
        seen.replicas.retain(|replica| asked.contains(&replica.name));
        let clean = known.clean(&seen.name);
        for target in seen.targets.iter().filter(|target| may_hold(policy, target, &clean, now)) {
            rebase.archives.push((seen.name.clone(), target.name.clone()));
        }
        seen.targets.retain(|target| {
            may_hold(policy, target, &clean, now)
                && (is_begun(target, &clean) || archives::needs_full(&target.streams, &target.incomplete, &clean))
        });
        let snapshots = seen.snapshots.clone();
        seen.replicas.retain(|replica| needs_copy(known, (&seen.name, &snapshots), replica));
        // What may hold it is neither sent nor a parent. It stays in the list: its name is in use.
        for snapshot in &mut seen.snapshots {
            snapshot.read_only &= clean.get(&snapshot.uuid) == Some(&snapshot.ctransid);
        }
    }
    narrowed.subvolumes.retain(|seen| !seen.targets.is_empty() || !seen.replicas.is_empty());
    if !narrowed.subvolumes.is_empty() {
        let request = Request { snapshots: Wanted::All, sends: Wanted::All, prune: false, note: Note::default() };
        rebase.plan = run::plan(&of_our_own(policy, &narrowed), &narrowed, &request, now);
    }
    for seen in &observed.subvolumes {
        for replica in seen.replicas.iter().filter(|replica| asked.contains(&replica.name)) {
            delete_copies(&mut rebase.plan, known, seen, replica);
        }
    }
    rebase
}

/// The policy by which fulls of our own snapshots are sent, also where otherwise others take what is sent. What is not sent
/// anew is no part of its group this time.
fn of_our_own(policy: &Policy, narrowed: &Observed) -> Policy {
    let mut policy = Policy { fulls: Fulls::Now, ..policy.clone() };
    policy.subvolumes.retain(|wanted| narrowed.subvolumes.iter().any(|seen| seen.name == wanted.name));
    policy.subvolumes.iter_mut().for_each(|wanted| wanted.ships_foreign = false);
    policy
}

fn policy_of<'a>(policy: &'a Policy, target: &ObservedTarget) -> Option<&'a ArchivePolicy> {
    policy.targets.get(&target.name)
}

fn may_hold(policy: &Policy, target: &ObservedTarget, clean: &Clean, now: Timestamp) -> bool {
    let generations = policy_of(policy, target).map(|of| archives::may_hold(of, &target.streams, clean, now));
    generations.is_some_and(|generations| !generations.is_empty()) || is_begun(target, clean)
}

/// Whether an upload was interrupted that may hold it.
fn is_begun(target: &ObservedTarget, clean: &Clean) -> bool {
    target.unfinished.as_ref().is_some_and(|unfinished| !clean.contains_key(&unfinished.snapshot))
}

/// Whether something must be sent before anything may go: unless the newest copy is whole and does not hold it, and what
/// the next copy would be relative to stays. What an interrupted receive left goes with what is sent.
fn needs_copy(
    known: &Known,
    (subvolume, snapshots): (&SubvolumeName, &[LocalSnapshot]),
    replica: &ObservedReplica,
) -> bool {
    let newest = replica.copies.iter().max_by(|a, b| a.name.cmp(&b.name));
    let is_good = newest.is_none_or(|copy| copy.intact && !known.holds(subvolume, replica, copy.uuid));
    let next_parent = common(snapshots, replica).first().map(|(_, copy)| copy.uuid);
    let parent_goes = next_parent.is_some_and(|copy| known.holds(subvolume, replica, copy));
    !is_good || parent_goes || !replica.unfinished.is_empty()
}

fn deletes(step: &Step, at: &TargetName, copy: SnapshotUuid) -> bool {
    matches!(step, Step::DeleteCopy { target, uuid, .. } if target == at && *uuid == copy)
}

fn delete_copies(plan: &mut Plan, known: &Known, seen: &ObservedSubvolume, replica: &ObservedReplica) {
    let sends = |step: &Step| matches!(step, Step::SendCopy { subvolume, target, .. } if *subvolume == seen.name && *target == replica.name);
    let needs: Vec<StepId> =
        plan.steps.iter().enumerate().filter(|(_, s)| sends(&s.step)).map(|(index, _)| StepId(index)).collect();
    let mut holding: Vec<_> =
        replica.copies.iter().filter(|copy| known.holds(&seen.name, replica, copy.uuid)).collect();
    // Retention there may let some of them go already.
    holding.retain(|copy| !plan.steps.iter().any(|s| deletes(&s.step, &replica.name, copy.uuid)));
    holding.sort_by(|a, b| a.name.cmp(&b.name));
    let is_good =
        |copy: &&ReplicaCopy| copy.intact && copy.received.is_some() && !known.holds(&seen.name, replica, copy.uuid);
    let stays = |copy: &ReplicaCopy| !plan.steps.iter().any(|s| deletes(&s.step, &replica.name, copy.uuid));
    let is_replaced = !needs.is_empty() || replica.copies.iter().filter(is_good).any(stays);
    for copy in holding {
        // What somebody has changed is his.
        if !copy.intact || copy.received.is_none() {
            plan.notes.push(format!("{} at {} was changed since it was received, and stays", copy.name, replica.name));
            continue;
        }
        if !is_replaced {
            let (name, at) = (&copy.name, &replica.name);
            plan.notes
                .push(format!("{name} at {at} stays, as nothing there is sure to be without it; copy anew first"));
            continue;
        }
        let (subvolume, target) = (seen.name.clone(), replica.name.clone());
        let step = Step::DeleteCopy { subvolume, target, name: copy.name.clone(), uuid: copy.uuid };
        plan.push(step, "it holds, or may hold, what is to be forgotten", needs.clone());
    }
}
