//! The digest of a tree: the same for the same content however it came about, another for every difference.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use subvault_host::HostErrorKind;
use subvault_host::pace::Pace;
use subvault_host::read_ahead::ReadAhead;
use subvault_host::snapshot;
use subvault_host::subvolume::Subvolume;
use subvault_host::tree_digest::{Control, DigestSummary, Labels, TreeDigest, touched, whole_tree};
use subvault_model::bytesize::ByteSize;
use subvault_model::monitor::{Event, Monitor, Silent};
use subvault_sendstream::decode::Decoder;
use subvault_sendstream::touched::{Paths, Scope, Touched};

use crate::churn::{Dice, churn};
use crate::oracle::{receive, send, settings};
use crate::support::{noise, odd, pool};

static GO_ON: AtomicBool = AtomicBool::new(false);
const QUIET: Control<'static> = Control { monitor: &Silent, cancel: &GO_ON, pace: None, labels: Labels::Counted };

fn digest(path: &Path) -> DigestSummary {
    whole_tree(&Subvolume::open(path).unwrap(), 3, QUIET).unwrap()
}

fn at(seconds: i64) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: 7 };
    Timestamps { last_access: time, last_modification: time }
}

/// Gives everything the same time, so that a change shows by itself and not by its time.
fn level_times(top: &Path) {
    let entries = Command::new("find").arg(top).arg("-print0").output().unwrap().stdout;
    for path in entries.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
        rustix::fs::utimensat(CWD, OsStr::from_bytes(path), &at(1000), AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }
}

fn count(top: &Path) -> u64 {
    let entries = Command::new("find").arg(top).args(["-printf", "x"]).output().unwrap().stdout;
    entries.len() as u64
}

/// A change of a tree.
type Change = fn(&Path);

