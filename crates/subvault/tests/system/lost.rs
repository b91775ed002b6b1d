//! The machine forgets: its state directory, then its snapshots, are gone. The store alone says how it goes on.

use std::fs;

use crate::oracle::{assert_same, describe};
use crate::world::{World, next_second, proved, text, tool};

#[test]
fn without_its_state_a_machine_continues_the_chain_and_without_snapshots_it_says_why_not() {
    let world = World::with_directory(512);
    world.write("one", 300_000);
    world.archive();
    next_second();
    fs::remove_dir_all(world.state()).unwrap();
    world.write("two", 300_000);
    let ran = world.archive();
    assert!(ran.out.contains("incremental"), "{}\n{}", ran.out, ran.err);
    next_second();
    // Now the snapshots go, too.
    fs::remove_dir_all(world.state()).unwrap();
    for name in world.snapshot_names() {
        tool(&["btrfs", "-q", "subvolume", "delete", text(&world.snapshots().join(name))]);
    }
    world.write("three", 300_000);
    world.run(&["archive", "--dry-run"]).expect(0).says(&["is no longer on the pool"]);
    let ran = world.archive();
    assert!(ran.out.contains("full"), "{}", ran.out);
    let listed = world.run(&["list", "--json"]).expect(0).json();
    let generations: Vec<u64> = listed
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|m| m["streams"].as_array().unwrap())
        .map(|s| s["generation"].as_u64().unwrap())
        .collect();
    assert_eq!(generations, [1, 1, 2], "{listed}");
    world.run(&["verify", "--all"]).expect(0);
    let source = world.snapshots().join(&world.snapshot_names()[0]);
    world.restore_to(&world.back(), &[]).expect(0);
    assert_same((&source, &describe(&source)), &world.back().join(&world.snapshot_names()[0]), "after the loss");
    proved("without state the chain goes on; without snapshots a new generation begins and says why");
}
