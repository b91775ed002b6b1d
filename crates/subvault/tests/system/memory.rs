//! What archiving and restoring take of memory, at defaults.

use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::oracle::{assert_same, describe};
use crate::world::{PROGRAM, World, finish, noise, proved, text};

const LIMIT_MIB: u64 = 256;

/// Runs the program and tells the most memory it had, in MiB, by GNU time.
fn peak(world: &World, args: &[&str]) -> u64 {
    let told = world.dir.path().join("peak");
    let mut command = Command::new("/usr/bin/time");
    command.args(["-f", "%M", "-o", text(&told), PROGRAM]).args(args).stdin(Stdio::null());
    finish(command.env("SUBVAULT_CONFIG", world.config())).expect(0);
    fs::read_to_string(told).unwrap().trim().parse::<u64>().unwrap() >> 10
}

#[test]
fn a_gigabyte_takes_less_than_a_quarter_of_one() {
    let world = World::new(4096);
    world.configure(&world.directory_target("disk", &world.encrypted("")));
    // Large and small, some compress: 1.1 GiB.
    let (incompressible, text_like) = (noise(4 << 20, 1), b"some words that come again and again\n".repeat(100_000));
    for number in 0_u32..30 {
        let mut file = File::create_new(world.home().join(format!("large{number}"))).unwrap();
        for part in 0_u32..10 {
            file.write_all(&(number * 1000 + part).to_le_bytes()).unwrap();
            file.write_all(if (number + part) % 3 == 0 { &text_like } else { &incompressible }).unwrap();
        }
    }
    fs::create_dir(world.home().join("small")).unwrap();
    for number in 0..3000 {
        fs::write(world.home().join(format!("small/{number}")), &incompressible[number..number + 2500]).unwrap();
    }
    let archive = peak(&world, &["archive"]);
    let (to, key) = (world.back(), world.key());
    let restore = peak(&world, &["restore", "home", "--from", "disk", "--to", text(&to), "-i", text(&key)]);
    let verify = peak(&world, &["verify", "--all"]);
    for (what, mib) in [("archive", archive), ("restore", restore), ("verify", verify)] {
        assert!(mib < LIMIT_MIB, "{what} took {mib} MiB");
    }
    let name = world.snapshot_names().pop().unwrap();
    let source = world.snapshots().join(&name);
    assert_same((&source, &describe(&source)), &to.join(&name), "a gigabyte");
    proved(&format!("1.1 GiB at defaults: archive {archive} MiB, restore {restore} MiB, verify {verify} MiB at most"));
}
