//! `subvault man`: manual pages, made from the same words as `--help`.

use std::path::PathBuf;

use clap::CommandFactory;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::failure::Failure;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  subvault man /usr/local/share/man/man1")]
pub struct Args {
    /// The directory they are written into
    directory: PathBuf,
}

/// Writes the manual pages.
///
/// # Errors
/// When they cannot be written.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let what = format!("manual pages into {}", args.directory.display());
    let written = std::fs::create_dir_all(&args.directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), &args.directory));
    written.map_err(|source| Failure::Write { what, source })?;
    Ok(Exit::Good)
}
