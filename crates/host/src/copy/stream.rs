//! What is at one path of a snapshot, with the directories that it lies in, as a send stream: so that a single file comes
//! from another machine without all else.
//!
//! Invariant: what receives it has the path as it is in the snapshot, with owners, permissions, times, attributes, hard
//! links within it and holes. Memory is bounded by the names in the directories that are open and the inodes with several
//! names.
//! It must never follow a symbolic link or leave the snapshot.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, Stat};
use subvault_model::file::FileKind;
use subvault_sendstream::command::{Command, Timespec};
use subvault_sendstream::encode::Encoder;

use super::below::Below;
use super::{attributes, content};
use crate::error::{HostError, HostErrorKind};

const WHAT: &str = "send";
/// The version that every receiver knows.
const VERSION: u32 = 1;
/// How much of a file one command has; what is around it must fit into 64 KiB too.
const WRITE: usize = 48 << 10;
/// How much is given on at once.
const PIECE: usize = 512 << 10;

/// Gives the stream of what is at `path`, which is not the top, piece by piece to `sink`. `uuid` is what the stream says
/// that it is of: not the snapshot, as it is only a part of that.
///
/// # Errors
/// When it is not there or cannot be read; and those of `sink`.
pub fn stream_path<E: From<HostError>>(
    from: &Below,
    path: &Path,
    uuid: [u8; 16],
    sink: &mut dyn FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let encoder = Encoder::new(VERSION)
        .map_err(|e| HostError::because(WHAT, from.path(), HostErrorKind::Unsupported, e.to_string()))?;
    let mut block = Vec::with_capacity(PIECE + (64 << 10));
    encoder.header(&mut block);
    let mut writer = Writer { from, encoder, block, sink, links: BTreeMap::new() };
    writer.command(Path::new(""), &Command::Subvol { path: b"path", uuid, ctransid: 1 })?;
    let mut parents: Vec<&Path> = path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()).collect();
    parents.reverse();
    for parent in &parents {
        let (named, stat) = writer.look(parent)?;
        writer.command(parent, &Command::Mkdir { path: bytes(parent) })?;
        writer.attributes(parent, &named, &stat)?;
    }
    writer.tree(path)?;
    for parent in parents.iter().rev() {
        writer.times(parent)?;
    }
    writer.command(path, &Command::End)?;
    let Writer { block, sink, .. } = writer;
    sink(&block)
}

/// What is still to be done on the way through a tree.
enum Next {
    Enter(PathBuf),
    Leave(PathBuf),
}

struct Writer<'a, E> {
    from: &'a Below,
    encoder: Encoder,
    block: Vec<u8>,
    sink: &'a mut dyn FnMut(&[u8]) -> Result<(), E>,
    /// The first name of an inode with several.
    links: BTreeMap<u64, PathBuf>,
}

