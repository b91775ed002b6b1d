//! `[[subvolume]]`: what is looked after.

use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::Deserialize;
use subvault_model::names::{SubvolumeName, TargetName};
use toml::Spanned;

/// A subvolume.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subvolume {
    /// What it is called in snapshot names and stores.
    pub name: SubvolumeName,
    /// Where it is mounted, or a path to it.
    pub path: PathBuf,
    /// Where its snapshots are; `.subvault` inside of it if not said.
    pub snapshots: Option<PathBuf>,
    /// How many of its snapshots stay on the pool.
    #[serde(default = "default_keep")]
    pub keep_snapshots: NonZeroU32,
    /// Where it is archived to; everywhere if not said.
    pub targets: Option<Vec<Spanned<TargetName>>>,
}

/// The directory for snapshots inside a subvolume, unless said otherwise.
pub const SNAPSHOTS: &str = ".subvault";

fn default_keep() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(2)
}
