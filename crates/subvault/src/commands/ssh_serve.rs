//! `subvault ssh-serve`: the side of a replicate run that has the copies, started over SSH.
//!
//! What the other side asked `sshd` to run is not looked at: as a forced command, this is all that its key can do.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use subvault_jobs::replica::serve::{ServeSettings, serve};
use subvault_model::names::HostName;

use crate::exit::Exit;
use crate::failure::Failure;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples, as lines of root's authorized_keys on the machine that has the copies:
  restrict,command=\"subvault ssh-serve --directory /backup --host laptop\" ssh-ed25519 AAAA…
  restrict,command=\"subvault ssh-serve --directory /backup --host laptop --append-only\" ssh-ed25519 AAAA…")]
pub struct Args {
    /// The directory that copies are in, on a Btrfs that is mounted; nothing outside of it is touched
    #[arg(long, value_name = "DIRECTORY")]
    directory: PathBuf,
    /// Serve only the copies of this host
    #[arg(long, value_name = "NAME")]
    host: Option<HostName>,
    /// Never delete a copy, whatever the other side asks for
    #[arg(long)]
    append_only: bool,
    /// Never send anything back, so that whoever has the key cannot read what was copied
    #[arg(long)]
    no_restore: bool,
    /// Take the other side for dead after so many seconds without a sign of life
    #[arg(long, value_name = "SECONDS", default_value = "120")]
    stall: NonZeroU32,
}

/// Serves until the other side hangs up.
///
/// # Errors
/// When the line breaks.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let settings = ServeSettings {
        directory: args.directory.clone(),
        host: args.host.clone(),
        append_only: args.append_only,
        no_restore: args.no_restore,
        stall: Duration::from_secs(u64::from(args.stall.get())),
    };
    serve(&settings, std::io::stdin(), std::io::stdout())?;
    Ok(Exit::Good)
}
