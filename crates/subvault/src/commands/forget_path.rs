//! `subvault forget-path`: removes paths from all snapshots, tells where else they are, and removes them there if asked.

mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};
use subvault_host::clock;
use subvault_jobs::driver::{self, chain};
use subvault_jobs::error::JobError;
use subvault_jobs::forget::{
    OnPool, Outcome, Performed, Rebased, Subject, Told, all_clean, carry_out, decide, let_go, look, look_at_targets,
    not_seen, rebase,
};
use subvault_jobs::replica::directory::Access;
use subvault_jobs::setup::{Setup, SubvolumeSetup};
use subvault_jobs::snapshot;
use subvault_model::file::shown;
use subvault_model::ids::SnapshotUuid;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{SubvolumeName, TargetName};
use subvault_plan::forget::archives::Clean;
use subvault_plan::forget::check::check;
use subvault_plan::forget::rebase::Rebase;
use subvault_plan::forget::{Live, Seen, Step, plan};
use subvault_plan::gc::GcPlan;
use subvault_plan::gc::forget::Replacement;

use super::report;
use super::restore::files::Spot;
use super::restore::{Wanted, wanted};
use crate::context::{Context, Run};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::output::ask::{Unasked, go_on};

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault forget-path /home/ada/letters --dry-run      what holds it, until when, and what would be done
  subvault forget-path /home/ada/letters                out of all snapshots that subvault took
  subvault forget-path home:ada/letters                 the same, also where the path leads elsewhere by now
  subvault forget-path /home/ada/letters --live         out of the subvolume itself, too
  subvault forget-path /home/ada/letters --live --rebase all
                                                        out of all archives and copies, too

Archives and copies keep what they have unless --rebase says so: then each gets everything anew, and what is older, and
may hold it, goes there. What other tools took is told and left alone. This cannot be undone.")]
pub struct Args {
    /// Paths in subvolumes of the configuration, such as /home/ada/letters or home:ada/letters
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<OsString>,
    /// Remove the paths from the subvolume itself, too
    #[arg(long)]
    live: bool,
    /// Remove them at this target too, by sending everything there anew; `all` means all targets
    #[arg(long, value_name = "TARGET")]
    rebase: Vec<TargetName>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Show what holds the paths and what would be done, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

/// The word for all targets.
const ALL: &str = "all";

/// What was found, and what is to be done about it.
struct Case {
    pool: Vec<OnPool>,
    told: Told,
    steps: Vec<Step>,
    rebase: Rebase,
    /// What goes from archives.
    goes: Vec<Goes>,
}

/// What goes from one archive of one subvolume, once something newer is there.
#[derive(Serialize)]
struct Goes {
    target: TargetName,
    subvolume: SubvolumeName,
    plan: GcPlan,
}

/// What came of it.
struct Came {
    performed: Vec<Performed>,
    rebased: Option<Rebased>,
    /// What holds the paths on the pool by now, and is ours.
    left: Vec<Seen>,
}

impl Came {
    /// The targets that were asked for where it may still be.
    fn may_be_at(&self, asked: &[TargetName]) -> BTreeSet<TargetName> {
        self.rebased.as_ref().map(|rebased| rebased.after.may_hold_at(asked)).unwrap_or_default()
    }
}

/// Forgets.
///
/// # Errors
/// When something cannot be looked at, or the run could not begin; nothing was changed then.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut setup = context.setup()?;
    // Nobody replaces, sends or copies out of snapshots meanwhile.
    let run = match args.dry_run {
        true => None,
        false => {
            let run = context.begin(&mut setup, "subvault forget-path")?;
            Some((run, context.lock(&setup.state, "restore.lock", "subvault forget-path")?))
        }
    };
    let subjects = subjects(&setup, &args.paths)?;
    let asked = asked(&setup, &subjects, &args.rebase)?;
    tell_of_nested(&setup, &subjects, context);
    let case = look_and_decide(args, &setup, &subjects, &asked, context)?;
    let is_idle = case.steps.is_empty() && case.rebase.plan.steps.is_empty() && case.rebase.archives.is_empty();
    let Some((run, _)) = run.as_ref().filter(|_| !is_idle) else {
        context.answer(&answer(&subjects, &case, None), || words::describe(&subjects, &case))?;
        return Ok(exit_of_look(&case, &asked, args));
    };
    if !context.json {
        output::say(&words::describe(&subjects, &case))?;
    }
    if !go_on("Forget it? This cannot be undone.", args.yes, Unasked::Refuse)? {
        return Ok(Exit::NothingDone);
    }
    let detail = json!({ "paths": paths(&subjects), "live": args.live, "rebase": asked });
    run.audit.add(clock::now(), "forget_path", "begun", detail)?;
    // What was looked at is let go, or it would be locked twice.
    let case = Case { told: Told { sight: <_>::default(), ..case.told }, ..case };
    let came = act(&setup, &subjects, &case, &asked, run, context)?;
    let exit = exit(&case, &came, &asked);
    let outcome = if exit == Exit::Good { "done" } else { "failed" };
    let detail = json!({ "paths": paths(&subjects), "may_be_at": came.may_be_at(&asked) });
    run.audit.add(clock::now(), "forget_path", outcome, detail)?;
    context.answer(&answer(&subjects, &case, Some(&came)), || words::summary(&case, &came))?;
    Ok(exit)
}

