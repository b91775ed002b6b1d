//! `subvault render`: files for other programs, made from the configuration.
//!
//! It writes below a directory and starts nothing. A file that somebody changed and marked as theirs is left alone.

mod nix;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use subvault_jobs::replica::attach::ReplicaPlace;
use subvault_jobs::setup::{Location, ReplicaSetup, Setup};
use subvault_plan::calendar::Calendar;
use subvault_render::file::RenderedFile;
use subvault_render::systemd::{self, Disk, DiskIdentity, Wanted};

use crate::config::{self, Document};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault render systemd                    print the files
  subvault render systemd --to / && systemctl daemon-reload && systemctl enable --now subvault.timer
  subvault render systemd --to / --dry-run   tell which files would change
  subvault render nix --profile server --disk main=/dev/sda --source 'git+https://example.org/subvault?dir=nix' --to /etc/nixos")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Units that start what is due, and the rules that start copies to disks which are plugged in
    Systemd(Systemd),
    /// A flake for NixOS: the layout of the disks for a profile, and this configuration as options of the module
    Nix(nix::Nix),
}

#[derive(Debug, clap::Args)]
struct Systemd {
    /// Write the files below this directory: / puts them where systemd and udev look
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Tell what would be written, and write nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// The program that the units start; this one if not said
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Fate {
    /// It is not there.
    New,
    /// It is there and another one.
    Changed,
    /// It is there as it is.
    Same,
}

#[derive(Debug, Serialize)]
struct Answer {
    written: bool,
    files: Vec<Placed>,
}

#[derive(Debug, Serialize)]
struct Placed {
    fate: Option<Fate>,
    path: String,
    text: String,
}

/// Renders.
///
/// # Errors
/// When nothing is ever due, or the files cannot be written.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let document = config::load(&context.config)?;
    let setup = config::resolve(&document)?;
    match &args.what {
        What::Systemd(args) => {
            let files = units(args, context, &document, &setup)?;
            hand_over(
                context,
                &Handed { files, base: Path::new("/"), next: after_units },
                args.to.as_deref(),
                args.dry_run,
            )
        }
        What::Nix(args) => {
            let files = nix::files(args, &document, &setup)?;
            hand_over(
                context,
                &Handed { files, base: Path::new(""), next: nix::next },
                args.to.as_deref(),
                args.dry_run,
            )
        }
    }
}

fn units(args: &Systemd, context: &Context, document: &Document, setup: &Setup) -> Result<Vec<RenderedFile>, Failure> {
    let program = match &args.program {
        Some(program) => program.clone(),
        None => std::env::current_exe()
            .map_err(|source| Failure::Write { what: "the path of this program".to_owned(), source })?,
    };
    let hint = "docs/systemd.md tells what is needed";
    systemd::render(&wanted(context, document, setup, program)).map_err(|error| Failure::usage(error.to_string(), hint))
}

/// Files, and what is said with them.
struct Handed<'a> {
    files: Vec<RenderedFile>,
    /// What their paths begin with where they are only printed.
    base: &'a Path,
    /// What to do once they are written.
    next: fn(&[Placed]) -> String,
}

/// Prints the files, or writes those that are another.
fn hand_over(context: &Context, handed: &Handed, to: Option<&Path>, dry_run: bool) -> Result<Exit, Failure> {
    let files = &handed.files;
    let Some(root) = to else {
        let placed = files.iter().map(|file| placed(handed.base, file, None)).collect();
        return answer(context, &Answer { written: false, files: placed }, printed(handed));
    };
    let fates = files.iter().map(|file| fate(root, file)).collect::<Result<Vec<_>, _>>()?;
    if !dry_run {
        for (file, _) in files.iter().zip(&fates).filter(|(_, fate)| **fate != Fate::Same) {
            put(&root.join(&file.path), &file.text)?;
        }
    }
    let placed: Vec<Placed> = files.iter().zip(&fates).map(|(file, fate)| placed(root, file, Some(*fate))).collect();
    let mut text = summary(&placed, dry_run);
    if !dry_run {
        text.push_str(&(handed.next)(&placed));
    }
    answer(context, &Answer { written: !dry_run, files: placed }, text)
}

fn answer(context: &Context, answer: &Answer, text: String) -> Result<Exit, Failure> {
    context.answer(answer, || text)?;
    Ok(Exit::Good)
}

fn placed(root: &Path, file: &RenderedFile, fate: Option<Fate>) -> Placed {
    Placed { fate, path: root.join(&file.path).display().to_string(), text: file.text.clone() }
}

