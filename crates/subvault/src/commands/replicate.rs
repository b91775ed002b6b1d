//! `subvault replicate`: copies of snapshots on Btrfs disks and hosts.

use serde_json::{Value, json};
use subvault_jobs::driver::{self, Outcome, RunReport, Verdict};
use subvault_jobs::error::JobError;
use subvault_jobs::observe::{Claim, Sight, look};
use subvault_jobs::replica::directory::Access;
use subvault_jobs::replicate::{Replicator, decide, reach};
use subvault_jobs::setup::Setup;
use subvault_model::names::{SubvolumeName, TargetName};
use subvault_plan::replica::Missing;
use subvault_plan::step::Plan;

use super::archive::only;
use super::report;
use crate::config::ConfigError;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault replicate                      the newest snapshots, to every disk and host within reach
  subvault replicate home --dry-run       what would be copied and deleted there, and why
  subvault replicate --target usb --all   also the older snapshots that the disk would keep")]
pub struct Args {
    /// Only these subvolumes of the configuration
    subvolumes: Vec<SubvolumeName>,
    /// Only to these targets
    #[arg(long = "target", value_name = "NAME")]
    targets: Vec<TargetName>,
    /// Send all snapshots that are missing there and would be kept, not only the newest
    #[arg(long)]
    all: bool,
    /// While another run is at work, wait for its end
    #[arg(long)]
    wait: bool,
    /// Show what would be done and why, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

/// Copies.
///
/// # Errors
/// When the run could not begin.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut setup = context.setup()?;
    narrow(&mut setup, args)?;
    let missing = if args.all { Missing::All } else { Missing::Newest };
    if args.dry_run {
        let sight = see(&setup, args, Access::Look, context);
        let plan = decide(&setup, &sight, missing)?;
        context.answer(&plan, || report::describe(&plan))?;
        return Ok(if sight.failures.is_empty() { Exit::Good } else { Exit::SomeFailed });
    }
    let begin = if args.wait { Context::begin_at_last } else { Context::begin };
    let run = begin(context, &mut setup, "subvault replicate")?;
    let sight = see(&setup, args, Access::Change, context);
    let plan = decide(&setup, &sight, missing)?;
    let mut replicator = Replicator::new(&setup, &sight.reached, &context.monitor);
    let report = driver::run(&plan, &mut replicator, &run.audit, &context.monitor);
    context.answer(&to_json(&report, &sight, &plan), || summary(&report, &plan, &sight))?;
    Ok(exit(args, &report, &sight))
}

fn see(setup: &Setup, args: &Args, access: Access, context: &Context) -> Sight {
    let mut sight = look(setup, &[], Claim::No, &context.monitor);
    reach(setup, &args.targets, access, &mut sight, &context.monitor);
    sight
}

fn summary(report: &RunReport, plan: &Plan, sight: &Sight) -> String {
    let text = report::summary(report, plan, sight);
    if text.is_empty() { "Nothing is to be done: the newest snapshots are there.\n".to_owned() } else { text }
}

fn to_json(report: &RunReport, sight: &Sight, plan: &Plan) -> Value {
    let mut answer = report::to_json(report, sight);
    let away = sight.reached.away.iter();
    let away =
        away.map(|(target, error)| json!({ "target": target, "error": error.to_string(), "hint": error.hint() }));
    answer["away"] = away.collect();
    answer["notes"] = json!(plan.notes);
    answer
}

fn narrow(setup: &mut Setup, args: &Args) -> Result<(), Failure> {
    if setup.replicas.is_empty() {
        let error = ConfigError::general("the configuration has no [[target]] with [target.btrfs]");
        return Err(error.with_hint("docs/replicate.md shows how one looks").into());
    }
    for name in &args.targets {
        if setup.replica(name).is_none() {
            let names = setup.replicas.iter().map(|r| r.name.to_string()).collect::<Vec<_>>().join(", ");
            let hint = format!("the configuration has {names}");
            return Err(Failure::usage(format!("there is no Btrfs target `{name}`"), hint));
        }
    }
    // Archives are not looked at.
    setup.policy.subvolumes.iter_mut().for_each(|subvolume| subvolume.targets.clear());
    only(setup, &args.subvolumes)
}

/// A disk that is away is how disks are, unless it was asked for, or nothing else was there to be done.
fn exit(args: &Args, report: &RunReport, sight: &Sight) -> Exit {
    let is_missed = !args.targets.is_empty() || sight.reached.attached.is_empty();
    let away = sight.reached.away.iter().map(|(_, error)| error).filter(|_| is_missed);
    let failed = report.steps.iter().filter_map(|s| match &s.outcome {
        Outcome::Failed(error) => Some(error),
        _ => None,
    });
    let first: Option<&JobError> = failed.chain(sight.failures.iter().map(|(_, error)| error)).chain(away).next();
    let done = report.steps.iter().any(|s| matches!(s.outcome, Outcome::Done(_)));
    match (report.verdict(), first) {
        (Verdict::AllDone, None) => Exit::Good,
        (_, Some(_)) if done => Exit::SomeFailed,
        (_, Some(error)) => error.kind().into(),
        (verdict, None) => verdict.into(),
    }
}
