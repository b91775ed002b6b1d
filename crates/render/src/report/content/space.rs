//! The room on pools: now, with all snapshots that will be kept, and month after month.

use subvault_model::bytesize::ByteSize;
use subvault_plan::simulate::{Month, Simulation};
use subvault_plan::strategy::forecast::PoolForecast;

use super::{cell, named, reasons, says};
use crate::report::document::{Block, Cell, Column, Picture, Section, Span, Table};
use crate::report::{Report, words};

/// The section; none where nothing is known of any pool.
pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let mut blocks = Vec::new();
    if !report.strategy.pools.is_empty() {
        blocks.push(pools(report));
    }
    let is_known = |month: &Month| month.data > ByteSize::ZERO;
    if let Some(simulation) = report.simulation.filter(|simulation| simulation.months.iter().any(is_known)) {
        let about = format!(
            "{} lived through in virtual time, all subvolumes of the strategy together. Sizes are what is expected, not what was measured.",
            words::count(simulation.months.len(), "month")
        );
        blocks.extend([Block::Paragraph(says(about)), Block::Picture(Picture::Space, "At the end of each month.")]);
        blocks.push(Block::Folded("Month by month", vec![months(report, simulation)]));
    }
    blocks.extend(forecasts(report));
    (!blocks.is_empty()).then_some(Section { id: "space", title: "Space", blocks })
}

fn numbers(caption: &'static str, first: &str, heads: &[&str], rows: Vec<Vec<Cell>>) -> Block {
    let heads = heads.iter().map(|head| Column::number(says(*head)));
    Block::Table(Table { caption, columns: std::iter::once(Column::text(first)).chain(heads).collect(), rows })
}

fn pools(report: &Report<'_>) -> Block {
    let row = |pool: &PoolForecast| -> Vec<Cell> {
        vec![
            named(&pool.uuid),
            cell(pool.size.to_string()),
            cell(pool.used.to_string()),
            cell(pool.free.to_string()),
            cell(pool.snapshots.to_string()),
            cell(format!("{} %", pool.overhead_percent)),
        ]
    };
    let heads = ["Size", "Data now", "Free now", "Snapshots will take", "Share of its data"];
    numbers("Room on each pool", "Pool", &heads, report.strategy.pools.iter().map(row).collect())
}

/// What is expected of each subvolume, and why.
fn forecasts(report: &Report<'_>) -> Vec<Block> {
    let all = &report.strategy.subvolumes;
    let row = |subvolume: &subvault_plan::strategy::SubvolumeStrategy| -> Option<Vec<Cell>> {
        let forecast = subvolume.forecast.as_ref()?;
        let sizes = [forecast.size.value, forecast.change_per_day.value, forecast.snapshots];
        Some([named(&subvolume.name)].into_iter().chain(sizes.map(|size| cell(size.to_string()))).collect())
    };
    let rows: Vec<_> = all.iter().filter_map(row).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let heads = ["Data", "Changes a day", "Snapshots will take"];
    let table = numbers("What is expected of each subvolume", "Subvolume", &heads, rows);
    let shown = |size: &ByteSize| says(size.to_string());
    let mut why = reasons("Data", all, |s| s.forecast.as_ref().map(|f| &f.size), shown);
    why.extend(reasons("Changes a day", all, |s| s.forecast.as_ref().map(|f| &f.change_per_day), shown));
    vec![Block::Folded("What is expected of each subvolume", vec![table]), Block::Why(why)]
}

fn months(report: &Report<'_>, simulation: &Simulation) -> Block {
    /// With more targets they are added up.
    const TARGETS_MAX: usize = 3;
    let targets = simulation.months.first().map_or(&[][..], |month| &month.targets);
    let is_each = targets.len() <= TARGETS_MAX;
    let mut columns = vec![Column::text("At the end of")];
    columns.extend(["Data", "Snapshots take", "Snapshots"].map(|head| Column::number(says(head))));
    if is_each {
        let head = |name| vec![Span::text("At "), Span::code(name)];
        columns.extend(targets.iter().map(|target| Column::number(head(&target.name))));
    } else {
        columns.push(Column::number(says("At all targets")));
    }
    let row = |month: &Month| -> Vec<Cell> {
        let snapshots: usize = month.snapshots.iter().map(|(_, count)| count).sum();
        let mut row = vec![
            cell(words::day(words::day_of(month.at, &report.zone))),
            cell(month.data.to_string()),
            cell(month.snapshot_room.to_string()),
            cell(snapshots.to_string()),
        ];
        if is_each {
            row.extend(month.targets.iter().map(|target| cell(target.stored.to_string())));
        } else {
            let all = month.targets.iter().map(|target| target.stored);
            row.push(cell(all.sum::<ByteSize>().to_string()));
        }
        row
    };
    Block::Table(Table { caption: "Month by month", columns, rows: simulation.months.iter().map(row).collect() })
}
