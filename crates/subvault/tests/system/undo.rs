//! Changes taken back: everything, a part, what came between two snapshots; and what must not be touched.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::tree::{ROUNDS, Tree};
use crate::world::{World, names, next_second, proved, text, tool};

fn snapshot(world: &World, moment: &str) -> PathBuf {
    let path = world.snapshots().join(format!("home.{moment}"));
    tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(&world.home()), text(&path)]);
    path
}

/// Everything that `find`, `getfattr` and `sha256sum` tell, but the times of directories, which change with each name that
/// comes and goes, and inode flags, which no copy carries.
fn told(top: &Path) -> Vec<String> {
    let script = r"find . ! -type d -printf '%y %m %U %G %s %T@ %n %P -> %l\0'; find . -type d -printf '%y %m %U %G %P\0';
        find . -type f -print0 | sort -z | xargs -0 sha256sum -z; find . -print0 | sort -z | xargs -0 getfattr -hd -m- -e hex --";
    let output = std::process::Command::new("sh").args(["-c", script]).current_dir(top).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut lines: Vec<String> =
        output.stdout.split(|byte| *byte == 0).map(|line| line.escape_ascii().to_string()).collect();
    lines.sort();
    lines
}

#[track_caller]
fn assert_told(wanted: &Path, found: &Path, what: &str) {
    let (one, other) = (told(wanted), told(found));
    let only =
        |x: &[String], y: &[String]| x.iter().filter(|line| !y.contains(line)).cloned().collect::<Vec<_>>().join("\n");
    assert!(one == other, "{what}\nonly then:\n{}\nonly now:\n{}", only(&one, &other), only(&other, &one));
}

#[test]
fn every_kind_of_change_is_taken_back() {
    let world = World::with_directory(2048);
    let tree = Tree::new(world.home(), 120);
    tree.round(0);
    let mut steps = 0;
    let mut before = snapshot(&world, "20261101T100000Z");
    for round in 1..ROUNDS {
        tree.round(round);
        let now = snapshot(&world, &format!("202611{:02}T110000Z", round + 1));
        let name = before.file_name().unwrap().to_str().unwrap().to_owned();
        let answer = world.run(&["undo", &name, "--yes", "--json"]).expect(0).json();
        steps += answer["report"]["done"].as_array().unwrap().len();
        assert_told(&before, &world.home(), &format!("round {round}"));
        // And the undo is undone.
        let kept = answer["report"]["kept"].as_str().unwrap().to_owned();
        world.run(&["undo", &kept, "--yes"]).expect(0);
        assert_told(&now, &world.home(), &format!("round {round} again"));
        next_second();
        before = now;
    }
    // All of it at once.
    world.run(&["undo", "home.20261101T100000Z", "--yes"]).expect(0);
    assert_told(&world.snapshots().join("home.20261101T100000Z"), &world.home(), "all rounds");
    world.run(&["undo", "home.20261101T100000Z", "--yes"]).expect(0).says(&["nothing is to be done"]);
    proved(&format!("{} rounds of every kind of change are taken back and put again, in {steps} steps", ROUNDS - 1));
}

#[test]
fn names_come_back_through_swaps_and_rings() {
    let world = World::with_directory(512);
    let home = world.home();
    for dir in ["a/in", "b", "c", "gone/deep", "keep"] {
        fs::create_dir_all(home.join(dir)).unwrap();
    }
    for file in ["a/in/file", "b/file", "c/file", "one", "two", "gone/deep/file", "gone/moved", "keep/x"] {
        fs::write(home.join(file), file).unwrap();
    }
    let before = snapshot(&world, "20261101T100000Z");
    let rename = |from: &str, to: &str| fs::rename(home.join(from), home.join(to)).unwrap();
    // A ring of three, a swap, a directory into another, and a new thing under an old name.
    rename("a", "t");
    rename("b", "a");
    rename("c", "b");
    rename("t", "c");
    renameat_with(CWD, home.join("one"), CWD, home.join("two"), RenameFlags::EXCHANGE).unwrap();
    rename("gone/moved", "keep/moved");
    fs::remove_dir_all(home.join("gone")).unwrap();
    fs::create_dir(home.join("new")).unwrap();
    rename("keep", "new/keep");
    fs::write(home.join("keep"), b"a file now").unwrap();
    rename("c/in/file", "new/file");
    fs::write(home.join("c/in/file"), b"another").unwrap();
    fs::write(home.join("new/keep/x"), b"changed").unwrap();
    world.run(&["undo", "home", "--yes"]).expect(0);
    assert_told(&before, &home, "names");
    assert_eq!(
        fs::metadata(home.join("a/in/file")).unwrap().ino(),
        fs::metadata(before.join("a/in/file")).unwrap().ino()
    );
    proved("rings, swaps, moved directories and names that others got come back, and stay the same files");
}

