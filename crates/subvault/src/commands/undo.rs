//! `subvault undo`: takes changes back.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};
use subvault_host::clock;
use subvault_host::copy::Below;
use subvault_host::subvolume::Subvolume;
use subvault_jobs::bring_back::{Report, Work, carry_out, is_kept_state};
use subvault_jobs::diff::Side;
use subvault_jobs::driver::chain;
use subvault_jobs::error::JobError;
use subvault_jobs::setup::{Setup, SubvolumeSetup};
use subvault_jobs::{note, snapshot, undo};
use subvault_model::file::shown;
use subvault_model::file_path::FilePath;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{SnapshotName, SubvolumeName};
use subvault_plan::bring_back::Twin;
use subvault_plan::file_step::FileStep;
use subvault_plan::undo::{Undo, plan};

use super::archive::no_subvolume;
use super::diff::sides::Sides;
use super::restore::files::{brief, free_name};
use crate::context::{Context, Run};
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
  subvault undo --pair last                               what the command after `subvault around --` changed

The list is shown first. What was changed again after TO is left alone. A snapshot keeps the state before: taking that
as FROM undoes the undo.")]
pub struct Args {
    /// What was before the changes
    #[arg(value_name = "FROM", required_unless_present = "pair")]
    from: Option<OsString>,
    /// What was after them; now, if not said
    #[arg(value_name = "TO")]
    to: Option<OsString>,
    /// What the command of a pair changed that `subvault around` made: its id, or `last`
    #[arg(long, value_name = "ID", conflicts_with_all = ["from", "to"])]
    pair: Option<String>,
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
    let setup = context.setup()?;
    // Held from the comparison on: what was found is what is taken back.
    let run = if args.dry_run { None } else { Some(context.lock(&setup.state, "restore.lock", "subvault undo")?) };
    let mut answers = Vec::new();
    let (mut all_good, mut something_done) = (true, false);
    for (subvolume, from, to) in sides(&setup, args, context)? {
        let taken = Taking { args, context, subvolume, from, to }.take_back(run.as_ref())?;
        all_good &= taken.exit == Exit::Good;
        something_done |= taken.exit != Exit::NothingDone;
        answers.push(taken.answer);
    }
    if context.json {
        match answers.as_slice() {
            [one] if args.pair.is_none() => output::json(one)?,
            all => output::json(&all)?,
        }
    }
    Ok(match (all_good, something_done) {
        (true, _) => Exit::Good,
        (false, true) => Exit::SomeFailed,
        (false, false) => Exit::NothingDone,
    })
}

/// The changes of one subvolume.
struct Taking<'a> {
    args: &'a Args,
    context: &'a Context,
    subvolume: &'a SubvolumeSetup,
    from: Side,
    to: Side,
}

/// What came of it.
struct Taken {
    exit: Exit,
    answer: Value,
}

impl Taking<'_> {
    fn take_back(&self, run: Option<&Run>) -> Result<Taken, Failure> {
        let (args, subvolume) = (self.args, self.subvolume);
        let paths = args.paths.iter().map(|path| inside(path, subvolume)).collect::<Result<Vec<_>, _>>()?;
        let live = Subvolume::open(&subvolume.path)?;
        let ours = snapshot::directory_inside(subvolume)?;
        let found = undo::look(&self.from, &self.to, &live, &paths, ours.as_deref())?;
        let mut undo = plan(&found.changes, args.force, &free_name(subvolume)?);
        undo.steps.splice(0..0, found.leftovers.iter().map(|path| FileStep::RemoveLeftover { path: path.clone() }));
        if !self.context.json {
            let most = if args.dry_run { usize::MAX } else { SHOWN_MOST };
            output::say(&describe(subvolume, &self.from, &self.to, &undo, most))?;
        }
        let Some(run) = run.filter(|_| !undo.steps.is_empty()) else {
            let only_conflicts = undo.steps.is_empty() && !undo.conflicts.is_empty();
            let exit = if only_conflicts { Exit::NothingDone } else { Exit::Good };
            return Ok(Taken { exit, answer: self.answer(&undo, None) });
        };
        if !go_on("Take this back?", args.yes, Unasked::Refuse)? {
            return Ok(Taken { exit: Exit::NothingDone, answer: self.answer(&undo, None) });
        }
        let report = self.carry_out(&live, &found.twins, &undo, run)?;
        if !self.context.json {
            output::say(&summary(&report, &undo))?;
        }
        let exit = Exit::from(report.verdict());
        let exit = if exit == Exit::Good && !undo.conflicts.is_empty() { Exit::SomeFailed } else { exit };
        Ok(Taken { exit, answer: self.answer(&undo, Some(&report)) })
    }

    fn carry_out(&self, live: &Subvolume, twins: &[Twin], undo: &Undo, run: &Run) -> Result<Report, Failure> {
        let (before, here) = (Below::of(&Subvolume::open(self.from.location())?)?, Below::of(live)?);
        let (setup, monitor) = (Some(self.subvolume), &self.context.monitor);
        let work = Work { setup, from: &before, to: &here, twins, command: "subvault undo", monitor };
        let result = carry_out(&work, &undo.steps);
        let outcome = if result.as_ref().is_ok_and(|report| report.failed.is_empty()) { "done" } else { "failed" };
        let subject = json!({ "subvolume": self.subvolume.name, "from": self.from.label, "to": self.to.label });
        let detail = match &result {
            Ok(report) => json!({ "subject": subject, "report": brief(report) }),
            Err(error) => json!({ "subject": subject, "error": chain(error) }),
        };
        if let Err(error) = run.audit.add(clock::now(), "undo", outcome, detail) {
            monitor.event(Event::Warning(format!("the undo is done, but not recorded: {error}")));
        }
        Ok(result?)
    }

    fn answer(&self, undo: &Undo, report: Option<&Report>) -> Value {
        json!({ "from": self.from.label, "to": self.to.label, "plan": undo, "report": report })
    }
}

/// The subvolumes that are meant, and the states of each between which the changes came.
fn sides<'a>(
    setup: &'a Setup,
    args: &Args,
    context: &Context,
) -> Result<Vec<(&'a SubvolumeSetup, Side, Side)>, Failure> {
    let Some(from) = &args.from else {
        let pairs = Sides::new(context).pair(args.pair.as_deref().unwrap_or("last"))?;
        let known = pairs.into_iter().filter_map(|(from, to)| {
            let name: SnapshotName = from.label.parse().ok()?;
            Some((setup.subvolume(name.subvolume())?, from, to))
        });
        return Ok(known.collect());
    };
    let (subvolume, from) = side(setup, from)?;
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
    Ok(vec![(subvolume, from.open(subvolume)?, to.open(subvolume)?)])
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
            live.is_ok_and(|live| note::parent(path, &info).is_some_and(|parent| live.is_parent_of(&parent)))
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
