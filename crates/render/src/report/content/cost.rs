//! What it costs, month after month.

use subvault_model::names::TargetName;
use subvault_plan::cost::money::Money;
use subvault_plan::strategy::TargetKind;
use subvault_plan::strategy::target_cost::TargetCost;

use super::{cell, named, says};
use crate::report::document::{Block, Cell, Column, Line, Picture, Section, Span, Table};
use crate::report::{Report, words};

/// With more targets their costs are added up.
const TARGETS_MAX: usize = 4;

/// The section; none where nothing is kept in buckets.
pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let costs = report.costs;
    let mut blocks = Vec::new();
    if let Some(first) = costs.first() {
        let about = format!(
            "The bills of the next {}: sizes are what is expected, prices those of the tables that come with the program. Taxes \
             are not in it, nor is bringing anything back.",
            words::count(first.forecast.months.len(), "month")
        );
        let how = "The bill of each month, by the day on which it ends, all targets on top of each other.";
        blocks.extend([Block::Paragraph(says(about)), Block::Picture(Picture::Cost, how), prices(costs)]);
        let doubts = costs.iter().filter_map(|cost| cost.doubt.as_ref().map(|doubt| (cost, doubt)));
        blocks.extend(doubts.map(|(cost, doubt)| Block::Paragraph(doubted(cost, doubt))));
        blocks.push(Block::Folded("Month by month", vec![months(costs)]));
    }
    blocks.extend(not_known(report));
    (!blocks.is_empty()).then_some(Section { id: "cost", title: "Cost", blocks })
}

/// What all targets cost in the dearest month.
pub(super) fn dearest_month(costs: &[TargetCost]) -> Option<Money> {
    (0..costs.first()?.forecast.months.len()).map(|month| costs.iter().map(|cost| bill(cost, month)).sum()).max()
}

/// What a target costs in a month.
fn bill(cost: &TargetCost, month: usize) -> Money {
    cost.forecast.months.get(month).map_or(Money::ZERO, |month| month.bill.total)
}

fn prices(costs: &[TargetCost]) -> Block {
    let row = |cost: &TargetCost| -> Vec<Cell> {
        let bills = cost.forecast.months.iter().map(|month| month.bill.total);
        let (first, last) = (bills.clone().next().unwrap_or_default(), bills.clone().next_back().unwrap_or_default());
        vec![
            named(&cost.target),
            cell(&cost.provider),
            cell(&cost.class),
            cell(words::day(cost.as_of)),
            cell(first.to_string()),
            cell(last.to_string()),
            cell(bills.sum::<Money>().to_string()),
        ]
    };
    let mut columns: Vec<Column> = ["Target", "Prices of", "Storage class", "As of"].map(Column::text).into();
    columns.extend(["First month", "Last month", "All months"].map(|head| Column::number(says(head))));
    Block::Table(Table { caption: "What each target costs", columns, rows: costs.iter().map(row).collect() })
}

fn doubted(cost: &TargetCost, doubt: &str) -> Line {
    let name = Span::code(&cost.target);
    vec![Span::text("The prices of "), name, Span::text(" are not sure: "), Span::text(doubt), Span::text(".")]
}

fn months(costs: &[TargetCost]) -> Block {
    let (is_each, is_sum) = (costs.len() <= TARGETS_MAX, costs.len() > 1);
    let each = if is_each { costs } else { &[] };
    let mut columns = vec![Column::text("Month to")];
    columns.extend(each.iter().map(|cost| Column::number(vec![Span::code(&cost.target)])));
    columns.extend(is_sum.then(|| Column::number(says("All targets"))));
    let months = costs.first().map_or(&[][..], |cost| &cost.forecast.months);
    let row = |month: usize| -> Vec<Cell> {
        let mut row = vec![cell(words::day(months[month].until))];
        row.extend(each.iter().map(|cost| cell(bill(cost, month).to_string())));
        let all: Money = costs.iter().map(|cost| bill(cost, month)).sum();
        row.extend(is_sum.then(|| cell(all.to_string())));
        row
    };
    Block::Table(Table { caption: "Cost of each month", columns, rows: (0..months.len()).map(row).collect() })
}

/// The buckets of which nothing can be told.
fn not_known(report: &Report<'_>) -> Option<Block> {
    let is_known = |name: &TargetName| report.costs.iter().any(|cost| cost.target == *name);
    let buckets = report.strategy.targets.iter().filter(|target| matches!(target.kind, TargetKind::Bucket { .. }));
    let mut line = says("What these buckets cost cannot be told, since prices or sizes are not known: ");
    for (index, target) in buckets.filter(|target| !is_known(&target.name)).enumerate() {
        line.extend((index > 0).then(|| Span::text(", ")));
        line.push(Span::code(&target.name));
    }
    (line.len() > 1).then_some(Block::Paragraph(line))
}
