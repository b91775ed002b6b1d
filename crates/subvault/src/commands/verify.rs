//! `subvault verify`: checks what is archived.

use serde::Serialize;
use subvault_archive::verify::{Depth, Report};
use subvault_host::clock;
use subvault_jobs::driver::chain;
use subvault_jobs::verify::verify_store;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{SubvolumeName, TargetName};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::size;
use crate::place::{Place, PlaceArgs};

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault verify                  manifests, chains, sizes, and a tenth of the data
  subvault verify --all            every byte; costs reading everything once
  subvault verify --sizes home     no data is read

No private key is needed: the hashes are of what is stored. Chunks in cold storage cannot be read, and
what was asked for and could not be read makes the exit code 2; --sizes asks for nothing of them.")]
pub struct Args {
    /// Only this subvolume
    subvolume: Option<SubvolumeName>,
    /// Read everything
    #[arg(long, conflicts_with_all = ["sample", "sizes"])]
    all: bool,
    /// Read this share of the data, in percent, at random
    #[arg(long, value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=99))]
    sample: u8,
    /// Read no data: check manifests, chains and sizes
    #[arg(long, conflicts_with = "sample")]
    sizes: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Serialize)]
struct Verified {
    target: TargetName,
    store: String,
    report: Option<Report>,
    error: Option<String>,
    hint: Option<String>,
}

/// Verifies.
///
/// # Errors
/// When no store could be looked at.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut verified = Vec::new();
    if let Some(name) = &args.place.store {
        verified.push(one(args, context, args.place.explicit(name)?));
    } else {
        let setup = context.setup()?;
        for target in args.place.configured(&setup)? {
            let place = target.open().map(|store| Place {
                name: target.name.clone(),
                store,
                layout: args.place.layout(&setup),
                lanes: target.lanes,
            });
            verified.push(match place {
                Ok(place) => one(args, context, place),
                Err(error) => Verified {
                    target: target.name.clone(),
                    store: String::new(),
                    report: None,
                    error: Some(chain(&error)),
                    hint: error.hint(),
                },
            });
        }
    }
    context.answer(&verified, || verified.iter().map(|v| describe(v, args.subvolume.as_ref())).collect())?;
    Ok(exit(&verified))
}

fn depth(args: &Args) -> Depth {
    if args.all {
        return Depth::Everything;
    }
    if args.sizes {
        return Depth::Sizes;
    }
    // Another part of the data each time.
    Depth::Sample { percent: args.sample, seed: clock::now().as_nanosecond().unsigned_abs() as u64 }
}

fn one(args: &Args, context: &Context, place: Place) -> Verified {
    let store = place.store.describe();
    let monitor = &context.monitor;
    match verify_store(&place.store, &place.layout, args.subvolume.as_ref(), depth(args), place.lanes, monitor) {
        Ok(report) => Verified { target: place.name, store, report: Some(report), error: None, hint: None },
        Err(error) => {
            let text = chain(&error);
            monitor.event(Event::Warning(format!("{}: {text}", place.name)));
            Verified { target: place.name, store, report: None, error: Some(text), hint: error.hint() }
        }
    }
}

fn describe(verified: &Verified, only: Option<&SubvolumeName>) -> String {
    let Some(report) = &verified.report else {
        let why = verified.error.as_deref().unwrap_or("unknown");
        let hint = verified.hint.as_ref().map(|hint| format!("  → {hint}\n")).unwrap_or_default();
        return format!("{}: NOT CHECKED: {why}\n{hint}", verified.target);
    };
    let mut text = format!(
        "{} ({}): {} streams, {} chunks; {} of {} units compared, {} read\n",
        verified.target,
        verified.store,
        report.streams,
        report.chunks,
        report.units_checked,
        report.units,
        size::size(report.bytes_read),
    );
    for finding in &report.findings {
        text.push_str(&format!("  DAMAGED  {}: {}\n", finding.object, finding.what));
    }
    if report.cold > 0 {
        text.push_str(&format!("  {} chunks are in cold storage and were not read\n", report.cold));
    }
    if let Some(failure) = &report.failure {
        text.push_str(&format!("  NOT CHECKED: {} chunks: {failure}\n", report.not_reached));
    }
    if report.streams == 0 && report.findings.is_empty() {
        let of = only.map(|name| format!(" of {name}")).unwrap_or_default();
        text.push_str(&format!("  nothing{of} is archived here, so nothing was checked\n"));
    } else if report.findings.is_empty() && (report.cold > 0 || report.failure.is_some()) {
        text.push_str("  nothing else is wrong, as far as it could be looked at\n");
    } else if report.findings.is_empty() {
        text.push_str("  nothing wrong was found\n");
    }
    text
}

fn exit(verified: &[Verified]) -> Exit {
    let damaged = verified.iter().any(|v| v.report.as_ref().is_some_and(|r| !r.findings.is_empty()));
    // A check that did not run is not a check that passed, and one of nothing has not run.
    let unchecked = verified.iter().filter(|v| v.report.as_ref().is_none_or(|r| r.streams == 0)).count();
    let partly = verified.iter().any(|v| v.report.as_ref().is_some_and(|r| r.cold > 0 || r.failure.is_some()));
    match (damaged, unchecked) {
        (true, _) => Exit::Damaged,
        (false, 0) if !partly => Exit::Good,
        (false, n) if n == verified.len() => Exit::NothingDone,
        _ => Exit::SomeFailed,
    }
}
