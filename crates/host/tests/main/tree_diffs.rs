//! What is read from two trees, against what the kernel sends of the same two, and against a walk of both.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use subvault_host::ioctl::clone_range;
use subvault_host::send::Protocol;
use subvault_host::snapshot;
use subvault_host::subvolume::{Subvolume, parted};
use subvault_host::tree_diff::{self, Compared};
use subvault_model::file_path::FilePath;
use subvault_sendstream::changes::{Change, What};
use subvault_testkit::pool::{LoopPool, unmount_when_idle};

use crate::changes::{Walked, change, check_changes, check_names, listed, walk};
use crate::churn::{Dice, churn};
use crate::support::noise;

const SEEDS: u64 = 25;
const CAPABILITY: &[u8] = b"security.capability";

/// What is read from the trees.
fn read(from: &Subvolume, to: &Subvolume) -> Vec<Compared> {
    let parted = parted(&from.lineage().unwrap(), &to.lineage().unwrap()).unwrap();
    let mut read = tree_diff::compare(from, to, parted).unwrap().unwrap();
    let key = |one: &Compared| one.change.new.clone().or(one.change.old.clone());
    read.sort_by(|one, other| key(one).cmp(&key(other)).then_with(|| one.change.what.cmp(&other.change.what)));
    read
}

/// What of a change both ways must tell alike.
fn told(change: &Change) -> String {
    let Change { what, old, new, content, metadata, entries, successor, .. } = change;
    let shown = |path: &Option<Vec<u8>>| path.as_ref().map(|path| path.escape_ascii().to_string());
    let is_on_both = matches!(what, What::Changed | What::Renamed);
    let details = is_on_both.then(|| {
        let xattrs: Vec<String> = metadata.xattrs.iter().map(|name| name.escape_ascii().to_string()).collect();
        (content.written, metadata.mode, metadata.owner, metadata.flags, xattrs, entries)
    });
    let what = match what {
        What::Linked(to) => format!("Linked to {}", to.escape_ascii()),
        other => format!("{other:?}"),
    };
    format!("{what} {:?} {:?} {details:?} {:?}", shown(old), shown(new), shown(successor))
}

/// The names that are gone and those that are new, whatever became of what: of a file with several names,
/// either way chooses one.
fn names(changes: &[Change]) -> (BTreeSet<Vec<u8>>, BTreeSet<Vec<u8>>) {
    let moved = |change: &&Change| change.what != What::Changed;
    let gone = changes.iter().filter(moved).filter_map(|change| change.old.clone());
    (gone.collect(), changes.iter().filter(moved).filter_map(|change| change.new.clone()).collect())
}

/// How much was written, by inode.
fn written(changes: &[Change], new: &Walked) -> BTreeMap<u64, u64> {
    let mut written = BTreeMap::new();
    for change in changes.iter().filter(|change| matches!(change.what, What::Changed | What::Renamed)) {
        *written.entry(new[change.new.as_ref().unwrap()].inode).or_default() += change.content.written;
    }
    written.retain(|_, bytes| *bytes > 0);
    written
}

/// Both ways tell the same. Returns how many changes there are.
fn compare(from: &Subvolume, to: &Subvolume) -> usize {
    let (old, new) = (walk(from.path()), walk(to.path()));
    let read = read(from, to);
    let changes: Vec<Change> = read.iter().map(|one| one.change.clone()).collect();
    let sent = listed(from, to, Protocol::V2);
    let is_single = |change: &Change| {
        let of = |walked: &Walked, path: &Option<Vec<u8>>| path.as_ref().is_none_or(|path| walked[path].links == 1);
        of(&old, &change.old) && of(&new, &change.new)
    };
    // Reading a directory writes its inode, which a stream tells as times.
    let is_empty = |change: &Change| {
        let Change { content, metadata, .. } = change;
        let is_same = content.written == 0 && !metadata.mode && !metadata.owner && !metadata.flags;
        let seen = |walked: &Walked, path: &Option<Vec<u8>>| path.as_ref().map(|path| walked[path].mtime);
        let is_seen_alike = change.what == What::Changed && seen(&old, &change.old) == seen(&new, &change.new);
        is_seen_alike && is_same && metadata.xattrs.is_empty()
    };
    let single = |changes: &[Change]| -> BTreeSet<String> {
        changes.iter().filter(|change| is_single(change) && !is_empty(change)).map(told).collect()
    };
    let (ours, theirs) = (single(&changes), single(&sent));
    let only = |one: &BTreeSet<String>, other| one.difference(other).cloned().collect::<Vec<_>>();
    assert!(ours == theirs, "trees: {:#?}\nstream: {:#?}", only(&ours, &theirs), only(&theirs, &ours));
    assert_eq!(names(&changes), names(&sent));
    assert_eq!(written(&changes, &new), written(&sent, &new));
    for one in &read {
        let look = |side: &Subvolume, path: &Option<Vec<u8>>| {
            path.as_ref().and_then(|path| side.look(&FilePath::new(path.as_slice())).unwrap())
        };
        let at = format!("{:?}", one.change);
        assert_eq!(one.before.filter(|_| one.change.old.is_some()), look(from, &one.change.old), "{at}");
        assert_eq!(one.after.filter(|_| one.change.new.is_some()), look(to, &one.change.new), "{at}");
        if let (Some(before), Some(after)) = (&one.change.old, &one.change.new) {
            let value = |walked: &Walked, path: &Vec<u8>| walked[path].xattrs.get(CAPABILITY).cloned();
            let now = value(&new, after);
            assert_eq!(one.change.metadata.capability, now.is_some() && value(&old, before) != now, "{at}");
        }
    }
    changes.len()
}

