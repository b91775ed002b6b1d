//! One bit, one byte, one object: whatever is wrong in a store is named by `verify`, and nothing of it is restored.

use std::fs;
use std::path::{Path, PathBuf};

use crate::stores::fake;
use crate::world::{Ran, World, contents, names, new_key, next_second, proved, text};

/// A store with a full of several chunks and an incremental, encrypted.
fn archived() -> World {
    let world = World::with_directory(512);
    world.write("large", 16 << 20);
    world.archive();
    next_second();
    world.write("more", 100_000);
    world.archive();
    world
}

/// The objects of the store by path, relative to it.
fn objects(world: &World) -> Vec<String> {
    // The store's own mark is empty and tells nothing.
    let ours = contents(&world.store()).into_iter().filter(|(name, _)| name.starts_with("laptop/"));
    ours.map(|(name, _)| name).collect()
}

/// Whether a restore of the newest reads it.
fn is_read_by_restore(object: &str) -> bool {
    object.ends_with("manifest.json") || object.contains("/chunk-")
}

/// A restore must refuse, name the object, and put nothing in place.
#[track_caller]
fn refuses(world: &World, object: &str, code: i32) {
    let to = world.back();
    let ran = world.restore_to(&to, &[]).expect(code);
    assert!(ran.err.contains(object), "`{object}` is not named in\n{}", ran.err);
    nothing_in_place(&to, &ran);
}

#[track_caller]
fn nothing_in_place(to: &Path, ran: &Ran) {
    let visible: Vec<_> = names(to).into_iter().filter(|name| !name.starts_with(".subvault-restore.")).collect();
    assert!(visible.is_empty(), "{visible:?}\n{}", ran.err);
}

/// Damages a file, lets `check` look, and mends it.
fn with_damage(path: &Path, damage: impl FnOnce(&[u8]) -> Option<Vec<u8>>, check: impl FnOnce()) {
    let good = fs::read(path).unwrap();
    match damage(&good) {
        Some(bad) => fs::write(path, bad).unwrap(),
        None => fs::remove_file(path).unwrap(),
    }
    check();
    fs::write(path, good).unwrap();
}

fn flipped(at: usize) -> impl FnOnce(&[u8]) -> Option<Vec<u8>> {
    move |good: &[u8]| {
        let mut bad = good.to_vec();
        bad[at] ^= 4;
        Some(bad)
    }
}

#[test]
fn one_flipped_bit_in_any_object_is_named_and_never_restored() {
    let world = archived();
    let all = objects(&world);
    let chunks = all.iter().filter(|o| o.contains("/chunk-")).count();
    assert!(chunks >= 5, "{all:?}");
    let mut tried = 0;
    for object in &all {
        let path = world.store().join(object);
        let len = fs::metadata(&path).unwrap().len() as usize;
        for at in [0, 60, len / 2, len - 2] {
            with_damage(&path, flipped(at), || {
                let ran = world.run(&["verify", "--all"]).expect(5);
                assert!(ran.out.contains(object), "{object} at {at}: {}", ran.out);
                // A restore costs more: of each object one kind of damage.
                if is_read_by_restore(object) && at == len / 2 {
                    refuses(&world, object, 5);
                }
            });
            tried += 1;
        }
    }
    world.run(&["verify", "--all"]).expect(0);
    world.restore_to(&world.back(), &[]).expect(0);
    proved(&format!("{tried} single flipped bits in {} objects ({chunks} chunks) named, none restored", all.len()));
}

