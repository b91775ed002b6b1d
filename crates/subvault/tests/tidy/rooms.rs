//! Which room may import which. Dependencies point down; what a room cannot import, it cannot come to rely on.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::findings::Findings;
use crate::lexer::words;
use crate::tree::{TREE, file, top};

/// A room, what it may import, and why not more.
struct Room {
    name: &'static str,
    may: &'static [&'static str],
    why: &'static str,
}

const ROOMS: &[Room] = &[
    Room { name: "model", may: &[], why: "it is the vocabulary; whoever speaks it must not have to know more" },
    Room { name: "plan", may: &["model"], why: "decisions are pure: values in, values out" },
    Room { name: "sendstream", may: &["model"], why: "it is a codec and knows neither files nor stores" },
    Room { name: "store", may: &["model"], why: "it holds objects and must not know what they mean" },
    Room {
        name: "archive",
        may: &["store", "sendstream", "model"],
        why: "it knows objects and byte streams, never Btrfs; and it decides nothing",
    },
    Room {
        name: "host",
        may: &["model", "sendstream"],
        why: "it does what it is told on this machine; receiving applies the codec's commands",
    },
    Room {
        name: "jobs",
        may: &["plan", "archive", "store", "host", "sendstream", "model"],
        why: "it joins what decides with what acts; it is below the binary",
    },
    Room { name: "render", may: &["plan", "model"], why: "it writes decisions down and touches nothing" },
    Room {
        name: "subvault",
        may: &["render", "jobs", "archive", "store", "sendstream", "host", "plan", "model"],
        why: "it is the program",
    },
    Room { name: "testkit", may: &["model"], why: "fakes must not share the code that they are to catch" },
];

const TESTKIT: &str = "testkit";
const TESTKIT_WHY: &str = "testkit is for tests alone: fakes and damage must never be in what is handed to users";

fn room_of(package: &str) -> Option<&str> {
    match package.replace('_', "-").as_str() {
        "subvault" => Some("subvault"),
        _ => package.strip_prefix("subvault-").or_else(|| package.strip_prefix("subvault_")),
    }
}

fn room(name: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.name == name)
}

/// Why `from` may not import `to`, if it may not.
fn objection(from: &Room, to: &str, for_tests: bool) -> Option<String> {
    let allowed = from.name == to || from.may.contains(&to) || (for_tests && to == TESTKIT);
    if allowed {
        return None;
    }
    Some(if to == TESTKIT { TESTKIT_WHY.to_owned() } else { format!("{}: {}", from.name, from.why) })
}

#[test]
fn every_room_is_known() {
    let mut findings = Findings::default();
    let there: BTreeSet<String> = std::fs::read_dir(top().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let known: BTreeSet<String> = ROOMS.iter().map(|room| room.name.to_owned()).collect();
    for odd in there.symmetric_difference(&known) {
        let path = format!("crates/{odd}");
        findings.add(
            &path,
            1,
            "a room that the matrix does not have, or has in vain",
            "a new room needs a decision page",
        );
    }
    findings.settle();
}

#[test]
fn manifests_keep_to_the_matrix() {
    let mut findings = Findings::default();
    for room in ROOMS {
        let path = format!("crates/{}/Cargo.toml", room.name);
        let text = &file(&path).text;
        let manifest: Table = text.parse().unwrap();
        for (table, for_tests) in [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)] {
            for name in dependencies(&manifest, table) {
                let Some(objection) = room_of(&name).and_then(|to| objection(room, to, for_tests)) else { continue };
                let line = 1 + text.lines().position(|line| line.starts_with(&name)).unwrap_or(0);
                findings.add(&path, line, format!("{} must not depend on {name}", room.name), objection);
            }
        }
    }
    findings.settle();
}

/// The names in a table of dependencies, those for single targets among them.
fn dependencies(manifest: &Table, table: &str) -> Vec<String> {
    let names = |value: Option<&Value>| -> Vec<String> {
        value.and_then(Value::as_table).map(|table| table.keys().cloned().collect()).unwrap_or_default()
    };
    let mut found = names(manifest.get(table));
    for target in manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values) {
        found.extend(names(target.get(table)));
    }
    found
}

#[test]
fn sources_keep_to_the_matrix() {
    let mut findings = Findings::default();
    for source in &TREE.sources {
        let Some(from) = source.room().and_then(room) else { continue };
        // What testkit is made of is for tests, but it is a room like the others.
        let own_tests = |test: bool| test && from.name != TESTKIT;
        for (line, code, test) in source.lines() {
            let rooms = words(code).filter(|word| word.starts_with("subvault_")).filter_map(room_of);
            for to in rooms.filter(|to| room(to).is_some()) {
                if let Some(objection) = objection(from, to, own_tests(test)) {
                    findings.add(&source.path, line, format!("{} must not import {to}", from.name), objection);
                }
            }
            if code.trim_start().starts_with("pub use subvault_") {
                let why = "a name has one home, so that the import list tells what a file depends on";
                findings.add(&source.path, line, "a room must not re-export another room's names", why);
            }
        }
    }
    findings.settle();
}

#[test]
fn the_matrix_tells_right_from_wrong() {
    let objects = |from: &str, to: &str, tests| objection(room(from).unwrap(), to, tests).is_some();
    assert!(objects("plan", "host", false) && objects("archive", "plan", true) && objects("model", "plan", false));
    assert!(objects("store", TESTKIT, false) && !objects("store", TESTKIT, true));
    assert!(!objects("jobs", "plan", false) && !objects("plan", "plan", false));
    assert_eq!(room_of("subvault-model"), Some("model"));
    assert_eq!(room_of("subvault_host"), Some("host"));
    assert_eq!(room_of("serde"), None);
}

/// No cycle can be written into the matrix itself.
#[test]
fn the_matrix_points_down() {
    fn below<'a>(name: &'a str, seen: &mut Vec<&'a str>) {
        assert!(!seen.contains(&name), "a cycle: {seen:?} {name}");
        seen.push(name);
        room(name).unwrap().may.iter().for_each(|to| below(to, seen));
        seen.pop();
    }
    ROOMS.iter().for_each(|room| below(room.name, &mut Vec::new()));
}
