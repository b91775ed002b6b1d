//! Puts the strategy together: each subvolume by itself, then what they share, then what is wrong with it. Pure.

mod subvolumes;
mod warnings;

use std::collections::BTreeMap;

use subvault_model::bytesize::ByteSize;
use subvault_model::facts::{Facts, PoolFacts};
use subvault_model::names::SubvolumeName;

use super::archive_model::of_everything;
use super::decision::Decision;
use super::forecast::PoolForecast;
use super::objectives::{Solved, solve};
use super::profile::{Profile, choose};
use super::storage::{Mode, filesystem_options, sysctls};
use super::workload::Workload;
use super::{FilesystemStrategy, Said, SendingStrategy, Strategy, SubvolumeStrategy, TargetStrategy, proof, sending};
use crate::cost::tariff::Tariff;

/// Decides everything for a host.
#[must_use]
pub fn strategy(facts: &Facts, said: &Said) -> Strategy {
    let profile = choose(facts, said.profile);
    let mode = Decision::unless_said(said.mode, || Decision::new(Mode::Balanced, "it serves no single purpose"));
    let start = sending::start(&said.host, profile.value, &said.wall);
    let mut seen = subvolumes::all(facts, said, profile.value, mode.value, start.value);
    let filesystems = filesystems(facts, &seen, profile.value);
    for (pool, subvolume) in &mut seen {
        let of_pool = pool.and_then(|pool| filesystems.iter().find(|f| f.uuid == pool.uuid.to_string()));
        subvolumes::say_means(subvolume, of_pool.map_or(&[], |filesystem| &filesystem.options));
    }
    let pools = forecasts(facts, &seen);
    let subvolumes: Vec<SubvolumeStrategy> = seen.into_iter().map(|(_, subvolume)| subvolume).collect();
    let mut strategy = Strategy {
        host: said.host.clone(),
        groups: groups(&subvolumes),
        targets: targets(said, &subvolumes),
        sending: SendingStrategy {
            window: sending::NIGHT,
            start,
            bandwidth: sending::bandwidth(profile.value),
            conditions: sending::conditions(profile.value),
            chains: sending::chains(profile.value),
        },
        proofs: proof::calendar(profile.value),
        sysctls: sysctls(mode.value, profile.value),
        subvolumes,
        filesystems,
        pools,
        warnings: Vec::new(),
        objectives: None,
        profile,
        mode,
    };
    strategy.objectives = solved(&strategy, said);
    strategy.warnings = warnings::find(&strategy, facts, said);
    strategy
}

/// The largest object where nothing says otherwise: large enough that a bucket's price per request does not matter.
pub const CHUNK: ByteSize = ByteSize::gib(200);
/// For how far ahead what is stated has to hold, in days.
pub const AHEAD_DAYS: u32 = 365;

/// What does what is stated, among all that charge for storage.
fn solved(strategy: &Strategy, said: &Said) -> Option<Solved> {
    let stated = said.objectives;
    let archive = of_everything(strategy, CHUNK);
    let tariffs: Vec<Tariff<'_>> = said.tables.charging().flat_map(Tariff::all).collect();
    // Of what has no known size nothing can be said.
    let is_asked = stated.is_stated() && archive.subvolumes.iter().any(|subject| subject.full > ByteSize::ZERO);
    is_asked.then(|| Solved { stated, answer: solve(&archive, &tariffs, &stated, AHEAD_DAYS) })
}

/// A subvolume of the strategy with the pool that it is on, where that is known.
type OnPool<'a> = (Option<&'a PoolFacts>, SubvolumeStrategy);

fn filesystems(facts: &Facts, seen: &[OnPool<'_>], profile: Profile) -> Vec<FilesystemStrategy> {
    let of = |pool: &PoolFacts| {
        let is_here = |found: &&OnPool<'_>| found.0.is_some_and(|found| found.uuid == pool.uuid);
        let intents: Vec<_> = seen.iter().filter(is_here).map(|(_, subvolume)| subvolume.storage.value).collect();
        let mut disks = facts.disks.iter().filter(|disk| pool.disks.contains(&disk.name));
        let options = filesystem_options(&intents, profile, disks.any(|disk| disk.is_rotational == Some(true)));
        let differs = differing(&pool.mount_options, &options);
        FilesystemStrategy { uuid: pool.uuid.to_string(), options, differs }
    };
    facts.pools.iter().map(of).collect()
}

/// The options of now that say something else than those that are meant.
fn differing(now: &[String], meant: &[Decision<String>]) -> Vec<String> {
    let key = |option: &str| option.split('=').next().unwrap_or(option).to_owned();
    let is_meant = |option: &String| meant.iter().any(|m| m.value == *option);
    let has_same_key = |option: &String| meant.iter().any(|m| key(&m.value) == key(option));
    now.iter().filter(|option| has_same_key(option) && !is_meant(option)).cloned().collect()
}

fn forecasts(facts: &Facts, seen: &[OnPool<'_>]) -> Vec<PoolForecast> {
    let of = |pool: &PoolFacts| {
        let here = seen.iter().filter(|(on, _)| on.is_some_and(|on| on.uuid == pool.uuid));
        let snapshots = here.filter_map(|(_, subvolume)| subvolume.forecast.as_ref()).map(|f| f.snapshots).sum();
        PoolForecast::new(pool, snapshots)
    };
    facts.pools.iter().map(of).collect()
}

/// Which subvolumes go together: the parts of the system, so that a rollback finds them as they were at one moment.
fn groups(subvolumes: &[SubvolumeStrategy]) -> Vec<Decision<Vec<SubvolumeName>>> {
    let mut by_cadence: BTreeMap<&str, Vec<SubvolumeName>> = BTreeMap::new();
    for subvolume in subvolumes.iter().filter(|subvolume| subvolume.workload.value == Workload::System) {
        if let Some(calendar) = &subvolume.snapshots.value {
            by_cadence.entry(calendar).or_default().push(subvolume.name.clone());
        }
    }
    let because = "they are one system: restored to different moments they would not fit together";
    by_cadence.into_values().filter(|names| names.len() > 1).map(|names| Decision::new(names, because)).collect()
}

fn targets(said: &Said, subvolumes: &[SubvolumeStrategy]) -> Vec<TargetStrategy> {
    let of = |target: &super::SaidTarget| {
        let chosen = |name: &SubvolumeName| {
            said.subvolumes.iter().find(|s| s.name == *name).is_none_or(|s| s.targets.contains(&target.name))
        };
        let sent = subvolumes.iter().filter(|s| s.sends.value.is_some() && chosen(&s.name));
        TargetStrategy {
            name: target.name.clone(),
            kind: target.kind.clone(),
            subvolumes: sent.map(|subvolume| subvolume.name.clone()).collect(),
            schedule: target.schedule.clone(),
            kept: target.kept,
        }
    };
    said.targets.iter().map(of).collect()
}
