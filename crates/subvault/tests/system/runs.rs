//! Two runs at once, and a run that died.

use std::fs;
use std::time::{Duration, Instant};

use crate::oracle::{assert_same, describe};
use crate::world::{Background, World, contents, names, proved, text, wait_for};

/// Starts to archive so slowly that there is time to look, and waits until bytes are being stored.
pub(crate) fn at_work(world: &World) -> Background {
    let lines = world.encrypted("bandwidth = \"2 MiB/s\"\n");
    world.configure(&world.directory_target("disk", &lines));
    let background = world.start(&["archive"]);
    let journal = world.state().join("journal/disk/home.jsonl");
    wait_for("the first part", || fs::read_to_string(&journal).is_ok_and(|t| t.lines().count() >= 2));
    background
}

#[test]
fn a_second_run_ends_at_once_and_names_the_first() {
    let world = World::new(512);
    world.write("large", 80 << 20);
    let first = at_work(&world);
    for args in [&["archive"][..], &["gc"]] {
        let begin = Instant::now();
        let ran = world.run(args).expect(4);
        assert!(begin.elapsed() < Duration::from_secs(5));
        assert!(ran.err.contains(&format!("process {}", first.pid())), "{}", ran.err);
        assert!(ran.err.contains("`subvault archive`") && ran.err.contains("wait for it to end"), "{}", ran.err);
    }
    // What only looks is not kept from looking.
    world.run(&["list"]).expect(0).says(&["an upload is unfinished"]);
    world.run(&["archive", "--dry-run"]).expect(0);
    proved("a second archive or gc ends at once with exit 4 and the first one's pid");
}

#[test]
fn what_a_killed_run_held_is_taken_over_and_finished() {
    let world = World::new(512);
    world.write("large", 80 << 20);
    let mut first = at_work(&world);
    let pid = first.pid();
    first.kill();
    let stored = contents(&world.store());
    assert!(!stored.iter().any(|(name, _)| name.starts_with("laptop/home/")), "nothing is visible");
    world.configure(&world.directory_target("disk", &world.encrypted("")));
    let snapshots = world.snapshot_names();
    let ran = world.archive();
    assert!(
        ran.err.contains(&format!("taking over from process {pid}, which died during `subvault archive`")),
        "{}",
        ran.err
    );
    assert_eq!(world.snapshot_names(), snapshots, "the interrupted upload is finished, of the same snapshot");
    world.run(&["verify", "--all"]).expect(0);
    let source = world.snapshots().join(&snapshots[0]);
    world.restore_to(&world.back(), &[]).expect(0);
    assert_same((&source, &describe(&source)), &world.back().join(&snapshots[0]), "after kill -9");
    proved("kill -9 while archiving: the lock is taken over with a note, the upload finished, the restore identical");
}

#[test]
fn a_second_restore_ends_at_once_and_what_a_killed_one_left_is_used() {
    let world = World::with_directory(1024);
    world.write("large", 150 << 20);
    world.archive();
    let back = world.back();
    let key = world.key();
    let args = ["restore", "home", "--from", "disk", "--to", text(&back), "-i", text(&key)];
    let mut first = world.start(&args);
    wait_for("the restore", || names(&back).iter().any(|name| name.ends_with(".part")));
    let ran = world.run(&args).expect(4);
    assert!(ran.err.contains(&format!("process {}", first.pid())), "{}", ran.err);
    first.kill();
    assert!(names(&back).iter().all(|name| name.starts_with(".subvault-restore.")), "{:?}", names(&back));
    world.run(&args).expect(0).says(&["taking over from process"]);
    let name = world.snapshot_names().pop().unwrap();
    let source = world.snapshots().join(&name);
    assert_same((&source, &describe(&source)), &back.join(&name), "after kill -9 while restoring");
    assert_eq!(names(&back), ["home".to_owned(), name]);
    proved("kill -9 while restoring: nothing in place, a second run is told, and a rerun is identical and clean");
}
