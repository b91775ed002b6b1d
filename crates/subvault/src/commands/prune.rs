//! `subvault prune`: what retention lets go.

use subvault_model::names::SubvolumeName;
use subvault_model::note::Note;
use subvault_plan::run::{Request, Wanted};

use super::archive::only;
use super::run::{Asked, carry_out};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault prune --dry-run     which snapshots stay, by which rules, and which would go
  subvault prune home")]
pub struct Args {
    /// Only these subvolumes of the configuration
    subvolumes: Vec<SubvolumeName>,
    /// Show what stays and what would go, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

/// Prunes.
///
/// # Errors
/// When the run could not begin.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut setup = context.setup()?;
    only(&mut setup, &args.subvolumes)?;
    let request = Request { snapshots: Wanted::No, sends: Wanted::No, prune: true, note: Note::default() };
    carry_out(setup, &Asked { command: "subvault prune", request, targets: &[], dry_run: args.dry_run }, context)
}
