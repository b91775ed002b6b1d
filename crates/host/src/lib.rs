//! This machine: Btrfs, mounts, processes, clocks.
//!
//! Invariant: this room does what it is told and reports what it found; it decides nothing about
//! backups. It alone issues ioctls, starts processes and reads clocks, and all unsafe code of the
//! project is in `ioctl`. It must never print, and never take a name for UTF-8.

pub mod attach;
pub mod clock;
pub mod copy;
pub mod error;
pub mod facter;
pub mod facts;
pub mod foreground;
pub mod hook;
pub mod identity;
pub mod inode_attributes;
pub mod inside;
pub mod interruption;
pub mod io_bench;
#[expect(unsafe_code, reason = "ioctls take pointers; every other module is safe code")]
pub mod ioctl;
pub mod lock;
pub mod look;
pub mod mounts;
pub mod network;
mod noise;
pub mod pace;
pub mod pool;
pub mod prefetch;
pub mod priority;
pub mod probe;
pub mod process;
pub mod read_ahead;
pub mod receive;
pub mod send;
pub mod snapshot;
pub mod subvolume;
pub mod sysctl;
pub mod top_level;
pub mod tree_diff;
pub mod tree_digest;
mod tree_walk;

pub use error::{HostError, HostErrorKind};
