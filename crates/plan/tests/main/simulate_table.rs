//! Months in virtual time, against numbers that were worked out by hand.

use jiff::civil::time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use subvault_model::bytesize::ByteSize;
use subvault_plan::calendar::Calendar;
use subvault_plan::simulate::{Failure, OffHours, Scenario, SimulatedSubvolume, SimulatedTarget, Simulation, simulate};
use subvault_plan::strategy::profile::Profile;
use subvault_plan::strategy::sending;
use subvault_plan::strategy::snapshots::{cadence, retention};
use subvault_plan::strategy::tier::{Tier, promise};
use subvault_plan::strategy::wall_clock::WallClock;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn calendar(text: &str) -> Calendar {
    Calendar::parse(text, &|_| None).unwrap()
}

fn subvolume(name: &str, tier: Tier, profile: Profile, zone: &TimeZone) -> SimulatedSubvolume {
    let wall = WallClock::new(zone.clone(), 2026);
    SimulatedSubvolume {
        name: name.parse().unwrap(),
        schedule: cadence(promise(tier, profile), &wall).value.as_deref().map(calendar),
        keep: retention(tier, profile).map(|keep| keep.value),
        size: ByteSize::gib(100),
        change_per_day: ByteSize::gib(1),
        growth_percent: 50,
        sends: vec![("bucket".parse().unwrap(), calendar("02:00"))],
    }
}

fn bucket() -> SimulatedTarget {
    SimulatedTarget {
        name: "bucket".parse().unwrap(),
        full_every_days: Some(30),
        keep_generations: 2,
        gc_waits_days: 0,
        compressed_percent: 50,
        restore_per_second: ByteSize::mib(10),
        thaw: SignedDuration::ZERO,
        is_elsewhere: true,
    }
}

fn scenario(months: u32, failures: Vec<Failure>) -> Scenario {
    Scenario {
        from: at("2026-01-01T00:00:00Z"),
        months,
        zone: TimeZone::UTC,
        subvolumes: vec![subvolume("home", Tier::Critical, Profile::Laptop, &TimeZone::UTC)],
        targets: vec![bucket()],
        failures,
    }
}

fn hours(simulation: &Simulation, of: impl Fn(&subvault_plan::simulate::Worst) -> Option<SignedDuration>) -> i64 {
    of(&simulation.worst[0]).unwrap().as_hours()
}

#[test]
fn a_year_of_a_laptop_that_is_always_on() {
    let simulation = simulate(&scenario(12, Vec::new()));
    let last = simulation.months.last().unwrap();
    // 168 hours; days 8 to 30 of which 23 are older than the hours; weeks and months beyond that; see the numbers of retention.
    let snapshots = last.snapshots[0].1;
    assert!((168 + 22..=168 + 30 + 13 + 12 + 3 + 24).contains(&snapshots), "{snapshots}");
    // 365 days of half a GiB of growth.
    assert_eq!(last.data.get() >> 30, 100 + 182);
    // The oldest is the first of all, which is kept as the first of January: half of 365 GiB was replaced since.
    assert_eq!(last.snapshot_room.get() >> 30, 182);
    assert_eq!(hours(&simulation, |w| w.file), 1);
    assert_eq!(hours(&simulation, |w| w.disk), 24);
    let of_bucket = &last.targets[0];
    // A full at the beginning and one every 30 days, two of which stay with what followed.
    assert_eq!(of_bucket.longest_chain, 30);
    let fulls = simulation.events.iter().filter(|event| event.what.starts_with("a full")).count();
    assert_eq!(fulls, 13, "{:?}", simulation.events);
    // Two fulls of about half of 270 GiB, and up to 60 incrementals of half a GiB.
    assert!((250..=310).contains(&(of_bucket.stored.get() >> 30)), "{}", of_bucket.stored);
}

#[test]
fn nights_off_cost_nothing_that_was_not_worked_on() {
    let off = Failure::Off(OffHours { from: time(23, 0, 0, 0), until: time(7, 0, 0, 0) });
    let simulation = simulate(&scenario(3, vec![off]));
    // Up to an hour of work; the send that was due at two comes when it is switched on.
    assert_eq!(hours(&simulation, |w| w.file), 1);
    assert_eq!(hours(&simulation, |w| w.disk), 24);
    let by_hand: i64 = 16 * 90 / 24;
    assert!((simulation.months[2].data.get() >> 30).abs_diff(100 + u64::try_from(by_hand / 2).unwrap()) <= 1);
}

#[test]
fn a_target_that_is_away_costs_as_long_as_it_is_and_no_full() {
    let away = |days: i64| {
        let from = at("2026-02-10T00:00:00Z");
        let until = from.checked_add(SignedDuration::from_hours(24 * days)).unwrap();
        let mut scenario = scenario(6, vec![Failure::Away { target: "bucket".parse().unwrap(), from, until }]);
        scenario.targets[0].full_every_days = None;
        // What is taken is gone after two days, but for what the bucket is waited for with.
        scenario.subvolumes[0].keep.as_mut().unwrap().periods = [48, 0, 0, 0, 0, 0];
        simulate(&scenario)
    };
    let fulls = |simulation: &Simulation| simulation.events.iter().filter(|e| e.what.starts_with("a full")).count();
    let three_weeks = away(21);
    assert_eq!(hours(&three_weeks, |w| w.disk), 22 * 24 - 2);
    assert_eq!(fulls(&three_weeks), 1);
    // Longer than what was sent last is kept for it: another full, and it is told.
    let two_months = away(60);
    assert_eq!(fulls(&two_months), 2);
    assert!(two_months.events.iter().any(|event| event.what.contains("its parent is gone")), "{:?}", two_months.events);
}

#[test]
fn a_clock_that_is_wrong_for_a_while_loses_nothing() {
    for by in [SignedDuration::from_hours(24 * 700), SignedDuration::from_hours(-24 * 700)] {
        let wrong = Failure::WrongClock { by, from: at("2026-02-01T10:20:00Z"), until: at("2026-02-02T11:40:00Z") };
        let simulation = simulate(&scenario(3, vec![wrong]));
        assert!(hours(&simulation, |w| w.file) <= 2, "{:?}", simulation.worst);
        assert!(hours(&simulation, |w| w.disk) <= 49, "{:?}", simulation.worst);
        assert!(simulation.months[2].snapshots[0].1 >= 168, "{:?}", simulation.months[2].snapshots);
    }
}

/// What is promised is kept: no profile's schedule loses more than it says while nothing fails.
#[test]
fn no_schedule_loses_more_than_it_promises() {
    for profile in Profile::ALL {
        for tier in [Tier::Critical, Tier::Important, Tier::Standard] {
            let promised = promise(tier, profile).unwrap();
            let mut scenario = scenario(9, Vec::new());
            let zone = TimeZone::get("Europe/Berlin").unwrap();
            scenario.from = at("2026-02-20T12:34:00Z");
            let start = sending::start("host", profile, &WallClock::new(zone.clone(), 2026)).value;
            scenario.subvolumes = vec![subvolume("data", tier, profile, &zone)];
            scenario.zone = zone;
            scenario.subvolumes[0].sends[0].1 = calendar(&sending::calendar(sending::Frequency::Daily, start).unwrap());
            let simulation = simulate(&scenario);
            let lost = simulation.worst[0].file.unwrap();
            assert!(lost <= promised.lose_at_most, "{tier} on {profile}: {lost:?}");
        }
    }
}
