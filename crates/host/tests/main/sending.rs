//! Snapshots and send streams, with `btrfs send` as the oracle.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use subvault_host::HostErrorKind;
use subvault_host::send::{Protocol, SendSettings, SendStream, send, supported_protocol};
use subvault_host::snapshot;
use subvault_host::subvolume::Subvolume;
use subvault_testkit::pool::LoopPool;

use crate::support::{btrfs, noise, odd, pool, show, value};

const V1: SendSettings = SendSettings { protocol: Protocol::V1, compressed: false, no_data: false };
const V2: SendSettings = SendSettings { protocol: Protocol::V2, ..V1 };
const V2_COMPRESSED: SendSettings = SendSettings { compressed: true, ..V2 };

/// Two snapshots of a subvolume with a bit of everything, the second with changes.
struct Pair {
    pool: LoopPool,
    first: Subvolume,
    second: Subvolume,
}

fn pair() -> Pair {
    let pool = LoopPool::new(512 << 20, &[], &["compress=zstd:3"]).unwrap();
    let source = Subvolume::create(&pool.path(), odd(b"source\xff")).unwrap();
    fill(source.path());
    let take = |name: &str| snapshot::take(&source, &pool.path(), name.as_ref()).unwrap().0;
    let first = take("first");
    change(source.path());
    let second = take("second");
    Pair { pool, first, second }
}

fn fill(top: &Path) {
    fs::create_dir(top.join(odd(b"dir\xfe"))).unwrap();
    fs::write(top.join(odd(b"dir\xfe/file\xfd")), noise(3 << 20)).unwrap();
    fs::write(top.join("text"), b"the same again\n".repeat(200_000)).unwrap();
    fs::write(top.join("move me"), noise(100_000)).unwrap();
    std::os::unix::fs::symlink(odd(b"dir\xfe/file\xfd"), top.join("link")).unwrap();
    fs::hard_link(top.join("text"), top.join(odd(b"dir\xfe/text"))).unwrap();
    for i in 0..200 {
        fs::write(top.join(format!("small{i}")), noise(i * 7)).unwrap();
    }
}

fn change(top: &Path) {
    fs::write(top.join("new"), noise(50_000)).unwrap();
    fs::rename(top.join("move me"), top.join(odd(b"dir\xfe/moved"))).unwrap();
    fs::remove_file(top.join("small3")).unwrap();
    fs::write(top.join("text"), b"something else\n".repeat(1000)).unwrap();
    // Shares its extents with a file that the parent has.
    let from = fs::File::open(top.join(odd(b"dir\xfe/file\xfd"))).unwrap();
    let copy = fs::File::create(top.join("copy")).unwrap();
    subvault_host::ioctl::clone_range(&from, 0, 1 << 20, &copy, 0).unwrap();
}

fn stream(snapshot: &Subvolume, parent: Option<&Subvolume>, settings: SendSettings) -> Vec<u8> {
    let mut stream = send(snapshot, parent, &[], settings).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    stream.finish().unwrap();
    bytes
}

fn oracle(snapshot: &Subvolume, options: &[&OsStr]) -> Vec<u8> {
    let args = [&["-q".as_ref(), "send".as_ref()], options, &[snapshot.path().as_os_str()]];
    btrfs(&args.concat())
}

#[test]
fn streams_are_those_of_btrfs_send_byte_for_byte() {
    assert_eq!(supported_protocol(), Protocol::V2);
    let Pair { pool: _pool, first, second } = pair();
    let variants: [(SendSettings, &[&str]); 4] = [
        (V1, &["--proto", "1"]),
        (V2, &["--proto", "2"]),
        (V2_COMPRESSED, &["--proto", "2", "--compressed-data"]),
        (SendSettings { no_data: true, ..V2 }, &["--proto", "2", "--no-data"]),
    ];
    for (settings, options) in variants {
        let mut options: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
        let full = stream(&second, None, settings);
        assert!(full == oracle(&second, &options), "full, {settings:?}");
        options.extend([OsStr::new("-p"), first.path().as_os_str()]);
        let incremental = stream(&second, Some(&first), settings);
        assert!(incremental == oracle(&second, &options), "incremental, {settings:?}");
        println!("{settings:?}: full {} incremental {}", full.len(), incremental.len());
        assert!(incremental.len() < full.len());
    }
    let mut shared = send(&second, None, &[&first], V2).unwrap();
    let mut bytes = Vec::new();
    shared.read_to_end(&mut bytes).unwrap();
    shared.finish().unwrap();
    assert!(bytes.len() < stream(&second, None, V2).len());
}

