//! A simulation on a terminal: the months, the worst, what happened.

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use subvault_model::names::TargetName;
use subvault_plan::cost::money::Money;
use subvault_plan::simulate::{Month, Simulation, TargetMonth};
use subvault_plan::strategy::Strategy;
use subvault_plan::strategy::snapshots::long;
use subvault_plan::strategy::target_cost::TargetCost;

use super::Lived;
use crate::output::table;

/// What came of it, in words.
pub fn describe(lived: &Lived, strategy: &Strategy, zone: &TimeZone) -> String {
    let Lived { simulation, costs } = lived;
    let mut text = format!("{}\n{}", months(simulation, costs, zone), worst(simulation, strategy));
    if !simulation.events.is_empty() {
        text.push_str("\nWhat happened:\n");
    }
    for event in &simulation.events {
        text.push_str(&format!("  {}  {}\n", zone.to_datetime(event.at).date(), event.what));
    }
    text.push('\n');
    text.push_str(&bills(costs));
    text.push_str("Sizes are estimates: `subvault plan` says where they come from.\n");
    text
}

fn months(simulation: &Simulation, costs: &[TargetCost], zone: &TimeZone) -> String {
    let names = simulation.months.first().into_iter().flat_map(|month| &month.targets);
    let mut columns = vec!["until".to_owned(), ">snapshots".to_owned(), ">data".to_owned(), ">their room".to_owned()];
    for TargetMonth { name, .. } in names {
        columns.extend([format!(">in {name}"), ">longest chain".to_owned()]);
        columns.extend(cost_of(costs, name).map(|_| ">costs".to_owned()));
    }
    let mut table = table::new(&columns.iter().map(String::as_str).collect::<Vec<_>>());
    for (index, month) in simulation.months.iter().enumerate() {
        table.add_row(row(month, costs, index, zone));
    }
    table::text(&table)
}

fn row(month: &Month, costs: &[TargetCost], index: usize, zone: &TimeZone) -> Vec<String> {
    let snapshots: usize = month.snapshots.iter().map(|(_, count)| count).sum();
    let mut row = vec![
        zone.to_datetime(month.at).date().to_string(),
        snapshots.to_string(),
        month.data.to_string(),
        month.snapshot_room.to_string(),
    ];
    for target in &month.targets {
        row.extend([target.stored.to_string(), target.longest_chain.to_string()]);
        let bill = |cost: &TargetCost| cost.forecast.months.get(index).map_or(Money::ZERO, |month| month.bill.total);
        row.extend(cost_of(costs, &target.name).map(|cost| bill(cost).to_string()));
    }
    row
}

fn cost_of<'a>(costs: &'a [TargetCost], name: &TargetName) -> Option<&'a TargetCost> {
    costs.iter().find(|cost| cost.target == *name)
}

/// What each bucket costs in all, at whose prices.
fn bills(costs: &[TargetCost]) -> String {
    let mut text = String::new();
    for TargetCost { target, provider, class, as_of, doubt, forecast } in costs {
        let all: Money = forecast.months.iter().map(|month| month.bill.total).sum();
        text.push_str(&format!("{target} costs {all} in all: {class} of {provider}, prices of {as_of}."));
        text.push_str(&doubt.as_ref().map(|doubt| format!(" They are not sure: {doubt}.")).unwrap_or_default());
        text.push('\n');
    }
    if !costs.is_empty() {
        text.push_str("Bills are for what was stored in this simulation; bringing something back is not in them.\n");
    }
    text
}

/// The worst of each subvolume beside what is promised.
fn worst(simulation: &Simulation, strategy: &Strategy) -> String {
    let mut table = table::new(&["subvolume", "promised", "worst: a file", "worst: the disk", "back in", "promised"]);
    let or_dash = |time: Option<SignedDuration>| time.map_or_else(|| "-".to_owned(), long);
    for worst in &simulation.worst {
        let promise = strategy.subvolumes.iter().find(|s| s.name == worst.subvolume).and_then(|s| s.promise);
        if promise.is_none() && worst.file.is_none() && worst.disk.is_none() {
            continue;
        }
        table.add_row([
            worst.subvolume.to_string(),
            or_dash(promise.map(|promise| promise.lose_at_most)),
            or_dash(worst.file),
            worst.disk.map_or_else(|| "everything".to_owned(), long),
            or_dash(worst.back),
            or_dash(promise.map(|promise| promise.back_within)),
        ]);
    }
    table::text(&table)
}
