//! `btrbk.conf` out of a strategy: golden files, btrbk itself, and our own importer.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use subvault_model::facts::Facts;
use subvault_model::names::TargetName;
use subvault_plan::strategy::assemble::strategy;
use subvault_plan::strategy::profile::Profile;
use subvault_plan::strategy::snapshots::retention_of_copies;
use subvault_render::btrbk::{Copies, Place, render};
use subvault_render::import::btrbk::{import, read};
use subvault_testkit::pool::LoopPool;

use crate::golden::compare;
use crate::hosts::{self, pool, subvolume};
use crate::outside::{asked, joined, put};

fn copies(place: Place) -> Copies {
    Copies { place, keep: retention_of_copies() }
}

fn places() -> BTreeMap<TargetName, Copies> {
    let nas = Place::Host {
        host: "backup@nas.example".to_owned(),
        port: Some(2222),
        identity: Some("/etc/subvault/nas_ed25519".into()),
        directory: "/srv/copies".into(),
    };
    BTreeMap::from([
        ("usb".parse().unwrap(), copies(Place::Directory("/mnt/usb disk".into()))),
        ("nas".parse().unwrap(), copies(nas)),
    ])
}

#[test]
fn the_file_is_as_it_was_read() {
    for (name, facts, strategy) in hosts::named() {
        compare(&format!("btrbk/{name}.txt"), &joined(&render(&facts, &strategy, &places())));
    }
}

#[test]
fn what_btrbk_cannot_do_is_told() {
    let (_, facts, strategy) = hosts::named().remove(0);
    let away = BTreeMap::from([("usb".parse().unwrap(), copies(Place::Disk))]);
    let text = render(&facts, &strategy, &away).unwrap().text;
    for told in [
        "# Not here: the target b2: it is a bucket",
        "# Not here: the target usb: it is mounted only while",
        "# Not here: the target nas: nobody said where it is",
        "# Not here: the target vault: it is an archive of streams",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(!text.contains("send-receive"));
}

/// Subvolumes with what btrbk itself says that it keeps of them and sends where.
#[test]
fn btrbk_reads_what_was_meant() {
    for (facts, strategy) in hosts::every() {
        let file = render(&facts, &strategy, &places()).unwrap();
        let dir = tempfile::TempDir::with_prefix("subvault-btrbk-").unwrap();
        let path = put(dir.path(), &file);
        let listed = asked(Command::new("btrbk").arg("-c").arg(&path).args(["list", "config", "--format=raw"]));
        let ours = read("btrbk.conf", &file.text).unwrap();
        assert_eq!(listed.lines().count(), ours.iter().map(|one| one.targets.len().max(1)).sum::<usize>());
        for one in ours {
            let theirs = listed.lines().find(|line| line.contains(&format!("source_url='{}'", one.source))).unwrap();
            let snapshots = one.snapshot_preserve().replace("latest+ ", "");
            assert!(theirs.contains(&format!("snapshot_name='{}'", one.snapshot_name)), "{theirs}");
            assert!(theirs.contains(&format!("snapshot_preserve='{snapshots}")), "{snapshots}: {theirs}");
            assert!(theirs.contains("/.btrbk_snapshots'"), "{theirs}");
        }
    }
}

/// There and back: the same periods; and of ages an hour more, since btrbk counts whole hours.
#[test]
fn the_importer_reads_the_same_retention() {
    let mut met = 0;
    for (facts, strategy) in hosts::every() {
        let file = render(&facts, &strategy, &places()).unwrap();
        let imported: toml::Table = import("btrbk.conf", &file.text).unwrap().config.parse().unwrap();
        let tables = |key: &str| imported.get(key).and_then(toml::Value::as_array).cloned().unwrap_or_default();
        let periods = |keep: &toml::Value| {
            ["hourly", "daily", "weekly", "monthly", "quarterly", "yearly"]
                .map(|period| u32::try_from(keep[period].as_integer().unwrap()).unwrap())
        };
        for there in tables("subvolume") {
            let name = there["name"].as_str().unwrap();
            let one = strategy.subvolumes.iter().find(|one| one.name.as_str() == name).unwrap();
            let keep = &one.keep.as_ref().unwrap().value;
            assert_eq!(periods(&there["keep"]), keep.periods, "{name}");
            let within = keep.within.map_or("0 days".to_owned(), |within| format!("{} hours", within.as_hours() + 1));
            assert_eq!(there["keep"]["within"].as_str().unwrap(), within, "{name}");
            met += 1;
        }
        for there in tables("target") {
            assert_eq!(periods(&there["btrfs"]["keep"]), retention_of_copies().periods);
        }
    }
    assert!(met > 60, "{met} are too few to prove anything");
}

/// btrbk takes the snapshots and sends them to a disk.
#[test]
fn btrbk_works_with_it() {
    let [source, disk] = [0, 1].map(|_| LoopPool::new(256 << 20, &[], &[]).unwrap());
    let at = |path: &str| source.path().join(path);
    let seen_at = |path: &str| at(path).to_str().unwrap().trim_start_matches('/').as_bytes().to_vec();
    for path in ["home", "my files"] {
        asked(Command::new("btrfs").args(["-q", "subvolume", "create"]).arg(at(path)));
        fs::create_dir(at(path).join(".btrbk_snapshots")).unwrap();
        fs::write(at(path).join("file"), path).unwrap();
    }
    fs::create_dir(disk.path().join("btrbk")).unwrap();
    let there = ["home", "my files"].map(|path| subvolume(path.as_bytes(), &seen_at(path))).to_vec();
    let facts = Facts { pools: vec![pool(hosts::FIRST, there)], ..Facts::default() };
    let strategy = strategy(&facts, &hosts::said(Profile::SingleNvmeLaptop, "x"));
    let usb = BTreeMap::from([("usb".parse().unwrap(), copies(Place::Directory(disk.path())))]);
    let dir = tempfile::TempDir::with_prefix("subvault-btrbk-").unwrap();
    let path = put(dir.path(), &render(&facts, &strategy, &usb).unwrap());
    let there = |dir: &std::path::Path| fs::read_dir(dir).unwrap().count();
    let btrbk = |arguments: &[&str]| asked(Command::new("btrbk").arg("-q").arg("-c").arg(&path).args(arguments));
    btrbk(&["-n", "run"]);
    assert_eq!(there(&disk.path().join("btrbk")), 0, "a dry run changes nothing");
    btrbk(&["run"]);
    assert_eq!(there(&disk.path().join("btrbk")), 2);
    for subvolume in ["home", "my files"] {
        assert_eq!(there(&at(subvolume).join(".btrbk_snapshots")), 1, "{subvolume}");
    }
}