const CHANGES: [(&str, Change); 20] = [
    ("a byte in the middle", |top| {
        File::options().write(true).open(top.join("big")).unwrap().write_all_at(b"!", 2_000_000).unwrap();
    }),
    ("the last byte", |top| {
        File::options().write(true).open(top.join("small")).unwrap().write_all_at(b"!", 99).unwrap();
    }),
    ("a zero more", |top| File::options().write(true).open(top.join("small")).unwrap().set_len(101).unwrap()),
    ("a byte in a hole", |top| {
        File::options().write(true).open(top.join("sparse")).unwrap().write_all_at(b"!", 9 << 20).unwrap();
    }),
    ("blocks exchanged", |top| {
        let file = File::options().read(true).write(true).open(top.join("big")).unwrap();
        let (mut a, mut b) = (vec![0; 128 << 10], vec![0; 128 << 10]);
        file.read_exact_at(&mut a, 0).unwrap();
        file.read_exact_at(&mut b, 128 << 10).unwrap();
        file.write_all_at(&b, 0).unwrap();
        file.write_all_at(&a, 128 << 10).unwrap();
    }),
    ("contents exchanged", |top| {
        fs::rename(top.join("dir/one"), top.join("dir/three")).unwrap();
        fs::rename(top.join("dir/two"), top.join("dir/one")).unwrap();
        fs::rename(top.join("dir/three"), top.join("dir/two")).unwrap();
    }),
    ("a mode", |top| fs::set_permissions(top.join("small"), fs::Permissions::from_mode(0o4755)).unwrap()),
    ("the mode of the top", |top| fs::set_permissions(top, fs::Permissions::from_mode(0o700)).unwrap()),
    ("an owner", |top| {
        rustix::fs::chownat(CWD, top.join("dir"), Some(Uid::from_raw(3)), None, AtFlags::empty()).unwrap();
    }),
    ("the group of a link", |top| {
        rustix::fs::chownat(CWD, top.join("link"), None, Some(Gid::from_raw(3)), AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }),
    ("a name", |top| fs::rename(top.join("small"), top.join(odd(b"sm\xffll"))).unwrap()),
    ("a file less", |top| fs::remove_file(top.join("small")).unwrap()),
    ("a directory more", |top| fs::create_dir(top.join("more")).unwrap()),
    ("a second name", |top| fs::hard_link(top.join("small"), top.join("dir/small")).unwrap()),
    ("a link's target", |top| {
        fs::remove_file(top.join("link")).unwrap();
        std::os::unix::fs::symlink("elsewhere", top.join("link")).unwrap();
    }),
    ("a device's number", |top| {
        fs::remove_file(top.join("device")).unwrap();
        let number = rustix::fs::makedev(1, 4);
        rustix::fs::mknodat(CWD, top.join("device"), FileType::CharacterDevice, Mode::from_raw_mode(0o600), number)
            .unwrap();
    }),
    ("a kind", |top| {
        fs::remove_file(top.join("empty")).unwrap();
        rustix::fs::mknodat(CWD, top.join("empty"), FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    }),
    ("an attribute of a file", |top| {
        rustix::fs::setxattr(top.join("small"), "user.a", b"2", XattrFlags::empty()).unwrap();
    }),
    ("an attribute of a link", |top| {
        rustix::fs::lsetxattr(top.join("link"), "trusted.a", b"2", XattrFlags::empty()).unwrap();
    }),
    ("an attribute of a directory", |top| rustix::fs::removexattr(top.join("dir"), "user.b").unwrap()),
];

fn fill(top: &Path) {
    fs::write(top.join("big"), noise(5_000_000)).unwrap();
    fs::write(top.join("small"), [7; 100]).unwrap();
    fs::write(top.join("empty"), []).unwrap();
    fs::create_dir(top.join("dir")).unwrap();
    fs::write(top.join("dir/one"), "1").unwrap();
    fs::write(top.join("dir/two"), "2").unwrap();
    let sparse = File::create(top.join("sparse")).unwrap();
    sparse.write_all_at(&noise(5000), 5 << 20).unwrap();
    sparse.set_len(20 << 20).unwrap();
    std::os::unix::fs::symlink("nowhere", top.join("link")).unwrap();
    let number = rustix::fs::makedev(1, 3);
    rustix::fs::mknodat(CWD, top.join("device"), FileType::CharacterDevice, Mode::from_raw_mode(0o600), number)
        .unwrap();
    rustix::fs::setxattr(top.join("small"), "user.a", b"1", XattrFlags::empty()).unwrap();
    rustix::fs::setxattr(top.join("dir"), "user.b", b"1", XattrFlags::empty()).unwrap();
}

#[test]
fn every_difference_gives_another_digest() {
    let pool = pool();
    let source = Subvolume::create(&pool.path(), "source".as_ref()).unwrap();
    fill(source.path());
    level_times(source.path());
    let plain = digest(source.path());
    assert_eq!(plain.entries, count(source.path()));
    let mut seen = vec![plain.digest];
    for (number, (what, change)) in CHANGES.into_iter().enumerate() {
        let name = format!("changed{number}");
        let (copy, _) = snapshot::take_writable(&source, &pool.path(), name.as_ref()).unwrap();
        change(copy.path());
        level_times(copy.path());
        let changed = digest(copy.path()).digest;
        assert!(!seen.contains(&changed), "{what}");
        seen.push(changed);
    }
    rustix::fs::utimensat(CWD, source.path().join("dir"), &at(1001), AtFlags::empty()).unwrap();
    assert!(!seen.contains(&digest(source.path()).digest), "a time");
}

#[test]
fn what_is_not_content_makes_no_difference() {
    let pool = pool();
    let source = Subvolume::create(&pool.path(), "source".as_ref()).unwrap();
    fill(source.path());
    level_times(source.path());
    let plain = digest(source.path());
    for threads in [1, 2, 8] {
        assert_eq!(whole_tree(&source, threads, QUIET).unwrap().digest, plain.digest);
    }
    // Zeros that are written where there was a hole; a nested subvolume; another time of access.
    let sparse = File::options().write(true).open(source.path().join("sparse")).unwrap();
    sparse.write_all_at(&vec![0; 5 << 20], 8 << 20).unwrap();
    let nested = Subvolume::create(source.path(), "nested".as_ref()).unwrap();
    fs::write(nested.path().join("file"), "x").unwrap();
    level_times(source.path());
    rustix::fs::utimensat(
        CWD,
        source.path().join("small"),
        &Timestamps { last_access: Timespec { tv_sec: 5, tv_nsec: 0 }, ..at(1000) },
        AtFlags::empty(),
    )
    .unwrap();
    assert_eq!(digest(source.path()).digest, plain.digest);
    // In a snapshot, an empty directory stands for the nested one.
    let (taken, _) = snapshot::take(&source, &pool.path(), "taken".as_ref()).unwrap();
    assert!(taken.path().join("nested").is_dir());
    assert_eq!(digest(taken.path()).digest, plain.digest);
}

/// The digest as its description says, written a second time.
#[test]
fn the_digest_is_what_its_description_says() {
    let pool = pool();
    let source = Subvolume::create(&pool.path(), "source".as_ref()).unwrap();
    let file = source.path().join("f");
    let mut content = noise(300_000);
    content[128 << 10..256 << 10].fill(0);
    fs::write(&file, &content).unwrap();
    rustix::fs::setxattr(&file, "user.b", b"B", XattrFlags::empty()).unwrap();
    rustix::fs::setxattr(&file, "user.a", b"", XattrFlags::empty()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o2640)).unwrap();
    level_times(source.path());

    let text = |bytes: &[u8]| [&(bytes.len() as u64).to_le_bytes(), bytes].concat();
    let numbers = |all: &[u32]| all.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>();
    let time = [&1000_i64.to_le_bytes()[..], &7_u32.to_le_bytes()].concat();
    let mode = source.path().metadata().unwrap().mode() & 0o7777;
    let zero = 0_u64.to_le_bytes();
    let top = [&text(b"")[..], b"d", &numbers(&[mode, 0, 0, 0, 0]), &time, &zero, &numbers(&[0]), &text(b""), &zero];
    let attributes = [&2_u64.to_le_bytes()[..], &text(b"user.a"), &text(b""), &text(b"user.b"), &text(b"B")].concat();
    let size = 300_000_u64.to_le_bytes();
    let entry =
        [&text(b"f")[..], b"f", &numbers(&[0o2640, 0, 0, 0, 0]), &time, &size, &numbers(&[1]), &text(b""), &attributes];
    let two = 2_u64.to_le_bytes();
    let blocks = [&text(b"f")[..], &size, &zero, &content[..128 << 10], &two, &content[256 << 10..]];
    let mut sum = [0_u64; 8];
    for (context, item) in [("entry", top.concat()), ("entry", entry.concat()), ("content", blocks.concat())] {
        let mut bytes = [0; 64];
        let mut hasher = blake3::Hasher::new_derive_key(&format!("subvault tree-digest v1 {context}"));
        hasher.update(&item).finalize_xof().fill(&mut bytes);
        for (lane, part) in sum.iter_mut().zip(bytes.chunks(8)) {
            *lane = lane.wrapping_add(u64::from_le_bytes(part.try_into().unwrap()));
        }
    }
    let expected: String = sum.iter().flat_map(|lane| lane.to_le_bytes()).map(|byte| format!("{byte:02x}")).collect();
    let found = digest(source.path()).digest;
    assert_eq!(found.to_string(), expected);
    assert_eq!(expected.parse::<TreeDigest>().unwrap(), found);
    assert!(
        expected[1..].parse::<TreeDigest>().is_err() && format!("+{}", &expected[1..]).parse::<TreeDigest>().is_err()
    );
}

fn with_scope<T>(stream: &[u8], then: impl FnOnce(Paths<'_>) -> T) -> T {
    let mut touched = Touched::new(64 << 20);
    let mut decoder = Decoder::new();
    decoder
        .push(stream, &mut |command| {
            touched.command(&command);
            Ok::<(), std::convert::Infallible>(())
        })
        .unwrap();
    match touched.scope() {
        Scope::Paths(paths) => then(paths),
        Scope::Everything => panic!("the scope is everything"),
    }
}

#[test]
fn copies_have_the_digests_of_what_they_are_copies_of() {
    let (source_pool, our_pool) = (pool(), pool());
    let source = Subvolume::create(&source_pool.path(), "source".as_ref()).unwrap();
    let mut dice = Dice::new(31);
    churn(source.path(), &mut dice, 150);
    let mut parent: Option<Subvolume> = None;
    for step in 0..4 {
        let name = format!("step{step}");
        let (taken, _) = snapshot::take(&source, &source_pool.path(), name.as_ref()).unwrap();
        let options: &[&OsStr] = match &parent {
            Some(parent) => &[OsStr::new("-p"), parent.path().as_os_str()],
            None => &[],
        };
        let stream = send(options, taken.path());
        let how = settings(&our_pool.path(), name.as_ref());
        let received = receive(&stream, &our_pool.path(), how).unwrap();
        let (there, here) = (digest(taken.path()), digest(&received.path));
        assert_eq!(there, here);
        assert_eq!(there.entries, count(taken.path()));
        if parent.is_some() {
            with_scope(&stream, |scope| {
                let there = touched(&taken, scope, 3, QUIET).unwrap();
                assert_eq!(touched(&received.subvolume, scope, 1, QUIET).unwrap(), there);
                assert_eq!(there.entries, scope.len() as u64);
                damage_is_seen(&our_pool.path(), &received.subvolume, scope, there.digest);
            });
        }
        churn(source.path(), &mut dice, 60);
        parent = Some(taken);
    }
}

/// Changes a byte that the stream wrote.
fn damage_is_seen(pool: &Path, received: &Subvolume, scope: Paths<'_>, right: TreeDigest) {
    let size =
        |path: &[u8]| received.path().join(OsStr::from_bytes(path)).symlink_metadata().map_or(0, |found| found.len());
    let (path, at) = scope
        .iter()
        .filter(|(path, _)| received.path().join(OsStr::from_bytes(path)).is_file())
        .find_map(|(path, part)| {
            part.ranges.iter().map(|range| range.start).find(|at| *at < size(path)).map(|at| (path, at))
        })
        .unwrap();
    let name = OsStr::from_bytes(b"damaged");
    let (copy, info) = snapshot::take_writable(received, pool, name).unwrap();
    let file = File::options().read(true).write(true).open(copy.path().join(OsStr::from_bytes(path))).unwrap();
    let times = file.metadata().unwrap().modified().unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[!byte[0]], at).unwrap();
    file.set_modified(times).unwrap();
    assert_ne!(touched(&copy, scope, 2, QUIET).unwrap().digest, right);
    drop(copy);
    Subvolume::delete(pool, name, info.uuid.unwrap()).unwrap();
}

#[test]
fn a_directory_of_many_files_is_read_piece_by_piece() {
    let pool = pool();
    let source = Subvolume::create(&pool.path(), "source".as_ref()).unwrap();
    for i in 0..20_000 {
        fs::write(source.path().join(format!("{i}")), "").unwrap();
    }
    for i in 0..9000 {
        fs::create_dir_all(source.path().join(format!("dirs/{i}"))).unwrap();
    }
    let one = whole_tree(&source, 1, QUIET).unwrap();
    assert_eq!(one.entries, 29_002);
    assert_eq!(whole_tree(&source, 4, QUIET).unwrap(), one);
}

/// Counts, and cancels at the first word.
struct Impatient<'a>(&'a AtomicBool);