/// And both are what a walk finds.
fn compare_and_walk(from: &Subvolume, to: &Subvolume) -> usize {
    let changes: Vec<Change> = read(from, to).into_iter().map(|one| one.change).collect();
    let (old, new) = (walk(from.path()), walk(to.path()));
    check_names(&changes, &old, &new);
    check_changes(&changes, &old, &new);
    compare(from, to)
}

fn try_seed(pool: &LoopPool, seed: u64) -> usize {
    let mut dice = Dice::new(seed + 1000);
    let name = |kind: &str| format!("{kind}{seed}");
    let source = Subvolume::create(&pool.path(), name("source").as_ref()).unwrap();
    churn(source.path(), &mut dice, 60);
    let take = |of: &Subvolume, kind: &str| snapshot::take(of, &pool.path(), name(kind).as_ref()).unwrap().0;
    let mut taken = vec![take(&source, "first")];
    for kind in ["second", "third"] {
        std::thread::sleep(Duration::from_millis(20));
        change(source.path(), &mut dice);
        taken.push(take(&source, kind));
    }
    // A line of its own, which left the first snapshot.
    let branch = pool.path().join(name("branch"));
    crate::support::btrfs(&[
        "-q".as_ref(),
        "subvolume".as_ref(),
        "snapshot".as_ref(),
        taken[0].path().as_ref(),
        branch.as_ref(),
    ]);
    let branch = Subvolume::open(branch).unwrap();
    change(branch.path(), &mut dice);
    taken.push(take(&branch, "other"));
    let pairs = (0..taken.len()).flat_map(|from| (0..taken.len()).map(move |to| (from, to)));
    let both = pairs.filter(|(from, to)| from != to).map(|(from, to)| match (from.min(to), from.max(to)) {
        // Both lines gave the same numbers to files of their own, which no walk can tell from one file.
        (1.., 3) => compare(&taken[from], &taken[to]),
        _ => compare_and_walk(&taken[from], &taken[to]),
    });
    both.sum()
}

#[test]
fn trees_and_streams_tell_the_same_of_random_changes() {
    let pool = LoopPool::new(4 << 30, &[], &[]).unwrap();
    let mut compared = 0;
    for seed in 0..SEEDS {
        // Shown when it fails.
        println!("seed {seed}");
        compared += try_seed(&pool, seed);
    }
    println!(
        "PROVED: tree diff: {compared} changes of {SEEDS} random trees, as the kernel sends them and as a walk finds them"
    );
}

/// Two snapshots with a change in between.
fn around(pool: &Path, source: &Subvolume, act: impl FnOnce(&Path)) -> (Subvolume, Subvolume) {
    let number = fs::read_dir(pool).unwrap().count();
    let take = |kind: &str| snapshot::take(source, pool, format!("{kind}{number}").as_ref()).unwrap().0;
    let first = take("first");
    std::thread::sleep(Duration::from_millis(20));
    act(source.path());
    (first, take("second"))
}

fn both_ways((first, second): &(Subvolume, Subvolume)) -> usize {
    compare_and_walk(first, second) + compare_and_walk(second, first)
}

#[test]
fn files_with_many_names_are_compared() {
    let pool = LoopPool::new(1 << 30, &[], &[]).unwrap();
    let source = Subvolume::create(&pool.path(), "source".as_ref()).unwrap();
    let file = source.path().join("file");
    fs::write(&file, noise(9000)).unwrap();
    fs::create_dir(source.path().join("links")).unwrap();
    // Too many for one item: the others have items of their own.
    let link = |top: &Path, number: usize| top.join(format!("links/{number:04}-{}", "x".repeat(60)));
    (0..900).for_each(|number| fs::hard_link(&file, link(source.path(), number)).unwrap());
    let removed = around(&pool.path(), &source, |top| {
        (100..800).step_by(7).for_each(|number| fs::remove_file(link(top, number)).unwrap());
    });
    let added = around(&pool.path(), &source, |top| {
        (900..1000).for_each(|number| fs::hard_link(&file, link(top, number)).unwrap());
        fs::rename(link(top, 5), top.join("elsewhere")).unwrap();
    });
    let all = both_ways(&removed) + both_ways(&added) + both_ways(&(removed.0, added.1));
    println!("PROVED: tree diff: {all} changes of a file with a thousand names");
}

