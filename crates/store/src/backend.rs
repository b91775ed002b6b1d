//! What a kind of store has to be able to do; private, so that the wrapper sees every call.

use std::sync::Arc;

use bytes::Bytes;

use crate::class::{Availability, ObjectKind, StorageClass, ThawSpeed};
use crate::error::{Failure, StoreError};
use crate::key::Key;
use crate::object::{Create, Etag, ObjectInfo};
use crate::probe::Capabilities;
use crate::upload::{PartClaim, PartTag, PendingUpload, StoredPart, UploadId};

pub(crate) type Outcome<T> = Result<T, Failure>;
pub(crate) type PageIter = Box<dyn Iterator<Item = Outcome<Page>> + Send>;

/// Some objects of a listing, in order.
pub(crate) struct Page {
    pub(crate) objects: Vec<ObjectInfo>,
    pub(crate) last: bool,
}

/// The methods of [`crate::ObjectStore`]; what they promise is said there.
///
/// The wrapper has checked part numbers, offsets and sizes before a method is called.
pub(crate) trait Backend: Send + Sync {
    fn describe(&self) -> String;
    /// The class an object of this kind must have once it is stored, where that is asked for.
    fn class_of(&self, kind: ObjectKind) -> Option<StorageClass>;

    fn put(&self, key: &Key, body: Bytes, how: &Create, kind: ObjectKind) -> Outcome<Etag>;
    fn get(&self, key: &Key, bytes_max: usize) -> Outcome<Bytes>;
    fn get_range(&self, key: &Key, offset: u64, len: usize) -> Outcome<Bytes>;
    fn head(&self, key: &Key) -> Outcome<Option<ObjectInfo>>;
    fn list(&self, prefix: &str) -> PageIter;
    fn delete(&self, key: &Key) -> Outcome<()>;
    fn thaw(&self, key: &Key, days: u32, speed: ThawSpeed) -> Outcome<Availability>;

    fn begin_upload(&self, key: &Key, kind: ObjectKind, part_size: u64) -> Outcome<UploadId>;
    fn put_part(&self, upload: &UploadId, number: u32, offset: u64, body: Bytes) -> Outcome<PartTag>;
    fn stored_parts(&self, upload: &UploadId) -> Outcome<Vec<StoredPart>>;
    fn check_parts(&self, upload: &UploadId, claims: &[PartClaim<'_>]) -> Outcome<Vec<bool>>;
    fn complete_upload(&self, upload: &UploadId, parts: &[(u32, PartTag)], size: u64, how: &Create) -> Outcome<()>;
    fn abort_upload(&self, upload: &UploadId) -> Outcome<()>;
    fn uploads(&self, prefix: &str) -> Outcome<Vec<PendingUpload>>;

    fn sweep(&self) -> Outcome<usize>;
    fn probe(&self, scratch: &Key) -> Outcome<Capabilities>;
}

/// What is being done, for the error text.
pub(crate) struct Doing {
    pub(crate) what: &'static str,
    pub(crate) key: String,
    pub(crate) backend: Arc<dyn Backend>,
}

impl Doing {
    pub(crate) fn failed(&self, failure: Failure) -> StoreError {
        let store = self.backend.describe();
        let doing = match self.key.as_str() {
            "" => format!("cannot {} {store}", self.what),
            key => format!("cannot {} `{key}` in {store}", self.what),
        };
        StoreError::new(doing, failure)
    }
}
