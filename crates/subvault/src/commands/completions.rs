//! `subvault completions`: what a shell needs to complete the command line.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  subvault completions bash > /usr/share/bash-completion/completions/subvault")]
pub struct Args {
    /// Which shell
    shell: Shell,
}

/// Prints the completions.
///
/// # Errors
/// When they cannot be written.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "subvault", &mut text);
    output::write_all(&text)?;
    Ok(Exit::Good)
}
