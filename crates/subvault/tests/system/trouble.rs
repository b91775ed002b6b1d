//! One thing is wrong, and nothing else may suffer from it: nothing is lost, left out in silence, or taken for checked.

use std::fs;
use std::path::PathBuf;

use subvault_testkit::s3_fake::{Fake, FakeOptions, Fault, FaultKind, Op, When};

use crate::runs::at_work;
use crate::world::{World, new_key, next_second, proved, text, tool};

/// A second key is of no use for a chain whose beginning it does not open.
#[test]
fn another_set_of_keys_begins_a_new_chain() {
    let world = World::with_directory(512);
    world.write("one", 300_000);
    world.archive();
    next_second();
    let second = world.dir.path().join("second.txt");
    let lines = format!("recipients = [\"{}\", \"{}\"]\n", world.recipient, new_key(&second));
    world.configure(&world.directory_target("disk", &lines));
    let ran = world.archive();
    assert!(ran.out.contains("full"), "{}", ran.out);
    let back = world.back();
    world.run(&["restore", "home", "--from", "disk", "--to", text(&back), "-i", text(&second)]).expect(0);
    next_second();
    assert!(world.archive().out.contains("incremental"));
    proved("keys that were changed begin a new chain, which the new key alone opens");
}

#[test]
fn a_subvolume_that_is_not_mounted_keeps_what_was_uploaded_of_it() {
    let world = World::new(512);
    world.write("large", 80 << 20);
    at_work(&world).kill();
    let journal = world.state().join("journal/disk/home.jsonl");
    let away = world.pool.path().join("away");
    fs::rename(world.home(), &away).unwrap();
    fs::rename(world.snapshots(), world.pool.path().join("snapshots-away")).unwrap();
    let ran = world.run(&["archive"]).expect(3);
    assert!(ran.err.contains("home"), "{}", ran.err);
    assert!(journal.exists(), "the upload was given up");
    fs::rename(&away, world.home()).unwrap();
    fs::rename(world.pool.path().join("snapshots-away"), world.snapshots()).unwrap();
    world.configure(&world.directory_target("disk", &world.encrypted("")));
    world.run(&["archive", "--dry-run"]).expect(0).says(&["an earlier run was interrupted"]);
    world.archive();
    world.run(&["verify", "--all"]).expect(0);
    proved("a subvolume that is not mounted: told, and its interrupted upload goes on later");
}

#[test]
fn a_check_of_nothing_is_no_success() {
    let world = World::with_directory(512);
    world.run(&["verify"]).expect(3).says(&["nothing was checked"]);
    world.write("file", 1000);
    world.archive();
    world.run(&["verify"]).expect(0);
    world.run(&["verify", "hoem"]).expect(3).says(&["nothing was checked"]);
    world.run(&["verify", "--host", "other"]).expect(3);
}

#[test]
fn a_series_that_is_not_configured_any_more_is_listed() {
    let world = World::with_directory(512);
    let target = world.directory_target("disk", &world.encrypted(""));
    world.configure(&target);
    world.write("file", 1000);
    world.archive();
    let other = world.pool.path().join("srv");
    tool(&["btrfs", "-q", "subvolume", "create", text(&other)]);
    let config = fs::read_to_string(world.config()).unwrap();
    let renamed = config.replace("name = \"home\"", "name = \"srv\"").replace(text(&world.home()), text(&other));
    fs::write(world.config(), renamed).unwrap();
    world.run(&["list"]).expect(0).says(&["home", "disk full 1.0"]);
    world.run(&["list", "home"]).expect(0).says(&["disk full 1.0"]);
    world.run(&["list", "hoem"]).expect(1);
}

/// Archiving to a disk goes on while the bucket's key cannot be had.
#[test]
fn a_missing_access_key_stops_its_own_target_only() {
    let world = World::new(512);
    let fake = Fake::start(FakeOptions::default());
    let cloud = world.s3_target("cloud", &fake, &world.encrypted(""), "");
    world.configure(&format!("{}\n{cloud}", world.directory_target("disk", &world.encrypted(""))));
    world.write("file", 1000);
    fs::remove_file(world.dir.path().join("credentials")).unwrap();
    world.run(&["archive"]).expect(2).says(&["not looked at: target cloud", "cannot read the credentials file"]);
    world.run(&["restore", "home", "--from", "disk", "--to", text(&world.back()), "-i", text(&world.key())]).expect(0);
    world.run(&["verify", "--target", "disk"]).expect(0);
    world.run(&["verify", "--target", "cloud"]).expect(3);
}

