//! The command `subvault`.
//!
//! Reads the command line and the configuration, calls a job, shows what came of it, and ends with an exit code that
//! says how it went. Must never decide or do anything itself.

#![forbid(unsafe_code)]
#![expect(unreachable_pub, reason = "in a program, `pub` says what a module offers to the others")]

mod capabilities;
mod cli;
mod commands;
mod config;
mod context;
mod exit;
mod failure;
mod output;
mod place;
mod when;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::exit::Exit;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let context = cli.context();
    match cli.command.run(&context) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::error::show(&failure, context.json);
            failure.exit().into()
        }
    }
}

/// Help and version are answers; everything else is a mistake on the command line.
fn usage(error: &clap::Error) -> ExitCode {
    // Nothing is left to be done when even this cannot be written.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Good.into() }
}
