//! What is found out about real pools, and about the machine that the tests run on.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::fs::IFlags;
use subvault_host::clock;
use subvault_host::facts::{self, Found, NotKnown};
use subvault_host::pool::Pool;
use subvault_host::snapshot::take;
use subvault_host::subvolume::Subvolume;
use subvault_host::tree_diff::{holds_only_directories, written_since};
use subvault_model::facts::{InodeCompression, PoolFacts, SubvolumeFacts, Use};
use subvault_model::file_path::FilePath;
use subvault_model::ids::{PoolUuid, SubvolumeId};

use crate::support::{btrfs, noise, pool};

fn create(at: &Path) {
    btrfs(&["subvolume".as_ref(), "create".as_ref(), at.as_os_str()]);
}

fn facts_of(uuid: PoolUuid) -> (PoolFacts, Found) {
    let found = facts::look(clock::now());
    let own = found.facts.pools.iter().find(|facts| facts.uuid == uuid).unwrap().clone();
    (own, found)
}

fn subvolume<'a>(facts: &'a PoolFacts, path: &str) -> &'a SubvolumeFacts {
    let found = facts.subvolumes.iter().find(|subvolume| subvolume.path == FilePath::new(path));
    found.unwrap_or_else(|| panic!("no {path} in {facts:?}"))
}

/// What `btrfs subvolume find-new` says was written in this transaction or later, without reserved room.
fn found_new(path: &Path, since: u64) -> u64 {
    let text = btrfs(&["subvolume".as_ref(), "find-new".as_ref(), path.as_os_str(), since.to_string().as_ref()]);
    let text = String::from_utf8(text).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("inode ") && !line.contains("PREALLOC"));
    // `inode 257 file offset 0 len 1048576 disk start 13631488 offset 0 gen 8 flags NONE name`
    let field = |line: &str, name: &str| {
        let mut words = line.split(' ').skip_while(|word| *word != name);
        words.nth(1).unwrap().parse::<u64>().unwrap()
    };
    lines.map(|line| field(line, "len")).sum()
}

#[test]
fn what_was_written_is_what_find_new_finds() {
    let loop_pool = pool();
    let (top, live) = (loop_pool.path(), loop_pool.path().join("live"));
    create(&live);
    for (name, len) in [("old", 9 << 20), ("changed", 3 << 20), ("small", 100)] {
        fs::write(live.join(name), noise(len)).unwrap();
    }
    let subvolume = Subvolume::open(&live).unwrap();
    let (first, info) = take(&subvolume, &top, "first".as_ref()).unwrap();
    let since = info.otransid;
    fs::write(live.join("new"), noise(5 << 20)).unwrap();
    fs::write(live.join("small"), noise(200)).unwrap();
    let file = fs::OpenOptions::new().write(true).open(live.join("changed")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &noise(1 << 20), 1 << 20).unwrap();
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 8 << 20, 4 << 20).unwrap();
    file.set_len(40 << 20).unwrap();
    // Neither writes data: a name, and a second place for what is there.
    fs::rename(live.join("old"), live.join("renamed")).unwrap();
    let (from, to) = (fs::File::open(live.join("renamed")).unwrap(), fs::File::create(live.join("shared")).unwrap());
    rustix::fs::ioctl_ficlone(&to, &from).unwrap();
    let (second, _) = take(&subvolume, &top, "second".as_ref()).unwrap();
    let pool = Pool::containing(&top).unwrap();
    let written = written_since(&pool, second.id(), since, || true).unwrap().unwrap();
    let oracle = found_new(&top.join("second"), since.0 + 1);
    // What is inline counts with its block here.
    assert!(written.get().abs_diff(oracle) <= 4096, "{}, {oracle} by find-new", written.get());
    assert!(written.get().abs_diff(6 << 20) < 64 << 10, "{written:?}");
    assert_eq!(written_since(&pool, second.id(), since, || false).unwrap(), None);
    assert_eq!(written_since(&pool, first.id(), since, || true).unwrap().map(|size| size.get()), Some(0));
}

#[test]
fn places_for_others_are_told_from_what_holds_files() {
    let loop_pool = pool();
    let top = loop_pool.path();
    let is_place = || {
        let pool = Pool::containing(&top).unwrap();
        pool.sync().unwrap();
        holds_only_directories(&pool, SubvolumeId::TOP).unwrap()
    };
    fs::create_dir_all(top.join("snapshots/old")).unwrap();
    create(&top.join("snapshots/old/home"));
    fs::write(top.join("snapshots/old/home/file"), "x").unwrap();
    assert!(is_place());
    std::os::unix::fs::symlink("nowhere", top.join("link")).unwrap();
    assert!(!is_place());
    fs::remove_file(top.join("link")).unwrap();
    assert!(is_place());
    (0..100).for_each(|number| fs::create_dir(top.join(format!("d{number}"))).unwrap());
    assert!(!is_place());
}

