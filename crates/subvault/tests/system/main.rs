//! The program as its users run it: the real binary, real Btrfs on loop devices, directories and S3 servers as stores.
//!
//! Each test makes a world of its own and undoes it when it is dropped, also while it panics. What a test cannot run
//! on fails it, with the one exception that a variable asks for and that is told as `NOT RUN:`.

#![expect(clippy::unwrap_used, reason = "a test cannot go on without what it asks for")]

mod apply;
mod around;
mod bench_io;
mod copies_back;
mod damage;
mod databases;
mod detect;
mod diff;
mod faults;
mod files;
mod foreign;
mod forget;
mod forgotten;
mod gc;
mod hooks;
mod imports;
mod inputs;
mod json;
mod lost;
mod machine_tree;
mod matrix;
mod memory;
mod nix;
mod oracle;
mod plan;
mod readme;
mod recovery;
mod render;
mod replicate;
mod rollback;
mod runbooks;
mod runs;
mod schedule;
mod sends_now;
mod servers;
mod ssh;
mod status;
mod stores;
mod tree;
mod trouble;
mod undo;
mod world;
