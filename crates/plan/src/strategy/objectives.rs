//! Solves for what the owner states: lose at most so much, be back within so long, pay at most so much a month (P10).
//!
//! Every provider and class is looked at with every way to keep an archive; of those that do what is asked, the cheapest is
//! chosen. Where none does, it is said which objective stands in the way and what could be had instead. Pure.

use std::num::NonZeroU32;

use jiff::SignedDuration;
use serde::Serialize;
use subvault_model::bandwidth::Bandwidth;

use crate::cost::budget::Budget;
use crate::cost::compare;
use crate::cost::holdings::{Archive, Cadence};
use crate::cost::money::Money;
use crate::cost::propose::{Choice, Proposal, propose};
use crate::cost::tariff::Tariff;

/// What is stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Objectives {
    /// How much work may be lost, also when the disk dies.
    pub lose_at_most: Option<SignedDuration>,
    /// How soon everything must be back.
    pub back_within: Option<SignedDuration>,
    /// What a month may cost.
    pub budget: Option<Budget>,
    /// How fast data comes from a bucket.
    pub download: Bandwidth,
    /// How fast it goes there.
    pub upload: Bandwidth,
}

/// How an archive is to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Solution {
    /// Whose bucket.
    pub provider: String,
    /// How it is kept there, what that costs, and how long bringing everything back takes.
    pub choice: Choice,
    /// How much work a dead disk costs at most.
    pub loses: SignedDuration,
}

/// An objective that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "objective", rename_all = "snake_case")]
pub enum Binding {
    /// What changes cannot be sent as often, or as fast.
    LoseAtMost {
        /// What can be had.
        nearest: SignedDuration,
    },
    /// Nothing is back so soon, whatever it costs.
    BackWithin {
        /// What can be had.
        nearest: SignedDuration,
    },
    /// What is back so soon costs more.
    Budget {
        /// What the cheapest of it costs.
        nearest: Money,
        /// How soon what fits the budget would be back; `None`: nothing fits it.
        back_within: Option<SignedDuration>,
    },
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// All that is stated can be had.
    Met {
        /// So.
        solution: Solution,
    },
    /// It cannot.
    NotMet {
        /// What stands in the way.
        binding: Binding,
        /// What comes nearest: it gives way in that objective alone.
        nearest: Option<Solution>,
    },
}

/// How often a run can send, in hours, the rarest first.
const INTERVALS: [u32; 4] = [7 * 24, 24, 4, 1];

/// Looks for what does all that is stated, for an archive with the sizes of `ahead_days` days from now.
#[must_use]
pub fn solve(archive: &Archive, tariffs: &[Tariff<'_>], stated: &Objectives, ahead_days: u32) -> Answer {
    let (hours, could) = interval(archive, stated);
    let archive = Archive { cadence: Cadence { send_every_hours: hours, ..archive.cadence }, ..archive.clone() };
    let solver = Solver { archive: &archive, tariffs, stated, ahead_days, hours };
    let found = solver.cheapest(stated.budget, stated.back_within);
    if let Some(nearest) = could {
        return Answer::NotMet { binding: Binding::LoseAtMost { nearest }, nearest: found };
    }
    if let Some(solution) = found {
        return Answer::Met { solution };
    }
    if let Some(dearer) = solver.cheapest(None, stated.back_within) {
        let slower = solver.soonest(stated.budget);
        let binding = Binding::Budget {
            nearest: dearer.choice.dearest,
            back_within: slower.map(|slower| slower.choice.back_after),
        };
        return Answer::NotMet { binding, nearest: Some(dearer) };
    }
    let nearest = solver.soonest(stated.budget).or_else(|| solver.soonest(None));
    let fastest = solver.soonest(None).map_or(SignedDuration::MAX, |fastest| fastest.choice.back_after);
    Answer::NotMet { binding: Binding::BackWithin { nearest: fastest }, nearest }
}

/// The rarest interval that loses no more than is stated; and what can be had where none does.
fn interval(archive: &Archive, stated: &Objectives) -> (NonZeroU32, Option<SignedDuration>) {
    let hours = |hours: u32| SignedDuration::from_hours(i64::from(hours));
    let wanted = stated.lose_at_most.unwrap_or_else(|| hours(archive.cadence.send_every_hours.get()));
    let changes = archive.subvolumes.iter().map(|subject| subject.change_per_day).sum();
    let day = SignedDuration::from_hours(24);
    let takes = SignedDuration::try_from(stated.upload.time_for(changes)).unwrap_or(SignedDuration::MAX);
    let most = NonZeroU32::MIN;
    if takes > day {
        // More changes than can be sent: it never catches up.
        return (most, Some(SignedDuration::MAX));
    }
    match INTERVALS.into_iter().find(|interval| hours(*interval) <= wanted).and_then(NonZeroU32::new) {
        Some(interval) => (interval, None),
        None => (most, Some(hours(most.get()))),
    }
}

struct Solver<'a> {
    archive: &'a Archive,
    tariffs: &'a [Tariff<'a>],
    stated: &'a Objectives,
    ahead_days: u32,
    hours: NonZeroU32,
}

impl Solver<'_> {
    /// What fits these, at each tariff.
    fn fitting(&self, budget: Option<Budget>, back_within: Option<SignedDuration>) -> impl Iterator<Item = Solution> {
        let asked = compare::Objectives { budget, back_within, download: self.stated.download };
        self.tariffs.iter().filter_map(move |tariff| match propose(self.archive, tariff, &asked, self.ahead_days) {
            Proposal::Fits { choice } | Proposal::Change { choice, .. } => Some(self.solution(tariff, choice)),
            Proposal::NothingFits { .. } | Proposal::TooSlow { .. } => None,
        })
    }

    fn cheapest(&self, budget: Option<Budget>, back_within: Option<SignedDuration>) -> Option<Solution> {
        self.fitting(budget, back_within).min_by_key(|solution| (solution.choice.dearest, solution.provider.clone()))
    }

    fn soonest(&self, budget: Option<Budget>) -> Option<Solution> {
        self.fitting(budget, None).min_by_key(|solution| (solution.choice.back_after, solution.choice.dearest))
    }

    fn solution(&self, tariff: &Tariff<'_>, choice: Choice) -> Solution {
        let loses = SignedDuration::from_hours(i64::from(self.hours.get()));
        Solution { provider: tariff.provider.provider.clone(), choice, loses }
    }
}
