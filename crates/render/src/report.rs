//! The strategy of a host as a document that people read: Markdown with diagrams as text, and one HTML file with pictures.
//!
//! What is said is put together once (`content`) and written down twice (`markdown`, `html`), so that both say the same.
//! Names and sentences come from elsewhere and may hold anything: nothing of them gets into a document but through
//! `safe`. The same report gives the same bytes: there is no clock here, and the pictures are drawn with whole numbers.

mod content;
pub mod document;
mod flow;
mod html;
mod markdown;
mod mermaid;
mod safe;
mod svg;
mod tree;
mod words;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use subvault_model::facts::Facts;
use subvault_plan::simulate::Simulation;
use subvault_plan::strategy::Strategy;
use subvault_plan::strategy::target_cost::TargetCost;

use self::document::Document;

/// What a report is made of.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// The strategy.
    pub strategy: &'a Strategy,
    /// What it was made from.
    pub facts: &'a Facts,
    /// What there would be after months, where that was simulated.
    pub simulation: Option<&'a Simulation>,
    /// What the targets will cost whose prices are known, all for the same months.
    pub costs: &'a [TargetCost],
    /// When the report is made.
    pub made: Timestamp,
    /// Where the clock on the wall is.
    pub zone: TimeZone,
}

/// What the report says, before it is written down.
#[must_use]
pub fn document(report: &Report<'_>) -> Document {
    content::document(report)
}

/// The report in Markdown as GitHub reads it; the layout and the flow of data are drawn by Mermaid.
#[must_use]
pub fn markdown(report: &Report<'_>) -> String {
    markdown::write(report, &document(report))
}

/// The report as one HTML file that needs nothing else: its styles and pictures are in it, and it has no scripts.
#[must_use]
pub fn html(report: &Report<'_>) -> String {
    html::write(report, &document(report))
}
