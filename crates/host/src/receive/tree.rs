//! Names: what is made, moved and removed in the subvolume that is being received.
//!
//! Commands about one file are collected in a `Hand` and given to other threads; commands about names and
//! directories are carried out here. Invariant: a command sees what all commands before it would have left
//! behind. Where a file that is still being written could tell, it is waited for: `pending` knows which those are.
//! Times of directories are set last of all, since everything done in a directory changes them.
//! It must never resolve a path otherwise than below the top, through real directories.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

use super::dirs::{Dir, Dirs};
use super::error::{Result, failed};
use super::hand::{Hand, Stage};
use super::inode::{Heritage, Inode};
use super::job::{self, Job, Node, Op, Place, Rules, Start};
use super::paths::{self, RESOLVE};
use super::workers::{Ticket, Workers};

/// How many files may be known as perhaps unfinished before those that are finished are looked for.
const PENDING_MOST: usize = 8192;
/// How many directories may wait for their times.
const TIMES_MOST: usize = 1 << 16;

/// The subvolume that is being received.
pub(super) struct Tree {
    dirs: Dirs,
    hand: Option<Hand>,
    workers: Workers,
    /// Files that perhaps are not finished, by the path that they have now.
    pending: BTreeMap<Vec<u8>, Ticket>,
    /// Times of directories, by the path that they have now.
    times: BTreeMap<Vec<u8>, Timestamps>,
    rules: Rules,
}

/// What a path turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Not a directory, and now in hand.
    InHand,
    Directory,
}

impl Tree {
    pub(super) fn new(top: OwnedFd, rules: Rules, threads: usize) -> Result<Self> {
        Ok(Self {
            dirs: Dirs::new(top),
            hand: None,
            workers: Workers::start(threads, rules)?,
            pending: BTreeMap::new(),
            times: BTreeMap::new(),
            rules,
        })
    }

    /// Lets the top directory have the times that it has now, unless the stream brings others. The passing names that
    /// a stream makes there change them, and the kernel does not think of that.
    pub(super) fn keep_times_of_top(&mut self) -> Result<()> {
        let stat = rustix::fs::fstat(self.dirs.top()).map_err(failed("snapshot", b""))?;
        let time = |seconds, nanoseconds: u64| Timespec { tv_sec: seconds, tv_nsec: nanoseconds.cast_signed() };
        let last_access = time(stat.st_atime, stat.st_atime_nsec);
        let times = Timestamps { last_access, last_modification: time(stat.st_mtime, stat.st_mtime_nsec) };
        self.times.insert(Vec::new(), times);
        Ok(())
    }

