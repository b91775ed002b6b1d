//! Identity, listing and deletion, with `btrfs` as the oracle.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use subvault_host::HostErrorKind;
use subvault_host::mounts::Mounts;
use subvault_host::pool::Pool;
use subvault_host::subvolume::{Subvolume, SubvolumeInfo};
use subvault_model::ids::{ReceivedUuid, SnapshotUuid, SubvolumeId, TransactionId};

use crate::support::{btrfs, names_in, odd, pool, show, value};

fn dash(uuid: Option<impl ToString>) -> String {
    uuid.map_or("-".to_owned(), |uuid| uuid.to_string())
}

fn assert_shown(path: &Path, info: &SubvolumeInfo) {
    let shown = show(path);
    let is = |name: &str, ours: String| assert_eq!(value(&shown, name), ours, "{name} of {path:?}");
    is("UUID", dash(info.uuid));
    is("Parent UUID", dash(info.parent_uuid));
    is("Received UUID", dash(info.received_uuid));
    is("Subvolume ID", info.id.to_string());
    is("Generation", info.generation.to_string());
    is("Gen at creation", info.otransid.to_string());
    is("Send transid", info.stransid.to_string());
    is("Receive transid", info.rtransid.to_string());
    is("Flags", if info.read_only { "readonly" } else { "-" }.to_owned());
    if let Some(parent) = info.parent_id {
        is("Parent ID", parent.to_string());
    }
}

#[test]
fn info_is_what_btrfs_shows() {
    let pool = pool();
    let top = Subvolume::open(pool.path()).unwrap();
    assert_eq!(top.id(), SubvolumeId::TOP);
    let made = Subvolume::create(&pool.path(), odd(b"n\xff\xfe")).unwrap();
    made.set_received("0f3c1b9e-8a52-4c0d-9e8b-001122334455".parse().unwrap(), TransactionId(77)).unwrap();
    made.make_read_only().unwrap();
    made.sync_filesystem().unwrap();
    for subvolume in [&top, &made] {
        assert_shown(subvolume.path(), &subvolume.info().unwrap());
    }
    assert!(made.is_read_only().unwrap());
    assert_eq!(made.info().unwrap().name, odd(b"n\xff\xfe"));
    assert_eq!(made.info().unwrap().stransid, TransactionId(77));
    let age = jiff::Timestamp::now().duration_since(made.info().unwrap().created);
    assert!(age.as_secs() < 60, "{age:?}");
}

#[test]
fn what_is_no_subvolume_is_refused() {
    let pool = pool();
    let dir = pool.path().join("dir");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("file"), b"").unwrap();
    Subvolume::create(&dir, "sub".as_ref()).unwrap();
    std::os::unix::fs::symlink("sub", dir.join("link")).unwrap();
    let kind = |path: &Path| Subvolume::open(path).unwrap_err().kind();
    assert_eq!(kind(&dir), HostErrorKind::NotASubvolume);
    assert_eq!(kind(&dir.join("file")), HostErrorKind::NotASubvolume);
    assert_eq!(kind(&dir.join("none")), HostErrorKind::NotFound);
    assert_eq!(kind(Path::new("/proc")), HostErrorKind::NotBtrfs);
    let error = Subvolume::open_in(&dir, "link".as_ref()).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::NotASubvolume);
    Subvolume::open(dir.join("link")).unwrap();
    for name in ["", ".", "..", "a/b"] {
        assert_eq!(Subvolume::create(&dir, name.as_ref()).unwrap_err().kind(), HostErrorKind::Refused);
    }
    assert_eq!(Subvolume::create(&dir, "sub".as_ref()).unwrap_err().kind(), HostErrorKind::Exists);
    assert!(Subvolume::open(&dir).unwrap_err().to_string().contains("not a subvolume"));
}

/// `top/@a`, `@a/dir/nested`, `@a/dir/nested/deep` and a snapshot of `@a`, with names that are not UTF-8.
fn family(top: &Path) -> Vec<PathBuf> {
    let a = top.join(odd(b"@a\xff"));
    let nested = a.join(odd(b"d \xfe")).join(odd(b"nested\xfd"));
    let deep = nested.join("deep");
    Subvolume::create(top, a.file_name().unwrap()).unwrap();
    fs::create_dir(nested.parent().unwrap()).unwrap();
    Subvolume::create(nested.parent().unwrap(), nested.file_name().unwrap()).unwrap();
    Subvolume::create(&nested, "deep".as_ref()).unwrap();
    let snapshot = top.join("snap");
    btrfs(&["subvolume".as_ref(), "snapshot".as_ref(), "-r".as_ref(), a.as_os_str(), snapshot.as_os_str()]);
    vec![a, nested, deep, snapshot]
}

