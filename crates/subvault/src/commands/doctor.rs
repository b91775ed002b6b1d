//! `subvault doctor`: whether the set-up works, and how to mend it.

use subvault_jobs::doctor::{Check, Verdict, examine};
use subvault_jobs::observe::{Claim, Sight, look};
use subvault_jobs::replica::directory::Access;
use subvault_jobs::replicate::reach;
use subvault_jobs::setup::Setup;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault doctor            what is wrong and how to mend it; ends with 2 if something does not work
  subvault doctor --all      also what is as it should be")]
pub struct Args {
    /// Also show what is as it should be
    #[arg(long)]
    all: bool,
}

/// Checks the set-up.
///
/// # Errors
/// When there is no configuration that can be read.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let setup = context.setup()?;
    let mut checks = examine(&setup, &std::env::var_os("PATH").unwrap_or_default());
    checks.extend(targets(&setup, context));
    context.answer(&checks, || describe(&checks, args.all))?;
    let bad = checks.iter().any(|check| check.verdict == Verdict::Bad);
    Ok(if bad { Exit::SomeFailed } else { Exit::Good })
}

/// Whether each target can be looked at.
fn targets(setup: &Setup, context: &Context) -> Vec<Check> {
    let mut sight: Sight = look(setup, &[], Claim::No, &context.monitor);
    reach(setup, &[], Access::Look, &mut sight, &context.monitor);
    let there = sight.stores.keys().chain(sight.reached.attached.keys());
    let mut checks: Vec<Check> = there
        .map(|name| Check {
            what: format!("target {name} is within reach"),
            verdict: Verdict::Good,
            found: None,
            hint: None,
        })
        .collect();
    checks.extend(sight.failures.iter().map(|(what, error)| Check::failed(what.clone(), error)));
    // Disks come and go; that one is not here is worth knowing, and no fault.
    checks.extend(sight.reached.away.iter().map(|(name, error)| Check {
        verdict: Verdict::Advice,
        ..Check::failed(format!("target {name} is within reach"), error)
    }));
    checks
}

fn describe(checks: &[Check], all: bool) -> String {
    let mut text = String::new();
    for check in checks.iter().filter(|check| all || check.verdict != Verdict::Good) {
        let mark = match check.verdict {
            Verdict::Good => "ok   ",
            Verdict::Advice => "hint ",
            Verdict::Bad => "BAD  ",
        };
        let found = check.found.as_ref().map(|found| format!(": {found}")).unwrap_or_default();
        text.push_str(&format!("{mark}{}{found}\n", check.what));
        text.push_str(&check.hint.as_ref().map(|hint| format!("     → {hint}\n")).unwrap_or_default());
    }
    let good = checks.iter().filter(|check| check.verdict == Verdict::Good).count();
    format!("{text}{good} of {} checks are good.\n", checks.len())
}