impl<E: From<HostError>> Writer<'_, E> {
    /// Everything at a path.
    fn tree(&mut self, path: &Path) -> Result<(), E> {
        let mut open = vec![Next::Enter(path.to_owned())];
        while let Some(next) = open.pop() {
            let path = match next {
                Next::Enter(path) => path,
                // All that is in it is there, so its times stay.
                Next::Leave(path) => {
                    self.times(&path)?;
                    continue;
                }
            };
            let (named, stat) = self.look(&path)?;
            match self.from.state(&stat).kind {
                FileKind::Directory => {
                    self.command(&path, &Command::Mkdir { path: bytes(&path) })?;
                    self.attributes(&path, &named, &stat)?;
                    let names = self.from.names(&path)?.into_iter().rev().map(|name| Next::Enter(path.join(name)));
                    open.push(Next::Leave(path.clone()));
                    open.extend(names);
                }
                // What stands for a nested subvolume; the kernel does not send it either.
                FileKind::Subvolume => {}
                kind => self.one(&path, kind, &named, &stat)?,
            }
        }
        Ok(())
    }

    fn one(&mut self, path: &Path, kind: FileKind, named: &OwnedFd, stat: &Stat) -> Result<(), E> {
        let name = bytes(path);
        if stat.st_nlink > 1 {
            if let Some(first) = self.links.get(&stat.st_ino).cloned() {
                return self.command(path, &Command::Link { path: name, existing: bytes(&first) });
            }
            self.links.insert(stat.st_ino, path.to_owned());
        }
        let mode = u64::from(stat.st_mode);
        match kind {
            FileKind::Symlink => {
                let target = self.from.target(path)?;
                self.command(path, &Command::Symlink { path: name, target: target.as_bytes() })?;
            }
            FileKind::Fifo => self.command(path, &Command::Mkfifo { path: name })?,
            FileKind::Socket => self.command(path, &Command::Mksock { path: name })?,
            FileKind::Device => self.command(path, &Command::Mknod { path: name, mode, rdev: stat.st_rdev })?,
            _ => {
                self.command(path, &Command::Mkfile { path: name })?;
                self.content(path, named, u64::try_from(stat.st_size).unwrap_or(0))?;
            }
        }
        self.attributes(path, named, stat)?;
        self.times_of(path, stat)
    }

    fn content(&mut self, path: &Path, named: &OwnedFd, length: u64) -> Result<(), E> {
        let file = crate::receive::inode::reopen(named, OFlags::RDONLY).map_err(self.from.trouble(WHAT, path))?;
        let mut buffer = vec![0; WRITE];
        let mut at = 0;
        while let Some(data) = content::data_from(file.as_fd(), at, length).map_err(self.from.trouble(WHAT, path))? {
            let mut offset = data.start;
            while offset < data.end {
                let want = usize::try_from(data.end - offset).map_or(WRITE, |rest| rest.min(WRITE));
                let got = content::fill(file.as_fd(), &mut buffer[..want], offset);
                let got = got.map_err(self.from.trouble(WHAT, path))?;
                if got == 0 {
                    let cut = "it is shorter than it says";
                    return Err(HostError::because(WHAT, self.from.path().join(path), HostErrorKind::Other, cut).into());
                }
                self.command(path, &Command::Write { path: bytes(path), offset, data: &buffer[..got] })?;
                offset += got as u64;
            }
            at = data.end;
        }
        self.command(path, &Command::Truncate { path: bytes(path), size: length })
    }

    /// The owner first, as that takes a setuid bit away; the times come last.
    fn attributes(&mut self, path: &Path, named: &OwnedFd, stat: &Stat) -> Result<(), E> {
        let name = bytes(path);
        let (uid, gid) = (u64::from(stat.st_uid), u64::from(stat.st_gid));
        self.command(path, &Command::Chown { path: name, uid, gid })?;
        for (attribute, data) in attributes::read(named).map_err(self.from.trouble(WHAT, path))? {
            self.command(path, &Command::SetXattr { path: name, name: &attribute, data: &data })?;
        }
        if self.from.state(stat).kind == FileKind::Symlink {
            return Ok(());
        }
        self.command(path, &Command::Chmod { path: name, mode: u64::from(stat.st_mode & 0o7777) })
    }

    fn times(&mut self, path: &Path) -> Result<(), E> {
        let (_, stat) = self.look(path)?;
        self.times_of(path, &stat)
    }

    fn times_of(&mut self, path: &Path, stat: &Stat) -> Result<(), E> {
        let time =
            |seconds, nanoseconds: i128| Timespec { seconds, nanoseconds: u32::try_from(nanoseconds).unwrap_or(0) };
        let (atime, mtime) =
            (time(stat.st_atime, stat.st_atime_nsec.into()), time(stat.st_mtime, stat.st_mtime_nsec.into()));
        let ctime = time(stat.st_ctime, stat.st_ctime_nsec.into());
        self.command(path, &Command::Utimes { path: bytes(path), atime, mtime, ctime, otime: None })
    }

    fn look(&self, path: &Path) -> Result<(OwnedFd, Stat), HostError> {
        let named = self.from.name(path).map_err(self.from.trouble(WHAT, path))?;
        let stat = rustix::fs::fstat(&named).map_err(self.from.trouble(WHAT, path))?;
        Ok((named, stat))
    }

    fn command(&mut self, path: &Path, command: &Command<'_>) -> Result<(), E> {
        self.encoder.command(command, &mut self.block).map_err(|error| {
            HostError::because(WHAT, self.from.path().join(path), HostErrorKind::Unsupported, error.to_string())
        })?;
        if self.block.len() >= PIECE {
            (self.sink)(&self.block)?;
            self.block.clear();
        }
        Ok(())
    }
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}
