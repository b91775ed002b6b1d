//! `subvault status`: how things stand, problems first.

use serde_json::{Value, json};
use subvault_host::clock;
use subvault_jobs::driver::chain;
use subvault_jobs::observe::{Claim, Sight, look};
use subvault_jobs::replica::record;
use subvault_jobs::setup::Setup;
use subvault_plan::space::Room;
use subvault_plan::status::{OfTarget, Remembered, Status, status};

use super::run::shown;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{size, table};

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault status            problems first; ends with 2 if there are any
  subvault status --json")]
pub struct Args {}

/// Shows how things stand.
///
/// # Errors
/// When nothing could be looked at.
pub fn run(_args: &Args, context: &Context) -> Result<Exit, Failure> {
    let setup = context.setup()?;
    let sight = look(&setup, &[], Claim::No, &context.monitor);
    let status = status(&setup.policy, &sight.observed, &remembered(&setup), clock::now());
    context.answer(&to_json(&status, &sight), || describe(&status, &sight))?;
    let good = status.problems.is_empty() && sight.failures.is_empty();
    Ok(if good { Exit::Good } else { Exit::SomeFailed })
}

/// What is remembered of disks and hosts, which are not looked at: a disk may not be there, and a host far away.
fn remembered(setup: &Setup) -> Remembered {
    let pairs = setup.policy.subvolumes.iter().flat_map(|s| s.replicas.iter().map(|target| (target, &s.name)));
    let known = pairs.filter_map(|(target, name)| {
        let last = record::read(&setup.state, target, name)?;
        Some(((target.clone(), name.clone()), (last.snapshot.taken(), last.seen)))
    });
    known.collect()
}

fn to_json(status: &Status, sight: &Sight) -> Value {
    let failures =
        sight.failures.iter().map(|(what, error)| json!({ "what": what, "error": chain(error), "hint": error.hint() }));
    json!({
        "problems": status.problems,
        "not_looked_at": failures.collect::<Vec<_>>(),
        "subvolumes": status.subvolumes,
        "next": status.next,
    })
}

fn describe(status: &Status, sight: &Sight) -> String {
    let mut text = String::new();
    for (what, error) in &sight.failures {
        text.push_str(&format!("! {what}: {}\n", chain(error)));
        text.push_str(&error.hint().map(|hint| format!("  → {hint}\n")).unwrap_or_default());
    }
    for problem in &status.problems {
        text.push_str(&format!("! {}\n  → {}\n", problem.what, problem.hint));
    }
    if text.is_empty() {
        text.push_str("All is well.\n");
    }
    let mut table = table::new(&["subvolume", ">snapshots", "newest", "copies", ">free"]);
    for subvolume in &status.subvolumes {
        let mut copies = subvolume.copies.iter().map(copy);
        table.add_row([
            subvolume.name.to_string(),
            subvolume.snapshots.to_string(),
            subvolume.newest.map_or_else(|| "-".to_owned(), size::moment),
            copies.next().unwrap_or_else(|| "-".to_owned()),
            subvolume.room.map(free).unwrap_or_default(),
        ]);
        for more in copies {
            table.add_row([String::new(), String::new(), String::new(), more, String::new()]);
        }
    }
    format!("{text}\n{}\n{}", table::text(&table), shown(&status.next))
}

fn copy(copy: &OfTarget) -> String {
    let newest = copy.newest.map_or_else(|| "-".to_owned(), size::moment);
    format!("{} {newest}{}", copy.target, if copy.is_stale { "  STALE" } else { "" })
}

fn free(room: Room) -> String {
    let percent = room.free.get().saturating_mul(100).checked_div(room.total.get()).unwrap_or(0);
    format!("{} ({percent} %)", size::size(room.free))
}
