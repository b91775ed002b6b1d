//! Beside snapper and btrbk: the real programs take snapshots, and ours shows whose they are and leaves them alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use subvault_testkit::pool::LoopPool;

use crate::oracle::{assert_same, describe};
use crate::world::{Ran, World, finish, names, next_second, proved, text, tool};

/// A configuration of snapper for `home`, registered where Debian's snapper looks, and taken back when dropped.
struct Snapper {
    name: String,
    /// There is one register, and snapper rewrites it.
    _alone: MutexGuard<'static, ()>,
}

const REGISTER: &str = "/etc/default/snapper";
static ALONE: Mutex<()> = Mutex::new(());

impl Snapper {
    fn new(world: &World) -> Self {
        let name = format!("subvault-{}", std::process::id());
        let snapper = Self { name, _alone: ALONE.lock().unwrap_or_else(PoisonError::into_inner) };
        snapper.run(&["create-config", text(&world.home())]).expect(0);
        snapper
    }

    fn run(&self, args: &[&str]) -> Ran {
        finish(Command::new("snapper").args(["--no-dbus", "-c", &self.name]).args(args))
    }

    fn file(&self) -> String {
        format!("/etc/snapper/configs/{}", self.name)
    }
}

impl Drop for Snapper {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.file());
        if let Ok(register) = fs::read_to_string(REGISTER) {
            let without = register.replace(&format!(" {}", self.name), "").replace(&self.name, "");
            let _ = fs::write(REGISTER, without);
        }
    }
}

fn btrbk(world: &World, preserve: &str) -> PathBuf {
    let path = world.dir.path().join("btrbk.conf");
    let pool = world.pool.path();
    fs::create_dir_all(pool.join("btrbk_snapshots")).unwrap();
    let config = format!("snapshot_dir btrbk_snapshots\n{preserve}\nvolume {}\n  subvolume home\n", pool.display());
    fs::write(&path, config).unwrap();
    path
}

fn owned<'a>(lines: &'a Value, owner: &str) -> Vec<&'a Value> {
    lines.as_array().unwrap().iter().filter(|line| line["owner"] == owner).collect()
}

#[test]
fn snapshots_of_snapper_and_btrbk_are_shown_and_stay() {
    let world = World::with_directory(512);
    world.write("file", 100_000);
    let snapper = Snapper::new(&world);
    snapper.run(&["create", "-d", "before <tea> & ä", "-u", "important=yes"]).expect(0);
    let pre = snapper.run(&["create", "-t", "pre", "-p", "-d", "upgrade"]).expect(0);
    snapper.run(&["create", "-t", "post", "--pre-number", pre.out.trim(), "-d", "upgrade"]).expect(0);
    let config = btrbk(&world, "timestamp_format long-iso");
    tool(&["btrbk", "-q", "-c", text(&config), "run"]);
    tool(&[
        "btrfs",
        "-q",
        "subvolume",
        "snapshot",
        "-r",
        text(&world.home()),
        text(&world.pool.path().join("by-hand")),
    ]);
    world.archive();
    next_second();
    world.archive();
    let listed = world.run(&["list", "--json"]).expect(0).json();
    let theirs = owned(&listed, "snapper");
    assert_eq!(theirs.len(), 3, "{listed:#}");
    assert_eq!(theirs[0]["info"]["description"], "before <tea> & ä");
    assert_eq!(theirs[2]["info"]["pre"], theirs[1]["info"]["number"]);
    let numbered = snapper.run(&["--jsonout", "list", "--columns", "number,date"]).expect(0).json();
    let dates: Vec<&Value> = numbered[&snapper.name].as_array().unwrap().iter().skip(1).map(|l| &l["date"]).collect();
    for (date, shown) in dates.iter().zip(&theirs) {
        let shown = shown["taken"].as_str().unwrap().replace('T', " ");
        assert!(shown.starts_with(date.as_str().unwrap()), "{date} {shown}");
    }
    assert_eq!(owned(&listed, "btrbk").len(), 1, "{listed:#}");
    assert_eq!(owned(&listed, "unknown").len(), 1, "{listed:#}");
    assert_eq!(owned(&listed, "subvault").len(), 2, "{listed:#}");
    let shown = world.run(&["list"]).expect(0);
    let shown = shown.says(&[
        "snapper   1: before",
        "2 pre: upgrade",
        "btrbk     btrbk_snapshots/home.2",
        "before <tea> & ä",
        "by-hand",
    ]);
    assert_eq!(shown.out.lines().count(), 1 + 7, "{}", shown.out);
    assert!(snapper.run(&["delete", "1-3"]).code == Some(0));
    proved("snapshots of real snapper and btrbk are listed with owner, time and description, and stay");
}

