//! Restores out of snapshots on the pool, copies on disks and copies on other machines: files, directories, whole subvolumes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use subvault_testkit::pool::LoopPool;

use crate::oracle::{assert_same, describe};
use crate::replicate::{Disks, take_snapshot};
use crate::ssh::Remote;
use crate::tree::Tree;
use crate::world::{World, names, proved, text, tool, wait_for};

fn delete(subvolume: &Path) {
    tool(&["btrfs", "-q", "subvolume", "delete", text(subvolume)]);
}

/// Everything that is no copy of subvault's directory beside the snapshots.
fn nothing_is_left(world: &World) {
    let left: Vec<_> = names(&world.snapshots()).into_iter().filter(|name| name.starts_with('.')).collect();
    assert!(left.is_empty(), "{left:?}");
}

fn file_name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// A directory with everything that Btrfs can keep.
fn grow(directory: &Path) {
    fs::create_dir(directory).unwrap();
    let tree = Tree::new(directory.to_owned(), 100);
    (0..3).for_each(|round| tree.round(round));
}

/// A pool for what comes back.
fn elsewhere() -> (LoopPool, PathBuf) {
    let pool = LoopPool::new(1 << 30, &[], &[]).unwrap();
    let path = pool.path();
    (pool, path)
}

#[test]
fn files_come_back_from_a_disk_when_no_snapshot_has_them() {
    let disks = Disks::new(1024, "keep = { newest = 9 }");
    let world = &disks.world;
    grow(&world.home().join("all"));
    let first = disks.snapshot();
    disks.replicate().expect(0);
    let name = file_name(&first).to_owned();
    let (kept, described) = (disks.copies().join(&name).join("all"), describe(&first.join("all")));
    fs::remove_dir_all(world.home().join("all")).unwrap();
    world.write("other", 1000);
    disks.snapshot();
    disks.replicate().expect(0);
    delete(&first);
    world.run(&["restore", "home:all", "--list"]).expect(0);
    let listed = world.run(&["restore", "home:all", "--list", "--all", "--json"]).expect(0).json();
    assert_eq!(listed["versions"][0]["from"], format!("{name} at usb"), "{listed}");
    world.run(&["restore", "home:all", "--dry-run"]).expect(0).says(&[&format!("{name} at usb"), "create"]);
    assert!(!world.home().join("all").exists());
    let answer = world.run(&["restore", "home:all", "--json"]).expect(0).json();
    assert_eq!(answer["from"]["place"], "disk");
    assert_same((&kept, &described), &world.home().join("all"), "from a disk");
    world.run(&["restore", "home:all", "--from", "usb"]).expect(0).says(&["Nothing is to be done"]);
    for elsewhere in [["--store", text(&disks.backup())], ["--host", "other"]] {
        let args = [&["restore", "home:all", "--overwrite", "--yes"], &elsewhere[..]].concat();
        world.run(&args).expect(1).says(&["restore the whole subvolume"]);
    }
    world
        .run(&["restore", "home", "--to", "/tmp", "--host", "other", "--from", "usb"])
        .expect(1)
        .says(&["only archives"]);
    world.run(&["restore", "home:never"]).expect(3).says(&["no copy or archive"]);
    nothing_is_left(world);
    proved("a file that only a copy on a disk has comes back from there, with all that it is");
}

#[test]
fn a_whole_subvolume_comes_back_from_the_nearest_place_that_has_it() {
    let disks = Disks::new(2048, "keep = { newest = 9 }");
    let world = &disks.world;
    let tree = Tree::new(world.home(), 100);
    tree.round(0);
    let first = disks.snapshot();
    tree.round(1);
    let second = disks.snapshot();
    world.run(&["replicate", "--all"]).expect(0);
    // On the pool: a snapshot of the snapshot.
    let beside = world.pool.path().join("beside");
    fs::create_dir(&beside).unwrap();
    let preview = world.run(&["restore", "home", "--to", text(&beside), "--dry-run"]).expect(0);
    preview.says(&["→", "here", file_name(&second)]);
    assert!(names(&beside).is_empty());
    let answer = world.run(&["restore", "home", "--to", text(&beside), "--json"]).expect(0).json();
    assert_eq!(answer["shared"], true, "{answer}");
    assert_same((&second, &describe(&second)), &beside.join(file_name(&second)), "beside");
    assert_same((&second, &describe(&second)), &beside.join("home"), "the writable one");
    world.run(&["restore", "home", "--to", text(&beside)]).expect(3).says(&["never overwrites"]);
    // On another pool it is received.
    let (_other, there) = elsewhere();
    let only = ["--from", file_name(&first), "--read-only"];
    world.run(&[&["restore", "home", "--to", text(&there)], &only[..]].concat()).expect(0).says(&["received"]);
    assert_same((&first, &describe(&first)), &there.join(file_name(&first)), "on another pool");
    assert_eq!(names(&there), [file_name(&first)]);
    // From the disk, where snapshots and the subvolume itself are gone; and the snapshot that is left without it.
    let (name, described) = (file_name(&second).to_owned(), describe(&second));
    delete(&second);
    delete(&world.home());
    let (_third, third) = elsewhere();
    let from_disk = world.run(&["restore", "home", "--to", text(&third), "--json"]).expect(0).json();
    assert_eq!(from_disk["path"], third.join(&name).display().to_string());
    assert_same((&disks.copies().join(&name), &described), &third.join(&name), "from the disk");
    let orphan = ["restore", "home", "--to", text(&third), "--from", file_name(&first), "--read-only"];
    world.run(&orphan).expect(0);
    assert_same((&first, &describe(&first)), &third.join(file_name(&first)), "of a subvolume that is gone");
    proved(
        "a whole subvolume comes back out of a snapshot at once, and from a disk when the pool has nothing left of it",
    );
}

