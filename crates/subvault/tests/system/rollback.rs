//! Rollbacks of machines whose pools are laid out as distributions do, from a rescue system and from the running one.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use subvault_testkit::pool::unmount_when_idle;

use crate::machine_tree::{KERNEL, Layout, Machine};
use crate::world::{PROGRAM, Ran, World, finish, names, next_second, proved, text, tool};

/// What is inside the root goes with the place, read-only where it was.
fn has_its_nested(machine: &Machine) {
    let listed: Vec<String> = machine.listed().into_values().collect();
    for path in ["var/lib/machines", ".subvault/root.0 ro"] {
        let path = format!("{}/{path}", machine.root);
        assert!(listed.contains(&path), "{path}: {listed:?}");
    }
    assert_eq!(fs::read(machine.in_root("var/lib/machines/file")).unwrap(), b"a container");
    assert!(!machine.has_note());
}

#[test]
fn a_rescue_system_rolls_back_and_undoes_it() {
    let machine = Machine::new(Layout::Named);
    let before = (machine.listed(), machine.default());
    let dry = machine.rollback(&["--to", "root.1", "--dry-run"]).expect(0);
    assert!(dry.out.contains(&format!("kernel {KERNEL} has its modules")), "{}", dry.out);
    assert_eq!((machine.listed(), machine.default()), before, "a dry run changed something");
    let begin = Instant::now();
    machine.rollback(&["--to", "root.1", "--yes"]).expect(0).says(&["@ is now what snapshots/root.1 is", "--undo"]);
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(machine.issue(), "old");
    let aside = machine.aside();
    assert_eq!(fs::read(machine.at(&aside).join("etc/issue")).unwrap(), b"new");
    assert_eq!(machine.id(&aside), before.0.iter().find(|(_, path)| *path == "@").unwrap().0.clone());
    assert!(machine.listed().values().any(|path| path == "snapshots/root.1 ro"));
    has_its_nested(&machine);
    let entry =
        machine.esp().join(format!("loader/entries/subvault-{}.conf", aside.replace('@', "-").trim_matches('-')));
    let said = fs::read_to_string(&entry).unwrap();
    assert!(said.contains(&format!("rootflags=subvol={aside}\n")) && said.contains("before the rollback"), "{said}");
    machine.rollback(&["--undo", "--yes"]).expect(0).says(&["@ is again what was kept"]);
    assert_eq!(machine.issue(), "new");
    has_its_nested(&machine);
    assert!(!entry.exists());
    let mut after = machine.listed();
    after.retain(|_, path| !path.contains(".replaced."));
    assert_eq!((after, machine.default()), before, "undone, all is where it was");
    // And that is undone as well.
    machine.rollback(&["--undo", "--yes"]).expect(0);
    assert_eq!((machine.issue().as_str(), machine.aside()), ("old", aside));
    proved(&format!(
        "a rollback from a rescue system took {} ms with everything checked; undo brings back every number and place",
        took.as_millis()
    ));
}

#[test]
fn grub_offers_what_was_replaced() {
    let machine = Machine::new(Layout::Grub);
    // An update brought another kernel, and removed the one before.
    let newer = "6.99.0-2-amd64";
    machine.menu(newer);
    fs::remove_file(machine.in_root(&format!("boot/vmlinuz-{KERNEL}"))).unwrap();
    fs::remove_dir_all(machine.in_root(&format!("usr/lib/modules/{KERNEL}"))).unwrap();
    let dry = machine.rollback(&["--to", "root.1", "--dry-run"]).expect(0);
    dry.says(&["write     boot entry boot/grub/custom.cfg in @rootfs.replaced."]);
    machine.rollback(&["--to", "root.1", "--yes"]).expect(0);
    let aside = machine.aside();
    let custom = machine.in_root("boot/grub/custom.cfg");
    let said = fs::read_to_string(&custom).unwrap();
    // The kernel is the one that the old root has modules for, and lies where that is now.
    assert!(said.contains(&format!("\tlinux\t/{aside}/boot/vmlinuz-{newer} ")), "{said}");
    assert!(said.contains(&format!("rootflags=subvol={aside}  quiet\n")), "{said}");
    assert!(machine.at(&format!("{aside}/boot/vmlinuz-{newer}")).exists());
    assert!(!machine.at(&format!("{aside}/boot/grub/custom.cfg")).exists());
    tool(&["grub-script-check", text(&custom)]);
    machine.rollback(&["--undo", "--yes"]).expect(0);
    assert_eq!(machine.issue(), "new");
    assert!(!custom.exists());
    // A file of the user's own is left alone, and that is told.
    machine.write("boot/grub/custom.cfg", b"menuentry 'mine' { true }\n");
    machine.snapshot("snapshots/root.2");
    machine.rollback(&["--to", "root.2", "--dry-run"]).expect(0).says(&["custom.cfg of your own"]);
    machine.rollback(&["--to", "root.2", "--yes"]).expect(0);
    assert_eq!(fs::read(machine.in_root("boot/grub/custom.cfg")).unwrap(), b"menuentry 'mine' { true }\n");
    proved("GRUB's menu offers what a rollback replaced, with the kernel that is in it; GRUB's own checker takes it");
}