/// Why an import does not take over the directory of btrbk's snapshots.
#[test]
fn btrbk_would_delete_ours_among_its_own() {
    let world = World::with_directory(512);
    let config = btrbk(&world, "snapshot_preserve_min latest");
    // As one of ours would be called there, and older than what btrbk takes.
    let inside = world.pool.path().join("btrbk_snapshots/home.20260101T000000Z");
    tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(&world.home()), text(&inside)]);
    tool(&["btrbk", "-q", "-c", text(&config), "run"]);
    assert!(!inside.exists(), "btrbk left it: then the import may take its directory over");
    proved("btrbk takes our names for its own in its snapshot_dir, and an import keeps out of there");
}

/// `home` as others take snapshots of it, to a store and to a disk.
fn ship(world: &World, disk: &LoopPool) {
    let every_second = "schedule = \"*-*-* *:*:*\"\n";
    let store = world.directory_target("vault", &world.encrypted(every_second));
    let copies = format!(
        "[[target]]\nname = \"usb\"\n{every_second}[target.btrfs]\ndirectory = {:?}\nkeep = {{ newest = 9 }}\n",
        disk.path()
    );
    world.configure_keeping(1, "snapshot = \"never\"\nforeign = \"ship\"\n", &(store + &copies));
}

/// The kinds of what a run sent, in order.
fn sent(ran: &Ran) -> Vec<String> {
    let answer = ran.json();
    let steps = answer["steps"].as_array().unwrap();
    steps.iter().map(|step| step["result"]["kind"].as_str().unwrap_or("nothing").to_owned()).collect()
}

/// Those of snapper or btrbk as listed: where each is, and under which name it was sent.
fn shipped(world: &World, owner: &str) -> Vec<(PathBuf, String)> {
    let listed = world.run(&["list", "--json"]).expect(0).json();
    let told = |line: &&Value| {
        let path = world.pool.path().join(line["path"].as_str().unwrap());
        (path, line["name"].as_str().unwrap_or_default().to_owned())
    };
    owned(&listed, owner).iter().map(told).collect()
}

/// All is in a directory: the one that stands for snapper's subvolume is in snapshots, and in no stream.
const FILES: &str = "files";

/// More in the subvolume, in another second than before.
fn change(world: &World, number: usize) {
    next_second();
    fs::create_dir_all(world.home().join(FILES)).unwrap();
    world.write(&format!("{FILES}/{number}"), 100_000 * number);
}

#[track_caller]
fn is_same(snapshot: &Path, other: &Path, what: &str) {
    let files = snapshot.join(FILES);
    assert_same((&files, &describe(&files)), &other.join(FILES), what);
}

#[track_caller]
fn copies_are_what_they_are_of(world: &World, disk: &LoopPool, owner: &str) {
    for (path, name) in shipped(world, owner) {
        is_same(&path, &disk.path().join("laptop/home").join(name), "copied");
    }
}

/// The newest that is archived comes back as this snapshot.
fn comes_back(world: &World, snapshot: &Path) {
    let back = world.back();
    world.restore_to(&back, &[]).expect(0);
    is_same(snapshot, &back.join("home"), "restored");
    for name in names(&back) {
        tool(&["btrfs", "-q", "subvolume", "delete", text(&back.join(name))]);
    }
}

