//! What a report says, section by section.

mod cost;
mod kernel;
mod layout;
mod objectives;
mod overview;
mod proofs;
mod sending;
mod simulated;
mod snapshots;
mod space;
mod storage;
mod subvolumes;

use subvault_model::names::SubvolumeName;
use subvault_plan::strategy::SubvolumeStrategy;
use subvault_plan::strategy::decision::Decision;

use super::document::{Block, Cell, Column, Document, Line, Reason, Span, Table};
use super::{Report, words};

/// All of it.
pub(super) fn document(report: &Report<'_>) -> Document {
    let sections = [
        Some(layout::section(report)),
        Some(subvolumes::section(report)),
        snapshots::section(report),
        Some(sending::section(report)),
        storage::section(report),
        space::section(report),
        simulated::section(report),
        objectives::section(report),
        cost::section(report),
        Some(proofs::section(report)),
        kernel::section(report),
        Some(overview::why(report)),
    ];
    Document {
        host: report.strategy.host.clone(),
        about: overview::about(report),
        warnings: overview::warnings(report),
        summary: overview::summary(report),
        sections: sections.into_iter().flatten().collect(),
    }
}

/// A sentence.
fn says(text: impl Into<String>) -> Line {
    vec![Span::text(text)]
}

/// A cell with a text.
fn cell(text: impl Into<String>) -> Cell {
    vec![says(text)]
}

/// A cell with a name.
fn named(name: &(impl ToString + ?Sized)) -> Cell {
    vec![vec![Span::code(name)]]
}

/// A table whose columns are all of texts.
fn table(caption: &'static str, heads: &[&str], rows: Vec<Vec<Cell>>) -> Block {
    Block::Table(Table { caption, columns: heads.iter().map(|head| Column::text(head)).collect(), rows })
}

/// Names, one after the other; where there are many, how many.
fn names(all: &[SubvolumeName]) -> Line {
    const MANY: usize = 12;
    if all.is_empty() {
        return says("nothing");
    }
    if all.len() > MANY {
        return says(words::count(all.len(), "subvolume"));
    }
    let comma = |index: usize| (index > 0).then(|| Span::text(", "));
    let each = all.iter().enumerate().flat_map(|(index, name)| comma(index).into_iter().chain([Span::code(name)]));
    each.collect()
}

/// The reasons of one kind of decision on subvolumes: those who have the same one share it.
fn reasons<'a, T: 'a>(
    what: &'static str,
    subvolumes: &'a [SubvolumeStrategy],
    decision: impl Fn(&'a SubvolumeStrategy) -> Option<&'a Decision<T>>,
    show: impl Fn(&T) -> Line,
) -> Vec<Reason> {
    let mut found: Vec<Reason> = Vec::new();
    for subvolume in subvolumes {
        let Some(decision) = decision(subvolume) else { continue };
        let choice = show(&decision.value);
        let name = subvolume.name.to_string();
        match found.iter_mut().find(|reason| reason.choice == choice && reason.because == decision.because) {
            Some(reason) => reason.names.push(name),
            None => found.push(Reason { what, choice, names: vec![name], because: decision.because.clone() }),
        }
    }
    found
}

/// The reason of a decision that is for the whole host.
fn reason<T>(what: &'static str, decision: &Decision<T>, show: impl Fn(&T) -> Line) -> Reason {
    Reason { what, choice: show(&decision.value), names: Vec::new(), because: decision.because.clone() }
}
