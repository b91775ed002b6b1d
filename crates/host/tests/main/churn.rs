//! Random changes of a tree: everything that a send stream has a command for.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FallocateFlags, FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use subvault_host::ioctl::clone_range;

use crate::support::noise;

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() { None } else { Some(&all[self.below(all.len())]) }
    }

    fn name(&mut self) -> OsString {
        let odd: [&[u8]; 6] = [b"\xff\xfe", b"a\nb", b" ", b"o257-7-0", b"-", b"\xc3\xa4"];
        let mut name = format!("{:x}", self.below(1 << 16)).into_bytes();
        if self.below(4) == 0 {
            name.extend(odd[self.below(odd.len())]);
        }
        OsString::from_vec(name)
    }

    /// Some compress, some do not; some have zeros inside.
    fn content(&mut self, length: usize) -> Vec<u8> {
        match self.below(3) {
            0 => noise(length),
            1 => format!("{:08}\n", self.below(1000)).into_bytes().repeat(length / 9 + 1)[..length].to_vec(),
            _ => {
                let mut bytes = noise(length);
                let third = length / 3;
                bytes[third..2 * third].fill(0);
                bytes
            }
        }
    }

    fn length(&mut self) -> usize {
        match self.below(6) {
            0 => 0,
            1 => self.below(100),
            2 => self.below(5000),
            3 => 4096 * self.below(20),
            4 => self.below(300_000),
            _ => self.below(1_500_000),
        }
    }
}

/// What is in a tree now.
#[derive(Default)]
struct Tree {
    dirs: Vec<PathBuf>,
    files: Vec<PathBuf>,
    others: Vec<PathBuf>,
}

impl Tree {
    fn of(top: &Path) -> Self {
        let mut tree = Self { dirs: vec![top.to_owned()], ..Self::default() };
        let mut next = 0;
        while let Some(dir) = tree.dirs.get(next).cloned() {
            next += 1;
            let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(Result::unwrap).collect();
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                let kind = entry.file_type().unwrap();
                let list = if kind.is_dir() {
                    &mut tree.dirs
                } else if kind.is_file() {
                    &mut tree.files
                } else {
                    assert!(kind.is_symlink() || kind.is_fifo() || kind.is_socket() || kind.is_char_device());
                    &mut tree.others
                };
                list.push(entry.path());
            }
        }
        tree
    }

    fn any(&self, dice: &mut Dice) -> PathBuf {
        let kinds = [&self.dirs, &self.files, &self.others];
        let kind = kinds[dice.below(3)];
        dice.of(kind).unwrap_or(&self.dirs[0]).clone()
    }
}

/// Changes the tree so many times.
pub(crate) fn churn(top: &Path, dice: &mut Dice, times: usize) {
    for _ in 0..times {
        let tree = Tree::of(top);
        match dice.below(20) {
            0..=4 => drop(fs::write(new_name(&tree, dice), {
                let n = dice.length();
                dice.content(n)
            })),
            5 | 6 => write_inside(&tree, dice),
            7 => share(&tree, dice),
            8 => resize(&tree, dice),
            9 => drop(fs::create_dir(new_name(&tree, dice))),
            10 => node(&new_name(&tree, dice), dice),
            11 => move_something(&tree, dice),
            12 => link(&tree, dice),
            13 | 14 => remove(&tree, dice),
            15 => xattr(&tree, dice),
            16 => mode(&tree, dice),
            17 => owner(&tree.any(dice), dice),
            18 => times_of(&tree.any(dice), dice),
            _ => replace(&tree, dice),
        }
    }
}

fn new_name(tree: &Tree, dice: &mut Dice) -> PathBuf {
    let dir = dice.of(&tree.dirs).unwrap().clone();
    dir.join(dice.name())
}

fn write_inside(tree: &Tree, dice: &mut Dice) {
    let Some(path) = dice.of(&tree.files) else { return };
    let file = OpenOptions::new().write(true).open(path).unwrap();
    for _ in 0..=dice.below(4) {
        let length = dice.below(70_000);
        let bytes = dice.content(length);
        file.write_all_at(&bytes, dice.below(600_000) as u64).unwrap();
    }
}

/// Lets a file share blocks with another, or with itself.
fn share(tree: &Tree, dice: &mut Dice) {
    let (Some(from), Some(to)) = (dice.of(&tree.files), dice.of(&tree.files)) else { return };
    let from = File::open(from).unwrap();
    let to = OpenOptions::new().write(true).open(to).unwrap();
    let blocks = from.metadata().unwrap().len() as usize / 4096;
    if blocks == 0 {
        return;
    }
    let start = dice.below(blocks);
    let length = 1 + dice.below(blocks - start);
    let target = dice.below(100) * 4096;
    // Overlapping ranges of one file are refused.
    let _ = clone_range(&from, (start * 4096) as u64, (length * 4096) as u64, &to, target as u64);
}

