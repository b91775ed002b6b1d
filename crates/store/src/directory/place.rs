//! Moving a finished file to its key, and taking one away: the only two places where a key changes.
//!
//! The file is on the disk before it is moved. A directory is synced exactly when an entry was made in it or taken
//! from it. Conditions on an existing version are checked under a lock that every writer of this store takes, so
//! two writers cannot both see the old version.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::backend::{Backend, Outcome};
use crate::error::{Failure, StoreErrorKind};
use crate::key::Key;
use crate::object::Create;

use super::Directory;

/// How often a parent that somebody removes as empty is made again.
const PARENT_TRIES: usize = 8;

impl Directory {
    /// Moves a synced file to its key and makes that durable. The file stays where it is when this fails.
    pub(super) fn place(&self, from: &Path, key: &Key, how: &Create) -> Outcome<()> {
        let target = self.path(key);
        let parent = target.parent().unwrap_or(&self.root);
        let mut changed = Vec::new();
        for attempt in 1.. {
            match self.step(from, &target, key, how) {
                Err(failure) if failure.kind == StoreErrorKind::NotFound && attempt < PARENT_TRIES => {
                    changed.extend(self.make_parents(key)?);
                }
                // Who made it may have been killed before it was durable, and others rely on it from now on.
                Err(failure) if failure.kind == StoreErrorKind::AlreadyExists => {
                    sync_directory(parent)?;
                    return Err(failure);
                }
                other => {
                    other?;
                    break;
                }
            }
        }
        for directory in &changed {
            sync_directory(directory)?;
        }
        sync_directory(parent)
    }

    /// One attempt; `NotFound` means that the parent is missing.
    fn step(&self, from: &Path, target: &Path, key: &Key, how: &Create) -> Outcome<()> {
        match how {
            Create::IfAbsent => move_if_absent(from, target),
            Create::Overwrite => {
                let _lock = self.exclusive()?;
                move_over(from, target)
            }
            Create::IfMatch(expected) => {
                let _lock = self.exclusive()?;
                match self.head(key)? {
                    Some(info) if info.etag == *expected => move_over(from, target),
                    _ => Err(StoreErrorKind::Changed.into()),
                }
            }
        }
    }

    /// Makes the directories a key lies in; returns those in which an entry was made. Never makes the root.
    fn make_parents(&self, key: &Key) -> Outcome<Vec<PathBuf>> {
        let mut changed = Vec::new();
        let mut path = self.root.clone();
        let components: Vec<_> = key.as_str().split('/').collect();
        for component in &components[..components.len() - 1] {
            let above = path.clone();
            path.push(component);
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => changed.push(above),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == ErrorKind::NotFound && !self.root.is_dir() => {
                    return Err(Failure::new(StoreErrorKind::NoStore).because(error));
                }
                Err(error) if error.kind() == ErrorKind::NotADirectory => return Err(clash(error)),
                // Taken away as empty in between: the caller tries again.
                Err(error) if error.kind() == ErrorKind::NotFound => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(changed)
    }

    /// Takes an object away durably, and the directories that are empty then.
    pub(super) fn remove(&self, key: &Key) -> Outcome<()> {
        let target = self.path(key);
        {
            let _lock = self.exclusive()?;
            match fs::remove_file(&target) {
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    return if self.root.is_dir() { Ok(()) } else { Err(error.into()) };
                }
                Err(error) if error.kind() == ErrorKind::IsADirectory => return Ok(()),
                other => other?,
            }
        }
        let mut directory = target.parent();
        while let Some(path) = directory.filter(|path| *path != self.root) {
            match fs::remove_dir(path) {
                Ok(()) => directory = path.parent(),
                // Not empty, or gone already: in both cases the entry above it did not change by us.
                Err(_) => break,
            }
        }
        match sync_directory(directory.unwrap_or(&self.root)) {
            // Another deletion took it away meanwhile, and syncs what is above it.
            Err(failure) if failure.kind == StoreErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// The lock under which versions are compared and replaced; released when dropped.
    fn exclusive(&self) -> Outcome<File> {
        let path = self.private.join("lock");
        let open = || OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.make_private()?;
                open()?
            }
            other => other?,
        };
        file.lock()?;
        Ok(file)
    }
}

fn move_if_absent(from: &Path, target: &Path) -> Outcome<()> {
    let moved = match renameat_with(CWD, from, CWD, target, RenameFlags::NOREPLACE) {
        // Some file systems (NFS, older FUSE ones) have no such rename; a hard link never replaces either.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            fs::hard_link(from, target).and_then(|()| fs::remove_file(from))
        }
        other => other.map_err(io::Error::from),
    };
    match moved {
        // A run that was killed after linking, or an answer that was lost on the way, has done it.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && is_same_file(from, target) => {
            Ok(fs::remove_file(from)?)
        }
        other => other.map_err(placing),
    }
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::symlink_metadata(path).map(|found| (found.dev(), found.ino())).ok();
    identity(one).is_some_and(|found| identity(other) == Some(found))
}

fn move_over(from: &Path, target: &Path) -> Outcome<()> {
    fs::rename(from, target).map_err(placing)
}

fn placing(error: io::Error) -> Failure {
    match error.kind() {
        ErrorKind::NotADirectory | ErrorKind::IsADirectory => clash(error),
        ErrorKind::CrossesDevices => Failure::new(StoreErrorKind::Unsupported)
            .detail("another file system is mounted below the root of the store")
            .because(error),
        _ => error.into(),
    }
}

fn clash(error: io::Error) -> Failure {
    Failure::new(StoreErrorKind::Unsupported).detail("a file and a directory would need the same name").because(error)
}

pub(super) fn sync_directory(path: &Path) -> Outcome<()> {
    Ok(File::open(path)?.sync_all()?)
}
