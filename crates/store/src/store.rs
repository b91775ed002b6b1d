//! `ObjectStore`: the one door to a store. It checks the arguments, logs the call, and says in an error what was done.
//!
//! It must never hold state between calls: whatever a call needs is in its arguments, so that a process killed here
//! can go on from its journal.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::backend::{Backend, Doing, Outcome};
use crate::class::{Availability, ObjectKind, ThawSpeed};
use crate::directory::Directory;
use crate::error::{Failure, StoreError, StoreErrorKind};
use crate::key::Key;
use crate::object::{Create, Etag, ObjectInfo, Objects};
use crate::probe::Capabilities;
use crate::record::{CallLog, Verb};
use crate::s3::S3;
use crate::s3::settings::S3Settings;
use crate::upload::{PartClaim, PartTag, PendingUpload, StoredPart, UploadId};

/// A store of objects. Cheap to clone, and usable from many threads at once.
///
/// All calls block; they must not be made on a thread that drives an asynchronous runtime.
#[derive(Clone)]
pub struct ObjectStore {
    backend: Arc<dyn Backend>,
    log: Option<CallLog>,
}

impl ObjectStore {
    fn new(backend: impl Backend + 'static) -> Self {
        Self { backend: Arc::new(backend), log: None }
    }

    /// Opens the store in an existing directory. Reading from it needs no right to write.
    pub fn directory(root: &Path) -> Result<Self, StoreError> {
        let opened = Directory::open(root).map_err(|failure| opening(root, failure))?;
        Ok(Self::new(opened))
    }

    /// Opens the store in a directory that is made first if it is missing.
    pub fn create_directory(root: &Path) -> Result<Self, StoreError> {
        let opened = Directory::create(root).map_err(|failure| opening(root, failure))?;
        Ok(Self::new(opened))
    }

    /// Opens the store in a bucket. No request is made to the bucket yet.
    pub fn s3(settings: &S3Settings) -> Result<Self, StoreError> {
        let opened = S3::open(settings)
            .map_err(|failure| StoreError::new(format!("cannot use bucket `{}`", settings.bucket), failure))?;
        Ok(Self::new(opened))
    }

    /// What and where the store is, for people: `directory /srv/vault`, `s3://bucket/prefix at https://...`.
    #[must_use]
    pub fn describe(&self) -> String {
        self.backend.describe()
    }

    /// The same store, and a log of the calls made through the returned handle and its clones.
    #[must_use]
    pub fn recorded(&self) -> (Self, CallLog) {
        let log = CallLog::default();
        (Self { backend: Arc::clone(&self.backend), log: Some(log.clone()) }, log)
    }

    /// Stores a small object.
    ///
    /// If [`Create::IfAbsent`] does not hold, the kind is `AlreadyExists`; with [`Create::IfMatch`] it is `Changed`.
    pub fn put(&self, key: &Key, body: Bytes, how: &Create, kind: ObjectKind) -> Result<Etag, StoreError> {
        self.call(Verb::Put, "store", key.as_str(), |backend| backend.put(key, body, how, kind))
    }

    /// Reads a whole object of at most `bytes_max` bytes; of a larger one nothing is loaded (`TooLarge`).
    pub fn get(&self, key: &Key, bytes_max: usize) -> Result<Bytes, StoreError> {
        self.call(Verb::Get, "read", key.as_str(), |backend| backend.get(key, bytes_max))
    }

    /// Reads exactly `len` bytes from `offset`; what reaches beyond the object's end is an error (`Short`).
    pub fn get_range(&self, key: &Key, offset: u64, len: usize) -> Result<Bytes, StoreError> {
        self.call(Verb::GetRange, "read a part of", key.as_str(), |backend| match len {
            0 => Ok(Bytes::new()),
            _ => backend.get_range(key, offset, len),
        })
    }

    /// What is stored under a key, if anything.
    pub fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, StoreError> {
        self.call(Verb::Head, "look up", key.as_str(), |backend| backend.head(key))
    }

    /// The objects whose keys begin with a text, in the order of the keys' bytes.
    ///
    /// One page of them is in memory at a time. Files and objects whose names are no keys are not listed.
    #[must_use]
    pub fn list(&self, prefix: &str) -> Objects {
        Objects {
            pages: self.backend.list(prefix),
            page: Vec::new().into_iter(),
            ended: false,
            doing: self.doing("list", prefix),
            log: self.log.clone(),
            prefix: prefix.into(),
        }
    }

