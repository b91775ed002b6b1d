//! A target with its chains in a simulation.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use subvault_model::bytesize::ByteSize;
use subvault_model::names::SubvolumeName;

use super::clock::{Moment, is_away};
use super::series::{Series, Taken};
use super::{Event, Scenario, SimulatedTarget, TargetMonth};
use crate::due::{Due, due};

/// For how long what was sent last stays on the pool for a target that cannot be reached (decision 015).
const PIN: SignedDuration = SignedDuration::from_hours(40 * 24);

/// A stream.
struct Stored {
    sent: Timestamp,
    bytes: u64,
}

/// The chains of a subvolume, the oldest first, and the snapshot that was sent last.
#[derive(Default)]
struct Chains {
    chains: Vec<Vec<Stored>>,
    tip: Option<Taken>,
    next: Option<Timestamp>,
}

/// A target.
pub(super) struct Store<'a> {
    facts: &'a SimulatedTarget,
    scenario: &'a Scenario,
    subvolumes: BTreeMap<SubvolumeName, Chains>,
    sent: u64,
    is_away: bool,
    seen: Timestamp,
}

impl<'a> Store<'a> {
    pub(super) fn new(facts: &'a SimulatedTarget, scenario: &'a Scenario) -> Self {
        Self { facts, scenario, subvolumes: BTreeMap::new(), sent: 0, is_away: false, seen: scenario.from }
    }

    pub(super) fn is_elsewhere(&self) -> bool {
        self.facts.is_elsewhere
    }

    /// The newest snapshot of a subvolume that is there.
    pub(super) fn newest(&self, name: &SubvolumeName) -> Option<Taken> {
        self.subvolumes.get(name)?.tip
    }

    /// The snapshot that the next stream is relative to, while it is waited for.
    pub(super) fn pinned(&self, name: &SubvolumeName, moment: &Moment) -> Option<u64> {
        let tip = self.subvolumes.get(name)?.tip?;
        (moment.real.duration_since(self.seen) < PIN).then_some(tip.order)
    }

    /// Whether it can be reached now.
    pub(super) fn come_and_go(&mut self, moment: &Moment, scenario: &Scenario, events: &mut Vec<Event>) {
        let is_away = is_away(scenario, &self.facts.name, moment.real);
        if is_away != self.is_away {
            let what = if is_away { "cannot be reached" } else { "can be reached again" };
            events.push(Event { at: moment.real, what: format!("{} {what}", self.facts.name) });
        }
        self.is_away = is_away;
        if !is_away {
            self.seen = moment.real;
        }
    }

    /// What is due is sent.
    pub(super) fn send_if_due(&mut self, series: &mut Series<'_>, moment: &Moment, events: &mut Vec<Event>) {
        let wanted = series.facts().sends.iter().find(|(target, _)| *target == self.facts.name);
        let (Some((_, calendar)), Some(newest), false) = (wanted, series.newest(), self.is_away) else { return };
        let chains = self.subvolumes.entry(series.name().clone()).or_default();
        let is_clock_right = moment.shown == moment.real;
        if chains.next.is_some_and(|next| moment.shown < next) && is_clock_right {
            return;
        }
        let last = chains.tip.map(|tip| tip.shown).filter(|shown| *shown <= moment.shown);
        match due(calendar, last, moment.shown, &self.scenario.zone) {
            Due::Now(_) => {}
            Due::At(at) => {
                // What a wrong clock says is due is asked again at each step.
                chains.next = is_clock_right.then_some(at);
                return;
            }
            Due::Never => return,
        }
        if chains.tip.is_none_or(|tip| tip.order != newest.order) {
            self.send(series, newest, moment, events);
        }
    }

    fn send(&mut self, series: &Series<'_>, newest: Taken, moment: &Moment, events: &mut Vec<Event>) {
        let Some(chains) = self.subvolumes.get_mut(series.name()) else { return };
        let compressed =
            |bytes: u128| u64::try_from(bytes * u128::from(self.facts.compressed_percent) / 100).unwrap_or(u64::MAX);
        let parent = chains.tip.filter(|tip| series.has(tip.order));
        let is_old = chains.chains.last().and_then(|chain| chain.first()).is_some_and(|full| {
            let days = moment.real.duration_since(full.sent).as_hours() / 24;
            self.facts.full_every_days.is_some_and(|every| days >= i64::from(every))
        });
        let bytes = match parent.filter(|_| !is_old) {
            Some(parent) => {
                let bytes = compressed(newest.written - parent.written);
                chains.chains.last_mut().into_iter().for_each(|c| c.push(Stored { sent: moment.real, bytes }));
                bytes
            }
            None => {
                let why = match (chains.tip, is_old) {
                    (None, _) => "the first",
                    (_, true) => "the chain is old enough",
                    (_, false) => "its parent is gone",
                };
                let what = format!("a full of {} to {}: {why}", series.name(), self.facts.name);
                events.push(Event { at: moment.real, what });
                let bytes = compressed(u128::from(series.size().get()));
                chains.chains.push(vec![Stored { sent: moment.real, bytes }]);
                bytes
            }
        };
        let stay = usize::try_from(self.facts.keep_generations.max(1)).unwrap_or(usize::MAX);
        chains.chains.drain(..chains.chains.len().saturating_sub(stay));
        chains.tip = Some(newest);
        chains.next = None;
        self.sent = self.sent.saturating_add(bytes);
    }

    /// How long bringing a subvolume back takes: thawing, and reading its whole chain.
    pub(super) fn time_back(&self, name: &SubvolumeName) -> SignedDuration {
        let chain = self.subvolumes.get(name).and_then(|chains| chains.chains.last());
        let bytes: u64 = chain.into_iter().flatten().map(|stored| stored.bytes).sum();
        let seconds = bytes / self.facts.restore_per_second.get().max(1);
        self.facts.thaw.saturating_add(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)))
    }

    /// What it has; and what was sent counts from zero again.
    pub(super) fn end_month(&mut self) -> TargetMonth {
        let chains = || self.subvolumes.values().flat_map(|subvolume| &subvolume.chains);
        let stored = chains().flatten().map(|stored| ByteSize::bytes(stored.bytes)).sum();
        TargetMonth {
            name: self.facts.name.clone(),
            stored,
            streams: chains().map(Vec::len).sum(),
            longest_chain: chains().map(Vec::len).max().unwrap_or(0),
            sent: ByteSize::bytes(std::mem::take(&mut self.sent)),
        }
    }
}