#[test]
fn a_pool_tells_what_lies_on_it_also_where_nothing_is_mounted() {
    let loop_pool = pool();
    let top = loop_pool.path();
    for path in ["@", "@/nested", "pg", "place", "place/inner"] {
        create(&top.join(path));
    }
    fs::write(top.join("@/file"), "x").unwrap();
    fs::create_dir_all(top.join("pg/17/main")).unwrap();
    fs::write(top.join("pg/17/main/PG_VERSION"), "17\n").unwrap();
    let directory = fs::File::open(top.join("pg")).unwrap();
    rustix::fs::ioctl_setflags(&directory, IFlags::NOCOW).unwrap();
    let disks = top.join("place/inner");
    fs::write(disks.join("disk.qcow2"), "").unwrap();
    rustix::fs::setxattr(&disks, "btrfs.compression", b"zstd", rustix::fs::XattrFlags::empty()).unwrap();
    let source = Subvolume::open(top.join("@")).unwrap();
    take(&source, &top, "shot".as_ref()).unwrap();
    btrfs(&["subvolume".as_ref(), "snapshot".as_ref(), top.join("@").as_os_str(), top.join("copy").as_os_str()]);

    let uuid = Pool::containing(&top).unwrap().uuid();
    let (facts, _) = facts_of(uuid);
    let paths: Vec<_> = facts.subvolumes.iter().map(|subvolume| subvolume.path.to_string()).collect();
    assert_eq!(paths, ["@", "@/nested", "pg", "place", "place/inner", "copy"]);
    assert_eq!(facts.snapshots, 1);
    assert!(facts.size.get() == 512 << 20 && facts.free < facts.size && facts.used < facts.free, "{facts:?}");
    assert_eq!((facts.data_profile.as_str(), facts.metadata_profile.as_str()), ("single", "dup"));
    let device = loop_pool.device().file_name().unwrap().to_str().unwrap();
    assert_eq!(facts.disks, [device]);
    assert!(facts.mount_options.contains(&"commit=1".to_owned()), "{facts:?}");

    let nested = |path: &str| subvolume(&facts, path).is_nested;
    assert_eq!(["@", "@/nested", "place/inner"].map(nested), [false, true, false]);
    let pg = subvolume(&facts, "pg");
    assert!(pg.is_nodatacow && !pg.is_mounted && pg.uses == [Use::PostgreSql], "{pg:?}");
    let inner = subvolume(&facts, "place/inner");
    assert_eq!((inner.compression, inner.uses.as_slice()), (Some(InodeCompression::Zstd), &[Use::VirtualMachines][..]));
    let seen_at = top.join("place/inner");
    assert_eq!(inner.seen_at.as_ref().map(|path| path.as_path()), Some(seen_at.as_path()));

    // The same when only one of them is mounted: the others are found, and looked at, all the same.
    let point = loop_pool.mount_again(&["subvol=@"]).unwrap();
    drop((directory, source));
    rustix::mount::unmount(&top, rustix::mount::UnmountFlags::empty()).unwrap();
    let (facts, found) = facts_of(uuid);
    let root = subvolume(&facts, "@");
    assert!(root.is_mounted && root.seen_at.as_ref().map(|path| path.as_path()) == Some(point.as_path()), "{root:?}");
    assert!(subvolume(&facts, "@/nested").seen_at.is_some());
    let pg = subvolume(&facts, "pg");
    assert!(pg.seen_at.is_none() && pg.is_nodatacow && pg.uses == [Use::PostgreSql], "{pg:?}");
    // Pools of other tests come and go meanwhile, and are told of while they go.
    let own = point.to_str().unwrap();
    let not_known: Vec<_> = found.not_known.iter().filter(|unknown| unknown.what.contains(own)).collect();
    assert_eq!(not_known, Vec::<&NotKnown>::new());
}

/// Whatever this machine is: what `lsblk` says of its disks is what was found.
#[test]
fn disks_are_those_that_lsblk_lists() {
    let output =
        Command::new("lsblk").args(["--json", "--bytes", "--nodeps", "-o", "NAME,SIZE,ROTA"]).output().unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let listed = listed["blockdevices"].as_array().unwrap();
    let found = facts::hardware(Path::new("/"));
    assert!(!found.disks.is_empty());
    for disk in &found.disks {
        let told = listed.iter().find(|device| device["name"] == disk.name.as_str()).unwrap();
        assert_eq!(told["size"].as_u64(), Some(disk.size.get()), "{told}");
        assert!(disk.is_rotational.is_none() || told["rota"].as_bool() == disk.is_rotational, "{told}");
    }
}
