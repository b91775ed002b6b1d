//! What holds for the cost of any archive.

use jiff::SignedDuration;
use proptest::prelude::*;
use subvault_model::bytesize::ByteSize;
use subvault_plan::cost::bill::{Bill, Item};
use subvault_plan::cost::budget::Budget;
use subvault_plan::cost::compare::{Objectives, compare};
use subvault_plan::cost::daily;
use subvault_plan::cost::forecast::forecast;
use subvault_plan::cost::holdings::{Archive, Cadence, Holdings, Subject};
use subvault_plan::cost::money::Money;
use subvault_plan::cost::propose::{Proposal, propose};
use subvault_plan::cost::table::Tables;
use subvault_plan::cost::tariff::Tariff;
use subvault_plan::cost::usual::Settled;

use crate::cost_host::{cadence, new_year, subject, tables, tariff};
use crate::fixtures::some;

fn every_tariff(tables: &Tables) -> Vec<Tariff<'_>> {
    tables.charging().flat_map(Tariff::all).collect()
}

fn objectives(back_within: Option<SignedDuration>) -> Objectives {
    Objectives { budget: None, back_within, download: "100 Mbit/s".parse().unwrap() }
}

fn some_subject() -> impl Strategy<Value = Subject> {
    (0_u64..3 << 40, 0_u64..20 << 30, 0_u64..5 << 30).prop_map(|(full, change, growth)| {
        let size = ByteSize::bytes;
        subject("data", size(full), size(change), size(growth))
    })
}

fn some_archive() -> impl Strategy<Value = Archive> {
    let sends = prop::sample::select(vec![1_u32, 6, 24, 168]);
    let cadences = (sends, 0_u32..200, 1_u32..4, prop::sample::select(vec![0_u32, 90, 180]));
    let cadences = cadences.prop_map(|(sends, full, keep, waits)| cadence(sends, full, keep, waits));
    (prop::collection::vec(some_subject(), 1..3), cadences, 1_u64..300)
        .prop_map(|(subvolumes, cadence, chunk)| Archive { subvolumes, cadence, chunk: ByteSize::gib(chunk) })
}

/// All but what is taken out: where more is stored, more may be taken out for nothing.
fn without_egress(bill: &Bill) -> Money {
    bill.total.saturating_sub(bill.amount(Item::Egress))
}

