//! The only place that reads clocks.
//!
//! Invariant: deciding code gets its moments as values from here, so that it can be tested. It must
//! never be used to order what happened on another machine: clocks differ and jump.

use std::time::Instant;

use jiff::Timestamp;

/// The moment, as people and other machines understand it. It can jump.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The moment, for measuring how long something takes. It only grows.
#[must_use]
pub fn monotonic() -> Instant {
    Instant::now()
}
