//! A target with its chains in a simulation.

use jiff::{SignedDuration, Timestamp};
use subvault_model::bytesize::ByteSize;

use super::clock::{Moment, is_away};
use super::ledger::Ledger;
use super::series::{Series, Taken};
use super::{Event, Scenario, SimulatedTarget, StoredAt, TargetMonth};
use crate::calendar::Calendar;
use crate::due::{Due, due};

/// For how long what was sent last stays on the pool for a target that cannot be reached (decision 015).
const PIN: SignedDuration = SignedDuration::from_hours(40 * 24);

/// A stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    /// When it was sent.
    pub(super) sent: Timestamp,
    /// What is stored of it.
    pub(super) bytes: ByteSize,
}

/// A full and what continues it.
struct Chain {
    streams: Vec<Stream>,
    /// Of all of them: asked for at each step.
    bytes: u64,
}

/// What is there of a subvolume: the chains, the oldest first, and the snapshot that was sent last.
struct Chains<'a> {
    /// When it is sent there; `None`: never.
    calendar: Option<&'a Calendar>,
    chains: Vec<Chain>,
    tip: Option<Taken>,
    next: Option<Timestamp>,
}

/// A target.
pub(super) struct Store<'a> {
    facts: &'a SimulatedTarget,
    scenario: &'a Scenario,
    /// In the order of the scenario.
    subvolumes: Vec<Chains<'a>>,
    ledger: Ledger,
    sent: u64,
    is_away: bool,
    seen: Timestamp,
}

