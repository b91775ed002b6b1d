//! `subvault diff`: the list against a walk of both sides, what it can be asked for, and that it leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::oracle::describe;
use crate::tree::{ROUNDS, Tree};
use crate::world::{PROGRAM, World, finish, names, next_second, proved, text, tool};

/// What a walk says of one name.
#[derive(Debug, PartialEq)]
struct Seen {
    inode: u64,
    content: Vec<u8>,
    metadata: (u32, u32, u32),
    modified: Option<(i64, i64)>,
}

type Walked = BTreeMap<Vec<u8>, Seen>;

fn walk(top: &Path) -> Walked {
    let mut found = Walked::new();
    let mut left = vec![PathBuf::new()];
    while let Some(relative) = left.pop() {
        let path = top.join(&relative);
        let stat = path.symlink_metadata().unwrap();
        let is_directory = stat.is_dir();
        let content = match stat.file_type() {
            kind if kind.is_file() => fs::read(&path).unwrap(),
            kind if kind.is_symlink() => fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec(),
            _ => Vec::new(),
        };
        if is_directory {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| relative.join(entry.unwrap().file_name())));
        }
        let seen = Seen {
            inode: stat.ino(),
            content,
            metadata: (stat.mode(), stat.uid(), stat.gid()),
            // Those of directories follow from their names.
            modified: (!is_directory).then(|| (stat.mtime(), stat.mtime_nsec())),
        };
        found.insert(relative.as_os_str().as_bytes().to_vec(), seen);
    }
    found
}

/// A path of a JSON answer as bytes.
fn bytes(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = value.as_str().unwrap().as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escape = if first == b'\\' { after.first() } else { None };
        match escape {
            Some(b'x') => {
                out.push(u8::from_str_radix(std::str::from_utf8(&after[1..3]).unwrap(), 16).unwrap());
                rest = &after[3..];
            }
            Some(b'\\') => {
                out.push(b'\\');
                rest = &after[1..];
            }
            _ => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

/// The new names of what the list says of the old ones.
fn forecast(changes: &[Value], old: &Walked) -> BTreeMap<Vec<u8>, u64> {
    let of = |kind: &'static str| changes.iter().filter(move |change| change["change"] == kind);
    let before =
        |change: &Value| if change["from"].is_null() { bytes(&change["path"]) } else { bytes(&change["from"]) };
    let renamed: BTreeMap<Vec<u8>, Vec<u8>> = of("renamed").map(|c| (bytes(&c["from"]), bytes(&c["path"]))).collect();
    let gone: BTreeSet<Vec<u8>> = of("deleted").chain(of("replaced")).map(before).collect();
    let mut expected = BTreeMap::new();
    for (path, seen) in old {
        let mut at = Some(path.clone());
        let mut rest: Vec<u8> = Vec::new();
        // Up to where something happened.
        while let Some(path) = &at {
            if gone.contains(path) || renamed.contains_key(path) || path.is_empty() {
                break;
            }
            let slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            rest = [&path[slash..], &rest].concat();
            at = Some(path[..slash].to_vec());
        }
        let at = at.unwrap();
        if !gone.contains(&at) {
            let to = renamed.get(&at).cloned().unwrap_or(at);
            let joined = [to.as_slice(), &rest].concat();
            expected.insert(joined.strip_prefix(b"/").unwrap_or(&joined).to_vec(), seen.inode);
        }
    }
    expected
}

fn check(changes: &[Value], old: &Walked, new: &Walked) {
    let mut expected = forecast(changes, old);
    for change in changes.iter().filter(|c| ["created", "linked", "replaced"].iter().any(|kind| c["change"] == *kind)) {
        let path = bytes(&change["path"]);
        let inode = new[&path].inode;
        assert!(expected.insert(path, inode).is_none(), "{change}: there was something");
    }
    let found: BTreeMap<Vec<u8>, u64> = new.iter().map(|(path, seen)| (path.clone(), seen.inode)).collect();
    assert_eq!(expected, found);
    let now: BTreeMap<u64, &Seen> = new.values().map(|seen| (seen.inode, seen)).collect();
    // Of a file with several names one may be listed.
    let listed =
        |inode: u64| changes.iter().filter(move |c| new.get(&bytes(&c["path"])).is_some_and(|s| s.inode == inode));
    for (path, before) in old {
        let Some(after) = now.get(&before.inode) else { continue };
        let at = path.escape_ascii();
        let written = |c: &&Value| c["written"] != 0 || c["size_before"] != c["size_after"];
        if before.content != after.content {
            assert!(listed(before.inode).any(|c| written(&c)), "{at}: its content differs");
        }
        let told = |what: &str| listed(before.inode).any(|c| c["metadata"].as_array().unwrap().contains(&what.into()));
        assert_eq!(told("mode"), before.metadata.0 != after.metadata.0, "{at}");
        let owners = |seen: &Seen| (seen.metadata.1, seen.metadata.2);
        assert_eq!(told("owner"), owners(before) != owners(after), "{at}");
        if before.modified != after.modified {
            assert!(told("times") || listed(before.inode).any(|c| written(&c)), "{at}: its time differs");
        }
    }
}

fn take(world: &World, name: &str) -> PathBuf {
    let path = world.pool.path().join(name);
    tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(&world.home()), text(&path)]);
    path
}

