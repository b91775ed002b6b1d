//! The call log: which calls a job made, so that a test can say what a job may cost.

use std::sync::{Arc, Mutex, PoisonError};

/// A call to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "named as the methods of ObjectStore")]
pub enum Verb {
    Put,
    Get,
    GetRange,
    Head,
    /// One page of a listing.
    List,
    Delete,
    Thaw,
    BeginUpload,
    PutPart,
    StoredParts,
    CheckParts,
    CompleteUpload,
    AbortUpload,
    Uploads,
    Sweep,
    Probe,
}

/// One call that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What was asked.
    pub verb: Verb,
    /// The key or prefix it was asked for.
    pub key: String,
}

/// The calls made through one recording store, in the order in which they began.
#[derive(Debug, Clone, Default)]
pub struct CallLog(Arc<Mutex<Vec<Call>>>);

impl CallLog {
    pub(crate) fn push(&self, verb: Verb, key: &str) {
        let call = Call { verb, key: key.to_owned() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    /// The calls so far; the log is empty afterwards.
    #[must_use]
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How often a verb was called since the last `take`.
    #[must_use]
    pub fn count(&self, verb: Verb) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|call| call.verb == verb).count()
    }
}