/// `btrfs subvolume list`, as id to path.
fn oracle_list(top: &Path) -> BTreeMap<u64, Vec<u8>> {
    let text = btrfs(&["subvolume".as_ref(), "list".as_ref(), "-a".as_ref(), top.as_os_str()]);
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut words = line.splitn(9, |byte| *byte == b' ');
            let id = words.nth(1).unwrap();
            let path = words.nth(6).unwrap();
            let path = path.strip_prefix(b"<FS_TREE>/".as_slice()).unwrap_or(path);
            (std::str::from_utf8(id).unwrap().parse().unwrap(), path.to_vec())
        })
        .collect()
}

#[test]
fn the_list_is_that_of_btrfs_however_the_pool_is_mounted() {
    let pool = pool();
    let paths = family(&pool.path());
    btrfs(&["filesystem".as_ref(), "sync".as_ref(), pool.path().as_os_str()]);
    let inner = pool.mount_again(&["subvol=snap"]).unwrap();
    let oracle = oracle_list(&pool.path());
    assert_eq!(oracle.len(), 4);
    for mount in [pool.path(), inner.clone()] {
        let listed = Pool::containing(&mount).unwrap().subvolumes().unwrap();
        assert_eq!(listed[0].info.id, SubvolumeId::TOP);
        assert_eq!(listed[0].path, Path::new(""));
        let ours: BTreeMap<_, _> =
            listed[1..].iter().map(|entry| (entry.info.id.0, entry.path.as_os_str().as_bytes().to_vec())).collect();
        assert_eq!(ours, oracle);
        for entry in &listed {
            let path = pool.path().join(&entry.path);
            assert_eq!(entry.info, Subvolume::open(&path).unwrap().info().unwrap());
            assert_shown(&path, &entry.info);
        }
    }
    let found = Pool::containing(&inner).unwrap();
    let a = Subvolume::open(&paths[0]).unwrap();
    let nested: Vec<_> = found.nested_in(a.id()).unwrap().into_iter().map(|e| e.path).collect();
    let below = |path: &PathBuf| path.strip_prefix(pool.path()).unwrap().to_owned();
    assert_eq!(nested, [below(&paths[1]), below(&paths[2])]);
    assert_eq!(a.children().unwrap().len(), 1);
    assert_eq!(found.nested_in(SubvolumeId::TOP).unwrap().len(), 4);
}

/// Deeper than the kernel can say at once, and than any path can be.
#[test]
fn a_subvolume_in_very_deep_directories_has_its_whole_path() {
    use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
    let pool = pool();
    let name = [b"\xff".as_slice(), &[b'd'; 250]].concat();
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut dir = openat(CWD, pool.path(), flags, Mode::empty()).unwrap();
    for _ in 0..20 {
        mkdirat(&dir, odd(&name), Mode::RWXU).unwrap();
        dir = openat(&dir, odd(&name), flags, Mode::empty()).unwrap();
    }
    let deep = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()));
    let made = Subvolume::create(&deep, "sub".as_ref()).unwrap();
    let listed = made.pool().unwrap().subvolumes().unwrap();
    let mut expected: PathBuf = std::iter::repeat_n(odd(&name), 20).collect();
    expected.push("sub");
    assert_eq!(listed[1].path, expected);
}

#[test]
fn subvolumes_are_found_by_uuid() {
    let pool = pool();
    let paths = family(&pool.path());
    let found = Pool::containing(pool.path()).unwrap();
    for path in &paths {
        let info = Subvolume::open(path).unwrap().info().unwrap();
        let by_uuid = found.find_by_uuid(info.identity().unwrap()).unwrap().unwrap();
        assert_eq!((by_uuid.id, by_uuid.uuid), (info.id, info.uuid));
    }
    let nobody: SnapshotUuid = "0f3c1b9e-8a52-4c0d-9e8b-001122334455".parse().unwrap();
    assert!(found.find_by_uuid(nobody).unwrap().is_none());
    let from = ReceivedUuid::from_bytes(*nobody.as_bytes()).unwrap();
    assert!(found.find_by_received_uuid(from).unwrap().is_empty());
    let mut copies = Vec::new();
    for name in ["one", "two"] {
        let copy = Subvolume::create(&pool.path(), name.as_ref()).unwrap();
        copy.set_received(from, TransactionId(9)).unwrap();
        copies.push(copy.id());
    }
    let ids: Vec<_> = found.find_by_received_uuid(from).unwrap().into_iter().map(|info| info.id).collect();
    assert_eq!(ids, copies);
}

