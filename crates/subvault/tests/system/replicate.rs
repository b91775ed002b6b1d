//! Copies on other Btrfs disks: chains of them, what is no parent, what goes away, and disks that are not there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use subvault_testkit::pool::{LoopPool, unmount_when_idle};

use crate::oracle::{assert_same, describe};
use crate::tree::{ROUNDS, Tree};
use crate::world::{PROGRAM, Ran, World, finish, names, next_second, proved, text, tool};

/// A world whose `home` is copied to a disk.
pub(crate) struct Disks {
    pub(crate) world: World,
    pub(crate) usb: LoopPool,
}

impl Disks {
    /// With a disk of so many MiB, which is mounted.
    pub(crate) fn new(mib: u64, lines: &str) -> Self {
        let disks = Self { world: World::new(2048), usb: LoopPool::new(mib << 20, &[], &[]).unwrap() };
        fs::create_dir(disks.backup()).unwrap();
        disks.world.configure(&disks.target("usb", &disks.backup(), lines));
        disks
    }

    pub(crate) fn backup(&self) -> PathBuf {
        self.usb.path().join("backup")
    }

    pub(crate) fn target(&self, name: &str, directory: &Path, lines: &str) -> String {
        format!("[[target]]\nname = \"{name}\"\n[target.btrfs]\ndirectory = {directory:?}\n{lines}\n")
    }

    /// Where the copies of `home` are.
    pub(crate) fn copies(&self) -> PathBuf {
        self.backup().join("laptop/home")
    }

    /// Takes a snapshot as subvault names them; its path.
    pub(crate) fn snapshot(&self) -> PathBuf {
        take_snapshot(&self.world)
    }

    pub(crate) fn replicate(&self) -> Ran {
        self.world.run(&["replicate"])
    }

    /// The kinds of the copies that a run made.
    fn kinds(&self, args: &[&str]) -> Vec<String> {
        let answer = self.world.run(&[&["replicate", "--json"], args].concat()).expect(0).json();
        let made = answer["steps"].as_array().unwrap().iter().filter(|s| s["planned"]["step"] == "send_copy");
        made.map(|s| s["result"]["kind"].as_str().unwrap().to_owned()).collect()
    }

    /// Each copy that is there is what its snapshot is.
    pub(crate) fn copies_are_right(&self) -> usize {
        let there = names(&self.copies());
        for name in &there {
            let source = self.world.snapshots().join(name);
            assert_same((&source, &describe(&source)), &self.copies().join(name), name);
        }
        there.len()
    }
}

/// Takes a snapshot as subvault names them; its path.
pub(crate) fn take_snapshot(world: &World) -> PathBuf {
    next_second();
    let now = tool(&["date", "-u", "+%Y%m%dT%H%M%SZ"]);
    let path = world.snapshots().join(format!("home.{}", now.trim()));
    tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(&world.home()), text(&path)]);
    path
}

/// Changes the flags of a subvolume as tools did that do not know what a copy is.
fn set_flags(subvolume: &Path, flags: u64) {
    let script = "import fcntl,os,struct,sys\nfd=os.open(sys.argv[1],os.O_RDONLY)\n\
        fcntl.ioctl(fd,0x4008941a,struct.pack('Q',int(sys.argv[2])))";
    tool(&["python3", "-c", script, text(subvolume), &flags.to_string()]);
}

#[test]
fn a_chain_of_copies_is_what_the_snapshots_are() {
    let disks = Disks::new(2048, "keep = { newest = 40 }");
    let tree = Tree::new(disks.world.home(), 200);
    let mut kinds = Vec::new();
    for round in 0..ROUNDS {
        tree.round(round);
        disks.snapshot();
        kinds.extend(disks.kinds(&[]));
    }
    assert_eq!(kinds.iter().filter(|kind| *kind == "full").count(), 1, "{kinds:?}");
    assert_eq!(disks.copies_are_right(), ROUNDS);
    disks.replicate().expect(0).says(&["Nothing is to be done"]);
    let listed = disks.world.run(&["list", "--json"]).expect(0).json();
    assert!(listed.as_array().unwrap().iter().all(|moment| moment["copies"][0] == "usb"), "{listed}");
    disks.world.run(&["list"]).expect(0).says(&["usb copy"]);
    proved(&format!(
        "a full copy and {} incremental ones of a tree with everything are what the snapshots are",
        ROUNDS - 1
    ));
}

