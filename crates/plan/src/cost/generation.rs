//! One generation of one subvolume in time: a full, and incrementals until the next one.

use subvault_model::bytesize::ByteSize;

use super::holdings::{Cadence, HeldStream, Stored, Subject};

/// Hours in a day.
const DAY: i64 = 24;

/// A generation. Hours are counted from the moment of the forecast.
pub(super) struct Span<'a> {
    /// What of it is stored already, the full first.
    held: &'a [HeldStream],
    /// When its full is sent, for one that is not stored yet.
    full: Option<i64>,
    /// From when on it is added to.
    adds_from: i64,
    /// When the next full is sent, or when the forecast ends.
    ends: i64,
}

/// The generations of a subvolume, up to the end of the forecast.
pub(super) fn spans<'a>(subject: &'a Subject, cadence: &Cadence, days: u32) -> Vec<Span<'a>> {
    let (step, end) = (i64::from(cadence.send_every_hours.get()), i64::from(days) * DAY);
    let period = cadence.period_hours().and_then(|hours| i64::try_from(hours).ok());
    // The first time that something is sent at or after a moment.
    let sent = |hour: i64| round_up(hour.max(0), step);
    let held = subject.held.iter().filter(|streams| !streams.is_empty());
    let mut spans: Vec<Span<'a>> =
        held.map(|held| Span { held: held.as_slice(), full: None, adds_from: 0, ends: 0 }).collect();
    let mut next_full = 0;
    if let Some(current) = spans.last_mut() {
        let begun = -i64::from(current.held.first().map_or(0, |full| full.age_days)) * DAY;
        let old_enough = cadence.full_every_days.map(|days| begun + i64::from(days.get()) * DAY);
        next_full = old_enough.map_or(end, sent).min(end);
        current.ends = next_full;
    }
    while next_full < end {
        let ends = period.map_or(end, |period| next_full + period).min(end);
        spans.push(Span { held: &[], full: Some(next_full), adds_from: next_full + step, ends });
        next_full = ends;
    }
    spans
}

/// The first multiple of `step` from an hour on that is not negative.
const fn round_up(hour: i64, step: i64) -> i64 {
    (hour + step - 1) / step * step
}

impl Span<'_> {
    /// The day of its full.
    pub(super) fn first_day(&self) -> i64 {
        let held = self.held.first().map(|full| -i64::from(full.age_days));
        self.full.map(|hour| hour / DAY).or(held).unwrap_or(0)
    }

    /// The day of its last stream.
    pub(super) fn youngest_day(&self, cadence: &Cadence) -> i64 {
        let step = i64::from(cadence.send_every_hours.get());
        let added = (self.adds_from < self.ends).then(|| (self.ends - 1) / step * step / DAY);
        let held = self.held.iter().map(|stream| -i64::from(stream.age_days)).max();
        added.or(held).unwrap_or(0).max(self.first_day())
    }

    /// Adds its streams to what is stored.
    pub(super) fn store(
        &self,
        subject: usize,
        of: &Subject,
        cadence: &Cadence,
        gone: Option<i64>,
        all: &mut Vec<Stored>,
    ) {
        for (index, stream) in self.held.iter().enumerate() {
            let born = -i64::from(stream.age_days);
            all.push(Stored { subject, born, gone, streams: 1, bytes: stream.bytes, full: index == 0 });
        }
        if let Some(hour) = self.full {
            let born = hour / DAY;
            let bytes = of.full_on(u32::try_from(born).unwrap_or(u32::MAX));
            all.push(Stored { subject, born, gone, streams: 1, bytes, full: true });
        }
        let bytes = of.incremental(cadence);
        self.each_day(i64::from(cadence.send_every_hours.get()), |born, streams| {
            all.push(Stored { subject, born, gone, streams, bytes, full: false });
        });
    }

    /// Tells the days on which incrementals are sent, and how many.
    fn each_day(&self, step: i64, mut tell: impl FnMut(i64, u32)) {
        let mut hour = self.adds_from;
        while hour < self.ends {
            let day_ends = ((hour / DAY + 1) * DAY).min(self.ends);
            let count = (day_ends - hour - 1) / step + 1;
            tell(hour / DAY, u32::try_from(count).unwrap_or(u32::MAX));
            hour += count * step;
        }
    }
}

/// What one subvolume has in the store just before its next full, when a restore takes the most: the full, and how many
/// incrementals of which size.
pub(super) fn longest_chain(subject: &Subject, cadence: &Cadence, never_days: u32) -> (ByteSize, u64, ByteSize) {
    let step = u64::from(cadence.send_every_hours.get());
    let period = cadence.period_hours().unwrap_or(u64::from(never_days) * 24);
    (subject.full, (period / step).saturating_sub(1), subject.incremental(cadence))
}