#[test]
fn missing_and_cut_objects_are_named_and_never_restored() {
    let world = archived();
    let all = objects(&world);
    for object in &all {
        let path = world.store().join(object);
        // What is missing is told with the stream it is missing in.
        let parts: Vec<&str> = object.split('/').collect();
        let (named, newest_manifest) = match parts.as_slice() {
            [_, _, stream, "manifest.json"] => (*stream, stream.contains("-incr-")),
            [_, _, _, chunk] => (*chunk, false),
            _ => (object.as_str(), false),
        };
        with_damage(
            &path,
            |_| None,
            || {
                if newest_manifest {
                    // The pointer knows that there was one: no older snapshot comes in its place unasked.
                    assert!(world.run(&["verify", "--all"]).expect(5).out.contains("current.json"));
                    refuses(&world, object, 5);
                    return;
                }
                let ran = world.run(&["verify", "--all"]).expect(5);
                assert!(ran.out.contains(named), "missing {object}: {}", ran.out);
                if is_read_by_restore(object) {
                    let to = world.back();
                    let ran = world.restore_to(&to, &[]);
                    assert_ne!(ran.code, Some(0), "missing {object}");
                    nothing_in_place(&to, &ran);
                }
            },
        );
        with_damage(
            &path,
            |good| Some(good[..good.len() - 1].to_vec()),
            || {
                let ran = world.run(&["verify", "--sizes"]).expect(5);
                assert!(ran.out.contains(named), "cut {object}: {}", ran.out);
                if is_read_by_restore(object) {
                    refuses(&world, object, 5);
                }
            },
        );
    }
    proved(&format!("{} objects missing or cut by a byte: named, none restored", all.len()));
}

#[test]
fn a_missing_chunk_is_damage() {
    let world = archived();
    let chunk = objects(&world).into_iter().find(|o| o.contains("-full-") && o.contains("/chunk-00001")).unwrap();
    fs::remove_file(world.store().join(&chunk)).unwrap();
    refuses(&world, &chunk, 5);
    world.run(&["list"]).expect(0).says(&["NOT RESTORABLE", "chunk-00001"]);
}

#[test]
fn without_the_right_key_nothing_comes_back() {
    let world = archived();
    let to = world.back();
    let wrong = world.dir.path().join("wrong.txt");
    new_key(&wrong);
    let (to_text, wrong) = (text(&to).to_owned(), text(&wrong).to_owned());
    let default = PathBuf::from("/etc/subvault/identity.txt");
    assert!(!default.exists(), "{} would be used by this test", default.display());
    let tries: [(&[&str], &str); 4] = [
        (&[], "no identity was given"),
        (&["-i", &wrong], "none of the given identities opens"),
        (&["-i", "/nowhere/key.txt"], "/nowhere/key.txt"),
        (&["-i", "/dev/null"], "/dev/null"),
    ];
    for (key, words) in tries {
        let ran = world
            .run(&[&["restore", "home", "--from", "disk", "--to", &to_text], key].concat())
            .expect(1)
            .says(&[words, "→"]);
        nothing_in_place(&to, &ran);
    }
    // None of that left anything behind that is in the way.
    world.restore_to(&to, &[]).expect(0);
    proved("no key, a wrong key, a missing key file and an empty one: exit 1, nothing in place");
}

#[test]
fn damage_in_a_bucket_is_named_and_never_restored() {
    let (world, fake) = (World::new(512), fake());
    world.write("large", 8 << 20);
    world.configure(&world.s3_target("cloud", &fake, &world.encrypted("chunk_size = \"5 MiB\"\n"), "attempts = 2\n"));
    world.archive();
    let keys = fake.keys();
    for key in &keys {
        let at = fake.object(key).unwrap().len() / 2;
        assert!(fake.flip(key, at));
        let object = key.strip_prefix("cloud/").unwrap();
        let ran = world.run(&["verify", "--all"]).expect(5);
        assert!(ran.out.contains(object), "{object}: {}", ran.out);
        if is_read_by_restore(key) {
            refuses(&world, object, 5);
        }
        assert!(fake.flip(key, at));
    }
    world.run(&["verify", "--all"]).expect(0);
    world.restore_to(&world.back(), &[]).expect(0);
    proved(&format!("{} single flipped bits in a bucket named, none restored", keys.len()));
}

#[test]
fn an_older_date_is_restored_from_below_the_damage() {
    let world = archived();
    let newest = objects(&world).into_iter().find(|o| o.contains("-incr-") && o.ends_with("manifest.json")).unwrap();
    fs::write(world.store().join(&newest), b"nothing of what it was").unwrap();
    refuses(&world, &newest, 5);
    let first = world.snapshot_names().remove(0);
    let at = first.rsplit('.').next().unwrap();
    world.restore_to(&world.back(), &["--at", at]).expect(0);
    assert_eq!(names(&world.back()), ["home".to_owned(), first]);
}
