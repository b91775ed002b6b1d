//! A directory: what lies on the disk, before and after, and what its file systems may refuse.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use subvault_store::{Create, ObjectKind, ObjectStore, StoreErrorKind};
use tempfile::TempDir;

use super::backends::{bytes, key, kind, same};

const META: ObjectKind = ObjectKind::Metadata;
const BULK: ObjectKind = ObjectKind::Bulk;

fn new() -> (TempDir, ObjectStore) {
    let root = TempDir::new().unwrap();
    let store = ObjectStore::directory(root.path()).unwrap();
    (root, store)
}

fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn objects_are_plain_private_files() {
    let (root, store) = new();
    store.put(&key("a/b/c"), bytes(100, 1), &Create::IfAbsent, META).unwrap();
    let mode = |path: &str| fs::metadata(root.path().join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(fs::read(root.path().join("a/b/c")).unwrap(), bytes(100, 1));
    assert_eq!((mode("a"), mode("a/b"), mode("a/b/c"), mode(".subvault-tmp")), (0o700, 0o700, 0o600, 0o700));
    assert_eq!(files(root.path()), [root.path().join("a/b/c")], "no temporary file stays");
    store.delete(&key("a/b/c")).unwrap();
    assert!(!root.path().join("a").exists(), "directories that became empty go");
    assert_eq!(store.describe(), format!("directory {}", root.path().display()));
}

#[test]
fn reading_writes_nothing() {
    let (root, store) = new();
    fs::create_dir(root.path().join("x")).unwrap();
    fs::write(root.path().join("x/y"), "hello").unwrap();
    assert_eq!(store.get(&key("x/y"), 5).unwrap(), "hello");
    assert_eq!(store.list("").count(), 1);
    assert_eq!(store.uploads("").unwrap(), []);
    assert_eq!(store.sweep().unwrap(), 0);
    assert!(!root.path().join(".subvault-tmp").exists());
}

#[test]
fn what_is_not_ours_is_not_listed() {
    let (root, store) = new();
    store.put(&key("a"), bytes(1, 1), &Create::IfAbsent, META).unwrap();
    let upload = store.begin_upload(&key("u"), BULK, 10).unwrap();
    store.put_part(&upload, 0, 0, bytes(10, 1)).unwrap();
    fs::write(root.path().join("not a key"), "").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", root.path().join("link")).unwrap();
    fs::create_dir(root.path().join("empty")).unwrap();
    let listed: Vec<String> = store.list("").map(|info| info.unwrap().key.to_string()).collect();
    assert_eq!(listed, ["a"]);
    assert_eq!(store.list(".subvault-tmp").count(), 0);
}

#[test]
fn a_root_that_is_gone_is_said_and_never_made() {
    let (root, store) = new();
    let inner = root.path().join("disk");
    assert_eq!(kind(ObjectStore::directory(&inner)), StoreErrorKind::NoStore);
    let mounted = ObjectStore::create_directory(&inner).unwrap();
    let upload = mounted.begin_upload(&key("a/u"), BULK, 10).unwrap();
    fs::remove_dir_all(&inner).unwrap();
    let error = mounted.put(&key("a/b"), bytes(1, 1), &Create::IfAbsent, META).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NoStore);
    assert!(error.to_string().ends_with("disk: the store does not exist"), "{error}");
    assert_eq!(kind(mounted.put(&key("a"), bytes(1, 1), &Create::Overwrite, META)), StoreErrorKind::NoStore);
    assert_eq!(kind(mounted.get(&key("a/b"), 1)), StoreErrorKind::NoStore);
    assert_eq!(kind(mounted.head(&key("a/b"))), StoreErrorKind::NoStore);
    assert_eq!(kind(mounted.delete(&key("a/b"))), StoreErrorKind::NoStore);
    assert_eq!(kind(mounted.uploads("")), StoreErrorKind::NoStore);
    assert_eq!(kind(mounted.stored_parts(&upload)), StoreErrorKind::NoStore);
    assert_eq!(kind(mounted.list("a/").collect::<Result<Vec<_>, _>>()), StoreErrorKind::NoStore);
    assert!(!inner.exists());
    drop(store);
}

