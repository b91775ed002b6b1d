//! What targets cost, month after month.

use subvault_plan::cost::forecast::MonthBill;
use subvault_plan::cost::money::Money;
use subvault_plan::strategy::target_cost::TargetCost;

use super::Paper;
use super::chart::{self, Chart, PATTERNS};
use crate::report::{Report, words};

/// The picture.
pub(super) fn draw(report: &Report<'_>, paper: Paper) -> String {
    let costs = report.costs;
    // What has no pattern of its own is added up.
    let own = if costs.len() > PATTERNS { PATTERNS - 1 } else { costs.len() };
    let (each, others) = costs.split_at(own);
    let mut parts: Vec<String> = each.iter().map(|cost| cost.target.to_string()).collect();
    if !others.is_empty() {
        parts.push(words::count(others.len(), "other target"));
    }
    let months = costs.first().map_or(&[][..], |cost| &cost.forecast.months);
    let bar = |(month, bill): (usize, &MonthBill)| {
        let amount = |cost: &TargetCost| cost.forecast.months.get(month).map_or(Money::ZERO, |month| month.bill.total);
        let others = (!others.is_empty()).then(|| others.iter().map(amount).sum());
        (bill.until, each.iter().map(amount).chain(others).map(Money::get).collect())
    };
    let chart = Chart {
        id: "cost",
        title: "Cost over time",
        parts,
        bars: months.iter().enumerate().map(bar).collect(),
        limit: None,
        step,
        show: &|billionths| Money::billionths(billionths).to_string(),
    };
    chart::draw(paper, &chart)
}

/// One, two or five cents, or so many times ten of them, so that there are at most six marks up to this height.
fn step(highest: u64) -> u64 {
    let mut tens = 10_000_000_u64;
    loop {
        for times in [1, 2, 5] {
            let step = tens.saturating_mul(times);
            if highest.div_ceil(step) <= 6 {
                return step;
            }
        }
        tens = tens.saturating_mul(10);
    }
}
