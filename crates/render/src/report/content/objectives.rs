//! What the owner states, and what does it.

use super::says;
use crate::report::Report;
use crate::report::document::{Block, Section};

/// The section; none where nothing is stated.
pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let solved = report.strategy.objectives.as_ref()?;
    let stated = format!("Stated: {}. Of the price tables, {}:", solved.stated.words(), solved.answer.words());
    let found = solved.found().into_iter().map(|line| says(format!("{line}."))).collect();
    Some(Section {
        id: "objectives",
        title: "Objectives",
        blocks: vec![Block::Paragraph(says(stated)), Block::List(found)],
    })
}