impl<'a> Store<'a> {
    pub(super) fn new(facts: &'a SimulatedTarget, scenario: &'a Scenario) -> Self {
        let of = |subvolume: &'a super::SimulatedSubvolume| {
            let sends = subvolume.sends.iter().find(|(target, _)| *target == facts.name);
            Chains { calendar: sends.map(|(_, calendar)| calendar), chains: Vec::new(), tip: None, next: None }
        };
        Self {
            facts,
            scenario,
            subvolumes: scenario.subvolumes.iter().map(of).collect(),
            ledger: Ledger::new(scenario.from),
            sent: 0,
            is_away: false,
            seen: scenario.from,
        }
    }

    pub(super) fn is_elsewhere(&self) -> bool {
        self.facts.is_elsewhere
    }

    /// The newest snapshot of a subvolume that is there.
    pub(super) fn newest(&self, place: usize) -> Option<Taken> {
        self.subvolumes[place].tip
    }

    /// The snapshot that the next stream is relative to, while it is waited for.
    pub(super) fn pinned(&self, place: usize, moment: &Moment) -> Option<u64> {
        let tip = self.subvolumes[place].tip?;
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

    /// When the next of what is sent is due, if that is still to come.
    pub(super) fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        self.subvolumes.iter().filter_map(|chains| chains.next).filter(|next| *next > now).min()
    }

    /// What is due is sent.
    pub(super) fn send_if_due(&mut self, series: &Series<'_>, moment: &Moment, events: &mut Vec<Event>) {
        let chains = &mut self.subvolumes[series.place()];
        let (Some(calendar), false) = (chains.calendar, self.is_away) else { return };
        let is_clock_right = moment.shown == moment.real;
        if chains.next.is_some_and(|next| moment.shown < next) && is_clock_right {
            return;
        }
        // What it has already is not sent, due or not.
        let is_there = |newest: &Taken| chains.tip.is_some_and(|tip| tip.order == newest.order);
        let Some(newest) = series.newest(moment).filter(|newest| !is_there(newest)) else { return };
        let last = chains.tip.map(|tip| tip.shown).filter(|shown| *shown <= moment.shown);
        match due(calendar, last, moment.shown, &self.scenario.zone) {
            Due::Now(_) => self.send(series, newest, moment, events),
            Due::At(at) => {
                // What a wrong clock says is due is asked again at each step.
                chains.next = is_clock_right.then_some(at);
            }
            Due::Never => {}
        }
    }

    fn send(&mut self, series: &Series<'_>, newest: Taken, moment: &Moment, events: &mut Vec<Event>) {
        let chains = &mut self.subvolumes[series.place()];
        let is_old = chains.is_old(self.facts, moment);
        let parent = chains.tip.filter(|tip| series.has(tip.order)).filter(|_| !is_old);
        let bytes = parent.map_or(u128::from(series.size().get()), |parent| newest.written - parent.written);
        let bytes = u64::try_from(bytes * u128::from(self.facts.compressed_percent) / 100).unwrap_or(u64::MAX);
        let stream = Stream { sent: moment.real, bytes: ByteSize::bytes(bytes) };
        match chains.chains.last_mut().filter(|_| parent.is_some()) {
            Some(chain) => {
                chain.streams.push(stream);
                chain.bytes = chain.bytes.saturating_add(bytes);
            }
            None => {
                let why = match (chains.tip, is_old) {
                    (None, _) => "the first",
                    (_, true) => "the chain is old enough",
                    (_, false) => "its parent is gone",
                };
                let what = format!("a full of {} to {}: {why}", series.name(), self.facts.name);
                events.push(Event { at: moment.real, what });
                chains.chains.push(Chain { streams: vec![stream], bytes });
            }
        }
        for chain in chains.superfluous(self.facts, moment) {
            self.ledger.enter(series.place(), &chain.streams, Some(moment.real));
        }
        chains.tip = Some(newest);
        chains.next = None;
        self.sent = self.sent.saturating_add(bytes);
    }

    /// How long bringing a subvolume back takes: thawing, and reading its whole chain.
    pub(super) fn time_back(&self, place: usize) -> SignedDuration {
        let bytes = self.subvolumes[place].chains.last().map_or(0, |chain| chain.bytes);
        let seconds = bytes / self.facts.restore_per_second.get().max(1);
        self.facts.thaw.saturating_add(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)))
    }

    /// What it has; and what was sent counts from zero again.
    pub(super) fn end_month(&mut self) -> TargetMonth {
        let chains = || self.subvolumes.iter().flat_map(|subvolume| &subvolume.chains);
        TargetMonth {
            name: self.facts.name.clone(),
            stored: chains().map(|chain| ByteSize::bytes(chain.bytes)).sum(),
            streams: chains().map(|chain| chain.streams.len()).sum(),
            longest_chain: chains().map(|chain| chain.streams.len()).max().unwrap_or(0),
            sent: ByteSize::bytes(std::mem::take(&mut self.sent)),
        }
    }

    /// What was ever stored there.
    pub(super) fn finish(mut self) -> StoredAt {
        for (place, chains) in self.subvolumes.iter().enumerate() {
            for chain in &chains.chains {
                self.ledger.enter(place, &chain.streams, None);
            }
        }
        let is_sent = |place: &usize| self.subvolumes[*place].tip.is_some();
        let sent: Vec<usize> = (0..self.subvolumes.len()).filter(is_sent).collect();
        StoredAt { name: self.facts.name.clone(), subvolumes: sent.len(), streams: self.ledger.finish(&sent) }
    }
}

impl Chains<'_> {
    /// Whether the chain that is added to is as old as it may be.
    fn is_old(&self, facts: &SimulatedTarget, moment: &Moment) -> bool {
        let full = self.chains.last().and_then(|chain| chain.streams.first());
        full.zip(facts.full_every_days).is_some_and(|(full, days)| has_passed(full.sent, days, moment))
    }

    /// Takes out the chains that neither stay nor are paid for in any case.
    fn superfluous(&mut self, facts: &SimulatedTarget, moment: &Moment) -> Vec<Chain> {
        let stay = usize::try_from(facts.keep_generations.max(1)).unwrap_or(usize::MAX);
        let more = self.chains.len().saturating_sub(stay);
        let is_free = |chain: &Chain| {
            chain.streams.last().is_none_or(|youngest| has_passed(youngest.sent, facts.gc_waits_days, moment))
        };
        let count = self.chains[..more].iter().take_while(|chain| is_free(chain)).count();
        self.chains.drain(..count).collect()
    }
}

/// Whether so many days have passed since.
fn has_passed(since: Timestamp, days: u32, moment: &Moment) -> bool {
    moment.real.duration_since(since) >= SignedDuration::from_hours(24 * i64::from(days))
}
