//! From what is known of a host and what its owner says to a whole strategy, each choice with its reason.
//!
//! The same facts and the same words give the same strategy: nothing here reads a clock or the machine. Where the
//! configuration says something, that is what counts; everything else is chosen. It proposes and changes nothing.

pub mod archive_model;
pub mod assemble;
pub mod decision;
pub mod forecast;
pub mod layout;
pub mod objectives;
pub mod profile;
pub mod proof;
pub mod sending;
pub mod snapshots;
pub mod storage;
pub mod target_cost;
pub mod tier;
pub mod wall_clock;
pub mod warning;
pub mod workload;

use std::num::NonZeroU32;

use serde::Serialize;
use subvault_model::bytesize::ByteSize;
use subvault_model::file_path::FilePath;
use subvault_model::names::{SubvolumeName, TargetName};

use self::decision::Decision;
use self::forecast::{Forecast, PoolForecast};
use self::objectives::{Objectives, Solved};
use self::profile::Profile;
use self::proof::Proof;
use self::sending::{Conditions, Method, Window};
use self::storage::{FilesystemOption, Intent, Means, Mode, Sysctl};
use self::tier::{Promise, Tier};
use self::wall_clock::WallClock;
use self::warning::Warning;
use self::workload::Workload;
use crate::cost::table::Tables;
use crate::keep::Keep;

/// What the configuration says, as far as it is about the strategy.
#[derive(Debug, Clone)]
pub struct Said {
    /// The clock that calendars go by.
    pub wall: WallClock,
    /// What the host is called.
    pub host: String,
    /// What kind of host it is.
    pub profile: Option<Profile>,
    /// What it is tuned for.
    pub mode: Option<Mode>,
    /// How much room snapshots may take, in hundredths of the data; 15 if not said.
    pub overhead_percent_max: Option<u8>,
    /// What its owner states, and how fast its network is.
    pub objectives: Objectives,
    /// What providers take.
    pub tables: Tables,
    /// The subvolumes that it names; when there are none, all that are mounted are meant.
    pub subvolumes: Vec<SaidSubvolume>,
    /// The targets that it names.
    pub targets: Vec<SaidTarget>,
}

/// What the configuration says of a subvolume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaidSubvolume {
    /// Its name.
    pub name: SubvolumeName,
    /// Where it is seen, from the root of the system.
    pub path: FilePath,
    /// How much it matters.
    pub tier: Option<Tier>,
    /// What it is used for.
    pub workload: Option<Workload>,
    /// When its snapshots are taken; `Some(None)`: never.
    pub snapshots: Option<Option<String>>,
    /// Which of them stay.
    pub keep: Option<Keep>,
    /// When it is sent; `Some(None)`: never.
    pub sends: Option<Option<String>>,
    /// Where it is sent to.
    pub targets: Vec<TargetName>,
}

/// What the configuration says of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaidTarget {
    /// Its name.
    pub name: TargetName,
    /// What it is.
    pub kind: TargetKind,
    /// When it is sent to; `Some(None)`: never.
    pub schedule: Option<Option<String>>,
    /// Whether it is away from the machine: another disk of the same machine is not.
    pub is_elsewhere: bool,
    /// How an archive there is kept.
    pub kept: Kept,
}

/// How an archive is kept at a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// After how many days a new chain begins; `None`: never because of its age.
    pub full_every_days: Option<NonZeroU32>,
    /// How many chains stay.
    pub keep_generations: NonZeroU32,
    /// For how many days objects stay in any case.
    pub minimum_storage_days: u32,
    /// The largest object.
    pub chunk: ByteSize,
}

/// What a target is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// A directory in which streams are stored.
    Directory,
    /// A bucket: the provider, and the storage class of what is large if one is said.
    Bucket {
        /// In the configuration's word.
        provider: String,
        /// As the provider calls it.
        class: Option<String>,
    },
    /// A Btrfs disk or directory with copies.
    Disk,
    /// Another host with copies.
    Host,
}

/// The strategy for a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Strategy {
    /// What the host is called.
    pub host: String,
    /// What kind of host it is.
    pub profile: Decision<Profile>,
    /// What it is tuned for.
    pub mode: Decision<Mode>,
    /// What is done for each subvolume.
    pub subvolumes: Vec<SubvolumeStrategy>,
    /// How each filesystem is mounted.
    pub filesystems: Vec<FilesystemStrategy>,
    /// Which subvolumes are snapshotted together.
    pub groups: Vec<Decision<Vec<SubvolumeName>>>,
    /// When and how copies leave the host.
    pub sending: SendingStrategy,
    /// What is sent where.
    pub targets: Vec<TargetStrategy>,
    /// What does what the owner states; `None` where nothing is stated, nothing is sent, or its size is not known.
    pub objectives: Option<Solved>,
    /// When it is proved that a restore would work.
    pub proofs: Vec<Proof>,
    /// Parameters of the kernel.
    pub sysctls: Vec<Sysctl>,
    /// The room on each pool.
    pub pools: Vec<PoolForecast>,
    /// What is wrong.
    pub warnings: Vec<Warning>,
}

/// What is done for a subvolume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubvolumeStrategy {
    /// Its name.
    pub name: SubvolumeName,
    /// Where it is seen, from the root of the system; or, where it is not mounted, where it is in its pool.
    pub path: FilePath,
    /// Whether the configuration names it.
    pub is_configured: bool,
    /// What it is used for.
    pub workload: Decision<Workload>,
    /// How much it matters.
    pub tier: Decision<Tier>,
    /// What is promised about it.
    pub promise: Option<Promise>,
    /// When its snapshots are taken, in systemd's words.
    pub snapshots: Decision<Option<String>>,
    /// Which of them stay.
    pub keep: Option<Decision<Keep>>,
    /// When it is sent, in systemd's words.
    pub sends: Decision<Option<String>>,
    /// How.
    pub method: Decision<Method>,
    /// How it is to be stored.
    pub storage: Decision<Intent>,
    /// What makes that true.
    pub means: Vec<Means>,
    /// What is given up for it.
    pub caveats: Vec<String>,
    /// How large it is and will be, where its pool is known.
    pub forecast: Option<Forecast>,
}

/// How a filesystem is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FilesystemStrategy {
    /// Which one: its uuid.
    pub uuid: String,
    /// Options that all its subvolumes share.
    pub options: Vec<FilesystemOption>,
    /// Options that it has now and that differ.
    pub differs: Vec<String>,
}

/// When and how copies leave the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SendingStrategy {
    /// When it may be busy with it.
    pub window: Window,
    /// At which minute of the day it begins.
    pub start: Decision<u16>,
    /// How fast, in the words of the configuration.
    pub bandwidth: Decision<Option<&'static str>>,
    /// What has to be so.
    pub conditions: Decision<Conditions>,
    /// After how many days a new chain begins, and how many chains stay.
    pub chains: Decision<(u32, u32)>,
}

/// What is sent to a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetStrategy {
    /// Its name.
    pub name: TargetName,
    /// What it is.
    pub kind: TargetKind,
    /// What is sent there.
    pub subvolumes: Vec<SubvolumeName>,
    /// When, if the configuration says it for the target as a whole.
    pub schedule: Option<Option<String>>,
    /// How an archive there is kept.
    pub kept: Kept,
}
