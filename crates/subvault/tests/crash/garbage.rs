//! Kills while collecting garbage.

use crate::scene::{Moments, Scene};
use crate::tally::{End, through};
use crate::{COLLECTING, at_each, named, share};

/// Makes so many fulls, each of which supersedes the one before.
fn supersede(scene: &Scene, times: usize) {
    for _ in 0..times {
        scene.change(100_000);
        scene.world.run(&["archive", "--full"]).expect(0);
    }
}

#[test]
fn garbage_collection_survives_random_kills() {
    let scenes = [Scene::new(false), Scene::new(true)];
    for scene in &scenes {
        supersede(scene, 4);
    }
    let mut moments = Moments::new("gc", share(8), scenes[0].measure(&["gc"]));
    while let Some(death) = moments.next() {
        let scene = &scenes[moments.tried % 2];
        supersede(scene, 4);
        moments.was(scene.kill(&["gc"], &death));
        scene.what_is_visible_is_whole(false);
        scene.nothing_is_left_after_gc();
    }
    for scene in &scenes {
        scene.what_is_visible_is_whole(true);
        scene.comes_back();
    }
    let count = moments.hit;
    through(
        &[("collecting", End::Random, count)],
        &format!(
            "{count} kills at random moments while collecting garbage, of a directory and a bucket: a rerun leaves nothing"
        ),
    );
}

#[test]
fn garbage_collection_survives_a_kill_at_every_named_point() {
    let points = named(COLLECTING);
    let mut kills = 0;
    for bucket in [false, true] {
        let scene = Scene::new(bucket);
        kills += at_each(&points, |death| {
            supersede(&scene, 6);
            let killed = scene.kill(&["gc"], death);
            scene.what_is_visible_is_whole(true);
            scene.nothing_is_left_after_gc();
            killed
        });
    }
    through(
        &[("collecting", End::Named, kills)],
        &format!("{kills} kills at all {} named points of collecting garbage", points.len()),
    );
}
