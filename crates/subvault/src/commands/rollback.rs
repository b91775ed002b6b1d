//! `subvault rollback`: puts a snapshot in the place of its subvolume, and can undo that.

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use serde::Serialize;
use subvault_host::clock;
use subvault_host::top_level::Access;
use subvault_jobs::error::JobError;
use subvault_jobs::rollback::{Done, Place, Session};
use subvault_model::monitor::{Event, Monitor};
use subvault_plan::rollback::choice::Wanted;
use subvault_plan::rollback::path::PoolPath;
use subvault_plan::rollback::transaction::{Direction, Incoming, Step, Transaction};
use subvault_plan::rollback::{Check, Outcome, Role, Wishes, Word, judge};

use crate::config;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, table};
use crate::when;

/// Where the record is kept on a machine without configuration.
const STATE: &str = "/var/lib/subvault";

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault rollback / --dry-run                   what would be done, and whether it would boot
  subvault rollback / --to '2026-11-20 14:30'     the system as it was then; reboot afterwards
  subvault rollback /home --to home.20261120T143000Z
  subvault rollback / --undo                      what was replaced comes back
  subvault rollback --pool /dev/sda2 @ --to latest
                                                  from a rescue system, on a pool that is not mounted

Nothing is deleted: what is replaced is kept aside, as `@.replaced.20261121T101500Z`. A rollback that was interrupted
is finished by the same command or --resume, and taken back by --undo.")]
pub struct Args {
    /// Which subvolume: a name in the configuration, a path, or with --pool its path from the top level
    subvolume: Option<PathBuf>,
    /// A snapshot (name, path from the top level, number of snapper's), a moment (the newest that is not younger), or
    /// `latest`
    #[arg(long, value_name = "SNAPSHOT|TIME", default_value = "latest")]
    to: PathBuf,
    /// A pool that need not be mounted, by one of its devices
    #[arg(long, value_name = "DEVICE")]
    pool: Option<PathBuf>,
    /// Where the boot partition is mounted, when it is not at its place
    #[arg(long, value_name = "DIRECTORY")]
    boot: Option<PathBuf>,
    /// Bring back what was replaced last, or take an interrupted rollback back
    #[arg(long, conflicts_with_all = ["resume", "to"])]
    undo: bool,
    /// Finish an interrupted rollback
    #[arg(long, conflicts_with = "to")]
    resume: bool,
    /// In the new root's fstab, name the subvolume where the snapshot's has its number
    #[arg(long)]
    edit_fstab: bool,
    /// Go on although this check refuses: fstab, boot, kernel, lineage or nested
    #[arg(long, value_name = "CHECK")]
    accept: Vec<Word>,
    /// Show the checks and the steps, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

#[derive(Serialize)]
struct Answer<'a> {
    place: &'a PoolPath,
    incoming: &'a Incoming,
    aside: &'a PoolPath,
    role: Option<Role>,
    checks: &'a [Check],
    steps: &'a [Step],
    done: bool,
    still_mounted: Vec<String>,
    next: Vec<String>,
}

/// What is about to be done.
struct Case {
    transaction: Transaction,
    role: Option<Role>,
    checks: Vec<Check>,
    steps: Vec<Step>,
    /// Whether it was begun before.
    is_old: bool,
}

/// Rolls back.
///
/// # Errors
/// When it is refused or cannot be done.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let setup = config::load(&context.config).ok();
    let state = setup.as_ref().and_then(|document| document.config.host.state.clone());
    let access = if args.dry_run { Access::Look } else { Access::Change };
    let run = match args.dry_run {
        true => None,
        false => Some(context.lock(&state.unwrap_or_else(|| PathBuf::from(STATE)), "lock", "subvault rollback")?),
    };
    let session = open(args, context, access)?;
    let case = decide(args, context, &session)?;
    let refused = case.checks.iter().any(|check| check.outcome == Outcome::Refused);
    let Some(run) = run.filter(|_| !refused) else {
        show(context, &case, None)?;
        return if refused { Err(refusal(&case)) } else { Ok(Exit::Good) };
    };
    if !args.yes && !context.json {
        output::say(&describe(&case))?;
    }
    if !args.yes && !agrees(&case, context)? {
        return Ok(Exit::NothingDone);
    }
    let carry = if case.is_old { Session::carry_out } else { Session::begin };
    let done = carry(&session, &case.transaction, &run.audit, &context.monitor)?;
    show(context, &case, Some(&done))?;
    Ok(Exit::Good)
}

