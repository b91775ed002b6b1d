//! `--json`: the keys that scripts rely on; and `--dry-run`: that nothing is changed.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use crate::detect::of_pool;
use crate::oracle::{Described, describe};
use crate::world::{World, contents, next_second, proved, text};

/// The paths of all keys, of all elements of arrays together.
fn keys(value: &Value) -> String {
    fn collect(value: &Value, path: &str, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                for (key, below) in map {
                    collect(below, &format!("{path}.{key}"), into);
                }
            }
            Value::Array(all) if all.is_empty() => drop(into.insert(format!("{path}[]"))),
            Value::Array(all) => all.iter().for_each(|below| collect(below, &format!("{path}[]"), into)),
            _ => drop(into.insert(path.to_owned())),
        }
    }
    let mut found = BTreeSet::new();
    collect(value, "", &mut found);
    found.into_iter().collect::<Vec<_>>().join(" ")
}

/// What the keys of an answer are.
fn answered(world: &World, args: &[&str], code: i32) -> String {
    keys(&world.run(&[&["--json", "--quiet"], args].concat()).expect(code).json())
}

#[test]
fn answers_have_the_keys_that_scripts_rely_on() {
    let world = World::with_directory(512);
    world.write("file", 100_000);
    let mut all = Vec::new();
    let mut note = |what: &str, keys: String| all.push(format!("{what}: {keys}"));
    note("archive --dry-run", answered(&world, &["archive", "--dry-run"], 0));
    note("archive full", answered(&world, &["archive"], 0));
    next_second();
    note("archive incremental", answered(&world, &["archive"], 0));
    note("list", answered(&world, &["list"], 0));
    note("verify", answered(&world, &["verify", "--all"], 0));
    note("gc --dry-run", answered(&world, &["gc", "--dry-run"], 0));
    note("gc", answered(&world, &["gc"], 0));
    let (to, key) = (world.back(), world.key());
    let restore = ["restore", "home", "--from", "disk", "--to", text(&to), "-i", text(&key)];
    note("restore --dry-run", answered(&world, &[&restore[..], &["--dry-run"]].concat(), 0));
    note("restore", answered(&world, &restore, 0));
    note("init --dry-run", answered(&world, &["init", "--dry-run"], 0));
    world.write("more", 1000);
    note("diff", answered(&world, &["diff", "home"], 0));
    note("around", answered(&world, &["around", "--", "true"], 0));
    let forget = ["forget-path", "home:file", "--live", "--rebase", "all"];
    note("forget-path --dry-run", answered(&world, &[&forget[..], &["--dry-run"]].concat(), 0));
    note("forget-path", answered(&world, &[&forget[..], &["--yes"]].concat(), 0));
    let report = concat!(env!("CARGO_MANIFEST_DIR"), "/../host/tests/main/facter/desktop.json");
    note("detect --facter", answered(&world, &["detect", "--facter", report], 0));
    note("detect, of a pool", keys(&of_pool(&world.run(&["detect", "--json"]).expect(0).json(), &world.pool.path())));
    let refused = world.run(&[&restore[..], &["--json"]].concat()).expect(3);
    assert_eq!(refused.out, "");
    note("an error", keys(&serde_json::from_str(&refused.err).unwrap()));
    let wanted = include_str!("json_keys.txt");
    assert_eq!(all.join("\n"), wanted.trim_end(), "\n{}", all.join("\n"));
    proved(&format!("{} JSON answers have exactly the keys of the golden list", all.len()));
}

/// Everything that a dry run could change.
pub(crate) fn all_of(world: &World) -> (Described, Vec<(String, Vec<u8>)>) {
    (describe(&world.pool.path()), contents(world.dir.path()))
}

#[test]
fn a_dry_run_changes_nothing() {
    let world = World::with_directory(512);
    world.write("file", 100_000);
    let (to, key): (PathBuf, PathBuf) = (world.back(), world.key());
    let mut tried = 0;
    let mut nothing_changes = |args: &[&str]| {
        let before = all_of(&world);
        let ran = world.run(args).expect(0);
        assert!(before == all_of(&world), "{args:?} changed something:\n{}", ran.out);
        tried += 1;
    };
    nothing_changes(&["archive", "--dry-run"]);
    world.archive();
    next_second();
    world.write("file", 90_000);
    world.run(&["archive", "--full"]).expect(0);
    world.run(&["archive", "--full"]).expect(0);
    nothing_changes(&["archive", "-n"]);
    nothing_changes(&["archive", "-n", "--full"]);
    nothing_changes(&["gc", "--dry-run"]);
    nothing_changes(&["around", "--dry-run", "--", "false"]);
    nothing_changes(&["restore", "home", "--from", "disk", "--dry-run", "--to", text(&to), "-i", text(&key)]);
    nothing_changes(&["init", "--dry-run"]);
    nothing_changes(&["list"]);
    nothing_changes(&["detect"]);
    nothing_changes(&["verify", "--all"]);
    proved(&format!("{tried} dry runs and reading verbs changed no byte of pool, store and state"));
}
