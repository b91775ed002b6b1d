//! `subvault snapshot`: snapshots now.

use std::collections::BTreeSet;

use subvault_model::names::SubvolumeName;
use subvault_model::note::{KEEP, Note};
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
  subvault snapshot                              of everything in the configuration
  subvault snapshot home --keep -m 'before the move'
  subvault snapshot --tag release                marked, for a rule of retention that names the mark")]
pub struct Args {
    /// Only these subvolumes of the configuration
    subvolumes: Vec<SubvolumeName>,
    /// Keep them until somebody deletes them
    #[arg(long)]
    keep: bool,
    /// Mark them, for retention to go by
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// What they are for
    #[arg(long = "description", short = 'm', value_name = "TEXT")]
    description: Option<String>,
    /// Show what would be done, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

/// Takes snapshots.
///
/// # Errors
/// When the run could not begin.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut setup = context.setup()?;
    only(&mut setup, &args.subvolumes)?;
    // Nothing of a target matters to it.
    setup.policy.subvolumes.iter_mut().for_each(|subvolume| subvolume.targets.clear());
    let mut tags: BTreeSet<String> = args.tags.iter().cloned().collect();
    tags.extend(args.keep.then(|| KEEP.to_owned()));
    let note = Note { description: args.description.clone(), tags, ..Note::default() };
    let request = Request { snapshots: Wanted::All, sends: Wanted::No, prune: false, note };
    carry_out(setup, &Asked { command: "subvault snapshot", request, targets: &[], dry_run: args.dry_run }, context)
}
