//! Solves for what the owner states: lose at most so much, be back within so long, pay at most so much a month (P10).
//!
//! Every provider and class is looked at with every way to keep an archive; of those that do what is asked, the cheapest is
//! chosen. Where none does, it is said which objective stands in the way and what could be had instead. Pure.

use std::num::NonZeroU32;

use jiff::SignedDuration;
use serde::Serialize;
use subvault_model::bandwidth::Bandwidth;
use subvault_model::bytesize::ByteSize;

use super::sending::interval_within;
use super::snapshots::{SHORTEST, length};
use super::tier::{Promise, Tier};
use crate::cost::budget::Budget;
use crate::cost::compare::rough;
use crate::cost::holdings::{Archive, Cadence};
use crate::cost::money::Money;
use crate::cost::propose::{Choice, Weighed, cadences};
use crate::cost::tariff::Tariff;
use crate::cost::usual::Settled;

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

impl Objectives {
    /// Nothing stated, at these rates.
    #[must_use]
    pub const fn unstated(download: Bandwidth, upload: Bandwidth) -> Self {
        Self { lose_at_most: None, back_within: None, budget: None, download, upload }
    }

    /// Whether anything is stated.
    #[must_use]
    pub const fn is_stated(&self) -> bool {
        self.lose_at_most.is_some() || self.back_within.is_some() || self.budget.is_some()
    }

    /// It in words: `lose at most 1 hour, back within 1 day, $8.00 a month`.
    #[must_use]
    pub fn words(&self) -> String {
        let stated = [
            self.lose_at_most.map(|time| format!("lose at most {}", length(time))),
            self.back_within.map(|time| format!("back within {}", length(time))),
            self.budget.map(|budget| budget.to_string()),
        ];
        stated.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// What is promised about something of a tier: of what is critical or important, no less than what is stated, as far as
    /// snapshots can be taken so often.
    #[must_use]
    pub fn narrowed(&self, promise: Promise, tier: Tier) -> Promise {
        if tier > Tier::Important {
            return promise;
        }
        let least = |promised: SignedDuration, stated: Option<SignedDuration>| stated.unwrap_or(promised).min(promised);
        Promise {
            lose_at_most: least(promise.lose_at_most, self.lose_at_most).max(SHORTEST),
            back_within: least(promise.back_within, self.back_within),
        }
    }
}

/// How an archive is to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Solution {
    /// Whose bucket.
    pub provider: String,
    /// How it is kept there, what that costs, and how long bringing everything back takes.
    pub choice: Choice,
    /// The largest object.
    pub chunk: ByteSize,
    /// How much work a dead disk costs at most: what was done since sending began the last time.
    pub loses: SignedDuration,
    /// How long sending what changed since takes.
    pub sending: SignedDuration,
}

/// What is stated, and what does it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Solved {
    /// What is stated.
    pub stated: Objectives,
    /// What does it, or what stands in the way.
    pub answer: Answer,
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

impl Solved {
    /// How it would be kept that does it, or comes nearest, in sentences without a full stop.
    #[must_use]
    pub fn found(&self) -> Vec<String> {
        let (Answer::Met { solution } | Answer::NotMet { nearest: Some(solution), .. }) = &self.answer else {
            return Vec::new();
        };
        let Choice { cadence, class, dearest, back_after, .. } = &solution.choice;
        let fulls =
            cadence.full_every_days.map_or_else(|| "one full".to_owned(), |days| format!("a full every {days} days"));
        let generations = match cadence.keep_generations.get() {
            1 => "1 generation".to_owned(),
            count => format!("{count} generations"),
        };
        let Solution { provider, chunk, loses, sending, .. } = solution;
        vec![
            format!("{provider} {class}: {generations} kept, {fulls}, chunks of {chunk}"),
            format!("sent every {}, which takes about {}", length(*loses).trim_start_matches("1 "), rough(*sending)),
            format!("up to {dearest} a month in a year; everything back after {}", rough(*back_after)),
        ]
    }
}

impl Answer {
    /// Whether it can be had, in a few words.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Met { .. } => "this is the cheapest that does it",
            Self::NotMet { nearest: Some(_), .. } => "not all of it can be had; this comes nearest",
            Self::NotMet { nearest: None, .. } => "not all of it can be had",
        }
    }
}

impl Binding {
    /// What stands in the way, and what can be had, each in a sentence without a full stop.
    #[must_use]
    pub fn sentences(&self, stated: &Objectives) -> (String, String) {
        match self {
            Self::LoseAtMost { nearest: SignedDuration::MAX } => (
                format!("more changes than can be sent at {}: what is elsewhere falls behind for ever", stated.upload),
                "send less of it (`send = \"never\"`), or say how fast it really is: `upload`".to_owned(),
            ),
            Self::LoseAtMost { nearest } => (
                format!("nothing is sent more often than each {}", rough(*nearest)),
                format!("say `lose_at_most = \"{}\"`", said(*nearest)),
            ),
            Self::BackWithin { nearest } => (
                format!(
                    "at {} everything is back after {} at the soonest, whatever it costs",
                    stated.download,
                    rough(*nearest)
                ),
                format!("say `back_within = \"{}\"`, or keep a copy on a disk", said(*nearest)),
            ),
            Self::Budget { nearest, back_within } => {
                let slower = back_within.map(|time| format!(", or `back_within = \"{}\"`", said(time)));
                (
                    format!("what does the rest of what is stated costs {nearest} a month"),
                    format!("say `budget = \"{} USD/month\"`{}", nearest.ceiling(), slower.unwrap_or_default()),
                )
            }
        }
    }
}

