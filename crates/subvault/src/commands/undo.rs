//! `subvault undo`: takes changes back.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use serde_json::json;
use subvault_host::clock;
use subvault_host::copy::Below;
use subvault_host::subvolume::Subvolume;
use subvault_jobs::bring_back::{Report, Work, carry_out, is_kept_state};
use subvault_jobs::diff::Side;
use subvault_jobs::driver::chain;
use subvault_jobs::error::JobError;
use subvault_jobs::setup::{Setup, SubvolumeSetup};
use subvault_jobs::{snapshot, undo};
use subvault_model::file::shown;
use subvault_model::file_path::FilePath;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{SnapshotName, SubvolumeName};
use subvault_plan::file_step::FileStep;
use subvault_plan::undo::{Undo, plan};

use super::archive::no_subvolume;
use super::restore::files::{brief, free_name};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::ask::{Unasked, go_on};
use crate::output::{self, size};
use crate::when;

/// Steps that are shown before asking.
const SHOWN_MOST: usize = 60;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
FROM and TO are each a snapshot (home.20261120T221500Z, or the path of one that another program took) or a moment of a
subvolume (home@2026-11-20). FROM may be the subvolume itself (home), which means its newest snapshot; without TO,
everything since FROM is taken back.

Examples:
  subvault undo home@2026-11-20 -- ada/notes              one directory, back to the end of that day
  subvault undo home.20261120T221500Z home.20261120T230000Z
                                                          what came between two snapshots, and nothing later
  subvault undo home --dry-run                            the list, and nothing else

The list is shown first. What was changed again after TO is left alone. A snapshot keeps the state before: taking that
as FROM undoes the undo.")]
pub struct Args {
    /// What was before the changes
    #[arg(value_name = "FROM")]
    from: OsString,
    /// What was after them; now, if not said
    #[arg(value_name = "TO")]
    to: Option<OsString>,
    /// Also what was changed again
    #[arg(long)]
    force: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Show what would be done, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Only what lies, or lay, at or below these paths in the subvolume
    #[arg(last = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Takes changes back.
///
/// # Errors
/// When they cannot be found, or the present state cannot be kept; nothing is changed then.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut setup = context.setup()?;
    // Held from the comparison on, and not while somebody thinks about the answer of a dry run.
    let run = if args.dry_run { None } else { Some(context.lock(&setup.state, "restore.lock", "subvault undo")?) };
    let (subvolume, from, to) = sides(&mut setup, args)?;
    let paths = args.paths.iter().map(|path| inside(path, subvolume)).collect::<Result<Vec<_>, _>>()?;
    let live = Subvolume::open(&subvolume.path)?;
    let ours = snapshot::directory_inside(subvolume)?;
    let found = undo::look(&from, &to, &live, &paths, ours.as_deref())?;
    let mut undo = plan(&found.changes, args.force, &free_name(subvolume)?);
    undo.steps.splice(0..0, found.leftovers.iter().map(|path| FileStep::RemoveLeftover { path: path.clone() }));
    if args.dry_run || !context.json {
        let answer = json!({ "from": from.label, "to": to.label, "plan": undo });
        let most = if args.dry_run { usize::MAX } else { SHOWN_MOST };
        context.answer(&answer, || describe(subvolume, &from, &to, &undo, most))?;
    }
    if args.dry_run || undo.steps.is_empty() {
        return nothing_done(args, context, &undo);
    }
    if !go_on("Take this back?", args.yes, Unasked::Refuse)? {
        return Ok(Exit::NothingDone);
    }
    let (before, here) = (Below::of(&Subvolume::open(from.location())?)?, Below::of(&live)?);
    let (twins, monitor) = (&found.twins, &context.monitor);
    let work = Work { setup: Some(subvolume), from: &before, to: &here, twins, command: "subvault undo", monitor };
    let result = carry_out(&work, &undo.steps);
    let outcome = if result.as_ref().is_ok_and(|report| report.failed.is_empty()) { "done" } else { "failed" };
    let subject = json!({ "subvolume": subvolume.name, "from": from.label, "to": to.label });
    let detail = match &result {
        Ok(report) => json!({ "subject": subject, "report": brief(report) }),
        Err(error) => json!({ "subject": subject, "error": chain(error) }),
    };
    let recorded = run.map(|run| run.audit.add(clock::now(), "undo", outcome, detail));
    let report = result?;
    context.answer(&json!({ "report": report, "conflicts": undo.conflicts, "done_before": undo.done }), || {
        summary(&report, &undo)
    })?;
    if let Some(Err(error)) = recorded {
        context.monitor.event(Event::Warning(format!("the undo is done, but not recorded: {error}")));
        return Ok(Exit::SomeFailed);
    }
    let exit = Exit::from(report.verdict());
    Ok(if exit == Exit::Good && !undo.conflicts.is_empty() { Exit::SomeFailed } else { exit })
}

