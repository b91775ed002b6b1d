//! Forgetting paths: looks for what holds them, and carries out what `plan` decided, in all snapshots and at targets.
//!
//! Killed anywhere: each snapshot is there under its name, as it was or without the paths, and what lies beside it under the
//! other name goes first in the next run. It must never touch a snapshot that somebody else took, nor one that somebody
//! may be writing to: those are told.

mod act;
mod look;
mod targets;

use std::path::PathBuf;

use serde::Serialize;
use subvault_plan::forget::{Held, Seen};

use crate::foreign::Owner;
use crate::setup::SubvolumeSetup;

pub use act::{Outcome, Performed, carry_out};
pub use look::{clean, look};
pub use targets::{
    Copies, Generations, NotSeen, Rebased, Told, all_clean, decide, let_go, look_at_targets, not_seen, rebase,
};

/// How the other name begins under which a snapshot is replaced.
pub const ASIDE: &str = ".forgetting.";

/// Paths that are to be forgotten in one subvolume.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The subvolume.
    pub setup: &'a SubvolumeSetup,
    /// The paths below its top: none is above another, and none is the top.
    pub paths: Vec<PathBuf>,
}

/// What is on the pool.
#[derive(Debug)]
pub struct OnPool {
    /// What is decided on.
    pub seen: Seen,
    /// What is not ours and holds it: told, and left as it is.
    pub others: Vec<Other>,
}

/// A subvolume that is not ours to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Other {
    /// Who made it, as far as is known; `None` for what a rollback kept aside, and for copies that can be written to.
    pub owner: Option<Owner>,
    /// Which of our runs left it, if one did that died or is at work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debris: Option<Debris>,
    /// Where it is, from the top level of the pool.
    pub path: String,
    /// What it has at the paths.
    pub holds: Vec<Held>,
}

/// What a run of ours keeps on the pool for a while, and leaves there when it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Debris {
    /// A snapshot that was fetched so that files could be copied out of it.
    Fetched,
    /// A subvolume that was on its way back to a place.
    Restoring,
}
