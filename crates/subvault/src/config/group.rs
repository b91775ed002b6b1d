//! `[[group]]`: subvolumes whose snapshots are taken together.

use serde::Deserialize;
use subvault_model::names::{GroupName, HookName, SubvolumeName};
use toml::Spanned;

use super::schedule::When;

/// A group.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// What it is called.
    pub name: GroupName,
    /// Its members, in the order in which their snapshots are taken.
    pub subvolumes: Vec<Spanned<SubvolumeName>>,
    /// What runs before and after.
    #[serde(default)]
    pub hooks: Vec<Spanned<HookName>>,
    /// When their snapshots are taken.
    pub snapshot: Option<When>,
}
