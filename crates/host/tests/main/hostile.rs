//! Streams that try to reach outside of the subvolume that they describe, or make no sense.

use std::fs;
use std::path::Path;

use subvault_host::receive::{ReceiveError, Receiver, These};
use subvault_host::snapshot;
use subvault_host::subvolume::Subvolume;
use subvault_sendstream::command::{Command, Compression, Timespec};
use subvault_testkit::pool::LoopPool;

use crate::oracle::settings;
use crate::support::pool;

const SUBVOL: Command<'static> = Command::Subvol { path: b"x", uuid: [7; 16], ctransid: 1 };
const NOW: Timespec = Timespec { seconds: 1, nanoseconds: 0 };

/// Applies commands, an end added, and gives the first error.
fn apply(pool: &LoopPool, name: &str, commands: &[Command<'_>]) -> Result<(), ReceiveError> {
    let mut receiver = Receiver::new(&pool.path(), settings(&pool.path(), name.as_ref()))?;
    for command in commands {
        receiver.command(command)?;
    }
    receiver.command(&Command::End)?;
    receiver.finish().map(drop)
}

fn write(path: &[u8]) -> Command<'_> {
    Command::Write { path, offset: 0, data: b"gotcha" }
}

#[test]
fn paths_that_lead_outside_are_refused() {
    let pool = pool();
    let outside = pool.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "mine").unwrap();
    let link = outside.as_os_str().as_encoded_bytes();
    let file = [link, b"/file"].concat();
    let to_dir = Command::Symlink { path: b"d", target: link };
    let to_file = Command::Symlink { path: b"f", target: &file };
    let chown = |path| Command::Chown { path, uid: 5, gid: 5 };
    let xattr = |path| Command::SetXattr { path, name: b"user.x", data: b"x" };
    let times = |path| Command::Utimes { path, atime: NOW, mtime: NOW, ctime: NOW, otime: None };
    let bad: &[&[Command<'_>]] = &[
        &[Command::Mkfile { path: b"../escaped" }],
        &[Command::Mkfile { path: b"/escaped" }],
        &[Command::Mkdir { path: b"a/../../escaped" }],
        &[to_dir, Command::Mkfile { path: b"d/escaped" }],
        &[to_dir, Command::Mkdir { path: b"d/escaped" }],
        &[to_dir, Command::Mkfile { path: b"o" }, Command::Rename { path: b"o", to: b"d/escaped" }],
        &[to_dir, Command::Mkfile { path: b"o" }, Command::Rename { path: b"o", to: b"../escaped" }],
        &[to_dir, Command::Rename { path: b"d/file", to: b"stolen" }],
        &[to_dir, Command::Link { path: b"stolen", existing: b"d/file" }],
        &[to_dir, Command::Unlink { path: b"d/file" }],
        &[to_dir, Command::Rmdir { path: b"d/../outside" }],
        &[to_dir, write(b"d/file")],
        &[to_file, write(b"f")],
        &[to_file, Command::Truncate { path: b"f", size: 0 }],
        &[to_file, Command::Chmod { path: b"f", mode: 0o777 }],
        &[to_dir, chown(b"d/file")],
        &[to_dir, xattr(b"d/file")],
        &[to_dir, times(b"d/file")],
        &[to_file, xattr(b"f")],
        &[Command::Symlink { path: b"up", target: b".." }, Command::Unlink { path: b"up/outside/file" }],
        &[Command::Mkfile { path: b"a\0b" }],
        &[Command::Mkfile { path: b"" }],
    ];
    for (number, commands) in bad.iter().enumerate() {
        let error = apply(&pool, &format!("bad{number}"), &[&[SUBVOL], *commands].concat()).expect_err("was applied");
        assert!(!error.to_string().is_empty());
        assert_untouched(&outside);
        assert!(!pool.path().join("escaped").exists(), "{commands:?}");
    }
    // Of a link itself, all this can be set.
    apply(&pool, "good", &[SUBVOL, to_file, chown(b"f"), times(b"f")]).unwrap();
    assert_untouched(&outside);
}

fn assert_untouched(outside: &Path) {
    use std::os::unix::fs::MetadataExt;
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"mine");
    assert_eq!(fs::read_dir(outside).unwrap().count(), 1);
    let metadata = outside.join("file").metadata().unwrap();
    assert_eq!((metadata.uid(), metadata.mode() & 0o777, metadata.nlink()), (0, 0o644, 1));
    assert_ne!(metadata.mtime(), NOW.seconds);
}

