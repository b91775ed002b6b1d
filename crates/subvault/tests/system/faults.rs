//! Stores and pools that fail: the right exit code, a sentence that says what to do, nothing half visible, and a rerun
//! that succeeds after mending.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use subvault_testkit::pool::LoopPool;
use subvault_testkit::s3_fake::{Fault, FaultKind, Op, When};

use crate::oracle::{assert_same, describe};
use crate::stores::fake;
use crate::world::{Ran, World, contents, names, proved, text};

/// A file system in memory, gone when dropped.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path, size: &str) -> Self {
        let options = std::ffi::CString::new(format!("size={size}")).unwrap();
        mount("none", at, "tmpfs", MountFlags::empty(), Some(options.as_c_str())).unwrap();
        Self(at.to_owned())
    }

    fn remount(&self, flags: MountFlags, options: &str) {
        mount_remount(&self.0, flags, options).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// No stream is visible in the directory.
#[track_caller]
fn nothing_published(world: &World) {
    let stored = contents(&world.store());
    let visible = stored.iter().any(|(name, _)| name.ends_with("manifest.json") || name.ends_with("current.json"));
    assert!(!visible, "{:?}", stored.iter().map(|(name, _)| name).collect::<Vec<_>>());
}

/// After mending: the rerun archives, all is whole, and it comes back identical.
#[track_caller]
fn is_well_again(world: &World) {
    world.archive();
    world.run(&["verify", "--all"]).expect(0);
    world.restore_to(&world.back(), &[]).expect(0);
    let name = world.snapshot_names().pop().unwrap();
    let source = world.snapshots().join(&name);
    assert_same((&source, &describe(&source)), &world.back().join(&name), "after mending");
}

/// One sentence of what failed, and one of what to do.
#[track_caller]
fn tells(ran: &Ran, words: &[&str]) {
    let all = format!("{}{}", ran.out, ran.err);
    for word in words {
        assert!(all.contains(word), "`{word}` is missing in\nstdout:\n{}\nstderr:\n{}", ran.out, ran.err);
    }
    assert!(all.contains("→"), "no word of what to do in\n{}\n{}", ran.out, ran.err);
}

#[test]
fn a_full_store_is_told_and_the_rerun_goes_on_when_there_is_room() {
    let world = World::with_directory(512);
    let small = Small::mount(&world.store(), "12m");
    world.write("large", 30 << 20);
    let ran = world.run(&["archive"]);
    assert!(matches!(ran.code, Some(2 | 3)), "{:?} {}{}", ran.code, ran.out, ran.err);
    tells(&ran, &["the store is full", "free or add space"]);
    nothing_published(&world);
    small.remount(MountFlags::empty(), "size=200m");
    is_well_again(&world);
    proved("a store that is full: told, nothing visible, finished after room was made");
}

#[test]
fn a_read_only_store_and_one_that_is_not_mounted_are_told() {
    let world = World::with_directory(512);
    world.write("file", 3 << 20);
    let small = Small::mount(&world.store(), "100m");
    small.remount(MountFlags::RDONLY, "");
    // The snapshot was taken, so that some of it was done.
    let ran = world.run(&["archive"]).expect(2);
    tells(&ran, &["the file system is read-only", "look at the kernel log"]);
    small.remount(MountFlags::empty(), "");
    nothing_published(&world);
    // The disk is not there: its directory is neither.
    let away = world.dir.path().join("away");
    drop(small);
    fs::rename(world.store(), &away).unwrap();
    let back = world.back();
    let restore = ["restore", "home", "--from", "disk", "--to", text(&back)];
    for (args, code) in [(&["archive"][..], 2), (&["verify"], 3), (&["gc"], 3), (&restore, 3)] {
        let ran = world.run(args).expect(code);
        let all = format!("{}{}", ran.out, ran.err);
        assert!(all.contains("the store does not exist"), "{args:?}: {all}");
        assert!(!world.store().exists(), "{args:?} made the directory of an unmounted disk");
    }
    fs::rename(&away, world.store()).unwrap();
    is_well_again(&world);
    // The store is the mount point itself, so that an empty directory is left.
    fs::rename(world.store(), &away).unwrap();
    fs::create_dir(world.store()).unwrap();
    let told = "does not hold what this machine has archived there";
    for (args, code) in [(&["archive"][..], 2), (&["gc"], 3)] {
        tells(&world.run(args).expect(code), &[told, "mount its disk"]);
    }
    assert_eq!(fs::read_dir(world.store()).unwrap().count(), 0, "nothing is made in the mount point");
    fs::remove_dir(world.store()).unwrap();
    fs::rename(&away, world.store()).unwrap();
    world.run(&["archive"]).expect(0);
    proved("a read-only store and a disk that is not mounted: told, nothing made, well after mending");
}

#[test]
fn a_pool_that_fills_up_during_a_restore_keeps_nothing_half_in_place() {
    let world = World::with_directory(768);
    world.write("large", 200 << 20);
    world.archive();
    let small = LoopPool::new(160 << 20, &["-m", "single"], &[]).unwrap();
    let ran = world.restore_to(&small.path(), &[]).expect(3);
    assert!(ran.err.contains("No space left"), "{}", ran.err);
    let visible: Vec<_> = names(&small.path()).into_iter().filter(|n| !n.starts_with(".subvault-restore.")).collect();
    assert!(visible.is_empty(), "{visible:?}");
    // With room, the same command succeeds.
    let large = LoopPool::new(768 << 20, &[], &[]).unwrap();
    world.restore_to(&large.path(), &[]).expect(0);
    let name = world.snapshot_names().pop().unwrap();
    let source = world.snapshots().join(&name);
    assert_same((&source, &describe(&source)), &large.path().join(&name), "with room");
    proved("a pool that fills up during a restore: exit 3, told, nothing in place; with room it succeeds");
}

/// Faults that pass by are survived without a word from the user; what is stored is whole.
#[test]
fn a_bucket_with_passing_faults_is_archived_to_and_restored_from() {
    let slow = Duration::from_millis(30);
    let kinds = [
        ("SlowDown", Fault::on_all(FaultKind::SLOW_DOWN, When::Every(4))),
        ("500", Fault::on_all(FaultKind::INTERNAL_ERROR, When::Every(5))),
        ("resets", Fault::on_all(FaultKind::Drop, When::Every(6))),
        ("lost replies", Fault::on_all(FaultKind::LoseReply, When::Every(7))),
        ("cut bodies", Fault::on(Op::Get, FaultKind::CutBody, When::Every(2))),
        ("slow bodies", Fault::on(Op::Get, FaultKind::SlowBody(slow), When::Always)),
    ];
    let (world, fake) = (World::new(768), fake());
    world.write("large", 12 << 20);
    let lines = world.encrypted("chunk_size = \"5 MiB\"\n");
    let mut struck = 0;
    for (number, (what, fault)) in kinds.into_iter().enumerate() {
        world.configure(&world.s3_target(&format!("cloud{number}"), &fake, &lines, "attempts = 10\n"));
        fake.set_faults(vec![fault]);
        let ran = world.run(&["archive"]);
        assert_eq!(ran.code, Some(0), "{what}: {}{}", ran.out, ran.err);
        let to = world.back().join(number.to_string());
        fs::create_dir(&to).unwrap();
        let ran = world.restore_to(&to, &["--read-only"]);
        assert_eq!(ran.code, Some(0), "{what}: {}{}", ran.out, ran.err);
        assert!(fake.struck() > 0, "{what} never struck");
        struck += fake.struck();
        fake.set_faults(Vec::new());
        world.run(&["verify", "--all"]).expect(0);
        let name = names(&to).pop().unwrap();
        let source = world.snapshots().join(&name);
        assert_same((&source, &describe(&source)), &to.join(&name), what);
    }
    assert_eq!(fake.pending_uploads(), 0);
    proved(&format!("archive and restore through {struck} passing faults of 6 kinds of a bucket: identical"));
}

#[test]
fn a_bucket_that_stays_broken_is_told_with_what_to_do() {
    let answers = [
        ("expired", FaultKind::EXPIRED_TOKEN, "the credentials were not accepted", "expiry"),
        ("skew", FaultKind::CLOCK_SKEW, "the clock of this machine is wrong", "set the clock"),
        ("denied", FaultKind::ACCESS_DENIED, "permission denied", "policy of the key"),
        ("slow", FaultKind::SLOW_DOWN, "the store asks to slow down", "later"),
        ("broken", FaultKind::INTERNAL_ERROR, "the store has a fault of its own", "the next run tries again"),
        ("gone", FaultKind::Drop, "the store cannot be reached", "check the network"),
    ];
    let (world, fake) = (World::new(512), fake());
    world.write("file", 6 << 20);
    let lines = world.encrypted("chunk_size = \"5 MiB\"\n");
    let target = |more: &str| world.s3_target("cloud", &fake, &lines, &format!("attempts = 2\n{more}"));
    world.configure(&target(""));
    for (what, kind, sentence, hint) in answers {
        fake.set_faults(vec![Fault::on_all(kind, When::Always)]);
        let ran = world.run(&["archive"]);
        let all = format!("{}{}", ran.out, ran.err);
        // The snapshot was taken, so that some of it was done.
        assert_eq!(ran.code, Some(2), "{what}: {all}");
        assert!(all.contains(sentence) && all.contains(hint), "{what}: {all}");
        assert!(fake.keys().iter().all(|key| !key.ends_with(".json") || key.ends_with("host.json")), "{what}");
    }
    fake.set_faults(Vec::new());
    world.configure(&target("").replace("\"vault\"", "\"nobodys\""));
    let ran = world.run(&["archive"]);
    assert_eq!(ran.code, Some(2), "{}{}", ran.out, ran.err);
    assert!(format!("{}{}", ran.out, ran.err).contains("the store does not exist"), "{}{}", ran.out, ran.err);
    let text = target("");
    world.credentials(fake.access_key(), "not the secret");
    world.configure(&text);
    let ran = world.run(&["archive"]);
    assert_eq!(ran.code, Some(2), "{}{}", ran.out, ran.err);
    assert!(format!("{}{}", ran.out, ran.err).contains("the credentials were not accepted"));
    assert!(!format!("{}{}", ran.out, ran.err).contains("not the secret"), "a secret is shown");
    world.configure(&target(""));
    is_well_again(&world);
    proved("a bucket with expired or wrong credentials, clock skew, denial, throttling, faults, none at all: told");
}

/// A server that sends half an object and says that this is all cannot be told from one that has lost the rest.
#[test]
fn a_bucket_that_sends_half_is_not_believed() {
    let (world, fake) = (World::new(256), fake());
    world.write("file", 6 << 20);
    world.configure(&world.s3_target("cloud", &fake, &world.encrypted(""), "attempts = 2\n"));
    world.archive();
    let to = world.back();
    for kind in [FaultKind::ShortBody, FaultKind::CutBody] {
        fake.set_faults(vec![Fault::on(Op::Get, kind, When::Always)]);
        let ran = world.restore_to(&to, &[]);
        assert!(matches!(ran.code, Some(3 | 5)), "{:?} {}", ran.code, ran.err);
        assert!(names(&to).iter().all(|name| name.starts_with(".subvault-restore.")), "{:?}", names(&to));
    }
    fake.set_faults(Vec::new());
    is_well_again(&world);
}
