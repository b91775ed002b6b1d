//! `run`, `snapshot`, `prune`: what is due is done, once; what stays is told with its reasons; what is marked stays.

use std::fs;

use serde_json::Value;

use crate::world::{Ran, World, next_second, proved, text, tool};

/// `home` to a directory, with these lines for the whole and for the subvolume.
fn configure(world: &World, whole: &str, of_home: &str, of_target: &str) {
    let (state, home, snapshots) = (world.state(), world.home(), world.snapshots());
    let target = world.directory_target("disk", &world.encrypted(of_target));
    let config = format!(
        "{whole}\n[host]\nname = \"laptop\"\nstate = {state:?}\ntime_zone = \"UTC\"\n\n[[subvolume]]\nname = \"home\"\n\
        path = {home:?}\nsnapshots = {snapshots:?}\n{of_home}\n{target}"
    );
    fs::write(world.config(), config).unwrap();
}

/// Makes a snapshot seem to be taken at another time.
fn date_back(world: &World, from: &str, to: &str) {
    fs::rename(world.snapshots().join(from), world.snapshots().join(to)).unwrap();
}

fn steps(ran: &Ran) -> Vec<String> {
    let answer = ran.json();
    let all = answer["steps"].as_array().unwrap().clone();
    all.iter().map(|s| s["planned"]["step"].as_str().unwrap().to_owned()).collect()
}

fn run(world: &World) -> Ran {
    world.run(&["run", "--json"]).expect(0)
}

#[test]
fn what_a_change_can_be_undone_with_stays() {
    let world = World::new(256);
    configure(&world, "", "keep = { newest = 1, hourly = 0, daily = 0, weekly = 0, monthly = 0 }", "");
    world.write("file", 1000);
    world.run(&["snapshot"]).expect(0);
    next_second();
    world.write("file", 2000);
    world.run(&["restore", "home:file", "--overwrite", "--yes"]).expect(0).says(&["the state before is kept"]);
    next_second();
    world.run(&["around", "--", "true"]).expect(0);
    for _ in 0..2 {
        next_second();
        world.run(&["snapshot"]).expect(0);
    }
    let kept = world.run(&["prune", "--dry-run"]).expect(0);
    kept.says(&["a change of the last 30 days can be undone with it"]);
    world.run(&["prune"]).expect(0);
    let left = world.snapshot_names().into_iter().filter(|name| !name.ends_with("json")).count();
    assert_eq!(left, 4, "the newest, the state before the restore, and both sides of the pair");
    world.run(&["undo", "--pair", "last", "--dry-run"]).expect(0);
    proved("what a restore replaced, and both sides of a command, are not pruned for 30 days");
}

#[test]
fn a_run_does_what_is_due_and_once() {
    let world = World::new(256);
    configure(&world, "", "", "schedule = \"*-*-* *:*:0/2\"\n");
    world.write("file", 100_000);
    let first = run(&world);
    assert_eq!(steps(&first), ["take_snapshot", "send_stream"]);
    let next = first.json()["next"].clone();
    let works: Vec<&Value> = next.as_array().unwrap().iter().map(|n| &n["what"]).collect();
    assert_eq!(*works[0], serde_json::json!({ "send": "disk" }));
    assert_eq!(*works[1], serde_json::json!({ "snapshot": ["home"] }));
    assert!(next[1]["at"].as_str().unwrap().ends_with(":00:00Z"), "{next}");
    // Nothing new, though the target's time has come.
    next_second();
    next_second();
    assert_eq!(steps(&run(&world)), [""; 0]);
    world.run(&["run"]).expect(0).says(&["NEXT", "send to disk", "snapshot of home"]);
    // An hour without a snapshot: it is due, and what is new is sent.
    let name = world.snapshot_names().pop().unwrap();
    date_back(&world, &name, "home.20200101T000000Z");
    let later = run(&world);
    assert_eq!(steps(&later), ["take_snapshot", "send_stream"]);
    assert_eq!(later.json()["steps"][1]["result"]["kind"], "incremental");
    proved("a run takes and sends what is due, does nothing twice, and says what comes next");
}

