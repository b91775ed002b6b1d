//! What is told and done about paths to be forgotten after rollbacks, among copies, beside other programs, and where targets
//! keep them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::forget::{NAME, SECRET, put};
use crate::replicate::{Disks, take_snapshot};
use crate::world::{World, contents, next_second, proved, text, tool};

/// A snapshot where snapper would have taken it.
fn as_snapper(world: &World, of: &Path, number: u32) -> PathBuf {
    let directory = world.pool.path().join(format!("theirs/.snapshots/{number}"));
    fs::create_dir_all(&directory).unwrap();
    let snapshot = directory.join("snapshot");
    tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(of), text(&snapshot)]);
    snapshot
}

fn snappers(world: &World) -> usize {
    let listed = world.run(&["list", "--json"]).expect(0).json();
    listed.as_array().unwrap().iter().filter(|line| line["owner"] == "snapper").count()
}

fn name(path: &Path) -> &str {
    text(path).rsplit('/').next().unwrap()
}

#[test]
fn after_a_rollback_and_a_replacement_the_family_is_still_known() {
    let world = World::with_directory(512);
    let path = put(&world.home());
    let first = take_snapshot(&world);
    as_snapper(&world, &world.home(), 7);
    fs::write(world.home().join("later"), b"x").unwrap();
    let second = take_snapshot(&world);
    world.run(&["rollback", text(&world.home()), "--to", name(&first), "--yes"]).expect(0);
    let forget = ["forget-path", text(&path), "--live", "--yes"];
    for turn in ["first", "second"] {
        let ran = world.run(&forget).expect(0).says(&["home.replaced.", "theirs/.snapshots/7", "snapper's"]);
        assert!(ran.out.contains("left as it is"), "the {turn} time: {}", ran.out);
        assert_eq!(snappers(&world), 1, "the {turn} time");
    }
    world.run(&["diff", name(&second), "home"]).expect(0).says(&["later"]);
    world.run(&["diff", name(&first), "home"]).expect(0);
    // What was replaced once is replaced again, and both are known.
    next_second();
    world.run(&["rollback", text(&world.home()), "--to", name(&second), "--yes"]).expect(0);
    let other = world.home().join("later");
    world.run(&["forget-path", text(&other), "--live", "--yes"]).expect(0).says(&["forgotten in 1 snapshot\n"]);
    world.run(&["diff", name(&first), "home"]).expect(0);
    assert_eq!(snappers(&world), 1);
    proved("after rollbacks to snapshots that were replaced, others' snapshots and what is kept aside are still told");
}

#[test]
fn copies_on_the_pool_and_what_dead_runs_left_are_told() {
    let world = World::with_directory(512);
    let path = put(&world.home());
    let snapshot = take_snapshot(&world);
    let copies = world.pool.path().join("copies");
    fs::create_dir(&copies).unwrap();
    let piped = format!("btrfs -q send {} | btrfs -q receive {}", text(&snapshot), text(&copies));
    tool(&["sh", "-c", &piped]);
    let fetched = world.snapshots().join(".subvault-fetched.home");
    fs::create_dir(&fetched).unwrap();
    for left in [fetched.join(name(&snapshot)), world.pool.path().join(".subvault-restore.x.part")] {
        tool(&["btrfs", "-q", "subvolume", "create", text(&left)]);
        fs::create_dir(left.join("ada")).unwrap();
        fs::write(left.join("ada").join(NAME), b"x").unwrap();
    }
    for _ in 0..2 {
        let ran = world.run(&["forget-path", text(&path), "--live", "--yes"]).expect(0);
        let copy = format!("copies/{}", name(&snapshot));
        ran.says(&[&copy, "fetched by a run that died", "received by a restore that died", "btrfs subvolume delete"]);
    }
    assert!(copies.join(name(&snapshot)).join("ada").join(NAME).exists());
    proved("copies on the pool of a snapshot that was replaced, and what dead runs left, are told each time");
}

