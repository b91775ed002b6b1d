//! A store in a directory: an object is the file whose path below the root is its key.
//!
//! The invariant: what lies under a key is complete and on the disk. A file is written and synced below
//! [`PRIVATE_DIRECTORY`] first, moved to its key in one step, and the directory it appears in is synced; so a kill or a
//! power cut leaves the old object, the new one, or a temporary file, never a part of one.
//!
//! It must never make the root itself: a missing root is a disk that is not mounted.

mod list;
mod place;
mod upload;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::backend::{Backend, Outcome, PageIter};
use crate::class::{Availability, ObjectKind, StorageClass, ThawSpeed};
use crate::error::{Failure, StoreErrorKind};
use crate::key::{Key, PRIVATE_DIRECTORY};
use crate::mark;
use crate::object::{Create, Etag, ObjectInfo};
use crate::probe::Capabilities;
use crate::upload::{PartClaim, PartTag, PendingUpload, StoredPart, UploadId};

/// A store in a directory.
pub(crate) struct Directory {
    root: PathBuf,
    private: PathBuf,
}

impl Directory {
    pub(crate) fn open(root: &Path) -> Outcome<Self> {
        match fs::metadata(root) {
            Ok(found) if found.is_dir() => Ok(Self { root: root.to_owned(), private: root.join(PRIVATE_DIRECTORY) }),
            Ok(_) => Err(Failure::new(StoreErrorKind::BadSettings).detail("it is not a directory")),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(Failure::new(StoreErrorKind::NoStore).because(error))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn create(root: &Path) -> Outcome<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(root)?;
        Self::open(root)
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.as_str())
    }

    /// A new file in the private directory, which is made when it is first needed. Locked until it is closed.
    fn temporary(&self, name: &str) -> Outcome<(PathBuf, File)> {
        let path = self.private.join(name);
        loop {
            let file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.make_private()?;
                    continue;
                }
                other => other?,
            };
            // Says that its writer lives. Where there are no locks, `sweep` removes nothing.
            let _ = file.lock();
            // Else `sweep` was faster.
            if file.metadata()?.nlink() > 0 {
                return Ok((path, file));
            }
        }
    }

    fn make_private(&self) -> Outcome<()> {
        match fs::DirBuilder::new().mode(0o700).create(&self.private) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(Failure::new(StoreErrorKind::NoStore).because(error))
            }
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// An error about a file, told apart from a root that is gone.
    fn missing(&self, failure: Failure) -> Failure {
        if failure.kind == StoreErrorKind::NotFound && !self.root.is_dir() {
            return Failure { kind: StoreErrorKind::NoStore, ..failure };
        }
        failure
    }

    fn open_object(&self, key: &Key) -> Outcome<(File, u64)> {
        // A link would lead out of the store, and a pipe would never open.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(self.path(key));
        let file = opened.map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::LOOP | Errno::NXIO) => StoreErrorKind::NotFound.into(),
            _ => self.missing(object_error(error)),
        })?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(StoreErrorKind::NotFound.into());
        }
        Ok((file, found.len()))
    }

    fn write_and_place(&self, path: &Path, mut file: File, body: &[u8], key: &Key, how: &Create) -> Outcome<Etag> {
        file.write_all(body)?;
        file.sync_all()?;
        let etag = etag_of(&file.metadata()?);
        self.place(path, key, how)?;
        Ok(etag)
    }
}

impl Backend for Directory {
    fn describe(&self) -> String {
        format!("directory {}", self.root.display())
    }

    fn class_of(&self, _kind: ObjectKind) -> Option<StorageClass> {
        None
    }

    fn put(&self, key: &Key, body: Bytes, how: &Create, _kind: ObjectKind) -> Outcome<Etag> {
        let (path, file) = self.temporary(&format!("{}{}", upload::PUT, mark::fresh()?))?;
        let outcome = self.write_and_place(&path, file, &body, key, how);
        if outcome.is_err() {
            // Best effort: what stays is swept later, and the first error is the one that matters.
            let _ = fs::remove_file(&path);
        }
        outcome
    }

    fn get(&self, key: &Key, bytes_max: usize) -> Outcome<Bytes> {
        let (file, size) = self.open_object(key)?;
        if size > bytes_max as u64 {
            return Err(
                Failure::new(StoreErrorKind::TooLarge).detail(format!("{size} bytes, at most {bytes_max} expected"))
            );
        }
        let mut body = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        // One byte more than there may be shows a file that is longer than it said.
        file.take(size + 1).read_to_end(&mut body)?;
        if body.len() as u64 != size {
            return Err(Failure::new(StoreErrorKind::Unfaithful).detail("it changed while it was read"));
        }
        Ok(body.into())
    }