#[test]
fn the_default_subvolume_moves_with_the_root() {
    let machine = Machine::new(Layout::Default);
    let root = machine.id(&machine.root);
    assert_eq!(machine.default(), root);
    machine.rollback(&["--to", "latest", "--yes"]).expect(0);
    assert_eq!(machine.issue(), "old");
    assert_ne!(machine.default(), root);
    assert_eq!(machine.default(), machine.id(&machine.root));
    // What a machine would boot: the pool mounted without saying which.
    let booted = machine.pool.mount_again(&[]).unwrap();
    assert_eq!(fs::read(booted.join("etc/issue")).unwrap(), b"old");
    machine.rollback(&["--undo", "--yes"]).expect(0);
    assert_eq!((machine.default(), machine.issue()), (root, "new".to_owned()));
    proved("a root that is the default subvolume: the new one becomes it, and undo gives it back");
}

#[test]
fn what_would_not_boot_is_refused_with_the_reason() {
    let machine = Machine::new(Layout::Numbered);
    let before = machine.listed();
    let refused = |args: &[&str], words: &[&str]| {
        machine.rollback(args).expect(3).says(words);
        assert_eq!(machine.listed(), before, "{args:?} changed something");
        assert!(!machine.has_note());
    };
    refused(&["--yes"], &["line 1 of the snapshot's /etc/fstab has subvolid=", "--edit-fstab", "--accept fstab"]);
    machine.kernel("6.12.1-arch1-1");
    refused(&["--edit-fstab", "--yes"], &["kernel 6.12.1-arch1-1 would start without modules", KERNEL]);
    refused(&["--to", "@home", "--yes"], &["@home is not a snapshot of @"]);
    refused(&["--to", "nothing", "--yes"], &["there is no snapshot `nothing`"]);
    refused(&["--to", "2001-01-01", "--yes"], &["no snapshot of @ is that old"]);
    refused(&["--undo", "--yes"], &["nothing to undo"]);
    refused(&["--resume", "--yes"], &["no rollback is unfinished"]);
    // Nobody is there to be asked.
    machine.kernel(KERNEL);
    machine.rollback(&["--edit-fstab"]).expect(1).says(&["say --yes"]);
    assert_eq!(machine.listed(), before);
    machine.rollback(&["--edit-fstab", "--yes"]).expect(0);
    let fstab = fs::read_to_string(machine.in_root("etc/fstab")).unwrap();
    assert!(fstab.contains(" / btrfs rw,subvol=/@ 0 0\n") && !fstab.contains("subvolid"), "{fstab}");
    machine.kernel("6.12.1-arch1-1");
    machine.rollback(&["--undo", "--yes"]).expect(3).says(&["would start without modules"]);
    machine.rollback(&["--undo", "--yes", "--accept", "kernel"]).expect(0);
    assert!(
        fs::read_to_string(machine.in_root("etc/fstab")).unwrap().contains("subvolid="),
        "the old root is untouched"
    );
    proved(
        "subvolid= in fstab, missing modules, foreign and unknown snapshots: refused with the reason, nothing changed",
    );
}

