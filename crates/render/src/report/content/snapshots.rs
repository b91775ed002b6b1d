//! When snapshots are taken and which stay.

use std::collections::BTreeSet;

use subvault_plan::strategy::SubvolumeStrategy;
use subvault_plan::strategy::snapshots::{kept, retention_of_copies};

use super::{names, reasons, says};
use crate::report::document::{Block, Line, Picture, Reason, Section, Span};
use crate::report::{Report, words};

/// How the picture is to be read.
const HOW: &str = "How old the snapshots are that are kept, once the strategy has been followed for long enough. Each line is a \
                   snapshot; where they are close together, their lines are one.";

/// The section; none where there is nothing to take snapshots of.
pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let all = &report.strategy.subvolumes;
    let mut blocks = Vec::new();
    if all.iter().any(is_taken) {
        blocks.push(Block::Picture(Picture::Retention, HOW));
    }
    blocks.push(Block::List(rules(report)));
    let mut why = reasons(
        "Snapshots",
        all,
        |s| Some(&s.snapshots),
        |calendar| says(calendar.as_deref().map_or_else(|| "never".to_owned(), words::calendar)),
    );
    why.extend(reasons(
        "Kept",
        all,
        |s| s.keep.as_ref(),
        |keep| {
            let back = words::count_of(kept(keep).days, "day");
            says(format!("{}; they reach back {back}", words::keep(keep)))
        },
    ));
    why.extend(report.strategy.groups.iter().map(|group| Reason {
        what: "Taken together",
        choice: names(&group.value),
        names: Vec::new(),
        because: group.because.clone(),
    }));
    blocks.push(Block::Why(why));
    let section = Section { id: "snapshots", title: "Snapshots and how long they stay", blocks };
    (!all.is_empty()).then_some(section)
}

fn is_taken(subvolume: &SubvolumeStrategy) -> bool {
    subvolume.snapshots.value.is_some()
}

/// What holds besides the rules of each subvolume.
fn rules(report: &Report<'_>) -> Vec<Line> {
    let strategy = report.strategy;
    let mut rules: Vec<Line> = strategy.groups.iter().map(|group| together(&names(&group.value))).collect();
    let keeps: Vec<_> = strategy.subvolumes.iter().filter_map(|s| s.keep.as_ref()).map(|keep| &keep.value).collect();
    let tags: BTreeSet<&String> = keeps.iter().flat_map(|keep| &keep.tags).collect();
    for tag in tags {
        rules.push(vec![
            Span::text("A snapshot with the tag "),
            Span::code(tag),
            Span::text(" stays until the tag is taken off."),
        ]);
    }
    let newest: BTreeSet<u32> = keeps.iter().map(|keep| keep.newest.get()).collect();
    if let Some(least) = newest.first() {
        rules.push(says(format!("The newest {least} of each subvolume always stay, and what a target still needs.")));
    }
    let copies = words::keep(&retention_of_copies());
    rules.push(says(format!("Of copies on Btrfs disks and other hosts stay {copies}.")));
    let without: Vec<_> = strategy.subvolumes.iter().filter(|s| !is_taken(s)).map(|s| s.name.clone()).collect();
    if !without.is_empty() {
        let mut line = says("No snapshots are taken of ");
        line.extend(names(&without));
        line.push(Span::text("."));
        rules.push(line);
    }
    rules
}

fn together(names: &Line) -> Line {
    let mut line = names.clone();
    line.push(Span::text(" are snapshotted together, at one moment."));
    line
}
