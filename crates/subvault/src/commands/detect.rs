//! `subvault detect`: what there is on this machine, or in a report of one: disks, pools, subvolumes and who uses them.
//!
//! Takes no configuration and changes nothing. What only root may see is told as not known.

mod text;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use subvault_host::facts::{Found, NotKnown};
use subvault_host::probe::{self, Probe};
use subvault_host::{clock, facter, facts};
use subvault_model::facts::Facts;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault detect                            this machine, as far as it can be seen without asking anybody
  subvault detect --probe                    the same, with three seconds of measuring
  subvault detect --probe=/srv --json
  subvault detect --facter facter.json       another machine's hardware, from the report of nixos-facter

Nothing is changed. As somebody else than root, less can be seen; what is not known is listed.")]
pub struct Args {
    /// Read the hardware from a facter report instead
    #[arg(long, value_name = "FILE")]
    facter: Option<PathBuf>,
    /// Measure how fast files are written and read in a directory, of the first pool if not said; it takes three seconds
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, conflicts_with = "facter")]
    probe: Option<Option<PathBuf>>,
}

/// What was found out.
#[derive(Debug, Serialize)]
struct Answer {
    #[serde(flatten)]
    found: Found,
    /// What was measured, where that was asked for.
    probe: Option<Probe>,
    /// Whether it is of a report, which tells nothing of pools.
    #[serde(skip)]
    is_of_report: bool,
}

/// Finds out what there is.
///
/// # Errors
/// When the report cannot be read, or nothing can be measured where that was asked for.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let found = match &args.facter {
        Some(path) => of_report(path)?,
        None => facts::look(clock::now()),
    };
    let probe = match &args.probe {
        Some(Some(directory)) => Some(probe::probe(directory)?),
        Some(None) => {
            let nothing = || Failure::usage("no pool is mounted here", "say where to measure: --probe=DIR");
            Some(probe::probe(&of_first_pool(&found.facts).ok_or_else(nothing)?)?)
        }
        None => None,
    };
    let answer = Answer { found, probe, is_of_report: args.facter.is_some() };
    context.answer(&answer, || text::describe(&answer))?;
    Ok(Exit::Good)
}

/// What a report tells.
///
/// # Errors
/// When it cannot be read.
pub fn of_report(path: &Path) -> Result<Found, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display()), "check the path"))?;
    let facts = facter::read(&text).map_err(|error| {
        let hint = "make one with `nixos-facter -o facter.json` on that machine";
        Failure::usage(format!("{}: {error}", path.display()), hint)
    })?;
    let not_known = vec![NotKnown {
        what: "power, pools and the distribution".to_owned(),
        why: "a report tells the hardware alone".to_owned(),
    }];
    Ok(Found { facts, not_known })
}

/// Where the first pool is seen: best where one of its subvolumes is mounted.
pub fn of_first_pool(facts: &Facts) -> Option<PathBuf> {
    let pool = facts.pools.first()?;
    let seen = pool.subvolumes.iter().filter_map(|s| Some((!s.is_mounted, s.seen_at.as_ref()?.as_path())));
    let best = seen.min_by_key(|(not_mounted, path)| (*not_mounted, path.as_os_str().len(), *path));
    best.map(|(_, path)| path.to_owned())
}
