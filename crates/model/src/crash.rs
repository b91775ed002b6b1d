//! Named points at which the crash harness kills the process.
//!
//! Without the feature `crash-points` passing a point does nothing. With it, a process whose environment holds
//! `SUBVAULT_CRASH_AT=name` or `name:3` dies at that point (the third time it is passed) as by `kill -9`: no
//! destructor runs, nothing is flushed.

/// Every named point, in the order in which archiving, restoring and comparing pass them; tests walk them all.
pub const POINTS: &[&str] = &[
    "hook-opening",
    "hook-begun",
    "note-staged",
    "note-written",
    "snapshot-taken",
    "hook-ended",
    "journal-begun",
    "upload-begun",
    "part-intended",
    "part-stored",
    "part-recorded",
    "chunk-completed",
    "chunk-recorded",
    "chunk-put",
    "stream-written",
    "manifest-published",
    "pointer-published",
    "journal-removed",
    "prune-begun",
    "snapshot-deleted",
    "prune-note-removed",
    "prune-lost-note-removed",
    "gc-manifest-deleted",
    "gc-chunk-deleted",
    "restore-begun",
    "restore-received",
    "restore-stream-checked",
    "restore-copied",
    "restore-cleaned",
    "restore-placed",
    "diff-snapshot-taken",
    "file-begun",
    "file-filled",
    "file-exchanged",
    "file-placed",
    "undo-rewritten",
    "undo-renamed",
    "undo-exchanged",
    "undo-removed",
    "rollback-noted",
    "rollback-taken",
    "rollback-fstab-mended",
    "rollback-exchanged",
    "rollback-made-writable",
    "rollback-moved",
    "rollback-default-set",
    "rollback-entry-written",
    "rollback-discarded",
    "rollback-kept",
    "rollback-synced",
    "copy-removed",
    "copy-begun",
    "copy-fed",
    "copy-received",
    "copy-placed",
    "copy-recorded",
    "copy-deleted",
    "copy-sent",
    "serve-fed",
    "return-sent",
    "return-fed",
    "return-staged",
    "return-path-fed",
    "forget-begun",
    "forget-removed",
    "forget-rewritten",
    "forget-noted",
    "forget-exchanged",
    "forget-deleted",
    "forget-cleaned",
    "forget-left-removed",
    "forget-live-removed",
    "forget-rebased",
];

/// Passes the named point.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub fn point(_name: &'static str) {}

/// Passes the named point, and dies there if the environment asks for it.
#[cfg(feature = "crash-points")]
pub fn point(name: &'static str) {
    use std::sync::atomic::{AtomicU32, Ordering};

    static PASSED: AtomicU32 = AtomicU32::new(0);
    assert!(POINTS.contains(&name), "`{name}` is missing in POINTS");
    let Ok(wanted) = std::env::var("SUBVAULT_CRASH_AT") else {
        return;
    };
    let (point, times) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if point == name && PASSED.fetch_add(1, Ordering::SeqCst) + 1 >= times.parse().unwrap_or(1) {
        // Like `kill -9`: `abort` runs no destructor and flushes nothing.
        std::process::abort();
    }
}
