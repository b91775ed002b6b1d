//! `[target.btrfs]`: a Btrfs disk or host that has copies of snapshots.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::Deserialize;
use subvault_model::bandwidth::Bandwidth;
use subvault_model::ids::PoolUuid;
use subvault_plan::keep::Keep as Rules;
use toml::Spanned;

use super::keep::Keep;

/// A place for copies.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Btrfs {
    /// Where copies are.
    pub directory: Spanned<PathBuf>,
    /// The pool that is mounted for the time of the run.
    pub uuid: Option<PoolUuid>,
    /// What is opened before.
    pub luks: Option<Luks>,
    /// The machine that the directory is on.
    pub ssh: Option<Ssh>,
    /// Which copies stay.
    #[serde(default)]
    pub keep: Keep,
    /// For how many days the next parent stays here while it is away.
    #[serde(default = "default_pin")]
    pub pin_days: NonZeroU32,
    /// The fastest it may be filled.
    pub bandwidth: Option<Bandwidth>,
}

/// An encrypted disk.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Luks {
    /// The uuid in its header.
    pub uuid: Spanned<String>,
    /// Where the key is.
    pub key_file: PathBuf,
}

/// Another machine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ssh {
    /// `user@host`.
    pub host: Spanned<String>,
    /// Another port than usual.
    pub port: Option<u16>,
    /// The key to log in with.
    pub identity_file: Option<PathBuf>,
    /// Where the keys of known hosts are.
    pub known_hosts: Option<PathBuf>,
    /// More options of `ssh`.
    #[serde(default)]
    pub options: Vec<String>,
    /// What is run there, unless a forced command says what.
    pub program: Option<Vec<String>>,
    /// After how long without a sign of life it is taken for dead.
    #[serde(default = "default_stall")]
    pub stall_seconds: NonZeroU32,
}

/// What stays on a disk unless said otherwise.
pub fn usual() -> Rules {
    Rules { newest: NonZeroU32::MIN, within: None, periods: [0, 14, 0, 12, 0, 3], tags: BTreeSet::new() }
}

fn default_pin() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(39)
}

fn default_stall() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(119)
}