#[test]
fn a_received_snapshot_stays_what_it_is() {
    let machine = Machine::new(Layout::Named);
    let stream = machine.dir.path().join("stream");
    tool(&["btrfs", "-q", "send", "-f", text(&stream), text(&machine.at("snapshots/root.1"))]);
    let back = machine.at("back");
    fs::create_dir(&back).unwrap();
    tool(&["btrfs", "-q", "receive", "-f", text(&stream), text(&back)]);
    let show = || tool(&["btrfs", "subvolume", "show", text(&back.join("root.1"))]);
    let before = show();
    machine.rollback(&["--to", "back/root.1", "--yes"]).expect(0);
    assert_eq!(machine.issue(), "old");
    let lines = |text: &str| -> Vec<String> {
        let kept = text.lines().filter(|line| ["UUID:", "Flags:"].iter().any(|key| line.contains(key)));
        kept.map(str::to_owned).collect()
    };
    assert_eq!(lines(&before), lines(&show()));
    assert!(before.contains("readonly"), "{before}");
    proved("a received snapshot is rolled back to and stays read-only, with its received uuid");
}

#[test]
fn a_mounted_data_subvolume_says_what_still_shows_the_old_one() {
    let machine = Machine::new(Layout::Named);
    let home = machine.pool.mount_again(&["subvol=@home"]).unwrap();
    fs::write(home.join("file"), "old").unwrap();
    tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(&home), text(&machine.at("snapshots/home.1"))]);
    fs::write(home.join("file"), "new").unwrap();
    let run = |args: &[&str]| crate::world::subvault(&machine.config(), &[&["rollback", text(&home)], args].concat());
    let ran = run(&["--yes", "--json"]).expect(0);
    let answer = ran.json();
    assert_eq!(answer["still_mounted"][0], text(&home), "{}", ran.out);
    assert_eq!(answer["role"], "data");
    assert_eq!(fs::read(home.join("file")).unwrap(), b"new", "until it is mounted anew");
    assert_eq!(fs::read(machine.at("@home/file")).unwrap(), b"old");
    // The mount shows what is kept aside; its place is meant all the same.
    run(&["--undo", "--yes"]).expect(0);
    assert_eq!(fs::read(machine.at("@home/file")).unwrap(), b"new");
    run(&["--yes"]).expect(0).says(&["unmount it and mount it again"]);
    proved("a mounted data subvolume: rolled back, undone before a remount, and what must be mounted anew is named");
}

/// What the old one holds would be taken for what is looked after, and its missing snapshots for deleted ones.
#[test]
fn what_was_replaced_is_not_looked_after() {
    let machine = Machine::new(Layout::Named);
    let home = machine.pool.mount_again(&["subvol=@home"]).unwrap();
    let (state, store) = (machine.dir.path().join("state"), machine.dir.path().join("store"));
    let config = machine.dir.path().join("subvault.toml");
    let subvolume = format!("[[subvolume]]\nname = \"home\"\npath = {home:?}\nsnapshot = \"*:*:*\"\n");
    let target = format!("[[target]]\nname = \"disk\"\ndirectory = {store:?}\nencryption = \"off\"\n");
    fs::create_dir(&store).unwrap();
    fs::write(&config, format!("[host]\nname = \"laptop\"\nstate = {state:?}\n{subvolume}{target}")).unwrap();
    let run = |args: &[&str]| crate::world::subvault(&config, args);
    run(&["snapshot"]).expect(0);
    run(&["rollback", text(&home), "--yes"]).expect(0).says(&["unmount it and mount it again"]);
    next_second();
    let before = machine.listed();
    for verb in ["run", "snapshot", "archive", "prune"] {
        run(&[verb]).expect(3).says(&["shows what a rollback of @home has replaced", "mount it again"]);
        assert_eq!(machine.listed(), before, "{verb}");
    }
    // The host's claim, and no stream.
    assert!(tool(&["find", text(&store), "-type", "f"]).lines().count() <= 1);
    run(&["status"]).expect(2).says(&["shows what a rollback of @home has replaced"]);
    unmount_when_idle(&home).unwrap();
    tool(&["mount", "-o", "subvol=@home", text(machine.pool.device()), text(&home)]);
    run(&["snapshot"]).expect(0);
    // In the middle of one nothing of the pool is touched, whatever is mounted.
    let note = machine.at(".subvault-rollback.json");
    fs::write(&note, "{}").unwrap();
    run(&["snapshot"]).expect(3).says(&["the note of an unfinished rollback"]);
    fs::remove_file(&note).unwrap();
    proved("between a rollback and the mount that follows it, runs leave the subvolume alone and say why");
}