/// The subvolumes and the paths in them.
fn subjects<'a>(setup: &'a Setup, words: &[OsString]) -> Result<Vec<Subject<'a>>, Failure> {
    let mut all: BTreeMap<SubvolumeName, (&SubvolumeSetup, BTreeSet<PathBuf>)> = BTreeMap::new();
    for word in words {
        let (subvolume, inside) = spot(setup, word)?;
        all.entry(subvolume.name.clone()).or_insert((subvolume, BTreeSet::new())).1.insert(inside);
    }
    let subject = |(setup, paths): (&'a SubvolumeSetup, BTreeSet<PathBuf>)| {
        let is_inside = |path: &PathBuf| paths.iter().any(|other| other != path && path.starts_with(other));
        Subject { setup, paths: paths.iter().filter(|path| !is_inside(path)).cloned().collect() }
    };
    Ok(all.into_values().map(subject).collect())
}

fn spot<'a>(setup: &'a Setup, word: &OsString) -> Result<(&'a SubvolumeSetup, PathBuf), Failure> {
    let whole = |what: String| Failure::usage(what, "name something in it; `subvault prune` lets snapshots go");
    let (subvolume, inside) = match wanted(word)? {
        Wanted::Subvolume(name) => return Err(whole(format!("`{name}` is a whole subvolume"))),
        Wanted::Inside(name, inside) => Spot::inside(name, inside).find(setup)?,
        Wanted::Path(path) => {
            if path.components().any(|part| part == Component::ParentDir) {
                return Err(Failure::usage(
                    format!("`{}` leads upwards", path.display()),
                    "give the path without `..`",
                ));
            }
            let (subvolume, inside) = Spot::At(path.clone()).find(setup)?;
            leads_straight(subvolume, &path, &inside)?;
            (subvolume, inside)
        }
    };
    if inside.as_os_str().is_empty() {
        return Err(whole(format!("{} is a whole subvolume", subvolume.path.display())));
    }
    if snapshot::directory_inside(subvolume)?.is_some_and(|ours| inside.starts_with(ours)) {
        let what = format!("{} is where snapshots are", shown(&inside));
        return Err(Failure::usage(what, "name the path as it is in the subvolume, and not in a snapshot"));
    }
    Ok((subvolume, inside))
}

/// In a snapshot no link is followed. What a link leads to now is not what it led to then, so it must be named itself.
fn leads_straight(subvolume: &SubvolumeSetup, path: &Path, inside: &Path) -> Result<(), Failure> {
    let plain: PathBuf = path.components().collect();
    if plain.ends_with(inside) {
        return Ok(());
    }
    let what = format!("a symbolic link is on the way to {}", path.display());
    let name = &subvolume.name;
    Err(Failure::usage(what, format!("name what it leads to, {name}:{}, or what it is, {name}:PATH", shown(inside))))
}

