//! `bench io`: on a real pool, what it tells has exactly the documented keys, and nothing is left behind, however it ends.
//! Ratios are told and never asserted: a loop device on a busy machine proves nothing about them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::world::{PROGRAM, Ran, World, finish, names, proved, text, tool, wait_for};

const SYSCTLS: [&str; 6] = [
    "vfs_cache_pressure",
    "dirty_ratio",
    "dirty_bytes",
    "dirty_background_ratio",
    "dirty_background_bytes",
    "swappiness",
];
const SMALL: [&str; 2] = ["--size=8MiB", "--rounds=2"];
/// So long that it has to be ended.
const LONG: [&str; 3] = ["--size=8MiB", "--rounds=20", "--sysctls"];

fn sysctls() -> Vec<String> {
    SYSCTLS.map(|name| fs::read_to_string(format!("/proc/sys/vm/{name}")).unwrap()).to_vec()
}

/// Everything that is mounted, with its options.
fn mounts(pool: &Path) -> String {
    let all = fs::read_to_string("/proc/self/mountinfo").unwrap();
    all.lines().filter(|line| line.contains(text(pool))).collect()
}

fn subvolumes(pool: &Path) -> Vec<String> {
    let all = tool(&["btrfs", "subvolume", "list", "-o", text(pool)]);
    all.lines().filter_map(|line| Some(line.split(" path ").nth(1)?.to_owned())).collect()
}

/// Parameters, mounts, subvolumes, names, content.
type Scene = (Vec<String>, String, Vec<String>, Vec<String>, Vec<u8>);

/// What was there before, and must be there afterwards.
fn scene(world: &World) -> Scene {
    let pool = world.pool.path();
    (sysctls(), mounts(&pool), subvolumes(&pool), names(&world.home()), fs::read(world.home().join("file")).unwrap())
}

fn run(world: &World, more: &[&str]) -> Ran {
    world.run(&[&["bench", "io", "--mode=io-optimized", "--path", text(&world.home())], &SMALL[..], more].concat())
}

fn world() -> World {
    let world = World::with_directory(768);
    world.write("file", 100_000);
    tool(&["sync", "-f", text(&world.home())]);
    world
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The keys in the table of the page for users, without those that are inside of others.
fn documented(after: &str) -> BTreeSet<&'static str> {
    let page = include_str!("../../../../docs/performance-modes.md");
    let table = page.split(after).nth(1).unwrap_or_else(|| panic!("no `{after}` in the page"));
    let lines = table.lines().skip_while(|line| !line.starts_with("| `")).take_while(|line| line.starts_with('|'));
    lines.flat_map(|line| line.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)).collect()
}

/// Parameters of the kernel are the machine's, so one test after the other changes them.
#[test]
fn it_measures_tells_what_is_documented_and_leaves_nothing() {
    let world = world();
    let before = scene(&world);
    let answer = run(&world, &["--json", "--sysctls"]).expect(0).json();
    assert_eq!(scene(&world), before);
    assert!(!world.state().join("bench-io.json").exists());
    assert_eq!(keys(&answer), documented("## For programs"), "{answer}");
    let workloads = answer["workloads"].as_array().unwrap();
    assert_eq!(workloads.len(), 5, "{answer}");
    for workload in workloads {
        assert_eq!(keys(workload), documented("Each of `workloads`"), "{answer}");
        for spread in ["now", "tuned", "ratio"] {
            assert_eq!(keys(&workload[spread]), BTreeSet::from(["high", "low", "median"]));
            assert!(workload[spread]["low"].as_f64().unwrap() > 0.0, "{answer}");
        }
    }
    let tried = answer["tried"].to_string();
    assert!(tried.contains("attribute C") && tried.contains("vm.dirty_ratio = 80"), "{answer}");
    let words = run(&world, &[]).expect(0);
    words.says(&["rewrite after a snapshot", "over all", "Tried", "Not tried", "--sysctls tries it", "io-optimized"]);
    assert_eq!(scene(&world), before);
    killed(&world, &before);
    asked_to_end(&world, &before);
    let overall = &answer["overall"];
    proved(&format!("bench io leaves nothing behind, killed or not; here it was {} ({overall})", answer["verdict"]));
}

