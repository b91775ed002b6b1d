//! The named points at which the crash harness kills the process: each is in the list, and each is in the code, once.

use std::collections::BTreeMap;

use crate::findings::Findings;
use crate::tree::{TREE, file};

const LIST: &str = "crates/model/src/crash.rs";
const CALL: &str = "crash::point(\"";

/// The names in the list, with their lines.
fn listed() -> BTreeMap<&'static str, usize> {
    let text = &file(LIST).text;
    let from = text.lines().position(|line| line.starts_with("pub const POINTS")).unwrap();
    let names = text.lines().enumerate().skip(from + 1).take_while(|(_, line)| !line.starts_with("];"));
    names.filter_map(|(index, line)| Some((line.trim().strip_prefix('"')?.strip_suffix("\",")?, index + 1))).collect()
}

/// The points in the product, with where they are.
fn passed() -> Vec<(&'static str, &'static str, usize)> {
    let mut found = Vec::new();
    for source in &TREE.sources {
        for ((index, line), test) in source.text.lines().enumerate().zip(&source.test) {
            let Some((_, rest)) = line.split_once(CALL).filter(|_| !test) else { continue };
            found.push((rest.split('"').next().unwrap(), source.path.as_str(), index + 1));
        }
    }
    found
}

#[test]
fn points_in_the_list_are_those_in_the_code() {
    let mut findings = Findings::default();
    let (listed, passed) = (listed(), passed());
    assert!(!listed.is_empty() && !passed.is_empty());
    for (name, path, line) in &passed {
        if !listed.contains_key(name) {
            findings.add(path, *line, format!("the point `{name}` is not in {LIST}"), "the harness walks the list");
        }
        if passed.iter().any(|(other, at, on)| other == name && (at, on) < (path, line)) {
            let why = "one name is one place, so that a failing test says where the process died";
            findings.add(path, *line, format!("the point `{name}` is passed in a second place"), why);
        }
    }
    for (name, line) in &listed {
        if !passed.iter().any(|(other, ..)| other == name) {
            let why = "the harness would wait for a death that never comes";
            findings.add(LIST, *line, format!("nothing passes the point `{name}`"), why);
        }
    }
    findings.settle();
}
