//! Walks a snapshot with several threads, in about the order in which the kernel sends it.
//!
//! The kernel sends by inode number, so what has the lowest number is visited first. Invariant: every directory is
//! visited once, and every other name once; what lies in nested subvolumes is not, and the empty directories that
//! stand for them in a snapshot are not either, since the kernel does not send those. Held open are two files per
//! thread at most; waiting are some `NAMES_MOST` names, and a directory's worth of subdirectories more.
//! It must never follow a symbolic link or leave the subvolume.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ffi::{CString, OsStr};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::fs::{FileType, Mode, OFlags, RawDir, ResolveFlags, SeekFrom, Stat};
use rustix::io::Errno;

use crate::error::{HostError, HostErrorKind, Result};
use crate::subvolume::Subvolume;

/// Names that are read from a directory before they are looked at.
const CHUNK: usize = 8192;
/// Names that one thread takes at a time.
const BATCH: usize = 64;
/// Names beyond which the walk looks at files first, and at further directories when those are done.
const NAMES_MOST: usize = 200_000;
/// The inode of what stands for a nested subvolume in a snapshot (`BTRFS_EMPTY_SUBVOL_DIR_OBJECTID`).
const EMPTY_SUBVOLUME: u64 = 2;

/// How every directory is looked up.
const RESOLVE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// What is done on a walk.
pub(crate) trait Visit: Sync {
    /// What each thread has for itself.
    type Own: Send;

    /// A thread begins.
    fn own(&self) -> Self::Own;

    /// A directory. `path` is relative to the top, which is the empty one.
    fn directory(&self, own: &mut Self::Own, dir: BorrowedFd<'_>, path: &[u8], stat: &Stat) -> Did;

    /// Anything else. `path` ends with `name`, which is in `dir`.
    fn entry(&self, own: &mut Self::Own, dir: BorrowedFd<'_>, name: &CString, path: &[u8], kind: FileType) -> Did;

    /// Whether to end now. Asked between batches.
    fn stop(&self) -> bool;
}

/// What came of it, as the system says it.
pub(crate) type Did = std::result::Result<(), Errno>;

struct Name {
    inode: u64,
    kind: FileType,
    name: CString,
}

struct DirTask {
    path: Arc<[u8]>,
    /// Where to go on reading it.
    cookie: Option<u64>,
}

struct FilesTask {
    dir: Arc<[u8]>,
    names: Vec<Name>,
}

/// Something to do; the lowest number comes first.
struct Numbered<T>(u64, T);

impl<T> PartialEq for Numbered<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Numbered<T> {}

impl<T> PartialOrd for Numbered<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Numbered<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

enum Task {
    Dir(u64, DirTask),
    Files(FilesTask),
}

#[derive(Default)]
struct State {
    dirs: BinaryHeap<Reverse<Numbered<DirTask>>>,
    files: BinaryHeap<Reverse<Numbered<FilesTask>>>,
    names: usize,
    busy: usize,
    over: bool,
    failure: Option<HostError>,
}

impl State {
    fn next(&mut self) -> Option<Task> {
        let full = self.names > NAMES_MOST;
        let dir = self.dirs.peek().map(|Reverse(task)| task.0);
        let files = self.files.peek().map(|Reverse(task)| task.0);
        let take_dir = match (dir, files) {
            (None, None) => return None,
            (Some(dir), Some(files)) => !full && dir < files,
            (dir, None) => dir.is_some(),
            (None, Some(_)) => false,
        };
        if take_dir {
            return self.dirs.pop().map(|Reverse(Numbered(number, task))| Task::Dir(number, task));
        }
        let Reverse(Numbered(_, task)) = self.files.pop()?;
        self.names -= task.names.len();
        Some(Task::Files(task))
    }
}

struct Walk<'a, V> {
    top: BorrowedFd<'a>,
    path: PathBuf,
    device: u64,
    visit: &'a V,
    state: Mutex<State>,
    changed: Condvar,
}

/// Visits everything in a subvolume; gives what the threads had for themselves.
pub(crate) fn walk<V: Visit>(top: &Subvolume, threads: usize, visit: &V) -> Result<Vec<V::Own>> {
    let stat = rustix::fs::fstat(top).map_err(|error| HostError::new("walk", top.path(), error))?;
    let first = DirTask { path: Arc::from([]), cookie: None };
    let state = State { dirs: BinaryHeap::from([Reverse(Numbered(0, first))]), ..State::default() };
    let walk = Walk {
        top: top.as_fd(),
        path: top.path().to_owned(),
        device: stat.st_dev,
        visit,
        state: Mutex::new(state),
        changed: Condvar::new(),
    };
    let owns = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(|| walk.work())).collect();
        let mut owns = vec![walk.work()];
        for other in others {
            match other.join() {
                Ok(own) => owns.push(own),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        owns
    });
    match walk.state.into_inner().unwrap_or_else(PoisonError::into_inner).failure {
        Some(failure) => Err(failure),
        None => Ok(owns),
    }
}

