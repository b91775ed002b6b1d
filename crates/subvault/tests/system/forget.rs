//! Forgetting paths: in all snapshots, with all else as it was; told and left where others took them; and at targets.

use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::json::all_of;
use crate::oracle::{Described, assert_same, describe};
use crate::replicate::{Disks, take_snapshot};
use crate::world::{World, names, next_second, noise, proved, text, tool};

/// What must not be found any more: as a name, and in what a file holds.
pub(crate) const NAME: &str = "geheimes-Tagebuch-7731";
pub(crate) const SECRET: &[u8] = b"der Inhalt, den niemand mehr lesen darf: 4711-0815-xyzzy";

/// Puts a directory with secrets into the subvolume: one file small enough for the metadata, one that is not.
pub(crate) fn put(home: &Path) -> PathBuf {
    let path = home.join("ada").join(NAME);
    fs::create_dir_all(path.join("deep/er")).unwrap();
    fs::write(path.join("small"), SECRET).unwrap();
    let mut large = noise(300_000, 5);
    (0..large.len() / 4096).for_each(|n| large[n * 4096..n * 4096 + SECRET.len()].copy_from_slice(SECRET));
    fs::write(path.join("deep/er/large"), large).unwrap();
    symlink("../../kept", path.join("deep/link")).unwrap();
    path
}

/// What a snapshot will be without the path, as other programs make it.
fn without(world: &World, snapshot: &Path, inside: &Path) -> Described {
    let copy = world.pool.path().join("copy");
    tool(&["btrfs", "-q", "subvolume", "snapshot", text(snapshot), text(&copy)]);
    let parent = copy.join(inside.parent().unwrap());
    let stamp = world.dir.path().join("stamp");
    tool(&["touch", "-r", text(&parent), text(&stamp)]);
    tool(&["rm", "-rf", text(&copy.join(inside))]);
    tool(&["touch", "-r", text(&stamp), text(&parent)]);
    let described = describe(&copy);
    tool(&["btrfs", "-q", "subvolume", "delete", "-c", text(&copy)]);
    fs::remove_file(stamp).unwrap();
    described
}

fn uuid(subvolume: &Path) -> String {
    let shown = tool(&["btrfs", "subvolume", "show", text(subvolume)]);
    shown.lines().find_map(|line| line.trim().strip_prefix("UUID:")).unwrap().trim().to_owned()
}

/// How often the bytes are anywhere on the device, in use or not.
fn on_device(world: &World, wanted: &[u8]) -> usize {
    let mut bytes = Vec::new();
    // The file below the device, or what was read before would be found in the cache.
    fs::File::open(world.pool.path().with_file_name("image")).unwrap().read_to_end(&mut bytes).unwrap();
    let first = wanted[0];
    bytes.windows(wanted.len()).filter(|window| window[0] == first && *window == wanted).count()
}

/// A world with a kept file, the secret in all snapshots but the first and the last, and gone from the subvolume.
fn world_with_history() -> (World, Vec<PathBuf>) {
    let world = World::with_directory(512);
    fs::create_dir(world.home().join("ada")).unwrap();
    world.write("kept", 50_000);
    take_snapshot(&world);
    let path = put(&world.home());
    for round in 0..3 {
        fs::write(world.home().join("ada/round"), format!("{round}")).unwrap();
        next_second();
        world.run(&["snapshot", "--keep", "-m", "ein Merkwort"]).expect(0);
    }
    fs::remove_dir_all(path).unwrap();
    take_snapshot(&world);
    let all = world.snapshot_names().into_iter().filter(|name| !name.ends_with(".json"));
    let snapshots = all.map(|name| world.snapshots().join(name)).collect();
    (world, snapshots)
}

