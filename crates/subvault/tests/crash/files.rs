//! Kills while files are brought back out of snapshots.

use std::fs;
use std::path::{Path, PathBuf};

use crate::oracle::{assert_same, describe};
use crate::scene::{Moments, Scene, forget_kept};
use crate::tally::{End, through};
use crate::world::{noise, text, tool};
use crate::{BRINGING_BACK, at_each, named, share};

/// A snapshot with a tree in it.
fn scene() -> (Scene, PathBuf) {
    let scene = Scene::new(false);
    let home = scene.world.home();
    for dir in ["tree/a", "tree/b"] {
        fs::create_dir_all(home.join(dir)).unwrap();
        (0..20).for_each(|n| fs::write(home.join(dir).join(n.to_string()), noise(5000 * n, n as u64)).unwrap());
    }
    fs::hard_link(home.join("tree/a/7"), home.join("tree/b/seven")).unwrap();
    let snapshot = scene.world.snapshots().join("home.20261101T100000Z");
    tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(&home), text(&snapshot)]);
    (scene, snapshot)
}

/// The tree as it came to be: parts are missing, others differ, and one is of another kind.
fn spoil(home: &Path) {
    let tree = home.join("tree");
    let _ = fs::remove_dir_all(&tree);
    tool(&["cp", "-a", "--reflink=always", text(&home.join("../snapshots/home.20261101T100000Z/tree")), text(home)]);
    fs::remove_dir_all(tree.join("b")).unwrap();
    fs::remove_file(tree.join("a/3")).unwrap();
    fs::write(tree.join("a/5"), b"other").unwrap();
    fs::remove_file(tree.join("a/6")).unwrap();
    fs::create_dir_all(tree.join("a/6/deep")).unwrap();
    fs::write(tree.join("a/6/deep/mine"), b"mine").unwrap();
}

/// The command given again completes it, and nothing of the killed one is left.
fn completes(scene: &Scene, snapshot: &Path, args: &[&str]) {
    let home = scene.world.home();
    scene.world.run(args).expect(0);
    let (wanted, there) = (snapshot.join("tree"), home.join("tree"));
    // The times of directories that were there are not set back, as names in them came and went.
    tool(&["touch", "-r", text(&wanted), text(&there)]);
    tool(&["touch", "-r", text(&wanted.join("a")), text(&there.join("a"))]);
    assert_same((&wanted, &describe(&wanted)), &there, "brought back");
    assert_eq!(tool(&["find", text(&home), "-name", ".subvault-*"]), "", "a temporary name is left");
    // What was replaced is in a snapshot that was taken before.
    let found = tool(&["find", text(&scene.world.snapshots()), "-path", "*/tree/a/6/deep/mine"]);
    assert!(!found.is_empty(), "what was replaced is kept");
    forget_kept(scene);
}

const RESTORE: [&str; 6] = ["restore", "home:tree", "--overwrite", "--yes", "--from", "home.20261101T100000Z"];

#[test]
fn copies_survive_a_kill_at_every_named_point() {
    let (scene, snapshot) = scene();
    let points = named(BRINGING_BACK);
    let kills = at_each(&points, |death| {
        spoil(&scene.world.home());
        let killed = scene.kill(&RESTORE, death);
        completes(&scene, &snapshot, &RESTORE);
        killed
    });
    through(
        &[("bringing back", End::Named, kills)],
        &format!(
            "{kills} kills at all {} named points of copying out of a snapshot: each rerun completes it",
            points.len()
        ),
    );
}

#[test]
fn copies_survive_random_kills() {
    let (scene, snapshot) = scene();
    spoil(&scene.world.home());
    let mut moments = Moments::new("files", share(10), scene.measure(&RESTORE));
    while let Some(death) = moments.next() {
        spoil(&scene.world.home());
        let killed = scene.kill(&RESTORE, &death);
        moments.was(killed);
        completes(&scene, &snapshot, &RESTORE);
    }
    let count = moments.hit;
    through(
        &[("bringing back", End::Random, count)],
        &format!("{count} kills at random moments while copying out of a snapshot: each rerun completes it"),
    );
}
