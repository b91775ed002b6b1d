//! Files and directories brought back out of snapshots: exactly as they were, and nothing else touched.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use crate::oracle::{assert_same, describe};
use crate::tree::Tree;
use crate::world::{World, names, next_second, noise, proved, text, tool};

/// A world with `home` looked after.
fn world() -> World {
    World::with_directory(1024)
}

/// Takes a snapshot as subvault names them.
fn snapshot(world: &World, moment: &str) -> PathBuf {
    let path = world.snapshots().join(format!("home.{moment}"));
    tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(&world.home()), text(&path)]);
    path
}

/// Another moment than before, as the kernel notes it.
fn put(world: &World, name: &str, content: &str) {
    fs::write(world.home().join(name), content).unwrap();
}

fn nothing_temporary(dir: &Path) {
    let found = tool(&["find", text(dir), "-name", ".subvault-copy*"]);
    assert_eq!(found, "", "a temporary name is left");
}

#[test]
fn a_tree_comes_back_as_it_was() {
    let world = world();
    let all = world.home().join("all");
    fs::create_dir(&all).unwrap();
    let tree = Tree::new(all.clone(), 300);
    (0..11).for_each(|round| tree.round(round));
    let taken = snapshot(&world, "20261101T100000Z").join("all");
    let before = describe(&taken);
    fs::remove_dir_all(&all).unwrap();
    let answer = world.run(&["restore", text(&all), "--json"]).expect(0).json();
    assert_same((&taken, &before), &all, "a tree out of a snapshot");
    nothing_temporary(&world.home());
    let number = |key: &str| answer["report"]["copied"][key].as_u64().unwrap();
    assert!(number("shared_bytes") > 200_000_000 && number("hard_links") > 0, "{answer}");
    // Only what has no checksums cannot be shared: it comes into a directory without `chattr +C`.
    assert!(number("copied_bytes") < 2_000_000, "{answer}");
    // A part of it, whose other parts are there.
    fs::remove_dir_all(all.join("docs")).unwrap();
    fs::remove_dir_all(all.join("bulk/07")).unwrap();
    world.run(&["restore", "home:all"]).expect(0).says(&["already as they were"]);
    for part in ["docs", "bulk/07"] {
        let (taken, back) = (taken.join(part), all.join(part));
        assert_same((&taken, &describe(&taken)), &back, "a part that was missing");
    }
    // Everything is there again: nothing is to be done.
    world.run(&["restore", "home:all/docs"]).expect(0).says(&["Nothing is to be done"]);
    proved(&format!(
        "a tree of {} entries with everything that Btrfs can keep comes back out of a snapshot, equal for find, tar and \
        getfattr, {} MB of it shared",
        before.entries(),
        number("shared_bytes") / 1_000_000
    ));
}

#[test]
fn a_tree_goes_to_another_file_system() {
    let world = world();
    let all = world.home().join("all");
    fs::create_dir(&all).unwrap();
    Tree::new(all, 50).round(0);
    let taken = snapshot(&world, "20261101T100000Z").join("all");
    let image = world.dir.path().join("ext4");
    fs::File::create_new(&image).unwrap().set_len(512 << 20).unwrap();
    tool(&["mkfs.ext4", "-q", text(&image)]);
    let device = tool(&["losetup", "--find", "--show", text(&image)]).trim().to_owned();
    let point = world.dir.path().join("point");
    fs::create_dir(&point).unwrap();
    let _detach =
        AtEnd(vec![vec!["umount".into(), text(&point).into()], vec!["losetup".into(), "-d".into(), device.clone()]]);
    tool(&["mount", &device, text(&point)]);
    world.run(&["restore", "home:all", "--to", text(&point)]).expect(0).says(&["copied"]);
    assert_eq!(without_counts(&taken), without_counts(&point.join("all")), "on ext4");
    let sparse = fs::metadata(point.join("all/docs/sparse")).unwrap();
    assert!(sparse.len() == 300 << 20 && sparse.blocks() < 200, "holes are kept: {} blocks", sparse.blocks());
    // What is there is not overwritten.
    fs::write(point.join("all/docs/text"), b"mine").unwrap();
    world.run(&["restore", "home:all", "--to", text(&point)]).expect(3).says(&["differ"]);
    assert_eq!(fs::read(point.join("all/docs/text")).unwrap(), b"mine");
    proved("a tree goes to ext4 with owners, modes, access lists, attributes, times, hard links and holes");
}

