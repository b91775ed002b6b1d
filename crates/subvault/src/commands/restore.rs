//! `subvault restore`: brings files, directories and subvolumes back.

mod archive;
pub mod files;
mod subvolume;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use subvault_archive::age_file::header::Identity;
use subvault_archive::inventory::Series;
use subvault_archive::manifest::Encryption;
use subvault_jobs::setup::Setup;
use subvault_model::names::{SnapshotName, SubvolumeName, TargetName};
use subvault_plan::restore::RestorePlan;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::place::PlaceArgs;
use crate::when;

/// The private keys that `subvault init` writes.
pub const IDENTITY: &str = "/etc/subvault/identity.txt";

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault restore /home/ada/report.odt --list              its versions
  subvault restore /home/ada/report.odt                     out of the newest snapshot that has it
  subvault restore /home/ada --at '2026-11-20 14:30'        what is missing in a directory
  subvault restore home:ada/report.odt --to /tmp            to another place
  subvault restore ./report.odt --overwrite                 in the place of what is there, which a snapshot keeps
  subvault restore /home/ada/report.odt --from nas          out of the copies on a disk or another machine
  subvault restore home --to /mnt/pool                      a whole subvolume, the newest, from the nearest place
  subvault restore home --to /mnt/pool --at 2026-11-20      as it was at the end of that day
  subvault restore home --to /mnt/pool --from cloud         out of this archive
  subvault restore home --to /mnt/new --store /mnt/disk/vault -i key.txt
                                                            on a machine that never saw the source

A path is brought back out of a snapshot on the pool; where none has it, out of a copy on a disk or another machine; where none
has it either, out of an archive. A whole subvolume comes back in /mnt/pool/home, with its read-only snapshot beside it. Nothing
is overwritten unless --overwrite says so.")]
pub struct Args {
    /// A path, such as /home/ada/report.odt or home:ada/report.odt; or a subvolume, by its name
    what: OsString,
    /// Into this directory, instead of where it was; for a whole subvolume a directory of a Btrfs filesystem
    #[arg(long, value_name = "DIRECTORY", conflicts_with_all = ["overwrite", "beside"])]
    to: Option<PathBuf>,
    /// The newest at this moment: 2026-11-20, '2026-11-20 14:30', an RFC 3339 time, or a snapshot's 20261120T143000Z
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    at: Option<Timestamp>,
    /// Out of this snapshot (its name or path), or from this target, whether it has copies or archives
    #[arg(long, value_name = "PLACE", conflicts_with_all = ["store", "target"])]
    from: Option<OsString>,
    /// Show the versions of a path, and do nothing
    #[arg(long, conflicts_with_all = ["to", "overwrite", "beside"])]
    list: bool,
    /// With --list: also those on all disks and other machines within reach
    #[arg(long, requires = "list", conflicts_with = "from")]
    all: bool,
    /// Replace what is there and differs; a snapshot keeps it
    #[arg(long, conflicts_with = "beside")]
    overwrite: bool,
    /// Put a path beside what is there, with the moment of the snapshot in its name
    #[arg(long)]
    beside: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// A file with age identities; /etc/subvault/identity.txt if it is there
    #[arg(long = "identity", short, value_name = "FILE")]
    identities: Vec<PathBuf>,
    /// Only the read-only snapshot, without a writable copy
    #[arg(long)]
    read_only: bool,
    /// Show what would be done, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

impl Args {
    /// The place that was named.
    fn named_place(&self) -> Option<OsString> {
        let target = || self.place.target.as_ref().map(|target| OsString::from(target.to_string()));
        self.from.clone().or_else(target)
    }
}

/// A place that was named.
enum Place {
    /// A snapshot of ours.
    Snapshot(SnapshotName),
    /// A snapshot, by where it is.
    Path(PathBuf),
    /// A target that has copies.
    Replica(TargetName),
    /// A target that has archives.
    Archive(TargetName),
}

/// What `--from` means.
fn place_of(setup: &Setup, from: &OsStr) -> Result<Place, Failure> {
    if from.as_bytes().contains(&b'/') {
        return Ok(Place::Path(PathBuf::from(from)));
    }
    let text = from.to_str().unwrap_or_default();
    if let Ok(name) = text.parse() {
        return Ok(Place::Snapshot(name));
    }
    let target: Option<TargetName> = text.parse().ok();
    match target {
        Some(target) if setup.target(&target).is_some() => Ok(Place::Archive(target)),
        Some(target) if setup.replica(&target).is_some() => Ok(Place::Replica(target)),
        _ => {
            let what = format!("`{}` is neither a snapshot nor a target", from.display());
            let names = setup.targets.iter().map(|t| &t.name).chain(setup.replicas.iter().map(|r| &r.name));
            let names = names.map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Err(Failure::usage(
                what,
                format!("name a snapshot (or its path), or a target of the configuration: {names}"),
            ))
        }
    }
}

/// What is to come back.
pub(super) enum Wanted {
    /// A whole subvolume.
    Subvolume(SubvolumeName),
    /// A path inside a configured subvolume.
    Inside(SubvolumeName, PathBuf),
    /// A path of the file system.
    Path(PathBuf),
}

/// Restores.
///
/// # Errors
/// When it cannot be restored; nothing is put in place then.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    match wanted(&args.what)? {
        Wanted::Subvolume(subvolume) => {
            let only_for_paths = args.list || args.overwrite || args.beside;
            let Some(to) = args.to.as_deref().filter(|_| !only_for_paths) else {
                let what = format!(
                    "`{subvolume}` is taken for a whole subvolume, which needs `--to DIRECTORY` and nothing more"
                );
                let hint =
                    format!("a file is meant by its path, as ./{subvolume}, or as {subvolume}:PATH in a subvolume");
                return Err(Failure::usage(what, hint));
            };
            subvolume::run(&subvolume::Whole { subvolume, to, args }, context)
        }
        Wanted::Inside(..) | Wanted::Path(_) if args.place.store.is_some() || args.place.host.is_some() => {
            let what = "a path is looked for in the snapshots, copies and archives of the configuration";
            let hint = "with --store or --host restore the whole subvolume: `subvault restore NAME --to DIRECTORY`, and copy from there";
            Err(Failure::usage(what.to_owned(), hint))
        }
        Wanted::Inside(subvolume, inside) => files::run(args, &files::Spot::inside(subvolume, inside), context),
        Wanted::Path(path) => files::run(args, &files::Spot::At(path), context),
    }
}

