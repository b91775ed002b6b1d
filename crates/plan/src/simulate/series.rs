//! A subvolume with its snapshots in a simulation.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use subvault_model::bytesize::ByteSize;
use subvault_model::names::SubvolumeName;

use super::clock::Moment;
use super::retention::Retention;
use super::store::Store;
use super::{SimulatedSubvolume, Worst};
use crate::due::{Due, due};

/// Retention is looked at once a day: what goes in between is gone then as well, and nothing that goes once would stay later.
const PRUNE_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// A snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    /// What the clock showed.
    pub(super) shown: Timestamp,
    /// When it was.
    pub(super) real: Timestamp,
    /// How much had been written until then, since the beginning.
    pub(super) written: u128,
    /// A number that is higher for those that were taken later.
    pub(super) order: u64,
}

/// A subvolume.
pub(super) struct Series<'a> {
    /// Which it is in the scenario.
    place: usize,
    facts: &'a SimulatedSubvolume,
    zone: &'a TimeZone,
    /// How many bytes have been written since the beginning.
    written: u128,
    kept: Vec<Taken>,
    /// Whether what the clock showed never went back from one to the next.
    is_in_order: bool,
    order: u64,
    next: Timestamp,
    /// For how long the host was on since the last snapshot.
    unsaved: SignedDuration,
    pruned: Timestamp,
    worst: Worst,
}

const DAY: u128 = 24 * 60 * 60;

impl<'a> Series<'a> {
    pub(super) fn new(place: usize, facts: &'a SimulatedSubvolume, zone: &'a TimeZone, from: Timestamp) -> Self {
        let worst = Worst { subvolume: facts.name.clone(), file: None, disk: None, back: None };
        Self {
            place,
            facts,
            zone,
            written: 0,
            kept: Vec::new(),
            is_in_order: true,
            order: 0,
            next: from,
            unsaved: SignedDuration::ZERO,
            pruned: from,
            worst,
        }
    }

    pub(super) fn name(&self) -> &SubvolumeName {
        &self.facts.name
    }

    pub(super) fn place(&self) -> usize {
        self.place
    }

    pub(super) fn snapshots(&self) -> usize {
        self.kept.len()
    }

    /// The newest snapshot there is to send. Where none are taken, what is sent is what another program takes: one of now.
    pub(super) fn newest(&self, moment: &Moment) -> Option<Taken> {
        if self.facts.schedule.is_some() {
            return self.kept.last().copied();
        }
        let order = u64::try_from(moment.real.as_second()).unwrap_or_default();
        Some(Taken { shown: moment.shown, real: moment.real, written: self.written, order })
    }

    /// Whether a snapshot is still there; other programs keep what the next stream is relative to.
    pub(super) fn has(&self, order: u64) -> bool {
        // Mostly it is among the last.
        self.facts.schedule.is_none() || self.kept.iter().rev().any(|taken| taken.order == order)
    }

    /// When the next snapshot is due, if that is still to come.
    pub(super) fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        (self.facts.schedule.is_some() && self.next > now).then_some(self.next)
    }

    /// How large it is.
    pub(super) fn size(&self) -> ByteSize {
        let grown = self.written * u128::from(self.facts.growth_percent) / 100;
        ByteSize::bytes(self.facts.size.get().saturating_add(u64::try_from(grown).unwrap_or(u64::MAX)))
    }

    /// How much room its snapshots take: what was replaced since the oldest of them.
    pub(super) fn room(&self) -> ByteSize {
        let Some(oldest) = self.kept.iter().map(|taken| taken.written).min() else { return ByteSize::ZERO };
        let replaced = (self.written - oldest) * u128::from(100 - self.facts.growth_percent.min(100)) / 100;
        ByteSize::bytes(u64::try_from(replaced).unwrap_or(u64::MAX))
    }

    /// Work is done on it.
    pub(super) fn work(&mut self, moment: &Moment) {
        let seconds = u128::try_from(moment.passed.as_secs()).unwrap_or_default();
        self.written += u128::from(self.facts.change_per_day.get()) * seconds / DAY;
        self.unsaved += moment.passed;
        let worst = self.worst.file.unwrap_or_default();
        self.worst.file = (self.facts.schedule.is_some() && self.order > 0).then_some(worst.max(self.unsaved));
    }

    /// A snapshot is taken when the clock says so.
    pub(super) fn take_if_due(&mut self, moment: &Moment) {
        let Some(calendar) = &self.facts.schedule else { return };
        if moment.shown < self.next && moment.shown == moment.real {
            return;
        }
        let last = self.last_taken(moment);
        match due(calendar, last, moment.shown, self.zone) {
            Due::Now(_) => self.take(moment, calendar),
            Due::At(at) => self.next = at,
            Due::Never => self.next = Timestamp::MAX,
        }
    }

    /// When the newest snapshot was taken by the clock, but for those that it dates in the future.
    fn last_taken(&self, moment: &Moment) -> Option<Timestamp> {
        let mut past = self.kept.iter().rev().map(|taken| taken.shown).filter(|shown| *shown <= moment.shown);
        // While the clock was right they are in order, and all need not be looked at.
        if self.is_in_order { past.next() } else { past.max() }
    }

    fn take(&mut self, moment: &Moment, calendar: &crate::calendar::Calendar) {
        self.order += 1;
        let taken = Taken { shown: moment.shown, real: moment.real, written: self.written, order: self.order };
        self.is_in_order &= self.kept.last().is_none_or(|last| last.shown <= taken.shown);
        self.kept.push(taken);
        self.unsaved = SignedDuration::ZERO;
        let is_clock_right = moment.shown == moment.real;
        let next = || calendar.next(moment.shown, self.zone).unwrap_or(Timestamp::MAX);
        // What a wrong clock says is due is asked again at each step.
        self.next = if is_clock_right { next() } else { Timestamp::MIN };
    }

    /// What retention does not keep goes, but for what a target still needs.
    pub(super) fn prune_if_due(&mut self, moment: &Moment, stores: &[Store<'_>], retention: &mut Retention<'a>) {
        let Some(keep) = &self.facts.keep else { return };
        if moment.real.duration_since(self.pruned) < PRUNE_EVERY {
            return;
        }
        self.pruned = moment.real;
        let mut kept = retention.kept(keep, &self.kept).iter();
        let pinned: BTreeSet<u64> = stores.iter().filter_map(|store| store.pinned(self.place, moment)).collect();
        self.kept.retain(|taken| kept.next().is_some_and(|kept| *kept) || pinned.contains(&taken.order));
        self.is_in_order = self.kept.is_sorted_by_key(|taken| taken.shown);
    }

    /// What it would cost if its disk died now.
    pub(super) fn note_worst(&mut self, moment: &Moment, stores: &[Store<'_>]) {
        let elsewhere = stores.iter().filter(|store| store.is_elsewhere());
        let newest = elsewhere.filter_map(|store| store.newest(self.place).map(|taken| (taken, store)));
        if let Some((taken, store)) = newest.max_by_key(|(taken, _)| taken.real) {
            let lost = moment.real.duration_since(taken.real);
            self.worst.disk = Some(self.worst.disk.unwrap_or_default().max(lost));
            let back = store.time_back(self.place);
            self.worst.back = Some(self.worst.back.unwrap_or_default().max(back));
        }
    }

    pub(super) fn worst(&self) -> Worst {
        self.worst.clone()
    }
}
