//! The module has an option for every key of the configuration's page, and for nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::evaluate::{evaluate, nix, stub};

const PAGE: &str = include_str!("../../../../../docs/configuration.md");

/// The keys of each table of the page, by its heading.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let keys = |section: &str| {
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        rows.map(str::to_owned).collect()
    };
    let sections = PAGE.split("\n## `").skip(1);
    sections.map(|section| (section.split('`').next().unwrap().to_owned(), keys(section))).collect()
}

fn known() -> BTreeMap<String, BTreeSet<String>> {
    let keys = format!("(import {}/lib/keys.nix {{ lib = {}; }}).tables", nix().display(), stub());
    let names = format!("builtins.mapAttrs (_: builtins.attrNames) {keys}");
    serde_json::from_value(evaluate(&names).unwrap()).unwrap()
}

#[test]
fn the_options_are_the_keys_of_the_page() {
    assert!(documented().len() >= 12, "the page was not understood");
    assert_eq!(known(), documented());
}

/// The description of an option is what the page says of its key.
#[test]
fn the_options_say_what_the_page_says() {
    let page =
        format!("import {}/lib/page.nix {{ text = builtins.readFile {0}/../docs/configuration.md; }}", nix().display());
    let found: BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>> =
        serde_json::from_value(evaluate(&page).unwrap()).unwrap();
    let mut seen = 0;
    for row in PAGE.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (key, rest) = row.split_once("` |").unwrap();
        let (default, meaning) = rest.strip_suffix(" |").unwrap().split_once(" | ").unwrap_or_default();
        let is_it = |table: &BTreeMap<String, BTreeMap<String, String>>| {
            table.get(key).is_some_and(|found| found["meaning"] == meaning && found["default"] == default.trim())
        };
        assert!(found.values().any(is_it), "`{key}`");
        seen += 1;
    }
    assert!(seen > 60, "the page was not understood");
}
