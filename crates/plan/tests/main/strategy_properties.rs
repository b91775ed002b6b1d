//! What holds of every strategy, for hosts made at random.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use subvault_model::bytesize::ByteSize;
use subvault_model::facts::{ChangeRate, Chassis, Disk, Facts, Machine, PoolFacts, SubvolumeFacts, Transport, Use};
use subvault_model::file_path::FilePath;
use subvault_model::ids::PoolUuid;
use subvault_plan::calendar::Calendar;
use subvault_plan::cost::overrides::Overrides;
use subvault_plan::cost::table::Tables;
use subvault_plan::simulate::scenario::of_strategy;
use subvault_plan::simulate::simulate;
use subvault_plan::strategy::assemble::strategy;
use subvault_plan::strategy::objectives::Objectives;
use subvault_plan::strategy::profile::Profile;
use subvault_plan::strategy::snapshots::SHORTEST;
use subvault_plan::strategy::storage::Mode;
use subvault_plan::strategy::tier::Tier;
use subvault_plan::strategy::wall_clock::WallClock;
use subvault_plan::strategy::workload::Workload;
use subvault_plan::strategy::{Said, SaidSubvolume, Strategy as Decided};

const PLACES: [&str; 12] = [
    "",
    "home",
    "home/ann/dev",
    "nix",
    "var/log",
    "var/cache",
    "tmp",
    "var/lib/postgresql",
    "var/lib/containers",
    "srv/x",
    "mnt/odd",
    "persist",
];

fn subvolume() -> impl Strategy<Value = SubvolumeFacts> {
    let uses = [Use::Root, Use::Home, Use::PostgreSql, Use::Containers, Use::SwapFile];
    let change = (0..1_u64 << 40).prop_map(|bytes| ChangeRate { per_day: ByteSize::bytes(bytes), hours: 24 });
    (
        vec(any::<u8>(), 0..6),
        select(PLACES.to_vec()),
        any::<[bool; 3]>(),
        vec(select(uses.to_vec()), 0..2),
        option::of(change),
    )
        .prop_map(|(name, place, [is_mounted, is_nested, is_nodatacow], uses, change)| SubvolumeFacts {
            path: FilePath::new([b"@".as_slice(), &name].concat()),
            seen_at: is_mounted.then(|| FilePath::new([b"/", place.as_bytes(), &name].concat())),
            is_mounted,
            is_nested,
            is_nodatacow,
            compression: None,
            uses,
            change,
        })
}

fn pool(number: u8) -> impl Strategy<Value = PoolFacts> {
    (vec(subvolume(), 0..8), 0..1_u64 << 43, 0..1_u64 << 43).prop_map(move |(subvolumes, used, free)| PoolFacts {
        uuid: PoolUuid::from_bytes([number + 1; 16]).unwrap(),
        disks: vec!["sda".to_owned()],
        size: ByteSize::bytes(used + free),
        used: ByteSize::bytes(used),
        free: ByteSize::bytes(free),
        unallocated: ByteSize::ZERO,
        metadata_free: ByteSize::ZERO,
        data_profile: "single".to_owned(),
        metadata_profile: "dup".to_owned(),
        mount_options: vec!["compress=zstd:3".to_owned()],
        subvolumes,
        snapshots: 0,
        growth_per_day: None,
    })
}

fn facts() -> impl Strategy<Value = Facts> {
    let chassis = select(vec![Chassis::Portable, Chassis::Desktop, Chassis::Server, Chassis::Unknown]);
    let disk = (0..1_u64 << 43, any::<[bool; 3]>()).prop_map(|(size, [is_removable, has_windows, is_nvme])| Disk {
        name: "sda".to_owned(),
        id: None,
        model: None,
        size: ByteSize::bytes(size),
        transport: if is_nvme { Transport::Nvme } else { Transport::Usb },
        is_rotational: None,
        is_removable,
        has_windows,
    });
    (chassis, any::<bool>(), vec(disk, 0..4), pool(0), pool(1)).prop_map(|(chassis, is_virtual, disks, a, b)| Facts {
        machine: Machine { chassis, virtualisation: is_virtual.then(|| "kvm".to_owned()), ..Machine::default() },
        disks,
        pools: vec![a, b],
        ..Facts::default()
    })
}

fn said() -> impl Strategy<Value = Said> {
    let profile = option::of(select(Profile::ALL.to_vec()));
    let mode = option::of(select(vec![Mode::Balanced, Mode::IoOptimized, Mode::SpaceOptimized]));
    let tier = option::of(select(Tier::ALL.to_vec()));
    let workload = option::of(select(Workload::ALL.to_vec()));
    let zone = select(vec![
        "UTC",
        "Europe/Berlin",
        "Africa/Cairo",
        "Africa/Casablanca",
        "America/St_Johns",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Pacific/Auckland",
    ]);
    let one = (select(PLACES.to_vec()), tier, workload).prop_map(|(place, tier, workload)| SaidSubvolume {
        name: format!("s-{}", place.replace('/', "-")).parse().unwrap(),
        path: FilePath::new(place),
        tier,
        workload,
        snapshots: None,
        keep: None,
        sends: None,
        targets: Vec::new(),
    });
    let lose = option::of((1_i64..2000).prop_map(SignedDuration::from_mins));
    let objectives = lose.prop_map(|lose_at_most| Objectives {
        lose_at_most,
        ..Objectives::unstated("100 Mbit/s".parse().unwrap(), "20 Mbit/s".parse().unwrap())
    });
    (profile, mode, vec(one, 0..3), zone, objectives).prop_map(|(profile, mode, mut subvolumes, zone, objectives)| {
        subvolumes.dedup_by_key(|subvolume| subvolume.name.clone());
        Said {
            wall: WallClock::new(TimeZone::get(zone).unwrap(), 2026),
            host: "host".to_owned(),
            profile,
            mode,
            overhead_percent_max: None,
            objectives,
            tables: Tables::load(&Overrides::default()).unwrap(),
            subvolumes,
            targets: Vec::new(),
        }
    })
}

