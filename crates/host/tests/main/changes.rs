//! The list of changes of a stream without data, against a walk of both snapshots, on trees that change at random.
//!
//! The walk knows nothing of streams: it compares names, numbers of inodes, contents and metadata.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags};
use subvault_host::send::{Protocol, SendSettings, send};
use subvault_host::snapshot;
use subvault_host::subvolume::Subvolume;
use subvault_sendstream::changes::{Change, Changes, What};
use subvault_sendstream::decode::Decoder;
use subvault_testkit::pool::LoopPool;

use crate::churn::{Dice, churn};
use crate::support::{noise, odd};

const SEEDS: u64 = 60;

/// What a walk says of one name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) inode: u64,
    pub(crate) links: u64,
    mode: u32,
    owner: (u32, u32),
    content: Vec<u8>,
    pub(crate) mtime: (i64, i64),
    /// Of the last access and of the last change of anything.
    others: [(i64, i64); 2],
    pub(crate) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

pub(crate) type Walked = BTreeMap<Vec<u8>, Seen>;

pub(crate) fn walk(top: &Path) -> Walked {
    let mut found = Walked::new();
    let mut left = vec![PathBuf::new()];
    while let Some(relative) = left.pop() {
        let path = top.join(&relative);
        let stat = path.symlink_metadata().unwrap();
        let content = match stat.file_type() {
            kind if kind.is_file() => fs::read(&path).unwrap(),
            kind if kind.is_symlink() => fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec(),
            kind if kind.is_dir() => {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| relative.join(entry.unwrap().file_name())));
                Vec::new()
            }
            _ => stat.rdev().to_le_bytes().to_vec(),
        };
        let seen = Seen {
            inode: stat.ino(),
            links: stat.nlink(),
            mode: stat.mode(),
            owner: (stat.uid(), stat.gid()),
            content,
            mtime: (stat.mtime(), stat.mtime_nsec()),
            others: [(stat.atime(), stat.atime_nsec()), (stat.ctime(), stat.ctime_nsec())],
            xattrs: xattrs(&path),
        };
        found.insert(relative.as_os_str().as_bytes().to_vec(), seen);
    }
    found
}

fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = vec![0; 8192];
    let len = rustix::fs::llistxattr(path, &mut names).unwrap();
    let names = names[..len].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0; 8192];
            let len = rustix::fs::lgetxattr(path, name, &mut value).unwrap();
            (name.to_vec(), value[..len].to_vec())
        })
        .collect()
}

pub(crate) fn listed(from: &Subvolume, to: &Subvolume, protocol: Protocol) -> Vec<Change> {
    let mut stream = send(to, Some(from), &[], SendSettings { protocol, compressed: false, no_data: true }).unwrap();
    let (mut decoder, mut changes) = (Decoder::new(), Changes::new());
    let mut block = vec![0; 50_001];
    loop {
        let len = stream.read(&mut block).unwrap();
        if len == 0 {
            break;
        }
        decoder.push(&block[..len], &mut |command| changes.command(&command)).unwrap();
    }
    decoder.finish().unwrap();
    stream.finish().unwrap();
    changes.finish()
}

/// Where the names of the parent are now, as the list has it.
struct Forecast<'a> {
    renamed: BTreeMap<&'a [u8], &'a [u8]>,
    deleted: BTreeSet<&'a [u8]>,
}

impl<'a> Forecast<'a> {
    fn of(changes: &'a [Change]) -> Self {
        let mut forecast = Self { renamed: BTreeMap::new(), deleted: BTreeSet::new() };
        for change in changes {
            let old = change.old.as_deref();
            match change.what {
                What::Renamed => drop(forecast.renamed.insert(old.unwrap(), change.new.as_deref().unwrap())),
                What::Deleted => drop(forecast.deleted.insert(old.unwrap())),
                _ => {}
            }
        }
        forecast
    }