#[test]
fn snapshots_of_snapper_are_archived_copied_restored_and_left_alone() {
    let (world, disk) = (World::new(512), LoopPool::new(512 << 20, &[], &[]).unwrap());
    ship(&world, &disk);
    let snapper = Snapper::new(&world);
    let take = |number: usize| {
        change(&world, number);
        snapper.run(&["create", "-c", "timeline", "-d", "timeline"]).expect(0);
    };
    for (number, kind) in [(1, "full"), (2, "incremental"), (3, "incremental")] {
        take(number);
        assert_eq!(sent(&world.run(&["archive", "--json"]).expect(0)), [kind]);
    }
    world.run(&["archive"]).expect(0);
    assert_eq!(sent(&world.run(&["replicate", "--all", "--json"]).expect(0)), ["full", "incremental", "incremental"]);
    assert_eq!(sent(&world.run(&["replicate", "--all", "--json"]).expect(0)), [""; 0]);
    let theirs = shipped(&world, "snapper");
    assert_eq!(theirs.len(), 3);
    copies_are_what_they_are_of(&world, &disk, "snapper");
    comes_back(&world, &theirs[2].0);
    world.run(&["list"]).expect(0).says(&["snapper", "vault incremental 1.2", "usb copy"]);
    // snapper cleans up: an old one, and then the one that everything builds on.
    snapper.run(&["delete", "1"]).expect(0);
    take(4);
    assert_eq!(sent(&world.run(&["run", "--json"]).expect(0)), ["incremental", "incremental"]);
    snapper.run(&["delete", "4"]).expect(0);
    take(5);
    let gone = world.run(&["run", "--json"]).expect(0);
    assert_eq!(sent(&gone), ["incremental", "full"], "a copy builds on an older one, a chain begins anew");
    copies_are_what_they_are_of(&world, &disk, "snapper");
    comes_back(&world, &shipped(&world, "snapper")[2].0);
    assert!(!world.snapshots().join("home").exists() && world.snapshot_names().is_empty(), "none of our own");
    // Of ours only the newest is kept, and nothing of theirs is touched by that.
    for _ in 0..3 {
        world.run(&["snapshot"]).expect(0);
    }
    let before = snapper.run(&["--jsonout", "list"]).expect(0).out;
    let pruned = world.run(&["prune", "--json"]).expect(0).json();
    assert_eq!(pruned["steps"].as_array().unwrap().len(), 2, "{pruned:#}");
    assert_eq!(snapper.run(&["--jsonout", "list"]).expect(0).out, before);
    assert_eq!(shipped(&world, "snapper").len(), 3);
    assert_eq!(snapper.run(&["delete", "2-4"]).code, Some(0), "snapper cleans up as it likes");
    proved("snapshots of snapper are archived and copied incrementally, come back identical, and stay snapper's alone");
}

#[test]
fn snapshots_of_btrbk_are_archived_and_copied() {
    let (world, disk) = (World::new(512), LoopPool::new(512 << 20, &[], &[]).unwrap());
    ship(&world, &disk);
    let config = btrbk(&world, "snapshot_preserve_min latest");
    let keeps = text(&config);
    for number in 1..4 {
        change(&world, number);
        // What btrbk had before goes with it, but for the one that is kept for the next run.
        tool(&["btrbk", "-q", "--preserve", "-c", keeps, "run"]);
    }
    assert_eq!(sent(&world.run(&["replicate", "--all", "--json"]).expect(0)), ["full", "incremental", "incremental"]);
    assert_eq!(sent(&world.run(&["run", "--json"]).expect(0)), ["full"]);
    let theirs = shipped(&world, "btrbk");
    assert_eq!(theirs.iter().map(|(_, name)| name).collect::<BTreeSet<_>>().len(), 3, "each has its own name");
    copies_are_what_they_are_of(&world, &disk, "btrbk");
    change(&world, 4);
    tool(&["btrbk", "-q", "--preserve", "-c", keeps, "run"]);
    assert_eq!(sent(&world.run(&["run", "--json"]).expect(0)), ["incremental", "incremental"]);
    change(&world, 5);
    tool(&["btrbk", "-q", "-c", keeps, "run"]);
    assert_eq!(shipped(&world, "btrbk").len(), 1, "btrbk cleans up as it likes");
    world.run(&["run", "--json"]).expect(0);
    copies_are_what_they_are_of(&world, &disk, "btrbk");
    comes_back(&world, &shipped(&world, "btrbk")[0].0);
    proved(
        "snapshots of btrbk are archived and copied incrementally, also several of one day, and come back identical",
    );
}