#[test]
fn a_file_is_no_root_and_names_do_not_clash() {
    let (root, store) = new();
    store.put(&key("a"), bytes(1, 1), &Create::IfAbsent, META).unwrap();
    assert_eq!(kind(ObjectStore::directory(&root.path().join("a"))), StoreErrorKind::BadSettings);
    for how in [Create::IfAbsent, Create::Overwrite] {
        assert_eq!(kind(store.put(&key("a/b"), bytes(1, 1), &how, META)), StoreErrorKind::Unsupported, "{how:?}");
    }
    store.put(&key("d/e"), bytes(1, 1), &Create::IfAbsent, META).unwrap();
    assert_eq!(kind(store.put(&key("d"), bytes(1, 1), &Create::Overwrite, META)), StoreErrorKind::Unsupported);
    assert!(
        files(&root.path().join(".subvault-tmp")).iter().all(|path| path.ends_with("lock")),
        "failed puts clean up"
    );
}

/// The state a kill leaves is put there by hand.
#[test]
fn leftovers_of_a_kill_are_swept_and_uploads_are_not() {
    let (root, store) = new();
    let upload = store.begin_upload(&key("u"), BULK, 10).unwrap();
    store.put_part(&upload, 0, 0, bytes(10, 1)).unwrap();
    let private = root.path().join(".subvault-tmp");
    fs::write(private.join("put-0123"), "half of an obj").unwrap();
    fs::write(private.join("upload-0123.data"), "whose description was lost").unwrap();
    fs::write(private.join("upload-4567.about"), "{\"cut").unwrap();
    fs::write(private.join("upload-4567.data"), "").unwrap();
    assert_eq!(store.list("").count(), 0);
    let alive = fs::File::create(private.join("put-89ab")).unwrap();
    alive.lock().unwrap();
    assert_eq!(store.sweep().unwrap(), 4, "and not what a living process is writing");
    assert_eq!(store.uploads("").unwrap().len(), 1);
    assert_eq!(files(&private).len(), 3);
    drop(alive);
    assert_eq!(store.sweep().unwrap(), 1);
    store.abort_upload(&upload).unwrap();
    assert_eq!(files(&private), [""; 0].map(PathBuf::from));
}

/// A description that names another upload's files must not make us delete them.
#[test]
fn a_forged_description_is_ignored() {
    let (root, store) = new();
    let upload = store.begin_upload(&key("u"), BULK, 10).unwrap();
    let about = fs::read_dir(root.path().join(".subvault-tmp")).unwrap().map(|entry| entry.unwrap().path());
    let about = about.filter(|path| path.extension().unwrap() == "about").collect::<Vec<_>>();
    let text = fs::read_to_string(&about[0]).unwrap().replace("upload-", "../upload-");
    fs::write(root.path().join(".subvault-tmp/upload-1.about"), text).unwrap();
    assert_eq!(store.uploads("").unwrap().into_iter().map(|pending| pending.upload).collect::<Vec<_>>(), [upload]);
}

/// A small file system of its own; unmounted when dropped.
struct Mounted(TempDir);

impl Mounted {
    fn new(size: &str) -> Self {
        let root = TempDir::new().unwrap();
        let options = std::ffi::CString::new(format!("size={size}")).unwrap();
        mount("tmpfs", root.path(), "tmpfs", MountFlags::empty(), options.as_c_str()).unwrap();
        Self(root)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = unmount(self.0.path(), UnmountFlags::DETACH);
    }
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing() {
    let disk = Mounted::new("256k");
    let store = ObjectStore::directory(disk.0.path()).unwrap();
    store.put(&key("small"), bytes(1000, 1), &Create::IfAbsent, META).unwrap();
    let error = store.put(&key("large"), bytes(1 << 20, 1), &Create::IfAbsent, META).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NoSpace);
    assert!(error.to_string().ends_with("the store is full") && error.hint().contains("space"), "{error}");
    assert_eq!(store.head(&key("large")).unwrap(), None);
    let upload = store.begin_upload(&key("up"), BULK, 1 << 20).unwrap();
    assert_eq!(kind(store.put_part(&upload, 0, 0, bytes(1 << 20, 1))), StoreErrorKind::NoSpace);
    store.abort_upload(&upload).unwrap();
    store.put(&key("again"), bytes(100_000, 1), &Create::IfAbsent, META).unwrap();
}