    /// Goes up to where something happened, and keeps the rest of the path.
    fn path(&self, old: &[u8]) -> Option<Vec<u8>> {
        if self.deleted.contains(old) {
            return None;
        }
        if let Some(new) = self.renamed.get(old) {
            return Some(new.to_vec());
        }
        match old.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => Some([self.path(&old[..slash])?.as_slice(), &old[slash..]].concat()),
            None => Some(old.to_vec()),
        }
    }
}

/// The names of the new snapshot follow from those of the old one and the list, and stand for the same inodes.
pub(crate) fn check_names(changes: &[Change], old: &Walked, new: &Walked) {
    let forecast = Forecast::of(changes);
    let mut expected: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for (path, seen) in old {
        if let Some(path) = forecast.path(path) {
            assert!(expected.insert(path.clone(), seen.inode).is_none(), "two things at {}", path.escape_ascii());
        }
    }
    for change in changes {
        let path = change.new.clone().unwrap_or_default();
        let inode = match &change.what {
            What::Created => {
                let inode = new[&path].inode;
                assert!(old.values().all(|seen| seen.inode != inode), "{} is not new", path.escape_ascii());
                inode
            }
            What::Linked(to) => new[to].inode,
            _ => continue,
        };
        assert!(expected.insert(path.clone(), inode).is_none(), "two things at {}", path.escape_ascii());
    }
    let found: BTreeMap<Vec<u8>, u64> = new.iter().map(|(path, seen)| (path.clone(), seen.inode)).collect();
    assert_eq!(expected, found);
    // A rename is told as one wherever there is no doubt which name became which.
    let single = |walked: &Walked| -> BTreeMap<u64, Vec<u8>> {
        let alone = walked.iter().filter(|(_, seen)| seen.links == 1 || seen.mode & 0o170_000 == 0o040_000);
        alone.map(|(path, seen)| (seen.inode, path.clone())).collect()
    };
    let now = single(new);
    for (inode, path) in single(old) {
        if let Some(to) = now.get(&inode) {
            assert_eq!(forecast.path(&path).as_ref(), Some(to), "inode {inode}");
        }
    }
}

/// A file that had several names in the parent can be listed under more than one of them.
fn join(change: &mut Change, other: &Change) {
    let (metadata, more) = (&mut change.metadata, &other.metadata);
    metadata.mode |= more.mode;
    metadata.owner |= more.owner;
    metadata.times |= more.times;
    metadata.xattrs.extend(more.xattrs.iter().cloned());
    change.content.written += other.content.written;
    change.content.size = change.content.size.or(other.content.size);
}

/// What differs in what was there before and is there now is listed, and nothing else is.
pub(crate) fn check_changes(changes: &[Change], old: &Walked, new: &Walked) {
    let now: BTreeMap<u64, &Seen> = new.values().map(|seen| (seen.inode, seen)).collect();
    let mut by_inode: BTreeMap<u64, Change> = BTreeMap::new();
    for change in changes.iter().filter(|change| matches!(change.what, What::Changed | What::Renamed)) {
        let seen = &new[change.new.as_ref().unwrap()];
        assert_eq!(old[change.old.as_ref().unwrap()].inode, seen.inode);
        let Some(known) = by_inode.insert(seen.inode, change.clone()) else { continue };
        assert!(seen.links > 1, "{} twice", change.new.as_ref().unwrap().escape_ascii());
        by_inode.entry(seen.inode).and_modify(|change| join(change, &known));
    }
    for (path, before) in old {
        let Some(after) = now.get(&before.inode) else { continue };
        let at = path.escape_ascii();
        let change = by_inode.get(&before.inode);
        let metadata = change.map(|change| change.metadata.clone()).unwrap_or_default();
        let content = change.map(|change| change.content).unwrap_or_default();
        if before.content != after.content {
            let resized = content.size == Some(after.content.len() as u64);
            assert!(content.written > 0 || resized, "{at}: its content differs: {change:?}");
        }
        assert_eq!(metadata.mode, before.mode != after.mode, "mode of {at}");
        assert_eq!(metadata.owner, before.owner != after.owner, "owner of {at}");
        assert!(metadata.times || before.mtime == after.mtime, "times of {at}");
        let capability = &b"security.capability"[..];
        let differs = |name: &[u8]| before.xattrs.get(name) != after.xattrs.get(name);
        let mut told = metadata.xattrs;
        told.retain(|name| name != capability);
        // It is sent without need as well.
        assert!(metadata.capability || !after.xattrs.contains_key(capability) || !differs(capability), "{at}");
        let names = before.xattrs.keys().chain(after.xattrs.keys()).cloned();
        let differ: BTreeSet<Vec<u8>> = names.filter(|name| name != capability && differs(name)).collect();
        assert_eq!(told, differ, "attributes of {at}: {change:?}");
        // What is written again as it was is written all the same; its times may be of the same tick of the clock.
        if change.is_some_and(|change| change.what == What::Changed) && content.written == 0 {
            assert!(before != *after, "{at}: nothing has changed: {change:?}");
        }
    }
}

