//! `subvault plan`: what is best for this host, and why. Reads, decides and shows; changes nothing.

mod report;
mod why;
mod words;

use std::path::{Path, PathBuf};

use subvault_host::facts::Found;
use subvault_host::{clock, facts};
use subvault_plan::strategy::assemble::strategy;
use subvault_plan::strategy::{Said, Strategy};

use super::detect::of_report;
use crate::config::{self, Document};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault plan                        the strategy for this host
  subvault plan --why home             every choice about `home`, with its reason
  subvault plan --why sending.start    one choice
  subvault plan --output plan.html     a page with pictures
  subvault plan --facter report.json   for a host that only a report of nixos-facter describes")]
pub struct Args {
    /// Take what is known of the host from a report of nixos-facter
    #[arg(long, value_name = "FILE")]
    pub facter: Option<PathBuf>,
    /// Give the reasons for one part of it: a subvolume, a target, `sending`, `profile` …
    #[arg(long, value_name = "WHAT")]
    why: Option<String>,
    #[command(flatten)]
    report: report::Written,
}

/// Shows the strategy.
///
/// # Errors
/// When the configuration or the report cannot be used.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let format = args.report.format(context.json)?;
    let decided = decide(args.facter.as_deref(), context)?;
    match &args.why {
        None => report::deliver(&args.report, format, &decided, context)?,
        Some(what) => {
            let reasons = why::why(&decided.strategy, what)?;
            context.answer(&reasons, || why::describe(&reasons))?;
        }
    }
    Ok(Exit::Good)
}

/// What was decided for a host.
pub struct Decided {
    /// What is known of it, and what is not.
    pub found: Found,
    /// What was decided.
    pub strategy: Strategy,
    /// What was decided by.
    pub said: Said,
}

/// Decides the strategy for this host, or for the one of a report.
///
/// # Errors
/// When the configuration or the report cannot be used.
pub fn decide(facter: Option<&Path>, context: &Context) -> Result<Decided, Failure> {
    let found = match facter {
        Some(report) => of_report(report)?,
        None => facts::look(clock::now()),
    };
    decide_for(found, context)
}

/// Decides the strategy for a host of which this was found out.
///
/// # Errors
/// When the configuration cannot be used.
pub fn decide_for(found: Found, context: &Context) -> Result<Decided, Failure> {
    let said = config::said(&written(context)?)?;
    let strategy = strategy(&found.facts, &said);
    Ok(Decided { found, strategy, said })
}

/// The configuration as it is written. Without one everything is chosen; one that was named has to be there.
///
/// # Errors
/// When it cannot be used.
pub fn written(context: &Context) -> Result<Document, Failure> {
    match config::load(&context.config) {
        Err(_) if context.config == Path::new(config::PATH) && !context.config.exists() => {
            Ok(config::parse(String::new(), String::new())?)
        }
        read => Ok(read?),
    }
}
