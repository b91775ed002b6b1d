//! Kills while snapshots and copies are let go, while marks are noted, and during whole runs.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use subvault_testkit::pool::LoopPool;

use crate::scene::{Death, Moments, kill_with};
use crate::tally::{End, through};
use crate::world::{World, names, next_second, text, tool};
use crate::{PRUNING, at_each, named, share};

const ENDING: &str = ".note.json";
const RULES: &str = "keep = { newest = 2, hourly = 0, daily = 3, weekly = 0, monthly = 3 }\n";

/// A subvolume with snapshots of three months, notes on some of them, and a disk that has copies.
struct Old {
    world: World,
    disk: LoopPool,
    /// What is wrong with the set-up of this machine before anything was killed.
    examined: String,
}

/// What is in the directory of snapshots: the content of each snapshot and of each note.
type There = BTreeMap<String, Vec<u8>>;

impl Old {
    fn new() -> Self {
        let (world, disk) = (World::new(512), LoopPool::new(512 << 20, &[], &[]).unwrap());
        let (state, home, snapshots) = (world.state(), world.home(), world.snapshots());
        let subvolume = format!("name = \"home\"\npath = {home:?}\nsnapshots = {snapshots:?}\n{RULES}");
        let target = format!("name = \"disk\"\n[target.btrfs]\ndirectory = {:?}\n{RULES}", disk.path());
        let config = format!(
            "[host]\nname = \"laptop\"\nstate = {state:?}\ntime_zone = \"UTC\"\n[[subvolume]]\n{subvolume}[[target]]\n{target}"
        );
        fs::write(world.config(), config).unwrap();
        let mut old = Self { world, disk, examined: String::new() };
        old.refill();
        old.examined = old.examine();
        old
    }

    /// All snapshots anew, two on every seventh day. The disk has a copy of one that no rule keeps, so that it stays as a
    /// parent.
    fn refill(&self) {
        delete_all(&self.world);
        tool(&["sh", "-c", &format!("rm -rf {}", text(&self.world.state()))]);
        tool(&["sh", "-c", &format!("btrfs -q subvolume delete {}/laptop/home/* || true", text(&self.disk.path()))]);
        let days = ["01", "08", "15", "22"];
        let dates = ["202509", "202510", "202511"].iter().flat_map(|month| days.map(|day| format!("{month}{day}")));
        let moments: Vec<String> =
            dates.flat_map(|date| [8, 20].map(|hour| format!("{date}T{hour:02}0000Z"))).collect();
        for (index, moment) in moments.iter().enumerate() {
            fs::write(self.world.home().join("data"), index.to_string()).unwrap();
            let path = self.world.snapshots().join(format!("home.{moment}"));
            tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(&self.world.home()), text(&path)]);
            if index % 2 == 1 {
                let tags = if index % 5 == 0 { ", \"tags\": [\"keep\"]" } else { "" };
                let note = format!("{{\"description\": \"{index}\"{tags}}}");
                fs::write(self.world.snapshots().join(format!("home.{moment}{ENDING}")), note).unwrap();
            }
            if index + 5 == moments.len() {
                self.world.run(&["replicate"]).expect(0);
            }
        }
    }

    fn there(&self) -> There {
        let content = |name: &String| {
            let path = self.world.snapshots().join(name);
            fs::read(if path.is_dir() { path.join("data") } else { path }).unwrap()
        };
        names(&self.world.snapshots()).into_iter().map(|name| (name.clone(), content(&name))).collect()
    }

    fn examine(&self) -> String {
        self.world.run(&["doctor", "--json"]).out
    }

    /// Nothing that is to stay is gone or another.
    fn nothing_is_lost(&self, wanted: &There) {
        let there = self.there();
        for (name, content) in wanted {
            assert_eq!(there.get(name), Some(content), "{name}");
        }
    }

    /// A rerun leaves what one that was left alone leaves, and nothing else.
    fn comes_right(&self, wanted: &There) {
        self.nothing_is_lost(wanted);
        self.world.run(&["prune"]).expect(0);
        assert_eq!(self.there(), *wanted);
        let again = self.world.run(&["prune", "--dry-run", "--json"]).expect(0).json();
        assert_eq!(again["steps"].as_array().unwrap().len(), 0, "{again:#}");
        assert_eq!(self.examine(), self.examined);
    }
}

