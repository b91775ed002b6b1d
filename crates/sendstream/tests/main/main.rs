//! The codec against the kernel's streams, btrfs-progs, the crate btrfs-stream, and models of our own.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on shall fail")]

mod btrfs;
mod changes;
mod commands;
mod damage;
mod dump;
mod malformed;
mod model;
mod real;
mod scope;
