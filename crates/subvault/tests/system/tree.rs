//! A tree that has everything Btrfs can keep, and ten rounds of changes that together use every kind of change.
//!
//! The same rounds make the same tree on each run, but for the inode numbers and the moments that the kernel notes.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FallocateFlags, FileType, Gid, Mode, RenameFlags, Timespec, Timestamps, Uid, XattrFlags, fallocate,
    lsetxattr, makedev, mknodat, renameat_with,
};
use subvault_host::ioctl::clone_range;

use crate::world::{noise, text, tool};

/// How many rounds there are: the tree itself and ten changes.
pub(crate) const ROUNDS: usize = 11;

/// Names that programs stumble over.
const ODD: [&[u8]; 9] =
    [b"\xff\xfe", b"new\nline", b"tab\t", b" ", b"-rf", b"'\"$(x)`", b"\\", b"o257-7-0", b"\xc3\xa4\xcc\x88"];

/// A tree under change.
pub(crate) struct Tree {
    top: PathBuf,
    /// How many files there are in bulk.
    bulk: usize,
}

impl Tree {
    pub(crate) fn new(top: PathBuf, bulk: usize) -> Self {
        Self { top, bulk }
    }

    /// Does one round.
    pub(crate) fn round(&self, number: usize) {
        match number {
            0 => self.plant(),
            1 => self.rename(),
            2 => self.delete(),
            3 => self.share(),
            4 => self.resize(),
            5 => self.annotate(),
            6 => self.replace(),
            7 => self.recreate(),
            8 => self.write_inside(),
            9 => self.put_back(),
            10 => self.finish(),
            _ => panic!("there is no round {number}"),
        }
        if number > 0 {
            self.stir(number);
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.top.join(name)
    }

    fn open(&self, name: &str) -> File {
        OpenOptions::new().read(true).write(true).open(self.at(name)).unwrap()
    }

    fn bulk_file(&self, number: usize) -> PathBuf {
        self.top.join(format!("bulk/{:02}/{number:05}", number % 40))
    }

    fn plant(&self) {
        for dir in ["a/b/c", "docs", "cow/off", "odd", "links", "nodes", "swap/one", "swap/two", "empty"] {
            fs::create_dir_all(self.at(dir)).unwrap();
        }
        tool(&["chattr", "+C", text(&self.at("cow/off"))]);
        for (number, odd) in ODD.iter().enumerate() {
            let dir = self.top.join("odd").join(OsStr::from_bytes(odd));
            fs::create_dir(&dir).unwrap();
            fs::write(dir.join(OsStr::from_bytes(odd)), noise(number * 700, number as u64)).unwrap();
        }
        fs::write(self.at("odd").join("n".repeat(255)), b"a long name").unwrap();
        for number in 0..self.bulk {
            let path = self.bulk_file(number);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content(number)).unwrap();
        }
        fs::write(self.at("docs/text"), lines(2_000_000)).unwrap();
        fs::write(self.at("docs/noise"), noise(3_000_000, 7)).unwrap();
        fs::write(self.at("cow/off/database"), noise(600_000, 8)).unwrap();
        fs::write(self.at("a/b/c/tiny"), b"inline").unwrap();
        fs::write(self.at("empty/file"), b"").unwrap();
        for name in ["one", "two"] {
            fs::write(self.at(&format!("swap/{name}/which")), name).unwrap();
        }
        let sparse = File::create_new(self.at("docs/sparse")).unwrap();
        sparse.set_len(300 << 20).unwrap();
        sparse.write_all_at(&noise(9000, 9), 100 << 20).unwrap();
        sparse.write_all_at(b"near the end", (300 << 20) - 5000).unwrap();
        self.plant_links();
        self.plant_marks();
    }

