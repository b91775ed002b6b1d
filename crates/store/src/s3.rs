//! A store in a bucket, over the AWS SDK.
//!
//! The SDK is asynchronous and the callers are plain threads: the store owns a small runtime and each call waits on
//! it. The invariant: a write is repeated by the SDK when its answer is lost, so every write carries a mark with which
//! a conflict with our own first attempt is recognised.
//!
//! It must never ask who the provider is: the profile and the probed capabilities say what to send.

mod client;
mod error;
mod list;
mod probe;
pub(crate) mod profile;
mod read;
pub(crate) mod settings;
mod upload;
mod write;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder as ConfigBuilder;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::types::{ChecksumAlgorithm, ServerSideEncryption, StorageClass as SdkClass};
use bytes::Bytes;
use tokio::runtime::Runtime;

use crate::backend::{Backend, Outcome, PageIter};
use crate::class::{Availability, ObjectKind, StorageClass, ThawSpeed};
use crate::error::Failure;
use crate::key::Key;
use crate::object::{Create, Etag, ObjectInfo};
use crate::probe::Capabilities;
use crate::upload::{PartClaim, PartTag, PendingUpload, StoredPart, UploadId};

use profile::{Checksum, ConditionalPut};
use settings::{Encryption, S3Settings};

/// The name of the metadata entry that holds the mark of the write that made an object.
const MARK: &str = "subvault-mark";

/// The slowest upload that is still waited for, in bytes a second.
const UPLOAD_RATE_MIN: u64 = 50_000;

/// A store in a bucket.
pub(crate) struct S3 {
    inner: Arc<Inner>,
}

/// What all calls, and the listings that outlive them, share.
pub(super) struct Inner {
    client: Client,
    settings: S3Settings,
    /// Taken only when the store is dropped.
    runtime: Option<Runtime>,
    describe: String,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A name lookup that hangs must not hang the program's end.
            runtime.shutdown_background();
        }
    }
}

impl Inner {
    /// Waits for a request, on the calling thread.
    fn wait<T>(&self, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(work),
            None => Err(Failure::new(crate::StoreErrorKind::Misuse).detail("the store is closed")),
        }
    }

    fn bucket(&self) -> &str {
        &self.settings.bucket
    }

    /// The key in the bucket of a key of the store, or of the beginning of one.
    fn full(&self, key: &str) -> String {
        match &self.settings.prefix {
            Some(prefix) => format!("{prefix}/{key}"),
            None => key.to_owned(),
        }
    }

    /// The key in the store of a key in the bucket; `None` if it is not one of ours.
    fn own(&self, full: &str) -> Option<Key> {
        let rest = match &self.settings.prefix {
            Some(prefix) => full.strip_prefix(prefix.as_str())?.strip_prefix('/')?,
            None => full,
        };
        Key::new(rest).ok()
    }

    fn class(&self, kind: ObjectKind) -> Option<&StorageClass> {
        match kind {
            ObjectKind::Bulk => self.settings.bulk_class.as_ref(),
            ObjectKind::Metadata => self.settings.metadata_class.as_ref(),
        }
    }

    fn sdk_class(&self, kind: ObjectKind) -> Option<SdkClass> {
        self.class(kind).map(|class| SdkClass::from(class.as_str()))
    }

    fn checksum(&self) -> Option<ChecksumAlgorithm> {
        match self.settings.provider.profile().checksum {
            Checksum::Crc64Nvme => Some(ChecksumAlgorithm::Crc64Nvme),
            Checksum::None => None,
        }
    }

    fn encryption(&self) -> (Option<ServerSideEncryption>, Option<String>) {
        match &self.settings.encryption {
            Encryption::BucketDefault => (None, None),
            Encryption::Aes256 => (Some(ServerSideEncryption::Aes256), None),
            Encryption::Kms { key_id } => (Some(ServerSideEncryption::AwsKms), key_id.clone()),
        }
    }

    /// What is known to be honoured: probed, documented, or nothing.
    fn capabilities(&self) -> Option<Capabilities> {
        let documented = match self.settings.provider.profile().conditional_put {
            ConditionalPut::Always => Some(Capabilities::ALL),
            ConditionalPut::Probe => None,
            ConditionalPut::Never => Some(Capabilities {
                conditional_put: false,
                conditional_complete: false,
                if_match: false,
                storage_class: true,
            }),
        };
        self.settings.capabilities.or(documented)
    }

    /// The time a try with a body of this size may take.
    fn patience(&self, bytes: usize) -> ConfigBuilder {
        let seconds = self.settings.read_timeout_secs.saturating_add(bytes as u64 / UPLOAD_RATE_MIN);
        let limit = Duration::from_secs(seconds);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(self.settings.connect_timeout_secs))
            .read_timeout(limit)
            .operation_attempt_timeout(limit);
        ConfigBuilder::new().timeout_config(timeouts.build())
    }
}