#[test]
fn a_stream_dropped_early_stops_the_kernel_and_frees_the_snapshot() {
    let Pair { pool, first, second: _second } = pair();
    let begun = Instant::now();
    let part_of = |len: usize| -> SendStream {
        let mut stream = send(&first, None, &[], V1).unwrap();
        stream.read_exact(&mut vec![0; len]).unwrap();
        stream
    };
    drop(send(&first, None, &[], V1).unwrap());
    drop(part_of(100_000));
    let error = part_of(100_000).finish().unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Interrupted);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // A snapshot that is still being sent cannot be deleted.
    let uuid = first.info().unwrap().identity().unwrap();
    let held = part_of(10);
    let refused = Subvolume::delete(&pool.path(), "first".as_ref(), uuid).unwrap_err();
    assert_eq!(refused.kind(), HostErrorKind::Busy);
    drop(held);
    Subvolume::delete(&pool.path(), "first".as_ref(), uuid).unwrap();
}

#[test]
fn what_the_kernel_ends_with_is_not_lost() {
    let pool = pool();
    let source = Subvolume::create(&pool.path(), "source".as_ref()).unwrap();
    let path = source.path().join("file");
    fs::write(&path, noise(4 << 20)).unwrap();
    let taken = snapshot::take(&source, &pool.path(), "taken".as_ref()).unwrap().0;
    damage(&pool, &path);
    let mut stream = send(&taken, None, &[], V1).unwrap();
    let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("cannot send"), "{error}");
    let error = stream.finish().unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("Input/output error"), "{cause}");
}

/// Overwrites the file's data on the device, so that its checksums no longer fit.
fn damage(pool: &LoopPool, file: &Path) {
    use std::os::unix::fs::FileExt;
    let needle = fs::read(file).unwrap()[(2 << 20)..][..4096].to_vec();
    rustix::fs::syncfs(fs::File::open(pool.path()).unwrap()).unwrap();
    let device = fs::OpenOptions::new().read(true).write(true).open(pool.device()).unwrap();
    let size = 512 << 20;
    let mut block = vec![0; 1 << 20];
    for at in (0..size).step_by(1 << 20) {
        device.read_exact_at(&mut block, at).unwrap();
        if let Some(inside) = block.chunks(4096).position(|chunk| chunk == needle) {
            device.write_all_at(&[0x55; 4096], at + inside as u64 * 4096).unwrap();
        }
    }
    device.sync_all().unwrap();
    fs::write("/proc/sys/vm/drop_caches", "3").unwrap();
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let Pair { pool: _pool, first, second } = pair();
    let other = pair();
    let top = first.path().parent().unwrap();
    let writable = Subvolume::open_in(top, odd(b"source\xff")).unwrap();
    let kind = |snapshot, parent, settings| send(snapshot, parent, &[], settings).unwrap_err().kind();
    assert_eq!(kind(&writable, None, V1), HostErrorKind::NotReadOnly);
    assert_eq!(kind(&second, Some(&writable), V1), HostErrorKind::NotReadOnly);
    assert_eq!(kind(&second, Some(&other.first), V1), HostErrorKind::OtherPool);
    let compressed = SendSettings { compressed: true, ..V1 };
    assert_eq!(kind(&second, Some(&first), compressed), HostErrorKind::Unsupported);
}

#[test]
fn a_snapshot_is_read_only_and_knows_its_origin() {
    let pool = pool();
    let source = Subvolume::create(&pool.path(), odd(b"s\xff")).unwrap();
    fs::write(source.path().join("file"), b"content").unwrap();
    let name = odd(b"snap\xfe");
    let (taken, info) = snapshot::take(&source, &pool.path(), name).unwrap();
    assert!(info.read_only);
    assert_eq!(info.name, name);
    assert_eq!(info.parent_uuid.unwrap().as_bytes(), source.info().unwrap().uuid.unwrap().as_bytes());
    assert_eq!(fs::read(taken.path().join("file")).unwrap(), b"content");
    let shown = show(taken.path());
    assert_eq!(value(&shown, "UUID"), info.uuid.unwrap().to_string());
    assert_eq!(value(&shown, "Flags"), "readonly");
    let (copy, info) = snapshot::take_writable(&taken, &pool.path(), "copy".as_ref()).unwrap();
    assert!(!info.read_only);
    fs::write(copy.path().join("file"), b"changed").unwrap();
}

