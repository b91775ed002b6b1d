//! `subvault diff`: what differs between two snapshots, or since one.

pub(super) mod sides;
mod words;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use subvault_jobs::diff::{self, Side, text};
use subvault_model::file_path::FilePath;

use self::sides::Sides;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
FROM and TO are each one of
  home.20261120T221500Z   a snapshot by its name
  home@2026-11-20         the newest snapshot of a subvolume that is not after a moment
  home                    a subvolume of the configuration as it is now
                          (as FROM alone: from its newest snapshot)
  ./PATH                  any snapshot or subvolume, of other programs too
Without TO: to the present state of what FROM is a snapshot of.

Each line tells one thing that differs:
  +  is new, with its size              -  is gone, with the size it had
  ~  its content differs, with how many bytes were written
  »  has another name or directory      m  only its metadata differs

Examples:
  subvault diff home                                 since the newest snapshot
  subvault diff home@2026-11-20 home -- .config    in one directory
  subvault diff home --summary                       by top directories
  subvault diff home --content -- notes/todo.txt     the lines that differ
  subvault diff ~/notes/todo.txt                     the same, since the newest snapshot
  subvault diff --pair last                          what the command after `subvault around --` changed
  subvault diff /.snapshots/4/snapshot /.snapshots/9/snapshot")]
pub struct Args {
    /// What was before; a file of a configured subvolume shows what differs in it since the newest snapshot
    #[arg(value_name = "FROM", required_unless_present = "pair")]
    from: Option<OsString>,
    /// What came after
    #[arg(value_name = "TO")]
    to: Option<OsString>,
    /// What `subvault around` saw: before and after its command; ID is what it told, or `last`
    #[arg(long, value_name = "ID", conflicts_with_all = ["from", "content"])]
    pair: Option<String>,
    /// Show the lines that differ in the files PATH
    #[arg(long, requires = "paths", conflicts_with = "summary")]
    content: bool,
    /// Show how much differs below each top directory, not each path
    #[arg(long)]
    summary: bool,
    /// Only what lies at or below these paths inside the subvolume
    #[arg(last = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Compares.
///
/// # Errors
/// When the two cannot be compared.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let sides = Sides::new(context);
    let Some(from) = &args.from else {
        return pairs(&sides.pair(args.pair.as_deref().unwrap_or("last"))?, args, context);
    };
    if let Some((from, to, path)) = sides.of_file(from.as_ref(), args.to.is_some() || !args.paths.is_empty())? {
        return contents(&from, &to, &[path], context);
    }
    let (from, to) = sides.open(from, args.to.as_deref())?;
    if args.content {
        return contents(&from, &to, &inside(&args.paths, &[&to, &from])?, context);
    }
    let report = diff::compare(&from, &to, &inside(&args.paths, &[&to, &from])?)?;
    if args.summary {
        let summary = words::summary(&report);
        context.answer(&summary, || words::summarize(&summary))?;
    } else {
        context.answer(&report, || words::describe(&report))?;
    }
    Ok(Exit::Good)
}

/// Each subvolume of a pair.
fn pairs(pairs: &[(Side, Side)], args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut reports = Vec::new();
    for (from, to) in pairs {
        reports.push(diff::compare(from, to, &inside(&args.paths, &[to, from])?)?);
    }
    if args.summary {
        let summaries: Vec<_> = reports.iter().map(words::summary).collect();
        context.answer(&summaries, || summaries.iter().map(words::summarize).collect())?;
    } else {
        context.answer(&reports, || reports.iter().map(words::describe).collect())?;
    }
    Ok(Exit::Good)
}

/// Paths as they are inside the subvolume.
fn inside(paths: &[PathBuf], sides: &[&Side]) -> Result<Vec<FilePath>, Failure> {
    paths.iter().map(|path| one_inside(path, sides)).collect()
}

/// A path as it is inside the subvolume: absolute ones must lie in one of the sides.
fn one_inside(path: &Path, sides: &[&Side]) -> Result<FilePath, Failure> {
    use std::os::unix::ffi::OsStrExt;
    use std::path::Component;
    let relative = match sides.iter().find_map(|side| path.strip_prefix(side.location()).ok()) {
        Some(relative) => relative,
        None if path.is_relative() => path,
        None => {
            let what = format!("{} is in neither of the two", path.display());
            return Err(Failure::usage(what, "write the path as it is inside the subvolume"));
        }
    };
    let mut names: Vec<&[u8]> = Vec::new();
    for component in relative.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => names.push(name.as_bytes()),
            _ => {
                let what = format!("{} cannot be a path inside a subvolume", path.display());
                return Err(Failure::usage(what, "write it without `..`"));
            }
        }
    }
    Ok(FilePath::new(names.join(&b'/')))
}

fn contents(from: &Side, to: &Side, paths: &[FilePath], context: &Context) -> Result<Exit, Failure> {
    let reports: Vec<text::TextReport> =
        paths.iter().map(|path| text::compare(from, to, path)).collect::<Result<_, _>>()?;
    if context.json {
        output::json(&reports)?;
    } else {
        for report in &reports {
            output::write_all(&words::content(report))?;
        }
    }
    Ok(Exit::Good)
}
