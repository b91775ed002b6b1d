//! What `--dry-run` and `--json` print of a plan. `UPDATE_GOLDEN=1 cargo test` writes the files anew.

use std::path::Path;

use subvault_plan::gc;
use subvault_plan::observed::{Observed, ObservedTarget, Unfinished};
use subvault_plan::policy::Policy;
use subvault_plan::restore;
use subvault_plan::run::plan;

use crate::fixtures::{archive, at, chain, day, full_name, home, observed, policy, snap, unfinished};

#[expect(clippy::disallowed_methods, reason = "the planner does no I/O, its golden files lie on a disk")]
pub(crate) fn compare(file: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/main/golden").join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap();
    assert_eq!(found, wanted, "{file}");
}

fn compare_plan(file: &str, policy: &Policy, seen: &Observed, now: i64) {
    let plan = plan(policy, seen, &archive(), day(now));
    let mut text = String::new();
    for planned in &plan.steps {
        text.push_str(&format!("{}  ({})\n", planned.step, planned.because));
    }
    for note in &plan.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    compare(&format!("{file}.txt"), &text);
    compare(&format!("{file}.json"), &(serde_json::to_string_pretty(&plan).unwrap() + "\n"));
}

#[test]
fn a_first_run() {
    let seen = observed(vec![], vec![at("nas", vec![]), at("usb", vec![])]);
    compare_plan("first-run", &policy(&["nas", "usb"], 1), &seen, 3);
}

/// One target resumes, one gives up, one has a wrong pointer, one was not seen.
#[test]
fn a_troubled_run() {
    let begun = |name, settings| ObservedTarget {
        unfinished: Some(Unfinished { same_settings: settings, ..unfinished(3, Some(2)) }),
        ..at(name, chain(1, &[1, 2]))
    };
    let behind = ObservedTarget { pointer: Some(full_name(1)), ..at("usb", chain(1, &[1, 2])) };
    let seen = observed(vec![snap(1), snap(2), snap(3)], vec![begun("nas", true), begun("cloud", false), behind]);
    compare_plan("troubled-run", &policy(&["nas", "cloud", "usb", "attic"], 1), &seen, 42);
    compare_plan("resumed-run", &policy(&["nas", "cloud", "usb"], 1), &seen, 5);
}

#[test]
fn a_restore_and_a_collection() {
    let mut streams = chain(1, &[1, 2]);
    let wanted = restore::plan(&home(), &streams, Some(day(2))).unwrap();
    compare("restore.json", &(serde_json::to_string_pretty(&wanted).unwrap() + "\n"));
    streams.extend(chain(2, &[10]));
    let object = |s: &subvault_model::stream::StreamSummary| gc::SeenObject {
        key: format!("laptop/home/{}/chunk-00000.zst.age", s.name),
        bytes: s.stored_bytes,
        stream: s.name.clone(),
    };
    let seen = gc::SeenStore {
        subvolume: home(),
        objects: streams.iter().map(object).collect(),
        streams,
        unreadable: Default::default(),
        incomplete: Default::default(),
        uploads: vec![gc::SeenUpload { key: "laptop/home/x".to_owned(), index: 0, stream: full_name(30) }],
        unfinished: Default::default(),
    };
    let plan = gc::plan(&crate::fixtures::archive_policy(), &seen, day(60));
    compare("gc.json", &(serde_json::to_string_pretty(&plan).unwrap() + "\n"));
}
