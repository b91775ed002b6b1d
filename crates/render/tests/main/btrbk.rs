//! What was read of a `btrbk.conf`, against btrbk itself; and what became of it, as golden files.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use subvault_render::import::{Fate, btrbk};

use crate::golden::compare;

/// A subvolume and one of its targets as a line.
type Line = BTreeMap<String, String>;

/// What btrbk itself makes of it; `None` when it refuses.
fn asked(text: &str) -> Option<Vec<Line>> {
    let dir = tempfile::TempDir::with_prefix("subvault-btrbk-").unwrap();
    let path = dir.path().join("btrbk.conf");
    fs::write(&path, text).unwrap();
    let output = Command::new("btrbk").arg("-c").arg(&path).args(["list", "config", "--format=raw"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    output.status.success().then(|| text.lines().map(unpack).collect())
}

/// `a='b' c='d'\''e'`: what a shell would take for assignments.
fn unpack(line: &str) -> Line {
    let line = line.replace("format=\"config\" ", "").replace("'\\''", "\u{1}");
    let mut parts = line.split('\'');
    let mut found = Line::new();
    while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
        let key = key.trim().trim_end_matches('=');
        let value = value.split(" (").next().unwrap().replace('\u{1}', "'");
        found.insert(key.to_owned(), if value == "*d+" { "all+".to_owned() } else { value });
    }
    let keys = [
        "source_url",
        "snapshot_path",
        "snapshot_name",
        "snapshot_preserve",
        "target_url",
        "target_type",
        "target_preserve",
    ];
    found.retain(|key, _| keys.contains(&key.as_str()));
    found
}

/// The same of what we read.
fn ours(text: &str) -> Option<Vec<Line>> {
    let mut lines = Vec::new();
    for configured in btrbk::read("btrbk.conf", text).ok()? {
        let Some(dir) = &configured.snapshot_dir else { continue };
        let line = |url: String, kind: &str, preserve: String| {
            let pairs = [
                ("source_url", configured.source.to_string()),
                ("snapshot_path", dir.clone()),
                ("snapshot_name", configured.snapshot_name.clone()),
                ("snapshot_preserve", configured.snapshot_preserve()),
                ("target_url", url),
                ("target_type", kind.to_owned()),
                ("target_preserve", preserve),
            ];
            let shown = pairs.map(|(key, value)| {
                // btrbk does not show the periods where everything is kept, nor that the latest is.
                let all = key.ends_with("_preserve") && value.starts_with("all+");
                let value = value.trim_start_matches("latest+").trim_start().to_owned();
                (key.to_owned(), if all { "all+".to_owned() } else { value })
            });
            Line::from(shown)
        };
        if configured.targets.is_empty() {
            lines.push(line(String::new(), "", String::new()));
        }
        lines.extend(configured.targets.iter().map(|target| {
            line(target.url.to_string(), if target.raw { "raw" } else { "send-receive" }, target.target_preserve())
        }));
    }
    Some(lines)
}

/// Values that a generated file chooses from.
fn setting() -> impl Strategy<Value = String> {
    let choices = [
        "snapshot_dir snaps",
        "snapshot_dir /all/snaps/",
        "snapshot_dir .",
        "snapshot_preserve_min 2d",
        "snapshot_preserve_min latest",
        "snapshot_preserve_min all",
        "snapshot_preserve 14d 3w *m",
        "snapshot_preserve 2y 48h",
        "snapshot_preserve no",
        "target_preserve_min no",
        "target_preserve_min 1w",
        "target_preserve_min latest",
        "TARGET_PRESERVE 20D 10w *m  # with a comment",
        "target_preserve no",
        "rate_limit no",
        "group a, b",
        "noauto no",
        "",
        "# nothing",
    ];
    proptest::sample::select(choices.map(str::to_owned).to_vec())
}

fn section() -> impl Strategy<Value = String> {
    let choices = [
        "volume /mnt/one",
        "volume /mnt/two//x/",
        "volume ssh://far.example:2222/pool",
        "volume \"/mnt/with blank\"",
        "subvolume @home",
        "subvolume a/b/",
        "subvolume .",
        "subvolume '@ x'",
        "subvolume @named\n  snapshot_name other",
        "target /disk/one",
        "target send-receive /disk/two/",
        "target raw /disk/one",
        "target ssh://far.example/copies",
        "target far.example:/copies",
    ];
    proptest::sample::select(choices.map(str::to_owned).to_vec())
}

#[test]
fn files_are_read_as_btrbk_reads_them() {
    let mut runner = TestRunner::new(Config { cases: 120, failure_persistence: None, ..Config::default() });
    let lines = (
        proptest::collection::vec(setting(), 0..5),
        proptest::collection::vec((section(), proptest::collection::vec(setting(), 0..3)), 1..9),
    );
    let told = std::cell::Cell::new(0);
    let checked = runner.run(&lines, |(global, sections)| {
        let mut text = global.join("\n") + "\nvolume /mnt/zero\n";
        for (section, settings) in sections {
            text.push_str(&format!("{section}\n  {}\n", settings.join("\n  ")));
        }
        let (theirs, ours) = (asked(&text), ours(&text));
        told.set(told.get() + theirs.as_ref().map_or(0, Vec::len));
        // What btrbk refuses because it stands in the wrong section is read all the same.
        if theirs.is_some() {
            prop_assert_eq!(theirs, ours, "{}", text);
        }
        Ok(())
    });
    checked.unwrap();
    assert!(told.get() > 50, "{} lines are too few to prove anything", told.get());
}

#[test]
fn files_of_the_manual_are_read_as_btrbk_reads_them() {
    // Unknown settings are refused by btrbk, stars are looked up on the disk, and what is `noauto` is not shown.
    let shown = COMPLEX.split("volume /home").next().unwrap();
    let complex = shown.replace("wrong_setting yes", "").replace("subvolume  vm/*", "subvolume vm");
    for text in [SIMPLE, &complex] {
        assert_eq!(asked(text), ours(text));
    }
    // Subvolumes by whole paths need a directory for their snapshots, or are passed over.
    for text in ["subvolume /a/b\n", "snapshot_dir x\nsubvolume /a/b\n", "snapshot_dir /x\nsubvolume /a/b\ntarget /t\n"]
    {
        assert_eq!(asked(text).unwrap_or_default(), ours(text).unwrap(), "{text}");
    }
    for text in ["volume x\n", "a-b c\n", "volume /a\nsubvolume ../b\n", "target odd /x\n"] {
        assert_eq!(asked(text), None, "{text}");
        assert_eq!(ours(text), None, "{text}");
    }
}

#[test]
fn what_becomes_of_it() {
    for (name, text) in [("simple", SIMPLE), ("complex", COMPLEX), ("raw", RAW)] {
        let imported = btrbk::import("btrbk.conf", text).unwrap();
        toml::from_str::<toml::Table>(&imported.config).unwrap();
        let remarks: String = imported.remarks.iter().map(|remark| format!("{remark}\n")).collect();
        compare(&format!("import/btrbk-{name}.toml"), &imported.config);
        compare(&format!("import/btrbk-{name}.txt"), &remarks);
    }
}

/// The settings that btrbk has, from btrbk.
#[test]
fn every_setting_of_btrbk_is_known() {
    let program = fs::read_to_string("/usr/bin/btrbk").unwrap();
    let table = program.split("my %config_options = (").nth(1).unwrap().split("\n );").next().unwrap();
    let is_key = |key: &&str| !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let keys: Vec<&str> =
        table.lines().filter_map(|l| l.strip_prefix("  ")?.split(' ').next()).filter(is_key).collect();
    assert!(keys.len() > 70, "{keys:?}");
    for key in keys {
        let imported = btrbk::import("f", &format!("{key} x\nvolume /a\n")).unwrap();
        assert_ne!(imported.remarks[0].fate, Fate::Unknown, "{key}");
    }
    let unknown = btrbk::import("f", "\nsnapshot_dirr x\n").unwrap();
    assert_eq!((unknown.remarks[0].fate, unknown.remarks[0].line), (Fate::Unknown, 2));
}

const SIMPLE: &str = "\
snapshot_preserve_min   2d
snapshot_preserve       14d
target_preserve_min     no
target_preserve         20d 10w *m
snapshot_dir /btrbk_snapshots
target       /mnt/btr_backup
subvolume    /
subvolume    /home
";

const COMPLEX: &str = "\
transaction_log            /var/log/btrbk.log
ssh_identity               /etc/btrbk/ssh/id_ed25519
ssh_user                   root
stream_buffer              256m
snapshot_dir               btrbk_snapshots
snapshot_preserve_min   2d
snapshot_preserve       48h 14d
preserve_hour_of_day    4
target_preserve_min     no
target_preserve         20d 10w *m
wrong_setting yes

volume /mnt/btr_pool
  target /mnt/btr_backup
  subvolume root
    snapshot_create onchange
  subvolume @home
    group daily important
  subvolume kvm
    target_preserve 7d 4w 2y

volume /mnt/btr_data
  subvolume  data
    snapshot_create ondemand
    rate_limit 10m
    target /mnt/btr_backup
    target ssh://backup.my-remote-host.com:2222/mnt/btr_backup
      ssh_user no
  subvolume  vm/*
    target /mnt/btr_backup
  subvolume kept
    snapshot_create no

volume ssh://my-remote-host.com/mnt/btr_pool
  subvolume data_0
    snapshot_name  data_main
    target /mnt/btr_backup/my-remote-host.com

volume /home
  noauto  yes
  target ssh://my-user-host.com/mnt/btr_backup/home
  subvolume  alice
  subvolume  bob
";

const RAW: &str = "\
raw_target_compress zstd
raw_target_compress_level 9
raw_target_split 5G
rate_limit 20m
snapshot_dir snaps
volume /mnt/demo
  subvolume @home
    target raw /mnt/raw
    target raw ssh://far.example/raw
  subvolume @
    target raw /mnt/sealed
      raw_target_encrypt gpg
      raw_target_compress no
      gpg_recipient me@example.org
";
