//! `subvault apply`: makes the host as its strategy says. Shows what it would do, and deletes nothing.

use std::path::{Path, PathBuf};

use serde::Serialize;
use subvault_host::facts::Found;
use subvault_jobs::apply::Site;
use subvault_model::monitor::{Event, Monitor as _};
use subvault_plan::apply::{ApplyPlan, Wanted, WantedFile, WantedSubvolume, plan};
use subvault_plan::strategy::SubvolumeStrategy;
use subvault_plan::strategy::storage::Means;
use subvault_render::file::is_ours;

use super::plan::{Decided, decide, decide_for};
use super::render;
use crate::config;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::ask::{Unasked, go_on};

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault apply --dry-run          what would be done, and what is left to you
  subvault apply                    the same, then ask, then do it
  subvault apply --root /mnt --yes  for the system below /mnt, by the configuration that is in it

It makes the subvolumes of the configuration that are missing, sets the attributes that the strategy wants, writes
units, rules of udev, kernel parameters and tmpfiles.d, and switches the timer on. Nothing is deleted or moved, files
that somebody changed are left alone, and the second time there is nothing to do. /etc/fstab is yours: see
`subvault render fstab`.")]
pub struct Args {
    /// The system below this directory, which does not run: an image, or a system that is being installed
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// The program that the units start; this one if not said
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Tell what would be done, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Do it without asking
    #[arg(long, short = 'y')]
    yes: bool,
}

/// The unit that starts what is due.
const TIMER: &str = "subvault.timer";

#[derive(Debug, Serialize)]
struct Answer<'a> {
    /// What was, or would be, done.
    #[serde(flatten)]
    plan: &'a ApplyPlan,
    /// Whether it was done.
    done: bool,
}

/// Makes the host as its strategy says.
///
/// # Errors
/// When the configuration cannot be used, or a step cannot be done; what was done before it stays done.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let site = Site::open(&args.root)?;
    let own = of_site(args, &site, context);
    let context = own.as_ref().unwrap_or(context);
    let wanted = wanted(args, &site, context)?;
    let plan = plan(&wanted, &site.observe(&wanted, is_ours)?);
    if args.dry_run || plan.steps.is_empty() {
        context.answer(&Answer { plan: &plan, done: false }, || describe(&plan))?;
        return Ok(Exit::Good);
    }
    if !context.json {
        crate::output::say(&describe(&plan))?;
    }
    if !go_on("Do it?", args.yes, Unasked::Refuse)? {
        return Ok(Exit::NothingDone);
    }
    for (number, step) in plan.steps.iter().enumerate() {
        site.perform(step)?;
        context.monitor.event(Event::Note(format!("{} of {}: {step}", number + 1, plan.steps.len())));
    }
    if context.json {
        context.answer(&Answer { plan: &plan, done: true }, String::new)?;
    }
    Ok(Exit::Good)
}

/// With the configuration that is in an image, unless another one was named.
fn of_site(args: &Args, site: &Site, context: &Context) -> Option<Context> {
    let is_named = context.config != Path::new(config::PATH);
    let inside = args.root.join(config::PATH.trim_start_matches('/'));
    (!site.is_running() && !is_named).then(|| Context::new(inside, context.json, context.monitor.is_quiet()))
}

fn wanted(args: &Args, site: &Site, context: &Context) -> Result<Wanted, Failure> {
    // Of an image nothing is known but what its configuration says: the machine that it is made on tells nothing.
    let decided = if site.is_running() { decide(None, context)? } else { decide_for(Found::default(), context)? };
    let program = match &args.program {
        Some(program) => program.clone(),
        None => std::env::current_exe()
            .map_err(|source| Failure::Write { what: "the path of this program".to_owned(), source })?,
    };
    let files = render::of_system(&program, &decided, context)?;
    let has_timer = files.iter().any(|file| file.path.file_name().is_some_and(|name| name == TIMER));
    Ok(Wanted {
        subvolumes: subvolumes(&decided),
        files: files.into_iter().map(|file| WantedFile { path: file.path, text: file.text }).collect(),
        units: has_timer.then(|| TIMER.to_owned()).into_iter().collect(),
    })
}

/// Those that the configuration names, the outer before the inner ones.
fn subvolumes(decided: &Decided) -> Vec<WantedSubvolume> {
    let named = decided.strategy.subvolumes.iter().filter(|subvolume| subvolume.is_configured);
    let mut wanted: Vec<WantedSubvolume> = named.map(subvolume).collect();
    wanted.sort_by(|one, other| one.path.cmp(&other.path));
    wanted
}

fn subvolume(decided: &SubvolumeStrategy) -> WantedSubvolume {
    let compression = decided.means.iter().find_map(|means| match means {
        Means::CompressionProperty(word) => Some(*word),
        Means::FilesystemOption(_) | Means::NoCowAttribute => None,
    });
    WantedSubvolume {
        path: decided.path.clone(),
        is_nocow: decided.means.contains(&Means::NoCowAttribute),
        because: decided.storage.because.clone(),
        compression,
    }
}

fn describe(plan: &ApplyPlan) -> String {
    let mut text = match plan.steps.len() {
        0 => "Everything that subvault sets up is as the strategy says.\n".to_owned(),
        1 => "1 step:\n".to_owned(),
        count => format!("{count} steps:\n"),
    };
    plan.steps.iter().for_each(|step| text.push_str(&format!("  {step}\n")));
    if !plan.left.is_empty() {
        text.push_str("\nLeft to you:\n");
    }
    plan.left.iter().for_each(|left| text.push_str(&format!("  {left}\n")));
    text
}
