//! What the configuration asks for, checked, in the form in which decisions use it.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use jiff::tz::TimeZone;
use serde::Serialize;
use subvault_model::names::{GroupName, HookName, SubvolumeName, TargetName};

use crate::calendar::Calendar;
use crate::keep::Keep;
use crate::space::Limits;

/// How an archive target is to be filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArchivePolicy {
    /// When a run sends there; `None`: only when it is asked for.
    pub schedule: Option<Calendar>,
    /// A new full is due when the last one is this many days old; `None`: never because of its age.
    pub full_every_days: Option<NonZeroU32>,
    /// How many generations stay in the store; the newest is always one of them.
    pub keep_generations: NonZeroU32,
    /// For how many days a stored object is paid for in any case; deleting it earlier saves nothing.
    pub minimum_storage_days: u32,
    /// Who can open what is archived; empty when it is not encrypted.
    pub recipients: BTreeSet<String>,
}

/// What a replica, a Btrfs disk or host that has copies of snapshots, is to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplicaPolicy {
    /// When a run copies there; `None`: only when it is asked for.
    pub schedule: Option<Calendar>,
    /// Which copies stay there.
    pub keep: Keep,
    /// For how many days after it was seen last the snapshot stays here that its next copy would be relative to.
    pub pin_days: NonZeroU32,
}

/// What is to be done for one subvolume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubvolumePolicy {
    /// Its name.
    pub name: SubvolumeName,
    /// When a run takes a snapshot of it; `None`: only when it is asked for.
    pub schedule: Option<Calendar>,
    /// Where it is archived to.
    pub targets: Vec<TargetName>,
    /// Where its snapshots are copied to.
    pub replicas: Vec<TargetName>,
    /// When it is sent where that is not when the target is sent to; `None`: only when it is asked for.
    pub sends: BTreeMap<TargetName, Option<Calendar>>,
    /// Whether snapshots that other programs took of it are sent like its own. With that, a run that no schedule asks to take
    /// one takes none.
    pub ships_foreign: bool,
    /// Which of its snapshots stay on the pool; parents that are still needed come on top.
    pub keep: Keep,
}

/// Subvolumes that are snapshotted together, back to back, inside of their hooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Its name; that of its only member where the configuration names none.
    pub name: GroupName,
    /// Its members, in the order in which their snapshots are taken.
    pub members: Vec<SubvolumeName>,
    /// Its hooks: begun in this order, ended in the reverse of it.
    pub hooks: Vec<Hook>,
}

/// A hook as far as decisions go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hook {
    /// Its name.
    pub name: HookName,
    /// What follows when it cannot be begun.
    pub on_failure: OnFailure,
}

/// What follows when a hook cannot be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The snapshots of its group are not taken: they would not be what was asked for.
    Skip,
    /// They are taken all the same.
    Continue,
}

/// What a run is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// The subvolumes, in the order in which they are worked on.
    pub subvolumes: Vec<SubvolumePolicy>,
    /// Those that go together. A subvolume is in one group at most.
    pub groups: Vec<Group>,
    /// The targets by name.
    pub targets: BTreeMap<TargetName, ArchivePolicy>,
    /// The replicas by name.
    pub replicas: BTreeMap<TargetName, ReplicaPolicy>,
    /// Whether the user asked for fulls now, whatever the cadence says.
    pub fulls: Fulls,
    /// What stays however short space is.
    pub floor: Keep,
    /// When space is short.
    pub limits: Limits,
    /// Where the clock on the wall is, by which calendars and retention go.
    #[serde(skip)]
    pub zone: TimeZone,
}

impl Policy {
    /// When a subvolume is sent to a target of its own; `None`: only when it is asked for.
    #[must_use]
    pub fn send_schedule<'a>(&'a self, wanted: &'a SubvolumePolicy, target: &TargetName) -> Option<&'a Calendar> {
        let of_archive = || self.targets.get(target).and_then(|target| target.schedule.as_ref());
        let of_target = || self.replicas.get(target).map_or_else(of_archive, |replica| replica.schedule.as_ref());
        wanted.sends.get(target).map_or_else(of_target, Option::as_ref)
    }
}

/// Whether fulls are taken by cadence or now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Fulls {
    /// When they are due.
    WhenDue,
    /// In this run, for every subvolume.
    Now,
}
