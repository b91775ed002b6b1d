//! What is usual for a subvolume on a host whose profile is said: the strategy's words where the configuration has none.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;

use jiff::tz::TimeZone;
use subvault_host::clock;
use subvault_model::names::TargetName;
use subvault_plan::calendar::Calendar;
use subvault_plan::keep::Keep;
use subvault_plan::strategy::sending::{self, frequency};
use subvault_plan::strategy::snapshots::{cadence, retention};
use subvault_plan::strategy::tier::{Tier, of_workload, promise};
use subvault_plan::strategy::wall_clock::WallClock;
use subvault_plan::strategy::workload::tell_by_path;

use super::Resolver;
use crate::config::objectives;
use crate::config::subvolume::Subvolume;

/// What is usual for a subvolume.
pub(crate) struct Usual {
    /// When its snapshots are taken.
    pub(crate) snapshots: Option<Calendar>,
    /// Which of them stay; `None` where none are taken.
    pub(crate) keep: Option<Keep>,
    /// When it is sent.
    sends: Option<Calendar>,
}

impl Resolver<'_> {
    /// What is usual for a subvolume; `None` where no profile is said.
    pub(crate) fn usual_of(&self, written: &Subvolume) -> Option<Usual> {
        let profile = self.document.config.host.profile?.0;
        let told = || tell_by_path(written.path.as_os_str().as_bytes()).value;
        let workload = written.workload.map_or_else(told, |word| word.0);
        let tier = written.tier.map_or_else(|| of_workload(workload, profile).value, |word| word.0);
        let wall = self.wall();
        let parse = |text: &str| Calendar::parse(text, &|name| TimeZone::get(name).ok()).ok();
        let stated = objectives::stated(self.document);
        let promise = promise(tier, profile).map(|promise| stated.narrowed(promise, tier));
        let snapshots = cadence(promise, &wall).value.as_deref().and_then(parse);
        let start = sending::start(&self.host_name(), profile, &wall).value;
        let lose_at_most = stated.lose_at_most.filter(|_| tier <= Tier::Important);
        let sends = sending::times(frequency(workload, profile), start, lose_at_most, &wall).value;
        Some(Usual {
            snapshots,
            keep: retention(tier, profile).map(|keep| keep.value),
            sends: sends.as_deref().and_then(parse),
        })
    }

    /// The clock that calendars go by.
    pub(crate) fn wall(&self) -> WallClock {
        let zone = self.zone().unwrap_or_else(|_| TimeZone::system());
        let year = zone.to_datetime(clock::now()).year();
        WallClock::new(zone, year)
    }

    /// What this machine is called, as far as it can be told.
    pub(crate) fn host_name(&self) -> String {
        let said = self.document.config.host.name.as_ref().map(|name| name.get_ref().to_string());
        said.or_else(|| super::own_name().ok().map(|name| name.to_string())).unwrap_or_default()
    }

    /// When it is sent to each of its targets, where that is not when the target is sent to: as it says itself; or as is usual
    /// for it, where neither the target nor the configuration as a whole says anything.
    pub(super) fn send_schedules<'a>(
        &self,
        written: &Subvolume,
        targets: impl Iterator<Item = &'a TargetName>,
        usual: Option<&Usual>,
    ) -> BTreeMap<TargetName, Option<Calendar>> {
        let config = &self.document.config;
        let says = |name: &TargetName| {
            let mut all = config.targets.iter().map(toml::Spanned::get_ref);
            config.schedule.send.is_some() || all.any(|target| target.name == *name && target.schedule.is_some())
        };
        let of = |name: &TargetName| match (&written.send, usual) {
            (Some(when), _) => Some((name.clone(), when.0.clone())),
            (None, Some(usual)) if !says(name) => Some((name.clone(), usual.sends.clone())),
            _ => None,
        };
        targets.filter_map(of).collect()
    }
}
