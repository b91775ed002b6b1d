//! `subvault run`: what is due. Timers call it.

use serde_json::Value;
use subvault_jobs::driver;
use subvault_jobs::observe::{Claim, Sight, look};
use subvault_jobs::replica::directory::Access;
use subvault_jobs::replicate::reach;
use subvault_jobs::run::{Runner, decide};
use subvault_jobs::sends_now::{SendsNow, sends_now};
use subvault_jobs::setup::Setup;
use subvault_model::names::TargetName;
use subvault_model::note::Note;
use subvault_plan::run::{Request, Wanted};
use subvault_plan::step::Plan;
use subvault_plan::upcoming::{Next, Work, upcoming};

use super::archive::only;
use super::report;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{size, table};

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault run               what is due now; then it says what comes next
  subvault run --dry-run     what would be done, and why")]
pub struct Args {
    /// Only these subvolumes of the configuration
    subvolumes: Vec<subvault_model::names::SubvolumeName>,
    /// Show what would be done and why, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

/// Does what is due.
///
/// # Errors
/// When the run could not begin.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut setup = context.setup()?;
    only(&mut setup, &args.subvolumes)?;
    let SendsNow { sends, targets } = sends_now(&setup, &context.monitor);
    let request = Request { snapshots: Wanted::Due, sends, prune: true, note: Note::default() };
    carry_out(setup, &Asked { command: "subvault run", request, targets: &targets, dry_run: args.dry_run }, context)
}

/// What a verb asks for.
pub struct Asked<'a> {
    /// The verb, for the lock.
    pub command: &'a str,
    /// What is asked of the run.
    pub request: Request,
    /// The targets that are looked at; all if there are none.
    pub targets: &'a [TargetName],
    /// Whether nothing is done.
    pub dry_run: bool,
}

/// Looks, decides, does and tells.
///
/// # Errors
/// When the run could not begin.
pub fn carry_out(mut setup: Setup, asked: &Asked<'_>, context: &Context) -> Result<Exit, Failure> {
    if asked.dry_run {
        let mut sight = look(&setup, asked.targets, Claim::No, &context.monitor);
        if asked.request.sends == Wanted::Due {
            reach(&setup, asked.targets, Access::Look, &mut sight, &context.monitor);
        }
        let plan = decide(&setup, &sight, &asked.request)?;
        context.answer(&plan, || describe(&plan, &asked.request))?;
        return Ok(if sight.failures.is_empty() { Exit::Good } else { Exit::SomeFailed });
    }
    let run = context.begin(&mut setup, asked.command)?;
    let claim = if asked.request.sends == Wanted::No { Claim::No } else { Claim::Yes };
    let mut sight = look(&setup, asked.targets, claim, &context.monitor);
    if asked.request.sends == Wanted::Due {
        reach(&setup, asked.targets, Access::Change, &mut sight, &context.monitor);
    }
    let plan = decide(&setup, &sight, &asked.request)?;
    let mut runner = Runner::new(&setup, &sight, &context.monitor);
    let report = driver::run(&plan, &mut runner, &run.audit, &context.monitor);
    let next = next(&setup, &sight, &asked.request);
    let mut answer = report::to_json(&report, &sight);
    if let (Value::Object(fields), Ok(next)) = (&mut answer, serde_json::to_value(&next)) {
        fields.insert("next".to_owned(), next);
    }
    context.answer(&answer, || format!("{}{}", report::summary(&report, &plan, &sight), shown(&next)))?;
    Ok(report::exit(&report, &sight))
}

fn describe(plan: &Plan, request: &Request) -> String {
    let kept = if request.prune { kept(plan) } else { String::new() };
    format!("{}{kept}", report::describe(plan))
}

/// Which snapshots stay, and why.
fn kept(plan: &Plan) -> String {
    if plan.kept.is_empty() {
        return String::new();
    }
    let mut table = table::new(&["stays", "because"]);
    for kept in &plan.kept {
        table.add_row([kept.name.to_string(), kept.because.join("; ")]);
    }
    table::text(&table)
}

/// What comes after a run that goes by the calendar.
fn next(setup: &Setup, sight: &Sight, request: &Request) -> Vec<Next> {
    if request.snapshots != Wanted::Due {
        return Vec::new();
    }
    upcoming(&setup.policy, &sight.observed, subvault_host::clock::now())
}

/// What comes next, as a table.
#[must_use]
pub fn shown(next: &[Next]) -> String {
    if next.is_empty() {
        return String::new();
    }
    let mut table = table::new(&["next", "what"]);
    for Next { at, what } in next {
        let what = match what {
            Work::Snapshot(subvolumes) => format!("snapshot of {}", list(subvolumes)),
            Work::Send(target) => format!("send to {target}"),
        };
        table.add_row([size::moment(*at), what]);
    }
    table::text(&table)
}

fn list(names: &[subvault_model::names::SubvolumeName]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
