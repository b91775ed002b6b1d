//! `status` and `doctor`: what is wrong comes first, and what is right is not called wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::world::{World, proved, subvault_with, text, tool};

fn problems(world: &World, code: i32) -> Vec<String> {
    let answer = world.run(&["status", "--json"]).expect(code).json();
    let all = answer["problems"].as_array().unwrap().clone();
    all.iter().map(|problem| problem["what"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn status_tells_what_is_wrong_and_nothing_else() {
    let world = World::with_directory(256);
    world.write("file", 1000);
    assert_eq!(problems(&world, 2), ["home: nothing is known to be at disk", "home has no snapshot"]);
    world.run(&["run"]).expect(0);
    assert_eq!(problems(&world, 0), [""; 0]);
    world.run(&["status"]).expect(0).says(&["All is well.", "SUBVOLUME", "home", "disk 20", "NEXT"]);
    let name = world.snapshot_names().pop().unwrap();
    let date_back = |to: &str| fs::rename(world.snapshots().join(&name), world.snapshots().join(to)).unwrap();
    date_back("home.20200101T000000Z");
    assert_eq!(problems(&world, 2), ["home: the newest snapshot is older than its schedule asks for"]);
    fs::rename(world.store(), world.dir.path().join("away")).unwrap();
    world.run(&["status"]).expect(2).says(&["! target disk", "does not exist", "mount the disk"]);
    proved("status tells what is late, missing and out of reach, and is silent when all is well");
}

#[test]
fn the_doctor_finds_what_does_not_work() {
    let world = World::with_directory(256);
    let found = |code: i32, verdict: &str| -> Vec<String> {
        let answer = world.run(&["doctor", "--json"]).expect(code).json();
        let of = |check: &&Value| check["verdict"] == verdict;
        let all = answer.as_array().unwrap().clone();
        all.iter()
            .filter(of)
            .map(|check| check["what"].as_str().unwrap().replace(text(&world.pool.path()), "POOL"))
            .collect()
    };
    assert_eq!(found(0, "bad"), [""; 0]);
    fs::set_permissions(world.snapshots(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(found(0, "advice").contains(&"others cannot look into POOL/snapshots".to_owned()));
    fs::set_permissions(world.snapshots(), fs::Permissions::from_mode(0o700)).unwrap();
    assert!(!found(0, "advice").contains(&"others cannot look into POOL/snapshots".to_owned()));
    tool(&["btrfs", "quota", "enable", text(&world.pool.path())]);
    assert!(found(0, "advice").contains(&"the pool at POOL/home has no quotas".to_owned()));
    tool(&["btrfs", "quota", "disable", text(&world.pool.path())]);
    // A diff that dies leaves a snapshot behind.
    world.run(&["snapshot"]).expect(0);
    subvault_with(&world.config(), &["diff", "home"], &[("SUBVAULT_CRASH_AT", "diff-snapshot-taken")]);
    world.run(&["doctor"]).expect(0).says(&["is left of a run that died", "the next `subvault diff`"]);
    world.run(&["diff", "home"]).expect(0);
    assert!(!world.run(&["doctor"]).expect(0).out.contains("is left of a run that died"));
    fs::remove_dir_all(world.store()).unwrap();
    assert_eq!(found(2, "bad"), ["target disk"]);
    world.run(&["doctor", "--all"]).expect(2).says(&["BAD  target disk", "ok   ", "is a subvolume"]);
    proved("the doctor tells what does not work and what dead runs left, with how to mend it");
}