fn open(args: &Args, context: &Context, access: Access) -> Result<Session, Failure> {
    let boot = args.boot.as_deref();
    if let Some(device) = &args.pool {
        return Ok(Session::open(Place::On(device, args.subvolume.as_deref()), boot, access)?);
    }
    let path = match &args.subvolume {
        Some(path) if path.is_absolute() => path.clone(),
        Some(name) => configured(name, context)?,
        None if args.undo || args.resume => PathBuf::from("/"),
        None => return Err(Failure::usage("which subvolume is meant?", "name it, for example: subvault rollback /")),
    };
    Ok(Session::open(Place::Here(&path), boot, access)?)
}

fn configured(name: &Path, context: &Context) -> Result<PathBuf, Failure> {
    let setup = context.setup()?;
    let found = setup.subvolumes.iter().find(|subvolume| Path::new(subvolume.name.as_str()) == name);
    found.map(|subvolume| subvolume.path.clone()).ok_or_else(|| {
        let what = format!("there is no subvolume `{}` in the configuration", name.display());
        Failure::usage(what, "give a path that begins with /, or --pool DEVICE and the path from the top level")
    })
}

/// What is wanted: a new rollback, or something about an old one.
fn decide(args: &Args, context: &Context, session: &Session) -> Result<Case, Failure> {
    if let Some(old) = session.unfinished() {
        return unfinished(args, context, session, old);
    }
    if args.resume {
        return Err(nothing("no rollback is unfinished on this pool"));
    }
    let source = if args.undo { session.kept_aside()? } else { session.snapshot(&wanted(&args.to))? };
    let wishes = Wishes { accept: args.accept.iter().copied().collect(), edit_fstab: args.edit_fstab };
    let facts = session.facts(source)?;
    let verdict = judge(&facts, &wishes, clock::now());
    let steps = session.steps(&verdict.transaction)?;
    Ok(Case { role: Some(facts.role), checks: verdict.checks, steps, transaction: verdict.transaction, is_old: false })
}

/// One that was begun is finished or taken back before anything else is done.
fn unfinished(args: &Args, context: &Context, session: &Session, old: &Transaction) -> Result<Case, Failure> {
    let same_place = args.subvolume.is_none() || old.place == *session.place();
    let is_same = match &old.incoming {
        _ if !same_place => false,
        Incoming::Itself { .. } => args.undo,
        Incoming::SnapshotOf { uuid, .. } => match wanted(&args.to) {
            Wanted::Latest => true,
            other => session.snapshot(&other).is_ok_and(|source| source.known.uuid == *uuid),
        },
    };
    if !same_place || !(args.undo || args.resume || is_same) {
        let what = format!("the rollback of {} begun {} is unfinished", old.place, output::size::moment(old.begun));
        let hint = "finish it with --resume, or take it back with --undo".to_owned();
        return Err(JobError::Refused { what, hint }.into());
    }
    // An undo that was interrupted is finished by the same words.
    let goes_on = args.resume || !args.undo || matches!(old.incoming, Incoming::Itself { .. });
    let transaction = if goes_on { old.clone() } else { session.reverted(old)? };
    let way = if matches!(transaction.direction, Direction::Forward) { "finishing" } else { "taking back" };
    context.monitor.event(Event::Note(format!("{way} what was begun {}", output::size::moment(old.begun))));
    let steps = session.steps(&transaction)?;
    Ok(Case { role: None, checks: Vec::new(), steps, transaction, is_old: true })
}

fn wanted(to: &Path) -> Wanted {
    match to.to_str() {
        Some("latest") => Wanted::Latest,
        Some(text) => when::parse(text).map_or_else(|_| Wanted::Named(PoolPath::new(to)), Wanted::At),
        None => Wanted::Named(PoolPath::new(to)),
    }
}

fn nothing(what: &str) -> Failure {
    let hint = "`subvault rollback SUBVOLUME --to SNAPSHOT` begins one".to_owned();
    JobError::Refused { what: what.to_owned(), hint }.into()
}

