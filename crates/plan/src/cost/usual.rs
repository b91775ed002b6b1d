//! What a usual month costs, once an archive holds as many generations as it is to hold.
//!
//! Months have 30 days here. They are looked at over whole turns from full to full, so that the months with a full and
//! those without have their right weight.

use serde::Serialize;
use subvault_model::bytesize::ByteSize;

use super::bill::{Bill, Item, bill};
use super::daily::daily;
use super::holdings::{Archive, Cadence, Holdings};
use super::money::Money;
use super::tariff::Tariff;
use super::usage::{Usage, size};

/// Days of a month.
const MONTH: u32 = 30;
/// How many months are looked at, at most, where no number of them is a whole number of turns, and at least where one turn
/// is shorter.
const MONTHS: u32 = 12;
/// When no other full is ever sent: the age up to which incrementals are counted.
pub const NEVER_DAYS: u32 = 730;

/// An archive that has been filled and emptied in the same way for so long that nothing changes from turn to turn.
#[derive(Debug, Clone)]
pub struct Settled {
    /// Sizes do not grow, and nothing is left of how it began.
    archive: Archive,
    holdings: Holdings,
    /// Where the months begin that are looked at.
    from: usize,
}

/// What usual months cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Usual {
    /// What they cost on average.
    pub average: Money,
    /// What the dearest of them costs.
    pub dearest: Money,
    /// What is stored on average.
    pub stored: ByteSize,
    /// Their bills.
    pub months: Vec<Bill>,
}

impl Settled {
    /// The archive with the sizes that it will have `ahead_days` days from now, in this cadence. Where no other full is ever
    /// sent, it is the second year.
    #[must_use]
    pub fn new(archive: &Archive, cadence: Cadence, ahead_days: u32) -> Self {
        let archive = archive.settled(ahead_days, cadence);
        let (from, months) = match cadence.period_days() {
            None => (NEVER_DAYS - MONTHS * MONTH, MONTHS),
            Some(period) => {
                // Until the first generation goes, and to the beginning of a turn after that.
                let waits = cadence.gc_waits_days.div_ceil(period).saturating_add(1);
                let turns = cadence.keep_generations.get().max(waits).saturating_add(1);
                (turns.saturating_mul(period).min(DAYS_MAX), turn_months(period))
            }
        };
        let (merged, alike) = archive.merged();
        let holdings = Holdings { alike, ..merged.simulate(from + months * MONTH) };
        Self { archive, holdings, from: usize::try_from(from).unwrap_or_default() }
    }

    /// The archive, in its settled sizes.
    #[must_use]
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// What usual months cost with these prices.
    #[must_use]
    pub fn usual(&self, tariff: &Tariff<'_>) -> Usual {
        let days = daily(&self.holdings, tariff);
        let looked_at = days.get(self.from..).unwrap_or_default();
        let month = usize::try_from(MONTH).unwrap_or(1);
        let usage: Vec<Usage> = looked_at.chunks(month).map(|days| days.iter().copied().sum()).collect();
        let months: Vec<Bill> = usage.iter().map(|usage| bill(tariff, usage)).collect();
        let all: Usage = usage.into_iter().sum();
        let total: Money = months.iter().map(|bill| bill.total).sum();
        Usual {
            average: mean(total, months.len()),
            dearest: months.iter().map(|bill| bill.total).max().unwrap_or_default(),
            stored: size(all.bulk.byte_days / u128::from(all.days.max(1))),
            months,
        }
    }
}

impl Usual {
    /// What is charged for one thing, on average.
    #[must_use]
    pub fn average_of(&self, item: Item) -> Money {
        mean(self.months.iter().map(|bill| bill.amount(item)).sum(), self.months.len())
    }
}

/// The longest time that passes before an archive is taken for settled: a hundred years.
const DAYS_MAX: u32 = 36_500;

fn mean(total: Money, count: usize) -> Money {
    total.times(1, u128::try_from(count).unwrap_or(1))
}

/// How many months are looked at: a whole number of turns, where a year has one.
fn turn_months(period: u32) -> u32 {
    let whole = (1..=MONTHS).find(|months| (months * MONTH).is_multiple_of(period));
    whole.unwrap_or_else(|| period.div_ceil(MONTH).clamp(MONTHS, DAYS_MAX / MONTH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_looked_at_over_whole_turns() {
        for (period, months) in [(1, 1), (7, 7), (30, 1), (45, 3), (90, 3), (180, 6), (31, 12), (365, 13), (720, 24)] {
            assert_eq!(turn_months(period), months, "{period}");
        }
    }
}