#[test]
fn a_device_is_made_and_never_written_to() {
    let pool = pool();
    // The pool's own first device number could be used; `full` gives itself away by its error.
    let full = Command::Mknod { path: b"full", mode: 0o020_666, rdev: (1 << 8) | 7 };
    let error = apply(&pool, "device", &[SUBVOL, full, write(b"full")]).expect_err("was written to");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("Bad file descriptor"), "{cause}");
    let fifo = Command::Mkfifo { path: b"fifo" };
    apply(&pool, "fifo", &[SUBVOL, fifo, write(b"fifo")]).expect_err("was written to");
    let clone = Command::Clone {
        path: b"o",
        offset: 0,
        len: 1,
        clone_uuid: [7; 16],
        clone_ctransid: 1,
        clone_path: b"full",
        clone_offset: 0,
    };
    let commands = [SUBVOL, full, Command::Mkfile { path: b"o" }, clone];
    apply(&pool, "clone", &commands).expect_err("was read");
}

#[test]
fn clones_come_from_known_subvolumes_and_real_files_only() {
    let pool = pool();
    let known = Subvolume::create(&pool.path(), "known".as_ref()).unwrap();
    fs::write(pool.path().join("secret"), vec![1; 8192]).unwrap();
    fs::write(known.path().join("file"), vec![2; 8192]).unwrap();
    std::os::unix::fs::symlink("../secret", known.path().join("link")).unwrap();
    let nested = Subvolume::create(known.path(), "nested".as_ref()).unwrap();
    fs::write(nested.path().join("secret"), vec![3; 8192]).unwrap();
    let (taken, info) = snapshot::take(&known, &pool.path(), "taken".as_ref()).unwrap();
    let from = |uuid: [u8; 16], clone_path| {
        let clone = Command::Clone {
            path: b"o",
            offset: 0,
            len: 8192,
            clone_uuid: uuid,
            clone_ctransid: 1,
            clone_path,
            clone_offset: 0,
        };
        [SUBVOL, Command::Mkfile { path: b"o" }, clone]
    };
    let writable = *known.info().unwrap().uuid.unwrap().as_bytes();
    let uuid = *info.uuid.unwrap().as_bytes();
    let bad: [(_, &[u8]); 6] = [
        (uuid, b"link"),
        (uuid, b"../secret"),
        (uuid, b"nested"),
        (uuid, b""),
        (writable, b"nested/secret"),
        ([9; 16], b"file"),
    ];
    for (number, (uuid, path)) in bad.into_iter().enumerate() {
        apply(&pool, &format!("bad{number}"), &from(uuid, path)).expect_err("was cloned");
    }
    apply(&pool, "good", &from(uuid, b"file")).unwrap();
    assert_eq!(fs::read(pool.path().join("good/o")).unwrap(), vec![2; 8192]);

    let mut how = settings(&pool.path(), "chosen".as_ref());
    how.sources = Box::new(These(Vec::new()));
    let mut receiver = Receiver::new(&pool.path(), how).unwrap();
    let [subvol, mkfile, clone] = from(uuid, b"file");
    receiver.command(&subvol).unwrap();
    receiver.command(&mkfile).unwrap();
    assert!(matches!(receiver.command(&clone), Err(ReceiveError::SourceMissing { .. })));
    drop(taken);
}

#[test]
fn streams_out_of_order_are_refused() {
    let pool = pool();
    let mkfile = Command::Mkfile { path: b"a" };
    apply(&pool, "1", &[mkfile]).expect_err("no subvolume");
    apply(&pool, "2", &[SUBVOL, SUBVOL]).expect_err("two subvolumes");
    apply(&pool, "3", &[SUBVOL, Command::End, mkfile]).expect_err("after the end");
    apply(&pool, "4", &[SUBVOL, Command::UpdateExtent { path: b"a", offset: 0, len: 1 }]).expect_err("no data");
    apply(&pool, "../5", &[SUBVOL]).expect_err("not a name");
    let missing = Command::Snapshot { path: b"x", uuid: [7; 16], ctransid: 1, clone_uuid: [8; 16], clone_ctransid: 1 };
    assert!(matches!(apply(&pool, "6", &[missing]), Err(ReceiveError::SourceMissing { .. })));
    apply(&pool, "7", &[SUBVOL, write(b"nothing there")]).expect_err("no such file");
    apply(&pool, "8", &[SUBVOL, mkfile, mkfile]).expect_err("twice");
    let no_uuid = Command::Subvol { path: b"x", uuid: [0; 16], ctransid: 1 };
    apply(&pool, "9", &[no_uuid]).expect_err("no uuid");
}

