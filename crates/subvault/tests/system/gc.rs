//! What `gc` removes, and what it leaves alone.

use std::fs;

use subvault_testkit::s3_fake::{Fault, FaultKind, Op, When};

use crate::stores::fake;
use crate::world::{World, contents, next_second, proved, text, tool};

/// How many streams of a kind there are in a store's listing.
fn streams(world: &World, subvolume: &str) -> Vec<String> {
    let all = contents(&world.store()).into_iter().map(|(name, _)| name);
    all.filter(|n| n.starts_with(&format!("laptop/{subvolume}/")) && n.ends_with("/manifest.json")).collect()
}

#[test]
fn superseded_generations_and_orphans_go_and_nothing_else() {
    let world = World::new(512);
    tool(&["btrfs", "-q", "subvolume", "create", text(&world.pool.path().join("data"))]);
    let data = world.pool.path().join("data");
    let snapshots = world.snapshots();
    let second = format!("[[subvolume]]\nname = \"data\"\npath = {data:?}\nsnapshots = {snapshots:?}\n");
    let lines = world.encrypted("keep_generations = 2\n");
    world.configure_keeping(3, &second, &world.directory_target("disk", &lines));
    for round in 0..4 {
        world.write("file", 200_000 + round);
        fs::write(data.join("file"), vec![7; 5000 + round]).unwrap();
        world.run(&["archive", "--full"]).expect(0);
        world.archive();
        next_second();
    }
    assert_eq!((streams(&world, "home").len(), streams(&world, "data").len()), (8, 8));
    // What an interrupted run of a machine that is no more would leave, and what is not ours.
    let orphan = "laptop/home/20200101T000000Z-full-00000001/chunk-00000.zst.age";
    let ours = world.store().join(orphan);
    fs::create_dir_all(ours.parent().unwrap()).unwrap();
    fs::write(&ours, b"half a chunk").unwrap();
    for foreign in ["readme", "laptop/readme", "laptop/home/notes.txt", "otherhost/home/x"] {
        let path = world.store().join(foreign);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, foreign).unwrap();
    }
    let before = contents(&world.store());
    let dry = world.run(&["gc", "--dry-run"]).expect(0).says(&[orphan, "nothing was removed", "superseded by"]);
    assert_eq!(contents(&world.store()), before, "{}", dry.out);
    let ran = world.run(&["gc"]).expect(0).says(&[orphan, "leave   laptop/home/notes.txt", "removed 8 streams"]);
    let after: Vec<String> = contents(&world.store()).into_iter().map(|(name, _)| name).collect();
    assert!(!after.iter().any(|n| n == orphan), "{}", ran.out);
    for foreign in ["readme", "laptop/readme", "laptop/home/notes.txt", "otherhost/home/x"] {
        assert!(after.iter().any(|n| n == foreign), "{foreign} is gone: {}", ran.out);
    }
    assert_eq!((streams(&world, "home").len(), streams(&world, "data").len()), (4, 4), "{after:?}");
    world.run(&["verify", "--all"]).expect(0);
    world.restore_to(&world.back(), &[]).expect(0);
    // A second time there is nothing to do, and the chain goes on.
    world.run(&["gc"]).expect(0).says(&["removed 0 streams, 0 objects"]);
    assert!(world.archive().out.contains("incremental"));
    proved("gc: 8 streams of 4 superseded generations of 2 subvolumes and an orphan gone, 4 foreign files left alone");
}

#[test]
fn an_upload_that_a_journal_wants_stays_and_one_that_nobody_wants_goes() {
    let (world, fake) = (World::new(512), fake());
    world.write("large", 30 << 20);
    let lines = world.encrypted("chunk_size = \"64 MiB\"\n");
    world.configure(&world.s3_target("cloud", &fake, &lines, "attempts = 1\n"));
    // Parts arrive, and the end of the upload does not.
    fake.set_faults(vec![Fault::on(Op::Complete, FaultKind::INTERNAL_ERROR, When::Always)]);
    assert_ne!(world.run(&["archive"]).code, Some(0));
    fake.set_faults(Vec::new());
    assert_eq!(fake.pending_uploads(), 1);
    world.run(&["gc"]).expect(0);
    assert_eq!(fake.pending_uploads(), 1, "the journal wants it");
    let parts = fake.requests(Op::PutPart);
    world.archive();
    assert_eq!(fake.pending_uploads(), 0);
    assert!(fake.requests(Op::PutPart) <= parts + 1, "parts that were stored are not sent again");
    world.run(&["verify", "--all"]).expect(0);
    // The same again, but the journal is lost: then nobody wants it.
    next_second();
    world.write("larger", 30 << 20);
    fake.set_faults(vec![Fault::on(Op::Complete, FaultKind::INTERNAL_ERROR, When::Always)]);
    assert_ne!(world.run(&["archive"]).code, Some(0));
    fake.set_faults(Vec::new());
    assert_eq!(fake.pending_uploads(), 1);
    fs::remove_dir_all(world.state()).unwrap();
    world.run(&["gc", "--dry-run"]).expect(0).says(&["abort   the upload of"]);
    assert_eq!(fake.pending_uploads(), 1, "a dry run");
    world.run(&["gc"]).expect(0).says(&["1 uploads"]);
    assert_eq!(fake.pending_uploads(), 0);
    proved("gc keeps the upload that a journal wants, which is then finished, and aborts one that nobody wants");
}
