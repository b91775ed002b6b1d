//! What a run does: it looks at pools and stores, lets `plan` decide, and carries the steps out one by one.
//!
//! A file per kind of job. This room joins `host` and `archive`; it must never decide what to keep or to delete (that
//! is `plan`) and never print (it tells a `Monitor`).

#![forbid(unsafe_code)]

pub mod apply;
pub mod archive;
pub mod audit;
pub mod bench;
pub mod bring_back;
mod claim;
pub mod content;
pub mod diff;
pub mod doctor;
pub mod driver;
pub mod error;
pub mod fetched;
pub mod foreign;
pub mod forget;
pub mod gc;
pub mod io_bench;
pub mod nested;
pub mod note;
pub mod observe;
pub mod open_hooks;
mod placing;
pub mod replica;
pub mod replicate;
pub mod restore;
pub mod restore_copy;
pub mod rollback;
pub mod run;
pub mod sends_now;
pub mod setup;
pub mod snapshot;
pub mod throughput;
pub mod timeline;
pub mod undo;
pub mod verify;
pub mod versions;
