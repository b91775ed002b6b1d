//! What would be lost at the worst moment of the simulated months, and what targets have in the end.

use jiff::SignedDuration;
use subvault_model::bytesize::ByteSize;
use subvault_plan::simulate::{Simulation, TargetMonth, Worst};

use super::{cell, named, says, table};
use crate::report::document::{Block, Cell, Column, Line, Section, Table};
use crate::report::{Report, words};

/// More of what happened than this nobody reads.
const EVENTS_MAX: usize = 60;

/// The section; none where nothing was simulated.
pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let simulation = report.simulation.filter(|simulation| !simulation.worst.is_empty())?;
    let months = words::count(simulation.months.len(), "simulated month");
    let about = format!(
        "What the worst moment of {months} would have cost, next to what is promised. A deleted file comes back from \
         snapshots on the same pool; when its disk dies, only what targets elsewhere have counts."
    );
    let heads = [
        "Subvolume",
        "Promised to lose at most",
        "Lost with a deleted file",
        "Lost with its disk",
        "Promised back within",
        "Back after",
    ];
    let rows = simulation.worst.iter().map(|worst| row(report, worst)).collect();
    let mut blocks = vec![Block::Paragraph(says(about)), table("Work lost at the worst moment", &heads, rows)];
    blocks.extend(targets(simulation));
    if !simulation.events.is_empty() {
        blocks.push(Block::Folded("What happened", vec![Block::List(events(report, simulation))]));
    }
    Some(Section { id: "worst", title: "At the worst moment", blocks })
}

fn row(report: &Report<'_>, worst: &Worst) -> Vec<Cell> {
    let subvolume = report.strategy.subvolumes.iter().find(|subvolume| subvolume.name == worst.subvolume);
    let promise = subvolume.and_then(|subvolume| subvolume.promise);
    let or = |length: Option<SignedDuration>, otherwise: &str| cell(length.map_or(otherwise.to_owned(), words::length));
    let is_sized = subvolume.is_some_and(|subvolume| subvolume.forecast.is_some());
    let back = if is_sized { or(worst.back, "cannot come back") } else { cell("not known") };
    vec![
        named(&worst.subvolume),
        or(promise.map(|promise| promise.lose_at_most), "nothing"),
        or(worst.file, "all of it"),
        or(worst.disk, "all of it"),
        or(promise.map(|promise| promise.back_within), "nothing"),
        back,
    ]
}

/// What targets have in the end, where sizes are known.
fn targets(simulation: &Simulation) -> Option<Block> {
    let targets = &simulation.months.last()?.targets;
    let row = |target: &TargetMonth| -> Vec<Cell> {
        vec![
            named(&target.name),
            cell(target.stored.to_string()),
            cell(target.streams.to_string()),
            cell(target.longest_chain.to_string()),
            cell(target.sent.to_string()),
        ]
    };
    let heads = ["Stored", "Streams", "Longest chain", "Sent in the last month"].map(|head| Column::number(says(head)));
    let columns = std::iter::once(Column::text("Target")).chain(heads).collect();
    let rows = targets.iter().map(row).collect();
    let is_known = targets.iter().any(|target| target.stored > ByteSize::ZERO);
    is_known.then_some(Block::Table(Table { caption: "What targets have in the end", columns, rows }))
}

fn events(report: &Report<'_>, simulation: &Simulation) -> Vec<Line> {
    let line = |event: &subvault_plan::simulate::Event| {
        says(format!("{}: {}", words::day(words::day_of(event.at, &report.zone)), event.what))
    };
    let mut lines: Vec<Line> = simulation.events.iter().take(EVENTS_MAX).map(line).collect();
    let more = simulation.events.len().saturating_sub(EVENTS_MAX);
    if more > 0 {
        lines.push(says(format!("and {more} more")));
    }
    lines
}
