//! Storage classes: what an object costs to keep, and whether it can be read at once.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What an object is to the store: it chooses the storage class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectKind {
    /// Large, written once, read on a restore: may lie in a cold class.
    Bulk,
    /// Small and read on each run: stays readable.
    Metadata,
}

/// A storage class by its S3 name, such as `DEEP_ARCHIVE`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StorageClass(String);

/// A text that is not the name of a storage class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a storage class; they look like `STANDARD_IA` or `DEEP_ARCHIVE`")]
pub struct BadStorageClass(String);

impl StorageClass {
    /// Checks a name; which classes exist is the provider's business.
    pub fn new(name: impl Into<String>) -> Result<Self, BadStorageClass> {
        let name = name.into();
        let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
            return Err(BadStorageClass(name));
        }
        Ok(Self(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether objects of this class must be thawed before they can be read.
    #[must_use]
    pub fn is_cold(&self) -> bool {
        matches!(self.0.as_str(), "GLACIER" | "DEEP_ARCHIVE")
    }
}

impl fmt::Display for StorageClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for StorageClass {
    type Error = BadStorageClass;

    fn try_from(name: String) -> Result<Self, BadStorageClass> {
        Self::new(name)
    }
}

impl From<StorageClass> for String {
    fn from(class: StorageClass) -> Self {
        class.0
    }
}

/// Whether an object can be read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// It can be read.
    Ready,
    /// It must be thawed first.
    Cold,
    /// A thaw was asked for and is not finished.
    Thawing,
    /// It lies in a cold class, and a copy can be read for a while.
    Thawed {
        /// When the copy goes away, where the provider tells.
        until: Option<Timestamp>,
    },
}

impl Availability {
    /// Whether a read would succeed now.
    #[must_use]
    pub fn readable(self) -> bool {
        match self {
            Self::Ready | Self::Thawed { .. } => true,
            Self::Cold | Self::Thawing => false,
        }
    }
}

/// How fast an object is thawed; faster costs more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThawSpeed {
    /// Up to 48 hours, the cheapest.
    Bulk,
    /// Up to 12 hours.
    Standard,
    /// Minutes; not for every class.
    Expedited,
}
