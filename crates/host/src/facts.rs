//! What is known of this host: the machine, its power, its disks, its pools and who uses them.
//!
//! Invariant: it only looks. What is not said anywhere is not known, and is told so; nothing is guessed and nothing fails the
//! whole. Everything of the hardware is read below a root directory, so that tests look at machines that are not there.
//! Pools are asked by ioctls. It must never print serial numbers, and never read a file of a user.

mod below;
mod block;
mod by_id;
mod change;
mod disks;
mod machine;
mod os_release;
mod passed_over;
mod pools;
mod power;
mod root;
mod subvolumes;
mod transport;
mod uses;
mod virtualisation;

#[cfg(test)]
mod machine_tests;

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;
use subvault_model::facts::{Facts, Power};

pub(crate) use by_id::best as best_id;
pub(crate) use disks::in_order;
pub(crate) use machine::of_firmware;
pub(crate) use passed_over::by_name as passed_over_by_name;

use self::pools::Pools;
use self::root::Root;

/// What was found out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// What is known.
    pub facts: Facts,
    /// What would be good to know and is not.
    pub not_known: Vec<NotKnown>,
}

/// Something that could not be found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotKnown {
    /// What: `the subvolumes of the pool at /home`.
    pub what: String,
    /// Why, for people.
    pub why: String,
}

/// Looks at the machine that this process runs on. Snapshots older than a month before `now` tell nothing of how much
/// changes.
#[must_use]
pub fn look(now: Timestamp) -> Found {
    let root = Path::new("/");
    let mut found = Found { facts: hardware(root), not_known: Vec::new() };
    let Pools { pools, not_known } = pools::look(&Root::new(root), now);
    found.facts.pools = pools;
    found.not_known = not_known;
    found
}

/// How the machine is powered, as the kernel's files below `root` tell it; `None` where they tell nothing.
#[must_use]
pub fn power(root: &Path) -> Option<Power> {
    power::look(&Root::new(root))
}

/// The machine, its power and its disks, as the kernel's files below `root` tell them; the pools are left out.
#[must_use]
pub fn hardware(root: &Path) -> Facts {
    let root = Root::new(root);
    let (disks, passed_over) = disks::look(&root);
    Facts { machine: machine::look(&root), power: power::look(&root), disks, passed_over, pools: Vec::new() }
}
