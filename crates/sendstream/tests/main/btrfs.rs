//! A Btrfs on a loop device, with a tree of everything that a tree can hold.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, Permissions},
    io::Write,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileExt, PermissionsExt, lchown, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A mounted Btrfs of 1 GiB; unmounted and detached when dropped.
pub(crate) struct Volume {
    directory: tempfile::TempDir,
    device: Option<OsString>,
    mounted: bool,
}

impl Drop for Volume {
    fn drop(&mut self) {
        if self.mounted {
            let _ = Command::new("umount").arg(self.top()).status();
        }
        if let Some(device) = &self.device {
            let _ = Command::new("losetup").arg("-d").arg(device).status();
        }
    }
}

/// Runs a program that must succeed; its output.
pub(crate) fn run(program: &str, args: &[&dyn AsRef<OsStr>]) -> Vec<u8> {
    let output: Output = Command::new(program)
        .args(args.iter().map(AsRef::as_ref))
        .env("LC_ALL", "C")
        .env("TZ", "UTC0")
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

impl Volume {
    pub(crate) fn new() -> Self {
        let mut volume = Self { directory: tempfile::tempdir().unwrap(), device: None, mounted: false };
        let image = volume.directory.path().join("image");
        File::create(&image).unwrap().set_len(1 << 30).unwrap();
        fs::create_dir(volume.top()).unwrap();
        let device = run("losetup", &[&"-f", &"--show", &image]);
        let device = OsStr::from_bytes(device.trim_ascii_end()).to_owned();
        volume.device = Some(device.clone());
        run("mkfs.btrfs", &[&"-q", &device]);
        run("mount", &[&"-o", &"commit=1,compress=zstd", &device, &volume.top()]);
        volume.mounted = true;
        volume
    }

    pub(crate) fn top(&self) -> PathBuf {
        self.directory.path().join("top")
    }

    pub(crate) fn subvolume(&self, name: &str) -> PathBuf {
        let path = self.top().join(name);
        run("btrfs", &[&"subvolume", &"create", &path]);
        path
    }

    pub(crate) fn snapshot(&self, of: &Path, name: &str) -> PathBuf {
        let path = self.top().join(name);
        run("btrfs", &[&"subvolume", &"snapshot", &"-r", &of, &path]);
        path
    }

    /// The stream that `btrfs send` writes.
    pub(crate) fn send(&self, snapshot: &Path, args: &[&dyn AsRef<OsStr>]) -> Vec<u8> {
        let file = self.directory.path().join("stream");
        let mut all: Vec<&dyn AsRef<OsStr>> = vec![&"send", &"-q", &"-f", &file];
        all.extend(args);
        all.push(&snapshot);
        run("btrfs", &all);
        fs::read(file).unwrap()
    }

    /// What `btrfs receive --dump` prints.
    pub(crate) fn dump(&self, stream: &[u8]) -> Vec<u8> {
        let file = self.directory.path().join("dumped");
        fs::write(&file, stream).unwrap();
        run("btrfs", &[&"receive", &"--dump", &"-f", &file])
    }
}

fn raw(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

/// Bytes that do not compress.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect()
}

fn write(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap();
}

fn write_at(path: &Path, offset: u64, content: &[u8]) {
    let file = File::options().write(true).open(path).unwrap();
    file.write_all_at(content, offset).unwrap();
    file.sync_all().unwrap();
}

fn set_len(path: &Path, len: u64) {
    File::options().write(true).open(path).unwrap().set_len(len).unwrap();
}

/// Files, links and special files; with `raw_names` also such whose names are not UTF-8.
pub(crate) fn nasty_tree(top: &Path, raw_names: bool) {
    let deep = top.join("deep/er/and/deeper");
    fs::create_dir_all(&deep).unwrap();
    write(&deep.join("file"), b"inline");
    for name in [&b"new\nline"[..], b"back\\slash \t%s", b" ", b"-rf", &[b'n'; 255]] {
        write(&top.join(raw(name)), name);
    }
    if raw_names {
        fs::create_dir(top.join(raw(b"dir\xff\x01"))).unwrap();
        write(&top.join(raw(b"dir\xff\x01/\xc3\x28\x7f")), &noise(9000, 2));
        symlink(raw(b"nowhere\xfe\n"), top.join(raw(b"link\x80"))).unwrap();
    }
    fs::create_dir(top.join("links")).unwrap();
    fs::create_dir_all(top.join("going/gone")).unwrap();
    write(&top.join("going/gone/file"), b"gone too");
    write(&top.join("linked"), &noise(50_000, 3));
    for name in ["links/one", "links/two", "deep/three"] {
        fs::hard_link(top.join("linked"), top.join(name)).unwrap();
    }
    symlink("deep/er", top.join("symlink")).unwrap();
    special_files(top);
    attributes(top);
    contents(top);
    for number in 0..40 {
        write(&top.join(format!("deep/er/{number}")), format!("content {number}").as_bytes());
    }
}

fn special_files(top: &Path) {
    run("mkfifo", &[&top.join("fifo")]);
    run("mknod", &[&top.join("char"), &"c", &"1", &"3"]);
    run("mknod", &[&top.join("block"), &"b", &"259", &"70000"]);
    // A socket's address is short, so it is made at the top of a shorter path.
    let short = tempfile::tempdir_in("/tmp").unwrap();
    symlink(top, short.path().join("t")).unwrap();
    drop(UnixListener::bind(short.path().join("t/socket")).unwrap());
}

fn attributes(top: &Path) {
    write(&top.join("owned"), b"x");
    lchown(top.join("owned"), Some(1234), Some(u32::MAX - 1)).unwrap();
    lchown(top.join("symlink"), Some(5), Some(6)).unwrap();
    fs::set_permissions(top.join("owned"), Permissions::from_mode(0o6751)).unwrap();
    fs::set_permissions(top.join("links"), Permissions::from_mode(0o1777)).unwrap();
    for (name, value) in
        [("user.text", "plain"), ("user.raw", "0x4100ff0a5c"), ("user.empty", ""), ("trusted.t", "0x01")]
    {
        run("setfattr", &[&"-n", &name, &"-v", &value, &top.join("owned")]);
    }
    run("setfattr", &[&"-n", &"user.top", &"-v", &"on the top directory", &top]);
    run("setfacl", &[&"-m", &"u:1000:rwx,g:50:r", &top.join("owned")]);
    run("setfacl", &[&"-d", &"-m", &"u:1001:rx", &top.join("links")]);
    write(&top.join("capable"), b"#!");
    run("setcap", &[&"cap_net_raw+ep", &top.join("capable")]);
    run("touch", &[&"-d", &"1912-03-04 05:06:07.123456789", &top.join("deep/er")]);
    run("touch", &[&"-d", &"2200-01-01 00:00:00.999999999", &top.join("symlink"), &"-h"]);
}

fn contents(top: &Path) {
    write(&top.join("empty"), b"");
    write(&top.join("noise"), &noise(700_001, 4));
    write(&top.join("zeros"), &[0; 300_000]);
    write(&top.join("text"), &b"compresses well, ".repeat(40_000));
    let sparse = top.join("sparse");
    write(&sparse, &noise(5000, 5));
    write_at(&sparse, 10 << 20, &noise(70_000, 6));
    set_len(&sparse, 30 << 20);
    run("sync", &[&"-f", &top]);
    run("cp", &[&"--reflink=always", &top.join("noise"), &top.join("clone")]);
    write_at(&top.join("clone"), 100_000, b"a difference in the middle");
    run("cp", &[&"--reflink=always", &top.join("text"), &top.join("text clone")]);
    let allocated = top.join("allocated");
    write(&allocated, b"begin");
    run("fallocate", &[&"-l", &"2M", &allocated]);
    run("fallocate", &[&"-n", &"-o", &"4M", &"-l", &"1M", &allocated]);
    write(&top.join("nocow"), b"");
    run("chattr", &[&"+C", &top.join("nocow")]);
    write(&top.join("nocow"), &noise(100_000, 7));
}

/// Changes of every kind to a [`nasty_tree`].
pub(crate) fn change_tree(top: &Path, raw_names: bool) {
    let rename = |from: &str, to: &str| fs::rename(top.join(from), top.join(to)).unwrap();
    // Names are exchanged, a parent becomes the child of its child, and what moved also changes.
    rename("noise", "exchange");
    rename("text", "noise");
    rename("exchange", "text");
    rename("deep/er/and", "and");
    rename("deep", "and/deep");
    rename("and/deep/er/0", "and/deep/er/renamed");
    write(&top.join("and/deep/er/renamed"), b"and written");
    rename("and/deep/er/1", "and/deep/er/2");
    for number in 3..20 {
        fs::remove_file(top.join(format!("and/deep/er/{number}"))).unwrap();
    }
    // A file becomes a directory of the same name, and another a symlink.
    fs::remove_file(top.join("-rf")).unwrap();
    fs::create_dir(top.join("-rf")).unwrap();
    write(&top.join("-rf/inside"), &noise(3000, 8));
    fs::remove_file(top.join(" ")).unwrap();
    symlink("-rf", top.join(" ")).unwrap();
    // Of four links one goes, one comes, and the content changes.
    fs::remove_file(top.join("linked")).unwrap();
    fs::hard_link(top.join("links/two"), top.join("-rf/five")).unwrap();
    write_at(&top.join("links/one"), 20_000, b"through one of the links");
    if raw_names {
        fs::rename(top.join(raw(b"dir\xff\x01")), top.join(raw(b"\xf0"))).unwrap();
        write_at(&top.join(raw(b"\xf0/\xc3\x28\x7f")), 8999, b"over the end");
        fs::remove_file(top.join(raw(b"link\x80"))).unwrap();
    }
    fs::remove_dir_all(top.join("going")).unwrap();
    set_len(&top.join("sparse"), 20 << 20);
    write_at(&top.join("sparse"), 15 << 20, &noise(12_345, 9));
    set_len(&top.join("zeros"), 1000);
    set_len(&top.join("empty"), 100_000);
    run("fallocate", &[&"-p", &"-o", &"40960", &"-l", &"81920", &top.join("clone")]);
    File::options().append(true).open(top.join("text")).unwrap().write_all(b"appended").unwrap();
    run("cp", &[&"--reflink=always", &top.join("sparse"), &top.join("sparse clone")]);
    run("setfattr", &[&"-x", &"user.text", &top.join("owned")]);
    run("setfacl", &[&"-b", &top.join("owned")]);
    lchown(top.join("capable"), Some(7), Some(7)).unwrap();
    fs::set_permissions(top.join("links"), Permissions::from_mode(0o700)).unwrap();
    fs::remove_file(top.join("fifo")).unwrap();
    run("mkfifo", &[&top.join("another fifo")]);
    run("touch", &[&"-h", &"-d", &"1999-09-09", &top.join("char")]);
}