/// The subvolume that is meant, and the states between which the changes came.
fn sides<'a>(setup: &'a mut Setup, args: &Args) -> Result<(&'a SubvolumeSetup, Side, Side), Failure> {
    let setup = &*setup;
    let (subvolume, from) = side(setup, &args.from)?;
    let from = match from {
        Meaning::Now => Meaning::Snapshot(newest(subvolume, None)?),
        other => other,
    };
    let to = match &args.to {
        None => Meaning::Now,
        Some(to) => {
            let (other, to) = side(setup, to)?;
            if other.name != subvolume.name {
                let what = format!("FROM is of {} and TO is of {}", subvolume.name, other.name);
                return Err(Failure::usage(what, "name two states of one subvolume"));
            }
            to
        }
    };
    Ok((subvolume, from.open(subvolume)?, to.open(subvolume)?))
}

/// What a word means.
enum Meaning {
    Now,
    Snapshot(SnapshotName),
    Path(PathBuf),
}

impl Meaning {
    fn open(&self, subvolume: &SubvolumeSetup) -> Result<Side, Failure> {
        Ok(match self {
            Self::Now => Side::present(subvolume)?,
            Self::Snapshot(name) => Side::snapshot(subvolume, name)?,
            Self::Path(path) => Side::path(path)?,
        })
    }
}

fn side<'a>(setup: &'a Setup, word: &OsStr) -> Result<(&'a SubvolumeSetup, Meaning), Failure> {
    let configured = |name: &SubvolumeName| setup.subvolume(name).ok_or_else(|| no_subvolume(setup, name));
    if word.as_bytes().contains(&b'/') {
        let path = Path::new(word);
        let info = Subvolume::open(path)?.info()?;
        let is_of = |subvolume: &&SubvolumeSetup| {
            let live = Subvolume::open(&subvolume.path).and_then(|live| live.info()?.identity());
            live.is_ok_and(|live| info.parent_uuid.is_some_and(|parent| live.is_parent_of(&parent)))
        };
        let found = setup.subvolumes.iter().find(is_of).filter(|_| info.read_only).ok_or_else(|| {
            let what = format!("{} is no read-only snapshot of a subvolume of the configuration", path.display());
            Failure::usage(what, "name a snapshot of what is looked after")
        })?;
        return Ok((found, Meaning::Path(path.to_owned())));
    }
    let text = word.to_str().unwrap_or_default();
    if let Ok(name) = text.parse::<SnapshotName>() {
        return Ok((configured(name.subvolume())?, Meaning::Snapshot(name)));
    }
    if let Some(found) = text.parse().ok().and_then(|name| setup.subvolume(&name)) {
        return Ok((found, Meaning::Now));
    }
    let moment = text.rsplit_once('@').and_then(|(name, at)| Some((name.parse::<SubvolumeName>().ok()?, at)));
    let Some((name, at)) = moment else {
        let what = format!("`{}` is neither a snapshot nor a moment of a subvolume", word.display());
        return Err(Failure::usage(what, "write home.20261120T221500Z, home@2026-11-20, or a snapshot's path"));
    };
    let subvolume = configured(&name)?;
    let at = when::parse(at).map_err(|why| Failure::usage(format!("`{at}` is not a moment"), why))?;
    Ok((subvolume, Meaning::Snapshot(newest(subvolume, Some(at))?)))
}

