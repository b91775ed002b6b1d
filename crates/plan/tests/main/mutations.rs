//! Breaks good plans on purpose: the check must see each kind of breakage, or it guards nothing.

use std::collections::BTreeMap;
use std::sync::Mutex;

use proptest::prelude::*;
use subvault_model::names::{StreamName, SubvolumeName};
use subvault_model::stream::Generation;
use subvault_plan::check::check;
use subvault_plan::step::{Plan, Planned, Step, StepId, Which};

use crate::fixtures::uuid;
use crate::simulation::{Act, acts, after};

type Breakage = (&'static str, fn(&mut Plan, usize) -> bool);

fn elsewhere() -> SubvolumeName {
    "elsewhere".parse().unwrap()
}

fn stranger() -> StreamName {
    "20200101T000000Z-full-ffffffff".parse().unwrap()
}

/// Breaks a stream step; tells whether it was one.
fn send(step: &mut Step, breaks: impl FnOnce(&mut Step) -> bool) -> bool {
    matches!(step, Step::SendStream { .. }) && breaks(step)
}

fn rename(plan: &mut Plan, i: usize) -> bool {
    match &mut plan.steps[i].step {
        Step::TakeSnapshot { subvolume, .. }
        | Step::SendStream { subvolume, .. }
        | Step::AbandonUpload { subvolume, .. }
        | Step::RepairPointer { subvolume, .. }
        | Step::RemoveUnfinishedCopy { subvolume, .. }
        | Step::SendCopy { subvolume, .. }
        | Step::DeleteCopy { subvolume, .. }
        | Step::RemoveLostNote { subvolume, .. }
        | Step::DeleteSnapshot { subvolume, .. } => *subvolume = elsewhere(),
        Step::BeginHook { .. } | Step::EndHook { .. } => return false,
    }
    true
}

fn other_target(plan: &mut Plan, i: usize) -> bool {
    match &mut plan.steps[i].step {
        Step::SendStream { target, .. } | Step::AbandonUpload { target, .. } | Step::RepairPointer { target, .. } => {
            *target = "attic".parse().unwrap();
            true
        }
        _ => false,
    }
}

fn other_stream(plan: &mut Plan, i: usize) -> bool {
    match &mut plan.steps[i].step {
        Step::AbandonUpload { stream, .. } | Step::RepairPointer { stream, .. } => *stream = stranger(),
        Step::SendStream { parent: Some(parent), .. } => parent.stream = stranger(),
        Step::SendStream { resume: Some(resume), .. } => *resume = stranger(),
        _ => return false,
    }
    true
}

fn other_snapshot(plan: &mut Plan, i: usize) -> bool {
    match &mut plan.steps[i].step {
        Step::SendStream { snapshot: Which::Existing { uuid: of, .. }, .. } | Step::DeleteSnapshot { uuid: of, .. } => {
            *of = uuid(255);
        }
        Step::SendStream { snapshot: Which::TakenBy(StepId(by)), .. } => *by = i,
        _ => return false,
    }
    true
}

fn other_parent(plan: &mut Plan, i: usize) -> bool {
    send(&mut plan.steps[i].step, |step| match step {
        Step::SendStream { parent: Some(parent), .. } => {
            parent.uuid = uuid(255);
            true
        }
        _ => false,
    })
}

fn no_parent(plan: &mut Plan, i: usize) -> bool {
    send(&mut plan.steps[i].step, |step| match step {
        Step::SendStream { parent: parent @ Some(_), sequence, .. } => {
            (*parent, *sequence) = (None, 0);
            true
        }
        _ => false,
    })
}

fn other_place(plan: &mut Plan, i: usize) -> bool {
    send(&mut plan.steps[i].step, |step| match step {
        Step::SendStream { generation: Generation(g), .. } => {
            *g += 1;
            true
        }
        _ => false,
    })
}

fn later_place(plan: &mut Plan, i: usize) -> bool {
    send(&mut plan.steps[i].step, |step| match step {
        Step::SendStream { sequence, .. } => {
            *sequence += 1;
            true
        }
        _ => false,
    })
}

fn turned_resume(plan: &mut Plan, i: usize) -> bool {
    send(&mut plan.steps[i].step, |step| match step {
        Step::SendStream { resume, .. } => {
            *resume = resume.is_none().then(stranger);
            true
        }
        _ => false,
    })
}

fn old_name(plan: &mut Plan, i: usize) -> bool {
    let other = "elsewhere.20260101T000000Z".parse().unwrap();
    match &mut plan.steps[i].step {
        Step::TakeSnapshot { name, .. } | Step::DeleteSnapshot { name, .. } | Step::RemoveLostNote { name, .. } => {
            *name = other;
        }
        Step::SendStream { parent: Some(parent), .. } => parent.snapshot = other,
        _ => return false,
    }
    true
}

/// Only deletions and new streams rely on what they need.
fn no_needs(plan: &mut Plan, i: usize) -> bool {
    let had = !plan.steps[i].needs.is_empty();
    plan.steps[i].needs.clear();
    had
}

/// Where the plan takes a snapshot, a deletion needs all that it names.
fn one_need_less(plan: &mut Plan, i: usize) -> bool {
    let takes = |StepId(n): &StepId| matches!(plan.steps[*n].step, Step::TakeSnapshot { .. });
    let applies = plan.steps[i].needs.iter().any(takes);
    if applies {
        let drop = plan.steps.len() % plan.steps[i].needs.len();
        plan.steps[i].needs.remove(drop);
    }
    applies
}

/// Steps that change something twice; a pointer too.
fn twice(plan: &mut Plan, i: usize) -> bool {
    let again: Planned = plan.steps[i].clone();
    plan.steps.push(again);
    true
}

/// A deletion before the stream that it must wait for.
fn too_early(plan: &mut Plan, i: usize) -> bool {
    let deletes = matches!(plan.steps[i].step, Step::DeleteSnapshot { .. }) && !plan.steps[i].needs.is_empty();
    if deletes {
        let step = plan.steps.remove(i);
        plan.steps.insert(0, step);
    }
    deletes
}

fn not_given_up(plan: &mut Plan, i: usize) -> bool {
    let given_up = matches!(plan.steps[i].step, Step::AbandonUpload { .. });
    if given_up {
        plan.steps.remove(i);
    }
    given_up
}

fn not_repaired(plan: &mut Plan, i: usize) -> bool {
    let repairs = matches!(plan.steps[i].step, Step::RepairPointer { .. });
    if repairs {
        plan.steps.remove(i);
    }
    repairs
}

fn unexplained(plan: &mut Plan, i: usize) -> bool {
    plan.steps[i].because.clear();
    true
}

fn from_the_future(plan: &mut Plan, i: usize) -> bool {
    plan.steps[i].needs.push(StepId(i));
    true
}

const BREAKAGES: [Breakage; 18] = [
    ("another subvolume", rename),
    ("another target", other_target),
    ("another stream", other_stream),
    ("another snapshot", other_snapshot),
    ("another parent", other_parent),
    ("no parent", no_parent),
    ("another generation", other_place),
    ("another sequence", later_place),
    ("resumes or not", turned_resume),
    ("a name that is not its", old_name),
    ("needs nothing", no_needs),
    ("needs one less", one_need_less),
    ("done twice", twice),
    ("deleted too early", too_early),
    ("not given up", not_given_up),
    ("not repaired", not_repaired),
    ("unexplained", unexplained),
    ("needs itself", from_the_future),
];

static APPLIED: Mutex<BTreeMap<&str, u32>> = Mutex::new(BTreeMap::new());

fn every_breakage_is_seen((keep, acts): (u32, Vec<Act>)) -> Result<(), TestCaseError> {
    let (_, observed, plan) = after(keep, &acts);
    prop_assert!(check(&plan, &observed).is_empty());
    for ((name, breaks), at) in BREAKAGES.into_iter().flat_map(|b| (0..plan.steps.len()).map(move |at| (b, at))) {
        let mut broken = plan.clone();
        if breaks(&mut broken, at) {
            prop_assert!(!check(&broken, &observed).is_empty(), "{name} was not seen: {broken:#?}");
            *APPLIED.lock().unwrap().entry(name).or_default() += 1;
        }
    }
    Ok(())
}

#[test]
fn the_check_sees_every_breakage() {
    let config = ProptestConfig { cases: 5000, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner.run(&(1..4_u32, acts()), every_breakage_is_seen).unwrap();
    let applied = APPLIED.lock().unwrap();
    for (name, _) in BREAKAGES {
        assert!(applied.get(name).is_some_and(|n| *n >= 30), "{name} was hardly tried: {applied:?}");
    }
}
