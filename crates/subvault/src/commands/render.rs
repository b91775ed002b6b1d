//! `subvault render`: files for other programs, made from the configuration and from the strategy for this host.
//!
//! It writes below a directory and starts nothing. A file that somebody changed and marked as theirs is left alone.

mod files;
mod nix;
mod places;
mod runbooks;
mod units;
mod words;

use std::path::{Path, PathBuf};

use subvault_model::monitor::{Event, Monitor as _};
use subvault_render::file::RenderedFile;
use subvault_render::monitoring;
use subvault_render::systemd::{self, NotRendered};

use self::files::{Handed, Where, deliver};
use self::words::Word;
use super::plan::{Decided, decide};
use crate::config;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault render systemd                        print the files
  subvault render systemd --output / && systemctl daemon-reload && systemctl enable --now subvault.timer
  subvault render systemd --output / --dry-run   tell which files would change
  subvault render fstab                          how subvolumes are best mounted, and why
  subvault render prometheus --output /          rules that tell when something is wrong
  subvault render all --output /tmp/look         all of these, to look at
  subvault render runbooks --output runbooks     pages for when something is lost
  subvault render nix --profile server --disk main=/dev/sda --source 'git+https://example.org/subvault?dir=nix' --output /etc/nixos")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Units that start what is due, and the rules that start copies to disks which are plugged in
    Systemd(Systemd),
    /// Lines for /etc/fstab, with the reasons
    Fstab(Options),
    /// Parameters of the kernel for what the host is tuned for
    Sysctl(Options),
    /// Attributes of directories, for what no mount option can say of one subvolume
    Tmpfiles(Options),
    /// Configurations for snapper
    Snapper(Options),
    /// A configuration for btrbk
    Btrbk(Options),
    /// Alerting rules for Prometheus
    Prometheus(Options),
    /// A dashboard for Grafana
    Grafana(Where),
    /// Monitors and a dashboard for Datadog
    Datadog(Options),
    /// All of these, to look at
    All(All),
    /// What to do when something is lost: a page for each situation, in commands with this host's own names
    Runbooks(runbooks::Runbooks),
    /// A flake for NixOS: the layout of the disks for a profile, and this configuration as options of the module
    Nix(nix::Nix),
}

#[derive(Debug, clap::Args)]
struct Systemd {
    #[command(flatten)]
    place: Where,
    /// The program that the units start; this one if not said
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// What everything takes that is made of the strategy.
#[derive(Debug, clap::Args)]
struct Options {
    #[command(flatten)]
    place: Where,
    /// Take what is known of the host from a report of nixos-facter
    #[arg(long, value_name = "FILE")]
    facter: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct All {
    #[command(flatten)]
    options: Options,
    /// The program that the units start; this one if not said
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Renders.
///
/// # Errors
/// When the configuration or the report cannot be used, nothing is ever due, or the files cannot be written.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    match &args.what {
        What::Systemd(args) => {
            let files = units(args.program.as_deref(), context)?.map_err(|error| unfit(&error))?;
            let next = after_units(&files);
            deliver(&Handed { files, base: Path::new("/"), next: &next }, &args.place, context)
        }
        What::Fstab(options) => of_strategy(&words::FSTAB, options, context),
        What::Sysctl(options) => of_strategy(&words::SYSCTL, options, context),
        What::Tmpfiles(options) => of_strategy(&words::TMPFILES, options, context),
        What::Snapper(options) => of_strategy(&words::SNAPPER, options, context),
        What::Btrbk(options) => of_strategy(&words::BTRBK, options, context),
        What::Prometheus(options) => of_strategy(&words::PROMETHEUS, options, context),
        What::Datadog(options) => of_strategy(&words::DATADOG, options, context),
        What::Grafana(place) => {
            let files = vec![monitoring::grafana()];
            deliver(&Handed { files, base: Path::new("/"), next: words::SEND }, place, context)
        }
        What::All(args) => all(args, context),
        What::Runbooks(args) => runbooks::run(args, context),
        What::Nix(args) => {
            let files = nix::files(args, context)?;
            deliver(&Handed { files, base: Path::new(""), next: nix::NEXT }, &args.place, context)
        }
    }
}

fn of_strategy(word: &Word, options: &Options, context: &Context) -> Result<Exit, Failure> {
    let files = made(std::slice::from_ref(word), options, context)?;
    deliver(&Handed { files, base: Path::new("/"), next: word.next }, &options.place, context)
}

/// The files of some words. What cannot be seen is told: a file that is not there would look as if it were not needed.
fn made(words: &[Word], options: &Options, context: &Context) -> Result<Vec<RenderedFile>, Failure> {
    let decided = decide(options.facter.as_deref(), context)?;
    for unknown in &decided.found.not_known {
        context.monitor.event(Event::Note(format!("not known: {}: {}", unknown.what, unknown.why)));
    }
    let mut files = Vec::new();
    for word in words {
        files.extend((word.make)(&decided, context)?);
    }
    Ok(files)
}

/// The files of all words; units only where something is ever due.
fn all(args: &All, context: &Context) -> Result<Exit, Failure> {
    let mut files = match units(args.program.as_deref(), context)? {
        Err(NotRendered::NothingDue) => Vec::new(),
        units => units.map_err(|error| unfit(&error))?,
    };
    files.extend(made(&words::ALL, &args.options, context)?);
    files.push(monitoring::grafana());
    let next = "docs/render.md tells what each is for; let one program alone take the snapshots";
    deliver(&Handed { files, base: Path::new("/"), next }, &args.options.place, context)
}

/// What a system needs to do what is due: units, kernel parameters and attributes. Units only where something is ever due.
///
/// # Errors
/// When the configuration cannot be used.
pub fn of_system(program: &Path, decided: &Decided, context: &Context) -> Result<Vec<RenderedFile>, Failure> {
    let mut files = match units(Some(program), context)? {
        Err(NotRendered::NothingDue) => Vec::new(),
        units => units.map_err(|error| unfit(&error))?,
    };
    for word in [words::SYSCTL, words::TMPFILES] {
        files.extend((word.make)(decided, context)?);
    }
    Ok(files)
}

/// The units, or why there can be none.
fn units(program: Option<&Path>, context: &Context) -> Result<Result<Vec<RenderedFile>, NotRendered>, Failure> {
    let document = config::load(&context.config)?;
    let setup = config::resolve(&document)?;
    let program = match program {
        Some(program) => program.to_owned(),
        None => std::env::current_exe()
            .map_err(|source| Failure::Write { what: "the path of this program".to_owned(), source })?,
    };
    Ok(systemd::render(&units::wanted(context, &document, &setup, program)))
}

fn unfit(error: &NotRendered) -> Failure {
    Failure::usage(error.to_string(), "docs/systemd.md tells what is needed")
}

fn after_units(files: &[RenderedFile]) -> String {
    let has_rules = files.iter().any(|file| file.path.extension().is_some_and(|end| end == "rules"));
    let udev = if has_rules { " && udevadm control --reload" } else { "" };
    format!("systemctl daemon-reload && systemctl enable --now subvault.timer{udev}")
}
