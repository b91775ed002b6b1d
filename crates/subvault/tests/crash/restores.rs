//! Kills while restoring.

use std::path::PathBuf;

use crate::scene::{Death, LARGE, Moments, Scene};
use crate::tally::{End, through};
use crate::world::{next_second, text};
use crate::{RESTORING, at_each, named, share};

/// A scene with a full and two incrementals to restore, the place for it, and the key.
fn chain() -> (Scene, PathBuf, PathBuf) {
    let scene = Scene::new(false);
    add(&scene, &["archive"], LARGE);
    extend(&scene);
    let (to, key) = (scene.world.back(), scene.world.key());
    (scene, to, key)
}

fn add(scene: &Scene, args: &[&str], bytes: usize) {
    scene.change(bytes);
    scene.world.run(args).expect(0);
    next_second();
}

fn extend(scene: &Scene) {
    add(scene, &["archive"], 9 << 20);
    add(scene, &["archive"], 1 << 20);
}

#[test]
fn restores_survive_random_kills() {
    let (scene, to, key) = chain();
    let args = ["restore", "home", "--from", "disk", "--to", text(&to), "-i", text(&key)];
    let mut moments = Moments::new("restores", share(22), scene.measure(&args));
    scene.is_restored(&to);
    while let Some(death) = moments.next() {
        moments.was(scene.kill(&args, &death));
        // The restore that would go on is killed as well, now and then.
        while moments.numbers.one_in(3) {
            let again = moments.any();
            moments.was(scene.kill(&args, &again));
        }
        scene.restore_again(&to);
    }
    scene.what_is_visible_is_whole(true);
    let count = moments.hit;
    through(
        &[("restoring", End::Random, count)],
        &format!("{count} kills at random moments while restoring: each rerun is identical and leaves nothing"),
    );
}

#[test]
fn restores_survive_a_kill_at_every_named_point() {
    let points = named(RESTORING);
    let (scene, to, key) = chain();
    let args = ["restore", "home", "--from", "disk", "--to", text(&to), "-i", text(&key)];
    let mut kills = at_each(&points, |death| {
        let killed = scene.kill(&args, death);
        scene.restore_again(&to);
        killed
    });
    // What is newest has changed when the command is given again.
    for point in ["restore-begun:2", "restore-received:1", "restore-stream-checked:2", "restore-begun:3"] {
        assert!(scene.kill(&args, &Death::At(point.to_owned())), "{point}");
        add(&scene, &["archive", "--full"], 1 << 20);
        scene.restore_again(&to);
        extend(&scene);
        kills += 1;
    }
    through(
        &[("restoring", End::Named, kills)],
        &format!(
            "{kills} kills at all {} named points of restoring, also with another newest after them",
            points.len()
        ),
    );
}