/// What the general churn does not do: names change places, and whole trees go elsewhere.
fn swap(top: &Path, dice: &mut Dice) {
    let mut paths: Vec<Vec<u8>> = walk(top).into_keys().filter(|path| !path.is_empty()).collect();
    paths.sort();
    if paths.len() < 2 {
        return;
    }
    let mut pick = || top.join(odd(&paths[dice.below(paths.len())]));
    let (one, other) = (pick(), pick());
    // Refused where one lies in the other.
    let _ = rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE);
}

pub(crate) fn change(top: &Path, dice: &mut Dice) {
    for _ in 0..2 + dice.below(6) {
        let times = 1 + dice.below(12);
        churn(top, dice, times);
        for _ in 0..dice.below(3) {
            swap(top, dice);
        }
    }
}

fn try_seed(pool: &LoopPool, seed: u64) -> usize {
    let mut dice = Dice::new(seed);
    let name = |kind: &str| format!("{kind}{seed}");
    let source = Subvolume::create(&pool.path(), name("source").as_ref()).unwrap();
    churn(source.path(), &mut dice, 60);
    let take = |kind: &str| snapshot::take(&source, &pool.path(), name(kind).as_ref()).unwrap().0;
    let first = take("first");
    // Times tell what is changed from now on from what was changed before: the clock of files ticks every few milliseconds.
    std::thread::sleep(Duration::from_millis(20));
    change(source.path(), &mut dice);
    let second = take("second");
    let mut listings = 0;
    for (from, to) in [(&first, &second), (&second, &first)] {
        let (old, new) = (walk(from.path()), walk(to.path()));
        for protocol in [Protocol::V1, Protocol::V2] {
            let changes = listed(from, to, protocol);
            check_names(&changes, &old, &new);
            check_changes(&changes, &old, &new);
            listings += changes.len();
        }
    }
    listings
}

#[test]
fn lists_of_random_changes_are_what_a_walk_finds() {
    let pool = LoopPool::new(4 << 30, &[], &[]).unwrap();
    let mut listed = 0;
    for seed in 0..SEEDS {
        // Shown when it fails.
        println!("seed {seed}");
        listed += try_seed(&pool, seed);
    }
    println!("{listed} changes listed as a walk finds them, in {SEEDS} random trees, forwards and backwards");
}

#[test]
fn snapshots_without_a_change_have_an_empty_list() {
    let pool = crate::support::pool();
    let source = Subvolume::create(&pool.path(), "source".as_ref()).unwrap();
    fs::write(source.path().join("file"), noise(100_000)).unwrap();
    let take = |name: &str| snapshot::take(&source, &pool.path(), name.as_ref()).unwrap().0;
    let (first, second) = (take("first"), take("second"));
    assert_eq!(listed(&first, &second, Protocol::V1), []);
}