#[test]
fn a_read_only_disk_is_said_and_can_be_read() {
    let disk = Mounted::new("256k");
    let store = ObjectStore::directory(disk.0.path()).unwrap();
    store.put(&key("o"), bytes(1000, 1), &Create::IfAbsent, META).unwrap();
    mount_remount(disk.0.path(), MountFlags::RDONLY, c"").unwrap();
    let again = ObjectStore::directory(disk.0.path()).unwrap();
    same(&again.get(&key("o"), 1000).unwrap(), &bytes(1000, 1), "what is read");
    assert_eq!(kind(again.put(&key("p"), bytes(1, 1), &Create::IfAbsent, META)), StoreErrorKind::ReadOnly);
    assert_eq!(kind(again.put(&key("o"), bytes(1, 1), &Create::Overwrite, META)), StoreErrorKind::ReadOnly);
    assert_eq!(kind(again.delete(&key("o"))), StoreErrorKind::ReadOnly);
    assert_eq!(kind(again.begin_upload(&key("u"), BULK, 10)), StoreErrorKind::ReadOnly);
}

/// The one file system on which root may not make files.
#[test]
fn no_permission_is_said() {
    let store = ObjectStore::directory(Path::new("/sys")).unwrap();
    assert_eq!(kind(store.put(&key("p"), bytes(1, 1), &Create::IfAbsent, META)), StoreErrorKind::Permission);
}

/// Deleting takes empty directories away while another thread puts into them.
#[test]
fn puts_and_deletes_in_one_directory_get_along() {
    let (root, store) = new();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let store = store.clone();
            scope.spawn(move || {
                for round in 0..100 {
                    let name = key(&format!("deep/er/{worker}-{round}"));
                    store.put(&name, bytes(10, 1), &Create::IfAbsent, META).unwrap();
                    same(&store.get(&name, 10).unwrap(), &bytes(10, 1), "what is read");
                    store.delete(&name).unwrap();
                }
            });
        }
    });
    assert_eq!(files(root.path()), [root.path().join(".subvault-tmp/lock")]);
}

/// A file system without a rename that never replaces (NFS): the object is linked, and the run is killed right then.
#[test]
fn an_upload_that_was_linked_into_place_before_a_kill_is_completed() {
    let (root, store) = new();
    let upload = store.begin_upload(&key("a/o"), BULK, 10).unwrap();
    let tag = store.put_part(&upload, 0, 0, bytes(10, 1)).unwrap();
    let data = files(&root.path().join(".subvault-tmp"));
    let data = data.iter().find(|file| fs::metadata(file).unwrap().len() == 10).unwrap();
    fs::create_dir(root.path().join("a")).unwrap();
    fs::hard_link(data, root.path().join("a/o")).unwrap();
    store.complete_upload(&upload, &[(0, tag)], 10, &Create::IfAbsent).unwrap();
    assert_eq!(fs::read(root.path().join("a/o")).unwrap(), bytes(10, 1));
    assert_eq!(files(root.path()), [root.path().join("a/o")], "nothing else stays");
}

#[test]
fn what_is_no_plain_file_is_no_object() {
    let (root, store) = new();
    fs::write(root.path().join("real"), "hello").unwrap();
    std::os::unix::fs::symlink("real", root.path().join("link")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, root.path().join("pipe"), rustix::fs::Mode::RWXU).unwrap();
    fs::create_dir(root.path().join("dir")).unwrap();
    for name in ["link", "pipe", "dir"] {
        assert_eq!(kind(store.get(&key(name), 5)), StoreErrorKind::NotFound, "{name}");
        assert_eq!(store.head(&key(name)).unwrap(), None, "{name}");
    }
}
