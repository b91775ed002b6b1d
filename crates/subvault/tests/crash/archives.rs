//! Kills while archiving.

use std::fs;

use subvault_testkit::s3_fake::{Fault, FaultKind, When};

use crate::scene::{Death, LARGE, Moments, Scene};
use crate::tally::{End, through};
use crate::{ARCHIVING, at_each, named, share};

/// What happens between the last kill and the rerun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    Nothing,
    /// Garbage is collected, which must leave alone what the rerun goes on with.
    Gc,
    /// The journal is lost; then all that was sent is sent again.
    JournalLost,
}

/// Kills runs one after the other, then lets one come to its end; which of them were alive when they were killed, and
/// how many parts were sent twice.
fn archive_once(
    scene: &Scene,
    args: &[&str],
    deaths: &[Death],
    between: Between,
    deep: bool,
) -> (Vec<bool>, (usize, bool)) {
    let before = scene.parts();
    let mut killed = Vec::new();
    for (number, death) in deaths.iter().enumerate() {
        killed.push(scene.kill(if number == 0 { args } else { &["archive"] }, death));
        scene.what_is_visible_is_whole(deep);
    }
    match between {
        Between::Nothing => {}
        Between::Gc => drop(scene.world.run(&["gc"]).expect(0)),
        Between::JournalLost => {
            let _ = fs::remove_dir_all(scene.world.state().join("journal"));
        }
    }
    scene.world.run(&["archive"]).expect(0);
    scene.what_others_see_is_whole(deep);
    let kills = killed.iter().filter(|killed| **killed).count();
    let twice = match between {
        Between::JournalLost => (0, false),
        _ => scene.little_was_sent_twice(before, kills, &(deaths, between)),
    };
    (killed, twice)
}

/// Kills archive runs at random moments.
fn archives_at_random(bucket: bool, count: usize, what: &str) {
    let scene = Scene::new(bucket);
    let large = if bucket { 2 * LARGE } else { LARGE };
    scene.change(large);
    let mut moments = Moments::new(what, count, scene.measure(&["archive"]));
    let (mut twice, mut told) = (0, 0);
    while let Some(death) = moments.next() {
        let round = moments.tried;
        scene.change(if moments.numbers.one_in(if bucket { 2 } else { 4 }) { 1 << 20 } else { large });
        let args: &[&str] = if moments.numbers.one_in(4) { &["archive", "--full"] } else { &["archive"] };
        // Now and then the runs that would go on are killed as well.
        let mut deaths = vec![death];
        while moments.numbers.one_in(4) {
            deaths.push(moments.any());
        }
        let between = match moments.numbers.below(12) {
            0 | 1 => Between::Gc,
            2 => Between::JournalLost,
            _ => Between::Nothing,
        };
        let (killed, again) = archive_once(&scene, args, &deaths, between, round % 10 == 9);
        killed.into_iter().for_each(|killed| moments.was(killed));
        twice += again.0;
        told += usize::from(again.1);
        if round % 10 > moments.tried % 10 || moments.tried - round > 9 {
            scene.nothing_is_left_after_gc();
            scene.comes_back();
        }
    }
    scene.nothing_is_left_after_gc();
    scene.comes_back();
    let sent = match told {
        0 => String::new(),
        _ => format!("; {twice} parts were sent twice, never more than one a lane and kill ({told} streams had more)"),
    };
    assert!(!bucket || told >= count / 5, "only {told} streams had more parts than may be sent twice");
    through(
        &[("archiving", End::Random, moments.hit)],
        &format!(
            "{} kills at random moments while archiving to {what}: each rerun succeeds, all is whole{sent}",
            moments.hit
        ),
    );
}

#[test]
fn archives_to_a_directory_survive_random_kills() {
    archives_at_random(false, share(36), "a directory");
}

#[test]
fn archives_to_a_bucket_survive_random_kills() {
    archives_at_random(true, share(24), "a bucket");
}

/// The first run to a bucket finds out what it honours, with scratch objects and a scratch upload.
#[test]
fn first_runs_to_a_bucket_survive_random_kills() {
    let mut scene = Scene::new(true);
    scene.change(100_000);
    let slow = || vec![Fault::on_all(FaultKind::Latency(std::time::Duration::from_millis(4)), When::Always)];
    scene.new_bucket().set_faults(slow());
    let mut moments = Moments::new("first runs", share(10), scene.measure(&["archive"]));
    while let Some(death) = moments.next() {
        scene.new_bucket().set_faults(slow());
        moments.was(scene.kill(&["archive"], &death));
        scene.world.run(&["archive"]).expect(0);
        scene.what_is_visible_is_whole(false);
        scene.nothing_is_left_after_gc();
    }
    scene.comes_back();
    through(
        &[("archiving", End::Random, moments.hit)],
        &format!("{} kills in the first run to a new bucket: each rerun succeeds, nothing is left", moments.hit),
    );
}

#[test]
fn archives_survive_a_kill_at_every_named_point() {
    let points = named(ARCHIVING);
    let mut kills = 0;
    for bucket in [false, true] {
        let scene = Scene::new(bucket);
        let mut round = 0;
        kills += at_each(&points, |death| {
            round += 1;
            // A stream of a single part is put without a journal, and passes a point of its own. To pass others five
            // times it takes many parts.
            let Death::At(name) = death else { unreachable!() };
            scene.change(match name {
                _ if name.starts_with("chunk-put") => 100_000,
                _ if name.ends_with(":5") => 4 * LARGE,
                _ => LARGE,
            });
            let args: &[&str] = if round % 5 == 0 { &["archive", "--full"] } else { &["archive"] };
            let between = if round % 4 == 0 { Between::Gc } else { Between::Nothing };
            let (killed, _) = archive_once(&scene, args, std::slice::from_ref(death), between, round % 10 == 0);
            if round % 9 == 0 {
                scene.nothing_is_left_after_gc();
                scene.comes_back();
            }
            killed[0]
        });
        scene.nothing_is_left_after_gc();
        scene.comes_back();
    }
    through(
        &[("archiving", End::Named, kills)],
        &format!("{kills} kills at all {} named points of archiving, to a directory and a bucket", points.len()),
    );
}