fn printed(handed: &Handed) -> String {
    let one = |file: &RenderedFile| format!("# {}\n{}", handed.base.join(&file.path).display(), file.text);
    handed.files.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn summary(files: &[Placed], dry_run: bool) -> String {
    let word = |fate| match (fate, dry_run) {
        (Some(Fate::Same) | None, _) => "unchanged",
        (Some(Fate::New | Fate::Changed), false) => "wrote",
        (Some(Fate::New), true) => "would write",
        (Some(Fate::Changed), true) => "would change",
    };
    files.iter().map(|file| format!("{} {}\n", word(file.fate), file.path)).collect()
}

fn after_units(files: &[Placed]) -> String {
    let rules = files.iter().any(|file| file.path.ends_with(".rules"));
    let udev = if rules { " && udevadm control --reload" } else { "" };
    format!("next: systemctl daemon-reload && systemctl enable --now subvault.timer{udev}\n")
}

/// What would become of it; one that somebody made their own is not touched, and told.
fn fate(root: &Path, file: &RenderedFile) -> Result<Fate, Failure> {
    let path = root.join(&file.path);
    // Every file begins with a line that says that it may be written anew.
    let mark = file.text.split_inclusive('\n').next().unwrap_or_default();
    match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Fate::New),
        Err(source) => Err(Failure::Write { what: path.display().to_string(), source }),
        Ok(there) if there == file.text.as_bytes() => Ok(Fate::Same),
        Ok(there) if there.starts_with(mark.as_bytes()) => Ok(Fate::Changed),
        Ok(_) => Err(Failure::usage(
            format!("{} was not written by subvault, or was changed", path.display()),
            "move it away, or take over by hand what is printed without --to",
        )),
    }
}

/// Puts a file in place, whole or not at all.
fn put(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || {
        let directory = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(directory)?;
        let mut name = path.as_os_str().to_owned();
        name.push(".subvault-new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&name)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&name, path)
    };
    write().map_err(|source| Failure::Write { what: path.display().to_string(), source })
}

fn wanted(context: &Context, document: &Document, setup: &Setup, program: PathBuf) -> Wanted {
    let usual = context.config.as_path() == Path::new(config::PATH);
    let config = std::path::absolute(&context.config).unwrap_or_else(|_| context.config.clone());
    Wanted {
        program,
        state: setup
            .state
            .strip_prefix("/var/lib")
            .ok()
            .and_then(Path::to_str)
            .filter(|s| !s.is_empty())
            .map(str::to_owned),
        writes: writes(setup),
        wake: wake(setup),
        zone: document.config.host.time_zone.as_ref().map(|zone| zone.get_ref().clone()),
        disks: disks(setup),
        credentials: credentials(document, &config),
        config: (!usual).then_some(config),
        network: network(setup),
        hooks: !setup.hooks.is_empty(),
    }
}

/// Where snapshots and objects appear. A directory of snapshots may itself have to be made.
fn writes(setup: &Setup) -> Vec<PathBuf> {
    let snapshots = setup.subvolumes.iter().filter_map(|subvolume| subvolume.snapshots.parent());
    let stores = setup.targets.iter().filter_map(|target| match &target.location {
        Location::Directory(directory) => Some(directory.as_path()),
        Location::S3(_) => None,
    });
    let copies = setup.replicas.iter().filter_map(|replica| match &replica.place {
        ReplicaPlace::Directory(directory) => Some(directory.as_path()),
        ReplicaPlace::Disk { .. } | ReplicaPlace::Host { .. } => None,
    });
    let all = snapshots.chain(stores).chain(copies).chain([setup.state.as_path()]);
    all.map(Path::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The disks that come and go.
fn disks(setup: &Setup) -> Vec<Disk> {
    let of = |replica: &ReplicaSetup| {
        let ReplicaPlace::Disk { uuid, luks, .. } = &replica.place else { return None };
        // Inside of a container, the pool is there only after we have opened it.
        let container = luks.as_ref().map(|luks| DiskIdentity::Luks(luks.uuid.clone()));
        Some(Disk { target: replica.name.clone(), identity: container.unwrap_or(DiskIdentity::Pool(*uuid)) })
    };
    setup.replicas.iter().filter_map(of).collect()
}

fn network(setup: &Setup) -> bool {
    setup.targets.iter().any(|target| matches!(target.location, Location::S3(_)))
        || setup.replicas.iter().any(|replica| matches!(replica.place, ReplicaPlace::Host { .. }))
}

/// Every calendar event that a run would find something due by.
fn wake(setup: &Setup) -> Vec<Calendar> {
    let snapshots = setup.policy.subvolumes.iter().filter_map(|subvolume| subvolume.schedule.clone());
    let policy = &setup.policy;
    let of_pair = |subvolume, target| policy.send_schedule(subvolume, target).cloned();
    let sends = policy.subvolumes.iter().flat_map(|subvolume| {
        let targets = subvolume.targets.iter().chain(&subvolume.replicas);
        targets.filter_map(move |target| of_pair(subvolume, target))
    });
    // In the order of their words, each once: what several wait for wakes once.
    let all: BTreeMap<String, Calendar> =
        snapshots.chain(sends).map(|calendar| (calendar.to_string(), calendar)).collect();
    all.into_values().collect()
}

/// The credentials that are named without a directory: the service manager reads them from beside the configuration.
fn credentials(document: &Document, config: &Path) -> Vec<(String, PathBuf)> {
    let directory = config.parent().unwrap_or(Path::new("/"));
    let buckets = document.config.targets.iter().filter_map(|target| target.get_ref().s3.as_ref());
    let named = buckets.filter_map(|bucket| bucket.credentials_file.as_deref()?.to_str());
    let plain: BTreeSet<&str> = named.filter(|name| !name.contains('/')).collect();
    plain.into_iter().map(|name| (name.to_owned(), directory.join(name))).collect()
}
