//! A laptop's runs send on mains or well charged, and not over what is paid for by the byte; snapshots do not wait.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::stores::fake;
use crate::world::{PROGRAM, Ran, World, finish, proved, subvault_with, text};

fn carried(world: &World) {
    let config = fs::read_to_string(world.config()).unwrap();
    let config = config.replacen("[host]\n", "[host]\nprofile = \"laptop\"\ntime_zone = \"UTC\"\n", 1);
    fs::write(world.config(), config).unwrap();
}

/// A run on a machine with such a battery: the kernel's files are covered for it alone.
fn run_on_battery(world: &World, online: &str, percent: &str) -> Ran {
    let class = world.dir.path().join("power");
    for (supply, files) in [
        ("AC", vec![("type", "Mains"), ("online", online)]),
        ("BAT0", vec![("type", "Battery"), ("present", "1"), ("capacity", percent), ("status", "Discharging")]),
    ] {
        fs::create_dir_all(class.join(supply)).unwrap();
        for (file, value) in files {
            fs::write(class.join(supply).join(file), format!("{value}\n")).unwrap();
        }
    }
    let script = "mount --bind \"$1\" /sys/class/power_supply && exec \"$2\" --config \"$3\" run";
    let mut unshared = Command::new("unshare");
    unshared.args(["--mount", "sh", "-c", script, "sh", text(&class), PROGRAM, text(&world.config())]);
    finish(&mut unshared).expect(0)
}

#[test]
fn on_battery_snapshots_are_taken_and_sending_waits() {
    let world = World::new(128);
    world.configure(&world.directory_target("disk", "encryption = \"off\""));
    carried(&world);
    let ran = run_on_battery(&world, "0", "34");
    ran.says(&["sending has to wait", "34 %", "50 %"]);
    assert_eq!((world.snapshot_names().len(), manifests(&world.store())), (1, 0));
    run_on_battery(&world, "0", "50");
    assert_eq!(manifests(&world.store()), 1, "it stayed due, and is charged now");
    proved("a laptop's run on a battery that is low takes its snapshot, and sends later");
}

/// How many streams a store shows.
fn manifests(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: std::path::PathBuf| {
        let is_manifest = path.file_name().is_some_and(|name| name.to_string_lossy().contains("manifest"));
        if path.is_dir() { manifests(&path) } else { usize::from(is_manifest) }
    };
    entries.map(of).sum()
}

/// A run where `busctl` says this of the network.
fn run_on_network(world: &World, metered: u32) -> Ran {
    let programs = world.dir.path().join("programs");
    fs::create_dir_all(&programs).unwrap();
    let busctl = programs.join("busctl");
    fs::write(&busctl, format!("#!/bin/sh\necho '{{\"type\":\"u\",\"data\":{metered}}}'\n")).unwrap();
    fs::set_permissions(&busctl, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", text(&programs), std::env::var("PATH").unwrap());
    subvault_with(&world.config(), &["run"], &[("PATH", &path)]).expect(0)
}

#[test]
fn what_is_paid_for_by_the_byte_is_not_used_and_a_directory_is() {
    let world = World::new(128);
    let fake = fake();
    let cloud = world.s3_target("cloud", &fake, "encryption = \"off\"", "");
    world.configure(&(world.directory_target("disk", "encryption = \"off\"") + &cloud));
    carried(&world);
    let ran = run_on_network(&world, 3);
    ran.says(&["sending to cloud has to wait", "paid for by the byte"]);
    let streams = || fake.keys().iter().filter(|key| key.contains("manifest")).count();
    assert_eq!((manifests(&world.store()), streams()), (1, 0));
    run_on_network(&world, 4);
    assert_eq!(streams(), 1, "it stayed due, and the network is free now");
    proved(
        "a laptop's run sends nothing to a bucket over a network that is paid for by the byte, and sends to a directory",
    );
}
