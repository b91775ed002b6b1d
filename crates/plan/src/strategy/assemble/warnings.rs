//! What is wrong with a strategy, found before it is followed. Pure.

use jiff::SignedDuration;
use subvault_model::facts::{Facts, SubvolumeFacts};

use super::subvolumes::place;
use crate::strategy::forecast::PoolForecast;
use crate::strategy::objectives::Answer;
use crate::strategy::profile::Family;
use crate::strategy::snapshots::length;
use crate::strategy::tier::Tier;
use crate::strategy::warning::Warning;
use crate::strategy::workload::Workload;
use crate::strategy::{Said, Strategy, SubvolumeStrategy};

/// How much room snapshots may take, in hundredths of the data, if nothing is said.
const OVERHEAD_PERCENT: u8 = 15;
/// Snapshots of what is overwritten in place that are taken more often than this cost it what it was chosen for.
const NOCOW_OFTEN: SignedDuration = SignedDuration::from_hours(4);

/// Finds all that is wrong.
pub(super) fn find(strategy: &Strategy, facts: &Facts, said: &Said) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = strategy.subvolumes.iter().flat_map(|s| of_subvolume(s, facts)).collect();
    let allowed = u64::from(said.overhead_percent_max.unwrap_or(OVERHEAD_PERCENT));
    warnings.extend(strategy.pools.iter().flat_map(|pool| of_pool(pool, allowed)));
    warnings.extend(of_targets(strategy, facts, said));
    warnings.extend(of_objectives(strategy, said));
    warnings.extend(strategy.filesystems.iter().filter(|f| !f.differs.is_empty()).map(|filesystem| {
        let what = format!("its options differ from those that are meant: {}", filesystem.differs.join(", "));
        Warning::new(
            format!("pool {}", filesystem.uuid),
            what,
            "change them in fstab; `subvault render fstab` writes it",
        )
    }));
    warnings
}

fn of_subvolume(subvolume: &SubvolumeStrategy, facts: &Facts) -> Vec<Warning> {
    let name = subvolume.name.to_string();
    let mut warnings = Vec::new();
    let often = subvolume.promise.filter(|p| p.lose_at_most <= NOCOW_OFTEN).map(|p| p.lose_at_most);
    if let (false, Some(lose), Some(_)) = (subvolume.storage.value.is_cow, often, &subvolume.snapshots.value) {
        let what = format!(
            "snapshots to lose {} at most, of files that are overwritten in place: after each, every block that is \
             rewritten is copied once and scattered",
            length(lose)
        );
        let remedy = match subvolume.workload.value {
            Workload::Database => "let it lose more (`tier = \"important\"`) and keep the server's own log archive",
            _ => "let it lose more, or store it with copy on write",
        };
        warnings.push(Warning::new(&name, what, remedy));
    }
    let is_it = |seen: &&SubvolumeFacts| seen.seen_at.as_ref().map(place).as_ref() == Some(&subvolume.path);
    let seen = facts.pools.iter().flat_map(|pool| &pool.subvolumes).find(is_it);
    if let Some(seen) = seen.filter(|seen| seen.is_nodatacow && subvolume.storage.value.is_cow) {
        let what =
            format!("/{} is overwritten in place, without checksums, and is meant to be copied on write", seen.path);
        warnings.push(Warning::new(&name, what, "copy its files into a new directory without `chattr +C`"));
    }
    if subvolume.workload.value == Workload::Swap && subvolume.snapshots.value.is_some() {
        let what = "a subvolume with an active swap file cannot be snapshotted";
        warnings.push(Warning::new(&name, what, "say `snapshot = \"never\"` for it"));
    }
    warnings
}

fn of_pool(pool: &PoolForecast, allowed: u64) -> Vec<Warning> {
    let about = format!("pool {}", pool.uuid);
    let shorten = "keep fewer: hours and days go first, then weeks and months; or allow more with `overhead`";
    let mut warnings = Vec::new();
    if pool.snapshots > pool.free {
        let what = format!("snapshots will take about {}, and {} are free", pool.snapshots, pool.free);
        warnings.push(Warning::new(&about, what, shorten));
    }
    if pool.overhead_percent > allowed {
        let what = format!(
            "snapshots will take about {}, which is {} % of its data; {allowed} % are allowed",
            pool.snapshots, pool.overhead_percent
        );
        warnings.push(Warning::new(&about, what, shorten));
    }
    warnings
}

fn of_objectives(strategy: &Strategy, said: &Said) -> Option<Warning> {
    let Some(solved) = &strategy.objectives else {
        let what = "how much is sent from here is not known, so nothing can be said about its objectives";
        let remedy = "plan on the host itself, with its pools mounted";
        return said.objectives.is_stated().then(|| Warning::new(&strategy.host, what, remedy));
    };
    let Answer::NotMet { binding, .. } = &solved.answer else { return None };
    let (what, remedy) = binding.sentences(&solved.stated);
    Some(Warning::new("[objectives]", what, remedy))
}

fn of_targets(strategy: &Strategy, facts: &Facts, said: &Said) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let host = strategy.host.as_str();
    if said.targets.is_empty() {
        let what = "nothing leaves this machine: when its disk dies, its snapshots die with it";
        warnings.push(Warning::new(host, what, "add a [[target]]: another disk, another host, or a bucket"));
    } else if !said.targets.iter().any(|target| target.is_elsewhere) {
        let what = "all copies are in the same place as the machine: fire and theft take them all";
        warnings.push(Warning::new(host, what, "add a [[target]] that is elsewhere: a host or a bucket"));
    }
    for subvolume in strategy.subvolumes.iter().filter(|s| s.tier.value <= Tier::Important) {
        let is_sent = strategy.targets.iter().any(|target| target.subvolumes.contains(&subvolume.name));
        if subvolume.sends.value.is_some() && !said.targets.is_empty() && !is_sent {
            let what = format!("it is {} and is sent nowhere", subvolume.tier.value);
            warnings.push(Warning::new(subvolume.name.to_string(), what, "add a target to its `targets`"));
        }
    }
    let on_battery = facts.power.is_some_and(|power| power.is_on_mains == Some(false));
    if strategy.profile.value.family() == Family::Laptop && on_battery && !said.targets.is_empty() {
        let what = "it is on battery: until it is on mains, or charged enough, nothing is sent, and only snapshots on its own \
                    disk keep what is promised";
        warnings.push(Warning::new(host, what, "plug it in at night"));
    }
    warnings
}
