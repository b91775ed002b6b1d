//! `subvault render runbooks`: what somebody does who lost something, in commands with this host's own names.
//!
//! It writes into the directory that it is told, and over nothing that it did not write.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::json;
use subvault_jobs::replica::attach::ReplicaPlace;
use subvault_jobs::setup::{ReplicaSetup, Setup};
use subvault_model::names::TargetName;
use subvault_render::file::RenderedFile;
use subvault_render::runbook::{Bucket, MARK, Restic, Runbook, Site, Target, runbooks};

use super::files::put_all;
use crate::commands::plan::{Decided, decide};
use crate::commands::restore::IDENTITY;
use crate::config::{self, Document};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// What is mounted where at every boot.
const FSTAB: &str = "/etc/fstab";

/// What it takes.
#[derive(Debug, clap::Args)]
pub struct Runbooks {
    /// Write the pages into this directory, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// The restic repository that Windows and telephones send to, as `restic -r` takes it: they get pages too
    #[arg(long, value_name = "REPOSITORY", requires = "restic_password_file")]
    restic: Option<String>,
    /// The file with its password
    #[arg(long, value_name = "FILE", requires = "restic")]
    restic_password_file: Option<PathBuf>,
}

/// Writes the runbooks of this host.
///
/// # Errors
/// When the configuration cannot be used, a page would take the place of somebody else's file, or cannot be written.
pub fn run(args: &Runbooks, context: &Context) -> Result<Exit, Failure> {
    let files = runbooks(&runbook(args, context)?);
    let old = of_before(&args.output, &files)?;
    put_all(&args.output, files.iter())?;
    for page in &old {
        fs::remove_file(page).map_err(|source| Failure::Write { what: page.display().to_string(), source })?;
    }
    let paths =
        |paths: &mut dyn Iterator<Item = PathBuf>| paths.map(|path| path.display().to_string()).collect::<Vec<_>>();
    let written = paths(&mut files.iter().map(|file| args.output.join(&file.path)));
    let removed = paths(&mut old.into_iter());
    let answer = json!({ "written": written, "removed": removed });
    context.answer(&answer, || summary(&args.output, &written, &removed))?;
    Ok(Exit::Good)
}

fn summary(directory: &Path, written: &[String], removed: &[String]) -> String {
    let line = |word: &str, path: &String| format!("{word} {path}\n");
    let mut text: String = written.iter().map(|path| line("wrote", path)).collect();
    text.extend(removed.iter().map(|path| line("removed, since there is nothing for it any more:", path)));
    let print = directory.join("runbooks.html");
    text.push_str(&format!("next: print {}, and keep it where the backups are not\n", print.display()));
    text
}

/// Pages of an earlier time that are not made any more: a page about what is gone would mislead. What was not written by
/// this verb is no such page, and is not written over.
fn of_before(directory: &Path, files: &[RenderedFile]) -> Result<Vec<PathBuf>, Failure> {
    let failed = |path: &Path, source| Failure::Write { what: path.display().to_string(), source };
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|source| failed(directory, source))?,
    };
    let made: BTreeSet<&OsStr> = files.iter().map(|file| file.path.as_os_str()).collect();
    let is_ours = |path: &Path| fs::read(path).is_ok_and(|text| text.starts_with(MARK.as_bytes()));
    let mut old = Vec::new();
    for entry in entries {
        let path = entry.map_err(|source| failed(directory, source))?.path();
        let is_made = path.file_name().is_some_and(|name| made.contains(name));
        if is_made && !is_ours(&path) {
            let what = format!("{} was not written by subvault, or was changed", path.display());
            return Err(Failure::usage(what, "move it away, or choose another directory with --output"));
        }
        if !is_made && path.extension().is_some_and(|end| end == "md") && is_ours(&path) {
            old.push(path);
        }
    }
    old.sort();
    Ok(old)
}

fn runbook(args: &Runbooks, context: &Context) -> Result<Runbook, Failure> {
    let document = config::load(&context.config)?;
    let setup = config::resolve(&document)?;
    let Decided { strategy, found, .. } = decide(None, context)?;
    let config = std::path::absolute(&context.config).unwrap_or_else(|_| context.config.clone());
    let restic = args.restic.clone().zip(args.restic_password_file.clone());
    let identity = config.with_file_name("identity.txt");
    Ok(Runbook {
        strategy,
        facts: found.facts,
        snapshots: setup.subvolumes.iter().map(|s| (s.name.clone(), s.snapshots.clone())).collect(),
        targets: targets(&document, &setup, &config),
        identity: if identity.exists() { identity } else { IDENTITY.into() },
        config,
        fstab: fs::read(FSTAB).unwrap_or_default(),
        restic: restic.map(|(repository, password_file)| Restic { repository, password_file }),
    })
}

/// In the order of the configuration.
fn targets(document: &Document, setup: &Setup, config: &Path) -> Vec<Target> {
    let written = document.config.targets.iter().map(|written| written.get_ref());
    let target = |written: &config::Target| {
        let site = match (&written.directory, &written.s3) {
            (Some(directory), _) => Site::Directory(directory.clone()),
            (None, Some(s3)) => Site::Bucket(bucket(s3, config)),
            (None, None) => replica(setup, &written.name)?,
        };
        Some(Target { name: written.name.clone(), site })
    };
    written.filter_map(target).collect()
}

fn bucket(s3: &config::S3, config: &Path) -> Bucket {
    Bucket {
        provider: s3.provider.word().to_owned(),
        bucket: s3.bucket.clone(),
        prefix: s3.prefix.as_ref().map(|prefix| prefix.get_ref().clone()),
        region: s3.region.clone(),
        endpoint: s3.endpoint.clone(),
        // A plain name is beside the configuration.
        credentials: s3.credentials_file.as_ref().map(|file| config.with_file_name("").join(file)),
        class: s3.storage_class.as_ref().map(|class| class.as_str().to_owned()),
    }
}

fn replica(setup: &Setup, name: &TargetName) -> Option<Site> {
    let ReplicaSetup { place, .. } = setup.replica(name)?;
    Some(match place.clone() {
        ReplicaPlace::Directory(directory) => Site::Mounted(directory),
        ReplicaPlace::Disk { uuid, directory, luks } => {
            Site::Disk { uuid, directory, luks: luks.map(|luks| (luks.uuid, luks.key_file)) }
        }
        ReplicaPlace::Host { ssh, directory } => Site::Host { host: ssh.host, port: ssh.port, directory },
    })
}