#[test]
fn what_snapper_takes_of_what_a_subvolume_was_made_from_is_not_of_that() {
    let world = World::with_directory(512);
    let origin = world.pool.path().join("origin");
    tool(&["btrfs", "-q", "subvolume", "delete", "-c", text(&world.home())]);
    tool(&["btrfs", "-q", "subvolume", "create", text(&origin)]);
    as_snapper(&world, &origin, 1);
    tool(&["btrfs", "-q", "subvolume", "snapshot", text(&origin), text(&world.home())]);
    as_snapper(&world, &origin, 2);
    as_snapper(&world, &world.home(), 3);
    assert_eq!(snappers(&world), 2);
    // After a rollback all that was taken before it still counts, and what snapper takes of the origin still does not.
    let to = take_snapshot(&world);
    as_snapper(&world, &world.home(), 4);
    world.run(&["rollback", text(&world.home()), "--to", name(&to), "--yes"]).expect(0);
    as_snapper(&world, &origin, 5);
    assert_eq!(snappers(&world), 3);
    proved("of what a subvolume was made from, only snapshots from before that count as its own");
}

#[test]
fn a_target_that_keeps_it_is_told_and_makes_the_difference() {
    let disks = Disks::new(1024, "keep = { newest = 9 }");
    let world = &disks.world;
    let path = put(&world.home());
    disks.snapshot();
    disks.replicate().expect(0);
    let copy = fs::read_dir(disks.copies()).unwrap().next().unwrap().unwrap().path();
    tool(&["btrfs", "property", "set", "-f", text(&copy), "ro", "false"]);
    fs::write(copy.join("mine"), b"x").unwrap();
    let rebase = ["forget-path", text(&path), "--live", "--yes", "--rebase", "usb"];
    world.run(&rebase).expect(2).says(&["It may still be there", "changed since it was received"]);
    world.run(&rebase).expect(2).says(&["Nothing is to be done"]);
    assert!(copy.join("ada").join(NAME).exists(), "what somebody has changed is his");
    let audit = fs::read_to_string(world.state().join("audit.jsonl")).unwrap();
    let mut lines = audit.lines().rev().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let last = lines.find(|line| line["action"] == "forget_path").unwrap();
    assert_eq!((&last["outcome"], &last["detail"]["may_be_at"][0]), (&"failed".into(), &"usb".into()), "{last}");
    tool(&["btrfs", "-q", "subvolume", "delete", text(&copy)]);
    world.run(&rebase).expect(0);

    let world = World::with_directory(512);
    world.configure(&world.directory_target("disk", "encryption = \"off\"\n"));
    let path = put(&world.home());
    world.archive();
    let stored = contents(&world.store());
    let (manifest, _) = stored.iter().find(|(name, _)| name.ends_with("/manifest.json")).unwrap();
    fs::write(world.store().join(manifest), b"no manifest").unwrap();
    let rebase = ["forget-path", text(&path), "--live", "--yes", "--rebase", "disk"];
    world.run(&rebase).expect(2).says(&["manifests of 1 stream of home cannot be read"]);
    world.run(&rebase).expect(2);
    proved("a copy that somebody changed and a stream that nobody can read are told, recorded, and end with code 2");
}

#[test]
fn rebased_where_others_take_what_is_sent_nothing_holds_it() {
    let world = World::new(512);
    let target = world.directory_target("disk", "encryption = \"off\"\n");
    world.configure_keeping(1, "snapshot = \"never\"\nforeign = \"ship\"\n", &target);
    let path = put(&world.home());
    let theirs = as_snapper(&world, &world.home(), 1);
    world.archive();
    let rebase = ["forget-path", text(&path), "--live", "--yes", "--rebase", "disk"];
    world.run(&rebase).expect(0).says(&["snapper's", "removed 1 stream,"]);
    let stored = contents(&world.store());
    assert!(stored.iter().any(|(name, _)| name.ends_with("/manifest.json")), "something is there");
    assert!(stored.iter().all(|(_, bytes)| !bytes.windows(SECRET.len()).any(|window| window == SECRET)));
    assert!(theirs.join("ada").join(NAME).exists() && !path.exists());
    world.run(&rebase).expect(0).says(&["Nothing is to be done"]);
    proved("where snapper's snapshots are sent, one of our own is sent anew, and the archive holds nothing of it");
}