/// Runs the program in the machine as it would be running: its root is `/`, its boot partition at `/boot`.
fn inside(machine: &Machine, args: &str) -> Ran {
    let root = machine.dir.path().join("mnt");
    let cmdline = machine.dir.path().join("cmdline");
    fs::create_dir_all(&root).unwrap();
    let uuid = tool(&["blkid", "-o", "value", "-s", "UUID", text(machine.pool.device())]);
    fs::write(&cmdline, format!("root=UUID={} rw rootflags=subvol=@\n", uuid.trim())).unwrap();
    let program = Path::new(PROGRAM);
    let script = format!(
        "set -e; mount --make-rprivate /; mount -o subvol=@ {device} {root}; cd {root}\n\
        mount --rbind /dev dev; mount -t proc proc proc; mount --bind {cmdline} proc/cmdline; mount --bind {esp} boot\n\
        mount --bind /usr usr; mount --bind /lib64 lib64; mount --bind {bin} mnt\n\
        exec chroot . /mnt/{name} {args}",
        device = machine.pool.device().display(),
        root = root.display(),
        cmdline = cmdline.display(),
        esp = machine.esp().display(),
        bin = program.parent().unwrap().display(),
        name = program.file_name().unwrap().to_str().unwrap(),
    );
    finish(Command::new("unshare").args(["-m", "sh", "-c", &script]).stdin(Stdio::null()))
}

#[test]
fn a_running_system_rolls_its_own_root_back() {
    let machine = Machine::new(Layout::Named);
    for directory in ["dev", "proc", "boot", "mnt", "lib64"] {
        fs::create_dir(machine.in_root(directory)).unwrap();
    }
    machine.snapshot("snapshots/root.2");
    machine.write("etc/issue", b"newest");
    let dry = inside(&machine, "rollback / --dry-run --json").expect(0);
    assert_eq!(dry.json()["role"], "running_system", "{}", dry.out);
    let ran = inside(&machine, "rollback / --to root.2 --yes").expect(0);
    assert!(ran.out.contains("reboot"), "{}", ran.out);
    assert_eq!(machine.issue(), "new");
    // As after the reboot, from the new root.
    inside(&machine, "rollback / --undo --yes").expect(0).says(&["@ is again what was kept"]);
    assert_eq!(machine.issue(), "newest");
    machine.kernel("7.0.0");
    inside(&machine, "rollback / --yes").expect(3).says(&["kernel 7.0.0 would start without modules"]);
    proved(
        "a running system rolls its root back: command line, boot partition, fstab and modules are those it runs on",
    );
}