#[test]
fn all_that_are_missing_come_in_order_and_what_no_rule_keeps_goes() {
    let disks = Disks::new(1024, "keep = { newest = 3, daily = 0, monthly = 0, yearly = 0 }");
    for n in 0..5 {
        disks.world.write(&format!("file{n}"), 200_000);
        disks.snapshot();
    }
    assert_eq!(disks.kinds(&["--all"]), ["full", "incremental", "incremental"]);
    assert_eq!(names(&disks.copies()), disks.world.snapshot_names()[2..]);
    for _ in 0..2 {
        disks.snapshot();
    }
    // The newest alone, relative to what is there; and the oldest there goes.
    assert_eq!(disks.kinds(&[]), ["incremental"]);
    let snapshots = disks.world.snapshot_names();
    assert_eq!(names(&disks.copies()), [&snapshots[3..5], &snapshots[6..]].concat());
    assert_eq!(disks.copies_are_right(), 3);
    proved("--all sends what a disk would keep, oldest first; retention there keeps its own count");
}

#[test]
fn a_lost_parent_needs_a_full_and_says_so() {
    let disks = Disks::new(1024, "keep = { newest = 9 }");
    disks.world.write("file", 200_000);
    let first = disks.snapshot();
    assert_eq!(disks.kinds(&[]), ["full"]);
    tool(&["btrfs", "-q", "subvolume", "delete", text(&first)]);
    disks.snapshot();
    disks.world.run(&["replicate", "-n"]).expect(0).says(&["everything is sent again", "all of it"]);
    assert_eq!(disks.kinds(&[]), ["full"]);
}

#[test]
fn a_copy_that_was_written_to_is_never_a_parent() {
    let disks = Disks::new(1024, "keep = { newest = 9 }");
    disks.world.write("file", 200_000);
    for hides in [false, true] {
        let name = disks.snapshot();
        disks.replicate().expect(0);
        let copy = disks.copies().join(name.file_name().unwrap());
        if hides {
            set_flags(&copy, 0);
        } else {
            tool(&["btrfs", "property", "set", "-f", text(&copy), "ro", "false"]);
        }
        fs::write(copy.join("file"), "something else").unwrap();
        set_flags(&copy, 2);
        disks.world.write("new", 1000);
        let next = disks.snapshot();
        let ran = disks.replicate().expect(0).says(&["was changed after it was received"]);
        assert!(!ran.out.contains("deleted"), "{}", ran.out);
        let arrived = disks.copies().join(next.file_name().unwrap());
        assert_same((&next, &describe(&next)), &arrived, "the next one");
        assert_eq!(fs::read(copy.join("file")).unwrap(), b"something else", "what somebody wrote stays");
    }
    proved("a copy that was made writable, also one whose origin was kept, is no parent, and stays as it is");
}

#[test]
fn what_an_interrupted_receive_left_goes_and_is_no_parent() {
    let disks = Disks::new(1024, "keep = { newest = 9 }");
    disks.world.write("file", 200_000);
    disks.snapshot();
    disks.replicate().expect(0);
    let next = disks.snapshot();
    let left = disks.copies().join(format!(".incoming.{}", next.file_name().unwrap().to_str().unwrap()));
    let gone = disks.copies().join(".incoming.home.20200101T000000Z");
    for left in [&left, &gone] {
        tool(&["btrfs", "-q", "subvolume", "create", text(left)]);
    }
    disks.replicate().expect(0).says(&["unfinished copy of"]);
    assert!(!left.exists() && !gone.exists());
    assert_eq!(disks.copies_are_right(), 2);
}

#[test]
fn a_disk_that_runs_full_keeps_what_it_has_and_goes_on_later() {
    let disks = Disks::new(256, "keep = { newest = 9 }");
    disks.world.write("file", 1 << 20);
    disks.snapshot();
    disks.replicate().expect(0);
    disks.world.write("large", 300 << 20);
    disks.snapshot();
    let ran = disks.replicate().expect(3).says(&["failed: copy"]);
    assert!(ran.out.contains("No space") || ran.out.contains("space"), "{}", ran.out);
    assert!(names(&disks.copies()).iter().all(|name| !name.starts_with(".incoming")), "{:?}", names(&disks.copies()));
    fs::remove_file(disks.world.home().join("large")).unwrap();
    disks.snapshot();
    disks.replicate().expect(0).says(&["incremental"]);
    assert_eq!(disks.copies_are_right(), 2);
    proved("a disk that runs full: told, nothing unfinished stays, and the next copy is incremental");
}

