//! When and how copies leave the host, and where they go.

use subvault_plan::strategy::TargetStrategy;
use subvault_plan::strategy::sending::Conditions;

use super::{cell, named, names, reason, says, table};
use crate::report::document::{Block, Cell, Picture, Section};
use crate::report::{Report, words};

/// How the picture is to be read.
const HOW: &str = "The broader a line, the more often something goes along it.";

/// The section.
pub(super) fn section(report: &Report<'_>) -> Section {
    let strategy = report.strategy;
    let mut blocks = Vec::new();
    if strategy.targets.is_empty() {
        blocks.push(Block::Paragraph(says("There is no target: nothing leaves this host.")));
    } else {
        let about = "From subvolumes to snapshots on their own pool, and from there to targets.";
        blocks.extend([Block::Paragraph(says(about)), Block::Picture(Picture::Flow, HOW)]);
        let heads = ["Target", "What it is", "What is sent there", "When"];
        blocks.push(table("Targets", &heads, strategy.targets.iter().map(target).collect()));
    }
    blocks.push(table("How copies leave the host", &["Setting", "Value"], settings(report)));
    let sending = &strategy.sending;
    blocks.push(Block::Why(vec![
        reason("Begins", &sending.start, |minute| says(words::time(*minute))),
        reason("Bandwidth", &sending.bandwidth, |bandwidth| says(bandwidth.unwrap_or("as fast as it can"))),
        reason("Conditions", &sending.conditions, |conditions| says(condition(*conditions))),
        reason("Chains", &sending.chains, |(days, stay)| says(format!("a new one after {days} days, {stay} stay"))),
    ]));
    Section { id: "sending", title: "What is sent where", blocks }
}

fn target(target: &TargetStrategy) -> Vec<Cell> {
    let when = match &target.schedule {
        None => "each subvolume at its own time".to_owned(),
        Some(None) => "when asked for".to_owned(),
        Some(Some(calendar)) => words::calendar(calendar),
    };
    let kind = match words::target_kind(&target.kind) {
        (kind, None) => cell(kind),
        (kind, Some(detail)) => cell(format!("{kind} ({detail})")),
    };
    vec![named(&target.name), kind, vec![names(&target.subvolumes)], cell(when)]
}

fn settings(report: &Report<'_>) -> Vec<Vec<Cell>> {
    let sending = &report.strategy.sending;
    let window = sending.window;
    let (from, to, weekends) = (words::time(window.from), words::time(window.to), words::time(window.to_on_weekends));
    let (days, stay) = sending.chains.value;
    let rows = [
        ("Window", format!("{from} to {to}, on weekends to {weekends}")),
        ("Begins", words::time(sending.start.value)),
        ("Bandwidth", sending.bandwidth.value.unwrap_or("as fast as it can").to_owned()),
        ("Conditions", condition(sending.conditions.value)),
        ("Chains", format!("a new one after {days} days; the last {stay} stay")),
    ];
    rows.into_iter().map(|(setting, value)| vec![cell(setting), cell(value)]).collect()
}

fn condition(conditions: Conditions) -> String {
    let battery = conditions.battery_percent_min.map(|least| format!("on mains, or with {least} % in the battery"));
    let network = conditions.unmetered.then(|| "over a network that is not paid for by the byte".to_owned());
    let parts: Vec<String> = battery.into_iter().chain(network).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join("; ") }
}