#[test]
fn extents_of_every_kind_are_compared() {
    for options in [&[][..], &["compress-force=zstd"], &["nodatacow"], &["max_inline=0"]] {
        let pool = LoopPool::new(1 << 30, &[], options).unwrap();
        let source = Subvolume::create(&pool.path(), "source".as_ref()).unwrap();
        let at = |name: &str| source.path().join(name);
        let text = "some words that can be compressed\n".repeat(60_000);
        for name in ["text", "grown", "cut", "cloned"] {
            fs::write(at(name), &text).unwrap();
        }
        fs::write(at("small"), "inline").unwrap();
        fs::write(at("many"), noise(4 << 20)).unwrap();
        let open = |name: &str| OpenOptions::new().read(true).write(true).open(at(name)).unwrap();
        let many = around(&pool.path(), &source, |_| {
            let file = open("many");
            for block in (0..1024).step_by(2) {
                file.write_all_at(b"other", block * 4096).unwrap();
                file.sync_all().unwrap();
            }
        });
        let rest = around(&pool.path(), &source, |_| {
            open("text").write_all_at(b"in the middle", 500_000).unwrap();
            open("grown").write_all_at(&noise(70_000), text.len() as u64 + 1_000_000).unwrap();
            open("cut").set_len(1_000_001).unwrap();
            clone_range(open("text"), 0, 1 << 20, open("cloned"), 1 << 20).unwrap();
            fs::write(at("small"), "inlinE").unwrap();
            let punch = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
            rustix::fs::fallocate(open("many"), punch, 1 << 20, 300_000).unwrap();
            rustix::fs::fallocate(open("many"), rustix::fs::FallocateFlags::empty(), 8 << 20, 300_000).unwrap();
        });
        let all = both_ways(&many) + both_ways(&rest) + both_ways(&(many.0, rest.1));
        println!("PROVED: tree diff: {all} changes of extents, mounted with {options:?}");
    }
}

#[test]
fn subvolumes_inside_are_no_change() {
    let pool = LoopPool::new(1 << 30, &[], &[]).unwrap();
    let source = Subvolume::create(&pool.path(), "source".as_ref()).unwrap();
    let inside = source.path().join("inside");
    fs::create_dir(&inside).unwrap();
    fs::write(inside.join("xx"), noise(5000)).unwrap();
    fs::write(inside.join("kept"), noise(5000)).unwrap();
    // Each snapshot is a name in the subvolume that it is of, put there in the very transaction.
    let take = |name: &str| snapshot::take(&source, &inside, name.as_ref()).unwrap().0;
    let first = take("s1");
    let second = take("s2");
    Subvolume::create(&inside, "s".as_ref()).unwrap();
    // As long as the name of a snapshot.
    fs::remove_file(inside.join("xx")).unwrap();
    let third = take("s3");
    let listed = |one: &Subvolume, other: &Subvolume| -> Vec<What> {
        compare(one, other);
        read(one, other).into_iter().map(|one| one.change.what).filter(|what| *what != What::Changed).collect()
    };
    assert_eq!(listed(&first, &second), []);
    assert_eq!(listed(&second, &third), [What::Deleted]);
    assert_eq!(listed(&third, &first), [What::Created]);
    println!("PROVED: tree diff: snapshots inside of what they are of are no change, and hide none");
}

#[test]
fn numbers_that_are_used_again_are_other_files() {
    let pool = LoopPool::new(1 << 30, &[], &[]).unwrap();
    let mut mounted: PathBuf = pool.path();
    let inode = |path: &Path| path.symlink_metadata().unwrap().ino();
    for round in 0..4 {
        let name = |kind: &str| format!("{kind}{round}");
        let take = |mounted: &Path, kind: &str| {
            let source = Subvolume::open(mounted.join(name("source"))).unwrap();
            drop(snapshot::take(&source, mounted, name(kind).as_ref()).unwrap());
        };
        drop(Subvolume::create(&mounted, name("source").as_ref()).unwrap());
        let last = mounted.join(name("source")).join("last");
        fs::create_dir_all(last.with_file_name("dir")).unwrap();
        fs::create_dir(&last).unwrap();
        fs::write(last.join("in it"), noise(5000)).unwrap();
        let number = inode(&last);
        take(&mounted, "first");
        fs::remove_dir_all(&last).unwrap();
        // Mounted again, the highest number is found out anew.
        unmount_when_idle(&mounted).unwrap();
        mounted = pool.mount_again(&[]).unwrap();
        let top = mounted.join(name("source"));
        let made = top.join(["last", "last", "dir/elsewhere", "dir/file"][round]);
        match round {
            0 | 3 => fs::write(&made, noise(7000)).unwrap(),
            _ => fs::create_dir(&made).unwrap(),
        }
        assert_eq!(inode(&made), number, "{round}: no number was used again");
        if round == 1 {
            fs::write(made.join("in it"), noise(5000)).unwrap();
        }
        take(&mounted, "second");
        let open = |kind: &str| Subvolume::open(mounted.join(name(kind))).unwrap();
        let (first, second) = (open("first"), open("second"));
        assert!(compare(&first, &second) >= 3);
        assert!(compare(&second, &first) >= 3);
    }
    println!("PROVED: tree diff: a number that is used again is one file gone and another made");
}