/// What `find`, `sha256sum` and `getfattr` say, without what file systems count in their own ways: names in directories
/// and bytes that these take.
fn without_counts(top: &Path) -> String {
    let script = r"find . -printf '%y %m %U %G %T@ %P -> %l\0' | sort -z | tr '\0' '\n';
        find . -type f -printf '%n %s %P\0' | sort -z | tr '\0' '\n'; find . -type f -print0 | sort -z | xargs -0 sha256sum;
        find . -print0 | sort -z | xargs -0 getfattr -hd -m- -e hex --";
    let output = std::process::Command::new("sh").args(["-c", script]).current_dir(top).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.escape_ascii().to_string()
}

/// Runs commands when it is dropped, also while a test panics.
struct AtEnd(Vec<Vec<String>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        for command in &self.0 {
            let _ = std::process::Command::new(&command[0]).args(&command[1..]).status();
        }
    }
}

#[test]
fn what_differs_is_replaced_only_when_told_and_is_kept() {
    let world = world();
    put(&world, "report", "first");
    let first = snapshot(&world, "20261101T100000Z");
    put(&world, "report", "second, longer");
    snapshot(&world, "20261102T100000Z");
    put(&world, "report", "now");
    let report = world.home().join("report");
    let restore = |more: &[&str]| world.run(&[&["restore", text(&report)], more].concat());
    restore(&[]).expect(3).says(&["is there and differs", "--overwrite", "there 3 B", "in the snapshot 14 B"]);
    restore(&["--overwrite"]).expect(1).says(&["--yes", "replace    report", "home.20261102T100000Z"]);
    restore(&["--overwrite", "--dry-run"]).expect(0).says(&["replace    report (14 B)", "keeps the present state"]);
    assert_eq!(fs::read(&report).unwrap(), b"now");
    assert_eq!(world.snapshot_names().len(), 2, "nothing was taken yet");
    restore(&["--overwrite", "--yes", "--at", "2026-11-01"]).expect(0).says(&["the state before is kept in home."]);
    assert_eq!(fs::read(&report).unwrap(), b"first");
    let same = |key: fn(&fs::Metadata) -> i64| {
        assert_eq!(key(&fs::metadata(&report).unwrap()), key(&fs::metadata(first.join("report")).unwrap()));
    };
    same(|of| of.mtime());
    same(|of| of.mtime_nsec());
    let kept = world.snapshot_names();
    assert_eq!(kept.len(), 4, "with a note on it: {kept:?}");
    assert_eq!(fs::read(world.snapshots().join(&kept[2]).join("report")).unwrap(), b"now");
    restore(&["--at", "2026-11-01"]).expect(0).says(&["Nothing is to be done"]);
    restore(&["--beside", "--at", "2026-11-02"]).expect(0);
    assert_eq!(fs::read(world.home().join("report.20261102T100000Z")).unwrap(), b"second, longer");
    restore(&["--from", "home.20261102T100000Z", "--to", text(world.dir.path())]).expect(0);
    assert_eq!(fs::read(world.dir.path().join("report")).unwrap(), b"second, longer");
    nothing_temporary(&world.home());
    proved("what differs is refused, replaced when told with the state before kept, or put beside");
}

