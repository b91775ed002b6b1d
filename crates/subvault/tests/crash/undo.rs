//! Kills while changes are taken back.

use std::fs;
use std::path::Path;

use crate::scene::{Moments, Scene, forget_kept};
use crate::tally::{End, through};
use crate::world::{noise, text, tool};
use crate::{UNDOING, at_each, named, share};

const BEFORE: &str = "home.20261101T100000Z";
const UNDO: [&str; 3] = ["undo", "home", "--yes"];

fn scene() -> Scene {
    let scene = Scene::new(false);
    let home = scene.world.home();
    for dir in ["a", "b", "c", "old/deep"] {
        fs::create_dir_all(home.join(dir)).unwrap();
        (0..12).for_each(|n| fs::write(home.join(dir).join(n.to_string()), noise(3000 * n, n as u64)).unwrap());
    }
    for n in 1..7 {
        fs::hard_link(home.join(format!("a/{n}")), home.join(format!("link{n}"))).unwrap();
    }
    snapshot(&scene, BEFORE);
    scene
}

fn snapshot(scene: &Scene, name: &str) {
    let path = scene.world.snapshots().join(name);
    tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(&scene.world.home()), text(&path)]);
}

/// Changes of every kind, more of each than there are kills at one point.
fn change(home: &Path) {
    for n in 1..7 {
        fs::write(home.join(format!("link{n}")), format!("written {n}")).unwrap();
        fs::rename(home.join(format!("b/{n}")), home.join(format!("old/was{n}"))).unwrap();
        fs::write(home.join(format!("made{n}")), b"new").unwrap();
        let (one, other) = (home.join(format!("c/{n}")), home.join(format!("old/deep/{n}")));
        rustix::fs::renameat_with(rustix::fs::CWD, one, rustix::fs::CWD, other, rustix::fs::RenameFlags::EXCHANGE)
            .unwrap();
        fs::remove_file(home.join(format!("a/{n}"))).unwrap();
    }
    fs::rename(home.join("old"), home.join("new")).unwrap();
    fs::write(home.join("b/8"), b"changed").unwrap();
    fs::remove_file(home.join("b/9")).unwrap();
}

/// What others tell of a tree, without the times of directories.
fn told(top: &Path) -> Vec<String> {
    let lines = tool(&["find", text(top), "!", "-type", "d", "-printf", "%y %m %s %T@ %n %P\\n"]);
    let mut lines: Vec<String> = lines.lines().map(str::to_owned).collect();
    lines.push(tool(&[
        "sh",
        "-c",
        &format!("cd {} && find . -type f -print0 | sort -z | xargs -0 sha256sum", text(top)),
    ]));
    lines.sort();
    lines
}

/// The command given again completes it; then everything is as before the changes, and the changes are kept.
fn completes(scene: &Scene) {
    let (home, snapshots) = (scene.world.home(), scene.world.snapshots());
    scene.world.run(&UNDO).expect(0);
    assert_eq!(told(&snapshots.join(BEFORE)), told(&home), "taken back");
    let kept = scene.world.snapshot_names().into_iter().find(|name| !name.contains("20261101")).unwrap();
    assert!(snapshots.join(&kept).join("made1").exists() || kept.ends_with(".json"), "the changes are kept");
    forget_kept(scene);
}

#[test]
fn undo_survives_a_kill_at_every_named_point() {
    let scene = scene();
    let points = named(UNDOING);
    let kills = at_each(&points, |death| {
        change(&scene.world.home());
        let killed = scene.kill(&UNDO, death);
        completes(&scene);
        killed
    });
    through(
        &[("bringing back", End::Named, kills)],
        &format!("{kills} kills at all {} named points of taking changes back: each rerun completes it", points.len()),
    );
}

#[test]
fn undo_survives_random_kills() {
    let scene = scene();
    change(&scene.world.home());
    let mut moments = Moments::new("undo", share(10), scene.measure(&UNDO));
    completes(&scene);
    while let Some(death) = moments.next() {
        change(&scene.world.home());
        let killed = scene.kill(&UNDO, &death);
        moments.was(killed);
        completes(&scene);
    }
    let count = moments.hit;
    through(
        &[("bringing back", End::Random, count)],
        &format!("{count} kills at random moments while taking changes back: each rerun completes it"),
    );
}
