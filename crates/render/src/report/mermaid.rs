//! The layout and the flow of data as text that Mermaid draws. Nodes are numbered; what they are called is only shown.

use super::flow::{LINKED_ROWS_MAX, Often, Row, often, rows, sent};
use super::safe::mermaid;
use super::tree::{Kind, Node, tree};
use super::{Report, words};

/// Disks, pools and subvolumes.
pub(super) fn layout(report: &Report<'_>) -> String {
    let mut text = String::from("flowchart LR\n");
    let mut number = 0;
    for root in tree(report).roots {
        node(&mut text, &mut number, &root);
    }
    text
}

/// Writes a node and what is on it; gives its number.
fn node(text: &mut String, number: &mut usize, of: &Node) -> usize {
    let own = *number;
    *number += 1;
    let tier = of.tier.map(|tier| tier.word().to_owned());
    let lines = std::iter::once(of.name.clone()).chain(of.details.iter().cloned()).chain(tier);
    let label = lines.map(|line| mermaid(&line)).collect::<Vec<_>>().join("<br>");
    let (open, close) = match of.kind {
        Kind::Disk => ("[(", ")]"),
        Kind::Pool | Kind::Partition => ("[", "]"),
        Kind::Subvolume => ("(", ")"),
    };
    text.push_str(&format!("    n{own}{open}\"{label}\"{close}\n"));
    for child in &of.children {
        let below = node(text, number, child);
        let arrow = if child.is_faint { "-.-" } else { "---" };
        text.push_str(&format!("    n{own} {arrow} n{below}\n"));
    }
    own
}

/// Subvolumes, their snapshots, and targets.
pub(super) fn flow(report: &Report<'_>) -> String {
    let strategy = report.strategy;
    let mut text = String::from("flowchart LR\n");
    let rows = rows(strategy.subvolumes.iter(), LINKED_ROWS_MAX, |s| (s.snapshots.value.clone(), sent(strategy, s)));
    for (number, row) in rows.rows.iter().enumerate() {
        flow_of(report, &mut text, number, row);
    }
    for (number, target) in strategy.targets.iter().enumerate() {
        let (kind, detail) = words::target_kind(&target.kind);
        let lines = [target.name.to_string(), kind.to_owned()].into_iter().chain(detail);
        let label = lines.map(|line| mermaid(&line)).collect::<Vec<_>>().join("<br>");
        text.push_str(&format!("    t{number}[(\"{label}\")]\n"));
    }
    text
}

fn flow_of(report: &Report<'_>, text: &mut String, number: usize, row: &Row<'_>) {
    let strategy = report.strategy;
    let label = [row.name(), row.tier().word().to_owned()].map(|line| mermaid(&line)).join("<br>");
    text.push_str(&format!("    s{number}(\"{label}\")\n"));
    let from = match &row.first.snapshots.value {
        Some(calendar) => {
            let label = mermaid(&format!("snapshots {}", words::calendar(calendar).replace('`', "")));
            text.push_str(&format!("    p{number}[\"{label}\"]\n    s{number} --> p{number}\n"));
            "p"
        }
        None => "s",
    };
    for sent in sent(strategy, row.first) {
        let Some(target) = strategy.targets.iter().position(|target| target.name == *sent.target) else { continue };
        let often = sent.calendar.map(|calendar| often(report, calendar).unwrap_or(Often::Rarely));
        let word = often.map_or("when asked for", Often::word);
        text.push_str(&format!("    {from}{number} -->|{word}| t{target}\n"));
    }
}
