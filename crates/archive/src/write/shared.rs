//! The first failure of a pipeline, which stops all of it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::ArchiveError;

/// Holds the first failure. Threads that find their neighbour gone end quietly: the neighbour said why.
#[derive(Default)]
pub(super) struct Failure {
    failed: AtomicBool,
    first: Mutex<Option<ArchiveError>>,
}

impl Failure {
    pub(super) fn set(&self, error: ArchiveError) {
        if let Ok(mut first) = self.first.lock() {
            first.get_or_insert(error);
        }
        self.failed.store(true, Ordering::SeqCst);
    }

    pub(super) fn note(&self, result: Result<(), ArchiveError>) {
        if let Err(error) = result {
            self.set(error);
        }
    }

    pub(super) fn is_set(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    pub(super) fn into_result(self) -> Result<(), ArchiveError> {
        let first = self.first.into_inner().map_err(|_| ArchiveError::Bug("a thread of the pipeline died"))?;
        first.map_or(Ok(()), Err)
    }
}
