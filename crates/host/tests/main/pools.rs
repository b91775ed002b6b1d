//! Identity and room of pools, with `btrfs` as the oracle.

use std::fs;

use subvault_host::HostErrorKind;
use subvault_host::pool::{Pool, Profile, Purpose};
use subvault_model::bytesize::ByteSize;
use subvault_testkit::pool::LoopPool;

use crate::support::{btrfs, noise};

#[test]
fn a_pool_says_what_it_is() {
    let uuid = "0f3c1b9e-8a52-4c0d-9e8b-00112233445a";
    let loop_pool = LoopPool::new(1 << 30, &["-L", "my label", "-U", uuid, "-m", "dup"], &[]).unwrap();
    let file = loop_pool.path().join("file");
    fs::write(&file, noise(20 << 20)).unwrap();
    for path in [loop_pool.path(), file] {
        let pool = Pool::containing(&path).unwrap();
        assert_eq!(pool.uuid(), uuid.parse().unwrap());
        assert_eq!(pool.label().unwrap(), "my label");
    }
    let pool = Pool::containing(loop_pool.path()).unwrap();
    let devices = pool.devices().unwrap();
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].path.as_deref(), Some(loop_pool.device()));
    assert_eq!(devices[0].size, ByteSize::gib(1));
    // Skinny metadata, and no holes.
    assert_eq!(pool.features().unwrap().incompat & 0x300, 0x300);
    assert_eq!(Pool::containing("/proc").unwrap_err().kind(), HostErrorKind::NotBtrfs);
}

#[test]
fn the_room_is_what_btrfs_says() {
    let loop_pool = LoopPool::new(1 << 30, &["-m", "dup"], &[]).unwrap();
    fs::write(loop_pool.path().join("file"), noise(100 << 20)).unwrap();
    let pool = Pool::containing(loop_pool.path()).unwrap();
    pool.sync().unwrap();
    let space = pool.space().unwrap();
    assert_eq!(space.size, ByteSize::gib(1));
    assert!(space.data_used >= ByteSize::mib(100) && space.data_used < ByteSize::mib(102));
    let metadata = space.parts.iter().find(|part| part.purpose == Purpose::Metadata).unwrap();
    assert_eq!(metadata.profile, Profile::Dup);
    let args = ["filesystem", "usage", "-b"].map(AsRef::as_ref);
    let text = btrfs(&[&args[..], &[loop_pool.path().as_os_str()]].concat());
    let text = String::from_utf8(text).unwrap();
    let line = |name: &str| -> u64 {
        let found = text.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap();
        found.split_whitespace().next().unwrap().parse().unwrap()
    };
    assert_eq!(space.unallocated.get(), line("Device unallocated:"));
    assert_eq!(space.data_free.get(), line("Free (estimated):"));
}

#[test]
fn no_room_is_told_as_such() {
    let loop_pool = LoopPool::new(120 << 20, &["--mixed"], &[]).unwrap();
    let pool = Pool::containing(loop_pool.path()).unwrap();
    let free = pool.space().unwrap().data_free;
    assert!(free > ByteSize::mib(40) && free < ByteSize::mib(120), "{free:?}");
    let error = fs::write(loop_pool.path().join("file"), noise(200 << 20)).unwrap_err();
    assert_eq!(subvault_host::HostError::new("write", "/x", error).kind(), HostErrorKind::NoSpace);
    pool.sync().unwrap();
    assert!(pool.space().unwrap().data_free < ByteSize::mib(20));
}