fn has_its_reasons(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Object(members) => {
            members.get("because").and_then(|because| because.as_str()).is_none_or(|because| !because.is_empty())
                && members.values().all(has_its_reasons)
        }
        serde_json::Value::Array(elements) => elements.iter().all(has_its_reasons),
        _ => true,
    }
}

/// The longest that passes between two times of a calendar, over some weeks without a change of clocks.
fn longest_apart(calendar: &Calendar, wall: &WallClock) -> SignedDuration {
    let mut at: Timestamp = "2026-01-05T00:00:00Z".parse().unwrap();
    let mut longest = SignedDuration::ZERO;
    let mut first = calendar.next(at, wall.zone()).unwrap();
    for _ in 0..30 {
        at = calendar.next(first, wall.zone()).unwrap();
        longest = longest.max(at.duration_since(first));
        first = at;
    }
    longest
}

fn check(decided: &Decided, said: &Said) {
    let mut names: Vec<_> = decided.subvolumes.iter().map(|subvolume| subvolume.name.clone()).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "a name twice");
    for subvolume in &decided.subvolumes {
        let calendars = subvolume.snapshots.value.iter().chain(&subvolume.sends.value);
        for calendar in calendars {
            assert!(Calendar::parse(calendar, &|_| None).is_ok(), "{calendar}");
        }
        let is_temporary = subvolume.tier.value == Tier::Temporary;
        assert_eq!(subvolume.snapshots.value.is_none(), is_temporary, "{subvolume:?}");
        assert_eq!(subvolume.keep.is_none(), is_temporary, "{subvolume:?}");
        if let (Some(stated), Some(promise), Tier::Critical | Tier::Important) =
            (said.objectives.lose_at_most, subvolume.promise, subvolume.tier.value)
        {
            assert!(promise.lose_at_most <= stated.max(SHORTEST), "{subvolume:?}");
            let sends = subvolume.sends.value.as_ref().map(|text| Calendar::parse(text, &|_| None).unwrap());
            let apart = sends.map(|calendar| longest_apart(&calendar, &said.wall));
            let most = stated.max(SignedDuration::from_hours(1));
            assert!(apart.is_none_or(|apart| apart <= most), "{apart:?}: {subvolume:?}");
        }
    }
    for named in &said.subvolumes {
        let found = decided.subvolumes.iter().find(|subvolume| subvolume.name == named.name).unwrap();
        assert_eq!(named.tier.unwrap_or(found.tier.value), found.tier.value);
        assert_eq!(named.workload.unwrap_or(found.workload.value), found.workload.value);
    }
    for pool in &decided.pools {
        let told = decided.warnings.iter().any(|warning| warning.about.contains(&pool.uuid));
        assert!(pool.snapshots <= pool.free || told, "{pool:?}: {:?}", decided.warnings);
    }
    assert!(has_its_reasons(&serde_json::to_value(decided).unwrap()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_strategy_is_whole_and_repeatable(facts in facts(), said in said()) {
        let decided = strategy(&facts, &said);
        check(&decided, &said);
        prop_assert_eq!(&decided, &strategy(&facts, &said));
        // Facts come back from their JSON as they were, so that a report of one host can be planned on another.
        let again: Facts = serde_json::from_str(&serde_json::to_string(&facts).unwrap()).unwrap();
        prop_assert_eq!(&again, &facts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// A year is what it takes for clocks to be set both ways.
    #[test]
    fn nothing_is_lost_beyond_what_is_promised(facts in facts(), said in said(), begin in 0_i64..365 * 24 * 60) {
        let decided = strategy(&facts, &said);
        let from: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let from = from.checked_add(SignedDuration::from_mins(begin)).unwrap();
        let simulation = simulate(&of_strategy(&decided, from, 12, said.wall.zone()));
        for (subvolume, worst) in decided.subvolumes.iter().zip(&simulation.worst) {
            prop_assert_eq!(&subvolume.name, &worst.subvolume);
            prop_assert_eq!(subvolume.promise.is_some(), worst.file.is_some(), "{:?}", subvolume);
            let promised = subvolume.promise.map(|promise| promise.lose_at_most);
            prop_assert!(worst.file <= promised, "{:?} in {:?}: {:?}", worst, said.wall.zone(), subvolume);
        }
    }
}