fn resize(tree: &Tree, dice: &mut Dice) {
    let Some(path) = dice.of(&tree.files) else { return };
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let (offset, length) = (dice.below(400_000) as u64, 1 + dice.below(100_000) as u64);
    match dice.below(4) {
        0 => file.set_len(offset).unwrap(),
        1 => rustix::fs::fallocate(&file, FallocateFlags::empty(), offset, length).unwrap(),
        2 => rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, offset, length).unwrap(),
        _ => {
            let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            rustix::fs::fallocate(&file, punch, offset, length).unwrap();
        }
    }
}

fn node(path: &Path, dice: &mut Dice) {
    let mode = Mode::from_raw_mode(0o600 + dice.below(0o100) as u32);
    let made = match dice.below(5) {
        0 | 1 => rustix::fs::symlink(OsStr::from_bytes(b"/no\xffwhere\n"), path),
        2 => rustix::fs::mknodat(CWD, path, FileType::Fifo, mode, 0),
        3 => rustix::fs::mknodat(CWD, path, FileType::Socket, mode, 0),
        _ => rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, mode, rustix::fs::makedev(240, 70_000)),
    };
    // Unless the name was taken.
    let _ = made;
}

fn move_something(tree: &Tree, dice: &mut Dice) {
    let from = tree.any(dice);
    if from != tree.dirs[0] {
        // Into itself, or onto a directory that is not empty: refused, and nothing has changed.
        let _ = fs::rename(from, new_name(tree, dice));
    }
}

fn link(tree: &Tree, dice: &mut Dice) {
    let list = if dice.below(4) == 0 { &tree.others } else { &tree.files };
    if let Some(from) = dice.of(list) {
        let _ = rustix::fs::linkat(CWD, from, CWD, new_name(tree, dice), AtFlags::empty());
    }
}

fn remove(tree: &Tree, dice: &mut Dice) {
    let path = tree.any(dice);
    if path == tree.dirs[0] {
        return;
    }
    if !path.is_symlink() && path.is_dir() {
        // Whole trees go now and then.
        let _ = if dice.below(3) == 0 { fs::remove_dir_all(path) } else { fs::remove_dir(path) };
    } else {
        fs::remove_file(path).unwrap();
    }
}

/// Another inode, perhaps of another kind, under the same name.
fn replace(tree: &Tree, dice: &mut Dice) {
    let list = if dice.below(2) == 0 { &tree.others } else { &tree.files };
    let Some(path) = dice.of(list) else { return };
    fs::remove_file(path).unwrap();
    match dice.below(3) {
        0 => fs::create_dir(path).unwrap(),
        1 => node(path, dice),
        _ => fs::write(path, dice.content(10_000)).unwrap(),
    }
}

fn xattr(tree: &Tree, dice: &mut Dice) {
    let path = &tree.any(dice);
    let kind = path.symlink_metadata().unwrap().file_type();
    // Below the top only: there, `btrfs receive` lets every new file inherit it.
    let passes_on = kind.is_dir() && *path != tree.dirs[0];
    let acl = |name: u32| {
        // Version 2; owner rwx, user `name` r, group r, mask r, others none.
        let mut bytes = 2_u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in
            [(1_u16, 7_u16, u32::MAX), (2, 4, name), (4, 4, u32::MAX), (16, 4, u32::MAX), (32, 0, u32::MAX)]
        {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(permissions.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    };
    // Revision 2, effective: cap_net_bind_service.
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let (name, value): (&str, Vec<u8>) = match dice.below(7) {
        0 => ("trusted.one", noise(dice.below(3000))),
        1 if kind.is_file() => ("security.capability", capability.to_vec()),
        2 if !kind.is_symlink() => ("system.posix_acl_access", acl(dice.below(9) as u32)),
        3 if passes_on => ("system.posix_acl_default", acl(dice.below(9) as u32)),
        4 if passes_on => ("btrfs.compression", [&b"zlib"[..], b"lzo", b"zstd"][dice.below(3)].to_vec()),
        5 => {
            let _ = rustix::fs::lremovexattr(path, "trusted.one");
            return;
        }
        _ if kind.is_file() || kind.is_dir() => ("user.empty", Vec::new()),
        _ => ("trusted.two", b"x".to_vec()),
    };
    rustix::fs::lsetxattr(path, name, &value, XattrFlags::empty()).unwrap();
}

fn mode(tree: &Tree, dice: &mut Dice) {
    let path = if dice.below(2) == 0 { dice.of(&tree.dirs) } else { dice.of(&tree.files) };
    let Some(path) = path else { return };
    fs::set_permissions(path, fs::Permissions::from_mode(dice.below(0o10000) as u32)).unwrap();
}

fn owner(path: &Path, dice: &mut Dice) {
    let (uid, gid) = (Uid::from_raw(dice.below(3) as u32), Gid::from_raw(dice.below(70_000) as u32));
    rustix::fs::chownat(CWD, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

fn times_of(path: &Path, dice: &mut Dice) {
    let time = |dice: &mut Dice| Timespec {
        tv_sec: dice.below(4_000_000_000) as i64 - 1_000_000_000,
        tv_nsec: dice.below(1_000_000_000) as _,
    };
    let times = Timestamps { last_access: time(dice), last_modification: time(dice) };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}
