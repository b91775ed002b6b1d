//! How much a subvolume matters: how much work may be lost, and how long it may take until it is back. Pure.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use serde::Serialize;

use super::decision::Decision;
use super::profile::{Family, Profile};
use super::workload::Workload;

/// How much a subvolume matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Losing an hour of it hurts: databases, the system's configuration, people's files.
    Critical,
    /// Losing a day of it hurts: development, data of applications.
    Important,
    /// It would be missed: logs.
    Standard,
    /// Nobody would miss it: what is temporary, caches, swap.
    Temporary,
}

/// A word that is no tier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no tier; there are critical, important, standard and temporary")]
pub struct BadTier(String);

/// What is promised about a subvolume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Promise {
    /// How much work may be lost at most (RPO).
    pub lose_at_most: SignedDuration,
    /// How long it may take until it is back (RTO).
    pub back_within: SignedDuration,
}

impl Tier {
    /// All there are, what matters most first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::Important, Self::Standard, Self::Temporary];

    /// As it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Important => "important",
            Self::Standard => "standard",
            Self::Temporary => "temporary",
        }
    }
}

/// Which tier a subvolume is of, by what it is used for.
#[must_use]
pub fn of_workload(workload: Workload, profile: Profile) -> Decision<Tier> {
    let on_impermanent = profile == Profile::ImpermanentServer;
    let (tier, because) = match workload {
        Workload::System if on_impermanent => (Tier::Temporary, "it is made anew at each boot"),
        Workload::System => (Tier::Critical, "it holds the configuration of the system"),
        Workload::User => (Tier::Critical, "it holds people's files"),
        Workload::Database => (Tier::Critical, "it holds a database"),
        Workload::Application => (Tier::Critical, "it holds data of services"),
        Workload::Development => (Tier::Important, "what is developed is usually elsewhere as well"),
        Workload::Container => (Tier::Important, "images come back from their registry, volumes do not"),
        Workload::VirtualMachine => (Tier::Critical, "it holds the disks of virtual machines"),
        Workload::PackageStore if on_impermanent => (Tier::Critical, "without its packages the host does not boot"),
        Workload::PackageStore => (Tier::Standard, "packages can be fetched again"),
        Workload::Log if on_impermanent => (Tier::Important, "logs are what is left of earlier boots"),
        Workload::Log => (Tier::Standard, "logs are read after something went wrong, and not for long"),
        Workload::Backup => (Tier::Important, "it holds what others brought here to be safe"),
        Workload::Cache => (Tier::Temporary, "a cache fills again by itself"),
        Workload::Temporary => (Tier::Temporary, "it is temporary by its name"),
        Workload::Swap => (Tier::Temporary, "it is memory"),
        Workload::Archive => (Tier::Temporary, "it holds snapshots already"),
    };
    Decision::new(tier, because)
}

/// What is promised about a tier on a kind of host.
#[must_use]
pub fn promise(tier: Tier, profile: Profile) -> Option<Promise> {
    let of = |lose: SignedDuration, back: SignedDuration| Some(Promise { lose_at_most: lose, back_within: back });
    let (hours, minutes) = (SignedDuration::from_hours, SignedDuration::from_mins);
    match (tier, profile) {
        (Tier::Critical, Profile::ProductionVps) => of(minutes(30), minutes(30)),
        (Tier::Critical, Profile::StagingVps | Profile::UtilityVps) => of(hours(4), hours(2)),
        (Tier::Critical, Profile::ProxmoxHost) => of(hours(24), hours(24)),
        (Tier::Critical, _) => of(hours(1), hours(1)),
        (Tier::Important, _) => of(hours(24), hours(4)),
        (Tier::Standard, _) if is_critical_host(profile) => of(hours(24), hours(24)),
        (Tier::Standard, _) => of(hours(7 * 24), hours(24)),
        (Tier::Temporary, _) => None,
    }
}

/// Whether others rely on such a host.
#[must_use]
pub fn is_critical_host(profile: Profile) -> bool {
    matches!(profile, Profile::ProductionVps) || (profile.family() == Family::Server && profile != Profile::ProxmoxHost)
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Tier {
    type Err = BadTier;

    fn from_str(text: &str) -> Result<Self, BadTier> {
        Self::ALL.into_iter().find(|tier| tier.word() == text).ok_or_else(|| BadTier(text.to_owned()))
    }
}