#[test]
fn what_is_forgotten_is_in_no_snapshot_and_all_else_is_as_it_was() {
    let (world, snapshots) = world_with_history();
    assert_eq!(snapshots.len(), 5);
    let path = world.home().join("ada").join(NAME);
    let inside = Path::new("ada").join(NAME);
    let wanted: Vec<Described> = snapshots.iter().map(|snapshot| without(&world, snapshot, &inside)).collect();
    let before: Vec<String> = snapshots.iter().map(|snapshot| uuid(snapshot)).collect();
    let notes: Vec<String> = world.snapshot_names().into_iter().filter(|name| name.ends_with(".json")).collect();
    let all = all_of(&world);
    let dry = world.run(&["forget-path", "--dry-run", text(&path)]).expect(0);
    let dry = dry.says(&["3 of 5 snapshots hold it", "directory, 6 entries", "exchange", "wait"]);
    assert!(all == all_of(&world), "a dry run changed something: {}", dry.out);
    world.run(&["forget-path", text(&path)]).expect(1).says(&["say --yes"]);
    world.run(&["forget-path", text(&path), "--yes"]).expect(0).says(&["forgotten in 3 snapshots"]);
    for ((snapshot, wanted), before) in snapshots.iter().zip(&wanted).zip(&before) {
        assert_same((Path::new("what was there"), wanted), snapshot, text(snapshot));
        let name = text(snapshot);
        assert_eq!(tool(&["btrfs", "property", "get", name, "ro"]).trim(), "ro=true");
        let held = snapshot != &snapshots[0] && snapshot != &snapshots[4];
        assert_eq!(uuid(snapshot) != *before, held, "only what held it is replaced: {name}");
    }
    let after: Vec<String> = world.snapshot_names().into_iter().filter(|name| name.ends_with(".json")).collect();
    assert_eq!(notes, after);
    for note in notes {
        let note: Value = serde_json::from_slice(&fs::read(world.snapshots().join(note)).unwrap()).unwrap();
        assert_eq!((&note["description"], &note["tags"][0]), (&Value::from("ein Merkwort"), &Value::from("keep")));
    }
    let found = tool(&["find", text(&world.pool.path()), "-name", NAME]);
    assert_eq!(found, "", "no path of the pool leads to it");
    assert!(on_device(&world, SECRET) > 0, "a search that finds nothing proves nothing");
    tool(&["sync", "-f", text(&world.pool.path())]);
    tool(&["fstrim", text(&world.pool.path())]);
    assert_eq!((on_device(&world, SECRET), on_device(&world, NAME.as_bytes())), (0, 0), "bytes left on the device");
    let again = world.run(&["forget-path", text(&path), "--yes"]).expect(0).says(&["Nothing is to be done"]);
    assert!(again.says(&["0 of 5 snapshots hold it"]).err.is_empty());
    proved(
        "a path is gone from 3 of 5 snapshots and, trimmed, from the device; all else is as it was, names and notes too",
    );
}

#[test]
fn snapshots_that_were_replaced_are_still_what_they_were() {
    let (world, snapshots) = world_with_history();
    fs::remove_file(world.home().join("kept")).unwrap();
    let name = |n: usize| snapshots[n].file_name().unwrap().to_str().unwrap();
    let path = world.home().join("ada").join(NAME);
    world.run(&["forget-path", text(&path), "--yes"]).expect(0);
    // Of one subvolume, in the order in which they were taken.
    world.run(&["diff", name(1), name(2)]).expect(0).says(&["ada/round"]);
    world.run(&["diff", name(2)]).expect(0).says(&["kept"]);
    let rolled = world.run(&["rollback", text(&world.home()), "--dry-run", "--json"]).expect(0).json();
    assert!(rolled["incoming"].to_string().contains(name(4)), "the newest is still the newest: {rolled}");
    let to = world.run(&["rollback", text(&world.home()), "--to", name(2), "--dry-run", "--json"]).expect(0).json();
    assert!(to["incoming"].to_string().contains(name(2)), "{to}");
    world.run(&["restore", text(&world.home().join("kept"))]).expect(0);
    world.run(&["undo", name(1), "--yes"]).expect(0);
    assert_eq!(fs::read(world.home().join("ada/round")).unwrap(), b"0");
    let kept = world.run(&["prune", "--dry-run", "--json"]).expect(0).json();
    assert!(!kept["steps"].to_string().contains(name(4)), "{kept}");
    let audit = fs::read_to_string(world.state().join("audit.jsonl")).unwrap();
    let lines: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let forgot = |action: &str| lines.iter().filter(|line| line["action"] == action).count();
    assert_eq!((forgot("forget"), forgot("forget_path")), (3 * 3 + 1, 2), "{audit}");
    proved(
        "replaced snapshots are compared, rolled back to, restored from and undone to as before; each step is recorded",
    );
}

