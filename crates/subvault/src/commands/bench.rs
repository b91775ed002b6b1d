//! `subvault bench`: how fast each stage of archiving is here; and, as `bench io`, whether a performance mode would help.

mod io;

use subvault_host::identity;
use subvault_jobs::bench::{BenchJob, Stage, bench};
use subvault_model::bytesize::ByteSize;
use subvault_model::names::{SubvolumeName, TargetName};

use super::archive::no_subvolume;
use crate::config::ConfigError;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{size, table};
use crate::place::no_target;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "\
Examples:
  subvault bench
  subvault bench home --target s3 --limit 2GiB
  subvault bench io --mode io-optimized        whether a performance mode makes this disk faster

A snapshot is taken, measured and deleted again. What is stored for that is removed again and never published.",
    args_conflicts_with_subcommands = true
)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Which subvolume is sent; the first of the configuration if not said
    subvolume: Option<SubvolumeName>,
    /// Which target is written to; the first of the configuration if not said
    #[arg(long, value_name = "NAME")]
    target: Option<TargetName>,
    /// The kernel's own speed is measured on so much of the stream
    #[arg(long, value_name = "SIZE", default_value = "4 GiB")]
    limit: ByteSize,
}

/// What else can be measured.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// Measure a disk as it is and as a performance mode would have it
    Io(io::Args),
}

/// Measures.
///
/// # Errors
/// When it cannot be measured.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    match &args.what {
        Some(What::Io(args)) => io::run(args, context),
        None => archiving(args, context),
    }
}

fn archiving(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut setup = context.setup()?;
    let _run = context.begin(&mut setup, "subvault bench")?;
    let subvolume = match &args.subvolume {
        None => {
            setup.subvolumes.first().ok_or_else(|| ConfigError::general("the configuration has no [[subvolume]]"))?
        }
        Some(name) => setup.subvolume(name).ok_or_else(|| no_subvolume(&setup, name))?,
    };
    let target = match &args.target {
        None => setup.targets.first().ok_or_else(|| ConfigError::general("the configuration has no [[target]]"))?,
        Some(name) => setup.target(name).ok_or_else(|| no_target(&setup, name))?,
    };
    let stages =
        bench(&BenchJob { subvolume, target, state: &setup.state, limit: args.limit, monitor: &context.monitor })?;
    context.answer(&stages, || describe(&stages))?;
    Ok(Exit::Good)
}

fn describe(stages: &[Stage]) -> String {
    let mut table = table::new(&["stage", ">bytes", ">time", ">rate"]);
    for stage in stages {
        table.add_row([
            stage.name.clone(),
            size::size(stage.bytes),
            size::seconds(stage.seconds),
            size::rate(stage.bytes, stage.seconds),
        ]);
    }
    let memory = identity::peak_memory().map_or_else(|_| "unknown".to_owned(), size::size);
    format!("{}\nPeak memory {memory}, {} processors\n", table::text(&table), identity::cpus())
}
