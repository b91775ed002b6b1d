//! Which retention and cadence fits a budget, and brings everything back in time, changing the least.
//!
//! The order in which things are changed, from what costs the user nothing to what costs most, is written here once:
//! 1. `gc` waits no longer for the minimum storage time (nothing that is kept on purpose is lost),
//! 2. fewer generations are kept, one after the other,
//! 3. fulls come in other intervals: longer ones first (fewer uploads, longer chains), then shorter ones,
//! 4. chunks lie in another class of the same provider, the one that can be read soonest first.
//!
//! What is later in this list is changed only where nothing of what is before suffices, also not together. Each choice is
//! judged by the dearest of its usual months, in the sizes that the archive will have.

use std::num::NonZeroU32;

use jiff::SignedDuration;
use serde::Serialize;
use subvault_model::bandwidth::Bandwidth;

use super::budget::Budget;
use super::compare::{Objectives, choose};
use super::holdings::{Archive, Cadence};
use super::money::Money;
use super::price::ClassPrices;
use super::restore_cost::{RestoreCost, restores};
use super::tariff::Tariff;
use super::usual::Settled;

/// The intervals between fulls that are proposed, in days.
const INTERVALS: [u32; 8] = [7, 14, 30, 60, 90, 120, 180, 365];

/// How an archive is kept, and what that costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// Its cadence and retention.
    pub cadence: Cadence,
    /// The S3 name of the class of chunks.
    pub class: String,
    /// What a usual month costs on average.
    pub average: Money,
    /// What the dearest of them costs, by which it is judged.
    pub dearest: Money,
    /// How long it takes until everything is back.
    pub back_after: SignedDuration,
}

/// One thing that is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// How long `gc` waits: `minimum_storage_days`.
    GcWaits {
        /// Days now.
        from: u32,
        /// Days then.
        to: u32,
    },
    /// `keep_generations`.
    Generations {
        /// How many now.
        from: NonZeroU32,
        /// How many then.
        to: NonZeroU32,
    },
    /// `full_every_days`.
    FullEvery {
        /// Days now; `None`: never.
        from: Option<NonZeroU32>,
        /// Days then.
        to: Option<NonZeroU32>,
    },
    /// `storage_class`.
    Class {
        /// Its name now.
        from: String,
        /// Its name then.
        to: String,
    },
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Proposal {
    /// What is set fits.
    Fits {
        /// It.
        choice: Choice,
    },
    /// This fits.
    Change {
        /// It.
        choice: Choice,
        /// What is changed for it.
        changes: Vec<Change>,
        /// How far down the order of changes it is; the lower, the better.
        rank: usize,
    },
    /// Nothing fits the budget; of what is soon enough, this is cheapest.
    NothingFits {
        /// It.
        cheapest: Choice,
        /// What is changed for it.
        changes: Vec<Change>,
        /// How much more than the budget it costs.
        over: Money,
    },
    /// Whatever it costs, nothing there brings everything back in time.
    TooSlow {
        /// How long the fastest takes.
        fastest: SignedDuration,
    },
}

/// A way to keep the archive.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    cadence: Cadence,
    class: &'a ClassPrices,
}

