//! Lines for fstab: golden files, what libmount and systemd read in them, and mounts of a real pool.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use subvault_model::facts::Facts;
use subvault_plan::strategy::Strategy;
use subvault_plan::strategy::assemble::strategy;
use subvault_plan::strategy::profile::Profile;
use subvault_plan::strategy::storage::mount_flags;
use subvault_render::fstab::render;
use subvault_testkit::pool::LoopPool;
use tempfile::TempDir;

use crate::golden::compare;
use crate::hosts::{self, pool, subvolume};
use crate::outside::{asked, joined, put};

#[test]
fn the_lines_are_as_they_were_read() {
    for (name, facts, strategy) in hosts::named() {
        compare(&format!("fstab/{name}.txt"), &joined(&render(&facts, &strategy)));
    }
}

#[test]
fn where_nothing_is_mounted_there_is_no_file() {
    let facts = Facts::default();
    assert_eq!(render(&facts, &strategy(&facts, &hosts::said(Profile::Server, "x"))), None);
}

/// Names that need care in one way or another.
const ODD: [(&str, &str); 5] = [
    ("@", ""),
    ("@my files", "srv/my files"),
    ("@back\\slash", "srv/back\\slash"),
    ("@tab\tline\nbreak", "srv/tab\tline\nbreak"),
    ("@grün#1", "srv/grün#1"),
];

fn odd(uuid: &str) -> (Facts, Strategy) {
    let subvolumes = ODD.iter().map(|(path, at)| subvolume(path.as_bytes(), at.as_bytes())).collect();
    let facts = Facts { pools: vec![pool(uuid, subvolumes)], ..Facts::default() };
    let strategy = strategy(&facts, &hosts::said(Profile::Server, "odd"));
    (facts, strategy)
}

/// What libmount reads: the mount points with their options.
fn read_by_libmount(file: &std::path::Path) -> BTreeMap<String, String> {
    let mut findmnt = Command::new("findmnt");
    let json = asked(findmnt.args(["--json", "-o", "TARGET,SOURCE,FSTYPE,OPTIONS", "--tab-file"]).arg(file));
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    let text = |entry: &serde_json::Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let lines = found["filesystems"].as_array().unwrap();
    assert!(lines.iter().all(|entry| text(entry, "fstype") == "btrfs" && text(entry, "source").starts_with("UUID=")));
    lines.iter().map(|entry| (text(entry, "target"), text(entry, "options"))).collect()
}

#[test]
fn libmount_reads_what_was_meant() {
    let mut hosts = hosts::every();
    hosts.push(odd(hosts::FIRST));
    for (facts, strategy) in hosts {
        let file = render(&facts, &strategy).unwrap();
        let root = TempDir::with_prefix("subvault-fstab-").unwrap();
        let found = read_by_libmount(&put(root.path(), &file));
        let mounted: usize = facts.pools.iter().map(|pool| pool.subvolumes.len()).sum();
        assert_eq!(found.len(), mounted);
        for one in &strategy.subvolumes {
            let options = &found[&format!("/{}", std::str::from_utf8(one.path.as_bytes()).unwrap())];
            let options: Vec<&str> = options.split(',').collect();
            assert!(mount_flags(one.workload.value).iter().all(|flag| options.contains(flag)), "{options:?}");
            // Ruling 1: nothing on a line claims for one subvolume what holds for all.
            assert!(!options.contains(&"nodatacow") && !options.contains(&"compress=no"), "{options:?}");
        }
        // Ruling 1: what holds for all is the same on all lines of a pool.
        for (pool, filesystem) in facts.pools.iter().zip(&strategy.filesystems) {
            for there in &pool.subvolumes {
                let at = std::str::from_utf8(there.seen_at.as_ref().unwrap().as_bytes()).unwrap();
                let shared: Vec<&str> = filesystem.options.iter().map(|option| option.value.as_str()).collect();
                assert!(found[at].starts_with(&shared.join(",")), "{found:?}");
            }
        }
    }
}

/// The other reader of the file.
#[test]
fn systemd_makes_mount_units_of_it() {
    let (facts, strategy) = odd(hosts::FIRST);
    let root = TempDir::with_prefix("subvault-fstab-").unwrap();
    let file = put(root.path(), &render(&facts, &strategy).unwrap());
    let [first, second, third] = ["1", "2", "3"].map(|name| root.path().join(name));
    for directory in [&first, &second, &third] {
        fs::create_dir(directory).unwrap();
    }
    let mut generator = Command::new("/usr/lib/systemd/system-generators/systemd-fstab-generator");
    asked(generator.env("SYSTEMD_FSTAB", &file).args([&first, &second, &third]));
    let units = fs::read_dir(&first).unwrap().map(|entry| entry.unwrap().path());
    let texts: Vec<String> =
        units.filter(|p| p.extension().is_some_and(|e| e == "mount")).map(|p| fs::read_to_string(p).unwrap()).collect();
    assert_eq!(texts.len(), ODD.len());
    for wanted in ["Where=/\n", "Where=/srv/my files\n", "Where=/srv/grün#1\n", "subvol=/@my files\n"] {
        assert!(texts.iter().any(|text| text.contains(wanted)), "{wanted}: {texts:#?}");
    }
}

#[test]
fn each_line_mounts_and_shows_its_options() {
    let uuid = format!("5f0c5d63-7a7e-4f4b-9d0e-{:012x}", std::process::id());
    let pool = LoopPool::new(256 << 20, &["-U", &uuid], &[]).unwrap();
    for (path, _) in ODD {
        asked(Command::new("btrfs").args(["-q", "subvolume", "create"]).arg(pool.path().join(path)));
    }
    let (facts, strategy) = odd(&uuid);
    let root = TempDir::with_prefix("subvault-fstab-").unwrap();
    let file = put(root.path(), &render(&facts, &strategy).unwrap());
    // The other mount of the pool would decide about the options.
    let device = pool.device().to_owned();
    asked(Command::new("umount").arg(pool.path()));
    let target = Mounted(root.path().join("root"));
    fs::create_dir(&target.0).unwrap();
    for (_, at) in ODD {
        let point = target.0.join(at);
        fs::create_dir_all(&point).unwrap();
        let mut mount = Command::new("mount");
        mount.arg("--fstab").arg(&file).arg("--target-prefix").arg(&target.0);
        asked(mount.arg(format!("/{at}")));
        let mut findmnt = Command::new("findmnt");
        let json = asked(findmnt.args(["--json", "-o", "SOURCE,OPTIONS,FSROOT", "--mountpoint"]).arg(&point));
        let found: serde_json::Value = serde_json::from_str(&json).unwrap();
        let shown = &found["filesystems"][0];
        let (source, options) = (shown["source"].as_str().unwrap(), shown["options"].as_str().unwrap());
        assert!(source.starts_with(device.to_str().unwrap()), "{shown}");
        for option in ["noatime", "compress=zstd:3", "discard=async", "space_cache=v2"] {
            assert!(options.split(',').any(|has| has == option), "{at}: {option}: {options}");
        }
    }
    let root_of = |at: &str| fs::metadata(target.0.join(at)).unwrap();
    use std::os::unix::fs::MetadataExt;
    // The top of each subvolume has the number 256, and each is a device of its own.
    assert!(ODD.iter().all(|(_, at)| root_of(at).ino() == 256));
}

/// Unmounts what is below a directory.
struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--recursive").arg(&self.0).status();
    }
}
