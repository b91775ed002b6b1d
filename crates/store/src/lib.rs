//! Object stores: a directory, or a bucket behind the S3 protocol, behind one blocking interface.
//!
//! An [`ObjectStore`] holds immutable-by-convention objects under validated [`Key`]s. Whatever a provider does
//! differently is a row in a profile or a probed capability in here; callers never ask who the provider is.
//!
//! The invariant: an object is visible under its key only when all of its bytes are stored, and an answer is never
//! shorter than what was asked for. Being killed at any point leaves at most an unfinished upload
//! ([`ObjectStore::uploads`]) or a private temporary file ([`ObjectStore::sweep`]).
//!
//! This room must never print, start a process, or know what the objects mean.

#![forbid(unsafe_code)]

mod backend;
mod buffer;
mod class;
mod directory;
mod error;
mod key;
mod mark;
mod object;
mod probe;
mod record;
mod s3;
mod store;
mod upload;

pub use buffer::PartBuffer;
pub use class::{Availability, BadStorageClass, ObjectKind, StorageClass, ThawSpeed};
pub use error::{StoreError, StoreErrorKind};
pub use key::{BadKey, Key};
pub use object::{Create, Etag, ObjectInfo, Objects};
pub use probe::Capabilities;
pub use record::{Call, CallLog, Verb};
pub use s3::profile::{Checksum, ConditionalPut, Profile, Provider};
pub use s3::settings::{Credentials, Encryption, S3Settings, Secret};
pub use store::ObjectStore;
pub use upload::{PartClaim, PartTag, PendingUpload, StoredPart, UploadId};