#[test]
fn versions_are_listed_and_the_best_is_chosen() {
    let world = world();
    put(&world, "a", "one");
    snapshot(&world, "20261101T100000Z");
    snapshot(&world, "20261102T100000Z");
    put(&world, "a", "three");
    snapshot(&world, "20261103T100000Z");
    fs::remove_file(world.home().join("a")).unwrap();
    snapshot(&world, "20261104T100000Z");
    // As other tools leave them.
    let other = world.home().join(".snapshots/7");
    fs::create_dir_all(&other).unwrap();
    tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(&world.home()), text(&other.join("snapshot"))]);
    let listed = world.run(&["restore", "home:a", "--list", "--json"]).expect(0).json();
    let versions = listed["versions"].as_array().unwrap();
    let counts: Vec<u64> = versions.iter().map(|v| v["snapshots"].as_u64().unwrap()).collect();
    assert_eq!(counts, [2, 1, 2], "{listed}");
    assert!(versions[2]["state"].is_null() && listed["now"].is_null());
    // Without a moment, the newest that has it.
    let answer = world.run(&["restore", "home:a", "--dry-run", "--json"]).expect(0).json();
    assert_eq!(answer["from"]["name"], "home.20261103T100000Z");
    let answer = world.run(&["restore", "home:a", "--at", "2026-11-02", "--dry-run", "--json"]).expect(0).json();
    assert_eq!(answer["from"]["name"], "home.20261102T100000Z");
    world.run(&["restore", "home:a", "--at", "2026-10-31"]).expect(3).says(&["no snapshot of"]);
    world.run(&["restore", "home:never"]).expect(3).says(&["home:never"]);
    // What only another tool has.
    put(&world, "b", "theirs");
    let theirs = world.home().join(".snapshots/8");
    fs::create_dir(&theirs).unwrap();
    let theirs = theirs.join("snapshot");
    tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(&world.home()), text(&theirs)]);
    fs::remove_file(world.home().join("b")).unwrap();
    world.run(&["restore", "home:b", "--from", text(&theirs)]).expect(0);
    fs::remove_file(world.home().join("b")).unwrap();
    world.run(&["restore", "home:b"]).expect(0).says(&[".snapshots/8/snapshot"]);
    assert_eq!(fs::read(world.home().join("b")).unwrap(), b"theirs");
    proved(
        "versions of a path are told over our snapshots and those of other tools, and the newest that has it is chosen",
    );
}

#[test]
fn paths_are_found_however_they_are_written() {
    let world = world();
    let home = world.home();
    fs::create_dir_all(home.join("a/b")).unwrap();
    put(&world, "a/b/file", "content");
    fs::write(home.join("a").join(OsStr::from_bytes(b"\xff\n")), b"odd").unwrap();
    snapshot(&world, "20261101T100000Z");
    let again = world.pool.mount_again(&["subvol=home"]).unwrap();
    let link = world.dir.path().join("link");
    symlink(&home, &link).unwrap();
    for path in [home.join("a/b/file"), again.join("a/b/file"), link.join("a/../a/b/file")] {
        fs::remove_file(home.join("a/b/file")).unwrap();
        world.run(&["restore", text(&path)]).expect(0);
        assert_eq!(fs::read(home.join("a/b/file")).unwrap(), b"content");
    }
    // The directories on the way are missing too.
    fs::remove_dir_all(home.join("a")).unwrap();
    world.run(&["restore", text(&home.join("a/b/file"))]).expect(0);
    assert_eq!(names(&home.join("a")), ["b"]);
    let answer = world.run(&["restore", "home:a", "--json"]).expect(0).json();
    assert_eq!(answer["report"]["done"][0]["to"], "a/\\xff\n");
    assert_eq!(fs::read(home.join("a").join(OsStr::from_bytes(b"\xff\n"))).unwrap(), b"odd");
    // A nested subvolume is another one, and what is on no pool is nowhere.
    tool(&["btrfs", "-q", "subvolume", "create", text(&home.join("nested"))]);
    world.run(&["restore", text(&home.join("nested/x"))]).expect(1).says(&["no subvolume of the configuration"]);
    world.run(&["restore", text(&world.dir.path().join("x"))]).expect(1).says(&["not on a Btrfs"]);
    world.run(&["restore", "elsewhere:x"]).expect(1).says(&["elsewhere"]);
    world.run(&["restore", "home"]).expect(1).says(&["--to DIRECTORY", "./home"]);
    world.run(&["restore", "home:../x"]).expect(1).says(&["upwards"]);
    proved("paths are found by any mount, by links, without their directories, and with any bytes in their names");
}

