//! Power cuts of a whole machine: pool, store and state lie on one Btrfs, which is copied at a random moment as it is
//! on the disk, without what the page cache still holds. The program is killed, the copy takes the place of the disk,
//! and the same command is given again. What a run had finished before must still be there.
//!
//! The disk is a file on Btrfs, where a copy by reflink is atomic. Two copies are never mounted at once, since the
//! kernel tells filesystems apart by their number.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use subvault_testkit::pool::LoopPool;
use tempfile::TempDir;

use crate::scene::{Death, KEEP, LARGE, LINES, Moments, change, is_restored, is_verified, kill_with};
use crate::store::{Seen, all_named, newest, no_journals, nothing_temporary, objects_in};
use crate::tally::{End, through};
use crate::world::{Ran, names, new_key, subvault, text, tool};

/// How many cuts there are while archiving, restoring, and collecting garbage.
const CUTS: [usize; 3] = [16, 12, 8];

/// The mounted disk; dropped, it is unmounted and forgotten.
struct Disk {
    device: String,
    point: PathBuf,
}

impl Disk {
    fn mount(image: &Path, point: &Path) -> Self {
        let device = tool(&["losetup", "-f", "--show", text(image)]).trim().to_owned();
        let disk = Self { device, point: point.to_owned() };
        tool(&["mount", &disk.device, text(point)]);
        disk
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let quiet = |args: &[&str]| {
            let mut command = Command::new(args[0]);
            command.args(&args[1..]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        let unmounted = (0..50).any(|_| {
            quiet(&["umount", text(&self.point)]) || {
                thread::sleep(Duration::from_millis(100));
                false
            }
        });
        if !unmounted {
            quiet(&["umount", "-l", text(&self.point)]);
        }
        // Or the kernel takes the copy, which is older, for a device that has been left behind.
        quiet(&["btrfs", "device", "scan", "--forget", &self.device]);
        quiet(&["losetup", "-d", &self.device]);
    }
}

/// A machine. Its disk goes before what lies under it.
struct Machine {
    disk: Option<Disk>,
    under: LoopPool,
    dir: TempDir,
    changes: u64,
    seen: Seen,
}

impl Machine {
    fn new() -> Self {
        let under = LoopPool::new(6 << 30, &[], &[]).unwrap();
        let dir = TempDir::with_prefix("subvault-machine-").unwrap();
        let image = under.path().join("disk");
        fs::File::create(&image).unwrap().set_len(2 << 30).unwrap();
        tool(&["mkfs.btrfs", "-q", text(&image)]);
        let point = dir.path().join("disk");
        fs::create_dir(&point).unwrap();
        let mut machine = Self { disk: None, under, dir, changes: 0, seen: Seen::default() };
        machine.disk = Some(Disk::mount(&image, &point));
        tool(&["btrfs", "-q", "subvolume", "create", text(&machine.on_disk("home"))]);
        for name in ["snapshots", "store", "back"] {
            fs::create_dir(machine.on_disk(name)).unwrap();
        }
        tool(&["sync", "-f", text(&point)]);
        let recipient = new_key(&machine.key());
        let [state, home, snapshots, store] = ["state", "home", "snapshots", "store"].map(|name| machine.on_disk(name));
        let config = format!(
            "[host]\nname = \"laptop\"\nstate = {state:?}\n[[subvolume]]\nname = \"home\"\npath = {home:?}\n\
            snapshots = {snapshots:?}\nkeep = {{ newest = {KEEP}, hourly = 0, daily = 0, weekly = 0, monthly = 0 }}\n[[target]]\nname = \"disk\"\ndirectory = {store:?}\n\
            recipients = [\"{recipient}\"]\n{LINES}"
        );
        fs::write(machine.config(), config).unwrap();
        machine
    }

    fn on_disk(&self, name: &str) -> PathBuf {
        self.dir.path().join("disk").join(name)
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("subvault.toml")
    }

    fn key(&self) -> PathBuf {
        self.dir.path().join("key.txt")
    }

    fn run(&self, args: &[&str]) -> Ran {
        subvault(&self.config(), args)
    }

    fn change(&mut self, bytes: usize) {
        self.changes += 1;
        change(&self.on_disk("home"), self.changes, bytes);
    }

    fn measure(&self, args: &[&str]) -> Duration {
        let begin = Instant::now();
        self.run(args).expect(0);
        begin.elapsed()
    }

    /// Cuts the power while the program runs; whether it was alive.
    fn cut(&mut self, args: &[&str], delay: Duration) -> bool {
        let alive = kill_with(&self.config(), args, &Death::After(delay), || self.copy());
        self.begin_anew();
        alive
    }

    /// Keeps the disk as it is now.
    fn copy(&self) {
        tool(&["cp", "--reflink=always", text(&self.under.path().join("disk")), text(&self.under.path().join("copy"))]);
    }

    /// Puts what was kept in place of the disk.
    fn begin_anew(&mut self) {
        let image = self.under.path().join("disk");
        self.disk = None;
        fs::rename(self.under.path().join("copy"), &image).unwrap();
        self.disk = Some(Disk::mount(&image, &self.dir.path().join("disk")));
    }

    /// The manifests that are visible. All are whole.
    fn visible(&mut self) -> Vec<String> {
        let objects = objects_in(&self.on_disk("store"));
        self.seen.whole(&objects, true);
        is_verified(&self.run(&["verify", "--all", "--json"]));
        objects.into_keys().filter(|key| key.ends_with("/manifest.json")).collect()
    }

    fn nothing_is_left_after_gc(&mut self) {
        self.run(&["gc"]).expect(0);
        all_named(&objects_in(&self.on_disk("store")));
        nothing_temporary(&self.on_disk("store"));
        no_journals(&self.on_disk("state"));
        let snapshots = names(&self.on_disk("snapshots"));
        assert!(snapshots.len() <= KEEP as usize + 1, "{snapshots:?}");
        self.visible();
    }

    fn restore_args(&self) -> Vec<String> {
        ["restore", "home", "--from", "disk", "--to", text(&self.on_disk("back")), "-i", text(&self.key())]
            .map(str::to_owned)
            .to_vec()
    }

    /// Restores what nobody has restored yet.
    fn restores(&self) {
        let args = self.restore_args();
        self.run(&args.iter().map(String::as_str).collect::<Vec<_>>()).expect(0);
        self.is_restored();
    }

    /// Restores: it is done, or was done before the cut.
    fn restores_after_a_cut(&self) {
        let args = self.restore_args();
        let ran = self.run(&args.iter().map(String::as_str).collect::<Vec<_>>());
        if ran.code != Some(0) {
            ran.expect(3).says(&["exists already"]);
        }
        self.is_restored();
    }

    fn is_restored(&self) {
        let snapshots = self.on_disk("snapshots");
        is_restored(&snapshots.join(newest(names(&snapshots))), &self.on_disk("back"));
        // Or the next cut brings back what is removed here.
        tool(&["sync", "-f", text(&self.on_disk("back"))]);
    }
}

#[test]
fn a_machine_survives_power_cuts_while_archiving() {
    let mut machine = Machine::new();
    machine.change(LARGE);
    let mut moments = Moments::new("machine archives", CUTS[0], machine.measure(&["archive"]));
    while moments.next().is_some() {
        machine.change(if moments.numbers.one_in(3) { 1 << 20 } else { LARGE });
        let args: &[&str] = if moments.numbers.one_in(4) { &["archive", "--full"] } else { &["archive"] };
        let before = machine.visible();
        moments.was(machine.cut(args, moments.delay()));
        let after = machine.visible();
        assert!(before.iter().all(|key| after.contains(key)), "published streams are gone: {before:?} {after:?}");
        machine.run(&["archive"]).expect(0);
        if moments.tried % 4 == 3 {
            machine.nothing_is_left_after_gc();
            machine.restores();
        }
    }
    machine.nothing_is_left_after_gc();
    machine.restores();
    let count = moments.hit;
    through(
        &[("archiving", End::Power, count)],
        &format!(
            "{count} power cuts of a whole machine while archiving: what was published stays, each rerun succeeds"
        ),
    );
}

#[test]
fn a_machine_survives_power_cuts_while_restoring() {
    let mut machine = Machine::new();
    for bytes in [LARGE, 9 << 20, 1 << 20] {
        machine.change(bytes);
        machine.run(&["archive"]).expect(0);
    }
    let args = machine.restore_args();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut moments = Moments::new("machine restores", CUTS[1], machine.measure(&args));
    machine.is_restored();
    while moments.next().is_some() {
        moments.was(machine.cut(&args, moments.delay()));
        machine.restores_after_a_cut();
    }
    // What the program said was done is done.
    machine.run(&args).expect(0);
    machine.copy();
    machine.begin_anew();
    machine.is_restored();
    let count = moments.hit + 1;
    through(
        &[("restoring", End::Power, count)],
        &format!("{count} power cuts of a whole machine while restoring: each rerun is identical and leaves nothing"),
    );
}

#[test]
fn a_machine_survives_power_cuts_while_collecting_garbage() {
    let mut machine = Machine::new();
    let supersede = |machine: &mut Machine| {
        for _ in 0..4 {
            machine.change(100_000);
            machine.run(&["archive", "--full"]).expect(0);
        }
    };
    supersede(&mut machine);
    let mut moments = Moments::new("machine gc", CUTS[2], machine.measure(&["gc"]));
    while moments.next().is_some() {
        supersede(&mut machine);
        moments.was(machine.cut(&["gc"], moments.delay()));
        machine.visible();
        machine.nothing_is_left_after_gc();
    }
    machine.restores();
    let count = moments.hit;
    through(
        &[("collecting", End::Power, count)],
        &format!("{count} power cuts of a whole machine while collecting garbage: a rerun leaves nothing"),
    );
}
