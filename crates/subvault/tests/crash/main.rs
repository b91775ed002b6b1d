//! The program is killed, at every named point and at hundreds of random moments, while it archives, restores and
//! collects garbage; each time the same command is simply given again, and everything must be right.
//!
//! `SUBVAULT_CRASH_RANDOM` says how many random moments there are in all (300 unless said otherwise),
//! `SUBVAULT_CRASH_SEED` which.

#![expect(clippy::unwrap_used, reason = "a test cannot go on without what it asks for")]

#[expect(dead_code, reason = "shared with the tests of the whole program, which use more of it")]
#[path = "../system/oracle.rs"]
mod oracle;
mod power;
mod scene;
#[expect(dead_code, reason = "shared with the tests of the whole program, which use more of it")]
#[path = "../system/world.rs"]
mod world;

use std::time::Duration;

use scene::{Death, LARGE, Numbers, Scene, place};
use subvault_model::crash::POINTS;
use world::{next_second, proved, text};

/// How many of the random moments a test takes, of a hundred.
fn share(percent: usize) -> usize {
    let all = std::env::var("SUBVAULT_CRASH_RANDOM").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    (all * percent).div_ceil(100)
}

/// Random moments within a run whose length is learned on the way.
struct Moments {
    numbers: Numbers,
    micros: u64,
    hit: usize,
    tried: usize,
    wanted: usize,
}

impl Moments {
    /// So many moments at which the program was alive.
    fn new(what: &str, wanted: usize, whole: Duration) -> Self {
        let micros = u64::try_from(whole.as_micros()).unwrap();
        Self { numbers: Numbers::new(what), micros, hit: 0, tried: 0, wanted }
    }

    /// The next one, until there were enough.
    fn next(&mut self) -> Option<Death> {
        assert!(self.tried <= 5 * self.wanted, "only {} of {} kills came in time", self.hit, self.tried);
        (self.hit < self.wanted).then(|| self.any())
    }

    fn any(&self) -> Death {
        Death::After(Duration::from_micros(self.numbers.below(self.micros)))
    }

    /// Takes note of whether the program was alive.
    fn was(&mut self, killed: bool) {
        self.tried += 1;
        self.hit += usize::from(killed);
        self.micros = if killed { self.micros * 51 / 50 } else { self.micros * 19 / 20 }.max(1000);
    }
}

/// One kill while archiving, and the rerun; whether it was killed before it had come to its end.
fn archive_once(scene: &Scene, args: &[&str], death: &Death, deep: bool) -> bool {
    let before = scene.parts_sent();
    let killed = scene.kill(args, death);
    scene.what_is_visible_is_whole(deep);
    scene.world.run(&["archive"]).expect(0);
    scene.what_is_visible_is_whole(deep);
    if killed && matches!(death, Death::At(_)) {
        scene.little_was_sent_twice(before, death);
    }
    killed
}

/// Kills archive runs at random moments.
fn archives_at_random(bucket: bool, count: usize, what: &str) {
    let scene = Scene::new(bucket);
    scene.change(LARGE);
    let mut moments = Moments::new(what, count, scene.measure(&["archive"]));
    while let Some(death) = moments.next() {
        let round = moments.tried;
        scene.change(if moments.numbers.below(4) == 0 { 1 << 20 } else { LARGE });
        let args: &[&str] = if round % 8 == 5 { &["archive", "--full"] } else { &["archive"] };
        moments.was(archive_once(&scene, args, &death, round % 10 == 9));
        if round % 10 == 9 {
            scene.nothing_is_left_after_gc();
            scene.comes_back();
        }
    }
    scene.nothing_is_left_after_gc();
    scene.comes_back();
    scene.world.run(&["verify", "--all"]).expect(0);
    proved(&format!("{count} kills at random moments while archiving to {what}: each rerun succeeds, all is whole"));
}

#[test]
fn archives_to_a_directory_survive_random_kills() {
    archives_at_random(false, share(40), "a directory");
}

#[test]
fn archives_to_a_bucket_survive_random_kills() {
    archives_at_random(true, share(25), "a bucket");
}

/// A scene with a full and two incrementals to restore.
fn chain() -> Scene {
    let scene = Scene::new(false);
    for bytes in [LARGE, 9 << 20, 1 << 20] {
        scene.change(bytes);
        scene.world.run(&["archive"]).expect(0);
        next_second();
    }
    scene
}

