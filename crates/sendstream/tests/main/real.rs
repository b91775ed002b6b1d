//! Streams of the kernel: read as btrfs-progs and the crate btrfs-stream read them, written as the kernel wrote them.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt},
    },
    path::Path,
};

use btrfs_stream::{StreamCommand, StreamReader};
use subvault_sendstream::{
    command::{Command, Compression, Timespec},
    encode::Encoder,
    touched::{Scope, Touched},
};

use crate::{
    btrfs::{Volume, change_tree, nasty_tree},
    commands::decode_in_blocks,
    dump::Dump,
};

/// A parent, its changed successor, and streams of both in every form that the kernel offers.
struct Sent {
    volume: Volume,
    streams: Vec<(String, Vec<u8>)>,
}

fn send_all(raw_names: bool) -> Sent {
    let volume = Volume::new();
    let work = volume.subvolume("work");
    nasty_tree(&work, raw_names);
    let old = volume.snapshot(&work, "old");
    change_tree(&work, raw_names);
    let new = volume.snapshot(&work, "new");
    let forms: [&[&dyn AsRef<OsStr>]; 4] =
        [&[&"--proto", &"1"], &[&"--proto", &"2"], &[&"--proto", &"2", &"--compressed-data"], &[&"--no-data"]];
    let mut streams = Vec::new();
    for (number, form) in forms.iter().enumerate() {
        let parent: [&dyn AsRef<OsStr>; 2] = [&"-p", &old];
        streams.push((format!("full {number}"), volume.send(&new, form)));
        streams.push((format!("incremental {number}"), volume.send(&new, &[form, &parent[..]].concat())));
    }
    Sent { volume, streams }
}