/// Looks for what fits the budget and is soon enough; without a budget, anything fits it. The archive's cadence and the
/// tariff are what is set now; sizes are those that it will have in `ahead_days` days.
#[must_use]
pub fn propose(archive: &Archive, tariff: &Tariff<'_>, objectives: &Objectives, ahead_days: u32) -> Proposal {
    let affordable = objectives.budget.map_or(Money::billionths(u64::MAX), Budget::amount);
    let mut cheapest: Option<(Choice, Candidate<'_>)> = None;
    let mut fastest = SignedDuration::MAX;
    for (rank, candidate) in candidates(archive.cadence, tariff).into_iter().enumerate() {
        let choice = weigh(archive, tariff, candidate, objectives, ahead_days);
        fastest = fastest.min(choice.back_after);
        if objectives.back_within.is_some_and(|within| choice.back_after > within) {
            continue;
        }
        if choice.dearest <= affordable {
            let changes = candidate.changes(archive.cadence, tariff);
            return match rank {
                0 => Proposal::Fits { choice },
                _ => Proposal::Change { choice, changes, rank },
            };
        }
        if cheapest.as_ref().is_none_or(|(before, _)| choice.dearest < before.dearest) {
            cheapest = Some((choice, candidate));
        }
    }
    match cheapest {
        None => Proposal::TooSlow { fastest },
        Some((cheapest, candidate)) => Proposal::NothingFits {
            over: cheapest.dearest.saturating_sub(affordable),
            changes: candidate.changes(archive.cadence, tariff),
            cheapest,
        },
    }
}

/// What one candidate costs and takes.
fn weigh(
    archive: &Archive,
    tariff: &Tariff<'_>,
    candidate: Candidate<'_>,
    objectives: &Objectives,
    ahead_days: u32,
) -> Choice {
    let tariff = Tariff { bulk: candidate.class, ..*tariff };
    let settled = Settled::new(archive, candidate.cadence, ahead_days);
    Weighed::new(&settled, &tariff, objectives.download).choice(objectives.back_within)
}

/// A way to keep an archive: what it costs, and the ways to bring everything back.
#[derive(Debug)]
pub struct Weighed {
    cadence: Cadence,
    class: String,
    average: Money,
    dearest: Money,
    restores: Vec<RestoreCost>,
}

impl Weighed {
    /// A settled archive at these prices; data comes at the rate `download`.
    #[must_use]
    pub fn new(settled: &Settled, tariff: &Tariff<'_>, download: Bandwidth) -> Self {
        let usual = settled.usual(tariff);
        Self {
            cadence: settled.archive().cadence,
            class: tariff.bulk.name.clone(),
            average: usual.average,
            dearest: usual.dearest,
            restores: restores(settled.archive(), tariff, usual.stored, download),
        }
    }

    /// With the cheapest way to bring everything back that is soon enough, and where none is, the fastest.
    #[must_use]
    pub fn choice(&self, back_within: Option<SignedDuration>) -> Choice {
        let restore = self.restores.get(choose(&self.restores, back_within));
        Choice {
            cadence: self.cadence,
            class: self.class.clone(),
            average: self.average,
            dearest: self.dearest,
            back_after: restore.map_or(SignedDuration::ZERO, RestoreCost::takes),
        }
    }
}

/// Everything that could be done, in the order of the module's list; what is set now comes first.
fn candidates<'a>(now: Cadence, tariff: &Tariff<'a>) -> Vec<Candidate<'a>> {
    let mut others: Vec<&ClassPrices> = tariff.provider.classes.iter().filter(|c| c.name != tariff.bulk.name).collect();
    others.sort_by_key(|class| class.soonest_minutes());
    let cadences = cadences(now);
    let classes = std::iter::once(tariff.bulk).chain(others);
    classes.flat_map(|class| cadences.iter().map(move |cadence| Candidate { cadence: *cadence, class })).collect()
}

/// All the ways to fill and empty an archive that are proposed, in the order of the module's list; what is set now comes first.
#[must_use]
pub fn cadences(now: Cadence) -> Vec<Cadence> {
    let waits = [now.gc_waits_days, 0];
    let waits = if now.gc_waits_days == 0 { &waits[..1] } else { &waits[..] };
    let mut all = Vec::new();
    for full_every_days in intervals(now.full_every_days) {
        for keep_generations in (1..=now.keep_generations.get()).rev().filter_map(NonZeroU32::new) {
            let with = |wait: &u32| Cadence { full_every_days, keep_generations, gc_waits_days: *wait, ..now };
            all.extend(waits.iter().map(with));
        }
    }
    all
}

/// What is set now, then longer intervals from the shortest on, then shorter ones from the longest on.
fn intervals(now: Option<NonZeroU32>) -> Vec<Option<NonZeroU32>> {
    let days = now.map_or(u32::MAX, NonZeroU32::get);
    let longer = INTERVALS.into_iter().filter(|other| *other > days);
    let shorter = INTERVALS.into_iter().rev().filter(|other| *other < days);
    std::iter::once(now).chain(longer.chain(shorter).map(NonZeroU32::new)).collect()
}

impl Candidate<'_> {
    /// What is other than now.
    fn changes(&self, now: Cadence, tariff: &Tariff<'_>) -> Vec<Change> {
        let then = self.cadence;
        let waits = Change::GcWaits { from: now.gc_waits_days, to: then.gc_waits_days };
        let generations = Change::Generations { from: now.keep_generations, to: then.keep_generations };
        let full_every = Change::FullEvery { from: now.full_every_days, to: then.full_every_days };
        let class = Change::Class { from: tariff.bulk.name.clone(), to: self.class.name.clone() };
        [
            (now.gc_waits_days != then.gc_waits_days, waits),
            (now.keep_generations != then.keep_generations, generations),
            (now.full_every_days != then.full_every_days, full_every),
            (tariff.bulk.name != self.class.name, class),
        ]
        .into_iter()
        .filter_map(|(is_other, change)| is_other.then_some(change))
        .collect()
    }
}

impl Change {
    /// It in one sentence, without a full stop, in the words of the configuration.
    #[must_use]
    pub fn sentence(&self) -> String {
        let days = |days: &Option<NonZeroU32>| days.map_or_else(|| "\"never\"".to_owned(), |days| days.to_string());
        match self {
            Self::GcWaits { from, to } => format!("minimum_storage_days = {to} in place of {from}"),
            Self::Generations { from, to } => format!("keep_generations = {to} in place of {from}"),
            Self::FullEvery { from, to } => format!("full_every_days = {} in place of {}", days(to), days(from)),
            Self::Class { from, to } => format!("storage_class = \"{to}\" in place of \"{from}\""),
        }
    }
}
