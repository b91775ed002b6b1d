//! `subvault simulate`: the strategy lived through in virtual time. Changes nothing.

mod words;

use std::path::PathBuf;
use std::str::FromStr;

use jiff::civil::Time;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde::Serialize;
use subvault_host::clock;
use subvault_model::names::TargetName;
use subvault_plan::simulate::scenario::{of_strategy, usual_failures};
use subvault_plan::simulate::{Failure as Trouble, OffHours, Simulation, simulate};
use subvault_plan::strategy::target_cost::{TargetCost, target_costs};

use super::plan::{Decided, decide};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault simulate                             a year of this host
  subvault simulate --months 24 --failures      two years, in which what usually goes wrong does
  subvault simulate --off 23:00-07:00           switched off at night
  subvault simulate --away 'usb 3 weeks'        a disk that is away for so long, from the 45th day on")]
pub struct Args {
    /// For how many months
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=120))]
    months: u32,
    /// Nights off where the host is no server, each target away for three weeks, a clock that is an hour ahead for a day
    #[arg(long)]
    failures: bool,
    /// The host is off every day between these times
    #[arg(long, value_name = "FROM-UNTIL")]
    off: Option<Off>,
    /// A target cannot be reached for so long, from the 45th day on
    #[arg(long, value_name = "TARGET LENGTH")]
    away: Vec<Away>,
    /// Take what is known of the host from a report of nixos-facter
    #[arg(long, value_name = "FILE")]
    facter: Option<PathBuf>,
}

#[derive(Debug, Clone)]
struct Off(OffHours);

impl FromStr for Off {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no stretch of the day: say `23:00-07:00`");
        let (from, until) = text.split_once('-').ok_or_else(wrong)?;
        let time = |text: &str| text.trim().parse::<Time>().map_err(|_| wrong());
        Ok(Self(OffHours { from: time(from)?, until: time(until)? }))
    }
}

#[derive(Debug, Clone)]
struct Away {
    target: TargetName,
    length: SignedDuration,
}

impl FromStr for Away {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no target and length of time: say `usb 3 weeks`");
        let (target, length) = text.split_once(' ').ok_or_else(wrong)?;
        let length: Span = length.trim().parse().map_err(|_| wrong())?;
        let length = length.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
        Ok(Self { target: target.parse().map_err(|_| wrong())?, length })
    }
}

/// On which day targets go away.
const AWAY_FROM: SignedDuration = SignedDuration::from_hours(45 * 24);

/// Lives the strategy through.
///
/// # Errors
/// When the configuration or the report cannot be used.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let Decided { strategy, said, .. } = decide(args.facter.as_deref(), context)?;
    let from = clock::now();
    let mut scenario = of_strategy(&strategy, from, args.months, said.wall.zone());
    if args.failures {
        scenario.failures = usual_failures(&strategy, from);
    }
    scenario.failures.extend(args.off.iter().map(|off| Trouble::Off(off.0)));
    for away in &args.away {
        if !strategy.targets.iter().any(|target| target.name == away.target) {
            let names: Vec<String> = strategy.targets.iter().map(|target| target.name.to_string()).collect();
            let hint = if names.is_empty() {
                "there is no [[target]]".to_owned()
            } else {
                format!("there are {}", names.join(", "))
            };
            return Err(Failure::usage(format!("there is no target `{}`", away.target), hint));
        }
        let begin = from.checked_add(AWAY_FROM).unwrap_or(Timestamp::MAX);
        let until = begin.checked_add(away.length).unwrap_or(Timestamp::MAX);
        scenario.failures.push(Trouble::Away { target: away.target.clone(), from: begin, until });
    }
    let simulation = simulate(&scenario);
    let costs = target_costs(&strategy, &said.tables, &simulation, scenario.zone.to_datetime(from).date());
    let lived = Lived { simulation, costs };
    context.answer(&lived, || words::describe(&lived, &strategy, &scenario.zone))?;
    Ok(Exit::Good)
}

/// What came of it, and what that costs.
#[derive(Debug, Serialize)]
struct Lived {
    #[serde(flatten)]
    simulation: Simulation,
    /// The bills of the buckets whose prices are known, for what was stored there.
    costs: Vec<TargetCost>,
}