/// As by `kill -9`, while the parameters are set: the next one takes all of it back, also when it is about another place.
fn killed(world: &World, before: &Scene) {
    for elsewhere in [false, true] {
        let home = world.home();
        let long = [&["bench", "io", "--mode=io-optimized", "--path", text(&home)], &LONG[..]].concat();
        let mut running = world.start(&long);
        let is_set = || fs::read_to_string("/proc/sys/vm/dirty_ratio").unwrap().trim() == "80";
        wait_for("the parameters to be set", is_set);
        running.kill();
        assert!(is_set() && world.state().join("bench-io.json").exists());
        let mut left = names(&world.home());
        left.retain(|name| name.starts_with(".subvault-bench."));
        assert!((2..=3).contains(&left.len()), "{left:?}");
        // What is said to be tried is.
        for name in &left {
            let is_nocow =
                tool(&["lsattr", "-d", text(&world.home().join(name))]).split(' ').next().unwrap().contains('C');
            assert_eq!(is_nocow, !name.ends_with(".now"), "{name}");
        }
        let place = if elsewhere { world.snapshots() } else { world.home() };
        let again = world
            .run(&[&["bench", "io", "--mode=io-optimized", "--json", "--path", text(&place)], &SMALL[..]].concat());
        let again = again.expect(0).says(&["put back what a measurement left", "scratch subvolumes"]).json();
        assert!(again["put_back"].to_string().contains("(was still vm.dirty_ratio = 80)"), "{again}");
        assert_eq!(&scene(world), before);
        assert!(!world.state().join("bench-io.json").exists());
    }
}

/// By a signal that asks: it puts back all by itself.
fn asked_to_end(world: &World, before: &Scene) {
    let mut command = Command::new("timeout");
    command.args(["--preserve-status", "-s", "TERM", "4", PROGRAM, "bench", "io", "--mode=io-optimized", "--path"]);
    let ran = finish(command.arg(world.home()).args(LONG).env("SUBVAULT_CONFIG", world.config()));
    ran.expect(3).says(&["a signal asked to end", "put back"]);
    assert_eq!(&scene(world), before);
    assert!(!world.state().join("bench-io.json").exists());
}

#[test]
fn wrong_inputs_say_what_to_do() {
    let world = world();
    let before = (subvolumes(&world.pool.path()), names(&world.home()));
    let home = world.home();
    let io = |args: &[&str]| world.run(&[&["bench", "io"], args].concat());
    io(&[]).expect(1).says(&["--mode"]);
    io(&["--mode", "fast"]).expect(1).says(&["io-optimized and space-optimized"]);
    io(&["--mode", "io-optimized", "--rounds", "1"]).expect(1).says(&["2..=50"]);
    io(&["--mode", "io-optimized", "--workload", "games"]).expect(1).says(&["no workload", "database"]);
    io(&["--mode", "io-optimized", "--size", "16KiB"]).expect(1).says(&["tells nothing", "--size 4 MiB"]);
    io(&["--mode", "io-optimized", "--path", "/nonexistent"]).expect(1).says(&["--path DIR"]);
    io(&["--mode", "io-optimized", "--path", text(&home.join("file"))]).expect(1).says(&["not a directory"]);
    io(&["--mode", "io-optimized", "--path", "/proc"]).expect(1).says(&["Btrfs"]);
    let large = io(&["--mode", "io-optimized", "--path", text(&home), "--size", "700MiB"]);
    large.expect(3).says(&["2.08 GiB have to be free", "a smaller --size"]);
    // The pool compresses already, with another level.
    let same = ["--mode", "space-optimized", "--path", text(&home)];
    io(&same).expect(1).says(&["changes nothing", "level 3", "--workload"]);
    // What it was before is as it was.
    world.run(&["bench", "home", "--target", "disk", "--limit", "1MiB"]).expect(0).says(&["end to end"]);
    world.run(&["bench", "--help"]).expect(0).says(&["bench io", "--target"]);
    assert_eq!((subvolumes(&world.pool.path()), names(&world.home())), before);
    proved("wrong inputs of bench io say what to do, and change nothing");
}
