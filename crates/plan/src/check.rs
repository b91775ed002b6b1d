//! Lints a plan. Shares no code with the planner and runs before every execution, in release builds too.

use std::collections::BTreeSet;

use subvault_model::ids::SnapshotUuid;

use crate::observed::Observed;
use crate::step::{Plan, Step, StepId, Which};

/// What is wrong with a plan. Any finding is a bug in the planner, and the plan must not be run.
#[must_use]
pub fn check(plan: &Plan, observed: &Observed) -> Vec<String> {
    let mut findings = Vec::new();
    let known: BTreeSet<SnapshotUuid> =
        observed.subvolumes.iter().flat_map(|s| s.snapshots.iter().map(|x| x.uuid)).collect();
    let mut deleted: BTreeSet<SnapshotUuid> = BTreeSet::new();
    for (index, planned) in plan.steps.iter().enumerate() {
        if planned.because.is_empty() {
            findings.push(format!("step {index} has no reason"));
        }
        if planned.needs.iter().any(|StepId(need)| *need >= index) {
            findings.push(format!("step {index} needs a step that comes later"));
        }
        match &planned.step {
            Step::SendStream { snapshot, parent, sequence, .. } => {
                if (*sequence == 0) != parent.is_none() {
                    findings.push(format!("step {index}: exactly the fulls have sequence 0"));
                }
                for uuid in
                    used(plan, snapshot, &mut findings, index).into_iter().chain(parent.as_ref().map(|p| p.uuid))
                {
                    if !known.contains(&uuid) || deleted.contains(&uuid) {
                        findings.push(format!("step {index} uses snapshot {uuid}, which is not there"));
                    }
                }
            }
            Step::DeleteSnapshot { uuid, .. } => {
                if !known.contains(uuid) || !deleted.insert(*uuid) {
                    findings.push(format!("step {index} deletes snapshot {uuid}, which was not seen"));
                }
                if planned.needs.is_empty() {
                    findings.push(format!("step {index} deletes a snapshot whatever happens before"));
                }
            }
            Step::TakeSnapshot { .. } | Step::AbandonUpload { .. } | Step::RepairPointer { .. } => {}
        }
    }
    findings
}

fn used(plan: &Plan, which: &Which, findings: &mut Vec<String>, index: usize) -> Option<SnapshotUuid> {
    match which {
        Which::Existing { uuid, .. } => Some(*uuid),
        Which::TakenBy(StepId(taker)) => {
            let takes = plan.steps.get(*taker).is_some_and(|p| matches!(p.step, Step::TakeSnapshot { .. }));
            if !takes || *taker >= index {
                findings.push(format!("step {index} uses a snapshot that no earlier step takes"));
            }
            None
        }
    }
}