/// How far down the order of changes an answer is; what fits as it is comes first, what does not at all last.
fn rank(proposal: &Proposal) -> usize {
    match proposal {
        Proposal::Fits { .. } => 0,
        Proposal::Change { rank, .. } => *rank,
        Proposal::NothingFits { .. } | Proposal::TooSlow { .. } => usize::MAX,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_bill_is_the_sum_of_its_lines(archive in some_archive()) {
        let tables = tables();
        for tariff in every_tariff(&tables) {
            for month in forecast(&archive, &tariff, new_year(), 8, None).months {
                prop_assert_eq!(month.bill.lines.iter().map(|line| line.amount).sum::<Money>(), month.bill.total);
                prop_assert!(month.bill.lines.iter().all(|line| !line.amount.is_zero() && !line.because.is_empty()));
                prop_assert!(month.bill.lines.windows(2).all(|pair| pair[0].item <= pair[1].item));
            }
        }
    }

    /// One that stands for several is counted like so many by themselves.
    #[test]
    fn alike_subvolumes_are_counted_once_for_all(archive in some_archive(), alike in 1_u32..5) {
        let tables = tables();
        let one = Archive { subvolumes: archive.subvolumes[..1].to_vec(), ..archive.clone() };
        let all = Archive { subvolumes: vec![archive.subvolumes[0].clone(); alike.try_into().unwrap()], ..archive };
        for tariff in every_tariff(&tables) {
            let merged = Holdings { alike: vec![alike], ..one.simulate(100) };
            prop_assert_eq!(daily(&merged, &tariff), daily(&all.simulate(100), &tariff));
        }
    }

    #[test]
    fn more_bytes_are_never_cheaper(archive in some_archive(), more in 0_u64..1 << 40, which in 0_usize..3) {
        let mut larger = archive.clone();
        let subject = &mut larger.subvolumes[0];
        let size = [&mut subject.full, &mut subject.change_per_day, &mut subject.growth_per_day];
        let place = size.into_iter().nth(which).unwrap();
        *place += ByteSize::bytes(more >> (which * 8));
        let tables = tables();
        for tariff in every_tariff(&tables) {
            let of = |archive: &Archive| forecast(archive, &tariff, new_year(), 8, None).months;
            for (small, large) in of(&archive).iter().zip(of(&larger)) {
                // A line is rounded to a billionth.
                let rounding = Money::billionths(10);
                prop_assert!(without_egress(&small.bill) <= without_egress(&large.bill) + rounding,
                    "{}: {:?} {:?}", tariff.bulk.title, small.bill, large.bill);
            }
        }
    }

    /// Of data that does not change, longer intervals between fulls keep no more bytes, those that are paid for after
    /// they are gone among them. (Of data that changes they do: incrementals add up.)
    #[test]
    fn longer_intervals_between_fulls_never_cost_more_storage(
        full in 1_u64..1 << 40,
        (short, more) in (1_u32..200, 0_u32..200),
        keep in 1_u32..4,
        sends in prop::sample::select(vec![6_u32, 24, 168]),
        days in 1_u32..800,
    ) {
        let tables = tables();
        let tariff = tariff(&tables, "aws", "DEEP_ARCHIVE");
        let paid = |interval| {
            let subvolumes = vec![subject("data", ByteSize::bytes(full), ByteSize::ZERO, ByteSize::ZERO)];
            let archive = Archive { subvolumes, cadence: cadence(sends, interval, keep, 0), chunk: ByteSize::gib(200) };
            let days = daily(&archive.simulate(days), &tariff);
            days.iter().map(|day| day.bulk.byte_days + day.bulk.early_byte_days).sum::<u128>()
        };
        prop_assert!(paid(short + more) <= paid(short));
    }

    #[test]
    fn a_higher_budget_is_passed_later_or_never(archive in some_archive(), low in 0_u64..50, more in 0_u64..50) {
        let tables = tables();
        let budget = |dollars| Budget::per_month(Money::dollars(dollars));
        for tariff in every_tariff(&tables) {
            let forecast = forecast(&archive, &tariff, new_year(), 8, None);
            let (first, later) = (forecast.crossings(budget(low)), forecast.crossings(budget(low + more)));
            for (first, later) in [
                (first.warning, later.warning),
                (first.critical, later.critical),
                (first.over, later.over),
            ] {
                prop_assert!(later.is_none() || first.is_some_and(|first| later.is_some_and(|later| first <= later)));
            }
            prop_assert!(first.over.is_none() || (first.warning <= first.critical && first.critical <= first.over));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn more_budget_never_gives_a_worse_proposal(
        archive in some_archive(),
        class in prop::sample::select(vec!["STANDARD", "GLACIER_IR", "DEEP_ARCHIVE"]),
        hours in prop::option::of(1_i64..100),
        budgets in prop::collection::btree_set(0_u64..120, 2..5),
    ) {
        let tables = tables();
        let back_within = hours.map(SignedDuration::from_hours);
        let ask = |dollars: u64| {
            let budget = Some(Budget::per_month(Money::dollars(dollars)));
            let objectives = Objectives { budget, ..objectives(back_within) };
            propose(&archive, &tariff(&tables, "aws", class), &objectives, 365)
        };
        let answers: Vec<(u64, Proposal)> = budgets.into_iter().map(|dollars| (dollars, ask(dollars))).collect();
        for pair in answers.windows(2) {
            prop_assert!(rank(&pair[0].1) >= rank(&pair[1].1), "{pair:?}");
        }
        for (dollars, answer) in answers {
            match answer {
                Proposal::Fits { choice } | Proposal::Change { choice, .. } => {
                    prop_assert!(choice.dearest <= Money::dollars(dollars));
                    prop_assert!(hours.is_none_or(|hours| choice.back_after <= SignedDuration::from_hours(hours)));
                }
                Proposal::NothingFits { cheapest, over, .. } => {
                    prop_assert!(cheapest.dearest > Money::dollars(dollars));
                    prop_assert_eq!(Money::dollars(dollars) + over, cheapest.dearest);
                }
                Proposal::TooSlow { fastest } => prop_assert!(fastest > SignedDuration::from_hours(hours.unwrap())),
            }
        }
    }

    #[test]
    fn offers_are_sorted_and_each_is_what_its_bills_say(archive in some_archive()) {
        let tables = tables();
        let tariffs = every_tariff(&tables);
        let offers = compare(&archive, &tariffs, &objectives(None));
        prop_assert_eq!(offers.len(), tariffs.len());
        prop_assert!(offers.windows(2).all(|pair| pair[0].usual.average <= pair[1].usual.average));
        for offer in offers {
            prop_assert!(offer.usual.average <= offer.usual.dearest && !offer.restores.is_empty());
            // Without a wish, the cheapest restore is meant.
            prop_assert_eq!(offer.chosen, 0);
        }
    }
}

/// What is settled stays so: a later window costs the same.
#[test]
fn usual_months_do_not_depend_on_where_they_are_looked_at() {
    let tables = tables();
    let deep = tariff(&tables, "aws", "DEEP_ARCHIVE");
    let of = |keep: u32, waits: u32| -> (Cadence, Archive) {
        let cadence = cadence(24, 60, keep, waits);
        let data = subject("data", ByteSize::gib(900), ByteSize::gib(2), ByteSize::ZERO);
        (cadence, Archive { subvolumes: vec![data], cadence, chunk: ByteSize::gib(50) })
    };
    for (keep, waits) in [(1, 0), (2, 0), (2, 180), (3, 400)] {
        let (cadence, archive) = of(keep, waits);
        let usual = Settled::new(&archive, cadence, 0).usual(&deep);
        let much_later: Vec<_> = daily(&archive.simulate(60 * 40), &deep);
        let months = much_later[60 * 36..60 * 36 + 60].chunks(30);
        let bills: Vec<Bill> =
            months.map(|days| subvault_plan::cost::bill::bill(&deep, &days.iter().copied().sum())).collect();
        assert_eq!(usual.months, bills, "{keep} generations, gc waits {waits} days");
    }
    assert_eq!(of(1, 0).0.keep_generations, some(1));
}