    fn get_range(&self, key: &Key, offset: u64, len: usize) -> Outcome<Bytes> {
        let (file, size) = self.open_object(key)?;
        // Looked at before memory is taken: a wrong length must not ask for more than there is.
        if offset.checked_add(len as u64).is_none_or(|end| end > size) {
            return Err(Failure::new(StoreErrorKind::Short).detail(format!("{len} bytes from {offset} of {size}")));
        }
        let mut body = vec![0; len];
        file.read_exact_at(&mut body, offset)?;
        Ok(body.into())
    }

    fn head(&self, key: &Key) -> Outcome<Option<ObjectInfo>> {
        match fs::symlink_metadata(self.path(key)).map_err(|error| self.missing(object_error(error))) {
            Ok(found) if found.is_file() => Ok(Some(info_of(key.clone(), &found))),
            Ok(_) => Ok(None),
            Err(failure) if failure.kind == StoreErrorKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn list(&self, prefix: &str) -> PageIter {
        Box::new(list::Pages::new(&self.root, prefix))
    }

    fn delete(&self, key: &Key) -> Outcome<()> {
        self.remove(key).map_err(|failure| self.missing(failure))
    }

    fn thaw(&self, key: &Key, _days: u32, _speed: ThawSpeed) -> Outcome<Availability> {
        self.head(key)?.map(|_| Availability::Ready).ok_or_else(|| StoreErrorKind::NotFound.into())
    }

    fn begin_upload(&self, key: &Key, kind: ObjectKind, part_size: u64) -> Outcome<UploadId> {
        upload::begin(self, key, kind, part_size)
    }

    fn put_part(&self, upload: &UploadId, _number: u32, offset: u64, body: Bytes) -> Outcome<PartTag> {
        upload::put_part(self, upload, offset, &body)
    }

    fn stored_parts(&self, upload: &UploadId) -> Outcome<Vec<StoredPart>> {
        upload::stored_parts(self, upload)
    }

    fn check_parts(&self, upload: &UploadId, claims: &[PartClaim<'_>]) -> Outcome<Vec<bool>> {
        upload::check_parts(self, upload, claims)
    }

    fn complete_upload(&self, upload: &UploadId, _parts: &[(u32, PartTag)], size: u64, how: &Create) -> Outcome<()> {
        upload::complete(self, upload, size, how)
    }

    fn abort_upload(&self, upload: &UploadId) -> Outcome<()> {
        upload::abort(self, upload)
    }

    fn uploads(&self, prefix: &str) -> Outcome<Vec<PendingUpload>> {
        upload::pending(self, prefix)
    }

    fn sweep(&self) -> Outcome<usize> {
        upload::sweep(self)
    }

    fn probe(&self, scratch: &Key) -> Outcome<Capabilities> {
        let key = scratch.join(&mark::fresh()?).map_err(|bad| Failure::new(StoreErrorKind::Misuse).because(bad))?;
        let put = || self.put(&key, Bytes::from_static(b"probe"), &Create::IfAbsent, ObjectKind::Metadata);
        put()?;
        let second = put();
        self.delete(&key)?;
        match second {
            Err(failure) if failure.kind == StoreErrorKind::AlreadyExists => Ok(Capabilities::ALL),
            Err(failure) => Err(failure),
            Ok(_) => Ok(Capabilities { conditional_put: false, conditional_complete: false, ..Capabilities::ALL }),
        }
    }
}

/// A file where a directory is wanted, or the other way round, means that no such object exists.
fn object_error(error: std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::NotADirectory | ErrorKind::IsADirectory => Failure::new(StoreErrorKind::NotFound).because(error),
        _ => error.into(),
    }
}

/// Every placed file is a new inode written at its own time, so this names a version without reading it.
fn etag_of(found: &fs::Metadata) -> Etag {
    Etag(format!("{:x}-{:x}.{:x}-{:x}", found.ino(), found.mtime(), found.mtime_nsec(), found.size()))
}

fn info_of(key: Key, found: &fs::Metadata) -> ObjectInfo {
    let modified = found.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    ObjectInfo {
        key,
        size: found.len(),
        etag: etag_of(found),
        class: None,
        availability: Availability::Ready,
        modified: modified.unwrap_or(Timestamp::UNIX_EPOCH),
    }
}
