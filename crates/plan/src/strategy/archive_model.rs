//! A strategy's archive as far as its cost goes: what is sent to one target, in the sizes that the strategy expects. Pure.

use std::num::NonZeroU32;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use subvault_model::bytesize::ByteSize;

use super::{Kept, Strategy, SubvolumeStrategy};
use crate::calendar::Calendar;
use crate::cost::holdings::{Archive, Cadence, Subject};

/// What is left of a stream after compression, in hundredths.
pub(crate) const COMPRESSED_PERCENT: u8 = 60;
/// Of what is written, how many hundredths add to the size of a subvolume; the rest takes the place of something.
pub(crate) const GROWTH_PERCENT: u8 = 50;
/// What streams are sent by where no calendar says it.
const DAILY_HOURS: u32 = 24;

/// The archive that a target gets of these subvolumes; sizes that nobody knows count as nothing.
#[must_use]
pub fn archive<'a>(
    subvolumes: impl Iterator<Item = &'a SubvolumeStrategy>,
    kept: Kept,
    schedule: Option<&str>,
) -> Archive {
    let sent: Vec<&SubvolumeStrategy> = subvolumes.filter(|subvolume| subvolume.sends.value.is_some()).collect();
    let calendars = sent.iter().filter_map(|subvolume| schedule.or(subvolume.sends.value.as_deref()));
    let hours = calendars.filter_map(hours_between).min().unwrap_or(DAILY_HOURS);
    let cadence = Cadence {
        send_every_hours: NonZeroU32::new(hours).unwrap_or(NonZeroU32::MIN),
        full_every_days: kept.full_every_days,
        keep_generations: kept.keep_generations,
        gc_waits_days: kept.minimum_storage_days,
    };
    Archive { subvolumes: sent.into_iter().map(subject).collect(), cadence, chunk: kept.chunk }
}

/// The same for all that is sent at all, kept as is usual for the host: what a first bucket would get.
#[must_use]
pub fn of_everything(strategy: &Strategy, chunk: ByteSize) -> Archive {
    let (days, generations) = strategy.sending.chains.value;
    let kept = Kept {
        full_every_days: NonZeroU32::new(days),
        keep_generations: NonZeroU32::new(generations).unwrap_or(NonZeroU32::MIN),
        minimum_storage_days: 0,
        chunk,
    };
    archive(strategy.subvolumes.iter(), kept, None)
}

fn subject(subvolume: &SubvolumeStrategy) -> Subject {
    let of = |size: ByteSize, percent: u8| {
        let part = u128::from(size.get()) * u128::from(percent) / 100;
        ByteSize::bytes(u64::try_from(part).unwrap_or(u64::MAX))
    };
    let sizes = subvolume.forecast.as_ref().map(|forecast| (forecast.size.value, forecast.change_per_day.value));
    let (size, change) = sizes.unwrap_or_default();
    let change_per_day = of(change, COMPRESSED_PERCENT);
    Subject {
        name: subvolume.name.clone(),
        full: of(size, COMPRESSED_PERCENT),
        change_per_day,
        growth_per_day: of(change_per_day, GROWTH_PERCENT),
        held: Vec::new(),
    }
}

/// How many hours are between two times of a calendar.
fn hours_between(text: &str) -> Option<u32> {
    let calendar = Calendar::parse(text, &|name| TimeZone::get(name).ok()).ok()?;
    let first = calendar.next(Timestamp::UNIX_EPOCH, &TimeZone::UTC)?;
    let second = calendar.next(first, &TimeZone::UTC)?;
    let between: SignedDuration = second.duration_since(first);
    u32::try_from(between.as_hours()).ok().map(|hours| hours.max(1))
}
