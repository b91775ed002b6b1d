//! What an archive will cost, month by month, and when that passes a budget.

use jiff::civil::Date;
use jiff::{Span, Unit};
use serde::Serialize;
use subvault_model::bytesize::ByteSize;

use super::bill::{Bill, bill};
use super::budget::Budget;
use super::daily::daily;
use super::holdings::{Archive, Holdings};
use super::tariff::Tariff;
use super::usage::{Restored, Usage, size};

/// The longest that is looked ahead.
pub const MONTHS_MAX: u32 = 120;

/// The bill of one month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MonthBill {
    /// Its first day.
    pub from: Date,
    /// The first day of the next one.
    pub until: Date,
    /// What is stored at its end.
    pub stored: ByteSize,
    /// What was sent there.
    pub uploaded: ByteSize,
    /// The bill.
    pub bill: Bill,
}

/// The months to come, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// The months.
    pub months: Vec<MonthBill>,
}

/// When lines of a budget are passed first: the first day of the month, `None` where they never are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Crossings {
    /// A month costs 80 % of the budget or more.
    pub warning: Option<Date>,
    /// 90 % or more.
    pub critical: Option<Date>,
    /// More than the budget.
    pub over: Option<Date>,
}

/// The bills of the next `months` months (at most 120) from `start` on, if each month `restored` is brought back.
///
/// A month goes from a day to the same day of the next month. Past the end of the calendar there are none.
#[must_use]
pub fn forecast(
    archive: &Archive,
    tariff: &Tariff<'_>,
    start: Date,
    months: u32,
    restored: Option<Restored>,
) -> Forecast {
    let months = Months::new(start, months);
    bills(&archive.simulate(months.days()), tariff, &months, restored)
}

/// The months of a forecast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Months {
    /// The first days of each, and the day after the last.
    begins: Vec<Date>,
}

impl Months {
    /// So many (at most 120) from `start` on, as far as the calendar goes.
    #[must_use]
    pub fn new(start: Date, months: u32) -> Self {
        let begin = |month: u32| start.checked_add(Span::new().months(i64::from(month))).ok();
        Self { begins: (0..=months.min(MONTHS_MAX)).map_while(begin).collect() }
    }

    /// How many days they have together.
    #[must_use]
    pub fn days(&self) -> u32 {
        u32::try_from(self.pairs().map(|(from, until)| days_between(from, until)).sum::<usize>()).unwrap_or_default()
    }

    fn pairs(&self) -> impl Iterator<Item = (Date, Date)> {
        self.begins.windows(2).map(|pair| (pair[0], pair[1]))
    }
}

/// The bills of what is stored over these months, if in each of them `restored` is brought back.
#[must_use]
pub fn bills(holdings: &Holdings, tariff: &Tariff<'_>, months: &Months, restored: Option<Restored>) -> Forecast {
    let days = daily(holdings, tariff);
    let mut rest = days.as_slice();
    let mut found = Vec::with_capacity(months.begins.len());
    for (from, until) in months.pairs() {
        let (month, after) = rest.split_at(days_between(from, until).min(rest.len()));
        rest = after;
        let mut usage: Usage = month.iter().copied().sum();
        usage.restored = restored;
        let stored = month.last().map_or(0, |day| day.bulk.byte_days);
        found.push(MonthBill {
            from,
            until,
            stored: size(stored),
            uploaded: size(usage.uploaded),
            bill: bill(tariff, &usage),
        });
    }
    Forecast { months: found }
}

fn days_between(from: Date, until: Date) -> usize {
    let days = from.until((Unit::Day, until)).map_or(0, |span| span.get_days());
    usize::try_from(days).unwrap_or_default()
}

impl Forecast {
    /// When it passes the lines of a budget.
    #[must_use]
    pub fn crossings(&self, budget: Budget) -> Crossings {
        let first = |passes: &dyn Fn(&MonthBill) -> bool| self.months.iter().find(|m| passes(m)).map(|m| m.from);
        Crossings {
            warning: first(&|month| budget.level(month.bill.total).is_some()),
            critical: first(&|month| budget.level(month.bill.total) >= Some(super::budget::Level::Critical)),
            over: first(&|month| budget.level(month.bill.total) >= Some(super::budget::Level::Over)),
        }
    }
}
