//! What is known of a stored object, and how one comes to be.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::backend::{Doing, PageIter};
use crate::class::{Availability, StorageClass};
use crate::error::StoreError;
use crate::key::Key;
use crate::record::{CallLog, Verb};

/// Names one version of an object; compared, never interpreted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Etag(pub String);

/// What must hold for an object to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Create {
    /// Nothing is stored under the key.
    ///
    /// Where the store cannot promise this (see [`crate::Capabilities`]) it is looked up first: good against
    /// mistakes, not a lock between two writers.
    IfAbsent,
    /// No condition.
    Overwrite,
    /// This version is stored under the key. The same limits hold.
    IfMatch(Etag),
}

/// What is known of a stored object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its name.
    pub key: Key,
    /// Its length in bytes.
    pub size: u64,
    /// Its version.
    pub etag: Etag,
    /// Its storage class, where the store has such and says so.
    pub class: Option<StorageClass>,
    /// Whether it can be read now. In a listing this is judged by the class alone, so a thawed object is `Cold`
    /// there; [`crate::ObjectStore::head`] knows.
    pub availability: Availability,
    /// When it was stored.
    pub modified: Timestamp,
}

/// The objects below a prefix, in the order of their keys' bytes; holds one page at a time.
pub struct Objects {
    pub(crate) pages: PageIter,
    pub(crate) page: std::vec::IntoIter<ObjectInfo>,
    pub(crate) ended: bool,
    pub(crate) doing: Doing,
    pub(crate) log: Option<CallLog>,
    pub(crate) prefix: Arc<str>,
}

impl Iterator for Objects {
    type Item = Result<ObjectInfo, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(object) = self.page.next() {
                return Some(Ok(object));
            }
            if self.ended {
                return None;
            }
            if let Some(log) = &self.log {
                log.push(Verb::List, &self.prefix);
            }
            match self.pages.next() {
                None => self.ended = true,
                Some(Ok(page)) => {
                    self.page = page.objects.into_iter();
                    self.ended = page.last;
                }
                Some(Err(failure)) => {
                    self.ended = true;
                    return Some(Err(self.doing.failed(failure)));
                }
            }
        }
    }
}
