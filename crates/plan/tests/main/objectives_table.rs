//! Objectives: what is chosen for hosts worked out by hand, and what holds of every answer.

use jiff::SignedDuration;
use proptest::prelude::*;
use subvault_model::bytesize::ByteSize;
use subvault_plan::cost::budget::Budget;
use subvault_plan::cost::holdings::Archive;
use subvault_plan::cost::money::Money;
use subvault_plan::cost::tariff::Tariff;
use subvault_plan::strategy::objectives::{Answer, Binding, Objectives, Solution, solve};

use crate::cost_host::{archive, cadence, proxmox, tables, value};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

fn stated(lose: SignedDuration, back: Option<SignedDuration>, budget: Option<&str>) -> Objectives {
    Objectives {
        lose_at_most: Some(lose),
        back_within: back,
        budget: budget.map(|budget| budget.parse().unwrap()),
        download: "500 Mbit/s".parse().unwrap(),
        upload: "100 Mbit/s".parse().unwrap(),
    }
}

fn ask(archive: &Archive, stated: &Objectives) -> Answer {
    let tables = tables();
    let tariffs: Vec<Tariff<'_>> = tables.charging().flat_map(Tariff::all).collect();
    solve(archive, &tariffs, stated, 0)
}

fn met(answer: Answer) -> Solution {
    match answer {
        Answer::Met { solution } => solution,
        Answer::NotMet { binding, .. } => panic!("{binding:?}"),
    }
}

/// 5 TiB for 8 dollars a month are only to be had where it is cold: 5 TB at a tenth of a cent, and a little more.
#[test]
fn five_tebibytes_for_eight_dollars_are_cold() {
    let found = met(ask(&proxmox(), &stated(hours(7 * 24), Some(hours(4 * 24)), Some("8 USD/month"))));
    assert_eq!((found.provider.as_str(), found.choice.class.as_str()), ("aws", "DEEP_ARCHIVE"));
    assert!((5.0..8.0).contains(&value(found.choice.dearest)), "{}", found.choice.dearest);
    assert_eq!(found.loses, hours(7 * 24));
}

/// 200 GB with 2 GB a day for 5 dollars, back in a day: not cold, and sent as often as it takes.
#[test]
fn a_small_host_is_kept_where_it_can_be_read() {
    let small = archive(ByteSize::gib(180), ByteSize::gib(2), cadence(24, 30, 2, 0));
    let found = met(ask(&small, &stated(DAY, Some(DAY), Some("8 USD/month"))));
    assert!(found.choice.back_after <= DAY && value(found.choice.dearest) <= 8.0, "{found:?}");
    assert_eq!(found.loses, DAY);
    let often = met(ask(&small, &stated(hours(2), Some(DAY), Some("20 USD/month"))));
    assert_eq!(often.loses, HOUR);
}

#[test]
fn what_cannot_be_had_is_named_with_what_can() {
    let Answer::NotMet { binding: Binding::Budget { nearest, .. }, nearest: Some(solution) } =
        ask(&proxmox(), &stated(hours(7 * 24), Some(hours(4 * 24)), Some("1 USD/month")))
    else {
        panic!("five tebibytes for a dollar")
    };
    assert_eq!(nearest, solution.choice.dearest);
    assert!(value(nearest) > 1.0);
    let Answer::NotMet { binding: Binding::BackWithin { nearest }, .. } =
        ask(&proxmox(), &stated(hours(7 * 24), Some(SignedDuration::from_mins(10)), None))
    else {
        panic!("five tebibytes in ten minutes")
    };
    // At 500 Mbit/s they take a day at least.
    assert!(nearest > hours(20), "{nearest:?}");
    let Answer::NotMet { binding: Binding::LoseAtMost { nearest }, .. } =
        ask(&proxmox(), &stated(SignedDuration::from_mins(10), None, None))
    else {
        panic!("sent every ten minutes")
    };
    assert_eq!(nearest, HOUR);
    let mut busy = archive(ByteSize::gib(500), ByteSize::gib(5000), cadence(24, 30, 2, 0));
    busy.subvolumes[0].growth_per_day = ByteSize::ZERO;
    let answer = ask(&busy, &stated(DAY, None, None));
    assert!(matches!(answer, Answer::NotMet { binding: Binding::LoseAtMost { .. }, .. }), "{answer:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_met_is_met_and_more_money_is_never_worse(
        gib in 1_u64..3000,
        change in 1_u64..20,
        lose_hours in 1_i64..200,
        back_hours in 1_i64..100,
        cents in 50_u64..5000,
    ) {
        let host = archive(ByteSize::gib(gib), ByteSize::gib(change), cadence(24, 30, 2, 0));
        let with = |cents: u64| Objectives {
            budget: Some(Budget::per_month(Money::billionths(cents * 10_000_000))),
            ..stated(hours(lose_hours), Some(hours(back_hours)), None)
        };
        let (poor, rich) = (ask(&host, &with(cents)), ask(&host, &with(cents * 2)));
        if let Answer::Met { solution } = &poor {
            prop_assert!(solution.loses <= hours(lose_hours));
            prop_assert!(solution.choice.back_after <= hours(back_hours));
            prop_assert!(solution.choice.dearest <= Money::billionths(cents * 10_000_000));
            let richer = met(rich);
            // It may cost more: with more money, less of what is set now is changed.
            prop_assert!(richer.loses <= solution.loses);
        }
    }
}
