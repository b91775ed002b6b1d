//! From a strategy to what is lived through: its calendars, its rules, and the sizes that it expects.

use std::num::NonZeroU32;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use subvault_model::bytesize::ByteSize;

use super::clock::{Failure, OffHours};
use super::{Scenario, SimulatedSubvolume, SimulatedTarget};
use crate::calendar::Calendar;
use crate::strategy::archive_model::{COMPRESSED_PERCENT, GROWTH_PERCENT};
use crate::strategy::profile::Family;
use crate::strategy::{Strategy, SubvolumeStrategy, TargetKind, TargetStrategy};

/// What a strategy leads to from a moment on, without failures.
#[must_use]
pub fn of_strategy(strategy: &Strategy, from: Timestamp, months: u32, zone: &TimeZone) -> Scenario {
    let subvolumes = strategy.subvolumes.iter().map(|subvolume| simulated(subvolume, strategy)).collect();
    let targets = strategy.targets.iter().map(of_target).collect();
    Scenario { from, months, zone: zone.clone(), subvolumes, targets, failures: Vec::new() }
}

/// What usually goes wrong: nights off where the host is no server, each target away for three weeks, one after the other, and a
/// day on which the clock is an hour ahead.
#[must_use]
pub fn usual_failures(strategy: &Strategy, from: Timestamp) -> Vec<Failure> {
    let day = |days: i64| from.checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
    let mut failures = Vec::new();
    if matches!(strategy.profile.value.family(), Family::Laptop | Family::Desktop) {
        let time = |hour| jiff::civil::Time::constant(hour, 0, 0, 0);
        failures.push(Failure::Off(OffHours { from: time(23), until: time(7) }));
    }
    let mut begin = 45;
    for target in &strategy.targets {
        failures.push(Failure::Away { target: target.name.clone(), from: day(begin), until: day(begin + 21) });
        begin += 30;
    }
    failures.push(Failure::WrongClock { by: SignedDuration::from_hours(1), from: day(20), until: day(21) });
    failures
}

fn simulated(subvolume: &SubvolumeStrategy, strategy: &Strategy) -> SimulatedSubvolume {
    let (size, change_per_day) = subvolume
        .forecast
        .as_ref()
        .map_or((ByteSize::ZERO, ByteSize::ZERO), |forecast| (forecast.size.value, forecast.change_per_day.value));
    let sent_to = strategy.targets.iter().filter(|target| target.subvolumes.contains(&subvolume.name));
    let sends = sent_to.filter_map(|target| Some((target.name.clone(), when(subvolume, target)?))).collect();
    SimulatedSubvolume {
        name: subvolume.name.clone(),
        schedule: subvolume.snapshots.value.as_deref().and_then(calendar),
        keep: subvolume.keep.as_ref().map(|keep| keep.value.clone()),
        size,
        change_per_day,
        growth_percent: GROWTH_PERCENT,
        sends,
    }
}

/// When a subvolume is sent to a target: as that says, or as is decided for it.
fn when(subvolume: &SubvolumeStrategy, target: &TargetStrategy) -> Option<Calendar> {
    let of_subvolume = || subvolume.sends.value.clone();
    target.schedule.clone().unwrap_or_else(of_subvolume).as_deref().and_then(calendar)
}

fn calendar(text: &str) -> Option<Calendar> {
    Calendar::parse(text, &|name| TimeZone::get(name).ok()).ok()
}

fn of_target(target: &TargetStrategy) -> SimulatedTarget {
    let is_archive = matches!(target.kind, TargetKind::Directory | TargetKind::Bucket { .. });
    SimulatedTarget {
        name: target.name.clone(),
        full_every_days: target.kept.full_every_days.filter(|_| is_archive).map(NonZeroU32::get),
        keep_generations: target.kept.keep_generations.get(),
        gc_waits_days: target.kept.minimum_storage_days,
        compressed_percent: if is_archive { COMPRESSED_PERCENT } else { 100 },
        restore_per_second: match target.kind {
            TargetKind::Directory | TargetKind::Disk => ByteSize::mib(100),
            TargetKind::Host | TargetKind::Bucket { .. } => ByteSize::mib(10),
        },
        thaw: thaw(&target.kind),
        is_elsewhere: matches!(target.kind, TargetKind::Host | TargetKind::Bucket { .. }),
    }
}

/// How long it takes until an object of a storage class can be read, asked for in the usual way.
fn thaw(kind: &TargetKind) -> SignedDuration {
    match kind {
        TargetKind::Bucket { class: Some(class), .. } if class == "DEEP_ARCHIVE" => SignedDuration::from_hours(12),
        TargetKind::Bucket { class: Some(class), .. } if class == "GLACIER" => SignedDuration::from_hours(5),
        _ => SignedDuration::ZERO,
    }
}
