//! The space that data and snapshots take, month after month, and how much the pools hold.

use subvault_model::bytesize::ByteSize;

use super::Paper;
use super::chart::{self, Chart};
use crate::report::{Report, words};

/// The picture.
pub(super) fn draw(report: &Report<'_>, paper: Paper) -> String {
    let months = report.simulation.map_or(&[][..], |simulation| &simulation.months);
    let size: ByteSize = report.strategy.pools.iter().map(|pool| pool.size).sum();
    let pools = if report.strategy.pools.len() == 1 { "size of the pool" } else { "size of all pools" };
    let chart = Chart {
        id: "space",
        title: "Space over time",
        parts: vec!["data".to_owned(), "snapshots".to_owned()],
        bars: months
            .iter()
            .map(|month| (words::day_of(month.at, &report.zone), vec![month.data.get(), month.snapshot_room.get()]))
            .collect(),
        limit: (size > ByteSize::ZERO).then(|| (size.get(), format!("{pools}: {size}"))),
        step,
        show: &|bytes| ByteSize::bytes(bytes).to_string(),
    };
    chart::draw(paper, &chart)
}

/// A power of two, so that there are at most six marks up to this height.
fn step(highest: u64) -> u64 {
    (highest / 6).max(1).checked_next_power_of_two().unwrap_or(1 << 63)
}
