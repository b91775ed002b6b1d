//! Capabilities: what this very store turned out to honour.
//!
//! Some servers accept a condition or a storage class and ignore it. Trying it out, once, with a scratch object is the
//! only way to know; the answer is recorded by the caller and given back in the settings.

use serde::{Deserialize, Serialize};

/// What a store honours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    /// A put under the condition that nothing is stored there.
    pub conditional_put: bool,
    /// The same condition when an upload is completed.
    pub conditional_complete: bool,
    /// A put under the condition that a certain version is stored there.
    pub if_match: bool,
    /// The storage class that was asked for is the one that is kept (also when none is asked for).
    pub storage_class: bool,
}

impl Capabilities {
    /// All of it.
    pub const ALL: Self =
        Self { conditional_put: true, conditional_complete: true, if_match: true, storage_class: true };
}
