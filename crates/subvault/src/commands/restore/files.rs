//! `subvault restore PATH`: brings a file or a directory back.

mod find;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::PoisonError;

use serde_json::json;
use subvault_host::clock;
use subvault_host::copy::Below;
use subvault_host::subvolume::Subvolume;
use subvault_jobs::bring_back::{Report, Work, carry_out, compare};
use subvault_jobs::driver::chain;
use subvault_jobs::error::JobError;
use subvault_jobs::fetched::Fetched;
use subvault_jobs::replica::CopySource;
use subvault_jobs::replicate::Reached;
use subvault_jobs::setup::{Setup, SubvolumeSetup};
use subvault_jobs::snapshot;
use subvault_jobs::versions::{self, Found, Reach};
use subvault_model::file::{FileKind, FileState, shown};
use subvault_model::file_path::FilePath;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{SnapshotName, TargetName};
use subvault_model::timestamp::compact;
use subvault_plan::bring_back::{BringBack, OnConflict, decide};
use subvault_plan::file_step::FileStep;
use subvault_plan::versions::{Version, history};

pub use self::find::Spot;
use super::Args;
use crate::context::{Context, Run};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::ask::{Unasked, go_on};
use crate::output::{self, size, table};

/// Steps that are shown before asking.
const SHOWN_MOST: usize = 40;

/// Restores a file or directory.
///
/// # Errors
/// When it cannot be restored; nothing is changed then.
pub fn run(args: &Args, spot: &Spot, context: &Context) -> Result<Exit, Failure> {
    let setup = context.setup()?;
    let (subvolume, inside) = spot.find(&setup)?;
    let job = Job { args, context, setup: &setup, subvolume, inside };
    let (found, unseen) = versions::local(subvolume, &job.inside)?;
    if unseen > 0 {
        let what = format!("{unseen} snapshots of {} are where no mount shows them", subvolume.name);
        context.monitor.event(Event::Note(what));
    }
    // Before what is found there, as disks are unmounted when it is dropped.
    let mut reached = Reached::default();
    if args.list {
        let found = job.all(found, &mut reached)?;
        return job.list(&found);
    }
    let found = job.choose(found, &mut reached)?;
    match &found.reach {
        Reach::Snapshot { subvolume: snapshot, .. } => job.bring(&found.version, snapshot, args.yes, None),
        Reach::Copy { target, copy, .. } => job.bring_copy(&found.version, &reached, target, copy),
        Reach::Archive { .. } => job.bring_fetched(&found),
    }
}

/// One restore of a path.
struct Job<'a> {
    args: &'a Args,
    context: &'a Context,
    setup: &'a Setup,
    subvolume: &'a SubvolumeSetup,
    inside: PathBuf,
}

