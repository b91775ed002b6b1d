//! `subvault archive`: snapshots, streams, and what is no longer needed.

use subvault_jobs::setup::Setup;
use subvault_model::names::{SubvolumeName, TargetName};
use subvault_model::note::Note;
use subvault_plan::policy::Fulls;
use subvault_plan::run::{Request, Wanted};

use super::run::{self, Asked};
use crate::config::ConfigError;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
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
    let request = Request { snapshots: Wanted::All, sends: Wanted::All, prune: true, note: Note::default() };
    let asked = Asked { command: "subvault archive", request, targets: &args.targets, dry_run: args.dry_run };
    run::carry_out(setup, &asked, context)
}

fn narrow(setup: &mut Setup, args: &Args) -> Result<(), Failure> {
    if setup.subvolumes.is_empty() {
        return Err(ConfigError::general("the configuration has no [[subvolume]]").into());
    }
    if setup.targets.is_empty() {
        return Err(ConfigError::general("the configuration has no [[target]]").into());
    }
    for name in &args.targets {
        if setup.target(name).is_none() {
            return Err(no_target(setup, name));
        }
    }
    only(setup, &args.subvolumes)?;
    if args.full {
        setup.policy.fulls = Fulls::Now;
    }
    Ok(())
}

/// Narrows a run to these subvolumes, unless there are none.
///
/// # Errors
/// When the configuration has no such subvolume.
pub fn only(setup: &mut Setup, names: &[SubvolumeName]) -> Result<(), Failure> {
    if let Some(name) = names.iter().find(|name| setup.subvolume(name).is_none()) {
        return Err(no_subvolume(setup, name));
    }
    if !names.is_empty() {
        setup.policy.subvolumes.retain(|s| names.contains(&s.name));
    }
    Ok(())
}

/// There is no such subvolume.
pub fn no_subvolume(setup: &Setup, name: &SubvolumeName) -> Failure {
    let names = setup.subvolumes.iter().map(|s| s.name.to_string()).collect::<Vec<_>>().join(", ");
    Failure::usage(format!("there is no subvolume `{name}`"), format!("the configuration has {names}"))
}
