//! `subvault cost`: what archives in buckets cost and will cost, and what they would cost elsewhere. Changes nothing.

mod words;

use std::path::PathBuf;

use jiff::tz::TimeZone;
use serde::Serialize;
use subvault_host::clock;
use subvault_model::bytesize::ByteSize;
use subvault_model::names::SubvolumeName;
use subvault_plan::cost::budget::Budget;
use subvault_plan::cost::compare::{Objectives, Offer, compare};
use subvault_plan::cost::forecast::{Crossings, Forecast, forecast};
use subvault_plan::cost::holdings::{Archive, Subject};
use subvault_plan::cost::propose::{Proposal, propose};
use subvault_plan::cost::tariff::Tariff;
use subvault_plan::strategy::archive_model::of_everything;
use subvault_plan::strategy::assemble::{AHEAD_DAYS, CHUNK};
use subvault_plan::strategy::target_cost::{Priced, priced};
use subvault_plan::strategy::{TargetKind, TargetStrategy};

use super::plan::{Decided, decide};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault cost                                    what the buckets of this host cost, and what others would
  subvault cost --budget '8 USD/month'             when its lines are passed, and what would fit
  subvault cost --size '200 GiB' --change '1 GiB'  for what you say, without a look at the host

Prices are dated and may have changed since; docs/costs.md says where they are from and how to change them.")]
pub struct Args {
    /// For how many months
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=120))]
    months: u32,
    /// What a month may cost; as in the configuration if not said
    #[arg(long, value_name = "AMOUNT")]
    budget: Option<Budget>,
    /// How large everything that is sent is once compressed, instead of what the host says
    #[arg(long, value_name = "SIZE", requires = "change")]
    size: Option<ByteSize>,
    /// How much of it changes in a day
    #[arg(long, value_name = "SIZE", requires = "size")]
    change: Option<ByteSize>,
    /// Take what is known of the host from a report of nixos-facter
    #[arg(long, value_name = "FILE")]
    facter: Option<PathBuf>,
}

/// What it costs.
#[derive(Debug, Serialize)]
struct Answer {
    /// All that is sent.
    archive: Archive,
    /// The buckets of the configuration.
    targets: Vec<OfTarget>,
    /// All providers and classes, the cheapest first.
    offers: Vec<Offer>,
    /// What is asked.
    asked: Objectives,
}

/// A bucket of the configuration.
#[derive(Debug, Serialize)]
struct OfTarget {
    name: String,
    /// What its objects cost with its provider, in its class; `None`: nothing is known to be charged.
    costs: Option<Costs>,
}

#[derive(Debug, Serialize)]
struct Costs {
    provider: String,
    class: String,
    as_of: jiff::civil::Date,
    forecast: Forecast,
    crossings: Option<Crossings>,
    proposal: Option<Proposal>,
}

/// Tells what it costs.
///
/// # Errors
/// When the configuration or the report cannot be used, or it is not known how much is sent.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let Decided { strategy, said, .. } = decide(args.facter.as_deref(), context)?;
    let stated = said.objectives;
    let asked = Objectives {
        budget: args.budget.or(stated.budget),
        back_within: stated.back_within,
        download: stated.download,
    };
    let archive = sized(of_everything(&strategy, CHUNK), args);
    if archive.subvolumes.iter().all(|subject| subject.full == ByteSize::ZERO) {
        let hint = "say it: --size '200 GiB' --change '1 GiB'";
        return Err(Failure::usage("how much would be sent from this host is not known", hint));
    }
    let tariffs: Vec<Tariff<'_>> = said.tables.charging().flat_map(Tariff::all).collect();
    let is_bucket = |kind: &TargetKind| matches!(kind, TargetKind::Bucket { .. });
    let buckets = strategy.targets.iter().filter(|target| is_bucket(&target.kind));
    let of_target = |target: &TargetStrategy| OfTarget {
        name: target.name.to_string(),
        costs: priced(&strategy, target, &said.tables).map(|priced| costs(priced, &asked, args)),
    };
    let answer = Answer {
        offers: compare(&archive, &tariffs, &asked),
        targets: buckets.map(of_target).collect(),
        archive,
        asked,
    };
    context.answer(&answer, || words::describe(&answer))?;
    Ok(Exit::Good)
}

/// With the sizes of the command line, if it has some.
fn sized(archive: Archive, args: &Args) -> Archive {
    let (Some(full), Some(change_per_day)) = (args.size, args.change) else { return archive };
    let all = Subject {
        name: SubvolumeName::of_place(b"everything"),
        // What changes is half new and half in the place of something.
        growth_per_day: ByteSize::bytes(change_per_day.get() / 2),
        held: Vec::new(),
        full,
        change_per_day,
    };
    Archive { subvolumes: vec![all], ..archive }
}

fn costs(priced: Priced<'_>, asked: &Objectives, args: &Args) -> Costs {
    let Priced { archive, tariff } = priced;
    let archive = sized(archive, args);
    let today = clock::now().to_zoned(TimeZone::UTC).date();
    let forecast = forecast(&archive, &tariff, today, args.months, None);
    let is_asked = asked.budget.is_some() || asked.back_within.is_some();
    Costs {
        provider: tariff.provider.title.clone(),
        class: tariff.bulk.title.clone(),
        as_of: tariff.provider.as_of,
        crossings: asked.budget.map(|budget| forecast.crossings(budget)),
        proposal: is_asked.then(|| propose(&archive, &tariff, asked, AHEAD_DAYS)),
        forecast,
    }
}
