//! What comes back is what was there: a full and ten incrementals, each restored and compared, in every setting.

use std::fs;
use std::path::{Path, PathBuf};

use subvault_testkit::pool::LoopPool;
use subvault_testkit::s3_fake::Fake;

use crate::oracle::{Described, assert_same, describe};
use crate::stores::{Setting, every, fake, pairs};
use crate::tree::{ROUNDS, Tree};
use crate::world::{Ran, World, names, next_second, proved, subvault, text, tool};

/// A snapshot that was archived, and what it was.
struct Kept {
    path: PathBuf,
    at: String,
    described: Described,
}

/// Archives the tree after each of these rounds; the rounds in between happen all the same.
fn archive_rounds(world: &World, bulk: usize, wanted: &[usize]) -> Vec<Kept> {
    let tree = Tree::new(world.home(), bulk);
    let mut kept = Vec::new();
    for round in 0..ROUNDS {
        tree.round(round);
        if !wanted.contains(&round) {
            continue;
        }
        world.archive();
        let name = world.snapshot_names().pop().unwrap();
        let path = world.snapshots().join(&name);
        kept.push(Kept { at: moment(&name), described: describe(&path), path });
        next_second();
    }
    kept
}

/// The moment in a snapshot's name: what stands after the last dot.
fn moment(snapshot: &str) -> String {
    snapshot.rsplit('.').next().unwrap().to_owned()
}

/// Restores snapshots, the first of them in its chain as given, from the setting's target into the pool, and compares;
/// how many entries were compared.
fn compare_all(world: &World, setting: Setting, kept: &[Kept], first: usize, into: &Path) -> usize {
    let mut entries = 0;
    for (number, snapshot) in kept.iter().enumerate().skip(first) {
        let to = into.join(format!("{}-{number}", setting.name()));
        fs::create_dir(&to).unwrap();
        let ran = world.restore_to(&to, &["--read-only", "--json", "--target", &setting.name(), "--at", &snapshot.at]);
        explain(&ran, kept, &to);
        let answer = ran.expect(0).json();
        assert_eq!(answer["streams"], number + 1, "{answer}");
        let path = PathBuf::from(answer["path"].as_str().unwrap());
        assert_eq!(path.file_name(), snapshot.path.file_name());
        let what = format!("snapshot {number} of {}", setting.name());
        assert_same((&snapshot.path, &snapshot.described), &path, &what);
        assert_eq!(names(&to).len(), 1, "{:?}", names(&to));
        entries += snapshot.described.entries();
        tool(&["btrfs", "-q", "subvolume", "delete", text(&path)]);
    }
    entries
}

/// A restore that refused what it received leaves it behind: what is other about it?
fn explain(ran: &Ran, kept: &[Kept], to: &Path) {
    let left = names(to).into_iter().find(|name| ran.code == Some(5) && name.ends_with(".part"));
    let Some(left) = left else { return };
    let source = kept.iter().find(|k| left.contains(&k.at)).unwrap();
    assert_same((&source.path, &source.described), &to.join(&left), &left);
}

fn configure(world: &World, fake: &Fake, settings: &[Setting]) {
    let targets: String = settings.iter().map(|s| s.target(world, fake)).collect();
    world.configure_keeping(20, "", &targets);
}

#[test]
fn eleven_snapshots_come_back_identical_in_each_pair_of_settings() {
    let (world, fake) = (World::new(2048), fake());
    let settings = pairs();
    configure(&world, &fake, &settings);
    let rounds: Vec<usize> = (0..ROUNDS).collect();
    let kept = archive_rounds(&world, 2500, &rounds);
    let elsewhere = LoopPool::new(2 << 30, &[], &[]).unwrap();
    let entries: usize = settings.iter().map(|s| compare_all(&world, *s, &kept, 0, &elsewhere.path())).sum();
    let last = kept.last().unwrap().described.entries();
    proved(&format!(
        "{} snapshots × {} settings identical, {last} entries in the last one, {entries} compared in all",
        kept.len(),
        settings.len()
    ));
}

