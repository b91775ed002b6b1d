//! Hooks around groups: their order, their failures, and what becomes of them when a run dies.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::world::{World, names, next_second, proved, subvault_with, text, tool};

/// Two subvolumes in a group with hooks, and one alone.
fn configure(world: &World, hooks: &str, of_group: &str) {
    let state = world.state();
    let mut config = format!("[host]\nname = \"laptop\"\nstate = {state:?}\n");
    for name in ["data", "log", "alone"] {
        let path = world.pool.path().join(name);
        if !path.exists() {
            tool(&["btrfs", "-q", "subvolume", "create", text(&path)]);
        }
        config.push_str(&format!(
            "[[subvolume]]\nname = \"{name}\"\npath = {path:?}\nsnapshots = {:?}\n",
            world.snapshots()
        ));
    }
    config
        .push_str(&format!("[[group]]\nname = \"db\"\nsubvolumes = [\"data\", \"log\"]\nhooks = {of_group}\n{hooks}"));
    fs::write(world.config(), config).unwrap();
}

fn log(world: &World) -> PathBuf {
    world.dir.path().join("log")
}

/// A hook that writes words into the log, with how many snapshots there are.
fn noting(world: &World, name: &str, more: &str) -> String {
    let (log, snapshots) = (log(world), world.snapshots());
    let word = |word: &str| {
        format!("[\"sh\", \"-c\", \"echo {name} {word} $(ls {} | grep -vc note) >> {}\"]", text(&snapshots), text(&log))
    };
    format!("[[hook]]\nname = \"{name}\"\nbefore = {}\nafter = {}\n{more}\n", word("before"), word("after"))
}

fn logged(world: &World) -> Vec<String> {
    let text = fs::read_to_string(log(world)).unwrap_or_default();
    let _ = fs::remove_file(log(world));
    text.lines().map(str::to_owned).collect()
}

fn outcomes(answer: &Value) -> Vec<(String, String)> {
    let word = |step: &Value, key: &str| step[key].as_str().unwrap_or_default().to_owned();
    let steps = answer["steps"].as_array().unwrap();
    steps.iter().map(|s| (word(&s["planned"], "step"), word(s, "outcome"))).collect()
}

#[test]
fn hooks_are_around_the_snapshots_of_their_group() {
    let world = World::new(256);
    configure(&world, &(noting(&world, "one", "") + &noting(&world, "two", "")), "[\"one\", \"two\"]");
    let answer = world.run(&["snapshot", "--json"]).expect(0).json();
    assert_eq!(logged(&world), ["one before 0", "two before 0", "two after 2", "one after 2"]);
    assert_eq!(world.snapshot_names().iter().filter(|n| !n.ends_with("json")).count(), 3);
    let skews: Vec<u64> =
        answer["steps"].as_array().unwrap().iter().filter_map(|s| s["result"]["skew_ms"].as_u64()).collect();
    assert_eq!(skews.len(), 2);
    assert_eq!(skews[0], 0);
    let note = world.snapshot_names().into_iter().find(|n| n.starts_with("log.") && n.ends_with(".json")).unwrap();
    let note: Value = serde_json::from_slice(&fs::read(world.snapshots().join(note)).unwrap()).unwrap();
    assert_eq!(note["group"]["name"], "db");
    assert_eq!(note["group"]["skew_ms"], skews[1]);
    assert_eq!(note["group"]["hooks"], serde_json::json!(["one", "two"]));
    proved("a group's snapshots are taken inside of its hooks, and how far apart they are is recorded");
}

#[test]
fn a_group_of_which_one_is_away_is_left_alone() {
    let world = World::new(256);
    configure(&world, &noting(&world, "one", ""), "[\"one\"]");
    fs::rename(world.pool.path().join("log"), world.pool.path().join("away")).unwrap();
    world.run(&["snapshot", "--dry-run"]).expect(2).says(&["db: log could not be looked at"]);
    world.run(&["snapshot"]).expect(2);
    assert_eq!(logged(&world), [""; 0]);
    let taken: Vec<String> = world.snapshot_names().into_iter().filter(|name| !name.ends_with("json")).collect();
    assert!(taken.len() == 1 && taken[0].starts_with("alone."), "{taken:?}");
    proved("a group of which a member cannot be looked at is left alone, and all others are taken");
}