#[test]
fn what_waits_for_its_target_is_sent_without_a_new_snapshot() {
    let world = World::new(256);
    configure(&world, "", "", "schedule = \"*-*-* *:*:0/2\"\n");
    world.write("file", 100_000);
    fs::rename(world.store(), world.dir.path().join("away")).unwrap();
    world.run(&["run"]).expect(2).says(&["disk", "does not exist"]);
    for _ in 0..2 {
        world.run(&["run"]).expect(3).says(&["disk", "does not exist"]);
    }
    assert_eq!(world.snapshot_names().len(), 1, "one snapshot is due in an hour, however often a target is away");
    fs::rename(world.dir.path().join("away"), world.store()).unwrap();
    let found = run(&world);
    assert_eq!(steps(&found), ["send_stream"]);
    proved("a target that was away gets the newest snapshot when it is back");
}

#[test]
fn retention_is_explained_and_marks_are_kept() {
    let world = World::new(256);
    configure(&world, "[keep]\nnewest = 1\nhourly = 0\ndaily = 2\nweekly = 0\nmonthly = 0\n", "", "");
    for date in ["20200101T080000Z", "20200101T090000Z", "20200102T100000Z", "20200103T110000Z", "20990101T000000Z"] {
        world.run(&["snapshot"]).expect(0);
        let name =
            world.snapshot_names().into_iter().find(|n| n.starts_with("home.202") && !n.starts_with("home.2020"));
        date_back(&world, &name.unwrap(), &format!("home.{date}"));
    }
    world.run(&["snapshot", "--keep", "-m", "before the move"]).expect(0);
    let marked = world.snapshot_names().into_iter().find(|n| n.ends_with(".note.json")).unwrap();
    let marked = marked.trim_end_matches(".note.json").to_owned();
    date_back(&world, &marked, "home.20200101T070000Z");
    date_back(&world, &format!("{marked}.note.json"), "home.20200101T070000Z.note.json");
    let dry = world.run(&["prune", "--dry-run", "--json"]).expect(0).json();
    let kept = |name: &str| -> Vec<String> {
        let all = dry["kept"].as_array().unwrap();
        let found = all.iter().find(|k| k["name"] == name).map(|k| k["because"].as_array().unwrap().clone());
        found.unwrap_or_default().iter().map(|b| b.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kept("home.20990101T000000Z"), ["dated in the future"]);
    assert_eq!(kept("home.20200103T110000Z"), ["one of the newest", "first of this day"]);
    assert_eq!(kept("home.20200102T100000Z"), ["first of the day, number 2"]);
    // Made last, as its number in the pool says, whatever it is dated.
    assert_eq!(kept("home.20200101T070000Z"), ["one of the newest", "tagged keep"]);
    world.run(&["prune", "--dry-run"]).expect(0).says(&[
        "STAYS",
        "tagged keep",
        "delete    snapshot home.20200101T080000Z",
    ]);
    world.run(&["prune"]).expect(0);
    let left = world.snapshot_names();
    assert_eq!(
        left,
        [
            "home.20200101T070000Z",
            "home.20200101T070000Z.note.json",
            "home.20200102T100000Z",
            "home.20200103T110000Z",
            "home.20990101T000000Z"
        ]
    );
    world.run(&["prune", "--json"]).expect(0);
    assert_eq!(world.snapshot_names(), left, "pruning again changes nothing");
    proved("prune tells which rule keeps each snapshot, deletes the others, and keeps what is marked");
}

#[test]
fn retention_is_shorter_while_space_is_short() {
    let world = World::new(256);
    let keep = "[keep]\nnewest = 1\nhourly = 9\ndaily = 0\nweekly = 0\nmonthly = 9\n";
    let line = |yellow: &str, red: &str| {
        let space = format!(
            "[space]\nyellow = \"{yellow}\"\nred = \"{red}\"\nkeep = {{ hourly = 1, daily = 0, weekly = 0, monthly = 1 }}\n"
        );
        configure(&world, &format!("{keep}{space}"), "targets = []\n", "");
    };
    line("0 %", "0 %");
    world.write("file", 1_000_000);
    for date in ["20200101T080000Z", "20200101T090000Z", "20200201T100000Z", "20200201T110000Z"] {
        world.run(&["snapshot"]).expect(0);
        let name = world.snapshot_names().into_iter().find(|n| !n.starts_with("home.2020")).unwrap();
        date_back(&world, &name, &format!("home.{date}"));
    }
    world.run(&["prune"]).expect(0);
    assert_eq!(world.snapshot_names().len(), 4);
    line("100 %", "0 %");
    world.run(&["prune"]).expect(0).says(&["space gets short"]);
    assert_eq!(
        world.snapshot_names(),
        ["home.20200101T080000Z", "home.20200201T100000Z", "home.20200201T110000Z"],
        "hours go, months stay"
    );
    line("100 %", "100 %");
    world.run(&["prune"]).expect(0).says(&["space is about to run out"]);
    assert_eq!(world.snapshot_names(), ["home.20200201T100000Z", "home.20200201T110000Z"], "the floor stays");
    proved("retention shortens below the yellow and the red line, and never below the floor");
}

#[test]
fn what_was_made_writable_and_what_others_made_stays() {
    let world = World::new(256);
    configure(&world, "[keep]\nnewest = 1\nhourly = 0\ndaily = 0\nweekly = 0\nmonthly = 0\n", "targets = []\n", "");
    for _ in 0..3 {
        world.run(&["snapshot"]).expect(0);
        next_second();
    }
    let names = world.snapshot_names();
    let [first, second] = [0, 1].map(|i| world.snapshots().join(&names[i]));
    tool(&["btrfs", "property", "set", text(&first), "ro", "false"]);
    tool(&[
        "btrfs",
        "-q",
        "subvolume",
        "snapshot",
        "-r",
        text(&world.home()),
        text(&world.snapshots().join("home.mine")),
    ]);
    world.run(&["prune", "--dry-run"]).expect(0).says(&["it was made writable"]);
    world.run(&["prune"]).expect(0);
    assert!(first.exists() && !second.exists() && world.snapshots().join("home.mine").exists());
    proved("a snapshot that was made writable is never deleted, nor one that others made");
}

#[test]
fn subvolumes_inside_are_reported_or_included() {
    let world = World::new(256);
    fs::create_dir(world.home().join("ada")).unwrap();
    for inner in ["cache", "ada/mail"] {
        tool(&["btrfs", "-q", "subvolume", "create", text(&world.home().join(inner))]);
    }
    fs::write(world.home().join("ada/mail/letter"), "dear").unwrap();
    configure(&world, "", "targets = []\n", "");
    let reported = world.run(&["snapshot"]).expect(0);
    for inner in ["cache", "ada/mail"] {
        let what = format!("{} is a subvolume of its own", text(&world.home().join(inner)));
        assert!(reported.out.contains(&what), "{}", reported.out);
    }
    configure(&world, "", "targets = []\nnested = \"ignore\"\n", "");
    assert!(!world.run(&["snapshot"]).expect(0).out.contains("of its own"));
    configure(&world, "", "targets = []\nnested = \"include\"\n", "");
    let included = world.run(&["snapshot", "--json"]).expect(0).json();
    let taken: Vec<&str> =
        included["steps"].as_array().unwrap().iter().map(|s| s["planned"]["subvolume"].as_str().unwrap()).collect();
    assert_eq!(taken, ["home", "home+cache", "home+ada+mail"]);
    let of_mail = world.snapshot_names().into_iter().find(|n| n.starts_with("home+ada+mail.2")).unwrap();
    assert_eq!(fs::read(world.snapshots().join(of_mail).join("letter")).unwrap(), b"dear");
    assert!(included["steps"][2]["result"]["skew_ms"].is_u64());
    proved("subvolumes inside of others are reported, or snapshotted with them");
}
