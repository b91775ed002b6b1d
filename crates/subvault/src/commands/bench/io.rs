//! `subvault bench io`: whether a performance mode makes this disk faster, measured before and after, and told as it is.

mod words;

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;
use subvault_host::clock;
use subvault_host::pool::Pool;
use subvault_jobs::error::JobError;
use subvault_jobs::io_bench::{IoBenchJob, look, measure, recover};
use subvault_model::bytesize::ByteSize;
use subvault_model::file_path::FilePath;
use subvault_model::monitor::{Event, Monitor as _};
use subvault_plan::io_bench::SMALLEST;
use subvault_plan::io_bench::judge::{Judged, judge};
use subvault_plan::io_bench::trial::{NotTried, Trial, Tuned, names, trial, usual_workload};
use subvault_plan::strategy::assemble::strategy;
use subvault_plan::strategy::storage::{Mode, intent};
use subvault_plan::strategy::workload::Workload;

use crate::commands::detect::of_first_pool;
use crate::commands::plan::{Decided, decide, written};
use crate::config::STATE;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

const COMMAND: &str = "subvault bench io";

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault bench io --mode io-optimized
  subvault bench io --mode io-optimized --path /var/lib/postgresql --sysctls
  subvault bench io --mode space-optimized --workload log --size 1GiB --rounds 6 --json

It takes about a minute for 512 MiB on a fast disk. Files are written in scratch subvolumes of its own, which are removed again.
No mount and no file of yours is changed; parameters of the kernel only with --sysctls, and only while it is measured.")]
pub struct Args {
    /// Which mode is tried: balanced, io-optimized or space-optimized
    #[arg(long)]
    mode: Mode,
    /// Where it is measured; where the first pool is mounted if not said
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// How large the file is that is written and read
    #[arg(long, value_name = "SIZE", default_value = "512 MiB")]
    size: ByteSize,
    /// How often each is measured; with more rounds it is surer
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=50))]
    rounds: u32,
    /// What the files are used for: the mode's own purpose if not said (database for io-optimized, else user)
    #[arg(long, value_name = "WORD")]
    workload: Option<Workload>,
    /// Also set the mode's parameters of the kernel while it is measured; they hold for the whole machine
    #[arg(long)]
    sysctls: bool,
}

/// What is told.
#[derive(Debug, Serialize)]
struct Answer {
    mode: Mode,
    workload: Workload,
    directory: FilePath,
    size: ByteSize,
    rounds: u32,
    tried: Vec<String>,
    not_tried: Vec<NotTried>,
    put_back: Vec<String>,
    #[serde(flatten)]
    judged: Judged,
}

/// Measures.
///
/// # Errors
/// When it cannot be measured, or there is nothing to try.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    if args.size < SMALLEST {
        return Err(Failure::usage(
            format!("a file of {} tells nothing", args.size),
            format!("say --size {SMALLEST} or more; 512 MiB is usual"),
        ));
    }
    let state = written(context)?.config.host.state.unwrap_or_else(|| PathBuf::from(STATE));
    let decided = decide(None, context)?;
    let directory = directory(args, &decided)?;
    let pool = Pool::containing(&directory)?;
    let run = context.lock(&state, "lock", COMMAND)?;
    let put_back = recover(&directory, &state)?;
    for what in &put_back {
        context.monitor.event(Event::Note(format!("put back what a measurement left that was killed: {what}")));
    }
    let workload = args.workload.unwrap_or_else(|| usual_workload(args.mode));
    let trial = compared(args, workload, &directory, &pool.uuid().to_string(), decided)?;
    let job = IoBenchJob {
        directory: &directory,
        state: &state,
        size: args.size,
        rounds: args.rounds,
        trial: &trial,
        monitor: &context.monitor,
    };
    let measured = measure(&job);
    let outcome = if measured.is_ok() { "done" } else { "failed" };
    let path = FilePath::new(directory.as_os_str().as_bytes());
    run.audit.add(clock::now(), "bench_io", outcome, json!({ "directory": path, "tried": trial.tried }))?;
    let judged = judge(args.mode, &measured?).ok_or_else(|| JobError::Bug("no round was measured".to_owned()))?;
    let Trial { tried, not_tried, .. } = trial;
    let (mode, size, rounds) = (args.mode, args.size, args.rounds);
    let answer = Answer { mode, workload, directory: path, size, rounds, tried, not_tried, put_back, judged };
    context.answer(&answer, || words::describe(&answer))?;
    Ok(Exit::Good)
}

/// Where it is measured, as an absolute path: what is written down about it must lead there from anywhere.
fn directory(args: &Args, decided: &Decided) -> Result<PathBuf, Failure> {
    let said = args.path.clone().or_else(|| of_first_pool(&decided.found.facts));
    let said = said.ok_or_else(|| Failure::usage("no pool is mounted here", "say where to measure: --path DIR"))?;
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::usage(
            format!("cannot measure in {}: {why}", said.display()),
            "say a directory on a Btrfs filesystem: --path DIR",
        )
    };
    let found = std::fs::canonicalize(&said).map_err(|error| cannot(&error))?;
    if found.is_dir() { Ok(found) } else { Err(cannot(&"it is not a directory")) }
}

/// What is compared there.
fn compared(
    args: &Args,
    workload: Workload,
    directory: &Path,
    uuid: &str,
    mut decided: Decided,
) -> Result<Trial, Failure> {
    let facts = &decided.found.facts;
    let there = facts.pools.iter().find(|pool| pool.uuid.to_string() == uuid);
    let options = there.map(|pool| pool.mount_options.clone()).unwrap_or_default();
    let here = look(directory, options, args.mode)?;
    decided.said.mode = Some(args.mode);
    let meant = strategy(facts, &decided.said);
    let options = meant.filesystems.iter().find(|filesystem| filesystem.uuid == uuid);
    let options = options.map(|filesystem| filesystem.options.as_slice()).unwrap_or_default();
    let intent = intent(workload, meant.profile.value, args.mode).value;
    let trial = trial(Tuned { mode: args.mode, intent, options }, &here, args.sysctls);
    if trial.is_something() {
        return Ok(trial);
    }
    let left: Vec<String> = trial.not_tried.iter().map(|left| format!("\n  {}: {}", left.what, left.why)).collect();
    let what = format!(
        "for what is used as {}, {} changes nothing in {} that can be tried{}",
        workload.word(),
        args.mode,
        directory.display(),
        left.concat()
    );
    let has_sysctls = !args.sysctls && !names(args.mode).is_empty();
    let more = if has_sysctls { ", or --sysctls to try parameters of the kernel" } else { "" };
    Err(Failure::usage(what, format!("say another --workload{more}")))
}