#[test]
fn damaged_compressed_data_is_refused() {
    let pool = pool();
    for (number, compression) in
        [Compression::Zlib, Compression::Zstd, Compression::Lzo { sector_kib: 4 }].into_iter().enumerate()
    {
        let write = Command::EncodedWrite {
            path: b"a",
            offset: 1,
            unencoded_file_len: 4096,
            unencoded_len: 4096,
            unencoded_offset: 0,
            compression,
            data: &[0xa5; 100],
        };
        let commands = [SUBVOL, Command::Mkfile { path: b"a" }, write];
        let error = apply(&pool, &format!("e{number}"), &commands).expect_err("was written");
        assert!(matches!(error, ReceiveError::Unpack { .. }), "{error:?}");
    }
}

#[test]
fn an_odd_order_has_the_same_result_as_taking_it_literally() {
    let pool = pool();
    let times = |path, seconds| {
        let time = Timespec { seconds, nanoseconds: 5 };
        Command::Utimes { path, atime: time, mtime: time, ctime: time, otime: None }
    };
    // A directory gets its times, then is moved and filled; a file is renamed onto another; two names for one file.
    apply(
        &pool,
        "odd",
        &[
            SUBVOL,
            Command::Mkdir { path: b"d" },
            times(b"d", 1000),
            Command::Mkdir { path: b"d/e" },
            times(b"d/e", 2000),
            Command::Rename { path: b"d", to: b"n" },
            Command::Mkfile { path: b"n/e/file" },
            write(b"n/e/file"),
            Command::Mkfile { path: b"x" },
            Command::Write { path: b"x", offset: 3, data: b"abc" },
            Command::Rename { path: b"x", to: b"n/e/file" },
            Command::Link { path: b"second", existing: b"n/e/file" },
            Command::Write { path: b"second", offset: 0, data: b"12" },
            Command::Write { path: b"n/e/file", offset: 1, data: b"34" },
        ],
    )
    .unwrap();
    let top = pool.path().join("odd");
    assert_eq!(fs::read(top.join("second")).unwrap(), b"134abc");
    assert_eq!(fs::read(top.join("n/e/file")).unwrap(), b"134abc");
    apply(
        &pool,
        "times",
        &[
            SUBVOL,
            Command::Mkdir { path: b"d" },
            Command::Mkdir { path: b"d/e" },
            times(b"d", 1000),
            times(b"d/e", 2000),
            Command::Rename { path: b"d", to: b"n" },
            Command::Mkfile { path: b"n/e/file" },
            times(b"", 3000),
        ],
    )
    .unwrap();
    use std::os::unix::fs::MetadataExt;
    let top = pool.path().join("times");
    let mtime = |path: &str| top.join(path).metadata().unwrap().mtime();
    assert_eq!((mtime("n"), mtime("n/e"), top.metadata().unwrap().mtime()), (1000, 2000, 3000));
}

/// More directories than the receiver keeps times of. A name that passes through the top afterwards changes its time,
/// and no kernel sends that again.
#[test]
fn many_directories_do_not_cost_the_top_its_time() {
    use std::os::unix::fs::MetadataExt;
    fn times(path: &[u8], seconds: i64) -> Command<'_> {
        let time = Timespec { seconds, nanoseconds: 5 };
        Command::Utimes { path, atime: time, mtime: time, ctime: time, otime: None }
    }
    let pool = pool();
    let mut receiver = Receiver::new(&pool.path(), settings(&pool.path(), "many".as_ref())).unwrap();
    let mut give = |command: Command<'_>| receiver.command(&command).unwrap();
    give(SUBVOL);
    give(times(b"", 1000));
    for number in 0..66_000 {
        let name = format!("d{number}");
        give(Command::Mkdir { path: name.as_bytes() });
        give(times(name.as_bytes(), 2000));
    }
    give(Command::Mkdir { path: b"o1-1-0" });
    give(Command::Rename { path: b"o1-1-0", to: b"d1/x" });
    give(times(b"d1", 3000));
    give(Command::End);
    receiver.finish().unwrap();
    let mtime = |path: &str| pool.path().join(path).metadata().unwrap().mtime();
    assert_eq!((mtime("many"), mtime("many/d0"), mtime("many/d1")), (1000, 2000, 3000));
}