fn changes(world: &World, from: &Path, to: &Path) -> Vec<Value> {
    let ran = world.run(&["diff", text(from), text(to), "--json"]).expect(0);
    ran.json()["changes"].as_array().unwrap().clone()
}

#[test]
fn lists_are_what_a_walk_finds() {
    let world = World::new(2048);
    let tree = Tree::new(world.home(), 400);
    let mut taken: Vec<PathBuf> = Vec::new();
    let mut listed = 0;
    for round in 0..ROUNDS {
        tree.round(round);
        taken.push(take(&world, &format!("round{round}")));
    }
    let walked: Vec<Walked> = taken.iter().map(|path| walk(path)).collect();
    for (from, to) in (1..ROUNDS).map(|to| (to - 1, to)).chain([(0, ROUNDS - 1), (ROUNDS - 1, 0)]) {
        let changes = changes(&world, &taken[from], &taken[to]);
        check(&changes, &walked[from], &walked[to]);
        listed += changes.len();
    }
    proved(&format!("diff: {listed} lines of {} comparisons are what a walk finds", ROUNDS + 1));
}

/// A subvolume with a snapshot of ours, and one of each kind of change since.
fn changed() -> World {
    let world = World::with_directory(512);
    let home = world.home();
    for dir in ["docs", "old", "cache"] {
        fs::create_dir(home.join(dir)).unwrap();
    }
    fs::write(home.join("docs/todo"), "one\ntwo\nthree\n").unwrap();
    world.write("docs/gone", 30_000);
    world.write("docs/other", 1000);
    world.write("docs/blob", 2000);
    world.write("old/inside", 10);
    world.write("mode", 10);
    world.archive();
    next_second();
    fs::write(home.join("docs/todo"), "one\n2\nthree\n").unwrap();
    fs::remove_file(home.join("docs/gone")).unwrap();
    world.write("docs/other.new", 5000);
    fs::rename(home.join("docs/other.new"), home.join("docs/other")).unwrap();
    world.write("docs/blob", 3000);
    world.write("cache/made", 20_000);
    fs::rename(home.join("old"), home.join("new")).unwrap();
    fs::write(home.join(OsStr::from_bytes(b"odd\xff\n")), "x").unwrap();
    tool(&["chmod", "600", text(&home.join("mode"))]);
    world
}