#[test]
fn a_hook_that_fails_keeps_its_group_back_or_not() {
    let world = World::new(256);
    let failing = |policy: &str| {
        let log = log(&world);
        format!(
            "[[hook]]\nname = \"bad\"\nbefore = [\"sh\", \"-c\", \"echo no route >&2; exit 7\"]\n\
            after = [\"sh\", \"-c\", \"echo bad after >> {}\"]\non_failure = \"{policy}\"\n",
            text(&log)
        )
    };
    configure(&world, &(failing("skip") + &noting(&world, "two", "")), "[\"bad\", \"two\"]");
    let ran = world.run(&["snapshot", "--json"]).expect(2);
    let done = |word: &str, outcome: &str| (word.to_owned(), outcome.to_owned());
    assert_eq!(
        outcomes(&ran.json()),
        [
            done("begin_hook", "failed"),
            done("begin_hook", "left_out"),
            done("take_snapshot", "left_out"),
            done("take_snapshot", "left_out"),
            done("end_hook", "done"),
            done("end_hook", "done"),
            done("take_snapshot", "done"),
        ]
    );
    assert!(ran.err.contains("exit status: 7: no route"), "{}", ran.err);
    assert_eq!(logged(&world), ["bad after"], "what may have come half way is ended, what was not begun is not");
    assert_eq!(world.snapshot_names().len(), 1);
    next_second();
    configure(&world, &failing("continue"), "[\"bad\"]");
    world.run(&["snapshot"]).expect(2);
    assert_eq!(world.snapshot_names().iter().filter(|n| !n.ends_with("json")).count(), 4);
    let slow = "[[hook]]\nname = \"slow\"\nbefore = [\"sleep\", \"60\"]\ntimeout = \"300 milliseconds\"\n";
    configure(&world, slow, "[\"slow\"]");
    world.run(&["snapshot"]).expect(2).says(&["did not end within 300ms"]);
    assert_eq!(names(&world.state().join("hooks/db")), [""; 0]);
    proved("a failing hook keeps its group back or not, as it says, and never the others");
}

#[test]
fn a_run_that_dies_inside_of_a_hook_is_ended_by_the_next() {
    let world = World::new(256);
    configure(&world, &noting(&world, "one", ""), "[\"one\"]");
    for (point, before) in
        [("hook-opening", &[][..]), ("hook-begun", &["one before 0"]), ("snapshot-taken:2", &["one before 0"])]
    {
        let died = subvault_with(&world.config(), &["snapshot"], &[("SUBVAULT_CRASH_AT", point)]);
        assert_eq!(died.code, None, "{point}: {}", died.err);
        assert_eq!(logged(&world), before, "{point}");
        assert_eq!(names(&world.state().join("hooks/db")), ["one"], "{point}");
        world.run(&["prune"]).expect(0);
        let ended = logged(&world);
        assert!(ended.len() == 1 && ended[0].starts_with("one after"), "{point}: {ended:?}");
        assert_eq!(names(&world.state().join("hooks/db")), [""; 0], "{point}");
        for name in world.snapshot_names() {
            let path = world.snapshots().join(name);
            if path.is_dir() {
                tool(&["btrfs", "-q", "subvolume", "delete", text(&path)]);
            } else {
                fs::remove_file(path).unwrap();
            }
        }
    }
    // What is held loses its input with the run, and lets go by itself.
    let mark = world.dir.path().join("let-go");
    let held =
        format!("[[hook]]\nname = \"held\"\nhold = [\"sh\", \"-c\", \"echo held; cat; touch {}\"]\n", text(&mark));
    configure(&world, &held, "[\"held\"]");
    let died = subvault_with(&world.config(), &["snapshot"], &[("SUBVAULT_CRASH_AT", "hook-begun")]);
    assert_eq!(died.code, None);
    crate::world::wait_for("the held hook to let go", || mark.exists());
    proved("a run that dies inside of a hook: the next run ends it, and what was held lets go by itself");
}
