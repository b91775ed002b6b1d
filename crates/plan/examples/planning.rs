//! How long it takes to plan for a host with 200 subvolumes, and to live 24 months through with snapshots and sends each hour,
//! for 5 and 30 subvolumes: for `./bench`, which prints it.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "it measures, and shows what it measured")]
#![expect(clippy::disallowed_methods, reason = "it measures with a clock what must not read one")]

use std::num::NonZeroU32;
use std::time::Instant;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use subvault_model::bytesize::ByteSize;
use subvault_model::facts::{ChangeRate, Facts, PoolFacts, SubvolumeFacts};
use subvault_model::file_path::FilePath;
use subvault_plan::cost::overrides::Overrides;
use subvault_plan::cost::table::Tables;
use subvault_plan::simulate::scenario::{of_strategy, usual_failures};
use subvault_plan::simulate::simulate;
use subvault_plan::strategy::assemble::strategy;
use subvault_plan::strategy::objectives::Objectives;
use subvault_plan::strategy::profile::Profile;
use subvault_plan::strategy::target_cost::target_costs;
use subvault_plan::strategy::wall_clock::WallClock;
use subvault_plan::strategy::{Kept, Said, SaidTarget, TargetKind};

const MONTHS: u32 = 24;
const ROUNDS: usize = 5;

fn main() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let from: Timestamp = "2026-11-21T12:34:56Z".parse().unwrap();
    let said = said(&zone);
    let large = facts(200);
    println!("strategy {}", median(|| drop(strategy(&large, &said))));
    let budget = Some("8 USD/month".parse().unwrap());
    let tight = Said { objectives: Objectives { budget, ..said.objectives }, ..said.clone() };
    println!("objectives {}", median(|| drop(strategy(&large, &tight))));
    for subvolumes in [5, 30] {
        let decided = strategy(&facts(subvolumes), &said);
        let mut scenario = of_strategy(&decided, from, MONTHS, &zone);
        scenario.failures = usual_failures(&decided, from);
        let lived = || {
            let simulation = simulate(&scenario);
            let costs = target_costs(&decided, &said.tables, &simulation, zone.to_datetime(from).date());
            assert_eq!((simulation.months.len(), costs.len()), (MONTHS as usize, 1));
        };
        println!("simulate_{subvolumes} {}", median(lived));
    }
}

/// Milliseconds.
fn median(what: impl Fn()) -> u128 {
    let mut taken: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            what();
            begin.elapsed().as_millis()
        })
        .collect();
    taken.sort_unstable();
    taken[ROUNDS / 2]
}

fn said(zone: &TimeZone) -> Said {
    let objectives = Objectives {
        lose_at_most: Some(SignedDuration::from_hours(1)),
        ..Objectives::unstated("100 Mbit/s".parse().unwrap(), "20 Mbit/s".parse().unwrap())
    };
    let bucket = SaidTarget {
        name: "bucket".parse().unwrap(),
        kind: TargetKind::Bucket { provider: "backblaze-b2".to_owned(), class: None },
        schedule: None,
        is_elsewhere: true,
        kept: Kept {
            full_every_days: NonZeroU32::new(30),
            keep_generations: NonZeroU32::new(2).unwrap(),
            minimum_storage_days: 0,
            chunk: ByteSize::gib(200),
        },
    };
    Said {
        wall: WallClock::new(zone.clone(), 2026),
        host: "bench".to_owned(),
        profile: Some(Profile::Laptop),
        mode: None,
        overhead_percent_max: None,
        objectives,
        tables: Tables::load(&Overrides::default()).unwrap(),
        subvolumes: Vec::new(),
        targets: vec![bucket],
    }
}

/// A host with so many subvolumes of people's files, each with 250 snapshots.
fn facts(count: u32) -> Facts {
    let of = |number: u32| SubvolumeFacts {
        path: FilePath::new(format!("@home-{number}").as_bytes()),
        seen_at: Some(FilePath::new(format!("/home/{number}").as_bytes())),
        is_mounted: true,
        is_nested: false,
        is_nodatacow: false,
        compression: None,
        uses: Vec::new(),
        change: Some(ChangeRate { per_day: ByteSize::gib(1), hours: 24 }),
    };
    let pool = PoolFacts {
        uuid: "5f0c5d63-7a7e-4f4b-9d0e-0c1a58a2f001".parse().unwrap(),
        disks: Vec::new(),
        size: ByteSize::gib(8000),
        used: ByteSize::gib(1000),
        free: ByteSize::gib(7000),
        unallocated: ByteSize::gib(7000),
        metadata_free: ByteSize::gib(2),
        data_profile: "single".to_owned(),
        metadata_profile: "dup".to_owned(),
        mount_options: Vec::new(),
        subvolumes: (0..count).map(of).collect(),
        snapshots: u64::from(count) * 250,
        growth_per_day: None,
    };
    Facts { pools: vec![pool], ..Facts::default() }
}
