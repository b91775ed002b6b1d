//! `subvault gc`: removes superseded generations and what interrupted runs left.

use serde::Serialize;
use subvault_jobs::driver::chain;
use subvault_jobs::gc::{Removed, TargetGc, look};
use subvault_jobs::observe::Claim;
use subvault_jobs::setup::{Setup, TargetSetup};
use subvault_model::bytesize::ByteSize;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{SubvolumeName, TargetName};
use subvault_plan::gc::{GcPlan, GcStep};

use crate::config::ConfigError;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::size;
use crate::place::no_target;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault gc --dry-run     what would go, what stays, and why
  subvault gc")]
pub struct Args {
    /// Only these targets
    #[arg(long = "target", value_name = "NAME")]
    targets: Vec<TargetName>,
    /// Show what would be removed and why, and remove nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

#[derive(Serialize)]
struct Answer {
    target: TargetName,
    plans: Vec<(SubvolumeName, GcPlan)>,
    left_alone: Vec<String>,
    removed: Option<Removed>,
    error: Option<String>,
    hint: Option<String>,
}

/// Collects.
///
/// # Errors
/// When nothing could be begun.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut setup = context.setup()?;
    for name in &args.targets {
        if setup.target(name).is_none() {
            return Err(no_target(&setup, name));
        }
    }
    if setup.targets.is_empty() {
        return Err(ConfigError::general("the configuration has no [[target]]").into());
    }
    let run = if args.dry_run { None } else { Some(context.begin(&mut setup, "subvault gc")?) };
    let mut answers = Vec::new();
    for target in setup.targets.iter().filter(|t| args.targets.is_empty() || args.targets.contains(&t.name)) {
        answers.push(match one(&setup, target, run.as_ref(), context) {
            Ok(answer) => answer,
            Err(error) => {
                let text = chain(&error);
                context.monitor.event(Event::Warning(format!("{}: {text}", target.name)));
                let target = target.name.clone();
                Answer {
                    target,
                    plans: Vec::new(),
                    left_alone: Vec::new(),
                    removed: None,
                    error: Some(text),
                    hint: error.hint(),
                }
            }
        });
    }
    context.answer(&answers, || answers.iter().map(describe).collect())?;
    Ok(exit(&answers))
}

fn one(
    setup: &Setup,
    target: &TargetSetup,
    run: Option<&crate::context::Run>,
    context: &Context,
) -> Result<Answer, Failure> {
    let claim = if run.is_some() { Claim::Yes } else { Claim::No };
    let seen: TargetGc = look(setup, target, claim)?;
    let removed = run.map(|run| seen.collect(&run.audit, &context.monitor)).transpose()?;
    Ok(Answer {
        target: target.name.clone(),
        left_alone: seen.foreign.iter().map(ToString::to_string).collect(),
        plans: seen.plans,
        removed,
        error: None,
        hint: None,
    })
}

fn describe(answer: &Answer) -> String {
    if let Some(error) = &answer.error {
        let hint = answer.hint.as_ref().map(|hint| format!("  → {hint}\n")).unwrap_or_default();
        return format!("{}: NOT LOOKED AT: {error}\n{hint}", answer.target);
    }
    let mut text = format!("{}:\n", answer.target);
    for step in answer.plans.iter().flat_map(|(_, plan)| &plan.steps) {
        text.push_str(&match step {
            GcStep::DeleteManifest { subvolume, stream, because } => {
                format!("  remove  {subvolume}/{stream}: {because}\n")
            }
            GcStep::DeleteObject { key, bytes, because } => format!("  remove  {key} ({bytes}): {because}\n"),
            GcStep::AbortUpload { key, because, .. } => format!("  abort   the upload of {key}: {because}\n"),
        });
    }
    for kept in answer.plans.iter().flat_map(|(_, plan)| &plan.kept) {
        text.push_str(&format!("  keep    {kept}\n"));
    }
    for key in &answer.left_alone {
        text.push_str(&format!("  leave   {key}: it is not subvault's\n"));
    }
    text.push_str(&match &answer.removed {
        Some(r) => format!(
            "  removed {} streams, {} objects, {} uploads, {} temporary files; {} freed\n",
            r.streams,
            r.objects,
            r.uploads,
            r.temporary,
            size::size(r.bytes)
        ),
        None => format!("  {} would be freed; nothing was removed\n", size::size(freed(answer))),
    });
    for failure in answer.removed.iter().flat_map(|r| &r.failures) {
        text.push_str(&format!("  FAILED  {failure}\n"));
    }
    text
}

fn freed(answer: &Answer) -> ByteSize {
    let steps = answer.plans.iter().flat_map(|(_, plan)| &plan.steps);
    let bytes = steps.map(|step| match step {
        GcStep::DeleteObject { bytes, .. } => *bytes,
        _ => ByteSize::ZERO,
    });
    bytes.sum()
}

fn exit(answers: &[Answer]) -> Exit {
    let failed = |a: &&Answer| a.error.is_some() || a.removed.as_ref().is_some_and(|r| !r.failures.is_empty());
    match answers.iter().filter(failed).count() {
        0 => Exit::Good,
        _ if answers.iter().all(|a| a.error.is_some()) => Exit::NothingDone,
        _ => Exit::SomeFailed,
    }
}
