//! Which of our snapshots go after a run.
//!
//! The parent of a target's next stream goes only after that stream was published there, so a run that dies anywhere
//! leaves every chain able to go on. What a target needs that could not be looked at is not known: then everything
//! stays, but not for ever, or a lost disk would fill the pool.

use jiff::Timestamp;
use subvault_model::ids::SnapshotUuid;
use subvault_model::names::TargetName;
use subvault_model::stream::StreamSummary;
use subvault_model::subvolume::LocalSnapshot;

use crate::chain::newest_tip;
use crate::observed::{ObservedSubvolume, ObservedTarget};
use crate::policy::SubvolumePolicy;
use crate::step::{Plan, Step, StepId, Which};

/// For how many days snapshots stay for the sake of a target that cannot be looked at: long enough for a disk that is
/// plugged in once a month.
const PINNED_DAYS: i64 = 40;

/// Plans the deletion of snapshots that nothing needs any more; `sends` are the streams of this plan by target.
pub(crate) fn delete_unneeded(
    plan: &mut Plan,
    wanted: &SubvolumePolicy,
    seen: &ObservedSubvolume,
    sends: &[(&ObservedTarget, StepId)],
    taken: Option<StepId>,
    now: Timestamp,
) {
    let unseen = wanted.targets.iter().find(|t| !sends.iter().any(|(seen, _)| seen.name == **t));
    if let Some(unseen) = unseen {
        plan.notes.push(format!(
            "{}: nothing goes to {unseen} in this run; no snapshot of the last {PINNED_DAYS} days is deleted, in case {unseen} needs it",
            wanted.name
        ));
    }
    let Some(replaced_by) = taken.or(sends.first().map(|(_, step)| *step)) else { return };
    let mut newest: Vec<&LocalSnapshot> = seen.snapshots.iter().collect();
    newest.sort_by(|a, b| b.name.cmp(&a.name));
    let keep = wanted.keep_snapshots.get() as usize - usize::from(taken.is_some());
    for snapshot in newest.into_iter().skip(keep) {
        let pinned = unseen.is_some() && is_recent(snapshot, now);
        if pinned || is_resumed(plan, sends, snapshot.uuid) {
            continue;
        }
        let mut needs = publishing_its_successors(sends, snapshot);
        needs.push(replaced_by);
        needs.sort_unstable();
        needs.dedup();
        let step =
            Step::DeleteSnapshot { subvolume: seen.name.clone(), name: snapshot.name.clone(), uuid: snapshot.uuid };
        plan.push(step, because(wanted, unseen), needs);
    }
}

fn because(wanted: &SubvolumePolicy, unseen: Option<&TargetName>) -> String {
    match unseen {
        None => format!("no stream needs it any more; the newest {} stay", wanted.keep_snapshots),
        Some(target) => {
            format!("it is {PINNED_DAYS} days old; if it was the parent for {target}, that will need a full")
        }
    }
}

/// A snapshot from the future (the clock was set back) is recent.
fn is_recent(snapshot: &LocalSnapshot, now: Timestamp) -> bool {
    now.as_second().saturating_sub(snapshot.name.taken().as_second()) < PINNED_DAYS * 86_400
}

/// The streams of this plan to the targets whose next stream would otherwise be relative to that snapshot.
fn publishing_its_successors(sends: &[(&ObservedTarget, StepId)], snapshot: &LocalSnapshot) -> Vec<StepId> {
    let parent_of = |target: &ObservedTarget| newest_tip(&target.streams).is_some_and(|tip| same(tip, snapshot));
    sends.iter().filter(|(target, _)| parent_of(target)).map(|(_, step)| *step).collect()
}

fn same(tip: &StreamSummary, snapshot: &LocalSnapshot) -> bool {
    tip.snapshot.uuid == snapshot.uuid || snapshot.received.is_some_and(|r| tip.snapshot.uuid.is_copied_as(&r))
}

/// Whether an upload of this plan takes that snapshot up again: the published stream will name it as the next parent.
fn is_resumed(plan: &Plan, sends: &[(&ObservedTarget, StepId)], wanted: SnapshotUuid) -> bool {
    sends.iter().any(|(_, StepId(index))| {
        let step = plan.steps.get(*index).map(|p| &p.step);
        matches!(step, Some(Step::SendStream { snapshot: Which::Existing { uuid, .. }, .. }) if *uuid == wanted)
    })
}
