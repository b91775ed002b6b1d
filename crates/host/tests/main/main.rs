//! Tests against real Btrfs on loop devices; they need root.

mod locks;
mod pools;
mod sending;
mod subvolumes;
mod support;
