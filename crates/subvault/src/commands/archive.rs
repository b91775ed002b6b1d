//! `subvault archive`: snapshots, streams, and what is no longer needed.

use serde_json::{Value, json};
use subvault_jobs::archive::{Archiver, decide};
use subvault_jobs::driver::{self, Outcome, RunReport, Verdict, chain};
use subvault_jobs::observe::{Claim, Sight, look};
use subvault_jobs::setup::Setup;
use subvault_model::bytesize::ByteSize;
use subvault_model::names::{SubvolumeName, TargetName};
use subvault_plan::policy::Fulls;
use subvault_plan::step::{Plan, Step};

use crate::config::ConfigError;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{size, table};
use crate::place::no_target;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault archive                      everything in the configuration
  subvault archive home --dry-run       what would be done for one subvolume, and why
  subvault archive --full --target s3   begin a new chain at one target")]
pub struct Args {
    /// Only these subvolumes of the configuration
    subvolumes: Vec<SubvolumeName>,
    /// Only to these targets
    #[arg(long = "target", value_name = "NAME")]
    targets: Vec<TargetName>,
    /// Begin new chains, whatever the age of the old ones
    #[arg(long)]
    full: bool,
    /// Show what would be done and why, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

/// Archives.
///
/// # Errors
/// When the run could not begin.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut setup = context.setup()?;
    narrow(&mut setup, args)?;
    if args.dry_run {
        let sight = look(&setup, &args.targets, Claim::No, &context.monitor);
        let plan = decide(&setup, &sight)?;
        context.answer(&plan, || describe(&plan))?;
        return Ok(if sight.failures.is_empty() { Exit::Good } else { Exit::SomeFailed });
    }
    let run = context.begin(&mut setup, "subvault archive")?;
    let sight = look(&setup, &args.targets, Claim::Yes, &context.monitor);
    let plan = decide(&setup, &sight)?;
    let mut archiver = Archiver::new(&setup, &sight, &context.monitor);
    let report = driver::run(&plan, &mut archiver, &run.audit, &context.monitor);
    context.answer(&to_json(&report, &sight), || summary(&report, &plan, &sight))?;
    Ok(exit(&report, &sight))
}

fn narrow(setup: &mut Setup, args: &Args) -> Result<(), Failure> {
    if setup.subvolumes.is_empty() {
        return Err(ConfigError::general("the configuration has no [[subvolume]]").into());
    }
    if setup.targets.is_empty() {
        return Err(ConfigError::general("the configuration has no [[target]]").into());
    }
    for name in &args.subvolumes {
        if setup.subvolume(name).is_none() {
            return Err(no_subvolume(setup, name));
        }
    }
    for name in &args.targets {
        if setup.target(name).is_none() {
            return Err(no_target(setup, name));
        }
    }
    if !args.subvolumes.is_empty() {
        setup.policy.subvolumes.retain(|s| args.subvolumes.contains(&s.name));
    }
    if args.full {
        setup.policy.fulls = Fulls::Now;
    }
    Ok(())
}

/// There is no such subvolume.
pub fn no_subvolume(setup: &Setup, name: &SubvolumeName) -> Failure {
    let names = setup.subvolumes.iter().map(|s| s.name.to_string()).collect::<Vec<_>>().join(", ");
    Failure::usage(format!("there is no subvolume `{name}`"), format!("the configuration has {names}"))
}

fn exit(report: &RunReport, sight: &Sight) -> Exit {
    let failures = report.steps.iter().filter_map(|s| match &s.outcome {
        Outcome::Failed(error) => Some(error),
        _ => None,
    });
    let first = failures.chain(sight.failures.iter().map(|(_, error)| error)).next();
    let done = report.steps.iter().any(|s| matches!(s.outcome, Outcome::Done(_)));
    match (report.verdict(), first) {
        (Verdict::AllDone, None) => Exit::Good,
        (_, Some(_)) if done => Exit::SomeFailed,
        // Nothing was done for one reason: its code says more than "nothing done".
        (_, Some(error)) => error.kind().into(),
        (verdict, None) => verdict.into(),
    }
}

fn describe(plan: &Plan) -> String {
    if plan.steps.is_empty() {
        return "Nothing is to be done.".to_owned();
    }
    let mut text = String::new();
    for planned in &plan.steps {
        text.push_str(&format!("{}\n    {}\n", planned.step, planned.because));
    }
    for note in &plan.notes {
        text.push_str(&format!("{note}\n"));
    }
    text
}

fn figure(figures: &Value, name: &str) -> ByteSize {
    ByteSize::bytes(figures.get(name).and_then(Value::as_u64).unwrap_or(0))
}

fn summary(report: &RunReport, plan: &Plan, sight: &Sight) -> String {
    let mut table = table::new(&["subvolume", "target", "kind", ">stream", ">stored", ">ratio", ">time", ">rate"]);
    let mut problems = String::new();
    for performed in &report.steps {
        match (&performed.planned.step, &performed.outcome) {
            (Step::SendStream { subvolume, target, .. }, Outcome::Done(figures)) => {
                let (stream, stored) = (figure(figures, "stream_bytes"), figure(figures, "stored_bytes"));
                let seconds = figures.get("seconds").and_then(Value::as_f64).unwrap_or(0.0);
                let kind = figures.get("kind").and_then(Value::as_str).unwrap_or("?").to_owned();
                table.add_row([
                    subvolume.to_string(),
                    target.to_string(),
                    kind,
                    size::size(stream),
                    size::size(stored),
                    size::ratio(stream, stored),
                    size::seconds(seconds),
                    size::rate(stream, seconds),
                ]);
            }
            (_, Outcome::Done(_)) => {}
            (step, Outcome::Failed(error)) => {
                problems.push_str(&format!("failed: {step}: {}\n", chain(error)));
                if let Some(hint) = error.hint() {
                    problems.push_str(&format!("  → {hint}\n"));
                }
            }
            (step, Outcome::LeftOut) => problems.push_str(&format!("left out: {step}\n")),
        }
    }
    for (what, error) in &sight.failures {
        problems.push_str(&format!("not looked at: {what}: {}\n", chain(error)));
        if let Some(hint) = error.hint() {
            problems.push_str(&format!("  → {hint}\n"));
        }
    }
    let shown = if table.is_empty() { String::new() } else { table::text(&table) };
    let notes: String = plan.notes.iter().map(|n| format!("{n}\n")).collect();
    format!("{shown}{notes}{problems}")
}

fn to_json(report: &RunReport, sight: &Sight) -> Value {
    let steps = report.steps.iter().map(|performed| {
        let (outcome, detail) = match &performed.outcome {
            Outcome::Done(figures) => ("done", figures.clone()),
            Outcome::Failed(error) => ("failed", json!({ "error": chain(error), "hint": error.hint() })),
            Outcome::LeftOut => ("left_out", Value::Null),
        };
        json!({ "planned": performed.planned, "outcome": outcome, "result": detail })
    });
    let failures =
        sight.failures.iter().map(|(what, error)| json!({ "what": what, "error": chain(error), "hint": error.hint() }));
    json!({
        "verdict": report.verdict(),
        "steps": steps.collect::<Vec<_>>(),
        "not_looked_at": failures.collect::<Vec<_>>(),
    })
}