#[test]
fn hostile_paths_lead_nowhere_else() {
    let world = World::with_directory(512);
    let home = world.home();
    let odd = OsStr::from_bytes(b"odd \xff\n name");
    fs::create_dir_all(home.join("real")).unwrap();
    fs::write(home.join("real/file"), b"stays").unwrap();
    fs::write(home.join(odd), b"goes").unwrap();
    symlink("real", home.join("link")).unwrap();
    symlink("/etc", home.join("out")).unwrap();
    fs::create_dir(home.join("has")).unwrap();
    fs::write(home.join("has/a"), b"one").unwrap();
    fs::hard_link(home.join("has/a"), home.join("other-name")).unwrap();
    tool(&["btrfs", "-q", "subvolume", "create", text(&home.join("has/nested"))]);
    fs::write(home.join("has/nested/inner"), b"its own").unwrap();
    let snapshot = take_snapshot(&world);
    let forget = |path: &Path| {
        let mut command = std::process::Command::new(crate::world::PROGRAM);
        command.env("SUBVAULT_CONFIG", world.config()).arg("forget-path").arg(path).arg("--yes");
        crate::world::finish(command.stdin(std::process::Stdio::null()))
    };
    let before = uuid(&snapshot);
    forget(&home.join("link/file")).expect(1).says(&["a symbolic link is on the way", "home:real/file"]);
    forget(&home.join("out/passwd")).expect(1);
    forget(&home.join("real/../has")).expect(1).says(&["leads upwards"]);
    forget(Path::new("home:../x")).expect(1).says(&["leads upwards"]);
    forget(&home).expect(1).says(&["is a whole subvolume"]);
    forget(Path::new("home")).expect(1).says(&["is a whole subvolume"]);
    forget(Path::new("/proc/self")).expect(1);
    forget(&world.snapshots().join("x")).expect(1).says(&["lies in no subvolume"]);
    forget(&home.join("has/nested/inner")).expect(1).says(&["lies in no subvolume"]);
    forget(Path::new("home:has/nested/inner")).expect(0).says(&["Nothing is to be done"]);
    forget(&home.join("missing/too")).expect(0).says(&["Nothing is to be done"]);
    assert_eq!(uuid(&snapshot), before, "nothing was changed");
    forget(&home.join(odd)).expect(0).says(&["forgotten in 1 snapshot\n"]);
    forget(&home.join("has")).expect(0).says(&["hard links", "forgotten in 1 snapshot\n"]);
    forget(&home.join("link")).expect(0).says(&["forgotten in 1 snapshot\n"]);
    assert_eq!(names(&snapshot), ["other-name", "out", "real"]);
    assert_eq!(fs::read(snapshot.join("real/file")).unwrap(), b"stays");
    assert_eq!(fs::read(home.join("has/nested/inner")).unwrap(), b"its own", "the subvolume itself was not touched");
    assert!(home.join(odd).exists());
    proved(
        "links, `..`, nested subvolumes, missing paths and names that are no text lead to nothing but what was named",
    );
}

#[test]
fn what_others_took_and_what_can_be_written_to_is_told_and_left() {
    let world = World::with_directory(512);
    fs::create_dir(world.home().join("ada")).unwrap();
    let path = put(&world.home());
    let (foreign, writable) = (world.pool.path().join("by-hand"), take_snapshot(&world));
    tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(&world.home()), text(&foreign)]);
    let snappers = world.pool.path().join("home/.snapshots/7");
    fs::create_dir_all(&snappers).unwrap();
    tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(&world.home()), text(&snappers.join("snapshot"))]);
    tool(&["btrfs", "property", "set", "-f", text(&writable), "ro", "false"]);
    let ours = take_snapshot(&world);
    let inode = fs::metadata(foreign.join("ada").join(NAME)).unwrap().ino();
    let uuids = [uuid(&foreign), uuid(&writable), uuid(&snappers.join("snapshot"))];
    let ran = world.run(&["forget-path", text(&path), "--yes"]).expect(2);
    let ran = ran.says(&["by-hand", "not a snapshot of subvault's", "snapper's", "it can be written to", "say --live"]);
    assert_eq!(uuids, [uuid(&foreign), uuid(&writable), uuid(&snappers.join("snapshot"))], "{}", ran.out);
    assert_eq!(fs::metadata(foreign.join("ada").join(NAME)).unwrap().ino(), inode);
    assert!(writable.join("ada").join(NAME).exists() && path.exists());
    assert!(!ours.join("ada").join(NAME).exists());
    world.run(&["forget-path", text(&path), "--yes"]).expect(3).says(&["it can be written to"]);
    tool(&["btrfs", "property", "set", text(&writable), "ro", "true"]);
    world.run(&["forget-path", text(&path), "--yes", "--live"]).expect(0).says(&["forgotten in 1 snapshot\n"]);
    assert!(!path.exists() && path.parent().unwrap().exists());
    // What cannot be removed in one snapshot keeps nothing else.
    fs::write(world.home().join("plain"), b"x").unwrap();
    let first = take_snapshot(&world);
    tool(&["chattr", "+i", text(&world.home().join("plain"))]);
    let second = take_snapshot(&world);
    let plain = world.home().join("plain");
    world.run(&["forget-path", text(&plain), "--yes"]).expect(2).says(&["failed: rewrite", "still hold it"]);
    assert!(!first.join("plain").exists() && second.join("plain").exists());
    assert!(names(&world.snapshots()).iter().all(|name| !name.starts_with('.')), "nothing is left");
    tool(&["chattr", "-i", text(&plain)]);
    proved("snapshots of others and writable ones are told and left, and one that fails keeps back no other");
}

/// The streams that a store shows.
fn manifests(world: &World) -> Vec<String> {
    let all = crate::world::contents(&world.store()).into_iter().map(|(name, _)| name);
    all.filter(|name| name.ends_with("/manifest.json")).collect()
}