/// A pool that is not mounted, as in a rescue system; and a file name that is not UTF-8.
#[test]
fn a_pool_that_is_not_mounted_is_rolled_back() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::TempDir::with_prefix("subvault-rescue-").unwrap();
    let image = dir.path().join("image");
    fs::File::create(&image).unwrap().set_len(300 << 20).unwrap();
    tool(&["mkfs.btrfs", "-q", text(&image)]);
    let point = dir.path().join("mnt");
    fs::create_dir(&point).unwrap();
    let loops = Loop(tool(&["losetup", "-f", "--show", text(&image)]).trim().to_owned());
    let mount = || tool(&["mount", &loops.0, text(&point)]);
    let unmount = || unmount_when_idle(&point).unwrap();
    mount();
    let name = std::ffi::OsStr::from_bytes(b"d\xe4ta");
    let data = point.join(name);
    for args in [["subvolume", "create"].as_slice(), &["subvolume", "snapshot", "-r"]] {
        let mut command = Command::new("btrfs");
        command.args(["-q"]).args(args).arg(&data);
        let command = if args.len() == 3 { command.arg(point.join("snap")) } else { &mut command };
        assert!(command.status().unwrap().success());
    }
    fs::write(data.join("file"), "new").unwrap();
    unmount();
    let config = dir.path().join("subvault.toml");
    fs::write(&config, format!("[host]\nname = \"rescue\"\nstate = {:?}\n", dir.path().join("state"))).unwrap();
    let run = |more: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.env("SUBVAULT_CONFIG", &config).args(["rollback", "--pool", &loops.0]).arg(name).args(more);
        finish(command.stdin(Stdio::null()))
    };
    let before = fs::read(&image).unwrap();
    run(&["--dry-run"]).expect(0).says(&["d\\xe4ta"]);
    assert!(fs::read(&image).unwrap() == before, "a dry run changed a pool that was not mounted");
    run(&["--yes"]).expect(0);
    mount();
    assert!(!data.join("file").exists());
    assert_eq!(fs::read_dir(&point).unwrap().count(), 3);
    unmount();
    next_second();
    run(&["--undo", "--yes"]).expect(0);
    mount();
    assert_eq!(fs::read(data.join("file")).unwrap(), b"new");
    unmount();
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    assert!(!mounts.contains(&format!("{} ", loops.0)), "nothing stays mounted");
    proved(
        "a pool that is not mounted: a dry run changes no byte of it, rollback and undo work, nothing stays mounted",
    );
}

struct Loop(String);

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).stderr(Stdio::null()).status();
        if !Command::new("losetup").args(["-d", &self.0]).status().is_ok_and(|status| status.success()) {
            let _ = writeln!(std::io::stderr(), "{} stays", self.0);
        }
    }
}

/// What was taken since would otherwise stay aside, and be deleted with that.
#[test]
fn a_snapshot_from_before_our_directory_gets_it() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let machine = Machine::new(Layout::Named);
    let first = machine.pool.path().join("snapshots/root.2");
    let old = machine.in_root("late/deep");
    machine.snapshot("snapshots/root.2");
    fs::create_dir_all(&old).unwrap();
    fs::set_permissions(machine.in_root("late"), fs::Permissions::from_mode(0o710)).unwrap();
    std::os::unix::fs::chown(&old, Some(77), Some(78)).unwrap();
    machine.snapshot("@/late/deep/root.3");
    assert!(!first.join("late").exists());
    let dry = machine.rollback(&["--to", "root.2", "--dry-run"]).expect(0);
    dry.says(&["make      late/deep in @", "no directory for @/late/deep/root.3"]);
    machine.rollback(&["--to", "root.2", "--yes"]).expect(0);
    assert!(machine.listed().values().any(|path| path == "@/late/deep/root.3 ro"), "{:?}", machine.listed());
    let made = ["late", "late/deep"].map(|path| fs::metadata(machine.in_root(path)).unwrap());
    assert_eq!(made.map(|made| (made.mode() & 0o7777, made.uid(), made.gid())), [(0o710, 0, 0), (0o755, 77, 78)]);
    assert_eq!(names(&machine.in_root("late")), ["deep"]);
    machine.rollback(&["--undo", "--yes"]).expect(0);
    assert!(machine.listed().values().any(|path| path == "@/late/deep/root.3 ro"), "{:?}", machine.listed());
    // Where a file is in the way there is no room.
    machine.write("blocked", b"");
    machine.snapshot("snapshots/root.4");
    fs::remove_file(machine.in_root("blocked")).unwrap();
    fs::create_dir_all(machine.in_root("blocked/by")).unwrap();
    machine.snapshot("@/blocked/by/root.5");
    machine.rollback(&["--to", "root.4", "--yes"]).expect(3).says(&["@/blocked/by/root.5 has no room"]);
    proved("a snapshot from before our directory: the new root gets it, and the snapshots since go along");
}

