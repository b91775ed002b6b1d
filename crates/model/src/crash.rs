//! Named points at which the crash harness kills the process.
//!
//! Without the feature `crash-points` this is an empty function. With it, a process whose environment
//! holds `SUBVAULT_CRASH_AT=name` or `name:3` dies at that point (the third time it is passed), as by
//! `kill -9`: no destructor runs. The list of names is `POINTS`, so that a test can walk all of them.

/// Every named point, in the order in which a run passes them.
pub const POINTS: &[&str] = &[];

/// Passes the named point.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub fn point(_name: &'static str) {}