#[test]
fn streams_read_as_btrfs_receive_reads_them() {
    let sent = send_all(true);
    let mut kinds = BTreeSet::new();
    for (name, stream) in &sent.streams {
        let mut ours = Dump::default();
        let ends = (1..stream.len() / 65_536).map(|block| block * 65_536).collect();
        decode_in_blocks(stream, ends, |command| {
            kinds.insert(command.name());
            ours.command(&command);
        })
        .unwrap_or_else(|error| panic!("{name}: {error}"));
        let theirs = sent.volume.dump(stream);
        for (ours, theirs) in ours.text.split(|&byte| byte == b'\n').zip(theirs.split(|&byte| byte == b'\n')) {
            assert_eq!(String::from_utf8_lossy(ours), String::from_utf8_lossy(theirs), "{name}");
        }
        assert_eq!(ours.text, theirs, "{name}");
    }
    let expected = "chmod chown clone encoded_write end fallocate link mkdir mkfifo mkfile mknod mksock remove_xattr rename \
                    rmdir set_xattr snapshot subvol symlink truncate unlink update_extent utimes write";
    let missing: Vec<_> = expected.split_whitespace().filter(|name| !kinds.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The units of a stream after its header: number and whole unit.
fn units(stream: &[u8]) -> Vec<(u16, &[u8])> {
    let mut rest = &stream[17..];
    let mut units = Vec::new();
    while let Some(header) = rest.first_chunk::<10>() {
        let len = 10 + u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
        units.push((u16::from_le_bytes([header[4], header[5]]), &rest[..len]));
        rest = &rest[len..];
    }
    assert!(rest.is_empty());
    units
}

/// The attributes of a command, without what a command does not keep.
fn kept_attributes(number: u16, unit: &[u8]) -> Vec<(u16, &[u8])> {
    let mut rest = &unit[10..];
    let mut attributes = Vec::new();
    while let Some(header) = rest.first_chunk::<4>() {
        let kind = u16::from_le_bytes([header[0], header[1]]);
        let len = usize::from(u16::from_le_bytes([header[2], header[3]]));
        // An encoded write exists since version 2, where data has no length.
        let (value, after) = if (kind, number) == (19, 25) { (&rest[2..], &[][..]) } else { rest[4..].split_at(len) };
        match (kind, number) {
            // The inode number of all, device and mode of fifos and sockets.
            (3, 3..=8) => assert_eq!(value.len(), 8),
            (5 | 8, 6 | 7) => {}
            // "Not encrypted", which is not said of inline extents.
            (31, 25) => assert_eq!(value, [0; 4]),
            _ => attributes.push((kind, value)),
        }
        rest = after;
    }
    attributes
}

/// Whether a command is the same byte by byte, or one that does not keep everything.
fn is_same_unit(number: u16, ours: &[u8], theirs: &[u8]) -> bool {
    let may_differ = matches!(number, 3..=8 | 25);
    ours == theirs
        || (may_differ
            && ours[4..6] == theirs[4..6]
            && kept_attributes(number, ours) == kept_attributes(number, theirs))
}

#[test]
fn streams_are_written_as_the_kernel_writes_them() {
    for (name, stream) in send_all(true).streams {
        let encoder = Encoder::new(u32::from(stream[13])).unwrap();
        let mut again = Vec::new();
        encoder.header(&mut again);
        decode_in_blocks(&stream, vec![], |command| encoder.command(&command, &mut again).unwrap()).unwrap();
        assert_eq!(again[..17], stream[..17], "{name}");
        let (ours, theirs) = (units(&again), units(&stream));
        assert_eq!(ours.len(), theirs.len(), "{name}");
        for ((number, ours), (_, theirs)) in ours.into_iter().zip(theirs) {
            assert!(is_same_unit(number, ours, theirs), "{name}: command {number}");
        }
    }
}

#[test]
fn streams_read_as_another_implementation_reads_them() {
    for (name, stream) in send_all(false).streams {
        let mut reader = StreamReader::new(&stream[..]).unwrap();
        decode_in_blocks(&stream, vec![stream.len() / 2], |mut command| {
            // Which reads no creation times.
            if let Command::Utimes { otime, .. } = &mut command {
                *otime = None;
            }
            let theirs = reader.next_command().unwrap().unwrap();
            assert_eq!(command, translated(&theirs), "{name}");
        })
        .unwrap();
    }
}

fn time(time: btrfs_stream::Timespec) -> Timespec {
    Timespec { seconds: time.sec.cast_signed(), nanoseconds: time.nsec }
}

fn translated(command: &StreamCommand) -> Command<'_> {
    match command {
        StreamCommand::Subvol { path, uuid, ctransid } => {
            Command::Subvol { path: path.as_bytes(), uuid: *uuid.as_bytes(), ctransid: *ctransid }
        }
        StreamCommand::Snapshot { path, uuid, ctransid, clone_uuid, clone_ctransid } => Command::Snapshot {
            path: path.as_bytes(),
            uuid: *uuid.as_bytes(),
            ctransid: *ctransid,
            clone_uuid: *clone_uuid.as_bytes(),
            clone_ctransid: *clone_ctransid,
        },
        StreamCommand::Mkfile { path } => Command::Mkfile { path: path.as_bytes() },
        StreamCommand::Mkdir { path } => Command::Mkdir { path: path.as_bytes() },
        StreamCommand::Mknod { path, mode, rdev } => Command::Mknod { path: path.as_bytes(), mode: *mode, rdev: *rdev },
        StreamCommand::Mkfifo { path } => Command::Mkfifo { path: path.as_bytes() },
        StreamCommand::Mksock { path } => Command::Mksock { path: path.as_bytes() },
        StreamCommand::Symlink { path, target } => {
            Command::Symlink { path: path.as_bytes(), target: target.as_bytes() }
        }
        StreamCommand::Rename { from, to } => Command::Rename { path: from.as_bytes(), to: to.as_bytes() },
        StreamCommand::Link { path, target } => Command::Link { path: path.as_bytes(), existing: target.as_bytes() },
        StreamCommand::Unlink { path } => Command::Unlink { path: path.as_bytes() },
        StreamCommand::Rmdir { path } => Command::Rmdir { path: path.as_bytes() },
        other => translated_content(other),
    }
}

fn translated_content(command: &StreamCommand) -> Command<'_> {
    match command {
        StreamCommand::Write { path, offset, data } => Command::Write { path: path.as_bytes(), offset: *offset, data },
        StreamCommand::Clone { path, offset, len, clone_uuid, clone_ctransid, clone_path, clone_offset } => {
            Command::Clone {
                path: path.as_bytes(),
                offset: *offset,
                len: *len,
                clone_uuid: *clone_uuid.as_bytes(),
                clone_ctransid: *clone_ctransid,
                clone_path: clone_path.as_bytes(),
                clone_offset: *clone_offset,
            }
        }
        StreamCommand::SetXattr { path, name, data } => {
            Command::SetXattr { path: path.as_bytes(), name: name.as_bytes(), data }
        }
        StreamCommand::RemoveXattr { path, name } => {
            Command::RemoveXattr { path: path.as_bytes(), name: name.as_bytes() }
        }
        StreamCommand::Truncate { path, size } => Command::Truncate { path: path.as_bytes(), size: *size },
        StreamCommand::Chmod { path, mode } => Command::Chmod { path: path.as_bytes(), mode: *mode },
        StreamCommand::Chown { path, uid, gid } => Command::Chown { path: path.as_bytes(), uid: *uid, gid: *gid },
        StreamCommand::Utimes { path, atime, mtime, ctime } => Command::Utimes {
            path: path.as_bytes(),
            atime: time(*atime),
            mtime: time(*mtime),
            ctime: time(*ctime),
            otime: None,
        },
        StreamCommand::UpdateExtent { path, offset, len } => {
            Command::UpdateExtent { path: path.as_bytes(), offset: *offset, len: *len }
        }
        StreamCommand::Fallocate { path, mode, offset, len } => {
            Command::Fallocate { path: path.as_bytes(), mode: *mode, offset: *offset, len: *len }
        }
        StreamCommand::Fileattr { path, attr } => Command::Fileattr { path: path.as_bytes(), attr: *attr },
        StreamCommand::EncodedWrite {
            path,
            offset,
            unencoded_file_len,
            unencoded_len,
            unencoded_offset,
            compression: 2,
            data,
            ..
        } => Command::EncodedWrite {
            path: path.as_bytes(),
            offset: *offset,
            unencoded_file_len: *unencoded_file_len,
            unencoded_len: *unencoded_len,
            unencoded_offset: *unencoded_offset,
            compression: Compression::Zstd,
            data,
        },
        StreamCommand::End => Command::End,
        other => panic!("not in these streams: {other:?}"),
    }
}