#[test]
fn lines_say_what_differs_since_the_newest_snapshot() {
    let world = changed();
    let snapshot = &world.snapshot_names()[0];
    let subvolumes = || tool(&["btrfs", "subvolume", "list", text(&world.pool.path())]).lines().count();
    let before = (subvolumes(), describe(&world.home()));
    let ran = world.run(&["diff", "home"]).expect(0);
    let lines: Vec<String> =
        ran.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "+ 19.5 KiB cache/made",
        "~ 3.91 KiB docs/blob (1.95 KiB → 2.93 KiB)",
        "- 29.3 KiB docs/gone",
        "~ 4.88 KiB docs/other (1000 B → 4.88 KiB, another in its place)",
        "~ 12 B docs/todo (14 B → 12 B)",
        "m mode (mode)",
        "» old/ → new/",
        r"+ 1 B odd\xff\n",
    ];
    let totals = format!(
        "{snapshot} → home now: 2 created (19.5 KiB), 1 deleted (29.3 KiB), 3 modified, 1 renamed, \
        1 in metadata only, "
    );
    assert!(lines.last().unwrap().starts_with(&totals), "{}", ran.out);
    for (line, expected) in lines.iter().zip(expected) {
        // How much was written depends on the size of blocks.
        let plain = |line: &str| line.split_once(' ').map(|(sign, rest)| (sign.to_owned(), rest.to_owned()));
        let (sign, rest) = plain(line).unwrap();
        let (expected_sign, expected_rest) = plain(expected).unwrap();
        let tail = |text: &str| text.split_once("B ").map_or(text.to_owned(), |(_, tail)| tail.to_owned());
        assert_eq!((sign, tail(&rest)), (expected_sign, tail(&expected_rest)), "{}", ran.out);
    }
    assert!(before == (subvolumes(), describe(&world.home())), "something was left behind");
    assert_eq!(names(&world.snapshots()).len(), 1);
    // The same between two snapshots, by name, by moment and by path.
    world.archive();
    let newest = &world.snapshot_names()[1];
    let list = |args: &[&str]| {
        let ran = world.run(&[&["diff"], args].concat()).expect(0);
        ran.out
            .lines()
            .filter(|line| !line.contains(" now: ") && !line.contains(": 2 created"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let same = list(&[snapshot, newest]);
    assert_eq!(same.lines().count(), 8, "{same}");
    let at = format!("home@{}", snapshot.rsplit_once('.').unwrap().1);
    let (path, newest_path) = (world.snapshots().join(snapshot), world.snapshots().join(newest));
    for args in [&[snapshot.as_str()][..], &[&at], &[&at, "home"], &[text(&path)], &[text(&path), text(&newest_path)]] {
        assert_eq!(list(args), same, "{args:?}");
    }
    world.run(&["diff", "home"]).expect(0).says(&["no difference"]);
    proved("diff: every kind of line, with names, moments and paths for both sides, and nothing left behind");
}

#[test]
fn parts_of_a_list_and_contents_can_be_asked_for() {
    let world = changed();
    let ran = world.run(&["diff", "home", "--", "docs"]).expect(0);
    assert_eq!(ran.out.lines().count(), 5, "{}", ran.out);
    let docs = world.home().join("docs");
    assert_eq!(world.run(&["diff", "home", "--", text(&docs)]).expect(0).out, ran.out);
    let summary = world.run(&["diff", "home", "--summary"]).expect(0).says(&["cache", "docs", "new"]);
    assert_eq!(summary.out.lines().count(), 6, "{}", summary.out);
    let summary = world.run(&["diff", "home", "--summary", "--json"]).expect(0).json();
    assert_eq!(summary["directories"][1]["path"], "cache");
    assert_eq!(summary["directories"][1]["created_bytes"], 20_000);
    let unified = "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n";
    let content = world.run(&["diff", "home", "--content", "--", "docs/todo"]).expect(0);
    assert!(content.out.starts_with("--- docs/todo\t") && content.out.ends_with(unified), "{}", content.out);
    let file = world.home().join("docs/todo");
    assert_eq!(world.run(&["diff", text(&file)]).expect(0).out, content.out);
    let all = ["diff", "home", "--content", "--", "docs/blob", "docs/gone", "mode"];
    world.run(&all).expect(0).says(&[
        "docs/blob differs and is not text: 1.95 KiB → 2.93 KiB",
        "docs/gone differs and is not text: 29.3 KiB → not there",
        "mode is the same",
    ]);
    world.run(&["diff", "home", "--content", "--", "docs/none"]).expect(3).says(&["neither in"]);
    world.run(&["diff", "home", "--content", "--", "docs"]).expect(3).says(&["not a regular file"]);
    proved("diff: one directory, sums by directory, and the lines that differ in a file");
}

#[test]
fn what_is_not_related_is_refused() {
    let world = changed();
    let other = world.pool.path().join("other");
    tool(&["btrfs", "-q", "subvolume", "create", text(&other)]);
    let snapshot = world.snapshots().join(&world.snapshot_names()[0]);
    world.run(&["diff", text(&snapshot), text(&other)]).expect(3).says(&["do not descend from one subvolume"]);
    world.run(&["diff", text(&other)]).expect(1).says(&["name a snapshot"]);
    let elsewhere = World::new(512);
    world.run(&["diff", text(&snapshot), text(&elsewhere.home())]).expect(3).says(&["different pools"]);
    for args in [&["diff", "hoem"][..], &["diff", "home@yesterday"], &["diff", "home.20000101T000000Z/"]] {
        assert!(world.run(args).code != Some(0), "{args:?}");
    }
    world.run(&["diff", "home@1999-01-01"]).expect(3).says(&["there is no snapshot of `home`"]);
    // A snapshot of a snapshot is related, and so is what is left when the subvolume is gone.
    let copy = world.pool.path().join("copy");
    tool(&["btrfs", "-q", "subvolume", "snapshot", text(&snapshot), text(&copy)]);
    fs::write(copy.join("more"), "x").unwrap();
    let ran = world.run(&["diff", text(&snapshot), text(&copy)]).expect(0);
    assert_eq!(ran.out.lines().count(), 2, "{}", ran.out);
    assert_eq!(names(&world.snapshots()).len(), 1);
    assert!(names(&world.pool.path()).iter().all(|name| !name.starts_with(".subvault")));
    proved("diff: only what descends from one subvolume is compared");
}

#[test]
fn what_a_killed_comparison_left_is_removed_by_the_next() {
    let world = changed();
    let mut command = Command::new(PROGRAM);
    command.env("SUBVAULT_CONFIG", world.config()).env("SUBVAULT_CRASH_AT", "diff-snapshot-taken");
    let ran = finish(command.args(["diff", "home"]));
    assert_eq!(ran.code, None, "{}{}", ran.out, ran.err);
    let left = || names(&world.snapshots()).into_iter().filter(|name| name.starts_with(".subvault-diff.")).count();
    assert_eq!(left(), 1);
    // Other verbs are not confused by it.
    world.archive();
    world.run(&["list"]).expect(0);
    world.run(&["diff", "home"]).expect(0);
    assert_eq!(left(), 0);
    proved("diff: a snapshot that a killed comparison left is removed by the next one");
}