#[test]
fn a_pool_that_is_too_small_is_left_as_it_was() {
    let disks = Disks::new(1024, "keep = { newest = 9 }");
    disks.world.write("large", 200 << 20);
    disks.snapshot();
    disks.replicate().expect(0);
    let small = LoopPool::new(128 << 20, &["--mixed"], &[]).unwrap();
    let ran = disks.world.run(&["restore", "home", "--to", text(&small.path()), "--from", "usb"]);
    assert!(ran.code != Some(0) && ran.err.contains("No space left"), "{}", ran.err);
    assert!(names(&small.path()).is_empty(), "{:?}", names(&small.path()));
    proved("a restore of a copy that does not fit is told, and leaves nothing behind that takes room");
}

#[test]
fn files_and_subvolumes_come_back_over_ssh() {
    let remote = Remote::new("--host laptop");
    let world = &remote.world;
    grow(&world.home().join("all"));
    fs::write(world.home().join("single"), vec![7; 3 << 20]).unwrap();
    world.write("ballast", 30 << 20);
    let first = take_snapshot(world);
    remote.replicate().expect(0);
    let (name, described) = (file_name(&first).to_owned(), describe(&first));
    let (kept, tree) = (remote.copies().join(&name).join("all"), describe(&first.join("all")));
    fs::remove_dir_all(world.home().join("all")).unwrap();
    fs::remove_file(world.home().join("single")).unwrap();
    let second = take_snapshot(world);
    remote.replicate().expect(0);
    delete(&first);
    // Files: only what they are passes the line.
    remote.net.lose(5);
    let sent = || -> u64 {
        let stat = remote.run_tool(&["cat", "/sys/class/net/wire/statistics/rx_bytes"]);
        stat.trim().parse().unwrap()
    };
    let before = sent();
    remote.run(&["restore", "home:single", "--dry-run"]).expect(0).says(&["fetched from nas"]);
    let answer = remote.run(&["restore", "home:single", "--json"]).expect(0).json();
    assert_eq!(answer["from"]["place"], "host", "{answer}");
    assert_eq!(fs::read(world.home().join("single")).unwrap(), vec![7; 3 << 20]);
    assert!(sent() - before < 6 << 20, "{} bytes for a file of 3 MiB", sent() - before);
    remote.net.lose_none();
    remote.run(&["restore", "home:all"]).expect(0);
    assert_same((&kept, &tree), &world.home().join("all"), "over SSH");
    nothing_is_left(world);
    // A subvolume: beside the other snapshots only the difference to one of them comes.
    let beside = world.pool.path().join("beside");
    fs::create_dir(&beside).unwrap();
    let before = sent();
    let restore = ["restore", "home", "--to", text(&beside), "--from", "nas", "--at", &moment(&name), "--json"];
    remote.run(&restore).expect(0);
    assert!(sent() - before < 20 << 20, "the difference is small");
    assert_same((&remote.copies().join(&name), &described), &beside.join(&name), "the difference");
    // On another pool all of it, also when nothing is left here.
    delete(&second);
    delete(&world.home());
    let (_other, there) = elsewhere();
    remote
        .run(&["restore", "home", "--to", text(&there), "--at", &moment(&name)])
        .expect(0)
        .says(&["host", "received"]);
    assert_same((&remote.copies().join(&name), &described), &there.join(&name), "all of it");
    assert_same((&remote.copies().join(&name), &described), &there.join("home"), "and the writable copy");
    proved(
        "over SSH with 5 % loss: a file for its own size, a tree, a difference and a whole subvolume come back equal",
    );
}

/// The moment in a snapshot's name.
fn moment(name: &str) -> String {
    name.split_once('.').unwrap().1.to_owned()
}

#[test]
fn a_line_that_is_cut_while_something_comes_back_leaves_nothing_in_place() {
    let remote = Remote::new("--host laptop");
    let world = &remote.world;
    world.write("large", 60 << 20);
    let first = take_snapshot(world);
    remote.replicate().expect(0);
    let (_other, there) = elsewhere();
    remote.slow();
    let staged = there.join(format!(".subvault-restore.{}", file_name(&first)));
    let mut command = remote.command(&["restore", "home", "--to", text(&there), "--from", "nas"]);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the restore", || staged.exists());
    remote.net.wire("down");
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!there.join("home").exists() && !there.join(file_name(&first)).exists());
    remote.net.wire("up");
    remote.quick();
    remote.run(&["restore", "home", "--to", text(&there), "--from", "nas"]).expect(0);
    assert_same((&first, &describe(&first)), &there.join(file_name(&first)), "after a cut");
    assert_eq!(names(&there), ["home", file_name(&first)]);
    proved("a restore over SSH that is cut in the middle puts nothing in place, and the rerun leaves nothing behind");
}

#[test]
fn a_key_that_may_only_add_gives_nothing_back() {
    let remote = Remote::new("--host laptop --no-restore");
    let world = &remote.world;
    world.write("file", 1000);
    take_snapshot(world);
    remote.replicate().expect(0);
    for args in [
        &["restore", "home:file", "--from", "nas", "--list"][..],
        &["restore", "home:file", "--from", "nas", "--overwrite", "--yes"],
        &["restore", "home", "--from", "nas", "--to", text(&world.back())],
    ] {
        remote.run(args).expect(3).says(&["nothing comes back", "--no-restore"]);
    }
    proved("a key with --no-restore: copies go there, and nothing comes back");
}
