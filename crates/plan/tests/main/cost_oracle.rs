//! What an archive holds, against a simulation that goes from hour to hour and looks at each stream by itself.

use proptest::prelude::*;
use subvault_model::bytesize::ByteSize;
use subvault_plan::cost::daily;
use subvault_plan::cost::holdings::{Archive, Cadence, HeldStream, Subject};
use subvault_plan::cost::usage::Usage;

use crate::cost_host::{cadence, subject, tables, tariff};

/// A stream that is stored.
#[derive(Debug, Clone, Copy)]
struct Stream {
    generation: usize,
    born: i64,
    bytes: u64,
}

/// What is counted on a day.
#[derive(Debug, Default, PartialEq, Eq)]
struct Day {
    bytes: u128,
    chunks: u128,
    manifests: u128,
    sent: u128,
    early_bytes: u128,
    early_byte_days: u128,
}

struct World<'a> {
    subject: &'a Subject,
    cadence: &'a Cadence,
    chunk: u64,
    minimum_days: i64,
    streams: Vec<Stream>,
    last_full: Option<i64>,
    generations: usize,
}

impl<'a> World<'a> {
    fn new(subject: &'a Subject, archive: &'a Archive, minimum_days: u32) -> Self {
        let mut streams = Vec::new();
        for (generation, held) in subject.held.iter().enumerate() {
            streams.extend(held.iter().map(|stream| Stream {
                generation,
                born: -i64::from(stream.age_days),
                bytes: stream.bytes.get(),
            }));
        }
        let last_full = subject.held.last().map(|held| -i64::from(held[0].age_days) * 24);
        let generations = subject.held.len();
        let (cadence, chunk) = (&archive.cadence, archive.chunk.get());
        Self { subject, cadence, chunk, minimum_days: minimum_days.into(), streams, last_full, generations }
    }

    fn send(&mut self, hour: i64) -> u64 {
        let due = match (self.last_full, self.cadence.full_every_days) {
            (None, _) => true,
            (Some(last), Some(days)) => hour - last >= i64::from(days.get()) * 24,
            (Some(_), None) => false,
        };
        let bytes = if due {
            self.generations += 1;
            self.last_full = Some(hour);
            self.subject.full.get() + self.subject.growth_per_day.get() * u64::try_from(hour / 24).unwrap()
        } else {
            self.subject.change_per_day.get() * u64::from(self.cadence.send_every_hours.get()) / 24
        };
        self.streams.push(Stream { generation: self.generations - 1, born: hour / 24, bytes });
        bytes
    }

    /// Deletes what may go today.
    fn collect(&mut self, today: i64, day: &mut Day) {
        for generation in 0..self.generations {
            let newer = self.generations - 1 - generation;
            let own: Vec<Stream> = self.streams.iter().filter(|s| s.generation == generation).copied().collect();
            let Some(youngest) = own.iter().map(|stream| stream.born).max() else { continue };
            let paid = youngest + i64::from(self.cadence.gc_waits_days);
            if newer < usize::try_from(self.cadence.keep_generations.get()).unwrap() || paid > today {
                continue;
            }
            self.streams.retain(|stream| stream.generation != generation);
            for stream in own {
                let left = u128::try_from((self.minimum_days - (today - stream.born)).max(0)).unwrap();
                if left > 0 {
                    day.early_bytes += u128::from(stream.bytes);
                    day.early_byte_days += u128::from(stream.bytes) * left;
                }
            }
        }
    }

    fn live(&mut self, days: u32) -> Vec<Day> {
        let mut lived = Vec::new();
        for today in 0..i64::from(days) {
            let mut day = Day::default();
            for hour in today * 24..(today + 1) * 24 {
                if hour % i64::from(self.cadence.send_every_hours.get()) == 0 {
                    day.sent += u128::from(self.send(hour));
                }
            }
            self.collect(today, &mut day);
            for stream in &self.streams {
                day.bytes += u128::from(stream.bytes);
                day.chunks += u128::from(stream.bytes.div_ceil(self.chunk).max(1));
                day.manifests += 1;
            }
            lived.push(day);
        }
        lived
    }
}

/// The same of what the model counts, of which one pointer for each subvolume is no stream.
fn counted(usage: &Usage, subjects: usize) -> Day {
    Day {
        bytes: usage.bulk.byte_days,
        chunks: usage.bulk.object_days,
        manifests: usage.metadata.object_days - u128::try_from(subjects).unwrap(),
        sent: usage.uploaded,
        early_bytes: usage.bulk.early_bytes,
        early_byte_days: usage.bulk.early_byte_days,
    }
}

fn add(mut days: Vec<Day>, other: Vec<Day>) -> Vec<Day> {
    for (day, other) in days.iter_mut().zip(other) {
        day.bytes += other.bytes;
        day.chunks += other.chunks;
        day.manifests += other.manifests;
        day.sent += other.sent;
        day.early_bytes += other.early_bytes;
        day.early_byte_days += other.early_byte_days;
    }
    days
}

/// Streams of earlier generations, each younger than the one before.
fn held() -> impl Strategy<Value = Vec<Vec<HeldStream>>> {
    let stream = (1_u32..40, 1_u64..50 << 20);
    let generation = prop::collection::vec(stream, 1..4);
    prop::collection::vec(generation, 0..3).prop_map(|generations| {
        let total: u32 = generations.iter().flatten().map(|(gap, _)| gap).sum();
        let mut age = total + 1;
        let place = |(gap, bytes): (u32, u64)| {
            age -= gap;
            HeldStream { age_days: age, bytes: ByteSize::bytes(bytes) }
        };
        let mut place = place;
        generations.into_iter().map(|streams| streams.into_iter().map(&mut place).collect()).collect()
    })
}

fn some_subject() -> impl Strategy<Value = Subject> {
    (0_u64..100 << 20, 0_u64..20 << 20, 0_u64..5 << 20, held()).prop_map(|(full, change, growth, held)| {
        let size = ByteSize::bytes;
        Subject { held, ..subject("data", size(full), size(change), size(growth)) }
    })
}

fn some_cadence() -> impl Strategy<Value = Cadence> {
    let sends = prop::sample::select(vec![1_u32, 5, 6, 12, 24, 36, 48, 168, 240]);
    (sends, 0_u32..60, 1_u32..4, 0_u32..50).prop_map(|(sends, full, keep, waits)| cadence(sends, full, keep, waits))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_model_counts_what_a_simulation_by_the_hour_counts(
        subvolumes in prop::collection::vec(some_subject(), 1..3),
        cadence in some_cadence(),
        days in 1_u32..150,
    ) {
        let archive = Archive { subvolumes, cadence, chunk: ByteSize::mib(8) };
        let tables = tables();
        // 90 days at least, and no minimum size.
        let tariff = tariff(&tables, "aws", "GLACIER");
        let live = |subject| World::new(subject, &archive, 90).live(days);
        let expected = archive.subvolumes.iter().map(live).reduce(add).unwrap();
        let subjects = archive.subvolumes.len();
        let found: Vec<Day> = daily(&archive.simulate(days), &tariff).iter().map(|u| counted(u, subjects)).collect();
        prop_assert_eq!(found, expected);
    }
}
