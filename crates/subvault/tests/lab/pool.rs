//! A machine with a pool and, on another disk, a store; and what is on them, as this machine sees it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::machine::{Init, Machine};
use crate::world::{names, new_key, text, tool};

/// The disk of the pool and that of the store.
pub(crate) const DISKS: [&str; 2] = ["pool.img", "store.img"];
/// Mounts both. After a power cut ext4 goes on after its journal.
pub(crate) const MOUNT: &str = "mkdir -p /pool /store && mount -o commit=3 /dev/ubdb /pool && mount /dev/ubdc /store\n";

/// A machine that is off, with a pool of `home` with its snapshots and the program's state, and an empty store.
pub(crate) fn machine(keep: u32, lines: &str) -> Machine {
    let machine = Machine::new();
    let pool = machine.new_disk(DISKS[0], 2048);
    let store = machine.new_disk(DISKS[1], 2048);
    tool(&["mkfs.btrfs", "-q", text(&pool)]);
    tool(&["mkfs.ext4", "-q", text(&store)]);
    on_disk(&pool, |point| {
        tool(&["btrfs", "-q", "subvolume", "create", text(&point.join("home"))]);
        fs::create_dir(point.join("snapshots")).unwrap();
        fs::create_dir(point.join("back")).unwrap();
    });
    on_disk(&store, |point| fs::create_dir(point.join("vault")).unwrap());
    let recipient = new_key(&machine.shared("key.txt"));
    configure(
        &machine,
        keep,
        &format!(
            "[[target]]\nname = \"disk\"\ndirectory = \"/store/vault\"\nrecipients = [\"{recipient}\"]\n{lines}\n"
        ),
    );
    machine
}

/// Writes the configuration of such a machine, of whose snapshots so many stay.
pub(crate) fn configure(machine: &Machine, keep: u32, targets: &str) {
    configure_by(machine, &format!("newest = {keep}, hourly = 0, daily = 0, weekly = 0, monthly = 0"), targets);
}

/// The same with other rules of which stay.
pub(crate) fn configure_by(machine: &Machine, keep: &str, targets: &str) {
    let config = format!(
        "[host]\nname = \"laptop\"\nstate = \"/pool/state\"\n\n[[subvolume]]\nname = \"home\"\npath = \"/pool/home\"\n\
        snapshots = \"/pool/snapshots\"\nkeep = {{ {keep} }}\n\n{targets}"
    );
    fs::write(machine.shared("subvault.toml"), config).unwrap();
}

/// Boots it and mounts both disks.
pub(crate) fn boot(machine: &mut Machine) {
    machine.boot(Init::Script, &DISKS);
    machine.must(MOUNT);
}

/// Looks at, or changes, what is on a disk of a machine that is off.
pub(crate) fn on_disk<T>(image: &Path, look: impl FnOnce(&Path) -> T) -> T {
    let mounted = Mounted::new(image, 0);
    look(&mounted.point())
}

/// The same where a filesystem begins so many bytes after the disk does.
pub(crate) fn on_disk_from<T>(image: &Path, offset: u64, look: impl FnOnce(&Path) -> T) -> T {
    let mounted = Mounted::new(image, offset);
    look(&mounted.point())
}

/// A disk that is mounted here until it is dropped.
///
/// A machine that is booted meanwhile, by another test, gets a copy of all mounts. In a shared place it loses them together
/// with us; or the disk would stay mounted there.
struct Mounted {
    device: String,
    dir: TempDir,
}

impl Mounted {
    fn new(image: &Path, offset: u64) -> Self {
        let dir = TempDir::with_prefix("subvault-lab-disk-").unwrap();
        let offset = offset.to_string();
        let device = tool(&["losetup", "-f", "--show", "-o", &offset, text(image)]).trim().to_owned();
        let mounted = Self { device, dir };
        tool(&["mount", "--bind", text(mounted.dir.path()), text(mounted.dir.path())]);
        tool(&["mount", "--make-private", text(mounted.dir.path())]);
        tool(&["mount", "--make-shared", text(mounted.dir.path())]);
        fs::create_dir(mounted.point()).unwrap();
        tool(&["mount", &mounted.device, text(&mounted.point())]);
        mounted
    }

    fn point(&self) -> PathBuf {
        self.dir.path().join("disk")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let quiet = |args: &[&str]| {
            let _ = Command::new(args[0]).args(&args[1..]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        };
        quiet(&["umount", text(&self.point())]);
        quiet(&["umount", text(self.dir.path())]);
        // Or the kernel takes the disk, which the machine changes, for one that it knows.
        quiet(&["btrfs", "device", "scan", "--forget", &self.device]);
        quiet(&["losetup", "-d", &self.device]);
    }
}

/// Nothing is wrong with a Btrfs that is not mounted, as Btrfs's own checker says.
#[track_caller]
pub(crate) fn is_sound(image: &Path) {
    tool(&["btrfs", "check", "--readonly", text(image)]);
}

/// The snapshots on a pool that is mounted here, oldest first.
pub(crate) fn snapshots(disk: &Path) -> Vec<String> {
    let dir = disk.join("snapshots");
    names(&dir).into_iter().filter(|name| dir.join(name).is_dir()).collect()
}