    fn plant_links(&self) {
        for name in ["links/two", "a/three", "links/four"] {
            fs::hard_link(self.at("docs/text"), self.at(name)).unwrap();
        }
        symlink("two", self.at("links/short")).unwrap();
        symlink("x/".repeat(1900), self.at("links/long")).unwrap();
        symlink(OsStr::from_bytes(b"/no\xffwhere\n"), self.at("links/odd")).unwrap();
        fs::hard_link(self.at("links/odd"), self.at("links/odd too")).unwrap();
        let node = |name: &str, kind, mode, device| {
            mknodat(CWD, self.at(name), kind, Mode::from_raw_mode(mode), device).unwrap();
        };
        node("nodes/fifo", FileType::Fifo, 0o640, 0);
        node("nodes/socket", FileType::Socket, 0o600, 0);
        node("nodes/char", FileType::CharacterDevice, 0o620, makedev(240, 70_000));
        node("nodes/block", FileType::BlockDevice, 0o660, makedev(7, 300));
    }

    fn plant_marks(&self) {
        let set = |name: &str, key: &str, value: &[u8]| {
            lsetxattr(self.at(name), key, value, XattrFlags::empty()).unwrap();
        };
        set("docs/noise", "user.comment", b"\x00\xffbinary");
        set("docs/noise", "user.empty", b"");
        set("docs/text", "trusted.large", &noise(3000, 3));
        set("links/odd", "trusted.link", b"on a symbolic link");
        set("a", "user.directory", b"yes");
        for (file, acl) in [("docs/noise", "u:1234:rwx,g:99:r"), ("a/b", "d:u:77:rx,d:g::rwx"), ("docs", "u:5:x")] {
            tool(&["setfacl", "-m", acl, text(&self.at(file))]);
        }
        fs::write(self.at("a/b/tool"), b"#!/bin/true\n").unwrap();
        tool(&["setcap", "cap_net_bind_service,cap_net_raw=ep", text(&self.at("a/b/tool"))]);
        self.own("a/b/c/tiny", 1000, 100, 0o4755);
        self.own("empty", 65_534, 70_000, 0o1777);
        self.time("docs/noise", -86_400 * 365 * 20, 123_456_789);
        self.time("links/short", 4_000_000_000, 999_999_999);
    }

    fn own(&self, name: &str, uid: u32, gid: u32, mode: u32) {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        rustix::fs::chownat(CWD, self.at(name), Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).unwrap();
        fs::set_permissions(self.at(name), Permissions::from_mode(mode)).unwrap();
    }