#[test]
fn every_combination_of_settings_brings_back_a_small_tree() {
    let (world, fake) = (World::new(1024), fake());
    let settings = every();
    configure(&world, &fake, &settings);
    let kept = archive_rounds(&world, 60, &[0, 4, 10]);
    let elsewhere = LoopPool::new(1 << 30, &[], &[]).unwrap();
    let entries: usize = settings.iter().map(|s| compare_all(&world, *s, &kept, 2, &elsewhere.path())).sum();
    proved(&format!("the last of {} snapshots × {} settings identical, {entries} entries", kept.len(), settings.len()));
}

#[test]
fn a_machine_that_never_saw_the_source_restores() {
    let world = World::with_directory(512);
    let tree = Tree::new(world.home(), 100);
    for round in 0..3 {
        tree.round(round);
        world.archive();
    }
    let name = world.snapshot_names().pop().unwrap();
    let source = world.snapshots().join(&name);
    let described = describe(&source);
    // Another machine has the store and the key, another pool, no state and no configuration.
    let other = LoopPool::new(1 << 30, &[], &[]).unwrap();
    let machine = tempfile::tempdir().unwrap();
    let state = machine.path().join("state");
    let config = machine.path().join("subvault.toml");
    let (store, key, to) = (world.store(), world.key(), other.path());
    let here = ["--store", text(&store), "-i", text(&key), "--to", text(&to)];
    // Only where its record goes is told, so that this test leaves nothing on the machine it runs on.
    fs::write(&config, format!("[host]\nstate = {state:?}\n")).unwrap();
    let listed = subvault(&config, &["list", "--store", text(&store), "--json"]).expect(0).json();
    assert_eq!(listed.as_array().unwrap().len(), 3, "{listed}");
    subvault(&config, &[&["restore", "home"], &here[..]].concat()).expect(0);
    assert_same((&source, &described), &to.join(&name), "on another machine");
    // The writable copy is the same tree, and is writable.
    assert_same((&source, &described), &to.join("home"), "the writable copy");
    fs::write(to.join("home/new"), b"x").unwrap();
    assert!(fs::write(to.join(&name).join("new"), b"x").is_err());
    assert_eq!(names(&to), ["home".to_owned(), name]);
    proved("a machine without configuration and state restores from the store and the key alone");
}

#[test]
fn a_machine_that_never_saw_the_source_restores_from_a_bucket() {
    let (world, fake) = (World::new(512), fake());
    Tree::new(world.home(), 100).round(0);
    world.configure(&world.s3_target("cloud", &fake, &world.encrypted(""), ""));
    world.archive();
    let name = world.snapshot_names().pop().unwrap();
    let source = world.snapshots().join(&name);
    let other = LoopPool::new(1 << 30, &[], &[]).unwrap();
    let machine = tempfile::tempdir().unwrap();
    let (config, state) = (machine.path().join("subvault.toml"), machine.path().join("state"));
    fs::write(&config, format!("[host]\nstate = {state:?}\n")).unwrap();
    let credentials = world.credentials(fake.access_key(), fake.secret_key());
    let store = format!("s3://{}/cloud", fake.bucket());
    let (to, key, endpoint) = (other.path(), world.key(), fake.endpoint());
    let place = ["--store", &store, "--provider", "generic", "--region", "us-east-1", "--endpoint", &endpoint];
    let secret = ["--credentials-file", text(&credentials)];
    subvault(&config, &[&["verify", "--all"], &place[..], &secret].concat()).expect(0);
    let restore = ["restore", "home", "--to", text(&to), "-i", text(&key)];
    subvault(&config, &[&restore[..], &place, &secret].concat()).expect(0);
    assert_same((&source, &describe(&source)), &to.join(&name), "from a bucket");
    proved("a machine without configuration and state restores from a bucket and the key alone");
}