/// A disk of another machine, in a rescue system: what lies on it says nothing about the files of this one.
#[test]
fn a_note_that_others_wrote_writes_no_files() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new(Layout::Named);
    let uuid = |path: &str| {
        let shown = tool(&["btrfs", "subvolume", "show", text(&machine.at(path))]);
        shown.lines().find_map(|line| line.trim().strip_prefix("UUID:")).unwrap().trim().to_owned()
    };
    let pool = tool(&["blkid", "-o", "value", "-s", "UUID", text(machine.pool.device())]);
    let note = machine.at(".subvault-rollback.json");
    let plant = |file: &Path| {
        let entry = serde_json::json!({"file": file, "after": "x", "before": null});
        let incoming =
            serde_json::json!({"snapshot_of": {"uuid": uuid("snapshots/root.1"), "path": "snapshots/root.1"}});
        let planted = serde_json::json!({
            "form": 1, "begun": "2026-11-21T10:15:00Z", "pool": pool.trim(), "place": "@",
            "aside": "@.replaced.20261121T101500Z", "outgoing": uuid("@"), "incoming": incoming, "nested": [],
            "moves_default": false, "fstab_lines": [], "entry": entry, "direction": "forward"
        });
        fs::write(&note, planted.to_string()).unwrap();
        fs::set_permissions(&note, fs::Permissions::from_mode(0o644)).unwrap();
    };
    let cron = machine.dir.path().join("cron.d");
    fs::create_dir(&cron).unwrap();
    plant(&cron.join("x"));
    let before = machine.listed();
    for way in ["--resume", "--undo"] {
        machine.rollback(&[way, "--yes"]).expect(3).says(&["is no boot entry of a rollback"]);
    }
    // Its name would do, and the directory is none that was named in this run.
    let entries = machine.dir.path().join("other/loader/entries");
    fs::create_dir_all(&entries).unwrap();
    plant(&entries.join("subvault-x.conf"));
    fs::set_permissions(&note, fs::Permissions::from_mode(0o646)).unwrap();
    machine.rollback(&["--resume", "--yes"]).expect(3).says(&["others than root could have written it"]);
    assert_eq!(machine.listed(), before);
    fs::set_permissions(&note, fs::Permissions::from_mode(0o644)).unwrap();
    machine.rollback(&["--resume", "--yes"]).expect(0).says(&["stays as it is", "--boot"]);
    assert_eq!((machine.issue().as_str(), names(&cron).len(), names(&entries).len()), ("old", 0, 0));
    proved("the note of a rollback writes nothing but boot entries of ours, below a boot directory of this run");
}

/// A mark may be all that keeps a snapshot, and the one that is gone back to knows nothing of those that came after it.
#[test]
fn marks_go_with_the_snapshots_that_are_inside() {
    let world = World::new(256);
    let (state, home) = (world.state(), world.home());
    let rules = "keep = { newest = 1, hourly = 0, daily = 0, weekly = 0, monthly = 0 }";
    let subvolume = format!("[[subvolume]]\nname = \"home\"\npath = {home:?}\n{rules}\n");
    fs::write(world.config(), format!("[host]\nname = \"laptop\"\nstate = {state:?}\n{subvolume}")).unwrap();
    world.run(&["snapshot"]).expect(0);
    next_second();
    world.run(&["snapshot", "--keep", "-m", "before the move"]).expect(0);
    let [first, marked, note] = <[String; 3]>::try_from(names(&home.join(".subvault"))).unwrap();
    let is_marked = || home.join(".subvault").join(&note).exists() && home.join(".subvault").join(&marked).exists();
    world.run(&["rollback", text(&home), "--to", &first, "--yes"]).expect(0);
    assert!(is_marked(), "{:?}", names(&home.join(".subvault")));
    for _ in 0..2 {
        next_second();
        world.run(&["snapshot"]).expect(0);
    }
    world.run(&["prune"]).expect(0);
    assert!(is_marked() && !home.join(".subvault").join(&first).exists(), "{:?}", names(&home.join(".subvault")));
    world.run(&["rollback", text(&home), "--undo", "--yes"]).expect(0);
    world.run(&["prune"]).expect(0);
    assert!(is_marked(), "{:?}", names(&home.join(".subvault")));
    proved("a snapshot that was marked to stay keeps its mark through a rollback and its undo");
}