#[test]
fn a_subvolume_is_reached_through_whichever_mount_shows_it() {
    let pool = pool();
    let paths = family(&pool.path());
    let ids: Vec<_> = paths.iter().map(|path| Subvolume::open(path).unwrap().id()).collect();
    let found = Pool::containing(pool.path()).unwrap();
    let at = |id, mounts: &Mounts| found.path_under_mount(id, mounts).unwrap();
    let mounts = Mounts::read().unwrap();
    for (path, id) in paths.iter().zip(&ids) {
        assert_eq!(at(*id, &mounts).as_ref(), Some(path));
    }
    assert_eq!(mounts.containing(&paths[1]).unwrap().point, pool.path());
    assert_eq!(at(SubvolumeId(4711), &mounts), None);
    assert_eq!(mounts.of_pool(&found, found.path()).unwrap().len(), 1);

    // Another pool on top of the first mount hides it; only what the second mount shows is left.
    let second = pool.mount_again(&[&format!("subvolid={}", ids[1])]).unwrap();
    let other = crate::support::pool();
    let cover = Cover::put(other.device(), &pool.path());
    let mounts = Mounts::read().unwrap();
    assert_eq!(at(ids[1], &mounts), Some(second.clone()));
    assert_eq!(at(ids[2], &mounts), Some(second.join("deep")));
    assert_eq!(at(ids[0], &mounts), None);
    drop(cover);
}

/// A mount on top of another.
struct Cover(PathBuf);

impl Cover {
    fn put(device: &Path, over: &Path) -> Self {
        let done = std::process::Command::new("mount").args([device, over]).status().unwrap();
        assert!(done.success());
        Self(over.to_owned())
    }
}

impl Drop for Cover {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::empty()).unwrap();
    }
}

#[test]
fn only_the_subvolume_that_is_meant_is_deleted() {
    let pool = pool();
    let top = pool.path();
    let paths = family(&top);
    let uuid = |path: &Path| Subvolume::open(path).unwrap().info().unwrap().identity().unwrap();
    let delete = |name: &OsStr, uuid| Subvolume::delete(&top, name, uuid);
    let (a, snap) = (paths[0].file_name().unwrap(), OsStr::new("snap"));

    let error = delete(snap, uuid(&paths[0])).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Refused);
    assert!(error.to_string().contains(&uuid(&paths[3]).to_string()), "{error}");
    assert_eq!(delete(a, uuid(&paths[0])).unwrap_err().kind(), HostErrorKind::NotEmpty);
    std::os::unix::fs::symlink("snap", top.join("link")).unwrap();
    let error = delete("link".as_ref(), uuid(&paths[3])).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::NotASubvolume);
    assert!(paths[3].exists());

    delete(snap, uuid(&paths[3])).unwrap();
    assert!(!paths[3].exists());
    assert_eq!(delete(snap, uuid(&top)).unwrap_err().kind(), HostErrorKind::NotFound);
    assert_eq!(names_in(&top), [a, "link".as_ref()]);
    let listed = Pool::containing(&top).unwrap().subvolumes().unwrap();
    assert_eq!(listed.len(), 4);
}

#[test]
fn a_mounted_subvolume_is_not_deleted() {
    let pool = pool();
    let made = Subvolume::create(&pool.path(), "home".as_ref()).unwrap();
    let uuid = made.info().unwrap().identity().unwrap();
    pool.mount_again(&["subvol=home"]).unwrap();
    let error = Subvolume::delete(&pool.path(), "home".as_ref(), uuid).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Busy);
    assert!(error.to_string().contains("mounted at"), "{error}");
}

#[test]
fn a_received_subvolume_is_never_made_writable() {
    let pool = pool();
    let plain = Subvolume::create(&pool.path(), "plain".as_ref()).unwrap();
    plain.make_read_only().unwrap();
    plain.make_writable().unwrap();
    assert!(!plain.is_read_only().unwrap());
    let copy = Subvolume::create(&pool.path(), "copy".as_ref()).unwrap();
    let from = ReceivedUuid::from_bytes([7; 16]).unwrap();
    copy.set_received(from, TransactionId(1)).unwrap();
    copy.make_read_only().unwrap();
    assert_eq!(copy.make_writable().unwrap_err().kind(), HostErrorKind::Refused);
    assert!(copy.is_read_only().unwrap());
    assert_eq!(copy.info().unwrap().received_uuid, Some(from));
    let again = copy.set_received(from, TransactionId(2)).unwrap_err();
    assert_eq!(again.kind(), HostErrorKind::ReadOnly);
}