impl Monitor for Impatient<'_> {
    fn event(&self, event: Event) {
        assert!(matches!(event, Event::Progress(_)));
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn it_ends_when_it_is_cancelled() {
    let pool = pool();
    let source = Subvolume::create(&pool.path(), "source".as_ref()).unwrap();
    for i in 0..40 {
        fs::create_dir(source.path().join(format!("{i}"))).unwrap();
        fs::write(source.path().join(format!("{i}/file")), noise(1 << 20)).unwrap();
    }
    let cancel = AtomicBool::new(false);
    let control = Control { monitor: &Impatient(&cancel), cancel: &cancel, pace: None, labels: Labels::Counted };
    assert_eq!(whole_tree(&source, 2, control).unwrap_err().kind(), HostErrorKind::Interrupted);
}

#[test]
fn reading_ahead_stops_by_itself_when_all_is_cached_and_else_when_told() {
    let pool = pool();
    let source = Subvolume::create(&pool.path(), "source".as_ref()).unwrap();
    let pace = || Arc::new(Pace::new(ByteSize::mib(100)));
    for i in 0..1000 {
        fs::write(source.path().join(format!("{i}")), noise(10_000)).unwrap();
    }
    source.sync_filesystem().unwrap();
    let warm = ReadAhead::start(source.path(), 2, pace()).unwrap().wait();
    assert!(warm.was_cached && warm.files < 1000, "{warm:?}");
    for entry in fs::read_dir(source.path()).unwrap() {
        let file = File::open(entry.unwrap().path()).unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    }
    let cold = ReadAhead::start(source.path(), 2, pace()).unwrap().wait();
    assert!(!cold.was_cached && cold.files == 1000 && cold.bytes == ByteSize::bytes(10_000_000), "{cold:?}");
    // Too far ahead, it waits until it is told to stop.
    let waiting = ReadAhead::start(source.path(), 1, Arc::new(Pace::new(ByteSize::kib(100)))).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(50));
    waiting.stop();
}

#[test]
fn labels_of_the_kernel_can_be_left_out_and_nothing_else_is() {
    let pool = pool();
    let source = Subvolume::create(&pool.path(), "source".as_ref()).unwrap();
    fs::write(source.path().join("small"), "x").unwrap();
    let without = |labels| whole_tree(&source, 2, Control { labels, ..QUIET }).unwrap().digest;
    let (counted, left_out) = (without(Labels::Counted), without(Labels::LeftOut));
    assert_eq!(counted, left_out);
    for (name, is_label) in [("security.selinux", true), ("security.SMACK64EXEC", true), ("security.other", false)] {
        rustix::fs::setxattr(source.path().join("small"), name, b"x", XattrFlags::empty()).unwrap();
        assert_ne!(without(Labels::Counted), counted, "{name}");
        assert_eq!(without(Labels::LeftOut) == left_out, is_label, "{name}");
    }
}
