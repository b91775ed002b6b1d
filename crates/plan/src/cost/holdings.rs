//! What an archive of ours holds over time: which streams are stored, from which day to which.
//!
//! Days are counted from the moment of the forecast, which is day 0. A full is sent when the last one has reached its age,
//! incrementals in between. A generation goes on the day on which enough newer ones are there and its youngest stream has
//! been kept for as long as `gc` waits. The model knows neither prices nor providers.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use subvault_model::bytesize::ByteSize;
use subvault_model::names::SubvolumeName;

use super::generation::{self, Span};

/// An archive as far as its cost goes: one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Archive {
    /// Its subvolumes.
    pub subvolumes: Vec<Subject>,
    /// How it is filled and emptied.
    pub cadence: Cadence,
    /// The largest object.
    pub chunk: ByteSize,
}

/// A subvolume of it. Sizes are what is stored: compressed and encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// Its name.
    pub name: SubvolumeName,
    /// What a full has today.
    pub full: ByteSize,
    /// What incrementals have for each day.
    pub change_per_day: ByteSize,
    /// By how much a full grows in a day.
    pub growth_per_day: ByteSize,
    /// What is stored already, the oldest generation first. Of each generation the full comes first.
    pub held: Vec<Vec<HeldStream>>,
}

/// A stream that is stored already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct HeldStream {
    /// How many days ago it was stored.
    pub age_days: u32,
    /// Its chunks.
    pub bytes: ByteSize,
}

/// How an archive is filled and emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cadence {
    /// Every so many hours there is a stream of each subvolume.
    pub send_every_hours: NonZeroU32,
    /// It is a full when the last one is this old; `None`: only the first one is.
    pub full_every_days: Option<NonZeroU32>,
    /// How many generations stay.
    pub keep_generations: NonZeroU32,
    /// For how many days the youngest stream of a generation must have been kept before the generation is deleted: the
    /// `minimum_storage_days` of the target.
    pub gc_waits_days: u32,
}

/// Streams of the same size that are stored on the same day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stored {
    /// Of which subvolume: its place in the archive.
    pub subject: usize,
    /// The day; before 0 it is there from the beginning.
    pub born: i64,
    /// The day on which it is deleted, from which on it is not there; `None`: later than was looked.
    pub gone: Option<i64>,
    /// How many streams.
    pub streams: u32,
    /// What each has.
    pub bytes: ByteSize,
    /// Whether they are fulls.
    pub full: bool,
}

/// What is stored over a number of days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holdings {
    /// How many days were looked at.
    pub days: u32,
    /// The subvolumes: how many there are that are each like this one, itself included.
    pub alike: Vec<u32>,
    /// The largest object.
    pub chunk: ByteSize,
    /// The streams, by subvolume and time.
    pub stored: Vec<Stored>,
}

impl Cadence {
    /// From full to full in hours: fulls are sent when something is sent. `None`: there is no other full.
    #[must_use]
    pub fn period_hours(&self) -> Option<u64> {
        let send = u64::from(self.send_every_hours.get());
        Some((u64::from(self.full_every_days?.get()) * 24).next_multiple_of(send))
    }

    /// The same in days, rounded up.
    #[must_use]
    pub fn period_days(&self) -> Option<u32> {
        u32::try_from(self.period_hours()?.div_ceil(24)).ok()
    }
}

impl Subject {
    /// What a full has on a day.
    #[must_use]
    pub fn full_on(&self, day: u32) -> ByteSize {
        let grown = self.growth_per_day.get().saturating_mul(u64::from(day));
        self.full + ByteSize::bytes(grown)
    }

    /// What an incremental has.
    #[must_use]
    pub fn incremental(&self, cadence: &Cadence) -> ByteSize {
        let hours = u128::from(cadence.send_every_hours.get());
        super::usage::size(u128::from(self.change_per_day.get()) * hours / 24)
    }
}

impl Archive {
    /// What is stored over the next `days` days.
    #[must_use]
    pub fn simulate(&self, days: u32) -> Holdings {
        let mut stored = Vec::new();
        for (place, subject) in self.subvolumes.iter().enumerate() {
            let spans = generation::spans(subject, &self.cadence, days);
            for (index, span) in spans.iter().enumerate() {
                let gone = self.gone(&spans, index).filter(|gone| *gone < i64::from(days));
                span.store(place, subject, &self.cadence, gone, &mut stored);
            }
        }
        Holdings { days, alike: vec![1; self.subvolumes.len()], chunk: self.chunk, stored }
    }

    /// One subvolume for all that are alike and of which nothing is stored, and how many each stands for: what each of them
    /// costs is the same.
    pub(super) fn merged(&self) -> (Self, Vec<u32>) {
        let mut seen: BTreeMap<(ByteSize, ByteSize, ByteSize), usize> = BTreeMap::new();
        let (mut subvolumes, mut alike) = (Vec::new(), Vec::new());
        for subject in &self.subvolumes {
            let sizes = (subject.full, subject.change_per_day, subject.growth_per_day);
            match seen.get(&sizes).filter(|_| subject.held.is_empty()) {
                Some(place) => alike[*place] += 1,
                None => {
                    if subject.held.is_empty() {
                        seen.insert(sizes, subvolumes.len());
                    }
                    subvolumes.push(subject.clone());
                    alike.push(1);
                }
            }
        }
        (Self { subvolumes, cadence: self.cadence, chunk: self.chunk }, alike)
    }

    /// The day on which a generation is deleted.
    fn gone(&self, spans: &[Span<'_>], index: usize) -> Option<i64> {
        let keep = usize::try_from(self.cadence.keep_generations.get()).ok()?;
        let newer = spans.get(index.checked_add(keep)?)?;
        let paid = spans[index].youngest_day(&self.cadence) + i64::from(self.cadence.gc_waits_days);
        Some(newer.first_day().max(paid).max(0))
    }

    /// The same archive, with the sizes that it will have on a day, nothing stored, and no growth any more.
    #[must_use]
    pub fn settled(&self, day: u32, cadence: Cadence) -> Self {
        let settle = |subject: &Subject| Subject {
            name: subject.name.clone(),
            full: subject.full_on(day),
            growth_per_day: ByteSize::ZERO,
            held: Vec::new(),
            change_per_day: subject.change_per_day,
        };
        Self { subvolumes: self.subvolumes.iter().map(settle).collect(), cadence, chunk: self.chunk }
    }
}