/// All that the scope speaks of, of one inode.
#[derive(Debug, PartialEq)]
struct Facts {
    metadata: (u32, u32, u32, u64, i64, i64, u64),
    target: Option<Vec<u8>>,
    xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    content: Vec<u8>,
}

/// Inode numbers, which a snapshot keeps, with their facts, and the names: path, directory's inode, inode.
#[derive(Default)]
struct Tree {
    inodes: BTreeMap<u64, Facts>,
    names: BTreeMap<Vec<u8>, (u64, u64)>,
}

impl Tree {
    fn read(&mut self, top: &Path, path: &Path, directory: u64) {
        let (info, name) = (fs::symlink_metadata(path).unwrap(), path.strip_prefix(top).unwrap());
        self.names.insert(name.as_os_str().as_bytes().to_vec(), (directory, info.ino()));
        self.inodes.entry(info.ino()).or_insert_with(|| facts(path, &info));
        if info.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                self.read(top, &entry.unwrap().path(), info.ino());
            }
        }
    }
}

fn facts(path: &Path, info: &fs::Metadata) -> Facts {
    // The size of a directory is of no interest, and the kernel does not send the times of its own changes.
    let size = if info.is_dir() { 0 } else { info.size() };
    let metadata = (info.mode(), info.uid(), info.gid(), info.rdev(), info.mtime(), info.mtime_nsec(), size);
    let readable = info.is_file() && !info.file_type().is_fifo();
    Facts {
        metadata,
        target: fs::read_link(path).ok().map(|target| target.as_os_str().as_bytes().to_vec()),
        xattrs: xattrs(path),
        content: if readable { fs::read(path).unwrap() } else { Vec::new() },
    }
}

fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let (mut list, mut value) = (vec![0; 4096], vec![0; 4096]);
    let len = rustix::fs::llistxattr(path, &mut list).unwrap();
    list[..len]
        .split_inclusive(|&byte| byte == 0)
        .map(|name| {
            let name = &name[..name.len() - 1];
            let len = rustix::fs::lgetxattr(path, OsStr::from_bytes(name), &mut value).unwrap();
            (name.to_vec(), value[..len].to_vec())
        })
        .collect()
}

#[test]
fn the_scope_holds_all_differences_of_two_snapshots() {
    let sent = send_all(true);
    let (mut old, mut new) = (Tree::default(), Tree::default());
    for (tree, name) in [(&mut old, "old"), (&mut new, "new")] {
        let top = sent.volume.top().join(name);
        tree.read(&top, &top, 0);
    }
    for (name, stream) in &sent.streams {
        let mut touched = Touched::new(1 << 20);
        decode_in_blocks(stream, vec![], |command| touched.command(&command)).unwrap();
        match touched.scope() {
            Scope::Everything => assert!(name.starts_with("full"), "{name}"),
            Scope::Paths(paths) => {
                assert!(name.starts_with("incremental"), "{name}");
                let touched: BTreeMap<_, _> = paths.iter().collect();
                // Far fewer than all, or the test would show nothing.
                assert!(touched.len() < new.names.len(), "{name}");
                check_scope(&old, &new, &touched);
            }
        }
    }
}

fn check_scope(old: &Tree, new: &Tree, touched: &BTreeMap<&[u8], subvault_sendstream::touched::Part<'_>>) {
    for path in touched.keys() {
        assert!(new.names.contains_key(*path), "{} does not exist", path.escape_ascii());
    }
    let old_names: BTreeSet<_> = old.names.iter().map(|(path, &at)| (last(path), at)).collect();
    for (path, &(directory, ino)) in &new.names {
        let part = touched.get(&path[..]);
        let known = path.is_empty() || old_names.contains(&(last(path), (directory, ino)));
        assert!(known || part.is_some(), "new name {}", path.escape_ascii());
        let (before, after) = (old.inodes.get(&ino), &new.inodes[&ino]);
        if before == Some(after) {
            continue;
        }
        let names = new.names.iter().filter(|&(_, &(_, other))| other == ino);
        let parts: Vec<_> = names.filter_map(|(name, _)| touched.get(&name[..])).collect();
        assert!(!parts.is_empty(), "{} changed", path.escape_ascii());
        assert!(parts.iter().all(|part| part.created == before.is_none()), "{}", path.escape_ascii());
        for (at, &byte) in after.content.iter().enumerate() {
            let was = before.and_then(|before| before.content.get(at)).copied().unwrap_or(0);
            let covered = parts.iter().any(|part| part.ranges.contains(at as u64));
            assert!(byte == was || covered, "byte {at} of {}", path.escape_ascii());
        }
    }
}

fn last(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}