#[test]
fn a_snapshot_that_cannot_be_is_refused_by_kind() {
    let pool = pool();
    let source = Subvolume::create(&pool.path(), "source".as_ref()).unwrap();
    let kind = |dir: &Path, name: &str| snapshot::take(&source, dir, name.as_ref()).unwrap_err().kind();
    fs::create_dir(pool.path().join("there")).unwrap();
    assert_eq!(kind(&pool.path(), "there"), HostErrorKind::Exists);
    assert_eq!(kind(&pool.path().join("none"), "x"), HostErrorKind::NotFound);
    assert_eq!(kind(Path::new("/tmp"), "x"), HostErrorKind::NotBtrfs);
    let other = crate::support::pool();
    assert_eq!(kind(&other.path(), "x"), HostErrorKind::OtherPool);
    let inside = snapshot::take(&source, &pool.path(), "inside".as_ref()).unwrap().0;
    assert_eq!(kind(inside.path(), "x"), HostErrorKind::ReadOnly);
    assert_eq!(kind(&pool.path(), &"x".repeat(256)), HostErrorKind::Refused);
}

#[test]
fn fifty_snapshots_are_quick() {
    let pool = pool();
    let source = Subvolume::create(&pool.path(), "source".as_ref()).unwrap();
    for i in 0..2000 {
        fs::write(source.path().join(format!("file{i}")), noise(100)).unwrap();
    }
    let dir: PathBuf = pool.path();
    let begun = Instant::now();
    let mut taken = Vec::new();
    for i in 0..50 {
        let name = format!("snap{i}");
        let (_, info) = snapshot::take(&source, &dir, name.as_ref()).unwrap();
        taken.push((name, info.identity().unwrap()));
    }
    println!("50 snapshots in {:?}", begun.elapsed());
    let begun = Instant::now();
    let listed = source.pool().unwrap().subvolumes().unwrap();
    println!("{} subvolumes listed in {:?}", listed.len(), begun.elapsed());
    assert_eq!(listed.len(), 52);
    let begun = Instant::now();
    for (name, uuid) in &taken {
        Subvolume::delete(&dir, OsStr::from_bytes(name.as_bytes()), *uuid).unwrap();
    }
    println!("50 snapshots deleted in {:?}", begun.elapsed());
    assert_eq!(source.pool().unwrap().subvolumes().unwrap().len(), 2);
}

/// Tells the started copy of this binary what to send.
const SEND_THIS: &str = "SUBVAULT_TEST_SEND_THIS";

/// What the started copy does; in the ordinary run of the tests there is nothing to do.
#[test]
fn send_slowly() {
    let Some(path) = std::env::var_os(SEND_THIS) else { return };
    let mut stream = send(&Subvolume::open(path).unwrap(), None, &[], V1).unwrap();
    stream.read_exact(&mut vec![0; 1 << 20]).unwrap();
    // The pipe fills up, the kernel waits, and the parent stops this process.
    println!("waiting");
    std::io::stdin().read_exact(&mut [0]).unwrap();
    let ended = stream.read_to_end(&mut Vec::new());
    println!("ended {:?} {:?}", ended.is_ok(), stream.finish().map_err(|error| error.kind()));
}

/// The kernel begins a stopped send again in the middle of the stream, and says that all is well.
#[test]
fn a_stream_during_which_the_process_was_stopped_is_not_taken_for_whole() {
    use rustix::process::{Pid, Signal, kill_process};
    let pool = pool();
    let source = Subvolume::create(&pool.path(), "source".as_ref()).unwrap();
    fs::write(source.path().join("file"), noise(20 << 20)).unwrap();
    let taken = snapshot::take(&source, &pool.path(), "taken".as_ref()).unwrap().0;
    for stop in [false, true] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sending::send_slowly", "--nocapture"])
            .env(SEND_THIS, taken.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("waiting")));
        std::thread::sleep(Duration::from_millis(300));
        if stop {
            let pid = Pid::from_child(&child);
            kill_process(pid, Signal::STOP).unwrap();
            std::thread::sleep(Duration::from_millis(100));
            kill_process(pid, Signal::CONT).unwrap();
        }
        child.stdin.take().unwrap().write_all(b"x").unwrap();
        let said = lines.find(|line| line.contains("ended")).unwrap();
        child.wait().unwrap();
        let expected = if stop { "ended false Err(Interrupted)" } else { "ended true Ok(())" };
        assert!(said.contains(expected), "{said}");
    }
}
