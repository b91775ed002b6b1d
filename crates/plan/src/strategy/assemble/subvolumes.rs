//! What is decided for each subvolume by itself. Pure.

use std::collections::BTreeSet;

use subvault_model::facts::{Facts, PoolFacts, SubvolumeFacts};
use subvault_model::file_path::FilePath;
use subvault_model::names::SubvolumeName;

use super::OnPool;
use crate::strategy::decision::{Decision, SAID};
use crate::strategy::forecast::{Forecast, room, sizes};
use crate::strategy::profile::Profile;
use crate::strategy::sending;
use crate::strategy::snapshots::{cadence, retention};
use crate::strategy::storage::{FilesystemOption, Mode, caveats, intent, means};
use crate::strategy::tier::{Tier, of_workload, promise};
use crate::strategy::workload::{Workload, tell, tell_by_path};
use crate::strategy::{Said, SaidSubvolume, SubvolumeStrategy};

/// What is decided with.
struct Decider<'a> {
    said: &'a Said,
    profile: Profile,
    mode: Mode,
    start: u16,
}

/// All subvolumes: those that were seen, and those that only the configuration names.
pub(super) fn all<'a>(facts: &'a Facts, said: &Said, profile: Profile, mode: Mode, start: u16) -> Vec<OnPool<'a>> {
    let decider = Decider { said, profile, mode, start };
    let mut names: BTreeSet<SubvolumeName> = said.subvolumes.iter().map(|said| said.name.clone()).collect();
    let mut seen = BTreeSet::new();
    let mut found: Vec<OnPool<'a>> = Vec::new();
    for pool in &facts.pools {
        found.extend(decider.of_pool(pool, &mut names, &mut seen).into_iter().map(|subvolume| (Some(pool), subvolume)));
    }
    for only_said in &said.subvolumes {
        if !seen.contains(&only_said.name) {
            let workload = tell_by_path(only_said.path.as_bytes());
            let decided = decider.decide(only_said.name.clone(), only_said.path.clone(), Some(only_said), workload);
            found.push((pool_around(facts, &only_said.path), decided));
        }
    }
    found
}

impl Decider<'_> {
    /// The subvolumes of a pool. `names` are all that are taken; `seen` those of the configuration that were found.
    fn of_pool(
        &self,
        pool: &PoolFacts,
        names: &mut BTreeSet<SubvolumeName>,
        seen: &mut BTreeSet<SubvolumeName>,
    ) -> Vec<SubvolumeStrategy> {
        let told: Vec<(&SubvolumeFacts, Workload)> =
            pool.subvolumes.iter().map(|facts| (facts, self.workload(facts))).collect();
        let sizes = sizes(pool, &told);
        let mut decided = Vec::new();
        for ((facts, _), (size, change_per_day)) in told.iter().zip(sizes) {
            let said = self.named(facts).filter(|said| seen.insert(said.name.clone()));
            if said.is_none() && !facts.is_mounted {
                continue;
            }
            let path = facts.seen_at.as_ref().map_or_else(|| facts.path.clone(), place);
            let name = said.map_or_else(|| free_name(&path, names), |said| said.name.clone());
            names.insert(name.clone());
            let mut subvolume = self.decide(name, path, said, tell(facts));
            let keep = subvolume.keep.as_ref().map(|keep| &keep.value);
            let snapshots = room(change_per_day.value, keep);
            subvolume.forecast = Some(Forecast { size, change_per_day, snapshots });
            decided.push(subvolume);
        }
        decided
    }

    fn named(&self, facts: &SubvolumeFacts) -> Option<&SaidSubvolume> {
        let at = place(facts.seen_at.as_ref()?);
        self.said.subvolumes.iter().find(|said| said.path == at)
    }

    fn workload(&self, facts: &SubvolumeFacts) -> Workload {
        self.named(facts).and_then(|said| said.workload).unwrap_or_else(|| tell(facts).value)
    }

    fn decide(
        &self,
        name: SubvolumeName,
        path: FilePath,
        said: Option<&SaidSubvolume>,
        told: Decision<Workload>,
    ) -> SubvolumeStrategy {
        let workload = Decision::unless_said(said.and_then(|said| said.workload), || told);
        let of_workload = || of_workload(workload.value, self.profile);
        let tier = Decision::unless_said(said.and_then(|said| said.tier), of_workload);
        let stated = &self.said.objectives;
        let promise = promise(tier.value, self.profile).map(|promise| stated.narrowed(promise, tier.value));
        let snapshots =
            Decision::unless_said(said.and_then(|said| said.snapshots.clone()), || cadence(promise, &self.said.wall));
        let keep = match (&snapshots.value, said.and_then(|said| said.keep.clone())) {
            (None, _) => None,
            (Some(_), Some(keep)) => Some(Decision::new(keep, SAID)),
            (Some(_), None) => retention(tier.value, self.profile),
        };
        let frequency = sending::frequency(workload.value, self.profile);
        let sends = Decision::unless_said(said.and_then(|said| said.sends.clone()), || {
            let lose_at_most = stated.lose_at_most.filter(|_| tier.value <= Tier::Important);
            sending::times(frequency.clone(), self.start, lose_at_most, &self.said.wall)
        });
        SubvolumeStrategy {
            method: sending::method(workload.value, frequency.value),
            storage: intent(workload.value, self.profile, self.mode),
            is_configured: said.is_some(),
            means: Vec::new(),
            caveats: Vec::new(),
            forecast: None,
            name,
            path,
            workload,
            tier,
            promise,
            snapshots,
            keep,
            sends,
        }
    }
}

/// Says what makes the intent of a subvolume true on a filesystem with these options.
pub(super) fn say_means(subvolume: &mut SubvolumeStrategy, options: &[FilesystemOption]) {
    subvolume.means = means(subvolume.storage.value, options);
    subvolume.caveats = caveats(subvolume.storage.value, options);
}

/// Where something is seen, from the root of the system: without the slash that facts have in front.
pub(super) fn place(seen_at: &FilePath) -> FilePath {
    let bytes = seen_at.as_bytes();
    FilePath::new(bytes.strip_prefix(b"/").unwrap_or(bytes))
}

/// The pool that something at a path would be made on: the one that is seen nearest around it.
fn pool_around<'a>(facts: &'a Facts, path: &FilePath) -> Option<&'a PoolFacts> {
    let is_around = |outer: &[u8]| {
        let rest = path.as_bytes().strip_prefix(outer);
        outer.is_empty() || rest.is_some_and(|rest| rest.starts_with(b"/"))
    };
    let seen = facts.pools.iter().flat_map(|pool| pool.subvolumes.iter().map(move |subvolume| (pool, subvolume)));
    let places = seen.filter_map(|(pool, subvolume)| Some((pool, place(subvolume.seen_at.as_ref()?))));
    let around = places.filter(|(_, outer)| is_around(outer.as_bytes()));
    around.max_by_key(|(_, outer)| outer.as_bytes().len()).map(|(pool, _)| pool)
}

/// A name for what is seen at a path, with a number where that is taken.
fn free_name(path: &FilePath, taken: &BTreeSet<SubvolumeName>) -> SubvolumeName {
    let name = SubvolumeName::of_place(path.as_bytes());
    let numbered = (2..u16::MAX).map(|number| name.numbered(number));
    let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
    free.unwrap_or(name)
}
