//! The command line as a whole; what a verb takes is in its module.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::{
    apply, archive, around, bench, completions, cost, detect, diff, doctor, forget_path, gc, import, init, list, man,
    plan, prune, render, replicate, restore, rollback, run, simulate, snapshot, ssh_serve, status, undo, verify,
};
use crate::config;
use crate::context::Context;
use crate::exit::{self, Exit};
use crate::failure::Failure;

/// Keeps Btrfs hosts safe: snapshots, encrypted archives in directories and object storage, and restores that are
/// checked.
#[derive(Debug, Parser)]
#[command(name = "subvault", version, after_help = exit::HELP, max_term_width = 100)]
pub struct Cli {
    /// The configuration file
    #[arg(long, global = true, env = "SUBVAULT_CONFIG", value_name = "FILE", default_value = config::PATH)]
    config: PathBuf,
    /// Print one JSON document instead of tables
    #[arg(long, global = true)]
    json: bool,
    /// Show no progress and no notes; warnings and errors are still shown
    #[arg(long, short, global = true)]
    quiet: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what there is: disks, pools, subvolumes and who uses them
    Detect(detect::Args),
    /// Write a configuration for this machine
    Init(init::Args),
    /// Show what is best for this host, and why
    Plan(plan::Args),
    /// Make the host as the strategy says
    Apply(apply::Args),
    /// Live the strategy through in virtual time
    Simulate(simulate::Args),
    /// Tell what storage costs here, and elsewhere
    Cost(cost::Args),
    /// Do what is due: snapshots, streams to targets, and what retention lets go
    Run(run::Args),
    /// Take snapshots now
    Snapshot(snapshot::Args),
    /// Delete snapshots that no rule keeps and nothing needs
    Prune(prune::Args),
    /// Snapshot subvolumes and archive them
    Archive(archive::Args),
    /// Copy snapshots to Btrfs disks and hosts
    Replicate(replicate::Args),
    /// Have the copies of another machine, as a forced command of SSH
    SshServe(ssh_serve::Args),
    /// Show how things stand, problems first
    Status(status::Args),
    /// Check the set-up, and say how to mend it
    Doctor(doctor::Args),
    /// Show snapshots and archived streams as one timeline
    List(list::Args),
    /// Run a command between two snapshots
    Around(around::Args),
    /// Show what differs between two snapshots, or since one
    Diff(diff::Args),
    /// Bring files, directories and subvolumes back
    Restore(restore::Args),
    /// Take changes back
    Undo(undo::Args),
    /// Put a snapshot in the place of its subvolume, the root included
    Rollback(rollback::Args),
    /// Check what is archived
    Verify(verify::Args),
    /// Remove superseded generations and what interrupted runs left
    Gc(gc::Args),
    /// Remove paths from all snapshots, and tell where else they are
    ForgetPath(forget_path::Args),
    /// Measure how fast each stage of archiving is here
    Bench(bench::Args),
    /// Write files for other programs: units of systemd, fstab, rules for monitoring …
    Render(render::Args),
    /// Make a configuration from snapper's or btrbk's
    Import(import::Args),
    /// Print completions for a shell
    Completions(completions::Args),
    /// Write manual pages
    Man(man::Args),
}

impl Cli {
    /// What all verbs need.
    #[must_use]
    pub fn context(&self) -> Context {
        Context::new(self.config.clone(), self.json, self.quiet)
    }
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// When it could not be done; partial failures are exit codes.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Detect(args) => detect::run(args, context),
            Self::Init(args) => init::run(args, context),
            Self::Plan(args) => plan::run(args, context),
            Self::Apply(args) => apply::run(args, context),
            Self::Simulate(args) => simulate::run(args, context),
            Self::Cost(args) => cost::run(args, context),
            Self::Run(args) => run::run(args, context),
            Self::Snapshot(args) => snapshot::run(args, context),
            Self::Prune(args) => prune::run(args, context),
            Self::Archive(args) => archive::run(args, context),
            Self::Replicate(args) => replicate::run(args, context),
            Self::SshServe(args) => ssh_serve::run(args),
            Self::Status(args) => status::run(args, context),
            Self::Doctor(args) => doctor::run(args, context),
            Self::List(args) => list::run(args, context),
            Self::Around(args) => around::run(args, context),
            Self::Diff(args) => diff::run(args, context),
            Self::Restore(args) => restore::run(args, context),
            Self::Undo(args) => undo::run(args, context),
            Self::Rollback(args) => rollback::run(args, context),
            Self::Verify(args) => verify::run(args, context),
            Self::Gc(args) => gc::run(args, context),
            Self::ForgetPath(args) => forget_path::run(args, context),
            Self::Bench(args) => bench::run(args, context),
            Self::Render(args) => render::run(args, context),
            Self::Import(args) => import::run(args, context),
            Self::Completions(args) => completions::run(args),
            Self::Man(args) => man::run(args),
        }
    }
}