#[test]
fn what_was_changed_again_is_left_alone() {
    let world = World::with_directory(512);
    let home = world.home();
    let write = |name: &str, content: &str| fs::write(home.join(name), content).unwrap();
    ["changed", "again", "deleted", "came"].iter().for_each(|name| write(name, "then"));
    fs::create_dir_all(home.join("dir/sub")).unwrap();
    write("dir/sub/file", "then");
    snapshot(&world, "20261101T100000Z");
    ["changed", "again", "made", "made too"].iter().for_each(|name| write(name, "after that"));
    ["deleted", "came"].iter().for_each(|name| fs::remove_file(home.join(name)).unwrap());
    fs::create_dir(home.join("fresh")).unwrap();
    write("fresh/file", "new");
    fs::set_permissions(home.join("dir/sub/file"), fs::Permissions::from_mode(0o600)).unwrap();
    snapshot(&world, "20261102T100000Z");
    write("again", "and again, later");
    write("made too", "and again, later");
    write("came", "something else");
    write("fresh/later", "not there then");
    write("unrelated", "later");
    let undo = ["undo", "home.20261101T100000Z", "home.20261102T100000Z"];
    let with = |more: &[&str]| world.run(&[&undo[..], more].concat());
    with(&["-n"]).expect(0).says(&[
        "leave      again",
        "leave      made too",
        "leave      came",
        "remove     made (file)",
    ]);
    with(&[]).expect(1).says(&["--yes"]);
    assert_eq!(world.snapshot_names().len(), 2);
    let ran = with(&["--yes"]).expect(2).says(&["3 paths were changed again", "not there then"]);
    assert!(ran.err.contains("fresh"), "{}", ran.err);
    let read = |name: &str| fs::read_to_string(home.join(name)).unwrap();
    assert_eq!([read("changed"), read("deleted"), read("dir/sub/file")], ["then", "then", "then"]);
    assert_eq!(fs::metadata(home.join("dir/sub/file")).unwrap().mode() & 0o777, 0o644);
    assert_eq!([read("again"), read("made too"), read("came")].map(|text| text.len()), [16, 16, 14]);
    assert_eq!((names(&home.join("fresh")), read("unrelated")), (vec!["later".to_owned()], "later".to_owned()));
    assert!(!home.join("made").exists());
    // Only what lies in a directory.
    next_second();
    fs::remove_file(home.join("fresh/later")).unwrap();
    with(&["--yes", "--force", "--", "again"]).expect(0);
    assert_eq!([read("again"), read("came")], ["then", "something else"]);
    next_second();
    with(&["--yes", "--force"]).expect(0);
    assert_eq!(read("came"), "then");
    assert!(!home.join("made too").exists() && !home.join("fresh").exists() && home.join("unrelated").exists());
    proved("what was changed again is told and left alone, also what is new in a directory; --force takes it back");
}

#[test]
fn a_path_is_taken_back_by_itself() {
    let world = World::with_directory(512);
    let home = world.home();
    fs::create_dir_all(home.join("old/deep")).unwrap();
    fs::create_dir(home.join("gone")).unwrap();
    ["old/deep/file", "old/file", "gone/one", "gone/two", "other"]
        .iter()
        .for_each(|n| fs::write(home.join(n), n).unwrap());
    snapshot(&world, "20261101T100000Z");
    fs::rename(home.join("old"), home.join("new")).unwrap();
    ["new/deep/file", "new/file", "other"].iter().for_each(|name| fs::write(home.join(name), b"x").unwrap());
    fs::remove_dir_all(home.join("gone")).unwrap();
    // Below a directory that keeps its new name.
    world.run(&["undo", "home@2026-11-01", "--yes", "--", "new/deep"]).expect(0);
    assert_eq!(fs::read(home.join("new/deep/file")).unwrap(), b"old/deep/file");
    assert_eq!(fs::read(home.join("new/file")).unwrap(), b"x");
    next_second();
    world.run(&["undo", "home", "--yes", "--", text(&home.join("gone/two"))]).expect(0);
    assert_eq!(
        (names(&home.join("gone")), fs::read(home.join("other")).unwrap()),
        (vec!["two".to_owned()], b"x".to_vec())
    );
    world.run(&["undo", "home", "--", "../x"]).expect(1);
    world.run(&["undo", "nothing"]).expect(1);
    world.run(&["undo", "home@2026-10-01"]).expect(3).says(&["old enough"]);
    proved("one path is taken back below directories that keep their new names or that are gone");
}

