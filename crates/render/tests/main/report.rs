//! Reports: golden files of two hosts, nothing left out, and nothing that any name could break.

use std::collections::BTreeMap;

use proptest::prelude::*;
use subvault_plan::strategy::tier::Tier;
use subvault_plan::strategy::warning::Warning;
use subvault_render::report::document::Block;
use subvault_render::report::{Report, document, html, markdown};

use crate::golden::compare;
use crate::markup::{read_html, table_rows};
use crate::samples::{self, Sample};

#[test]
fn what_reports_say() {
    for (name, sample) in [("laptop", samples::laptop()), ("server", samples::server())] {
        compare(&format!("report/{name}.md"), &markdown(&sample.report()));
        compare(&format!("report/{name}.html"), &html(&sample.report()));
    }
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    let (one, other) = (samples::server(), samples::server());
    assert_eq!(html(&one.report()), html(&other.report()));
    assert_eq!(markdown(&one.report()), markdown(&other.report()));
}

/// Every reason that is in the strategy, wherever it is, is in the report.
#[test]
fn every_decision_has_its_reason_there() {
    for (name, sample) in samples::all() {
        let mut reasons = Vec::new();
        collect(&serde_json::to_value(&sample.strategy).unwrap(), &mut reasons);
        assert!(reasons.len() > 5, "{name}");
        let seen = read_html(&html(&sample.report())).replace('`', "");
        for reason in reasons {
            assert!(seen.contains(&visible(&reason).replace('`', "")), "{name}: {reason}");
        }
    }
}

fn collect(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            found.extend(fields.get("because").and_then(|because| because.as_str()).map(str::to_owned));
            fields.values().for_each(|field| collect(field, found));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

/// As `safe` shows it, for the letters that the samples have.
fn visible(text: &str) -> String {
    text.replace('\n', "\\n").replace('\u{202e}', "\\u{202e}")
}

#[test]
fn every_subvolume_target_and_warning_is_in_both() {
    for (name, sample) in samples::all() {
        let (seen, text) = (read_html(&html(&sample.report())), markdown(&sample.report()));
        let strategy = &sample.strategy;
        let names = strategy.subvolumes.iter().map(|subvolume| subvolume.name.to_string());
        for wanted in names.chain(strategy.targets.iter().map(|target| target.name.to_string())) {
            assert!(seen.contains(&wanted) && text.contains(&wanted), "{name}: {wanted}");
        }
        for tier in Tier::ALL.into_iter().filter(|tier| strategy.subvolumes.iter().any(|s| s.tier.value == *tier)) {
            assert!(seen.contains(tier.word()) && text.contains(tier.word()), "{name}: {tier}");
        }
        let warnings = seen.find("Warnings: ").or_else(|| seen.find("No warnings")).unwrap();
        assert!(warnings < seen.find("Critical: lose").unwrap_or(usize::MAX), "{name}: warnings come first");
        assert_eq!(text.matches("  What to do: ").count(), strategy.warnings.len(), "{name}");
    }
}

#[test]
fn a_strategy_without_warnings_says_so() {
    let mut sample = samples::laptop();
    sample.strategy.warnings.clear();
    assert!(html(&sample.report()).contains("No warnings") && markdown(&sample.report()).contains("## No warnings"));
}

#[test]
fn each_table_has_a_cell_for_each_column() {
    fn check(block: &Block) {
        match block {
            Block::Table(table) => {
                assert!(table.rows.iter().all(|row| row.len() == table.columns.len()), "{}", table.caption);
            }
            Block::Folded(_, inner) => inner.iter().for_each(check),
            _ => {}
        }
    }
    for (_, sample) in samples::all() {
        document(&sample.report()).sections.iter().flat_map(|section| &section.blocks).for_each(check);
    }
}

/// The marks of the time line are what a run keeps: their number is what the simulation has at a moment between two prunings.
#[test]
fn as_many_snapshots_are_drawn_as_are_kept() {
    let sample = samples::laptop();
    let drawn = html(&sample.report());
    let of = |name: &str| {
        let from = drawn.find("id=\"retention-wide-shows\"").unwrap();
        let said = &drawn[from..from + drawn[from..].find("</desc>").unwrap()];
        let of_name = said.split([';', '>']).find(|part| part.trim_start().starts_with(&format!("{name}: "))).unwrap();
        of_name.split(": ").nth(1).unwrap().split(' ').next().unwrap().parse::<usize>().unwrap()
    };
    let simulated: BTreeMap<String, usize> = {
        let last = sample.simulation.as_ref().unwrap().months.last().unwrap();
        last.snapshots.iter().map(|(name, count)| (name.to_string(), *count)).collect()
    };
    for name in ["root", "home", "var-log"] {
        // The simulation prunes once a day, and what is sent last stays as well.
        let (drawn, simulated) = (of(name), simulated[name]);
        assert!(simulated.abs_diff(drawn) <= 30 && drawn > 5, "{name}: {drawn} drawn, {simulated} simulated");
    }
}

/// Names that are markup somewhere, and bytes that are no text at all.
fn hostile_text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "<script>alert(1)</script>",
        "</title>",
        "</svg>",
        "]]>",
        "<!--",
        "&lt;",
        "&#x202e;",
        "\"",
        "'",
        "`",
        "``",
        "```",
        "|",
        "\\|",
        "\\",
        "\n",
        "\r",
        "\t",
        "\u{0}",
        "\u{1b}[31m",
        "\u{202e}",
        "\u{2066}",
        "\u{61c}",
        "\u{feff}",
        "\u{ffff}",
        "**",
        "](javascript:x)",
        "http://x",
        "#",
        "- ",
        "%",
        "é",
        "עברית",
        "𝄞",
        "a",
        " ",
    ]);
    prop::collection::vec(prop_oneof![pieces.prop_map(str::to_owned), any::<char>().prop_map(String::from)], 1..8)
        .prop_map(|pieces| pieces.concat())
}

fn hostile_path() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop::collection::vec(any::<u8>(), 0..4);
    (hostile_text(), bytes).prop_map(|(text, bytes)| [b"srv/".as_slice(), text.as_bytes(), &bytes].concat())
}

/// How tables and fences are, whatever things are called.
fn shape(markdown: &str) -> (Vec<usize>, usize, usize) {
    let cells = table_rows(markdown).iter().map(Vec::len).collect();
    let fences = markdown.lines().filter(|line| line.starts_with("```")).count();
    (cells, fences, markdown.lines().filter(|line| line.starts_with('#')).count())
}

fn is_hidden(letter: char) -> bool {
    letter != '\n' && (letter.is_control() || "\u{202e}\u{2066}\u{61c}\u{feff}\u{ffff}\u{200b}".contains(letter))
}

/// What is warned of is shortened by what is called differently, so that the shape stays.
fn check(sample: &Sample, expected: &(Vec<usize>, usize, usize)) {
    let report: Report<'_> = sample.report();
    let (html, markdown) = (html(&report), markdown(&report));
    read_html(&html);
    assert!(!html.contains(is_hidden) && !markdown.contains(is_hidden));
    assert_eq!(&shape(&markdown), expected, "{markdown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_name_breaks_out(text in hostile_text(), path in hostile_path()) {
        let plain = samples::hostile("plain", b"srv/plain");
        let expected = shape(&markdown(&plain.report()));
        let mut sample = samples::hostile(&text, &path);
        sample.strategy.warnings.clone_from(&plain.strategy.warnings);
        for warning in &mut sample.strategy.warnings {
            *warning = Warning::new(text.clone(), text.clone(), text.clone());
        }
        check(&sample, &expected);
    }
}
