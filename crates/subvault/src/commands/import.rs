//! `subvault import`: a configuration made from another program's. Reads files, and writes one that is not there yet.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use subvault_model::monitor::{Event, Monitor};
use subvault_render::import::snapper::SnapperFile;
use subvault_render::import::{Imported, NotUnderstood, btrbk, snapper};

use super::init::write_new;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault import snapper                              print what would be the configuration
  subvault import btrbk --to /etc/subvault/subvault.toml
  subvault import btrbk --from /mnt/etc/btrbk/btrbk.conf

Everything that is not the same afterwards is told on standard error and at the end of the configuration. Nothing of the
other program is changed.")]
pub struct Args {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, clap::Subcommand)]
enum From {
    /// Make a configuration from snapper's
    Snapper {
        /// Where the root of that system is
        #[arg(long, value_name = "DIR", default_value = "/")]
        root: PathBuf,
        #[command(flatten)]
        to: To,
    },
    /// Make a configuration from btrbk's
    Btrbk {
        /// Its configuration; the first that is there of /etc/btrbk.conf and /etc/btrbk/btrbk.conf if not said
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        #[command(flatten)]
        to: To,
    },
}

#[derive(Debug, clap::Args)]
struct To {
    /// Write it into this file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Print it, and write nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

/// Imports.
///
/// # Errors
/// When there is nothing to import, it cannot be understood, or the file is there.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (imported, to) = match &args.from {
        From::Snapper { root, to } => {
            (snapper::import(&snapper_files(root)?).map_err(|error| not_understood(&error))?, to)
        }
        From::Btrbk { from, to } => (btrbk_file(from.as_deref())?, to),
    };
    for loss in imported.losses() {
        context.monitor.event(Event::Warning(loss.to_string()));
    }
    match to.to.as_deref().filter(|_| !to.dry_run) {
        None => context.answer(&imported, || imported.config.clone())?,
        Some(path) => {
            if path.exists() {
                let what = format!("{} exists already", path.display());
                return Err(Failure::usage(what, "edit it, move it away, or name another with --to"));
            }
            write_new(path, &imported.config, 0o600)?;
            context.answer(&imported, || words(path, &imported))?;
        }
    }
    Ok(Exit::Good)
}

fn words(path: &Path, imported: &Imported) -> String {
    let lost = imported.losses().count();
    let told = match lost {
        0 => "everything was carried over".to_owned(),
        1 => "one thing was not carried over: see its end".to_owned(),
        n => format!("{n} things were not carried over: see its end"),
    };
    format!("wrote {}; {told}\nnext: look it through, then `subvault run --dry-run`\n", path.display())
}

fn not_understood(error: &NotUnderstood) -> Failure {
    Failure::usage(error.to_string(), "the program that it is for would not read it either; mend that line")
}

fn read(path: &Path) -> Result<String, Failure> {
    let bytes =
        fs::read(path).map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display()), "check the path"))?;
    String::from_utf8(bytes).map_err(|e| {
        let line = 1 + e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        let what = format!("{}:{line}: a name that is not UTF-8 cannot be written in a configuration", path.display());
        Failure::usage(what, "take that line out, and look after it under another path")
    })
}

fn btrbk_file(from: Option<&Path>) -> Result<Imported, Failure> {
    let usual = [Path::new("/etc/btrbk.conf"), Path::new("/etc/btrbk/btrbk.conf")];
    let found = from.or_else(|| usual.into_iter().find(|path| path.exists()));
    let path = found.ok_or_else(|| Failure::usage("there is no configuration of btrbk", "name one with --from"))?;
    btrbk::import(&path.display().to_string(), &read(path)?).map_err(|error| not_understood(&error))
}

/// The configurations that snapper has, in the order of their names.
fn snapper_files(root: &Path) -> Result<Vec<SnapperFile>, Failure> {
    let directory = root.join("etc/snapper/configs");
    let nothing = || Failure::usage(format!("{} has no configuration of snapper", directory.display()), "say --root");
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(nothing()),
        Err(error) => {
            return Err(Failure::usage(format!("cannot read {}: {error}", directory.display()), "check the path"));
        }
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry =
            entry.map_err(|e| Failure::usage(format!("cannot read {}: {e}", directory.display()), "try again"))?;
        let path = entry.path();
        // What editors leave behind is none of snapper's.
        let Some(name) =
            entry.file_name().to_str().map(str::to_owned).filter(|n| !n.ends_with('~') && !n.starts_with('.'))
        else {
            continue;
        };
        if path.is_file() {
            files.push(SnapperFile { name, path: path.display().to_string(), text: read(&path)? });
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    if files.is_empty() { Err(nothing()) } else { Ok(files) }
}