    /// Carries out all that is still to be done.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.put_down()?;
        self.workers.drain()?;
        self.apply_times()
    }

    /// Sets the times that have been brought so far, as far as memory goes. Those of the top stay until the end: names
    /// that pass through it later change them, and the kernel does not bring them again.
    fn relieve_times(&mut self) -> Result<()> {
        let top = self.times.remove(&b""[..]);
        self.finish()?;
        self.times.extend(top.map(|times| (Vec::new(), times)));
        Ok(())
    }

    pub(super) fn create(&mut self, path: &[u8], node: Node, command: &'static str) -> Result<()> {
        paths::check(path).map_err(failed(command, path))?;
        self.put_down()?;
        self.settle(path)?;
        self.hand = Some(Hand::new(path, Stage::Unborn { node, born: None }));
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<()> {
        let error = |errno| failed("rename", from)(errno);
        paths::check(from).and_then(|()| paths::check(to)).map_err(error)?;
        self.settle(to)?;
        if let Some(Hand { path, stage: Stage::Unborn { born, .. }, .. }) = &mut self.hand
            && path == from
        {
            let old = std::mem::replace(path, to.to_vec());
            born.get_or_insert(old);
            self.times.remove(to);
            self.dirs.forget(to);
            return Ok(());
        }
        self.put_down()?;
        self.settle(from)?;
        self.settle_below(from)?;
        let (source, target) = (self.place(from, "rename")?, self.place(to, "rename")?);
        job::rename(&source, &target).map_err(error)?;
        self.dirs.forget(from);
        self.dirs.forget(to);
        self.times.remove(to);
        paths::rename(&mut self.times, from, to);
        Ok(())
    }

    pub(super) fn link(&mut self, path: &[u8], existing: &[u8]) -> Result<()> {
        paths::check(path).and_then(|()| paths::check(existing)).map_err(failed("link", path))?;
        self.put_down()?;
        self.settle(existing)?;
        self.settle(path)?;
        let (source, new) = (self.place(existing, "link")?, self.place(path, "link")?);
        job::link(&source, &new).map_err(failed("link", path))
    }

    pub(super) fn unlink(&mut self, path: &[u8]) -> Result<()> {
        self.remove(path, "unlink", AtFlags::empty())
    }

    pub(super) fn rmdir(&mut self, path: &[u8]) -> Result<()> {
        self.remove(path, "rmdir", AtFlags::REMOVEDIR)?;
        self.dirs.forget(path);
        self.times.remove(path);
        Ok(())
    }

    fn remove(&mut self, path: &[u8], command: &'static str, flags: AtFlags) -> Result<()> {
        paths::check(path).map_err(failed(command, path))?;
        self.put_down()?;
        self.settle(path)?;
        let place = self.place(path, command)?;
        rustix::fs::unlinkat(&*place.dir, &place.name, flags).map_err(failed(command, path))
    }

    /// Does `what` to the file at `path`, which is taken in hand for it.
    pub(super) fn file(&mut self, path: &[u8], command: &'static str, what: impl FnOnce(&mut Hand)) -> Result<()> {
        if self.take_up(path, command)? == Found::Directory {
            return Err(failed(command, path)(Errno::ISDIR));
        }
        if let Some(hand) = &mut self.hand {
            what(hand);
        }
        self.relieve()
    }

    /// Changes an attribute of whatever is at `path`. `value` is the data of an xattr.
    pub(super) fn attribute(&mut self, path: &[u8], op: Op, value: &[u8]) -> Result<()> {
        match self.take_up(path, op.name())? {
            Found::Directory => self.directory(path, &op, value),
            Found::InHand => {
                if let Some(hand) = &mut self.hand {
                    let data = hand.keep(value);
                    hand.ops.push(match op {
                        Op::SetXattr { name, .. } => Op::SetXattr { name, data },
                        other => other,
                    });
                }
                self.relieve()
            }
        }
    }

    pub(super) fn utimes(&mut self, path: &[u8], times: Timestamps) -> Result<()> {
        // The times of a directory are often set while a file in it is in hand, which then can stay there.
        let aside = self.hand.as_ref().is_some_and(|hand| hand.path != path && !hand.is_directory());
        if self.dirs.knows(path) || (aside && paths::check(path).is_ok() && self.dirs.get(path).is_ok()) {
            return self.times_of_directory(path, times);
        }
        self.attribute(path, Op::Utimes(times), b"")
    }

    /// The file that what is in hand was last cloned from, if it is this one.
    pub(super) fn known_source(&self, key: &[u8]) -> Option<Arc<OwnedFd>> {
        self.hand.as_ref()?.clone_source(key)
    }

    pub(super) fn remember_source(&mut self, key: Vec<u8>, file: &Arc<OwnedFd>) {
        if let Some(hand) = &mut self.hand {
            hand.remember_source(key, file);
        }
    }

    /// Opens a regular file of this subvolume to clone from it, and sees to it that nobody writes to it before
    /// what is in hand is done.
    pub(super) fn open_own(&mut self, path: &[u8]) -> Result<OwnedFd> {
        // All, since what is written under another name can be this file.
        self.workers.drain()?;
        if let Some(hand) = &mut self.hand {
            hand.exclusive = true;
        }
        open_source(self.dirs.top(), path).map_err(failed("clone", path))
    }

    /// Carries out everything about the file at `path`, and gives the file back open for reading alone.
    pub(super) fn settled_file(&mut self, path: &[u8], command: &'static str) -> Result<OwnedFd> {
        self.put_down()?;
        self.workers.drain()?;
        open_source(self.dirs.top(), path).map_err(failed(command, path))
    }

    /// Takes the inode at `path` in hand, or finds that it is a directory.
    fn take_up(&mut self, path: &[u8], command: &'static str) -> Result<Found> {
        if let Some(hand) = &self.hand
            && hand.path == path
            && !(hand.is_directory() && command == "utimes")
        {
            return Ok(Found::InHand);
        }
        self.put_down()?;
        if self.dirs.knows(path) {
            return Ok(Found::Directory);
        }
        paths::check(path).map_err(failed(command, path))?;
        self.settle(path)?;
        let place = self.place(path, command)?;
        let stat =
            rustix::fs::statat(&*place.dir, &place.name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed(command, path))?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Ok(Found::Directory);
        }
        self.hand = Some(Hand::new(path, Stage::Existing));
        Ok(Found::InHand)
    }

    fn directory(&mut self, path: &[u8], op: &Op, value: &[u8]) -> Result<()> {
        let error = |errno| failed(op.name(), path)(errno);
        if let Op::Utimes(times) = op {
            return self.times_of_directory(path, times.clone());
        }
        // What is being made in it must inherit what the directory passed on before.
        self.workers.drain()?;
        let dir = self.dirs.get(path).map_err(error)?;
        let fd = dir.as_fd().try_clone_to_owned();
        let inode = Inode::open(fd.map_err(|e| error(Errno::from_io_error(&e).unwrap_or(Errno::MFILE)))?);
        match op {
            Op::Chown(uid, gid) => inode.chown(*uid, *gid),
            Op::Chmod(mode) => inode.chmod(*mode),
            Op::SetXattr { name, .. } => inode.set_xattr(name, value),
            Op::RemoveXattr(name) => inode.remove_xattr(name),
            _ => Err(Errno::ISDIR),
        }
        .map_err(error)?;
        self.dirs.forget(path);
        Ok(())
    }

    fn times_of_directory(&mut self, path: &[u8], times: Timestamps) -> Result<()> {
        self.times.insert(path.to_vec(), times);
        if self.times.len() < TIMES_MOST {
            return Ok(());
        }
        self.relieve_times()
    }

    fn apply_times(&mut self) -> Result<()> {
        for (path, times) in std::mem::take(&mut self.times) {
            let error = |errno| failed("utimes", &path)(errno);
            if path.is_empty() {
                rustix::fs::futimens(self.dirs.top(), &times).map_err(error)?;
            } else {
                let place = self.place(&path, "utimes")?;
                rustix::fs::utimensat(&*place.dir, &place.name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(error)?;
            }
        }
        Ok(())
    }

    fn place(&mut self, path: &[u8], command: &'static str) -> Result<Place> {
        let (dir, name) = paths::split(path);
        let error = |errno| failed(command, path)(errno);
        Ok(Place { dir: self.dirs.get(dir).map_err(error)?, name: paths::c_string(name).map_err(error)? })
    }

    /// Waits until the file at `path` is finished.
    fn settle(&mut self, path: &[u8]) -> Result<()> {
        match self.pending.remove(path) {
            Some(ticket) => self.workers.wait(ticket),
            None => Ok(()),
        }
    }

    fn settle_below(&mut self, path: &[u8]) -> Result<()> {
        paths::below(&self.pending, path).iter().try_for_each(|path| self.settle(path))
    }

    /// Gives what is in hand away; then nothing is in hand.
    fn put_down(&mut self) -> Result<()> {
        let Some(hand) = self.hand.take() else { return Ok(()) };
        if hand.is_directory() {
            return self.make_directory(hand);
        }
        let path = hand.path.clone();
        let exclusive = hand.exclusive;
        let (lane, job) = self.job_of(hand)?;
        let ticket = self.workers.give(lane, job)?;
        if exclusive {
            return self.workers.wait(ticket);
        }
        self.pending.insert(path, ticket);
        if self.pending.len() > PENDING_MOST {
            let done = self.workers.progress();
            self.pending.retain(|_, ticket| !done.includes(*ticket));
        }
        Ok(())
    }

    /// Gives a part of what is in hand away, if it has become too much.
    fn relieve(&mut self) -> Result<()> {
        let Some(hand) = self.hand.as_mut().filter(|hand| hand.is_full()) else { return Ok(()) };
        if hand.is_directory() {
            return self.put_down();
        }
        let part = hand.split_off();
        let (lane, mut job) = self.job_of(part)?;
        job.more = true;
        self.workers.give(lane, job)?;
        if let Some(hand) = &mut self.hand {
            hand.stage = Stage::Started { lane };
        }
        Ok(())
    }

    fn job_of(&mut self, hand: Hand) -> Result<(usize, Job)> {
        let command = hand.ops.first().map_or("create", Op::name);
        let place = self.place(&hand.path, command)?;
        let (lane, start) = match hand.stage {
            Stage::Unborn { node, born } => {
                let born = born.map(|path| self.place(&path, command)).transpose()?;
                (self.workers.lane_for_new(), Start::Create { node, born })
            }
            // All in one lane: two paths may be one file.
            Stage::Existing => (0, Start::Open),
            Stage::Started { lane } => (lane, Start::Continue),
        };
        Ok((lane, Job { path: hand.path, place, start, ops: hand.ops, data: hand.data, more: false }))
    }

    fn make_directory(&mut self, hand: Hand) -> Result<()> {
        let (_, job) = self.job_of(hand)?;
        let fd = job.run_directory(&self.rules)?;
        let passes_on = |op: &Op| match op {
            Op::Chmod(mode) => mode & 0o2000 != 0,
            Op::Chown(..) => false,
            _ => true,
        };
        let changed = job.ops.iter().any(passes_on);
        let heritage =
            if changed { Heritage::of(&fd).map_err(failed("mkdir", &job.path))? } else { Heritage::default() };
        self.dirs.insert(&job.path, Dir::new(fd, heritage));
        Ok(())
    }
}

/// Opens a regular file below `top` for reading. It is named first, so that opening never touches a device.
pub(super) fn open_source(top: BorrowedFd<'_>, path: &[u8]) -> std::result::Result<OwnedFd, Errno> {
    paths::check(path)?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let named = rustix::fs::openat2(top, path, flags, Mode::empty(), RESOLVE)?;
    let (stat, whole) = (rustix::fs::fstat(&named)?, rustix::fs::fstat(top)?);
    if stat.st_dev != whole.st_dev {
        return Err(Errno::XDEV);
    }
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Errno::INVAL);
    }
    super::inode::reopen(&named, OFlags::RDONLY)
}