#[test]
fn no_symbolic_link_is_followed_out_of_the_subvolume() {
    let world = world();
    let home = world.home();
    fs::create_dir(home.join("dir")).unwrap();
    put(&world, "dir/file", "old");
    put(&world, "link", "a file then");
    snapshot(&world, "20261101T100000Z");
    let outside = world.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), b"mine").unwrap();
    fs::remove_dir_all(home.join("dir")).unwrap();
    symlink(&outside, home.join("dir")).unwrap();
    fs::remove_file(home.join("link")).unwrap();
    symlink(outside.join("file"), home.join("link")).unwrap();
    assert_ne!(world.run(&["restore", "home:dir/file", "--overwrite", "--yes"]).code, Some(0));
    world.run(&["restore", "home:link", "--overwrite", "--yes"]).expect(0);
    assert_eq!(fs::read(home.join("link")).unwrap(), b"a file then");
    assert_eq!((names(&outside), fs::read(outside.join("file")).unwrap()), (vec!["file".to_owned()], b"mine".to_vec()));
    // A directory in the place of a file goes, but not with a subvolume in it.
    put(&world, "thing", "a file");
    snapshot(&world, "20261102T100000Z");
    fs::remove_file(home.join("thing")).unwrap();
    fs::create_dir_all(home.join("thing/deep")).unwrap();
    tool(&["btrfs", "-q", "subvolume", "create", text(&home.join("thing/deep/nested"))]);
    world.run(&["restore", "home:thing", "--overwrite", "--yes"]).expect(3).says(&["another subvolume"]);
    assert!(home.join("thing/deep/nested").is_dir());
    tool(&["btrfs", "-q", "subvolume", "delete", text(&home.join("thing/deep/nested"))]);
    let again = ["restore", "home:thing", "--overwrite", "--yes", "--from", "home.20261102T100000Z"];
    world.run(&again).expect(0);
    assert_eq!(fs::read(home.join("thing")).unwrap(), b"a file");
    // What lies in a nested subvolume would not be kept by a snapshot of this one.
    fs::create_dir(home.join("vm")).unwrap();
    put(&world, "vm/disk", "old");
    snapshot(&world, "20261103T100000Z");
    fs::remove_dir_all(home.join("vm")).unwrap();
    tool(&["btrfs", "-q", "subvolume", "create", text(&home.join("vm"))]);
    put(&world, "vm/disk", "in use");
    for path in ["home:vm/disk", "home:vm"] {
        let ran = world.run(&["restore", path, "--overwrite", "--yes"]);
        assert_ne!(ran.code, Some(0), "{path}: {}{}", ran.out, ran.err);
        assert_eq!(fs::read(home.join("vm/disk")).unwrap(), b"in use");
    }
    nothing_temporary(&home);
    proved(
        "no symbolic link leads a restore out of the subvolume, and no nested subvolume is removed with a directory",
    );
}

#[test]
fn a_file_that_only_an_archive_has_comes_out_of_it() {
    let world = world();
    world.write("big", 3_000_000);
    world.archive();
    next_second();
    fs::remove_file(world.home().join("big")).unwrap();
    put(&world, "other", "later");
    world.archive();
    let first = &world.snapshot_names()[0];
    tool(&["btrfs", "-q", "subvolume", "delete", text(&world.snapshots().join(first))]);
    let key = world.key();
    let restore = ["restore", "home:big", "-i", text(&key)];
    world.run(&[&restore[..], &["--dry-run"]].concat()).expect(0).says(&["must be fetched"]);
    world.run(&restore).expect(1).says(&["must be fetched", "--yes"]);
    world.run(&[&restore[..], &["--yes"]].concat()).expect(0).says(&["1 files"]);
    assert_eq!(fs::read(world.home().join("big")).unwrap(), noise(3_000_000, 3));
    assert!(!names(&world.snapshots()).iter().any(|name| name.starts_with('.')), "nothing of it is left");
    world.run(&["restore", "home:other", "--from", "disk", "-i", text(&key), "--yes"]).expect(0);
    proved("a file that is in no snapshot any more comes out of the archive");
}
