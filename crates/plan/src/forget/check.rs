//! Lints what is to be done on the pool and at targets against what was seen. Shares no code with the planner and runs before every
//! execution. Any finding is a bug in the planner, and nothing must be done.

use std::collections::BTreeSet;
use std::path::{Component, PathBuf};

use subvault_model::ids::SnapshotUuid;
use subvault_model::names::{SnapshotName, SubvolumeName, TargetName};

use super::rebase::Known;
use super::{Seen, Step};
use crate::observed::{Observed, ObservedSubvolume};
use crate::step::{Plan, Planned, Step as RunStep, Which};

/// What is wrong with these steps.
#[must_use]
pub fn check(steps: &[Step], seen: &[Seen]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut deleted = BTreeSet::new();
    for (index, step) in steps.iter().enumerate() {
        let Some(of) = seen.iter().find(|of| of.subvolume == *step.subvolume()) else {
            findings.push(format!("step {index} is about a subvolume that was not looked at"));
            continue;
        };
        let before = &steps[..index];
        let wrong = match step {
            Step::RemoveLive { path, .. } => live(of, path),
            Step::RemoveLeftover { name, uuid, .. } => leftover(of, name, *uuid),
            Step::Rewrite { name, uuid, paths, .. } => rewrite(of, before, (name, *uuid), paths),
            Step::Exchange { name, uuid, .. } => {
                let made = before
                    .iter()
                    .any(|s| matches!(s, Step::Rewrite { name: n, uuid: u, .. } if n == name && u == uuid));
                (!made).then_some("gives a snapshot's name to something that no step before it makes")
            }
            Step::DeleteOld { name, uuid, .. } => {
                let gone = before
                    .iter()
                    .any(|s| matches!(s, Step::Exchange { name: n, uuid: u, .. } if n == name && u == uuid));
                (!gone).then_some("deletes a snapshot before another one has its name")
            }
            Step::AwaitCleaning { .. } => None,
        };
        findings.extend(wrong.map(|what| format!("step {index} {what}")));
        if let Step::RemoveLeftover { uuid, .. } | Step::DeleteOld { uuid, .. } = step
            && !deleted.insert(*uuid)
        {
            findings.push(format!("step {index} deletes something twice"));
        }
    }
    findings
}

fn live(of: &Seen, path: &PathBuf) -> Option<&'static str> {
    (!of.live.iter().any(|held| held.path == *path)).then_some("removes what was not seen")
}

fn leftover(of: &Seen, name: &SnapshotName, uuid: SnapshotUuid) -> Option<&'static str> {
    if of.snapshots.iter().any(|snapshot| snapshot.uuid == uuid) {
        return Some("removes a snapshot as if it were left over");
    }
    let seen = of.leftovers.iter().any(|left| left.name == *name && left.uuid == uuid);
    (!seen).then_some("removes a leftover that was not seen")
}

fn rewrite(
    of: &Seen,
    before: &[Step],
    (name, uuid): (&SnapshotName, SnapshotUuid),
    paths: &[PathBuf],
) -> Option<&'static str> {
    let Some(snapshot) = of.snapshots.iter().find(|s| s.name == *name && s.uuid == uuid) else {
        return Some("replaces a snapshot that was not seen");
    };
    let is_plain = |path: &PathBuf| {
        !path.as_os_str().is_empty() && path.components().all(|part| matches!(part, Component::Normal(_)))
    };
    let again = before.iter().any(|s| matches!(s, Step::Rewrite { name: n, .. } if n == name));
    let left = of.leftovers.iter().filter(|left| left.name == *name);
    let cleared = left
        .clone()
        .all(|left| before.iter().any(|s| matches!(s, Step::RemoveLeftover { uuid, .. } if *uuid == left.uuid)));
    if !snapshot.read_only {
        Some("replaces a snapshot that somebody may be writing to")
    } else if paths.is_empty() || !paths.iter().all(|path| snapshot.holds.iter().any(|held| held.path == *path)) {
        Some("replaces a snapshot for something that it does not hold")
    } else if !paths.iter().all(is_plain) {
        Some("removes something that is no path inside of a snapshot")
    } else if again {
        Some("replaces a snapshot twice")
    } else if !cleared {
        Some("uses a name that something is left under")
    } else {
        None
    }
}

/// What is wrong with what is sent to targets and deleted there, beside what is wrong in any plan.
#[must_use]
pub fn check_rebase(plan: &Plan, observed: &Observed, known: &Known) -> Vec<String> {
    let of = |name: &SubvolumeName| observed.subvolumes.iter().find(|seen| seen.name == *name);
    let wrong = plan.steps.iter().enumerate().filter_map(|(index, planned)| {
        let wrong = match &planned.step {
            RunStep::SendStream { subvolume, snapshot, .. } | RunStep::SendCopy { subvolume, snapshot, .. } => {
                (!is_sure(snapshot, of(subvolume), known)).then_some("sends what may hold it")
            }
            RunStep::DeleteCopy { subvolume, target, uuid, .. } => {
                let holds = known.copies.get(&(subvolume.clone(), target.clone())).is_some_and(|h| h.contains(uuid));
                let is_replaced = is_replaced((planned, plan), (of(subvolume), target), known);
                (holds && !is_replaced).then_some("deletes a copy before one is there that is sure to be without it")
            }
            _ => None,
        };
        wrong.map(|what| format!("step {index} {what}"))
    });
    wrong.collect()
}

/// Whether what is sent is taken by the plan itself, or known not to hold it.
fn is_sure(snapshot: &Which, seen: Option<&ObservedSubvolume>, known: &Known) -> bool {
    let Which::Existing { uuid, .. } = snapshot else { return true };
    let here = seen.and_then(|seen| seen.snapshots.iter().find(|here| here.uuid == *uuid).map(|here| (seen, here)));
    here.is_some_and(|(seen, here)| {
        known.clean.get(&seen.name).and_then(|clean| clean.get(uuid)) == Some(&here.ctransid) && !here.foreign
    })
}

/// Whether a copy that is sure to be without it comes before the step, or is there and stays.
fn is_replaced(
    (deletion, plan): (&Planned, &Plan),
    (seen, at): (Option<&ObservedSubvolume>, &TargetName),
    known: &Known,
) -> bool {
    let Some(seen) = seen else { return false };
    let sends = |step: &RunStep| matches!(step, RunStep::SendCopy { subvolume, target, .. } if *subvolume == seen.name && target == at);
    let comes = deletion.needs.iter().any(|need| plan.steps.get(need.0).is_some_and(|before| sends(&before.step)));
    let deleted = |gone: SnapshotUuid| {
        let deletes =
            |step: &RunStep| matches!(step, RunStep::DeleteCopy { target, uuid, .. } if target == at && *uuid == gone);
        plan.steps.iter().any(|planned| deletes(&planned.step))
    };
    let holding = known.copies.get(&(seen.name.clone(), at.clone()));
    let copies = seen.replicas.iter().filter(|replica| replica.name == *at).flat_map(|replica| &replica.copies);
    let stays = copies.filter(|copy| copy.intact && copy.received.is_some() && !deleted(copy.uuid));
    comes || stays.into_iter().any(|copy| !holding.is_some_and(|holding| holding.contains(&copy.uuid)))
}
