//! Kills while paths are forgotten: on the pool, and at a store that is filled anew.

use std::fs;
use std::path::{Path, PathBuf};

use crate::oracle::{Described, assert_same, describe};
use crate::scene::{Moments, Scene};
use crate::store::objects_in;
use crate::tally::{End, through};
use crate::world::{names, noise, text, tool};
use crate::{FORGETTING, at_each, named, share};

/// As many as the passings of a point at which a test kills.
const SNAPSHOTS: usize = 5;
const SECRET: &[u8] = b"what nobody may read any more 0815";

/// A pool of snapshots that hold two secrets, as it was before any of them was forgotten.
struct Forgets {
    scene: Scene,
    wanted: Vec<(PathBuf, Described)>,
}

impl Forgets {
    fn new() -> Self {
        let scene = Scene::new(false);
        let world = &scene.world;
        world.configure_keeping(50, "", &world.directory_target("disk", "encryption = \"off\"\n"));
        fs::create_dir_all(world.home().join("ada")).unwrap();
        fs::write(world.home().join("kept"), noise(200_000, 3)).unwrap();
        let home = world.home();
        [home.join("ada"), home].iter().for_each(|path| drop(tool(&["touch", "-d", "2026-11-01 09:00", text(path)])));
        let mut forgets = Self { scene, wanted: Vec::new() };
        forgets.wanted =
            (0..SNAPSHOTS).map(|n| forgets.snapshot(n)).map(|path| (path.clone(), describe(&path))).collect();
        forgets
    }

    fn home(&self) -> PathBuf {
        self.scene.world.home()
    }

    fn path(&self, n: usize) -> PathBuf {
        self.scene.world.snapshots().join(format!("home.20261101T10000{n}Z"))
    }

    fn snapshot(&self, n: usize) -> PathBuf {
        tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(&self.home()), text(&self.path(n))]);
        self.path(n)
    }

    fn args(&self) -> Vec<String> {
        let (one, other) = (self.home().join("ada/letters"), self.home().join("diary"));
        let options = ["--yes", "--live", "--rebase", "all"].map(str::to_owned);
        [vec!["forget-path".to_owned(), text(&one).to_owned(), text(&other).to_owned()], options.to_vec()].concat()
    }

    /// Puts the secrets everywhere: into the subvolume, its snapshots, the store, and what an earlier run left.
    fn fill(&self) {
        let (home, world) = (self.home(), &self.scene.world);
        for path in names(&world.snapshots()).iter().map(|name| world.snapshots().join(name)) {
            if path.is_dir() {
                tool(&["btrfs", "-q", "subvolume", "delete", text(&path)]);
            } else {
                fs::remove_file(path).unwrap();
            }
        }
        fs::create_dir_all(home.join("ada/letters/deep")).unwrap();
        fs::write(home.join("ada/letters/deep/one"), SECRET.repeat(500)).unwrap();
        fs::write(home.join("diary"), SECRET).unwrap();
        // As they were when it was described what all shall be like.
        [home.join("ada"), home].iter().for_each(|path| drop(tool(&["touch", "-d", "2026-11-01 09:00", text(path)])));
        (0..SNAPSHOTS).for_each(|n| drop(self.snapshot(n)));
        for n in 0..SNAPSHOTS {
            let left = world.snapshots().join(format!(".forgetting.home.20261101T10000{n}Z"));
            tool(&["btrfs", "-q", "subvolume", "snapshot", text(&self.path(n)), text(&left)]);
        }
        world.run(&["archive", "--full"]).expect(0);
    }

    /// Whatever happened: each snapshot is there, read-only, and holds all or nothing of it; doctor tells what is left.
    fn nothing_is_lost(&self) {
        for n in 0..SNAPSHOTS {
            let path = self.path(n);
            assert_eq!(fs::read(path.join("kept")).unwrap(), noise(200_000, 3));
            assert_eq!(tool(&["btrfs", "property", "get", text(&path), "ro"]).trim(), "ro=true");
            assert_eq!(path.join("diary").exists(), path.join("ada/letters/deep/one").exists(), "half of it: {path:?}");
        }
        let left = names(&self.scene.world.snapshots()).iter().any(|name| name.starts_with(".forgetting."));
        let told = self.scene.world.run(&["doctor"]);
        assert_eq!(told.out.contains(".forgetting."), left, "{}", told.out);
    }

    /// The same command completes it: all snapshots are as they were without it, and nothing of it is anywhere.
    fn completes(&self) {
        let (args, world) = (self.args(), &self.scene.world);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        world.run(&args).expect(0);
        for (path, described) in &self.wanted {
            assert_same((Path::new("before"), described), path, text(path));
        }
        assert!(names(&world.snapshots()).iter().all(|name| !name.starts_with('.')), "something is left");
        assert!(!self.home().join("diary").exists() && !self.home().join("ada/letters").exists());
        let holds = |bytes: &Vec<u8>| bytes.windows(SECRET.len()).any(|window| window == SECRET);
        assert!(!objects_in(&world.store()).values().any(holds), "the store holds it");
        world.run(&["verify", "--all"]).expect(0);
        world.run(&args).expect(0).says(&["Nothing is to be done"]);
    }

    fn kill(&self, death: &crate::scene::Death) -> bool {
        let args = self.args();
        self.fill();
        let killed = self.scene.kill(&args.iter().map(String::as_str).collect::<Vec<_>>(), death);
        self.nothing_is_lost();
        self.completes();
        killed
    }
}

#[test]
fn forgetting_survives_a_kill_at_every_named_point() {
    let forgets = Forgets::new();
    let points = named(FORGETTING);
    let kills = at_each(&points, |death| forgets.kill(death));
    through(
        &[("forgetting", End::Named, kills)],
        &format!(
            "{kills} kills at all {} named points of forgetting: no snapshot is missing, each rerun completes it",
            points.len()
        ),
    );
}

#[test]
fn forgetting_survives_random_kills() {
    let forgets = Forgets::new();
    forgets.fill();
    let args = forgets.args();
    let whole = forgets.scene.measure(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let mut moments = Moments::new("forget", share(10), whole);
    while let Some(death) = moments.next() {
        let killed = forgets.kill(&death);
        moments.was(killed);
    }
    let count = moments.hit;
    through(
        &[("forgetting", End::Random, count)],
        &format!("{count} kills at random moments while forgetting: no snapshot is missing, each rerun completes it"),
    );
}
