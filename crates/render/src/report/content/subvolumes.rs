//! What is done for each subvolume.

use subvault_plan::strategy::SubvolumeStrategy;

use super::{cell, reasons, says, table};
use crate::report::document::{Block, Cell, Line, Section, Span};
use crate::report::{Report, flow, words};

/// The section.
pub(super) fn section(report: &Report<'_>) -> Section {
    let strategy = report.strategy;
    if strategy.subvolumes.is_empty() {
        let blocks = vec![Block::Paragraph(says("No subvolume is known yet, so that nothing is planned for any."))];
        return Section { id: "subvolumes", title: "Subvolumes", blocks };
    }
    let heads = ["Subvolume", "Used for", "Tier", "Lose at most", "Back within", "Snapshots", "Kept", "Sent"];
    let rows = strategy.subvolumes.iter().map(|subvolume| row(report, subvolume)).collect();
    let all = &strategy.subvolumes;
    let mut why = reasons("Used for", all, |s| Some(&s.workload), |workload| vec![Span::code(workload)]);
    why.extend(reasons("Tier", all, |s| Some(&s.tier), |tier| vec![Span::Tier(*tier)]));
    why.extend(reasons("Sent", all, |s| Some(&s.sends), |calendar| says(when(calendar.as_deref()))));
    why.extend(reasons("Sent", all, |s| Some(&s.method), |method| says(words::method(*method))));
    let blocks = vec![table("What is done for each subvolume", &heads, rows), Block::Why(why)];
    Section { id: "subvolumes", title: "Subvolumes", blocks }
}

fn row(report: &Report<'_>, subvolume: &SubvolumeStrategy) -> Vec<Cell> {
    let promised = |length: fn(subvault_plan::strategy::tier::Promise) -> jiff::SignedDuration| match subvolume.promise
    {
        Some(promise) => cell(words::length(length(promise))),
        None => cell("no promise"),
    };
    let kept = subvolume.keep.as_ref().map_or_else(|| "–".to_owned(), |keep| words::keep(&keep.value));
    vec![
        vec![vec![Span::code(&subvolume.name)], place(report, subvolume)],
        cell(subvolume.workload.value.word()),
        vec![vec![Span::Tier(subvolume.tier.value)]],
        promised(|promise| promise.lose_at_most),
        promised(|promise| promise.back_within),
        cell(when(subvolume.snapshots.value.as_deref())),
        cell(kept),
        sent(report, subvolume),
    ]
}

/// Where it is seen; or that it is not.
fn place(report: &Report<'_>, subvolume: &SubvolumeStrategy) -> Line {
    let mut known = report.facts.pools.iter().flat_map(|pool| &pool.subvolumes);
    if known.any(|found| found.seen_at.is_none() && found.path == subvolume.path) {
        return vec![Span::code(&subvolume.path), Span::text(", not mounted")];
    }
    vec![Span::code(&words::rooted(&subvolume.path))]
}

fn when(calendar: Option<&str>) -> String {
    calendar.map_or_else(|| "never".to_owned(), words::calendar)
}

fn sent(report: &Report<'_>, subvolume: &SubvolumeStrategy) -> Cell {
    let sent = flow::sent(report.strategy, subvolume);
    let line = |sent: &flow::Sent<'_>| -> Line {
        let when = sent.calendar.map_or_else(|| "when asked for".to_owned(), words::calendar);
        vec![Span::text(format!("{when} to ")), Span::code(sent.target)]
    };
    match (sent.as_slice(), &subvolume.sends.value) {
        ([], None) => cell("never"),
        ([], Some(_)) => cell("nowhere: no target"),
        (sent, _) => sent.iter().map(line).collect(),
    }
}
