//! What is counted on each day, for what an archive holds.
//!
//! One pass over the streams and one over the days, whatever the number of objects. What depends on the storage class is
//! its minimum size and time; the rest is the same everywhere.

use super::holdings::{Holdings, Stored};
use super::objects::{KEYS_LISTED, POINTER_BYTES, StreamObjects};
use super::price::ClassPrices;
use super::tariff::Tariff;
use super::usage::{Held, Requests, Usage};

/// What is there on a day.
#[derive(Debug, Clone, Copy, Default)]
struct There {
    bytes: i128,
    padding: i128,
    objects: i128,
}

/// What is there on a day of one subvolume, for what its runs read.
#[derive(Debug, Clone, Copy, Default)]
struct Series {
    streams: i128,
    objects: i128,
    manifest_bytes: i128,
}

/// What begins, ends and is asked for on a day.
#[derive(Debug, Clone, Default)]
struct Events {
    bulk: There,
    metadata: There,
    series: Vec<(usize, Series)>,
    /// The streams that are sent, with the subvolume that they are of.
    sent: Vec<(usize, u64)>,
    usage: Usage,
}

/// What is counted on each of the days.
#[must_use]
pub fn daily(holdings: &Holdings, tariff: &Tariff<'_>) -> Vec<Usage> {
    let mut events = vec![Events::default(); usize::try_from(holdings.days).unwrap_or_default()];
    for stored in &holdings.stored {
        note(&mut events, stored, holdings, tariff);
    }
    let mut series = vec![Series::default(); holdings.alike.len()];
    let pointers = holdings.alike.iter().copied().map(i128::from).sum::<i128>();
    let small = tariff.metadata.minimum_object.get().saturating_sub(POINTER_BYTES);
    let mut metadata =
        There { bytes: pointers * i128::from(POINTER_BYTES), padding: pointers * i128::from(small), objects: pointers };
    let mut bulk = There::default();
    let mut days = Vec::with_capacity(events.len());
    for day in events {
        bulk.add(day.bulk, 1);
        metadata.add(day.metadata, 1);
        let mut usage = day.usage;
        for (subject, sent) in day.sent {
            let runs = sent * u64::from(alike(holdings, subject));
            look(&mut usage, series.get(subject).copied().unwrap_or_default(), runs);
        }
        for (subject, change) in day.series {
            if let Some(own) = series.get_mut(subject) {
                own.add(change);
            }
        }
        usage.days = 1;
        bulk.keep(&mut usage.bulk);
        metadata.keep(&mut usage.metadata);
        days.push(usage);
    }
    days
}

/// Notes when streams come and go, and what that takes.
fn note(events: &mut [Events], stored: &Stored, holdings: &Holdings, tariff: &Tariff<'_>) {
    let chunk = holdings.chunk;
    let objects = StreamObjects::of(stored.bytes, chunk);
    let alike = alike(holdings, stored.subject);
    let (own, count) = (i128::from(stored.streams), i128::from(stored.streams) * i128::from(alike));
    let bulk = There {
        bytes: i128::from(objects.bytes) * count,
        padding: i128::from(objects.padding(tariff.bulk.minimum_object, chunk)) * count,
        objects: i128::from(objects.chunks) * count,
    };
    let small = tariff.metadata.minimum_object.get().saturating_sub(objects.manifest);
    let metadata =
        There { bytes: i128::from(objects.manifest) * count, padding: i128::from(small) * count, objects: count };
    let series = Series {
        streams: own,
        objects: i128::from(objects.chunks) * own + own,
        manifest_bytes: i128::from(objects.manifest) * own,
    };
    if let Some(day) = at(events, stored.born.max(0)) {
        day.bulk.add(bulk, 1);
        day.metadata.add(metadata, 1);
        day.series.push((stored.subject, series));
        if stored.born >= 0 {
            send(&mut day.usage, &objects, u64::from(stored.streams) * u64::from(alike));
            day.sent.push((stored.subject, u64::from(stored.streams)));
        }
    }
    if let Some(gone) = stored.gone
        && let Some(day) = at(events, gone)
    {
        day.bulk.add(bulk, -1);
        day.metadata.add(metadata, -1);
        day.series.push((stored.subject, series.negative()));
        let age = u32::try_from(gone - stored.born).unwrap_or(u32::MAX);
        bulk.leave(tariff.bulk, age, &mut day.usage.bulk);
        metadata.leave(tariff.metadata, age, &mut day.usage.metadata);
    }
}

/// How many subvolumes one stands for.
fn alike(holdings: &Holdings, subject: usize) -> u32 {
    holdings.alike.get(subject).copied().unwrap_or(1)
}

fn at(events: &mut [Events], day: i64) -> Option<&mut Events> {
    events.get_mut(usize::try_from(day).ok()?)
}

/// What storing streams takes: chunks whole or in parts, each looked at once it is complete; manifest and pointer.
fn send(usage: &mut Usage, objects: &StreamObjects, streams: u64) {
    let in_parts = objects.parts > 0;
    let begun = if in_parts { objects.chunks } else { 0 };
    usage.bulk_requests += Requests {
        puts: objects.chunks * streams,
        parts: (objects.parts + begun) * streams,
        lists: 0,
        gets: begun * streams,
    };
    usage.metadata_requests += Requests { puts: 2 * streams, ..Requests::default() };
    usage.uploaded += u128::from(objects.bytes) * u128::from(streams);
}

/// What looking at a series takes before something is sent: its keys are listed, and its manifests and its pointer read.
fn look(usage: &mut Usage, series: Series, runs: u64) {
    let count = |number: i128| u64::try_from(number).unwrap_or_default();
    let keys = count(series.objects).saturating_add(1);
    usage.metadata_requests += Requests {
        lists: keys.div_ceil(KEYS_LISTED).saturating_mul(runs),
        gets: count(series.streams).saturating_add(1).saturating_mul(runs),
        ..Requests::default()
    };
    let read = u128::from(count(series.manifest_bytes)) + u128::from(POINTER_BYTES);
    usage.read += read * u128::from(runs);
}

impl There {
    fn add(&mut self, other: Self, sign: i128) {
        self.bytes += other.bytes * sign;
        self.padding += other.padding * sign;
        self.objects += other.objects * sign;
    }

    /// One day of what is there.
    fn keep(self, held: &mut Held) {
        held.byte_days = u128::try_from(self.bytes).unwrap_or_default();
        held.padding_byte_days = u128::try_from(self.padding).unwrap_or_default();
        held.object_days = u128::try_from(self.objects).unwrap_or_default();
    }

    /// What is still paid for it when it is deleted at this age.
    fn leave(self, class: &ClassPrices, age: u32, held: &mut Held) {
        let left = u128::from(class.minimum_days.saturating_sub(age));
        if left == 0 {
            return;
        }
        let number = |value: i128| u128::try_from(value).unwrap_or_default();
        held.early_bytes += number(self.bytes);
        held.early_byte_days += number(self.bytes + self.padding) * left;
        held.early_object_days += number(self.objects) * left;
    }
}

impl Series {
    fn add(&mut self, other: Self) {
        self.streams += other.streams;
        self.objects += other.objects;
        self.manifest_bytes += other.manifest_bytes;
    }

    fn negative(self) -> Self {
        Self { streams: -self.streams, objects: -self.objects, manifest_bytes: -self.manifest_bytes }
    }
}
