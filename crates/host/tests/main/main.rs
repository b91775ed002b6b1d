//! Tests against real Btrfs on loop devices; they need root.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is a test that failed")]

mod changes;
mod churn;
mod digests;
mod facts;
mod hostile;
mod io_bench;
mod locks;
mod oracle;
mod path_streams;
mod pools;
mod receiving;
mod sending;
mod subvolumes;
mod support;
mod tree_diffs;