fn delete_all(world: &World) {
    for name in names(&world.snapshots()) {
        let path = world.snapshots().join(name);
        if path.is_dir() {
            tool(&["btrfs", "-q", "subvolume", "delete", text(&path)]);
        } else {
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn pruning_survives_kills_at_named_points_and_random_moments() {
    let old = Old::new();
    let before = old.there();
    let begin = std::time::Instant::now();
    old.world.run(&["prune"]).expect(0);
    let (whole, wanted) = (begin.elapsed(), old.there());
    let marked = wanted.iter().filter(|(name, _)| name.ends_with(ENDING)).count();
    assert!(wanted.len() > 10 && before.len() > wanted.len() + 20 && marked > 2, "{before:?}\n{wanted:?}");
    let points: Vec<_> = named(&["prune-", "snapshot-deleted"]).into_iter().filter(|p| !is_of_notes(p)).collect();
    let kills = at_each(&points, |death| {
        old.refill();
        let killed = kill_with(&old.world.config(), &["prune"], death, || {});
        old.comes_right(&wanted);
        killed
    });
    let mut moments = Moments::new("prune", share(10), whole);
    while let Some(death) = moments.next() {
        old.refill();
        moments.was(kill_with(&old.world.config(), &["prune"], &death, || {}));
        while moments.numbers.one_in(3) {
            old.nothing_is_lost(&wanted);
            let again = moments.any();
            moments.was(kill_with(&old.world.config(), &["prune"], &again, || {}));
        }
        old.comes_right(&wanted);
    }
    let (count, points) = (moments.hit, points.len());
    through(
        &[("pruning", End::Random, count), ("pruning", End::Named, kills)],
        &format!(
            "{count} kills at random moments and {kills} at all {points} named points of pruning: what rules, marks and \
            parents keep stays, and a rerun leaves what one without kills leaves"
        ),
    );
}

/// Of what is passed while a mark is noted, or what is left of that is removed.
fn is_of_notes(times: &[String]) -> bool {
    times[0].starts_with("prune-lost-") || times[0].starts_with("note-")
}

#[test]
fn marks_survive_a_kill_at_every_named_point() {
    let world = World::new(512);
    world.configure("");
    let take = ["snapshot", "--keep", "-m", "before the move"];
    let noted = |name: &str| fs::read(world.snapshots().join(format!("{name}{ENDING}"))).unwrap_or_default();
    let points: Vec<_> = named(PRUNING).into_iter().filter(|p| is_of_notes(p)).collect();
    let kills = Cell::new(0);
    at_each(&points, |death| {
        delete_all(&world);
        let Death::At(point) = death else { return false };
        let is_removing = point.starts_with("prune-lost-");
        for left in ["note-written", "note-staged"].iter().filter(|_| is_removing) {
            assert!(kill_with(&world.config(), &take, &Death::At((*left).to_owned()), || {}));
            next_second();
        }
        let args: &[&str] = if is_removing { &["prune"] } else { &take };
        let killed = kill_with(&world.config(), args, death, || {});
        kills.set(kills.get() + usize::from(killed));
        world.run(&take).expect(0);
        world.run(&["snapshot"]).expect(0);
        world.run(&["prune"]).expect(0);
        // What was marked is, and one more is not: what was left passed to none, and is gone.
        let names = world.snapshot_names();
        let (notes, snapshots): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.ends_with(ENDING));
        let is_marked = |name: &&&String| String::from_utf8(noted(name)).unwrap().contains("before the move");
        let marked = snapshots.iter().filter(is_marked).count();
        assert!(marked > 0 && marked == notes.len() && marked + 1 == snapshots.len(), "{names:?}");
        killed
    });
    let (count, points) = (kills.get(), points.len());
    through(
        &[("pruning", End::Named, count)],
        &format!(
            "{count} kills at all {points} named points of noting marks: no mark is lost, and none is left behind"
        ),
    );
}

#[test]
fn whole_runs_survive_random_kills() {
    let (world, disk) = (World::new(512), LoopPool::new(512 << 20, &[], &[]).unwrap());
    let frozen = world.dir.path().join("frozen");
    let schedule = "schedule = \"*-*-* *:*:*\"\n";
    let rules = "keep = { newest = 2, hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0 }\n";
    let target =
        format!("[[target]]\nname = \"disk\"\n{schedule}[target.btrfs]\ndirectory = {:?}\n{rules}", disk.path());
    let hook = format!(
        "[[hook]]\nname = \"freeze\"\nbefore = [\"touch\", {frozen:?}]\nafter = [\"rm\", \"-f\", {frozen:?}]\n"
    );
    world.configure_keeping(2, "snapshot = \"*-*-* *:*:*\"\nhooks = [\"freeze\"]\n", &(hook + &target));
    let run = |number: usize| {
        fs::write(world.home().join("data"), number.to_string()).unwrap();
        next_second();
    };
    (0..3).for_each(|number| {
        run(number);
        world.run(&["run"]).expect(0);
    });
    next_second();
    let begin = std::time::Instant::now();
    world.run(&["run"]).expect(0);
    let mut moments = Moments::new("runs", share(10), begin.elapsed());
    while let Some(death) = moments.next() {
        run(moments.tried);
        let before: BTreeSet<String> = world.snapshot_names().into_iter().filter(|n| !n.ends_with(ENDING)).collect();
        moments.was(kill_with(&world.config(), &["run"], &death, || {}));
        let kept = world.snapshot_names().into_iter().filter(|name| before.contains(name)).count();
        assert!(kept >= 1, "the parent of the next copy is gone");
        next_second();
        world.run(&["run"]).expect(0);
        assert!(!frozen.exists(), "a hook was not ended");
        let (mut here, there) = (names(&world.snapshots()), names(&disk.path().join("laptop/home")));
        let mut notes = here.extract_if(.., |name| name.ends_with(ENDING)).collect::<Vec<String>>().into_iter();
        assert!(notes.all(|note| here.iter().any(|name| note == format!("{name}{ENDING}"))), "a lost note: {here:?}");
        assert!(here.len() == 2 && there.len() == 2 && here[1] == there[1], "{here:?} {there:?}");
        let data = |top: &std::path::Path| fs::read(top.join(&here[1]).join("data")).unwrap();
        assert_eq!(data(&world.snapshots()), data(&disk.path().join("laptop/home")));
        assert_eq!(data(&world.snapshots()), fs::read(world.home().join("data")).unwrap());
    }
    let count = moments.hit;
    through(
        &[("pruning", End::Random, count)],
        &format!(
            "{count} kills at random moments of whole runs with hook, snapshot, copy and retention on both sides: the next \
            run ends the hook, completes the copy, and leaves what the rules keep"
        ),
    );
}
