//! What was stored at a target in a simulation, from which day to which: what its bill is made from.
//!
//! Days are counted from the beginning. It knows no prices: those are applied by the model of costs, which takes what is
//! written here as it takes what it foresees itself. Pure.

use jiff::Timestamp;

use super::store::Stream;
use crate::cost::holdings::Stored;

/// The ledger of one target.
pub(super) struct Ledger {
    begin: Timestamp,
    stored: Vec<Stored>,
}

impl Ledger {
    pub(super) const fn new(begin: Timestamp) -> Self {
        Self { begin, stored: Vec::new() }
    }

    /// Enters a chain of a subvolume, the full first: with when it was deleted, or as still there.
    pub(super) fn enter(&mut self, subject: usize, chain: &[Stream], deleted: Option<Timestamp>) {
        let gone = deleted.map(|at| self.day(at));
        for (index, stream) in chain.iter().enumerate() {
            let stored = Stored {
                subject,
                born: self.day(stream.sent),
                gone,
                streams: 1,
                bytes: stream.bytes,
                full: index == 0,
            };
            // What was sent on the same day in the same size is one entry: a year of hours is long otherwise.
            match self.stored.last_mut().filter(|last| Stored { streams: 1, ..**last } == stored) {
                Some(last) if index > 1 => last.streams += 1,
                _ => self.stored.push(stored),
            }
        }
    }

    /// All of it, with the subvolumes that were sent counted by themselves.
    pub(super) fn finish(mut self, sent: &[usize]) -> Vec<Stored> {
        for stored in &mut self.stored {
            stored.subject = sent.binary_search(&stored.subject).unwrap_or_default();
        }
        self.stored
    }

    fn day(&self, at: Timestamp) -> i64 {
        at.duration_since(self.begin).as_hours() / 24
    }
}