#[test]
fn our_own_directory_in_the_subvolume_is_left_alone() {
    let world = World::with_directory(512);
    let (config, home) = (fs::read_to_string(world.config()).unwrap(), world.home());
    let inside = home.join(".subvault");
    fs::write(world.config(), config.replace(&format!("snapshots = {:?}\n", world.snapshots()), "")).unwrap();
    fs::write(home.join("file"), b"then").unwrap();
    world.run(&["snapshot", "--description", "first"]).expect(0);
    next_second();
    fs::write(home.join("file"), b"now").unwrap();
    world.run(&["snapshot", "--description", "second"]).expect(0);
    let before = names(&inside);
    assert_eq!(before.len(), 4, "two snapshots and a note on each: {before:?}");
    next_second();
    world.run(&["undo", &before[0], "--yes"]).expect(0).says(&["file"]);
    assert_eq!(fs::read(home.join("file")).unwrap(), b"then");
    let after = names(&inside);
    assert!(before.iter().all(|name| after.contains(name)), "{before:?} {after:?}");
    // Given again, it means the same, although another snapshot is the newest by now.
    world.run(&["undo", "home", "--yes"]).expect(0);
    assert_eq!(fs::read(home.join("file")).unwrap(), b"now");
    world.run(&["restore", "home:", "--dry-run"]).expect(0).says(&["already as they were"]);
    // All of it elsewhere, and without what is ours.
    let elsewhere = world.dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    world.run(&["restore", "home:", "--to", text(&elsewhere)]).expect(0);
    assert_eq!(names(&elsewhere.join("home")), ["file"]);
    proved("snapshots and notes that lie inside of a subvolume are not among its changes");
}

#[test]
fn what_a_command_changed_is_taken_back_by_its_pair() {
    let world = World::with_directory(512);
    let home = world.home();
    fs::write(home.join("kept"), b"then").unwrap();
    fs::write(home.join("gone"), b"then").unwrap();
    let script = format!("cd {} && rm gone && echo new >made && echo changed >kept", text(&home));
    world.run(&["around", "--", "sh", "-c", &script]).expect(0);
    fs::write(home.join("later"), b"not by the command").unwrap();
    let list = world.run(&["undo", "--pair", "last", "--dry-run", "--json"]).expect(0).json();
    assert_eq!(list[0]["plan"]["steps"].as_array().unwrap().len(), 4, "{list}");
    world.run(&["undo", "--pair", "last", "--yes"]).expect(0).says(&["remove     made", "the state before is kept"]);
    assert_eq!([fs::read(home.join("kept")).unwrap(), fs::read(home.join("gone")).unwrap()], [b"then", b"then"]);
    assert!(!home.join("made").exists() && home.join("later").exists());
    world.run(&["undo", "--pair", "last", "--yes"]).expect(0).says(&["taken back already"]);
    world.run(&["undo", "--pair", "no such"]).expect(1);
    world.run(&["undo"]).expect(1);
    proved("what a command changed is taken back by its pair, and nothing that came later");
}

#[test]
fn what_was_turned_inside_out_is_taken_back() {
    let world = World::with_directory(256);
    let home = world.home();
    for dir in ["outer/inner", "flat"] {
        fs::create_dir_all(home.join(dir)).unwrap();
    }
    for file in ["outer/file", "outer/inner/file", "flat/file"] {
        fs::write(home.join(file), file).unwrap();
    }
    let before = snapshot(&world, "20261101T100000Z");
    let rename = |from: &str, to: &str| fs::rename(home.join(from), home.join(to)).unwrap();
    // The inner directory around the outer one, and a file in the place of the directory that it was in.
    rename("outer/inner", "t");
    rename("outer", "t/within");
    rename("t", "outer");
    rename("flat/file", "t");
    fs::remove_dir(home.join("flat")).unwrap();
    rename("t", "flat");
    let after = snapshot(&world, "20261101T110000Z");
    let answer = world.run(&["undo", "home.20261101T100000Z", "--yes", "--json"]).expect(0).json();
    assert_told(&before, &home, "inside out");
    let kept = answer["report"]["kept"].as_str().unwrap();
    world.run(&["undo", kept, "--yes"]).expect(0);
    assert_told(&after, &home, "and again");
    proved(
        "a directory inside of what was in it, and a file in the place of its directory, are taken back and put again",
    );
}