impl Job<'_> {
    fn title(&self) -> String {
        format!("{}:{}", self.subvolume.name, shown(&self.inside))
    }

    /// Shows all versions.
    fn list(&self, found: &[Found]) -> Result<Exit, Failure> {
        let all: Vec<Version> = found.iter().map(|found| found.version.clone()).collect();
        let stretches = history(&all);
        let now = Below::of(&Subvolume::open(&self.subvolume.path)?)?.look(&self.inside)?;
        let answer = json!({ "path": self.title(), "versions": stretches, "now": now });
        self.context.answer(&answer, || {
            let mut table = table::new(&["from", "to", ">snapshots", ">size", "modified", "newest snapshot"]);
            for stretch in &stretches {
                let [size, modified] = size_and_time(stretch.state.as_ref());
                let (from, to) = (size::moment(stretch.from_taken), size::moment(stretch.to_taken));
                table.add_row([from, to, stretch.snapshots.to_string(), size, modified, stretch.to.clone()]);
            }
            let [size, modified] = size_and_time(now.as_ref());
            table.add_row(["now".to_owned(), String::new(), String::new(), size, modified, String::new()]);
            format!("{}\n\n{}", self.title(), table::text(&table))
        })?;
        Ok(Exit::Good)
    }

    /// Fetches the whole subvolume beside its snapshots first.
    fn bring_fetched(&self, found: &Found) -> Result<Exit, Failure> {
        let Reach::Archive { target, plan } = &found.reach else { return Ok(Exit::Bug) };
        let Some(target) = self.setup.target(target) else { return Ok(Exit::Bug) };
        let fetch = format!(
            "{} is in no snapshot here. To look into {}, {} must be fetched, and {} received beside the snapshots for a while.",
            self.title(),
            found.version.name,
            plan.fetch_bytes,
            plan.stream_bytes,
        );
        if self.args.dry_run {
            self.context.answer(&json!({ "from": found.version, "fetch": plan }), || fetch)?;
            return Ok(Exit::Good);
        }
        output::note(&fetch);
        if !go_on("Fetch it?", self.args.yes, Unasked::Refuse)? {
            return Ok(Exit::NothingDone);
        }
        let (store, layout) = (target.open()?, self.args.place.layout(self.setup));
        let series =
            subvault_archive::inventory::take_series(&store, &layout, &self.subvolume.name).map_err(JobError::from)?;
        let identities = super::identities(&self.args.identities, &series, plan)?;
        let run = self.context.lock(&self.setup.state, "restore.lock", "subvault restore")?;
        let source = subvault_jobs::fetched::Source {
            store: &store,
            layout: &layout,
            series: &series,
            identities: &identities,
            lanes: target.lanes,
        };
        let fetched = Fetched::fetch(self.subvolume, &source, plan, &self.context.monitor)?;
        self.bring_and_remove(&found.version, fetched, run)
    }

    /// Brings it back out of a copy on a disk, or fetches it from another machine first.
    fn bring_copy(
        &self,
        version: &Version,
        reached: &Reached,
        target: &TargetName,
        copy: &CopySource,
    ) -> Result<Exit, Failure> {
        let replica = reached.attached.get(target);
        let replica = replica.ok_or_else(|| JobError::Bug(format!("{target} was not reached")))?;
        if let Some(snapshot) = reached.open(target, copy)? {
            return self.bring(version, &snapshot, self.args.yes, None);
        }
        let fetch = format!("{} is fetched from {target} first, beside the snapshots for a while.", self.title());
        if self.args.dry_run {
            self.context.answer(&json!({ "from": version, "fetch": null }), || fetch)?;
            return Ok(Exit::Good);
        }
        output::note(&fetch);
        let run = self.context.lock(&self.setup.state, "restore.lock", "subvault restore")?;
        let path = FilePath::new(self.inside.as_os_str().as_bytes());
        let fetched = {
            let mut attached = replica.lock().unwrap_or_else(PoisonError::into_inner);
            let monitor = &self.context.monitor;
            Fetched::fetch_path(self.subvolume, attached.replica.as_mut(), copy, &path, monitor)?
        };
        self.bring_and_remove(version, fetched, run)
    }

    /// Brings it back out of what was fetched, and removes that.
    fn bring_and_remove(&self, version: &Version, fetched: Fetched, run: Run) -> Result<Exit, Failure> {
        let result = fetched.open().map_err(Failure::from).and_then(|snapshot| {
            match Below::of(&snapshot)?.look(&self.inside)? {
                // What is fetched was agreed to; what is replaced was not.
                Some(_) => self.bring(version, &snapshot, self.args.yes, Some(run)),
                None => Err(JobError::Refused {
                    what: format!("{} does not have {}", version.name, self.title()),
                    hint: "give another moment with --at; `subvault list` shows them".to_owned(),
                }
                .into()),
            }
        });
        fetched.remove()?;
        result
    }

    /// Brings it back out of a snapshot.
    fn bring(&self, version: &Version, snapshot: &Subvolume, yes: bool, run: Option<Run>) -> Result<Exit, Failure> {
        let from = Below::of(snapshot)?;
        let (to, target) = self.destination(version)?;
        let ours = snapshot::directory_inside(self.subvolume)?;
        let seen = compare(&from, &self.inside, &to, &target, ours.as_deref())?;
        let on_conflict = match self.args.overwrite {
            true => OnConflict::Overwrite(free_name(self.subvolume)?),
            false => OnConflict::Leave,
        };
        let plan = decide(&seen.items, &seen.leftovers, &on_conflict);
        if self.args.dry_run {
            let answer = json!({ "from": version, "to": to.path().display().to_string(), "plan": plan });
            self.context.answer(&answer, || self.describe(version, &to, &plan, usize::MAX))?;
            return Ok(if plan.steps.is_empty() && !plan.conflicts.is_empty() {
                Exit::NothingDone
            } else {
                Exit::Good
            });
        }
        if !self.context.json {
            output::say(&self.describe(version, &to, &plan, SHOWN_MOST))?;
        }
        if plan.steps.is_empty() {
            return self.nothing_to_do(version, &plan);
        }
        let changes = plan.steps.iter().any(FileStep::changes_what_is_there);
        if !go_on("Do this?", yes, if changes { Unasked::Refuse } else { Unasked::GoOn })? {
            return Ok(Exit::NothingDone);
        }
        let run = match run {
            Some(run) => run,
            None => self.context.lock(&self.setup.state, "restore.lock", "subvault restore")?,
        };
        let (twins, monitor) = (&plan.twins, &self.context.monitor);
        let work =
            Work { setup: Some(self.subvolume), from: &from, to: &to, twins, command: "subvault restore", monitor };
        let result = carry_out(&work, &plan.steps);
        let outcome = if result.as_ref().is_ok_and(|report| report.failed.is_empty()) { "done" } else { "failed" };
        let subject = json!({ "path": self.title(), "from": version.name, "to": to.path().display().to_string() });
        let detail = match &result {
            Ok(report) => json!({ "subject": subject, "report": brief(report) }),
            Err(error) => json!({ "subject": subject, "error": chain(error) }),
        };
        let recorded = run.audit.add(clock::now(), "restore", outcome, detail);
        let report = result?;
        let answer = json!({ "from": version, "report": report, "conflicts": plan.conflicts, "same": plan.same });
        self.context.answer(&answer, || summary(&report, &plan))?;
        if let Err(error) = recorded {
            self.context.monitor.event(Event::Warning(format!("the restore is done, but not recorded: {error}")));
            return Ok(Exit::SomeFailed);
        }
        let exit = Exit::from(report.verdict());
        Ok(if exit == Exit::Good && !plan.conflicts.is_empty() { Exit::SomeFailed } else { exit })
    }

    /// Where it goes.
    fn destination(&self, version: &Version) -> Result<(Below, PathBuf), Failure> {
        let mut target = self.inside.clone();
        let to = match &self.args.to {
            Some(directory) => {
                let name = self.inside.file_name().unwrap_or(OsStr::new(self.subvolume.name.as_str()));
                target = PathBuf::from(name);
                Below::open(directory)?
            }
            None => Below::of(&Subvolume::open(&self.subvolume.path)?)?,
        };
        if self.args.beside {
            let Some(name) = self.inside.file_name() else {
                let what = format!("{} is the subvolume itself", self.title());
                return Err(Failure::usage(what, "name something in it, or restore it with --to"));
            };
            let mut name: OsString = name.to_owned();
            name.push(format!(".{}", compact(version.taken)));
            target.set_file_name(name);
        }
        Ok((to, target))
    }

    fn describe(&self, version: &Version, to: &Below, plan: &BringBack, most: usize) -> String {
        let mut text = format!(
            "{} from {} ({}) to {}\n\n",
            self.title(),
            version.name,
            size::moment(version.taken),
            to.path().display()
        );
        for step in plan.steps.iter().take(most) {
            text.push_str(&format!("  {step}\n"));
        }
        if plan.steps.len() > most {
            text.push_str(&format!("  … and {} more, which --dry-run shows\n", plan.steps.len() - most));
        }
        for conflict in plan.conflicts.iter().take(most) {
            let [size, modified] = size_and_time(Some(&conflict.there));
            let [old_size, old_modified] = size_and_time(Some(&conflict.wanted));
            text.push_str(&format!(
                "  leave      {}: there {size} of {modified}, in the snapshot {old_size} of {old_modified}\n",
                shown(&conflict.path)
            ));
        }
        if plan.same > 0 {
            text.push_str(&format!("  {} already as they were\n", plan.same));
        }
        text
    }

    fn nothing_to_do(&self, version: &Version, plan: &BringBack) -> Result<Exit, Failure> {
        if plan.conflicts.is_empty() {
            let answer = json!({ "from": version, "report": Report::default(), "conflicts": [], "same": plan.same });
            self.context.answer(&answer, || {
                "Nothing is to be done: it is as it was then. `--list` shows other versions.".to_owned()
            })?;
            return Ok(Exit::Good);
        }
        let what = match plan.conflicts.as_slice() {
            [one] => format!("{} is there and differs from what the snapshot has", shown(&one.path)),
            all => format!("{} paths are there and differ from what the snapshot has", all.len()),
        };
        let hint = "--overwrite replaces what is there and keeps it in a snapshot; --beside and --to put it elsewhere";
        Err(JobError::Refused { what, hint: hint.to_owned() }.into())
    }
}