    /// Deletes an object; that there is none is fine.
    pub fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.call(Verb::Delete, "delete", key.as_str(), |backend| backend.delete(key))
    }

    /// Asks for a readable copy of a cold object, kept for so many days; asking again does no harm.
    ///
    /// Returns `Ready` if it can be read anyway. [`Self::head`] tells when a copy is there.
    pub fn thaw(&self, key: &Key, days: u32, speed: ThawSpeed) -> Result<Availability, StoreError> {
        self.call(Verb::Thaw, "thaw", key.as_str(), |backend| backend.thaw(key, days, speed))
    }

    /// Begins an object that is stored in parts.
    pub fn begin_upload(&self, key: &Key, kind: ObjectKind, part_size: u64) -> Result<UploadId, StoreError> {
        self.call(Verb::BeginUpload, "begin the upload of", key.as_str(), |backend| {
            ensure(part_size > 0, "a part has no length")?;
            backend.begin_upload(key, kind, part_size)
        })
    }

    /// Stores a part, numbered from 0. Parts may come in any order, from several threads, and more than once.
    ///
    /// Every part but the last is as long as was said at the beginning, so `offset` is `number` times that.
    pub fn put_part(&self, upload: &UploadId, number: u32, offset: u64, body: Bytes) -> Result<PartTag, StoreError> {
        self.call(Verb::PutPart, "store a part of", upload.key.as_str(), |backend| {
            ensure(
                u64::from(number).checked_mul(upload.part_size) == Some(offset),
                "a part is not where it should be",
            )?;
            ensure(body.len() as u64 <= upload.part_size, "a part is too long")?;
            backend.put_part(upload, number, offset, body)
        })
    }

    /// The parts the store says it has, by number. A directory only knows how far its file reaches, so that
    /// [`Self::check_parts`] is the proof there. An upload that is gone has the kind `NoSuchUpload`.
    pub fn stored_parts(&self, upload: &UploadId) -> Result<Vec<StoredPart>, StoreError> {
        self.call(Verb::StoredParts, "look up the parts of", upload.key.as_str(), |backend| {
            backend.stored_parts(upload)
        })
    }

    /// For each claim whether this very part is stored. A bucket is asked once for all of them and compares receipt and
    /// size; a directory reads the bytes back and hashes them. An upload that is gone has the kind `NoSuchUpload`.
    pub fn check_parts(&self, upload: &UploadId, claims: &[PartClaim<'_>]) -> Result<Vec<bool>, StoreError> {
        self.call(Verb::CheckParts, "check the parts of", upload.key.as_str(), |backend| {
            backend.check_parts(upload, claims)
        })
    }

    /// Makes an object of the parts, given in order and without gaps, and compares size and storage class with what was
    /// asked for (`Unfaithful`).
    ///
    /// May be repeated: it succeeds again as long as the object under the key is the one this upload made.
    pub fn complete_upload(
        &self,
        upload: &UploadId,
        parts: &[(u32, PartTag)],
        size: u64,
        how: &Create,
    ) -> Result<ObjectInfo, StoreError> {
        self.call(Verb::CompleteUpload, "complete", upload.key.as_str(), |backend| {
            ensure(covers(upload, parts, size), "the parts do not make up the object")?;
            backend.complete_upload(upload, parts, size, how)
        })?;
        let found = self.head(&upload.key)?;
        let wanted = self.backend.class_of(upload.kind);
        let fault = match &found {
            None => Some("it is not there".to_owned()),
            Some(info) if info.size != size => Some(format!("{} bytes instead of {size}", info.size)),
            Some(info) => wanted.filter(|class| info.class.as_ref() != Some(class)).map(|class| match &info.class {
                Some(other) => format!("storage class {other} instead of {class}"),
                None => format!("no storage class instead of {class}"),
            }),
        };
        match (found, fault) {
            (Some(info), None) => Ok(info),
            (_, fault) => {
                let failure = Failure::new(StoreErrorKind::Unfaithful).detail(fault.unwrap_or_default());
                Err(self.doing("complete", upload.key.as_str()).failed(failure))
            }
        }
    }

    /// Forgets an upload and its parts; that it is gone already is fine.
    pub fn abort_upload(&self, upload: &UploadId) -> Result<(), StoreError> {
        self.call(Verb::AbortUpload, "abort the upload of", upload.key.as_str(), |backend| backend.abort_upload(upload))
    }

    /// The unfinished uploads whose keys begin with a text.
    pub fn uploads(&self, prefix: &str) -> Result<Vec<PendingUpload>, StoreError> {
        self.call(Verb::Uploads, "list the uploads of", prefix, |backend| backend.uploads(prefix))
    }

    /// Removes the temporary files that killed `put`s left behind, and says how many; what a living process is writing
    /// stays. A bucket has none.
    pub fn sweep(&self) -> Result<usize, StoreError> {
        self.call(Verb::Sweep, "clean up", "", |backend| backend.sweep())
    }

    /// Tries out what the store honours, with objects below `scratch` that are deleted again.
    pub fn probe(&self, scratch: &Key) -> Result<Capabilities, StoreError> {
        self.call(Verb::Probe, "try out", scratch.as_str(), |backend| backend.probe(scratch))
    }

    fn doing(&self, what: &'static str, key: &str) -> Doing {
        Doing { what, key: key.to_owned(), backend: Arc::clone(&self.backend) }
    }

    fn call<T>(
        &self,
        verb: Verb,
        what: &'static str,
        key: &str,
        work: impl FnOnce(&dyn Backend) -> Outcome<T>,
    ) -> Result<T, StoreError> {
        if let Some(log) = &self.log {
            log.push(verb, key);
        }
        work(&*self.backend).map_err(|failure| self.doing(what, key).failed(failure))
    }
}

impl std::fmt::Debug for ObjectStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ObjectStore({})", self.describe())
    }
}

fn opening(root: &Path, failure: Failure) -> StoreError {
    StoreError::new(format!("cannot open directory {}", root.display()), failure)
}

fn ensure(holds: bool, otherwise: &str) -> Outcome<()> {
    if holds { Ok(()) } else { Err(Failure::new(StoreErrorKind::Misuse).detail(otherwise)) }
}

/// Whether the parts are numbered without gaps and together can be so long.
fn covers(upload: &UploadId, parts: &[(u32, PartTag)], size: u64) -> bool {
    let count = parts.len() as u64;
    let in_order = parts.iter().zip(0..).all(|((number, _), expected)| *number == expected);
    in_order && count > 0 && size <= count.saturating_mul(upload.part_size) && size >= (count - 1) * upload.part_size
}
