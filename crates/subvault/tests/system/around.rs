//! `subvault around`: a pair of snapshots, the command's exit code and signals, and nothing left when it cannot start.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::world::{PROGRAM, World, finish, names, next_second, proved, text, wait_for};

fn notes(world: &World) -> Vec<Value> {
    let files = names(&world.snapshots()).into_iter().filter(|name| name.ends_with(".note.json"));
    files.map(|name| serde_json::from_slice(&fs::read(world.snapshots().join(name)).unwrap()).unwrap()).collect()
}

fn snapshots(world: &World) -> usize {
    names(&world.snapshots()).iter().filter(|name| !name.ends_with(".json")).count()
}

#[test]
fn a_pair_tells_what_the_command_changed() {
    let world = World::with_directory(512);
    world.write("before", 10);
    let made = world.home().join("made by it");
    let ran = world.run(&["around", "-m", "a try", "--", "touch", text(&made)]).expect(0);
    assert_eq!(ran.out, "");
    world.write("later", 10);
    let notes = notes(&world);
    assert_eq!(notes.len(), 2);
    let of = |key: &str| notes.iter().map(|note| note["pair"][key].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    // Both can be of one second.
    let sides: BTreeSet<String> = of("side").into_iter().collect();
    assert_eq!(sides, BTreeSet::from(["before".to_owned(), "after".to_owned()]));
    assert_eq!(of("command"), vec![format!("touch {}", text(&made)); 2]);
    let id = &of("id")[0];
    assert!(ran.err.contains(&format!("subvault diff --pair {id}")), "{}", ran.err);
    for pair in ["last", id] {
        let shown = world.run(&["diff", "--pair", pair]).expect(0);
        assert!(shown.out.contains("made by it") && !shown.out.contains("later"), "{}", shown.out);
        assert_eq!(shown.out.lines().count(), 2);
    }
    next_second();
    world.run(&["around", "--", "rm", text(&made)]).expect(0);
    let last = world.run(&["diff", "--pair", "last", "--json"]).expect(0).json();
    assert_eq!(last[0]["changes"][0]["change"], "deleted");
    assert!(world.run(&["diff", "--pair", id]).expect(0).out.contains("+"));
    world.run(&["diff", "--pair", "none"]).expect(1).says(&["no such pair"]);
    proved("around: a pair of snapshots whose difference is what the command did, by its id and as the last one");
}

#[test]
fn the_command_ends_as_if_we_were_not_there() {
    let world = World::with_directory(512);
    let shell = |script: &str| world.run(&["around", "--", "sh", "-c", script]);
    shell("echo out; echo err >&2; exit 42").expect(42).says(&["out", "err"]);
    assert_eq!(snapshots(&world), 2, "a command that failed has a pair as well");
    shell("kill -KILL $$").expect(137);
    // A signal to us goes to the command, and the snapshot after it is taken all the same.
    let before = snapshots(&world);
    shell("trap 'exit 7' TERM; kill -TERM $PPID; sleep 20 & wait").expect(7);
    assert_eq!(snapshots(&world), before + 2);
    proved("around: exit code, output and signals are the command's");
}

#[test]
fn what_cannot_be_started_leaves_nothing() {
    let world = World::with_directory(512);
    world.run(&["around", "--", "/nowhere/program"]).expect(3).says(&["cannot run /nowhere/program"]);
    assert_eq!(names(&world.snapshots()), Vec::<String>::new());
    world.run(&["around"]).expect(1);
    world.run(&["around", "--subvolume", "hoem", "--", "true"]).expect(1).says(&["there is no subvolume `hoem`"]);
    let made = world.home().join("made");
    world.run(&["around", "--dry-run", "--", "touch", text(&made)]).expect(0).says(&["run touch"]);
    assert!(!made.exists() && names(&world.snapshots()).is_empty());
    // Without a snapshot before it, the command is not run.
    let away = world.pool.path().join("away");
    fs::rename(world.home(), &away).unwrap();
    let mark = world.dir.path().join("mark");
    world.run(&["around", "--", "touch", text(&mark)]).expect(3).says(&["was not run"]);
    assert!(!mark.exists());
    proved("around: without a command or a snapshot nothing happens, and nothing is left");
}

#[test]
fn other_runs_come_in_between() {
    let world = World::with_directory(512);
    let go = world.dir.path().join("go");
    let script = format!("while [ ! -e {} ]; do sleep 0.1; done", text(&go));
    let mut command = Command::new(PROGRAM);
    command.env("SUBVAULT_CONFIG", world.config()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let running = command.args(["around", "--", "sh", "-c", &script]).spawn().unwrap();
    wait_for("the snapshot before", || snapshots(&world) == 1);
    // It may still be about to let go of the lock.
    wait_for("the lock", || world.run(&["archive"]).code == Some(0));
    // While another run holds the lock, the snapshot after the command waits.
    let lock = fs::File::options().write(true).open(world.state().join("lock")).unwrap();
    lock.lock().unwrap();
    let before = snapshots(&world);
    fs::write(&go, "").unwrap();
    std::thread::sleep(Duration::from_millis(800));
    assert_eq!(snapshots(&world), before);
    drop(lock);
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("waiting: "), "{said}");
    assert_eq!(snapshots(&world), before + 1);
    proved("around: other runs come in between, and its second snapshot waits for them");
}

/// A killed `around` leaves a snapshot before the command, which is as good as any, and half a pair.
#[test]
fn half_a_pair_is_compared_with_the_present() {
    let world = World::with_directory(512);
    let mut command = Command::new(PROGRAM);
    command.env("SUBVAULT_CONFIG", world.config()).env("TZ", "UTC");
    let made = world.home().join("made");
    let script = format!("touch {}; kill -KILL $PPID", text(&made));
    let ran = finish(command.args(["around", "--", "sh", "-c", &script]));
    assert_eq!(ran.code, None, "{}", ran.err);
    assert_eq!(snapshots(&world), 1);
    world.run(&["diff", "--pair", "last"]).expect(0).says(&["made", "home now"]);
    world.archive();
    proved("around: killed in between, its snapshot is used and compared with the present");
}