#[test]
fn archives_are_told_with_dates_and_rebased_where_asked() {
    let (world, _) = world_with_history();
    world.configure(&world.directory_target("disk", "encryption = \"off\"\nkeep_generations = 2\n"));
    let path = put(&world.home());
    world.archive();
    next_second();
    world.archive();
    let old = manifests(&world);
    assert_eq!(old.len(), 2);
    let told = world.run(&["forget-path", text(&path), "--dry-run"]).expect(0);
    told.says(&["disk: home generation 1 may hold it (2 streams", "stays until 2 more fulls", "not before 20"]);
    world.run(&["forget-path", text(&path), "--yes", "--rebase", "disk"]).expect(3).says(&["--live"]);
    world.run(&["forget-path", text(&path), "--yes", "--rebase", "nowhere"]).expect(1).says(&["there are disk"]);
    world.run(&["forget-path", text(&path), "--yes"]).expect(0);
    assert_eq!(manifests(&world), old, "without being asked nothing goes there");
    let all = all_of(&world);
    let args = ["forget-path", text(&path), "--live", "--rebase", "all"];
    let dry = world.run(&[&args[..], &["--dry-run"]].concat()).expect(0);
    let dry = dry.says(&["archive   home → disk, full, generation 2.0", "delete    2 streams of home at disk"]);
    assert!(all == all_of(&world), "a dry run changed something: {}", dry.out);
    world.run(&[&args[..], &["--yes"]].concat()).expect(0).says(&["removed 2 streams"]);
    let new = manifests(&world);
    assert!(new.len() == 1 && !old.contains(&new[0]), "{new:?}");
    let stored = crate::world::contents(&world.store());
    assert!(stored.iter().all(|(_, bytes)| !bytes.windows(SECRET.len()).any(|window| window == SECRET)));
    world.run(&["verify", "--all"]).expect(0);
    let newest = world.snapshot_names().into_iter().rfind(|name| !name.ends_with(".json")).unwrap();
    world.restore_to(&world.back(), &[]).expect(0);
    let newest = world.snapshots().join(newest);
    assert_same((&newest, &describe(&newest)), &world.back().join("home"), "restored");
    assert!(!world.back().join("home/ada").join(NAME).exists());
    world.run(&[&args[..], &["--yes"]].concat()).expect(0).says(&["Nothing is to be done"]);
    assert_eq!(manifests(&world), new, "a second time there is nothing to do");
    next_second();
    assert!(world.archive().out.contains("incremental"), "the new chain goes on");
    proved(
        "archives are told with counts and dates; rebased, nothing older is there, and the newest comes back as it is",
    );
}

#[test]
fn copies_are_told_and_rebased_where_asked() {
    let disks = Disks::new(1024, "keep = { newest = 9 }");
    let world = &disks.world;
    fs::create_dir(world.home().join("ada")).unwrap();
    world.write("kept", 100_000);
    let clean = disks.snapshot();
    disks.replicate().expect(0);
    let path = put(&world.home());
    let holding = [disks.snapshot(), {
        disks.replicate().expect(0);
        disks.snapshot()
    }];
    disks.replicate().expect(0);
    assert_eq!(names(&disks.copies()).len(), 3);
    fs::remove_dir_all(&path).unwrap();
    let told = world.run(&["forget-path", text(&path), "--yes"]).expect(0);
    told.says(&["usb: 2 of 3 copies of home hold it", "stays as long as the rules there keep it"]);
    assert_eq!(names(&disks.copies()).len(), 3);
    let rebase = ["forget-path", text(&path), "--yes", "--rebase", "usb"];
    world.run(&rebase).expect(0).says(&["delete    copy"]);
    let there = names(&disks.copies());
    assert_eq!(there.len(), 2, "{there:?}");
    assert!(there.contains(&clean.file_name().unwrap().to_str().unwrap().to_owned()), "what never held it stays");
    for held in &holding {
        assert!(!disks.copies().join(held.file_name().unwrap()).exists() && held.exists());
    }
    assert_eq!(disks.copies_are_right(), 2);
    assert_eq!(tool(&["find", text(&disks.usb.path()), "-name", NAME]), "");
    world.run(&rebase).expect(0).says(&["Nothing is to be done"]);
    disks.snapshot();
    disks.replicate().expect(0).says(&["incremental"]);
    // A disk that is away may hold it: it is told, and makes the difference where it was asked for.
    fs::rename(disks.backup(), disks.usb.path().join("elsewhere")).unwrap();
    world.run(&["forget-path", text(&path), "--yes"]).expect(0).says(&["not looked at: target usb"]);
    world.run(&rebase).expect(2).says(&["not looked at: target usb"]);
    proved(
        "copies are told by name and rule; rebased, those that hold it are gone and the newest is what its snapshot is",
    );
}
