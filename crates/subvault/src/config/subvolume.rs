//! `[[subvolume]]`: what is looked after.

use std::path::PathBuf;

use serde::Deserialize;
use subvault_model::names::{HookName, SubvolumeName, TargetName};
use subvault_plan::strategy::tier::Tier;
use subvault_plan::strategy::workload::Workload;
use toml::Spanned;

use super::keep::Keep;
use super::schedule::When;
use super::word::Word;

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
    /// How much it matters.
    pub tier: Option<Word<Tier>>,
    /// What it is used for.
    pub workload: Option<Word<Workload>>,
    /// When its snapshots are taken.
    pub snapshot: Option<When>,
    /// When it is sent to its targets.
    pub send: Option<When>,
    /// Which of its snapshots stay.
    #[serde(default)]
    pub keep: Keep,
    /// What is done about the subvolumes inside of it.
    #[serde(default)]
    pub nested: Nested,
    /// What is done about snapshots that other programs took of it.
    #[serde(default)]
    pub foreign: Foreign,
    /// What runs before and after.
    #[serde(default)]
    pub hooks: Vec<Spanned<HookName>>,
    /// Where it is archived to; everywhere if not said.
    pub targets: Option<Vec<Spanned<TargetName>>>,
}

/// The directory for snapshots inside a subvolume, unless said otherwise.
pub const SNAPSHOTS: &str = ".subvault";

/// `nested = "report"`, `"include"` or `"ignore"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nested {
    /// A run says that they are not part of its snapshots.
    #[default]
    Report,
    /// They are looked after as it is, under names of their own.
    Include,
    /// Nothing.
    Ignore,
}

/// `foreign = "show"` or `"ship"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Foreign {
    /// They are shown.
    #[default]
    Show,
    /// They are archived and copied like our own.
    Ship,
}
