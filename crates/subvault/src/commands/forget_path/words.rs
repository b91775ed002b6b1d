//! What holds the paths, what is done about it and what came of that, in words.

use std::fmt::Display;

use subvault_jobs::driver::chain;
use subvault_jobs::foreign::Owner;
use subvault_jobs::forget::{
    Copies, Debris, Generations, NotSeen, OnPool, Outcome, Performed, Rebased, Subject, not_seen,
};
use subvault_model::bytesize::ByteSize;
use subvault_model::file::FileKind;
use subvault_plan::forget::archives::MayHold;
use subvault_plan::forget::{Held, Seen, SeenSnapshot, Step};
use subvault_plan::gc::{GcPlan, GcStep};

use super::super::report;
use super::{Came, Case, Goes, paths, still_holds};
use crate::output::size;

/// What was found and what will be done.
pub(super) fn describe(subjects: &[Subject<'_>], case: &Case) -> String {
    let mut text = format!("{}\n", paths(subjects).join("\n"));
    for found in &case.pool {
        text.push_str(&on_pool(found));
    }
    for generations in &case.told.archives {
        text.push_str(&archive(generations));
    }
    for copies in &case.told.copies {
        text.push_str(&replica(copies));
    }
    for NotSeen { what, error } in not_seen(&case.told.sight) {
        text.push_str(&format!("not looked at: {what}: {error}; it may hold it\n"));
    }
    text.push_str(&steps(case));
    text
}

fn amount(held: &Held) -> String {
    match held.kind {
        FileKind::File => held.size.bytes.to_string(),
        FileKind::Directory => format!("directory, {} entries, {}", held.size.entries, held.size.bytes),
        other => other.to_string(),
    }
}

fn amounts(holds: &[Held]) -> String {
    let shown = |held: &Held| format!("{} ({})", subvault_model::file::shown(&held.path), amount(held));
    holds.iter().map(shown).collect::<Vec<_>>().join(", ")
}

fn on_pool(found: &OnPool) -> String {
    let Seen { subvolume, live, snapshots, leftovers } = &found.seen;
    let holding: Vec<&SeenSnapshot> = snapshots.iter().filter(|snapshot| !snapshot.holds.is_empty()).collect();
    let mut text = format!("\n{subvolume}: {} of {} snapshots hold it\n", holding.len(), snapshots.len());
    for snapshot in &holding {
        let writable = if snapshot.read_only { "" } else { "; it can be written to, and is left as it is" };
        text.push_str(&format!("  {}  {}{writable}\n", snapshot.name, amounts(&snapshot.holds)));
    }
    for left in leftovers {
        text.push_str(&format!("  a run that died left something beside {}\n", left.name));
    }
    for other in &found.others {
        let whose = match (other.debris, other.owner) {
            (Some(Debris::Fetched), _) => "fetched by a run that died; `btrfs subvolume delete` removes it",
            (Some(Debris::Restoring), _) => {
                "received by a restore that died; the same restore ends it, `btrfs subvolume delete` removes it"
            }
            (None, Some(Owner::Snapper)) => "snapper's; `snapper delete` removes it",
            (None, Some(Owner::Btrbk)) => "btrbk's",
            _ => "not a snapshot of subvault's",
        };
        text.push_str(&format!("  {}  {}: {whose}; it is left as it is\n", other.path, amounts(&other.holds)));
    }
    if !live.is_empty() {
        text.push_str(&format!("  the subvolume itself holds {}\n", amounts(live)));
    }
    let all = snapshots.iter().map(|snapshot| &snapshot.holds).chain([live]).flatten();
    if all.map(|held| held.linked).sum::<u64>() > 0 {
        text.push_str(
            "  some files have further names (hard links); what those lead to stays where they are elsewhere\n",
        );
    }
    text
}

fn archive(at: &Generations) -> String {
    let Generations { target, subvolume, may_hold, begun, unreadable, in_a_bucket } = at;
    if !at.may_hold_any() {
        return format!("{target}: no stream of {subvolume} holds it\n");
    }
    let mut text = String::new();
    for generation in may_hold {
        text.push_str(&format!("{target}: {subvolume} {}\n", of_generation(generation)));
    }
    if *begun {
        text.push_str(&format!("{target}: an interrupted upload of {subvolume} may hold it, until the next one\n"));
    }
    if *unreadable > 0 {
        let streams = counted(*unreadable, "stream");
        text.push_str(&format!(
            "{target}: manifests of {streams} of {subvolume} cannot be read: it may be there; `verify` names them\n"
        ));
    }
    if *in_a_bucket {
        text.push_str(&format!("{target}: a bucket with versions or locks keeps what is deleted for longer\n"));
    }
    text
}

fn more(fulls: u32) -> String {
    if fulls == 1 { "1 more full is".to_owned() } else { format!("{fulls} more fulls are") }
}

/// So many of them.
fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, of: &str) -> String {
    if count == N::from(1) { format!("1 {of}") } else { format!("{count} {of}s") }
}

