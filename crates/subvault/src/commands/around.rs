//! `subvault around`: a command, between two snapshots that are marked as a pair.
//!
//! The command runs without the lock, as it may take long: other runs may come in between. When it cannot be started,
//! nothing has happened: the snapshots before it go again.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use serde::Serialize;
use subvault_host::{clock, foreground};
use subvault_jobs::driver::{self, Outcome, RunReport};
use subvault_jobs::observe::{Claim, Sight, look};
use subvault_jobs::run::{Runner, decide};
use subvault_jobs::setup::Setup;
use subvault_model::file_path::FilePath;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{SnapshotName, SubvolumeName};
use subvault_model::note::{Note, Pair, Side};
use subvault_model::timestamp::compact;
use subvault_plan::run::{Request, Wanted};
use subvault_plan::step::{Plan, Step};

use super::archive::only;
use super::report;
use crate::context::{Context, Run};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;

const COMMAND: &str = "subvault around";

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The exit code is that of the command. The pair is shown by `subvault diff --pair last`.

Examples:
  subvault around -- apt upgrade
  subvault around --subvolume root -m 'new kernel' -- apt install linux-image-amd64")]
pub struct Args {
    /// Only these subvolumes of the configuration
    #[arg(long = "subvolume", value_name = "NAME")]
    subvolumes: Vec<SubvolumeName>,
    /// What it is for
    #[arg(long = "description", short = 'm', value_name = "TEXT")]
    description: Option<String>,
    /// Show what would be done, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

#[derive(Serialize)]
struct Answer {
    pair: String,
    before: Vec<SnapshotName>,
    after: Vec<SnapshotName>,
    exit_code: u8,
}

/// Takes snapshots, runs the command, takes snapshots.
///
/// # Errors
/// When the command was not run.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut setup = context.setup()?;
    only(&mut setup, &args.subvolumes)?;
    if setup.policy.subvolumes.is_empty() {
        return Err(Failure::usage("there is no subvolume to take snapshots of", "add a [[subvolume]]"));
    }
    // Nothing of a target matters to it.
    setup.policy.subvolumes.iter_mut().for_each(|subvolume| subvolume.targets.clear());
    let words: Vec<&[u8]> = args.command.iter().map(|word| word.as_bytes()).collect();
    let command = FilePath::new(words.join(&b' ')).to_string();
    let id = format!("{}-{}", compact(clock::now()), std::process::id());
    let around = Around { args, context, setup: &setup, command, id };
    if args.dry_run { around.describe() } else { around.carry_out() }
}

struct Around<'a> {
    args: &'a Args,
    context: &'a Context,
    setup: &'a Setup,
    command: String,
    id: String,
}

impl Around<'_> {
    fn request(&self, side: Side) -> Request {
        let pair = Pair { id: self.id.clone(), side, command: self.command.clone() };
        let note = Note { description: self.args.description.clone(), pair: Some(pair), ..Note::default() };
        Request { snapshots: Wanted::All, sends: Wanted::No, prune: false, note }
    }

    fn look(&self) -> Sight {
        look(self.setup, &[], Claim::No, &self.context.monitor)
    }

    fn describe(&self) -> Result<Exit, Failure> {
        let sight = self.look();
        let plan = decide(self.setup, &sight, &self.request(Side::Before))?;
        let words = || format!("{}run {}\nthe same snapshots again\n", report::describe(&plan), self.command);
        self.context.answer(&plan, words)?;
        Ok(if sight.failures.is_empty() { Exit::Good } else { Exit::SomeFailed })
    }

    fn carry_out(&self) -> Result<Exit, Failure> {
        let run = self.context.lock(&self.setup.state, "lock", COMMAND)?;
        let (before, exit) = self.take(Side::Before, &run)?;
        if exit != Exit::Good {
            self.take_back(&before, &run);
            self.context.monitor.event(Event::Warning(format!("`{}` was not run", self.command)));
            return Ok(Exit::NothingDone);
        }
        // Other runs may come in between.
        drop(run);
        let ran = foreground::run(&self.args.command);
        // The command was run, and its pair must be completed.
        let run = self.context.lock_at_last(&self.setup.state, COMMAND)?;
        let code = match ran {
            Ok(code) => code,
            Err(error) => {
                self.take_back(&before, &run);
                return Err(error.into());
            }
        };
        let (after, exit) = self.take(Side::After, &run)?;
        let note = format!("what it changed: subvault diff --pair {}", self.id);
        self.context.monitor.event(Event::Note(note));
        if self.context.json {
            let names = |steps: &[Taken]| steps.iter().map(|taken| taken.name.clone()).collect();
            let answer =
                Answer { pair: self.id.clone(), before: names(&before), after: names(&after), exit_code: code };
            output::json(&answer)?;
        }
        Ok(if code == 0 { exit } else { Exit::Program(code) })
    }

    fn take(&self, side: Side, run: &Run) -> Result<(Vec<Taken>, Exit), Failure> {
        let sight = self.look();
        let plan = decide(self.setup, &sight, &self.request(side))?;
        let mut runner = Runner::new(self.setup, &sight, &self.context.monitor);
        let report = driver::run(&plan, &mut runner, &run.audit, &self.context.monitor);
        Ok((taken(&report), report::exit(&report, &sight)))
    }

    /// Removes the snapshots that were taken for nothing.
    fn take_back(&self, before: &[Taken], run: &Run) {
        let mut plan = Plan::default();
        for Taken { subvolume, name, uuid } in before {
            let step = Step::DeleteSnapshot { subvolume: subvolume.clone(), name: name.clone(), uuid: *uuid };
            plan.push(step, "the command between the snapshots was not run", Vec::new());
        }
        let sight = Sight::default();
        let mut runner = Runner::new(self.setup, &sight, &self.context.monitor);
        // What stays is told by the driver; retention takes it later.
        driver::run(&plan, &mut runner, &run.audit, &self.context.monitor);
    }
}

/// A snapshot that was taken in this run.
struct Taken {
    subvolume: SubvolumeName,
    name: SnapshotName,
    uuid: subvault_model::ids::SnapshotUuid,
}

fn taken(report: &RunReport) -> Vec<Taken> {
    let steps = report.steps.iter().filter_map(|performed| match (&performed.planned.step, &performed.outcome) {
        (Step::TakeSnapshot { subvolume, name, .. }, Outcome::Done(figures)) => Some(Taken {
            subvolume: subvolume.clone(),
            name: name.clone(),
            uuid: serde_json::from_value(figures.get("uuid")?.clone()).ok()?,
        }),
        _ => None,
    });
    steps.collect()
}