fn refusal(case: &Case) -> Failure {
    let refused = case.checks.iter().filter(|check| check.outcome == Outcome::Refused);
    let reasons: Vec<_> = refused.clone().map(|check| check.found.as_str()).collect();
    let words: std::collections::BTreeSet<_> = refused.map(|check| check.what.as_str()).collect();
    let words: Vec<_> = words.into_iter().collect();
    let hint = format!("whoever knows better goes on with --accept {}", words.join(" --accept "));
    JobError::Refused { what: format!("not rolled back: {}", reasons.join("; ")), hint }.into()
}

/// Asks on a terminal. Elsewhere there is nobody to ask, and `--yes` must have been said.
fn agrees(case: &Case, context: &Context) -> Result<bool, Failure> {
    let input = std::io::stdin();
    if context.json || !input.is_terminal() {
        let what = format!("nobody is there to be asked whether {} is to be replaced", case.transaction.place);
        return Err(Failure::usage(what, "say --yes"));
    }
    output::note("Do this? [y/N]");
    let mut line = String::new();
    // Whoever closes the input does not agree.
    let read = input.lock().read_line(&mut line).unwrap_or(0);
    Ok(read > 0 && matches!(line.trim(), "y" | "Y" | "yes"))
}

fn show(context: &Context, case: &Case, done: Option<&Done>) -> Result<(), Failure> {
    let stale = done.map(|done| done.stale_mounts.as_slice()).unwrap_or_default();
    let next = done.map(|done| next(case, done)).unwrap_or_default();
    let answer = Answer {
        place: &case.transaction.place,
        incoming: &case.transaction.incoming,
        aside: &case.transaction.aside,
        role: case.role,
        checks: &case.checks,
        steps: &case.steps,
        done: done.is_some(),
        still_mounted: stale
            .iter()
            .map(|point| PoolPath::new(point).to_string())
            .map(|path| format!("/{path}"))
            .collect(),
        next: next.clone(),
    };
    context.answer(&answer, || match done {
        None => describe(case),
        Some(_) => next.iter().map(|line| format!("{line}\n")).collect(),
    })
}

fn describe(case: &Case) -> String {
    let Transaction { place, aside, incoming, .. } = &case.transaction;
    let mut text = match incoming {
        Incoming::SnapshotOf { path, .. } => {
            format!("{place} becomes what {path} is, and is itself kept as {aside}\n\n")
        }
        Incoming::Itself { .. } => format!("{aside} comes back to {place}, and what is there is kept in its stead\n\n"),
    };
    let mut checks = table::new(&["check", "", "found"]);
    for check in &case.checks {
        let mark = match check.outcome {
            Outcome::Good => "ok",
            Outcome::Warning => "note",
            Outcome::Accepted => "accepted",
            Outcome::Refused => "REFUSED",
        };
        checks.add_row([check.what.as_str(), mark, &check.found]);
    }
    if !checks.is_empty() {
        text.push_str(&format!("{}\n", table::text(&checks)));
    }
    case.steps.iter().for_each(|step| text.push_str(&format!("{step}\n")));
    text
}

/// What the person who did this does next.
fn next(case: &Case, done: &Done) -> Vec<String> {
    let Transaction { place, aside, direction, incoming, .. } = &case.transaction;
    let mut lines = vec![match (direction, incoming) {
        (Direction::Back { .. }, _) => format!("{place} is as it was before"),
        (_, Incoming::SnapshotOf { path, .. }) => {
            format!("{place} is now what {path} is; what it was is kept as {aside}")
        }
        (_, Incoming::Itself { .. }) => {
            format!("{place} is again what was kept as {aside}, which now holds what was there")
        }
    }];
    if matches!(direction, Direction::Back { .. }) {
        return lines;
    }
    for point in &done.stale_mounts {
        lines.push(match point.as_path() == Path::new("/") {
            true => "reboot: until then the old system runs on, and what it writes goes into what is kept".to_owned(),
            false => format!("{} still shows what is kept: unmount it and mount it again, or reboot", point.display()),
        });
    }
    lines.push("`subvault rollback SUBVOLUME --undo` takes this back".to_owned());
    lines.push(format!("when all is well, `btrfs subvolume delete` frees {aside}"));
    lines
}