#[test]
fn two_targets_in_one_place_are_refused() {
    let world = World::new(512);
    let targets = ["one", "two"].map(|name| world.directory_target(name, &world.encrypted("")));
    world.configure(&targets.concat());
    let ran = world.run(&["archive"]).expect(1);
    assert!(ran.err.contains("`one` and `two` are the same store"), "{}", ran.err);
}

/// Archives a full and an incremental; where the manifest of the latter is.
fn with_an_incremental(world: &World) -> PathBuf {
    world.write("file", 1000);
    world.archive();
    next_second();
    world.write("file", 2000);
    world.archive();
    let series = fs::read_dir(world.store().join("laptop/home")).unwrap();
    let mut streams = series.map(|entry| entry.unwrap().path());
    streams.find(|path| text(path).contains("-incr-")).unwrap().join("manifest.json")
}

#[test]
fn a_newest_stream_that_is_gone_is_told_before_the_chain_goes_on() {
    let world = World::with_directory(512);
    let manifest = with_an_incremental(&world);
    fs::remove_file(manifest).unwrap();
    next_second();
    world.run(&["archive"]).expect(2).says(&["its manifest is gone"]);
    world.archive();
    world.run(&["verify", "--all"]).expect(0);
}

#[test]
fn a_series_with_a_manifest_that_cannot_be_read_is_shown_and_restored_from_as_far_as_it_goes() {
    let world = World::with_directory(512);
    let manifest = with_an_incremental(&world);
    let content = fs::read(&manifest).unwrap();
    fs::write(&manifest, "{}").unwrap();
    let store = world.store();
    for args in [&["list"][..], &["list", "--store", text(&store)]] {
        world.run(args).expect(2).says(&["full 1.0"]);
    }
    // The next run does not build on it, and leaves it alone; it can be read again later, and both are whole.
    next_second();
    world.write("file", 3000);
    world.run(&["archive"]).expect(0);
    fs::write(&manifest, content).unwrap();
    let listed = world.run(&["list", "--json"]).expect(0).json();
    let broken = listed.as_array().unwrap().iter().flat_map(|m| m["streams"].as_array().unwrap());
    assert!(broken.into_iter().all(|stream| stream["missing"].is_null()), "{listed}");
}

#[test]
fn snapshots_of_one_second_are_listed_in_the_order_in_which_they_were_taken() {
    let world = World::with_directory(512);
    for _ in 0..4 {
        world.write("file", 1000);
        world.archive();
    }
    let listed = world.run(&["list", "--json"]).expect(0).json();
    let sequences: Vec<u64> =
        listed.as_array().unwrap().iter().map(|moment| moment["streams"][0]["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, [0, 1, 2, 3]);
}

/// A bucket that lists a manifest and then has none of it: nothing beside it is taken for garbage.
#[test]
fn a_bucket_that_denies_what_it_lists_loses_nothing() {
    let world = World::new(512);
    let fake = Fake::start(FakeOptions::default());
    world.configure(&world.s3_target("cloud", &fake, &world.encrypted(""), ""));
    world.write("file", 100_000);
    world.archive();
    let before = fake.keys();
    fake.set_faults(vec![Fault::on(Op::Get, FaultKind::Answer(404, "NoSuchKey"), When::Always)]);
    world.run(&["gc"]);
    fake.set_faults(Vec::new());
    assert_eq!(fake.keys(), before);
    world.run(&["verify", "--all"]).expect(0);
}

/// What a run notes of an upload is not on disk before the next part is announced; an object is, once it is complete.
#[test]
fn a_chunk_that_was_completed_and_not_noted_is_taken_up() {
    let world = World::with_directory(256);
    world.write("large", 12 << 20);
    let died = crate::world::subvault_with(&world.config(), &["archive"], &[("SUBVAULT_CRASH_AT", "chunk-completed")]);
    assert!(!matches!(died.code, Some(0..=5)), "{}", died.err);
    let journal = world.state().join("journal/disk/home.jsonl");
    let noted = fs::read_to_string(&journal).unwrap();
    let lost = |line: &&str| !line.contains("upload_begun") && !line.contains("part_stored");
    let kept: Vec<&str> = noted.lines().filter(lost).collect();
    assert!(kept.len() < noted.lines().count(), "{noted}");
    fs::write(&journal, kept.join("\n") + "\n").unwrap();
    world.archive();
    world.run(&["verify", "--all"]).expect(0);
    assert!(!journal.exists());
    world.run(&["gc"]).expect(0);
    proved("a chunk that was completed before a power cut took the note of it is taken up by the rerun");
}