#[test]
fn a_mount_point_without_its_disk_is_not_filled() {
    let disks = Disks::new(512, "");
    disks.world.write("file", 1000);
    disks.snapshot();
    disks.replicate().expect(0);
    disks.snapshot();
    // The directory is still there, on the pool of the original …
    let config = fs::read_to_string(disks.world.config()).unwrap();
    let elsewhere = disks.world.pool.path().join("backup");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(disks.world.config(), config.replace(text(&disks.backup()), text(&elsewhere))).unwrap();
    disks.replicate().expect(3).says(&["away: usb", "same pool"]);
    // … or on another one.
    let other = LoopPool::new(256 << 20, &[], &[]).unwrap();
    fs::write(disks.world.config(), config.replace(text(&disks.backup()), text(&other.path()))).unwrap();
    disks.replicate().expect(3).says(&["away: usb", "is not on the pool"]);
    assert_eq!((names(&elsewhere).len(), names(&other.path()).len()), (0, 0));
    let nowhere = disks.world.dir.path().join("store");
    fs::write(disks.world.config(), config.replace(text(&disks.backup()), text(&nowhere))).unwrap();
    disks.replicate().expect(3).says(&["away: usb"]);
    fs::write(disks.world.config(), config).unwrap();
    disks.replicate().expect(0).says(&["incremental"]);
    proved("a mount point whose disk is not mounted is not filled, whatever it is on");
}

/// The uuid of a pool.
fn uuid_of(pool: &LoopPool) -> String {
    tool(&["blkid", "-p", "-s", "UUID", "-o", "value", text(pool.device())]).trim().to_owned()
}

#[test]
fn a_disk_is_mounted_for_the_run_and_while_it_is_away_its_parent_stays() {
    let disks = Disks::new(512, "keep = { newest = 9 }");
    let uuid = uuid_of(&disks.usb);
    let (archive, uuid_lines) =
        (disks.world.directory_target("disk", &disks.world.encrypted("")), "keep = { newest = 9 }");
    let on = |uuid: &str| disks.target("usb", Path::new("backup/here"), &format!("uuid = \"{uuid}\"\n{uuid_lines}"));
    disks.world.configure_keeping(1, "", &format!("{}\n{archive}", on(&uuid)));
    disks.world.write("file", 200_000);
    disks.world.archive();
    let parent = disks.world.snapshot_names();
    disks.replicate().expect(0).says(&["full"]);
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(&format!("/run/subvault/pools/{uuid}")), "{mounts}");
    assert_eq!(names(&disks.backup().join("here/laptop/home")), parent);
    // Away, it is told and nothing fails that needs it; archives go on, and do not take its parent away.
    let away = "11111111-2222-3333-4444-555555555555";
    disks.world.configure_keeping(1, "", &format!("{}\n{archive}", on(away)));
    disks.replicate().expect(3).says(&["usb is not here"]);
    for _ in 0..3 {
        next_second();
        disks.world.archive();
    }
    assert!(disks.world.snapshot_names().contains(&parent[0]), "the parent stays");
    disks.world.configure_keeping(1, "", &format!("{}\n{archive}", on(&uuid)));
    disks.replicate().expect(0).says(&["incremental"]);
    next_second();
    disks.world.archive();
    next_second();
    disks.world.archive();
    assert!(!disks.world.snapshot_names().contains(&parent[0]), "the parent goes when its successor is there");
    proved("a disk found by uuid is mounted and unmounted by the run; while it is away its next parent stays");
}

