//! The comparison, the forecast and the proposals for one host, as they could be printed.

use jiff::SignedDuration;
use subvault_plan::cost::bill::Bill;
use subvault_plan::cost::budget::Budget;
use subvault_plan::cost::compare::{Objectives, compare};
use subvault_plan::cost::forecast::forecast;
use subvault_plan::cost::holdings::{Archive, Cadence};
use subvault_plan::cost::money::Money;
use subvault_plan::cost::propose::{Change, Choice, Proposal, propose};
use subvault_plan::cost::tariff::Tariff;

use crate::cost_host::{new_year, proxmox, tables, tariff};
use crate::fixtures::some;
use crate::golden::compare as golden;

fn objectives() -> Objectives {
    Objectives {
        budget: Some("8 USD/month".parse().unwrap()),
        back_within: Some(SignedDuration::from_hours(72)),
        download: "1 Gbit/s".parse().unwrap(),
    }
}

fn lines(bill: &Bill) -> String {
    bill.lines.iter().map(|line| format!("    {:?} {}: {}\n", line.item, line.amount, line.because)).collect()
}

#[test]
fn offers_for_a_host() {
    let tables = tables();
    let tariffs: Vec<Tariff<'_>> = tables.charging().flat_map(Tariff::all).collect();
    let mut text = String::new();
    for offer in compare(&proxmox(), &tariffs, &objectives()) {
        let (name, usual) = (format!("{} {}", offer.provider, offer.class), &offer.usual);
        text += &format!("{name}, as of {}: {} a month, at most {}\n", offer.as_of, usual.average, usual.dearest);
        for (index, restore) in offer.restores.iter().enumerate() {
            let mark = if index == offer.chosen { "*" } else { "-" };
            let (speed, costs) = (restore.speed.name(), restore.bill.total);
            text += &format!("  {mark} {speed}: {} back after {:#} for {costs}\n", restore.bytes, restore.takes());
        }
        offer.against.iter().for_each(|against| text += &format!("  but {}\n", against.sentence()));
    }
    golden("cost-comparison.txt", &text);
}

#[test]
fn two_years_of_a_host() {
    let tables = tables();
    let forecast = forecast(&proxmox(), &tariff(&tables, "aws", "DEEP_ARCHIVE"), new_year(), 24, None);
    let mut text = String::new();
    for (index, month) in forecast.months.iter().enumerate() {
        text += &format!("{}: {}, {} sent, {} stored\n", month.from, month.bill.total, month.uploaded, month.stored);
        if [0, 1, 6].contains(&index) {
            text += &lines(&month.bill);
        }
    }
    for dollars in [5, 6, 7, 8] {
        let crossings = forecast.crossings(Budget::per_month(Money::dollars(dollars)));
        text += &format!("{dollars} USD/month: {}\n", serde_json::to_string(&crossings).unwrap());
    }
    golden("cost-forecast.txt", &text);
}

fn told(choice: &Choice, changes: &[Change]) -> String {
    let sentences: Vec<String> = changes.iter().map(Change::sentence).collect();
    format!("up to {} a month, back after {:#}; {}", choice.dearest, choice.back_after, sentences.join(", "))
}

/// A class that is too slow is changed, whatever it costs; and what cannot be in time is told.
#[test]
fn what_is_soon_enough() {
    let tables = tables();
    let deep = tariff(&tables, "aws", "DEEP_ARCHIVE");
    let ask = |hours: i64| {
        let back_within = Some(SignedDuration::from_hours(hours));
        propose(&proxmox(), &deep, &Objectives { budget: None, back_within, ..objectives() }, 0)
    };
    let Proposal::Fits { choice } = ask(25) else { unreachable!("12 hours for thawing, 12.6 for fetching") };
    assert_eq!(choice.back_after, SignedDuration::new(24 * 3600 + 1950, 0));
    let Proposal::Change { choice, changes, .. } = ask(13) else { unreachable!("a class that needs no thawing") };
    assert_eq!((choice.class.as_str(), changes.len()), ("STANDARD", 1));
    // Shorter chains help a little; 5001 GiB alone take 11 hours and 56 minutes.
    let Proposal::Change { choice, .. } = ask(12) else { unreachable!("a full more often") };
    assert_eq!(choice.cadence.full_every_days, Some(some(14)));
    assert_eq!(ask(11), Proposal::TooSlow { fastest: SignedDuration::new(42961, 0) });
}

#[test]
fn what_fits_a_budget() {
    let tables = tables();
    let cadence =
        Cadence { keep_generations: some(3), gc_waits_days: 180, full_every_days: Some(some(90)), ..proxmox().cadence };
    let archive = Archive { cadence, ..proxmox() };
    let mut text = String::new();
    for (class, dollars) in [
        ("DEEP_ARCHIVE", 60),
        ("DEEP_ARCHIVE", 20),
        ("DEEP_ARCHIVE", 15),
        ("DEEP_ARCHIVE", 9),
        ("DEEP_ARCHIVE", 4),
        ("GLACIER_IR", 30),
        ("GLACIER_IR", 10),
    ] {
        let budget = Budget::per_month(Money::dollars(dollars));
        let asked = Objectives { budget: Some(budget), ..objectives() };
        let answer = propose(&archive, &tariff(&tables, "aws", class), &asked, 365);
        let answer = match answer {
            Proposal::Fits { choice } => format!("fits: {}", told(&choice, &[])),
            Proposal::Change { choice, changes, .. } => told(&choice, &changes),
            Proposal::NothingFits { cheapest, changes, over } => {
                format!("nothing fits, {over} are missing: {}", told(&cheapest, &changes))
            }
            Proposal::TooSlow { fastest } => format!("too slow: {fastest:#}"),
        };
        text += &format!("{class}, {budget}: {answer}\n");
    }
    golden("cost-proposals.txt", &text);
}
