//! A simulation on a terminal: the months, the worst, what happened.

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use subvault_plan::simulate::{Month, Simulation};
use subvault_plan::strategy::Strategy;
use subvault_plan::strategy::snapshots::length;

use crate::output::table;

/// What came of it, in words.
pub fn describe(simulation: &Simulation, strategy: &Strategy, zone: &TimeZone) -> String {
    let mut text = format!("{}\n{}", months(simulation, zone), worst(simulation, strategy));
    if !simulation.events.is_empty() {
        text.push_str("\nWhat happened:\n");
    }
    for event in &simulation.events {
        text.push_str(&format!("  {}  {}\n", zone.to_datetime(event.at).date(), event.what));
    }
    text.push_str("\nSizes are estimates: `subvault plan` says where they come from.\n");
    text
}

fn months(simulation: &Simulation, zone: &TimeZone) -> String {
    let names = simulation.months.first().into_iter().flat_map(|month| &month.targets);
    let mut columns = vec!["until".to_owned(), ">snapshots".to_owned(), ">data".to_owned(), ">their room".to_owned()];
    columns.extend(names.flat_map(|target| [format!(">in {}", target.name), ">longest chain".to_owned()]));
    let mut table = table::new(&columns.iter().map(String::as_str).collect::<Vec<_>>());
    for month in &simulation.months {
        table.add_row(row(month, zone));
    }
    table::text(&table)
}

fn row(month: &Month, zone: &TimeZone) -> Vec<String> {
    let snapshots: usize = month.snapshots.iter().map(|(_, count)| count).sum();
    let mut row = vec![
        zone.to_datetime(month.at).date().to_string(),
        snapshots.to_string(),
        month.data.to_string(),
        month.snapshot_room.to_string(),
    ];
    row.extend(month.targets.iter().flat_map(|t| [t.stored.to_string(), t.longest_chain.to_string()]));
    row
}

/// The worst of each subvolume beside what is promised.
fn worst(simulation: &Simulation, strategy: &Strategy) -> String {
    let mut table = table::new(&["subvolume", "promised", "worst: a file", "worst: the disk", "back in", "promised"]);
    let or_dash =
        |time: Option<SignedDuration>| time.map_or_else(|| "-".to_owned(), |time| length(whole_minutes(time)));
    for worst in &simulation.worst {
        let promise = strategy.subvolumes.iter().find(|s| s.name == worst.subvolume).and_then(|s| s.promise);
        if promise.is_none() && worst.file.is_none() && worst.disk.is_none() {
            continue;
        }
        table.add_row([
            worst.subvolume.to_string(),
            or_dash(promise.map(|promise| promise.lose_at_most)),
            or_dash(worst.file),
            worst.disk.map_or_else(|| "everything".to_owned(), |time| length(whole_minutes(time))),
            or_dash(worst.back),
            or_dash(promise.map(|promise| promise.back_within)),
        ]);
    }
    table::text(&table)
}

fn whole_minutes(time: SignedDuration) -> SignedDuration {
    SignedDuration::from_mins(time.as_mins())
}