impl S3 {
    pub(crate) fn open(settings: &S3Settings) -> Outcome<Self> {
        Ok(Self { inner: Arc::new(client::open(settings)?) })
    }
}

impl Backend for S3 {
    fn describe(&self) -> String {
        self.inner.describe.clone()
    }

    fn class_of(&self, kind: ObjectKind) -> Option<StorageClass> {
        // An answer about a standard object does not name its class.
        self.inner.class(kind).filter(|class| class.as_str() != "STANDARD").cloned()
    }

    fn put(&self, key: &Key, body: Bytes, how: &Create, kind: ObjectKind) -> Outcome<Etag> {
        self.inner.wait(self.inner.put(key, body, how, kind))
    }

    fn get(&self, key: &Key, bytes_max: usize) -> Outcome<Bytes> {
        self.inner.wait(self.inner.get(key, read::Wanted::Whole { bytes_max }))
    }

    fn get_range(&self, key: &Key, offset: u64, len: usize) -> Outcome<Bytes> {
        self.inner.wait(self.inner.get(key, read::Wanted::Range { offset, len }))
    }

    fn head(&self, key: &Key) -> Outcome<Option<ObjectInfo>> {
        self.inner.wait(async { Ok(self.inner.head(key).await?.map(|found| found.info)) })
    }

    fn list(&self, prefix: &str) -> PageIter {
        Box::new(list::Pages::new(Arc::clone(&self.inner), prefix))
    }

    fn delete(&self, key: &Key) -> Outcome<()> {
        self.inner.wait(self.inner.delete(key))
    }

    fn thaw(&self, key: &Key, days: u32, speed: ThawSpeed) -> Outcome<Availability> {
        self.inner.wait(self.inner.thaw(key, days, speed))
    }

    fn begin_upload(&self, key: &Key, kind: ObjectKind, part_size: u64) -> Outcome<UploadId> {
        self.inner.wait(self.inner.begin_upload(key, kind, part_size))
    }

    fn put_part(&self, upload: &UploadId, number: u32, _offset: u64, body: Bytes) -> Outcome<PartTag> {
        self.inner.wait(self.inner.put_part(upload, number, body))
    }

    fn stored_parts(&self, upload: &UploadId) -> Outcome<Vec<StoredPart>> {
        self.inner.wait(self.inner.stored_parts(upload))
    }

    fn check_parts(&self, upload: &UploadId, claims: &[PartClaim<'_>]) -> Outcome<Vec<bool>> {
        let stored = self.stored_parts(upload)?;
        let holds = |claim: &PartClaim<'_>| {
            let same =
                |part: &StoredPart| part.number == claim.number && part.size == claim.size && part.tag == *claim.tag;
            stored.iter().any(same)
        };
        Ok(claims.iter().map(holds).collect())
    }

    fn complete_upload(&self, upload: &UploadId, parts: &[(u32, PartTag)], _size: u64, how: &Create) -> Outcome<()> {
        self.inner.wait(self.inner.complete_upload(upload, parts, how))
    }

    fn abort_upload(&self, upload: &UploadId) -> Outcome<()> {
        self.inner.wait(self.inner.abort_upload(upload))
    }

    fn uploads(&self, prefix: &str) -> Outcome<Vec<PendingUpload>> {
        self.inner.wait(self.inner.uploads(prefix))
    }

    fn sweep(&self) -> Outcome<usize> {
        Ok(0)
    }

    fn probe(&self, scratch: &Key) -> Outcome<Capabilities> {
        self.inner.wait(self.inner.probe(scratch))
    }
}