#[test]
fn several_disks_at_once_and_one_that_fails_stops_no_other() {
    let disks = Disks::new(1024, "");
    let (second, small) = (LoopPool::new(1 << 30, &[], &[]).unwrap(), LoopPool::new(128 << 20, &[], &[]).unwrap());
    let targets = [
        disks.target("usb", &disks.backup(), "bandwidth = \"20 MiB/s\""),
        disks.target("second", &second.path(), "bandwidth = \"20 MiB/s\""),
        disks.target("small", &small.path(), ""),
    ];
    disks.world.configure(&targets.concat());
    disks.world.write("large", 60 << 20);
    disks.world.write("more", 60 << 20);
    let snapshot = disks.snapshot();
    let begin = std::time::Instant::now();
    let answer = disks.world.run(&["replicate", "--json"]).expect(2).json();
    let took = begin.elapsed();
    let seconds: Vec<f64> =
        answer["steps"].as_array().unwrap().iter().filter_map(|s| s["result"]["seconds"].as_f64()).collect();
    assert_eq!(seconds.len(), 2, "{answer}");
    assert!(took.as_secs_f64() < seconds.iter().sum::<f64>() * 0.8, "{took:?} for {seconds:?}");
    let failed = |s: &&Value| s["outcome"] == "failed";
    assert_eq!(answer["steps"].as_array().unwrap().iter().filter(failed).count(), 1, "{answer}");
    for top in [disks.backup(), second.path()] {
        let copy = top.join("laptop/home").join(snapshot.file_name().unwrap());
        assert_same((&snapshot, &describe(&snapshot)), &copy, "one of several");
    }
    proved("several disks are filled at the same time, and one that fails stops no other");
}

#[test]
fn a_dry_run_copies_nothing_and_mistakes_are_told() {
    let disks = Disks::new(512, "");
    disks.replicate().expect(0).says(&["there is no snapshot to copy"]);
    disks.snapshot();
    disks.world.run(&["replicate", "--dry-run"]).expect(0).says(&["all of it", "nothing of it is there yet"]);
    assert_eq!(names(&disks.backup()), ["laptop"], "the first run made the host's directory");
    disks.world.run(&["replicate", "--target", "nowhere"]).expect(1).says(&["the configuration has usb"]);
    let config = |lines: &str| disks.world.configure(&disks.target("usb", &disks.backup(), lines));
    config("pin_days = 0");
    disks.replicate().expect(1);
    disks.world.configure("[[target]]\nname = \"usb\"\nrecipients = [\"age1x\"]\n[target.btrfs]\ndirectory = \"/x\"\n");
    disks.replicate().expect(1).says(&["`recipients` is about archived streams"]);
    disks.world.configure(&disks.target("usb", Path::new("../x"), "uuid = \"11111111-2222-3333-4444-555555555555\""));
    disks.replicate().expect(1).says(&["from its top level"]);
}

/// `cryptsetup` is a fake here: this kernel cannot open encrypted disks. The real one is used in the laboratory.
#[test]
fn an_encrypted_disk_is_opened_before_and_closed_after() {
    let disks = Disks::new(512, "");
    disks.world.write("file", 1000);
    disks.snapshot();
    let header = LoopPool::new(128 << 20, &[], &[]).unwrap();
    let luks = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
    // A header and no more, on a disk that is not mounted.
    unmount_when_idle(&header.path()).unwrap();
    let script = "import sys\nd=open(sys.argv[1],'r+b')\nd.write(b'LUKS\\xba\\xbe\\x00\\x02')\nd.seek(168)\n\
        d.write(sys.argv[2].encode()+b'\\0'*4)";
    tool(&["python3", "-c", script, text(header.device()), luks]);
    let bin = disks.world.dir.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let log = disks.world.dir.path().join("log");
    let fake = format!("#!/bin/sh\necho \"$@\" >> {}\n[ ! -e {}.fail ]\n", log.display(), log.display());
    fs::write(bin.join("cryptsetup"), fake).unwrap();
    tool(&["chmod", "+x", text(&bin.join("cryptsetup"))]);
    let run = || {
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(PROGRAM);
        finish(command.arg("replicate").env("SUBVAULT_CONFIG", disks.world.config()).env("PATH", path))
    };
    let configure = |uuid: &str| {
        let lines = format!("uuid = \"{uuid}\"\nluks = {{ uuid = \"{luks}\", key_file = \"/etc/the.key\" }}");
        disks.world.configure(&disks.target("crypt", Path::new("backup"), &lines));
    };
    // Nothing comes up after it was opened: it is closed all the same.
    configure("11111111-2222-3333-4444-555555555555");
    run().expect(3).says(&["crypt is not here"]);
    let device = header.device().display();
    let opened = format!("open --type luks --batch-mode --key-file=/etc/the.key {device} subvault-{luks}\n");
    let closed = format!("close subvault-{luks}\n");
    assert_eq!(fs::read_to_string(&log).unwrap(), format!("{opened}{closed}"));
    // A wrong key.
    fs::write(log.with_extension("fail"), "").unwrap();
    run().expect(3).says(&["is /etc/the.key its key?"]);
    fs::remove_file(log.with_extension("fail")).unwrap();
    // It is open already, by somebody else: it is used, and left open.
    fs::write(&log, "").unwrap();
    configure(&uuid_of(&disks.usb));
    run().expect(0).says(&["full"]);
    assert_eq!(fs::read_to_string(&log).unwrap(), "");
    proved("an encrypted disk: the key is named and never shown, what was opened is closed also after errors");
}

