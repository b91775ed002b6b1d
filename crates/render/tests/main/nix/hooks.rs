//! Attributes of subvolumes are really set: by what disko runs when it makes a pool, and by what runs at each start.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use subvault_testkit::pool::LoopPool;

use super::evaluate::{evaluate, given, nix, stub};

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether a directory is without copy-on-write, and its compression.
fn attributes(path: &Path) -> (bool, String) {
    let flags = run(Command::new("lsattr").arg("-d").arg(path));
    let compression = run(Command::new("btrfs").args(["property", "get"]).arg(path).arg("compression"));
    (flags.split(' ').next().unwrap().contains('C'), compression.trim().trim_start_matches("compression=").to_owned())
}

#[test]
fn disko_sets_them_on_new_subvolumes() {
    let pool = LoopPool::new(256 << 20, &[], &[]).unwrap();
    let layout = format!(
        "((import {}/disko {{ lib = {}; }}).server {{ disks.main = \"/dev/x\"; databases = true; }}).devices.disk.main.content.partitions.root.content",
        nix().display(),
        stub()
    );
    let content = evaluate(&layout).unwrap();
    for name in content["subvolumes"].as_object().unwrap().keys() {
        run(Command::new("btrfs").args(["subvolume", "create"]).arg(pool.path().join(name)));
    }
    let script = format!("set -efu\n{}", content["postCreateHook"].as_str().unwrap());
    run(Command::new("bash").args(["-c", &script]).env("device", pool.device()));
    for (name, wanted) in
        [("@postgresql", (true, "")), ("@containers", (true, "")), ("@nix", (false, "zstd")), ("@home", (false, ""))]
    {
        assert_eq!(attributes(&pool.path().join(name)), (wanted.0, wanted.1.to_owned()), "{name}");
    }
}

#[test]
fn the_module_sets_them_at_start() {
    let pool = LoopPool::new(256 << 20, &[], &[]).unwrap();
    let (without, compressed) = (pool.path().join("my data 100%"), pool.path().join("cache $x"));
    let mut wanted = json!({});
    for (path, attribute) in [
        (&without, json!({ "noCow": true, "compression": null, "owner": null })),
        (&compressed, json!({ "noCow": false, "compression": "zstd:1", "owner": null })),
    ] {
        fs::create_dir(path).unwrap();
        wanted[path.to_str().unwrap()] = attribute;
    }
    let attributes_of = format!("import {}/lib/attributes.nix {{ lib = {}; }}", nix().display(), stub());
    let wanted = given(&wanted);
    let made = evaluate(&format!(
        "let a = {attributes_of}; w = {wanted}; in {{ lines = a.tmpfiles w; commands = a.commands \"/bin/btrfs\" w; }}"
    ));
    let made = made.unwrap();
    let lines: Vec<&str> = made["lines"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let file = tempfile::Builder::new().suffix(".conf").tempfile().unwrap();
    fs::write(file.path(), lines.join("\n") + "\n").unwrap();
    run(Command::new("systemd-tmpfiles").arg("--create").arg(file.path()));
    assert_eq!(attributes(&without), (true, String::new()));
    // The command line is one of systemd: its words are quoted, and `%` and `$` are doubled.
    let command = made["commands"][0].as_str().unwrap().replace("$$", "\\$").replace("%%", "%");
    run(Command::new("bash").args(["-c", &command]));
    assert_eq!(attributes(&compressed), (false, "zstd".to_owned()));
}
