//! What came of it, for people: a table, what was tried and what was not, and the one sentence last.

use subvault_model::bytesize::ByteSize;
use subvault_model::io_test::IoUnit;
use subvault_plan::io_bench::judge::{Compared, Spread};

use super::Answer;
use crate::output::{size, table};

pub(super) fn describe(answer: &Answer) -> String {
    let mut table = table::new(&["work", ">now", ">", ">tuned", ">", ">ratio", "in the rounds"]);
    for compared in &answer.judged.workloads {
        table.add_row(row(compared));
    }
    let [ratio, between] = times(&answer.judged.overall);
    table.add_row(["over all", "", "", "", "", &ratio, &between]);
    let mut text = format!(
        "{}, used as {}: {} rounds in {} with a file of {}\n\n{}",
        answer.mode,
        answer.workload.word(),
        answer.rounds,
        answer.directory,
        answer.size,
        table::text(&table)
    );
    list(&mut text, "Tried", answer.tried.iter().cloned());
    list(&mut text, "Not tried", answer.not_tried.iter().map(|left| format!("{}: {}", left.what, left.why)));
    text.push_str(&format!("\n{}\n", answer.judged.sentence));
    text
}

fn list(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.map(|line| format!("  {line}\n")).collect();
    if !lines.is_empty() {
        text.push_str(&format!("\n{title}\n{}", lines.concat()));
    }
}

fn row(compared: &Compared) -> [String; 7] {
    let [ratio, between] = times(&compared.ratio);
    let rate = |spread: &Spread| rate(spread.median, compared.unit);
    // How far apart the rounds were, as a part of what is in the middle.
    let noise = |spread: &Spread| format!("±{:.0} %", (spread.high - spread.low) / spread.median * 50.0);
    let (now, tuned) = (&compared.now, &compared.tuned);
    [compared.name.to_string(), rate(now), noise(now), rate(tuned), noise(tuned), ratio, between]
}

fn times(ratio: &Spread) -> [String; 2] {
    [format!("{:.2}×", ratio.median), format!("{:.2}× … {:.2}×", ratio.low, ratio.high)]
}

fn rate(value: f64, unit: IoUnit) -> String {
    match unit {
        IoUnit::OperationsPerSecond => format!("{value:.0}/s"),
        IoUnit::BytesPerSecond => size::rate(ByteSize::mib(1), f64::from(1 << 20) / value),
    }
}
