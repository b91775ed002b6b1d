//! Costs on a terminal: each bucket with its months, then what others would cost.

use jiff::civil::Date;
use subvault_model::bytesize::ByteSize;
use subvault_plan::cost::compare::{Offer, rough};
use subvault_plan::cost::forecast::{Crossings, Forecast};
use subvault_plan::cost::propose::{Change, Choice, Proposal};

use super::{Answer, Costs, OfTarget};
use crate::output::table;

/// What it costs, in words.
pub(super) fn describe(answer: &Answer) -> String {
    let subjects = &answer.archive.subvolumes;
    let full: ByteSize = subjects.iter().map(|subject| subject.full).sum();
    let change: ByteSize = subjects.iter().map(|subject| subject.change_per_day).sum();
    let mut text = format!("Sent from here, compressed: {full}, of which {change} change in a day.\n");
    answer.targets.iter().for_each(|target| text.push_str(&bucket(target, answer)));
    text.push_str(&format!(
        "\nWhat a month of it costs elsewhere, kept as is usual for such a host:\n\n{}",
        offers(answer)
    ));
    text.push_str("\nPrices are dated and may have changed; `subvault cost --json` has every line of every bill.\n");
    text
}

fn bucket(target: &OfTarget, answer: &Answer) -> String {
    let Some(costs) = &target.costs else {
        return format!("\n{}: no prices are known for it, or nothing is sent there.\n", target.name);
    };
    let Costs { provider, class, as_of, forecast, .. } = costs;
    let mut text = format!("\n{}: {provider}, {class}, at prices of {as_of}\n\n{}", target.name, months(forecast));
    if let Some(dearest) = forecast.months.iter().max_by_key(|month| month.bill.total) {
        text.push_str(&format!("\nThe dearest of these months, from {} on:\n", dearest.from));
        for line in &dearest.bill.lines {
            text.push_str(&format!("  {:>10}  {}\n", line.amount.to_string(), line.because));
        }
    }
    if let (Some(budget), Some(crossings)) = (answer.asked.budget, &costs.crossings) {
        text.push_str(&format!("Of {budget}: {}.\n", lines(crossings)));
    }
    text.push_str(&costs.proposal.as_ref().map(proposed).unwrap_or_default());
    text
}

fn months(forecast: &Forecast) -> String {
    let mut table = table::new(&["month from", ">stored", ">sent", ">costs"]);
    for month in &forecast.months {
        table.add_row([
            month.from.to_string(),
            month.stored.to_string(),
            month.uploaded.to_string(),
            month.bill.total.to_string(),
        ]);
    }
    table::text(&table)
}

fn lines(crossings: &Crossings) -> String {
    let reached = [(crossings.warning, "80 %"), (crossings.critical, "90 %"), (crossings.over, "more than all")];
    let reached: Vec<String> =
        reached.iter().filter_map(|(from, line)| from.map(|from: Date| format!("{line} from {from} on"))).collect();
    if reached.is_empty() { "less than 80 % in all of these months".to_owned() } else { reached.join(", ") }
}

fn proposed(proposal: &Proposal) -> String {
    let list = |changes: &[Change]| changes.iter().map(Change::sentence).collect::<Vec<_>>().join(", ");
    match proposal {
        Proposal::Fits { choice } => format!("As it is set, it fits a year from now: {}.\n", chosen(choice)),
        Proposal::Change { choice, changes, .. } => format!("What would fit: {}; {}.\n", list(changes), chosen(choice)),
        Proposal::NothingFits { cheapest, changes, over } => {
            let with = if changes.is_empty() { String::new() } else { format!(" with {}", list(changes)) };
            format!("Nothing fits there: {over} are missing{with}; {}.\n", chosen(cheapest))
        }
        Proposal::TooSlow { fastest } => {
            format!("Nothing fits there: everything is back after {} at the soonest.\n", rough(*fastest))
        }
    }
}

fn chosen(choice: &Choice) -> String {
    format!("up to {} a month, everything back after {}", choice.dearest, rough(choice.back_after))
}

fn offers(answer: &Answer) -> String {
    let mut table = table::new(&["provider", "class", ">a month", ">at most", ">back after", ">for", "but"]);
    for offer in &answer.offers {
        let restore = offer.restores.get(offer.chosen);
        table.add_row([
            offer.provider.clone(),
            offer.class.clone(),
            offer.usual.average.to_string(),
            offer.usual.dearest.to_string(),
            restore.map_or_else(|| "-".to_owned(), |restore| rough(restore.takes())),
            restore.map_or_else(|| "-".to_owned(), |restore| restore.bill.total.to_string()),
            objections(offer),
        ]);
    }
    table::text(&table)
}

/// What is against it, in few words: the sentences are in the JSON.
fn objections(offer: &Offer) -> String {
    offer.against.iter().map(|objection| objection.word()).collect::<Vec<_>>().join(", ")
}