/// The newest snapshot that is old enough. Those that an undo or a restore took first are not meant: given again, a command
/// must mean the same.
fn newest(subvolume: &SubvolumeSetup, until: Option<Timestamp>) -> Result<SnapshotName, Failure> {
    let mut existing = snapshot::existing(subvolume)?;
    existing.retain(|found| until.is_none_or(|until| found.name.taken() <= until) && !is_kept_state(found));
    existing.into_iter().map(|found| found.name).max().ok_or_else(|| {
        let what = format!("there is no snapshot of {} that is old enough", subvolume.name);
        JobError::Refused { what, hint: "`subvault list` shows what there is".to_owned() }.into()
    })
}

/// A path as it is inside the subvolume.
fn inside(path: &Path, subvolume: &SubvolumeSetup) -> Result<FilePath, Failure> {
    let relative = path.strip_prefix(&subvolume.path).unwrap_or(path);
    let names: Vec<Component<'_>> = relative.components().filter(|part| *part != Component::CurDir).collect();
    if names.iter().any(|part| !matches!(part, Component::Normal(_))) {
        let what = format!("{} does not lie in {}", path.display(), subvolume.path.display());
        return Err(Failure::usage(what, "write the path as it is inside the subvolume, without `..`"));
    }
    let relative: PathBuf = names.into_iter().collect();
    Ok(FilePath::new(relative.as_os_str().as_bytes()))
}

fn nothing_done(args: &Args, context: &Context, undo: &Undo) -> Result<Exit, Failure> {
    let only_conflicts = undo.steps.is_empty() && !undo.conflicts.is_empty();
    if !args.dry_run && context.json {
        let report = Report::default();
        output::json(&json!({ "report": report, "conflicts": undo.conflicts, "done_before": undo.done }))?;
    }
    Ok(if only_conflicts { Exit::NothingDone } else { Exit::Good })
}

fn describe(subvolume: &SubvolumeSetup, from: &Side, to: &Side, undo: &Undo, most: usize) -> String {
    let mut text = format!("{}: what came from {} to {} is taken back\n\n", subvolume.name, from.label, to.label);
    for step in undo.steps.iter().take(most) {
        text.push_str(&format!("  {step}\n"));
    }
    if undo.steps.len() > most {
        text.push_str(&format!("  … and {} more, which --dry-run shows\n", undo.steps.len() - most));
    }
    for conflict in undo.conflicts.iter().take(most) {
        let now = match &conflict.now {
            Some(state) => format!("changed again, {}", size::moment(state.changed)),
            None => "gone since".to_owned(),
        };
        text.push_str(&format!("  leave      {} ({now})\n", shown(&conflict.path)));
    }
    if undo.done > 0 {
        text.push_str(&format!("  {} changes are taken back already\n", undo.done));
    }
    if undo.steps.is_empty() {
        text.push_str("  nothing is to be done\n");
    }
    text
}

fn summary(report: &Report, undo: &Undo) -> String {
    let steps = report.done.iter().filter(|step| !matches!(step, FileStep::KeepState { .. })).count();
    let mut text = format!("\n{steps} steps done");
    if let Some(kept) = &report.kept {
        text.push_str(&format!("; the state before is kept in {kept}"));
    }
    text.push('\n');
    if !undo.conflicts.is_empty() {
        let many = undo.conflicts.len();
        text.push_str(&format!("{many} paths were changed again and left as they are; --force takes them back too\n"));
    }
    if !report.failed.is_empty() {
        text.push_str(&format!("{} steps failed\n", report.failed.len()));
    }
    text
}