#[test]
fn restores_survive_random_kills() {
    let scene = chain();
    let (to, key) = (place(&scene), scene.world.key());
    let args = ["restore", "home", "--to", text(&to), "-i", text(&key)];
    let mut moments = Moments::new("restores", share(25), scene.measure(&args));
    scene.is_restored(&to);
    while let Some(death) = moments.next() {
        moments.was(scene.kill(&args, &death));
        // A second kill in the same restore, now and then.
        if moments.numbers.below(3) == 0 {
            scene.kill(&args, &moments.any());
        }
        scene.restore_again(&to);
    }
    let count = moments.hit;
    proved(&format!("{count} kills at random moments while restoring: each rerun is identical and leaves nothing"));
}

#[test]
fn garbage_collection_survives_random_kills() {
    let scene = Scene::new(false);
    let supersede = || {
        for _ in 0..2 {
            scene.change(100_000);
            scene.world.run(&["archive", "--full"]).expect(0);
        }
    };
    supersede();
    let mut moments = Moments::new("gc", share(10), scene.measure(&["gc"]));
    while let Some(death) = moments.next() {
        supersede();
        moments.was(scene.kill(&["gc"], &death));
        scene.what_is_visible_is_whole(false);
        scene.nothing_is_left_after_gc();
    }
    scene.comes_back();
    let count = moments.hit;
    proved(&format!("{count} kills at random moments while collecting garbage: a rerun leaves nothing"));
}

/// The points of a command, each at its first, second and fifth passing.
fn named(prefixes: &[&str]) -> Vec<Vec<String>> {
    let points = POINTS.iter().filter(|point| prefixes.iter().any(|p| point.starts_with(p)));
    points.map(|point| [1, 2, 5].map(|time| format!("{point}:{time}")).to_vec()).collect()
}

/// Kills at each point of a list, the first time surely; how often it died.
fn at_each(points: &[Vec<String>], mut kill: impl FnMut(&Death) -> bool) -> usize {
    let mut kills = 0;
    for point in points {
        let died: Vec<bool> = point.iter().map(|name| kill(&Death::At(name.clone()))).collect();
        assert!(died[0], "{} is never passed", point[0]);
        kills += died.into_iter().filter(|died| *died).count();
    }
    kills
}

#[test]
fn archives_survive_a_kill_at_every_named_point() {
    let points = named(&["snapshot-", "journal-", "upload-", "part-", "chunk-", "stream-", "manifest-", "pointer-"]);
    let mut kills = 0;
    for bucket in [false, true] {
        let scene = Scene::new(bucket);
        let mut round = 0;
        kills += at_each(&points, |death| {
            round += 1;
            // A stream of a single part is put without a journal, and passes a point of its own.
            let small = matches!(death, Death::At(name) if name.starts_with("chunk-put"));
            scene.change(if small { 100_000 } else { LARGE });
            let full: &[&str] = if round % 7 == 0 { &["archive", "--full"] } else { &["archive"] };
            let killed = archive_once(&scene, full, death, round % 10 == 0);
            if round % 9 == 0 {
                scene.nothing_is_left_after_gc();
                scene.comes_back();
            }
            killed
        });
        scene.nothing_is_left_after_gc();
        scene.comes_back();
    }
    proved(&format!("{kills} kills at all {} named points of archiving, to a directory and a bucket", points.len()));
}

#[test]
fn restores_survive_a_kill_at_every_named_point() {
    let points = named(&["restore-"]);
    let scene = chain();
    let (to, key) = (place(&scene), scene.world.key());
    let args = ["restore", "home", "--to", text(&to), "-i", text(&key)];
    let kills = at_each(&points, |death| {
        let killed = scene.kill(&args, death);
        scene.restore_again(&to);
        killed
    });
    proved(&format!("{kills} kills at all {} named points of restoring", points.len()));
}

#[test]
fn garbage_collection_survives_a_kill_at_every_named_point() {
    let points = named(&["gc-"]);
    let scene = Scene::new(false);
    let kills = at_each(&points, |death| {
        for _ in 0..3 {
            scene.change(100_000);
            scene.world.run(&["archive", "--full"]).expect(0);
        }
        let killed = scene.kill(&["gc"], death);
        scene.what_is_visible_is_whole(true);
        scene.nothing_is_left_after_gc();
        killed
    });
    proved(&format!("{kills} kills at all {} named points of collecting garbage", points.len()));
}

#[test]
fn every_named_point_belongs_to_a_test() {
    let prefixes =
        ["snapshot-", "journal-", "upload-", "part-", "chunk-", "stream-", "manifest-", "pointer-", "restore-", "gc-"];
    assert!(POINTS.iter().all(|point| prefixes.iter().any(|prefix| point.starts_with(prefix))));
}
