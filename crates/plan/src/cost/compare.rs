//! The same archive at every provider and in every class: what a usual month costs, what a restore costs and takes, and
//! what is against it.

use jiff::SignedDuration;
use jiff::civil::Date;
use serde::Serialize;
use subvault_model::bandwidth::Bandwidth;

use super::bill::Item;
use super::budget::Budget;
use super::holdings::Archive;
use super::money::Money;
use super::restore_cost::{RestoreCost, restores};
use super::tariff::Tariff;
use super::usual::{Settled, Usual};

/// What is asked of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Objectives {
    /// What a month may cost.
    pub budget: Option<Budget>,
    /// How soon everything must be back.
    pub back_within: Option<SignedDuration>,
    /// How fast data comes here.
    pub download: Bandwidth,
}

/// A provider and a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// The provider, in the word of the configuration.
    pub provider: String,
    /// What is priced, for people.
    pub title: String,
    /// The S3 name of the class of chunks.
    pub class: String,
    /// Its name for people.
    pub class_title: String,
    /// The day for which the prices were found.
    pub as_of: Date,
    /// What usual months cost.
    pub usual: Usual,
    /// The ways to bring everything back, the cheapest first.
    pub restores: Vec<RestoreCost>,
    /// Which of them is meant: the cheapest that is soon enough, and where none is, the fastest.
    pub chosen: usize,
    /// What is against it.
    pub against: Vec<Objection>,
}

/// What is against an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Objection {
    /// A month can cost more than the budget.
    OverBudget {
        /// By how much.
        by: Money,
    },
    /// Everything cannot be back in time.
    TooSlow {
        /// How long it takes at least.
        takes: SignedDuration,
        /// How soon it must be back.
        wanted: SignedDuration,
    },
    /// Nothing can be read before it is thawed.
    MustThaw {
        /// How long that takes at least.
        soonest: SignedDuration,
    },
    /// What is deleted is paid for after it is gone.
    PaidAfterDeletion {
        /// For how many days objects are paid for in any case.
        minimum_days: u32,
        /// What that costs in a usual month.
        per_month: Money,
    },
    /// Bringing everything back costs more than keeping it for a year.
    DearRestore {
        /// How much.
        costs: Money,
    },
    /// A least amount is charged that is more than what is stored.
    MinimumCharge {
        /// How much of a usual month it is.
        per_month: Money,
    },
    /// The prices are not sure.
    Unverified {
        /// Why not.
        doubt: String,
    },
}

/// The offers of these tariffs for an archive, the cheapest usual month first.
#[must_use]
pub fn compare(archive: &Archive, tariffs: &[Tariff<'_>], objectives: &Objectives) -> Vec<Offer> {
    let settled = Settled::new(archive, archive.cadence, 0);
    let mut offers: Vec<Offer> = tariffs.iter().map(|tariff| offer(&settled, tariff, objectives)).collect();
    offers.sort_by(|a, b| (a.usual.average, &a.provider, &a.class).cmp(&(b.usual.average, &b.provider, &b.class)));
    offers
}

fn offer(settled: &Settled, tariff: &Tariff<'_>, objectives: &Objectives) -> Offer {
    let usual = settled.usual(tariff);
    let restores = restores(settled.archive(), tariff, usual.stored, objectives.download);
    let chosen = choose(&restores, objectives.back_within);
    let against = objections(tariff, objectives, &usual, &restores, chosen);
    Offer {
        provider: tariff.provider.provider.clone(),
        title: tariff.provider.title.clone(),
        class: tariff.bulk.name.clone(),
        class_title: tariff.bulk.title.clone(),
        as_of: tariff.provider.as_of,
        usual,
        restores,
        chosen,
        against,
    }
}

/// The cheapest that is soon enough, else the fastest.
pub(super) fn choose(restores: &[RestoreCost], within: Option<SignedDuration>) -> usize {
    let soon_enough = |cost: &RestoreCost| within.is_none_or(|within| cost.takes() <= within);
    let fastest = || (0..restores.len()).min_by_key(|index| restores[*index].takes()).unwrap_or(0);
    restores.iter().position(soon_enough).unwrap_or_else(fastest)
}

fn objections(
    tariff: &Tariff<'_>,
    objectives: &Objectives,
    usual: &Usual,
    restores: &[RestoreCost],
    chosen: usize,
) -> Vec<Objection> {
    let restore = restores.get(chosen);
    let mut against = Vec::new();
    if let Some(budget) = objectives.budget.filter(|budget| usual.dearest > budget.amount()) {
        against.push(Objection::OverBudget { by: usual.dearest.saturating_sub(budget.amount()) });
    }
    if let Some(restore) = restore {
        let wanted = objectives.back_within.filter(|within| restore.takes() > *within);
        against.extend(wanted.map(|wanted| Objection::TooSlow { takes: restore.takes(), wanted }));
    }
    if tariff.bulk.must_thaw() {
        let soonest = restores.iter().map(|restore| restore.thawing).min();
        against.extend(soonest.map(|soonest| Objection::MustThaw { soonest }));
    }
    let paid = usual.average_of(Item::EarlyDeletion);
    if !paid.is_zero() {
        against.push(Objection::PaidAfterDeletion { minimum_days: tariff.bulk.minimum_days, per_month: paid });
    }
    if let Some(restore) = restore.filter(|restore| restore.bill.total > usual.average.times(12, 1)) {
        against.push(Objection::DearRestore { costs: restore.bill.total });
    }
    let least = usual.average_of(Item::MinimumCharge);
    if !least.is_zero() {
        against.push(Objection::MinimumCharge { per_month: least });
    }
    against.extend(tariff.provider.doubt.clone().map(|doubt| Objection::Unverified { doubt }));
    against
}

impl Objection {
    /// It in a few words.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::OverBudget { .. } => "over the budget",
            Self::TooSlow { .. } => "back too late",
            Self::MustThaw { .. } => "must thaw first",
            Self::PaidAfterDeletion { .. } => "paid after deletion",
            Self::DearRestore { .. } => "dear to restore",
            Self::MinimumCharge { .. } => "least charge",
            Self::Unverified { .. } => "prices not sure",
        }
    }

    /// It in one sentence, without a full stop.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::OverBudget { by } => format!("a month costs up to {by} more than the budget"),
            Self::TooSlow { takes, wanted } => {
                format!("everything is back after {}, and {} are wanted", rough(*takes), rough(*wanted))
            }
            Self::MustThaw { soonest } => format!("nothing can be read for the first {}", rough(*soonest)),
            Self::PaidAfterDeletion { minimum_days, per_month } => {
                format!("objects are paid for {minimum_days} days, so {per_month} a month is for what is gone")
            }
            Self::DearRestore { costs } => {
                format!("bringing everything back costs {costs}, more than a year of keeping it")
            }
            Self::MinimumCharge { per_month } => format!("{per_month} a month is a least charge and buys nothing"),
            Self::Unverified { doubt } => format!("the prices are not sure: {doubt}"),
        }
    }
}

/// A time in whole minutes, hours or days, rounded up.
#[must_use]
pub fn rough(time: SignedDuration) -> String {
    let minutes = time.as_secs().div_euclid(60) + i64::from(time.as_secs() % 60 != 0);
    match minutes {
        ..=1 => "1 minute".to_owned(),
        2..=119 => format!("{minutes} minutes"),
        120..=4320 => format!("{} hours", (minutes + 59) / 60),
        _ => format!("{} days", (minutes + 1439) / 1440),
    }
}