/// `cryptsetup` is a fake here too, with a loop device for what it opens: it opens nothing twice, as the real one.
#[test]
fn two_targets_on_one_encrypted_disk_share_it() {
    let disks = Disks::new(512, "");
    disks.world.write("file", 1000);
    disks.snapshot();
    let header = LoopPool::new(128 << 20, &[], &[]).unwrap();
    let luks = "aaaaaaaa-bbbb-4ccc-8ddd-ffffffffffff";
    unmount_when_idle(&header.path()).unwrap();
    let script = "import sys\nd=open(sys.argv[1],'r+b')\nd.write(b'LUKS\\xba\\xbe\\x00\\x02')\nd.seek(168)\n\
        d.write(sys.argv[2].encode()+b'\\0'*4)";
    tool(&["python3", "-c", script, text(header.device()), luks]);
    let dir = disks.world.dir.path();
    let (image, opened, log, bin) = (dir.join("image"), dir.join("opened"), dir.join("log"), dir.join("bin"));
    fs::File::create(&image).unwrap().set_len(300 << 20).unwrap();
    tool(&["mkfs.btrfs", "-q", text(&image)]);
    let uuid = tool(&["blkid", "-o", "value", "-s", "UUID", text(&image)]);
    fs::create_dir(&bin).unwrap();
    let fake = format!(
        "#!/bin/sh\necho $1 >> {log}\ncase $1 in\nopen) [ ! -e {opened} ] || exit 5; sleep 0.3\n\
        losetup -f --show {image} > {opened};;\nclose) losetup -d $(cat {opened}) && rm {opened};;\nesac\n",
        log = log.display(),
        opened = opened.display(),
        image = image.display(),
    );
    fs::write(bin.join("cryptsetup"), fake).unwrap();
    tool(&["chmod", "+x", text(&bin.join("cryptsetup"))]);
    let lines = format!("uuid = \"{}\"\nluks = {{ uuid = \"{luks}\", key_file = \"/etc/the.key\" }}", uuid.trim());
    let targets = ["one", "two"].map(|name| disks.target(name, Path::new(name), &lines));
    disks.world.configure(&targets.concat());
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(PROGRAM);
    let ran = finish(command.arg("replicate").env("SUBVAULT_CONFIG", disks.world.config()).env("PATH", path));
    let log = fs::read_to_string(&log).unwrap();
    if let Ok(device) = fs::read_to_string(&opened) {
        tool(&["losetup", "-d", device.trim()]);
    }
    ran.expect(0).says(&["one", "two"]);
    assert_eq!((log.as_str(), opened.exists()), ("open\nclose\n", false));
    proved("two targets on one encrypted disk: it is opened once, used by both, and closed after the last");
}

#[test]
fn a_disk_that_is_the_source_itself_is_refused() {
    let disks = Disks::new(512, "");
    disks.world.write("file", 1000);
    disks.snapshot();
    let lines = format!("uuid = \"{}\"", uuid_of(&disks.world.pool));
    disks.world.configure(&disks.target("usb", Path::new("backup"), &lines));
    disks.replicate().expect(3).says(&["usb names the pool that home itself is on", "write the uuid of another disk"]);
    proved("a target that names the pool of the originals is refused: a copy there would be lost with them");
}