/// What a word means.
///
/// # Errors
/// When it means nothing.
pub(super) fn wanted(what: &OsStr) -> Result<Wanted, Failure> {
    let bytes = what.as_bytes();
    let colon = bytes.iter().position(|byte| *byte == b':');
    if let Some((name, rest)) = colon.and_then(|at| Some((as_name(&bytes[..at])?, &bytes[at + 1..]))) {
        let rest = Path::new(OsStr::from_bytes(rest));
        let inside: PathBuf =
            rest.components().filter(|part| !matches!(part, Component::RootDir | Component::CurDir)).collect();
        if inside.components().any(|part| part == Component::ParentDir) {
            return Err(Failure::usage(format!("`{}` leads upwards", rest.display()), "give the path without `..`"));
        }
        return Ok(Wanted::Inside(name, inside));
    }
    match as_name(bytes) {
        Some(name) => Ok(Wanted::Subvolume(name)),
        None if bytes.is_empty() => Err(Failure::usage("nothing was named", "name a path or a subvolume")),
        None => {
            let here = std::env::current_dir();
            let here =
                here.map_err(|error| Failure::usage(format!("no current directory: {error}"), "give a whole path"))?;
            Ok(Wanted::Path(here.join(what)))
        }
    }
}

fn as_name(bytes: &[u8]) -> Option<SubvolumeName> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// The keys that open the streams, where they need any.
fn identities(given: &[PathBuf], series: &Series, plan: &RestorePlan) -> Result<Vec<Identity>, Failure> {
    let encrypted = plan.streams.iter().filter_map(|s| series.streams.get(&s.name));
    if !encrypted.into_iter().any(|p| p.manifest.encryption != Encryption::Off) {
        return Ok(Vec::new());
    }
    let default = [PathBuf::from(IDENTITY)];
    let files = match given {
        [] if Path::new(IDENTITY).exists() => &default,
        given => given,
    };
    let mut identities = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).map_err(|error| {
            let what = format!("cannot read the identity file {}: {error}", file.display());
            Failure::usage(what, "give the private key with --identity FILE")
        })?;
        identities.extend(Identity::parse_file(&text).map_err(|error| {
            Failure::usage(format!("{}: {error}", file.display()), "give the private key with --identity FILE")
        })?);
    }
    Ok(identities)
}