fn of_generation(held: &MayHold) -> String {
    let until = match (held.fulls_before, held.not_before) {
        (0, Some(at)) => format!("it goes with `gc`, not before {}", size::moment(at)),
        (n, Some(at)) => {
            format!("stays until {} archived and `gc` runs, not before {}", more(n), size::moment(at))
        }
        (1, None) => "stays until you have archived one more full with --full, and `gc` runs".to_owned(),
        (n, None) => format!("stays until you have archived {n} more fulls with --full, and `gc` runs"),
    };
    let (from, to) = (size::moment(held.from), size::moment(held.to));
    format!(
        "generation {} may hold it ({}, {from} to {to}, {}): {until}",
        held.generation,
        counted(held.streams, "stream"),
        held.stored_bytes
    )
}

fn replica(at: &Copies) -> String {
    let Copies { target, subvolume, copies, holding } = at;
    let sure = holding.iter().filter(|copy| copy.sure).count();
    let mut text = match (holding.len(), sure) {
        (0, _) => return format!("{target}: none of {copies} copies of {subvolume} holds it\n"),
        (all, sure) if all == sure => format!("{target}: {sure} of {copies} copies of {subvolume} hold it\n"),
        (all, _) => format!("{target}: {all} of {copies} copies of {subvolume} may hold it\n"),
    };
    for copy in holding {
        let until = match copy.kept_because.as_slice() {
            _ if !copy.intact => "changed since it was received: it stays until you delete it".to_owned(),
            [] => "no rule there keeps it: it goes with the next copy".to_owned(),
            rules => format!("stays as long as the rules there keep it ({})", rules.join(", ")),
        };
        text.push_str(&format!("  {}  {until}\n", copy.name));
    }
    text
}

fn steps(case: &Case) -> String {
    let mut text = String::from("\n");
    for step in &case.steps {
        text.push_str(&format!("{step}\n"));
    }
    for planned in &case.rebase.plan.steps {
        text.push_str(&format!("{}\n    {}\n", planned.step, planned.because));
    }
    for note in &case.rebase.plan.notes {
        text.push_str(&format!("{note}\n"));
    }
    for Goes { target, subvolume, plan } in &case.goes {
        let (streams, bytes) = sum(plan);
        text.push_str(&format!("delete    {} of {subvolume} at {target}, {bytes}\n", counted(streams, "stream")));
        for kept in &plan.kept {
            text.push_str(&format!("keep      {kept}\n"));
        }
    }
    if case.steps.is_empty() && case.rebase.plan.steps.is_empty() && case.goes.is_empty() {
        text.push_str("Nothing is to be done.\n");
    }
    let holds = case.pool.iter().any(|found| !found.seen.live.is_empty());
    if holds && !case.steps.iter().any(|step| matches!(step, Step::RemoveLive { .. })) {
        text.push_str(
            "The subvolume itself keeps it, and so will the next snapshot: remove it there, or say --live.\n",
        );
    }
    text
}

fn sum(plan: &GcPlan) -> (usize, ByteSize) {
    let streams = plan.steps.iter().filter(|step| matches!(step, GcStep::DeleteManifest { .. })).count();
    let bytes = plan.steps.iter().map(|step| match step {
        GcStep::DeleteObject { bytes, .. } => *bytes,
        _ => ByteSize::ZERO,
    });
    (streams, bytes.sum())
}

/// What came of it.
pub(super) fn summary(case: &Case, came: &Came) -> String {
    let is_replaced = |performed: &&Performed| {
        matches!((&performed.step, &performed.outcome), (Step::Exchange { .. }, Outcome::Done))
    };
    let count = came.performed.iter().filter(is_replaced).count();
    let mut text = format!("\nforgotten in {}\n", counted(count, "snapshot"));
    for performed in &came.performed {
        match &performed.outcome {
            Outcome::Done => {}
            Outcome::Failed(error) => text.push_str(&format!("failed: {}: {}\n", performed.step, chain(error))),
            Outcome::LeftOut => text.push_str(&format!("left out: {}\n", performed.step)),
        }
    }
    if still_holds(&came.left) {
        text.push_str("some snapshots still hold it; the same command given again tells which\n");
    }
    match &came.rebased {
        Some(rebased) => {
            text.push_str(&report::summary(&rebased.report, &rebased.plan, &rebased.told.sight));
            for (target, gone) in &rebased.gone {
                text.push_str(&match gone {
                    Ok(gone) => {
                        format!("{target}: removed {}, {} freed\n", counted(gone.streams, "stream"), gone.bytes)
                    }
                    Err(error) => format!("{target}: nothing was removed: {}\n", chain(error)),
                });
                let failures = gone.iter().flat_map(|gone| &gone.failures);
                failures.for_each(|failure| text.push_str(&format!("FAILED  {failure}\n")));
            }
            text.push_str(&after(rebased));
        }
        None if !case.rebase.plan.steps.is_empty() => text.push_str("nothing was sent anew\n"),
        None => {}
    }
    text
}

/// What targets may hold after all was done.
fn after(rebased: &Rebased) -> String {
    let archives = rebased.after.archives.iter().filter(|at| at.may_hold_any()).map(archive);
    let copies = rebased.after.copies.iter().filter(|at| !at.holding.is_empty()).map(replica);
    let left: String = archives.chain(copies).collect();
    let unseen = not_seen(&rebased.after.sight).into_iter();
    let unseen: String = unseen
        .map(|NotSeen { what, error }| format!("not looked at again: {what}: {error}; it may hold it\n"))
        .collect();
    let head = if left.is_empty() { "" } else { "\nIt may still be there:\n" };
    format!("{head}{left}{unseen}")
}
