//! The program in whole machines that are booted for it (User-mode Linux, see docs/laboratory.md): another kernel than this
//! machine's, the power cut under everything, encrypted and slow disks, disks that are plugged in, clocks that jump.
//!
//! What the machines did is read here, from the images of their disks, by this machine's own kernel and programs.

#![expect(clippy::unwrap_used, reason = "a test cannot go on without what it asks for")]

mod clocks;
mod console;
mod disks;
mod hotplug;
mod machine;
#[path = "../system/oracle.rs"]
mod oracle;
mod pool;
mod power;
mod replicas;
mod smoke;
#[expect(dead_code, reason = "shared with the crash tests, which use more of it")]
#[path = "../crash/store.rs"]
mod store;
#[path = "../system/tree.rs"]
mod tree;
#[expect(dead_code, reason = "shared with the tests of the whole program, which use more of it")]
#[path = "../system/world.rs"]
mod world;