/// Ends the walk should a thread panic in the middle of a task, so that the others do not wait for it.
struct Busy<'a, V>(&'a Walk<'a, V>);

impl<V> Drop for Busy<'_, V> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.busy -= 1;
        state.over |= std::thread::panicking();
        drop(state);
        self.0.changed.notify_all();
    }
}

impl<V> Walk<'_, V> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: Visit> Walk<'_, V> {
    fn work(&self) -> V::Own {
        let mut own = self.visit.own();
        while let Some(task) = self.take() {
            let _busy = Busy(self);
            let result = match task {
                _ if self.visit.stop() => {
                    Err(HostError::because("finish reading", &self.path, HostErrorKind::Interrupted, "it was stopped"))
                }
                Task::Dir(number, task) => self.directory(&mut own, number, &task),
                Task::Files(task) => self.files(&mut own, &task),
            };
            if let Err(error) = result {
                let mut state = self.lock();
                state.over = true;
                state.failure.get_or_insert(error);
            }
        }
        own
    }

    fn take(&self) -> Option<Task> {
        let mut state = self.lock();
        loop {
            if state.over {
                return None;
            }
            if let Some(task) = state.next() {
                state.busy += 1;
                return Some(task);
            }
            if state.busy == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn trouble(&self, path: &[u8]) -> impl FnOnce(Errno) -> HostError {
        let path = self.path.join(OsStr::from_bytes(path));
        move |error| HostError::new("read", path, error)
    }

    fn open(&self, path: &[u8]) -> std::result::Result<OwnedFd, Errno> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let path = if path.is_empty() { b"." } else { path };
        rustix::fs::openat2(self.top, path, flags, Mode::empty(), RESOLVE)
    }

    fn directory(&self, own: &mut V::Own, number: u64, task: &DirTask) -> Result<()> {
        let path = &task.path;
        let fd = self.open(path).map_err(self.trouble(path))?;
        if let Some(cookie) = task.cookie {
            rustix::fs::seek(&fd, SeekFrom::Start(cookie)).map_err(self.trouble(path))?;
        } else {
            let stat = rustix::fs::fstat(&fd).map_err(self.trouble(path))?;
            if stat.st_dev != self.device || stat.st_ino == EMPTY_SUBVOLUME {
                return Ok(());
            }
            self.visit.directory(own, fd.as_fd(), path, &stat).map_err(self.trouble(path))?;
        }
        let (names, rest) = read_chunk(&fd).map_err(self.trouble(path))?;
        self.push(path, names);
        if let Some(cookie) = rest {
            let mut state = self.lock();
            // Not before what has been found is done, if that is much.
            let number = if state.dirs.len() > CHUNK { u64::MAX } else { number };
            let task = DirTask { path: Arc::clone(path), cookie: Some(cookie) };
            state.dirs.push(Reverse(Numbered(number, task)));
        }
        Ok(())
    }

    fn push(&self, dir: &Arc<[u8]>, names: Vec<Name>) {
        let (dirs, mut files): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| name.kind == FileType::Directory);
        files.sort_unstable_by_key(|name| name.inode);
        let mut state = self.lock();
        state.names += files.len();
        for name in dirs {
            let task = DirTask { path: join(dir, name.name.as_bytes()).into(), cookie: None };
            state.dirs.push(Reverse(Numbered(name.inode, task)));
        }
        while !files.is_empty() {
            let rest = files.split_off(files.len().min(BATCH));
            let names = std::mem::replace(&mut files, rest);
            let number = names[0].inode;
            state.files.push(Reverse(Numbered(number, FilesTask { dir: Arc::clone(dir), names })));
        }
        drop(state);
        self.changed.notify_all();
    }

    fn files(&self, own: &mut V::Own, task: &FilesTask) -> Result<()> {
        let dir = self.open(&task.dir).map_err(self.trouble(&task.dir))?;
        for name in &task.names {
            let path = join(&task.dir, name.name.as_bytes());
            self.visit.entry(own, dir.as_fd(), &name.name, &path, name.kind).map_err(self.trouble(&path))?;
        }
        Ok(())
    }
}

/// The next names of a directory, and where to go on if there may be more.
fn read_chunk(dir: &OwnedFd) -> std::result::Result<(Vec<Name>, Option<u64>), Errno> {
    let mut buffer = [MaybeUninit::<u8>::uninit(); 32 << 10];
    let mut raw = RawDir::new(dir, &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = raw.next() {
        let entry = entry?;
        if matches!(entry.file_name().to_bytes(), b"." | b"..") {
            continue;
        }
        names.push(Name { inode: entry.ino(), kind: entry.file_type(), name: entry.file_name().to_owned() });
        if names.len() >= CHUNK {
            return Ok((names, Some(entry.next_entry_cookie())));
        }
    }
    Ok((names, None))
}

fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir.is_empty() { name.to_vec() } else { [dir, b"/", name].concat() }
}