/// What lies in a path and is a subvolume of its own has snapshots of its own.
fn tell_of_nested(setup: &Setup, subjects: &[Subject<'_>], context: &Context) {
    for Subject { setup: outer, paths } in subjects {
        let lies_in = |inner: &&SubvolumeSetup| paths.iter().any(|path| inner.path.starts_with(outer.path.join(path)));
        for inner in setup.subvolumes.iter().filter(lies_in) {
            let what =
                format!("{} lies in it and has snapshots of its own: name its paths as well", inner.path.display());
            context.monitor.event(Event::Warning(what));
        }
    }
}

/// The targets at which it is forgotten as well.
fn asked(setup: &Setup, subjects: &[Subject<'_>], words: &[TargetName]) -> Result<Vec<TargetName>, Failure> {
    let of = |subject: &Subject<'_>| setup.policy.subvolumes.iter().find(|policy| policy.name == subject.setup.name);
    let known: BTreeSet<TargetName> = subjects
        .iter()
        .filter_map(of)
        .flat_map(|policy| policy.targets.iter().chain(&policy.replicas))
        .cloned()
        .collect();
    let is_all = |word: &TargetName| word.as_str() == ALL && !known.contains(word);
    if let Some(word) = words.iter().find(|word| !is_all(word) && !known.contains(*word)) {
        let names = known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let what = format!("there is no target `{word}` of what is to be forgotten");
        return Err(Failure::usage(what, format!("there are {names}")));
    }
    let is_wanted = |name: &&TargetName| words.iter().any(|word| is_all(word) || word == *name);
    Ok(known.iter().filter(is_wanted).cloned().collect())
}

fn look_and_decide(
    args: &Args,
    setup: &Setup,
    subjects: &[Subject<'_>],
    asked: &[TargetName],
    context: &Context,
) -> Result<Case, Failure> {
    let pool = subjects.iter().map(look).collect::<Result<Vec<_>, _>>()?;
    let seen: Vec<Seen> = pool.iter().map(|found| found.seen.clone()).collect();
    if let Some(holds) = seen.iter().find(|seen| !seen.live.is_empty() && !args.live && !asked.is_empty()) {
        return Err(JobError::Refused {
            what: format!("{} itself still holds it, and so would what is sent anew", holds.subvolume),
            hint: "remove it there first, or say --live".to_owned(),
        }
        .into());
    }
    let clean = all_clean(subjects)?;
    let told = look_at_targets(setup, subjects, clean.clone(), None, Access::Look, &context.monitor);
    let steps = plan(&seen, if args.live { Live::Remove } else { Live::Leave });
    let findings = check(&steps, &seen);
    if !findings.is_empty() {
        return Err(JobError::Bug(findings.join("; ")).into());
    }
    let coming: BTreeSet<SnapshotUuid> = steps
        .iter()
        .filter_map(|step| if let Step::Rewrite { uuid, .. } = step { Some(*uuid) } else { None })
        .collect();
    let rebase = decide(setup, &told, asked, &coming)?;
    let goes = goes(setup, &rebase, &clean)?;
    Ok(Case { pool, told, steps, rebase, goes })
}

/// What will go from archives, once something newer is there.
fn goes(setup: &Setup, rebase: &Rebase, clean: &BTreeMap<SubvolumeName, Clean>) -> Result<Vec<Goes>, Failure> {
    let targets: BTreeSet<&TargetName> = rebase.archives.iter().map(|(_, target)| target).collect();
    let mut goes = Vec::new();
    for target in targets {
        let is_meant = |name: &SubvolumeName| rebase.archives.iter().any(|(of, at)| of == name && at == target);
        let meant = clean.iter().filter(|(name, _)| is_meant(name)).map(|(name, clean)| (name.clone(), clean.clone()));
        let plans = let_go(setup, target, &meant.collect(), Replacement::Coming)?.plans;
        goes.extend(plans.into_iter().map(|(subvolume, plan)| Goes { target: target.clone(), subvolume, plan }));
    }
    Ok(goes)
}

fn act(
    setup: &Setup,
    subjects: &[Subject<'_>],
    case: &Case,
    asked: &[TargetName],
    run: &Run,
    context: &Context,
) -> Result<Came, Failure> {
    let performed = carry_out(subjects, &case.steps, &run.audit, &context.monitor)?;
    let left: Vec<Seen> =
        subjects.iter().map(|subject| look(subject).map(|found| found.seen)).collect::<Result<_, _>>()?;
    let rebased = match asked {
        [] => None,
        // What would be sent holds it still.
        _ if left.iter().any(|seen| !seen.live.is_empty()) => None,
        asked => Some(rebase(setup, subjects, asked, &run.audit, &context.monitor)?),
    };
    Ok(Came { performed, rebased, left })
}

/// Whether something of ours on the pool holds it, apart from the subvolume itself, which is the user's.
fn still_holds(seen: &[Seen]) -> bool {
    seen.iter().any(|seen| seen.snapshots.iter().any(|snapshot| !snapshot.holds.is_empty()))
}

/// There was nothing to do, or nothing was to be done.
fn exit_of_look(case: &Case, asked: &[TargetName], args: &Args) -> Exit {
    let seen: Vec<Seen> = case.pool.iter().map(|found| found.seen.clone()).collect();
    let unseen = !not_seen(&case.told.sight).is_empty() && !asked.is_empty();
    let stays = !args.dry_run && !case.told.may_hold_at(asked).is_empty();
    match (unseen || stays, still_holds(&seen) && !args.dry_run) {
        (true, _) => Exit::SomeFailed,
        // Only what somebody may be writing to is left.
        (_, true) => Exit::NothingDone,
        _ => Exit::Good,
    }
}

fn exit(case: &Case, came: &Came, asked: &[TargetName]) -> Exit {
    let is_done = |performed: &&Performed| matches!(performed.outcome, Outcome::Done);
    let done = came.performed.iter().filter(is_done).count();
    let local = done == case.steps.len() && !still_holds(&came.left);
    let (elsewhere, anything) = match &came.rebased {
        None => (case.rebase.plan.steps.is_empty() && case.rebase.archives.is_empty(), false),
        Some(rebased) => {
            let exit = report::exit(&rebased.report, &rebased.told.sight);
            let gone = rebased.gone.iter().all(|(_, gone)| gone.as_ref().is_ok_and(|gone| gone.failures.is_empty()));
            let any = rebased.report.steps.iter().any(|step| matches!(step.outcome, driver::Outcome::Done(_)));
            let seen = not_seen(&rebased.told.sight).is_empty() && not_seen(&rebased.after.sight).is_empty();
            (exit == Exit::Good && gone && seen, any)
        }
    };
    // Whatever was done: what may hold it still is what was to go.
    let stays = !came.may_be_at(asked).is_empty();
    match (local && elsewhere && !stays, done > 0 || anything || stays) {
        (true, _) => Exit::Good,
        (false, true) => Exit::SomeFailed,
        (false, false) => Exit::NothingDone,
    }
}

fn paths(subjects: &[Subject<'_>]) -> Vec<String> {
    let of = |subject: &Subject<'_>| {
        let name = subject.setup.name.clone();
        subject.paths.iter().map(move |path| format!("{name}:{}", shown(path))).collect::<Vec<_>>()
    };
    subjects.iter().flat_map(of).collect()
}

fn answer(subjects: &[Subject<'_>], case: &Case, came: Option<&Came>) -> Value {
    let pool: Vec<Value> =
        case.pool.iter().map(|found| json!({ "ours": found.seen, "others": found.others })).collect();
    json!({
        "paths": paths(subjects),
        "pool": pool,
        "archives": case.told.archives,
        "replicas": case.told.copies,
        "not_seen": not_seen(&case.told.sight),
        "steps": case.steps,
        "rebase": { "plan": case.rebase.plan, "goes": case.goes },
        "done": came.map(done),
    })
}

fn done(came: &Came) -> Value {
    let steps = came.performed.iter().map(|performed| {
        let (outcome, error) = match &performed.outcome {
            Outcome::Done => ("done", None),
            Outcome::Failed(error) => ("failed", Some(chain(error))),
            Outcome::LeftOut => ("left_out", None),
        };
        json!({ "step": performed.step, "outcome": outcome, "error": error })
    });
    let rebased = came.rebased.as_ref().map(|rebased| {
        let gone = rebased.gone.iter().map(|(target, gone)| match gone {
            Ok(removed) => json!({ "target": target, "removed": removed, "error": null }),
            Err(error) => json!({ "target": target, "removed": null, "error": chain(error) }),
        });
        let gone: Vec<Value> = gone.collect();
        let report = report::to_json(&rebased.report, &rebased.told.sight);
        let after = json!({ "archives": rebased.after.archives, "replicas": rebased.after.copies });
        json!({ "report": report, "gone": gone, "after": after })
    });
    json!({ "steps": steps.collect::<Vec<_>>(), "rebase": rebased })
}
