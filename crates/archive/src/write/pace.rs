//! Keeps the lanes together below a bandwidth.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use subvault_model::bandwidth::Bandwidth;
use subvault_model::bytesize::ByteSize;

/// A clock that all lanes wait for: each part takes its time on the line, one after the other.
pub(super) struct Pace {
    limit: Option<Bandwidth>,
    free_at: Mutex<Option<Instant>>,
}

impl Pace {
    pub(super) fn new(limit: Option<Bandwidth>) -> Self {
        Self { limit, free_at: Mutex::new(None) }
    }

    /// Waits until so many bytes may leave.
    pub(super) fn wait(&self, size: ByteSize) {
        let Some(limit) = self.limit else { return };
        let wait = match self.free_at.lock() {
            Ok(mut free_at) => {
                let now = Instant::now();
                let begin = free_at.map_or(now, |t| t.max(now));
                *free_at = Some(begin + limit.time_for(size));
                begin.saturating_duration_since(now)
            }
            Err(_) => Duration::ZERO,
        };
        std::thread::sleep(wait);
    }
}
