//! How the work makes room for what the machine is for, by its profile.

use subvault_plan::strategy::profile::{Family, Profile};
use subvault_plan::strategy::sending::conditions;

/// How the work makes room. Of a host of which nothing is said nothing is assumed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manners {
    /// Whether it reads and writes only while nobody else does. On a disk that always has something to do it would never end.
    pub idle_io: bool,
    /// Whether it is looked once more each hour: what is carried around is not always on mains and online.
    pub tries_hourly: bool,
}

impl Manners {
    /// Those for a host of this kind.
    #[must_use]
    pub fn of(profile: Profile) -> Self {
        let conditions = conditions(profile).value;
        Self {
            idle_io: matches!(profile.family(), Family::Laptop | Family::Desktop),
            tries_hourly: conditions.unmetered || conditions.battery_percent_min.is_some(),
        }
    }
}