/// As the configuration has it: in whole minutes or hours, rounded up.
fn said(time: SignedDuration) -> String {
    let minutes = time.as_secs().div_euclid(60) + i64::from(time.as_secs() % 60 != 0);
    if minutes > 120 { format!("{}h", (minutes + 59) / 60) } else { format!("{minutes}m") }
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

/// The largest objects that are looked at beside the one that is set: small ones come back from some classes in minutes.
const CHUNKS: [ByteSize; 2] = [ByteSize::mib(200), ByteSize::gib(4)];

/// Looks for what does all that is stated, for an archive with the sizes of `ahead_days` days from now.
#[must_use]
pub fn solve(archive: &Archive, tariffs: &[Tariff<'_>], stated: &Objectives, ahead_days: u32) -> Answer {
    let (hours, nearest) = interval(archive, stated);
    let cadence = Cadence { send_every_hours: hours, ..archive.cadence };
    let archive = Archive { cadence, ..archive.clone() };
    let solver = Solver {
        offers: offers(&archive, tariffs, stated.download, ahead_days),
        sending: sending(&archive, stated, hours),
    };
    let found = solver.cheapest(stated.budget, stated.back_within);
    if let Some(nearest) = nearest {
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

const fn of_hours(hours: NonZeroU32) -> SignedDuration {
    SignedDuration::from_hours(hours.get() as i64)
}

/// How long what changes in so many hours takes to be sent.
fn sending(archive: &Archive, stated: &Objectives, hours: NonZeroU32) -> SignedDuration {
    let cadence = Cadence { send_every_hours: hours, ..archive.cadence };
    let changes = archive.subvolumes.iter().map(|subject| subject.incremental(&cadence)).sum();
    SignedDuration::try_from(stated.upload.time_for(changes)).unwrap_or(SignedDuration::MAX)
}

/// The rarest interval that loses no more than is stated; and what can be had where none does.
fn interval(archive: &Archive, stated: &Objectives) -> (NonZeroU32, Option<SignedDuration>) {
    let most = NonZeroU32::MIN;
    if sending(archive, stated, most) > of_hours(most) {
        // More changes than can be sent: it never catches up.
        return (most, Some(SignedDuration::MAX));
    }
    let wanted = stated.lose_at_most.unwrap_or_else(|| of_hours(archive.cadence.send_every_hours));
    match interval_within(wanted) {
        Some(interval) => (interval, None),
        None => (most, Some(of_hours(most))),
    }
}

/// A storage class with a size of objects: the ways to keep the archive there, what changes least from what is set first.
struct Offered {
    provider: String,
    chunk: ByteSize,
    ways: Vec<Weighed>,
}

/// Weighs everything that there is once, whatever is asked of it.
fn offers(archive: &Archive, tariffs: &[Tariff<'_>], download: Bandwidth, ahead_days: u32) -> Vec<Offered> {
    let sizes = std::iter::once(archive.chunk).chain(CHUNKS.into_iter().filter(|chunk| *chunk != archive.chunk));
    let settled = |chunk| {
        let sized = Archive { chunk, ..archive.clone() };
        let of = |cadence| Settled::new(&sized, cadence, ahead_days);
        cadences(archive.cadence).into_iter().map(of).collect::<Vec<_>>()
    };
    let mut offers = Vec::new();
    for chunk in sizes {
        // Smaller objects cost more, and are worth it only where large ones cannot come back as fast.
        let is_worth_it = |tariff: &&Tariff<'_>| {
            chunk == archive.chunk || tariff.bulk.retrieval.iter().any(|way| way.largest.is_some())
        };
        let worth: Vec<&Tariff<'_>> = tariffs.iter().filter(is_worth_it).collect();
        let settled = if worth.is_empty() { Vec::new() } else { settled(chunk) };
        offers.extend(worth.into_iter().map(|tariff| Offered {
            provider: tariff.provider.provider.clone(),
            chunk,
            ways: settled.iter().map(|settled| Weighed::new(settled, tariff, download)).collect(),
        }));
    }
    offers
}

struct Solver {
    offers: Vec<Offered>,
    sending: SignedDuration,
}

impl Solver {
    /// What fits these, of each offer: what changes least from what is set.
    fn fitting(&self, budget: Option<Budget>, back_within: Option<SignedDuration>) -> impl Iterator<Item = Solution> {
        let fits = move |choice: &Choice| {
            budget.is_none_or(|budget| choice.dearest <= budget.amount())
                && back_within.is_none_or(|within| choice.back_after <= within)
        };
        self.offers.iter().filter_map(move |offer| {
            let choice = offer.ways.iter().map(|way| way.choice(back_within)).find(fits)?;
            Some(self.solution(offer, choice))
        })
    }

    fn cheapest(&self, budget: Option<Budget>, back_within: Option<SignedDuration>) -> Option<Solution> {
        self.fitting(budget, back_within).min_by_key(|solution| (solution.choice.dearest, solution.provider.clone()))
    }

    fn soonest(&self, budget: Option<Budget>) -> Option<Solution> {
        self.fitting(budget, None).min_by_key(|solution| (solution.choice.back_after, solution.choice.dearest))
    }

    fn solution(&self, offer: &Offered, choice: Choice) -> Solution {
        Solution {
            provider: offer.provider.clone(),
            loses: of_hours(choice.cadence.send_every_hours),
            chunk: offer.chunk,
            sending: self.sending,
            choice,
        }
    }
}