/// A name for the snapshot that keeps the present state.
pub fn free_name(subvolume: &SubvolumeSetup) -> Result<SnapshotName, Failure> {
    let taken = snapshot::existing(subvolume)?;
    let mut name = SnapshotName::new(subvolume.name.clone(), clock::now(), 1);
    while taken.iter().any(|snapshot| snapshot.name == name) {
        name = name.next();
    }
    Ok(name)
}

/// A report for the record: of many paths the first.
pub fn brief(report: &Report) -> serde_json::Value {
    const MOST: usize = 1000;
    json!({
        "steps": report.done.iter().take(MOST).collect::<Vec<_>>(),
        "done": report.done.len(),
        "failed": report.failed.iter().take(MOST).collect::<Vec<_>>(),
        "kept": report.kept,
        "copied": report.copied,
    })
}

fn size_and_time(state: Option<&FileState>) -> [String; 2] {
    match state {
        None => ["-".to_owned(), "not there".to_owned()],
        Some(state) if state.kind == FileKind::File => [size::size(state.size), size::moment(state.modified)],
        Some(state) => [state.kind.to_string(), size::moment(state.modified)],
    }
}

fn summary(report: &Report, plan: &BringBack) -> String {
    let copied = &report.copied;
    let mut text = format!(
        "{} files, {} directories and {} others brought back; {} shared with the snapshot, {} copied\n",
        copied.files + copied.hard_links,
        copied.directories,
        copied.others,
        copied.shared_bytes,
        copied.copied_bytes
    );
    if let Some(kept) = &report.kept {
        text.push_str(&format!("the state before is kept in {kept}\n"));
    }
    for path in &copied.nested {
        text.push_str(&format!("not in the snapshot: the nested subvolume {path}\n"));
    }
    for path in &copied.not_kept {
        text.push_str(&format!("owner, permissions or attributes could not all be kept: {path}\n"));
    }
    if !plan.conflicts.is_empty() {
        text.push_str(&format!("{} paths differ and were left as they are\n", plan.conflicts.len()));
    }
    if !report.failed.is_empty() {
        text.push_str(&format!("{} steps failed\n", report.failed.len()));
    }
    text
}