    fn time(&self, name: &str, seconds: i64, nanoseconds: i64) {
        let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
        let times = Timestamps { last_access: time, last_modification: time };
        rustix::fs::utimensat(CWD, self.at(name), &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }

    fn rename(&self) {
        let rename = |from: &str, to: &str| fs::rename(self.at(from), self.at(to)).unwrap();
        rename("docs/noise", "docs/louder");
        rename("a/b", "swap/two/b");
        rename("odd", "a/odd");
        rename("links/four", "empty/four");
        let swap = |one: &str, two: &str| {
            renameat_with(CWD, self.at(one), CWD, self.at(two), RenameFlags::EXCHANGE).unwrap();
        };
        swap("swap/one", "swap/two");
        swap("docs/text", "docs/louder");
        // Over a file that is there.
        fs::write(self.at("links/victim"), b"gone").unwrap();
        rename("empty/file", "links/victim");
        let odd = self.top.join("a/odd");
        fs::rename(odd.join(OsStr::from_bytes(ODD[0])), odd.join(OsStr::from_bytes(b"\xfe\xff\n"))).unwrap();
    }

    fn delete(&self) {
        fs::remove_file(self.at("links/two")).unwrap();
        fs::remove_dir_all(self.at("a/odd").join(OsStr::from_bytes(ODD[1]))).unwrap();
        fs::remove_file(self.at("nodes/socket")).unwrap();
        fs::remove_dir_all(self.at("swap/two")).unwrap();
        // What was under the directory moves out before it goes.
        fs::rename(self.at("swap/one/b"), self.at("b")).unwrap();
        fs::remove_dir_all(self.at("swap")).unwrap();
        fs::hard_link(self.at("b/tool"), self.at("links/tool")).unwrap();
    }

    fn share(&self) {
        // Text and noise were exchanged in the first round: what is called text does not compress now.
        tool(&["cp", "--reflink=always", text(&self.at("docs/louder")), text(&self.at("docs/copy"))]);
        let noisy = self.open("docs/text");
        let target = File::create_new(self.at("docs/mixed")).unwrap();
        target.write_all_at(&noise(500_000, 31), 0).unwrap();
        clone_range(&noisy, 1 << 20, 256 << 10, &target, 64 << 10).unwrap();
        clone_range(&noisy, 0, 128 << 10, &target, 1 << 20).unwrap();
        clone_range(&noisy, 0, 64 << 10, &noisy, 4 << 20).unwrap();
        let copy = self.open("docs/copy");
        copy.write_all_at(b"no longer the same", 777_777).unwrap();
        tool(&["cp", "--reflink=always", text(&self.bulk_file(3)), text(&self.at("docs/of bulk"))]);
    }

    fn resize(&self) {
        self.open("docs/louder").set_len(123_457).unwrap();
        self.open("docs/mixed").set_len(5 << 20).unwrap();
        self.open("b/c/tiny").set_len(0).unwrap();
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        fallocate(self.open("docs/text"), punch, 200_000, 900_000).unwrap();
        fallocate(self.open("cow/off/database"), punch, 4096, 65_536).unwrap();
        fallocate(self.open("docs/sparse"), FallocateFlags::KEEP_SIZE, 1 << 20, 1 << 20).unwrap();
        fallocate(self.open("docs/copy"), FallocateFlags::empty(), 3 << 20, 1 << 20).unwrap();
        self.open("docs/sparse").set_len(200 << 20).unwrap();
    }

    fn annotate(&self) {
        tool(&["setfacl", "-b", text(&self.at("docs/text"))]);
        tool(&["setfacl", "-m", "u:4321:r,m::rw", text(&self.at("docs/sparse"))]);
        tool(&["setfacl", "-k", text(&self.at("b"))]);
        tool(&["setcap", "cap_chown=i", text(&self.at("b/tool"))]);
        lsetxattr(self.at("docs/text"), "user.comment", b"changed", XattrFlags::empty()).unwrap();
        rustix::fs::lremovexattr(self.at("docs/text"), "user.empty").unwrap();
        self.own("docs/copy", 12, 34, 0o2750);
        self.own("cow", 1000, 1000, 0o700);
        self.own("b/tool", 1, 1, 0o755);
        self.time("a", 1, 1);
        fs::set_permissions(&self.top, Permissions::from_mode(0o751)).unwrap();
    }

    fn replace(&self) {
        // A file becomes a directory, a directory a file, a file a link, a link a fifo.
        fs::remove_file(self.at("docs/mixed")).unwrap();
        fs::create_dir_all(self.at("docs/mixed/deep")).unwrap();
        fs::write(self.at("docs/mixed/deep/file"), noise(70_000, 61)).unwrap();
        fs::remove_dir_all(self.at("empty")).unwrap();
        fs::write(self.at("empty"), b"a file now").unwrap();
        fs::remove_file(self.at("docs/louder")).unwrap();
        symlink("mixed/deep/file", self.at("docs/louder")).unwrap();
        fs::remove_file(self.at("links/short")).unwrap();
        mknodat(CWD, self.at("links/short"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    }

    fn recreate(&self) {
        // The same name and the same content on another inode; then only the same name.
        for name in ["docs/of bulk", "cow/off/database"] {
            let bytes = fs::read(self.at(name)).unwrap();
            fs::remove_file(self.at(name)).unwrap();
            fs::write(self.at(name), bytes).unwrap();
        }
        fs::remove_dir_all(self.at("b/c")).unwrap();
        fs::create_dir(self.at("b/c")).unwrap();
        fs::write(self.at("b/c/tiny"), b"another").unwrap();
        fs::remove_file(self.at("links/long")).unwrap();
        symlink("y/".repeat(2000), self.at("links/long")).unwrap();
        // Names of a hard link change hands.
        fs::rename(self.at("links/tool"), self.at("b/tool too")).unwrap();
        fs::rename(self.at("b/tool"), self.at("links/tool")).unwrap();
    }

    fn write_inside(&self) {
        self.open("cow/off/database").write_all_at(&noise(20_000, 81), 111_111).unwrap();
        self.open("docs/text").write_all_at(&lines(300_000), 250_001).unwrap();
        self.open("docs/sparse").write_all_at(&noise(4097, 82), (150 << 20) + 1).unwrap();
        let appended = self.open("docs/copy");
        appended.write_all_at(&lines(50_000), appended.metadata().unwrap().len()).unwrap();
        fs::write(self.at("docs/mixed/deep/file"), noise(70_000, 83)).unwrap();
    }

    fn put_back(&self) {
        fs::remove_dir_all(self.at("docs/mixed")).unwrap();
        fs::write(self.at("docs/mixed"), noise(400_000, 91)).unwrap();
        fs::remove_file(self.at("empty")).unwrap();
        fs::create_dir(self.at("empty")).unwrap();
        fs::remove_file(self.at("nodes/char")).unwrap();
        let mode = Mode::from_raw_mode(0o666);
        mknodat(CWD, self.at("nodes/char"), FileType::CharacterDevice, mode, makedev(1, 3)).unwrap();
        // Three names go round in a circle.
        let rename = |from: &str, to: &str| fs::rename(self.at(from), self.at(to)).unwrap();
        rename("docs/text", "docs/spare");
        rename("docs/copy", "docs/text");
        rename("docs/sparse", "docs/copy");
        rename("docs/spare", "docs/sparse");
        // Parent and child change places.
        fs::create_dir(self.at("a/inner")).unwrap();
        rename("a/inner", "inner");
        rename("a", "inner/a");
    }

    fn finish(&self) {
        self.time("docs/text", 1_700_000_000, 1);
        fs::rename(self.at("inner/a"), self.at("a")).unwrap();
        fs::remove_dir(self.at("inner")).unwrap();
        self.own("", 0, 0, 0o755);
    }

    /// Changes some of the many files, another share each time.
    fn stir(&self, number: usize) {
        for file in (number..self.bulk).step_by(29) {
            let path = self.bulk_file(file);
            if !path.exists() {
                fs::write(path, content(file + number)).unwrap();
                continue;
            }
            match (file / 29) % 6 {
                0 => fs::remove_file(path).unwrap(),
                1 => fs::rename(&path, beside(&path, number)).unwrap(),
                2 => drop(fs::hard_link(&path, beside(&path, number))),
                3 => fs::write(path, content(file + number)).unwrap(),
                4 => fs::set_permissions(path, Permissions::from_mode(0o600 + number as u32)).unwrap(),
                _ => drop(OpenOptions::new().write(true).open(path).unwrap().write_all_at(b"inside", 1000)),
            }
        }
    }
}

/// A new name, not always in UTF-8.
fn beside(path: &Path, number: usize) -> PathBuf {
    let mut name = path.file_name().unwrap().as_bytes().to_vec();
    name.extend(ODD[number % ODD.len()]);
    name.extend(number.to_string().bytes());
    path.with_file_name(OsString::from_vec(name))
}

/// Small, inline, a few blocks; some compress.
fn content(number: usize) -> Vec<u8> {
    let len = [0, 13, 1500, 2100, 4096, 9000, 17_000, 40_000][number % 8] + number % 97;
    if number.is_multiple_of(3) { lines(len) } else { noise(len, number as u64) }
}

/// Text that compresses.
fn lines(len: usize) -> Vec<u8> {
    let mut text: Vec<u8> = (0..=len / 20).flat_map(|n| format!("{n:08} of a text\n\n").into_bytes()).collect();
    text.truncate(len);
    text
}
