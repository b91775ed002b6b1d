//! What the targets of a strategy cost, against a bill that was worked out by hand.

use std::num::NonZeroU32;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use subvault_model::bytesize::ByteSize;
use subvault_model::facts::{ChangeRate, Facts, PoolFacts, SubvolumeFacts, Use};
use subvault_model::file_path::FilePath;
use subvault_plan::cost::forecast::forecast;
use subvault_plan::simulate::scenario::of_strategy;
use subvault_plan::simulate::{Failure, simulate};
use subvault_plan::strategy::assemble::strategy;
use subvault_plan::strategy::objectives::Objectives;
use subvault_plan::strategy::target_cost::{TargetCost, priced, target_costs};
use subvault_plan::strategy::wall_clock::WallClock;
use subvault_plan::strategy::{Kept, Said, SaidTarget, TargetKind};

use crate::cost_host::{new_year, tables, value};
use crate::fixtures::some;

/// 100 GiB of people's files, in which nothing ever changes.
fn facts() -> Facts {
    let home = SubvolumeFacts {
        path: FilePath::new(b"@home"),
        seen_at: Some(FilePath::new(b"home")),
        is_mounted: true,
        is_nested: false,
        is_nodatacow: false,
        compression: None,
        uses: vec![Use::Home],
        change: Some(ChangeRate { per_day: ByteSize::ZERO, hours: 24 }),
    };
    let pool = PoolFacts {
        uuid: "5f0c5d63-7a7e-4f4b-9d0e-0c1a58a2f001".parse().unwrap(),
        disks: Vec::new(),
        size: ByteSize::gib(500),
        used: ByteSize::gib(100),
        free: ByteSize::gib(400),
        unallocated: ByteSize::gib(300),
        metadata_free: ByteSize::gib(2),
        data_profile: "single".to_owned(),
        metadata_profile: "dup".to_owned(),
        mount_options: Vec::new(),
        subvolumes: vec![home],
        snapshots: 0,
        growth_per_day: None,
    };
    Facts { pools: vec![pool], ..Facts::default() }
}

fn bucket(provider: &str, class: Option<&str>) -> TargetKind {
    TargetKind::Bucket { provider: provider.to_owned(), class: class.map(str::to_owned) }
}

/// A target to which a full is sent every 30 days, two of which stay.
fn target(name: &str, kind: TargetKind, schedule: Option<Option<&str>>) -> SaidTarget {
    let kept = Kept {
        full_every_days: NonZeroU32::new(30),
        keep_generations: some(2),
        minimum_storage_days: 0,
        chunk: ByteSize::gib(1),
    };
    let schedule = schedule.map(|when| when.map(str::to_owned));
    SaidTarget { name: name.parse().unwrap(), kind, schedule, is_elsewhere: true, kept }
}

fn said(targets: Vec<SaidTarget>) -> Said {
    Said {
        wall: WallClock::new(TimeZone::UTC, 2026),
        host: "laptop".to_owned(),
        profile: None,
        mode: None,
        overhead_percent_max: None,
        objectives: Objectives::unstated("100 Mbit/s".parse().unwrap(), "20 Mbit/s".parse().unwrap()),
        tables: tables(),
        subvolumes: Vec::new(),
        targets,
    }
}

fn costs(facts: &Facts, targets: Vec<SaidTarget>) -> Vec<TargetCost> {
    let strategy = strategy(facts, &said(targets));
    let from = new_year().to_zoned(TimeZone::UTC).unwrap().timestamp();
    let simulation = simulate(&of_strategy(&strategy, from, 3, &TimeZone::UTC));
    target_costs(&strategy, &tables(), &simulation, new_year())
}

#[test]
fn a_bill_comes_from_the_sizes_of_the_strategy_and_the_prices_of_the_class() {
    let deep = bucket("aws", Some("DEEP_ARCHIVE"));
    let found = costs(&facts(), vec![target("b2", bucket("backblaze-b2", None), None), target("deep", deep, None)]);
    let [b2, deep] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((b2.target.as_str(), b2.provider.as_str()), ("b2", "Backblaze B2, pay as you go"));
    assert_eq!(deep.class, "S3 Glacier Deep Archive");
    assert_eq!(b2.forecast.months.len(), 3);
    // 100 GiB become 60 GiB, which are 64.4 GB; of them 10 are free. In January, of 31 days, the second full is there for a day.
    let (price, full) = (6.95 / 1000.0 / 30.0, 60.0 * 1.073_741_824);
    let by_hand = price * ((full - 10.0) * 31.0 + full);
    let january = value(b2.forecast.months[0].bill.total);
    assert!((january - by_hand).abs() < 0.01, "{january} in place of {by_hand}");
}

#[test]
fn what_cannot_be_told_is_left_out() {
    let of = |kind, schedule| costs(&facts(), vec![target("t", kind, schedule)]);
    assert_eq!(of(bucket("wasabi", None), Some(Some("Sun 03:00"))).len(), 1);
    assert_eq!(of(bucket("wasabi", None), Some(None)), [], "nothing is ever sent");
    assert_eq!(of(bucket("generic", None), None), [], "nobody knows what it charges");
    assert_eq!(of(bucket("nobody", None), None), []);
    assert_eq!(of(bucket("aws", Some("NONE_SUCH")), None), []);
    for kind in [TargetKind::Directory, TargetKind::Disk, TargetKind::Host] {
        assert_eq!(of(kind, None), []);
    }
    let mut unknown = facts();
    unknown.pools[0].used = ByteSize::ZERO;
    assert_eq!(costs(&unknown, vec![target("t", bucket("wasabi", None), None)]), [], "sizes are not known");
}

/// A bucket that cannot be reached gets nothing, and its bill is smaller by that.
#[test]
fn a_bill_follows_what_was_sent() {
    let mut busy = facts();
    busy.pools[0].subvolumes[0].change = Some(ChangeRate { per_day: ByteSize::gib(10), hours: 24 });
    let said = said(vec![target("b2", bucket("backblaze-b2", None), None)]);
    let strategy = strategy(&busy, &said);
    let from = new_year().to_zoned(TimeZone::UTC).unwrap().timestamp();
    let cost = |failures: Vec<Failure>| {
        let mut scenario = of_strategy(&strategy, from, 2, &TimeZone::UTC);
        scenario.failures = failures;
        let found = target_costs(&strategy, &tables(), &simulate(&scenario), new_year());
        let months = found[0].forecast.months.iter();
        months.map(|month| (month.uploaded, value(month.bill.total))).collect::<Vec<_>>()
    };
    let day = |days: i64| from.checked_add(SignedDuration::from_hours(24 * days)).unwrap();
    let (always, away) =
        (cost(Vec::new()), cost(vec![Failure::Away { target: "b2".parse().unwrap(), from: day(5), until: day(40) }]));
    assert!(away[0].0 < always[0].0 && away[0].1 < always[0].1 - 0.3, "{always:?} {away:?}");
    // As foreseen without failures, for all that the days are counted in another way.
    let foreseen = priced(&strategy, &strategy.targets[0], &said.tables).unwrap();
    let foreseen = forecast(&foreseen.archive, &foreseen.tariff, new_year(), 2, None);
    for ((_, lived), foreseen) in always.iter().zip(&foreseen.months) {
        let foreseen = value(foreseen.bill.total);
        assert!((lived - foreseen).abs() < foreseen / 20.0, "{lived} in place of {foreseen}");
    }
}
