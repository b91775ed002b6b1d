//! What the configuration asks for, checked, in the form in which decisions use it.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use serde::Serialize;
use subvault_model::names::{SubvolumeName, TargetName};

/// How an archive target is to be filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArchivePolicy {
    /// A new full is due when the last one is this many days old; `None`: never because of its age.
    pub full_every_days: Option<NonZeroU32>,
    /// How many generations stay in the store; the newest is always one of them.
    pub keep_generations: NonZeroU32,
    /// For how many days a stored object is paid for in any case; deleting it earlier saves nothing.
    pub minimum_storage_days: u32,
    /// Who can open what is archived; empty when it is not encrypted.
    pub recipients: BTreeSet<String>,
}

/// What is to be done for one subvolume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubvolumePolicy {
    /// Its name.
    pub name: SubvolumeName,
    /// Where it is archived to.
    pub targets: Vec<TargetName>,
    /// How many of its snapshots stay on the pool after a run; parents that are still needed come on top.
    pub keep_snapshots: NonZeroU32,
}

/// What one archive run is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// The subvolumes, in the order in which they are worked on.
    pub subvolumes: Vec<SubvolumePolicy>,
    /// The targets by name.
    pub targets: BTreeMap<TargetName, ArchivePolicy>,
    /// Whether the user asked for fulls now, whatever the cadence says.
    pub fulls: Fulls,
}

/// Whether fulls are taken by cadence or now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Fulls {
    /// When they are due.
    WhenDue,
    /// In this run, for every subvolume.
    Now,
}
