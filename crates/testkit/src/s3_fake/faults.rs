//! The fault model: what may go wrong between a client and a bucket, and when it does.
//!
//! A client has to survive each of these with the right answer or a clear error, never with wrong data: an error
//! instead of an answer (`Answer`), a connection that ends before or after the work was done (`Drop`, `LoseReply`),
//! a body that breaks off (`CutBody`) or was shorter all along (`ShortBody`), and slowness (`Latency`, `SlowBody`).
//! Chance is drawn from the seed, so a run can be repeated.

use std::collections::HashMap;
use std::time::Duration;

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as the requests are")]
pub enum Op {
    Put,
    Get,
    Head,
    List,
    Delete,
    Restore,
    CreateUpload,
    PutPart,
    ListParts,
    Complete,
    Abort,
    ListUploads,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// An error with this status and code is the answer; the work is not done.
    Answer(u16, &'static str),
    /// The connection ends before the work is done.
    Drop,
    /// The work is done, then the connection ends without an answer.
    LoseReply,
    /// The connection ends in the middle of the body.
    CutBody,
    /// The server sends half of the body and says that this is all.
    ShortBody,
    /// Each eighth of the body comes after a pause.
    SlowBody(Duration),
    /// The work begins after a pause.
    Latency(Duration),
}

impl FaultKind {
    /// The server asks to slow down.
    pub const SLOW_DOWN: Self = Self::Answer(503, "SlowDown");
    /// The server has a fault of its own.
    pub const INTERNAL_ERROR: Self = Self::Answer(500, "InternalError");
    /// The credentials have run out.
    pub const EXPIRED_TOKEN: Self = Self::Answer(400, "ExpiredToken");
    /// The clocks of client and server differ.
    pub const CLOCK_SKEW: Self = Self::Answer(403, "RequestTimeTooSkewed");
    /// The policy forbids it.
    pub const ACCESS_DENIED: Self = Self::Answer(403, "AccessDenied");
}

/// When it goes wrong, counted over the requests it applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Each time.
    Always,
    /// The first so many times.
    First(u32),
    /// Each so-manieth time.
    Every(u32),
    /// By chance, so many times in a thousand.
    PerMille(u32),
}

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// With which requests; `None` is all of them.
    pub on: Option<Op>,
    /// When.
    pub when: When,
}

impl Fault {
    /// A fault with every kind of request.
    #[must_use]
    pub fn on_all(kind: FaultKind, when: When) -> Self {
        Self { kind, on: None, when }
    }

    /// A fault with one kind of request.
    #[must_use]
    pub fn on(op: Op, kind: FaultKind, when: When) -> Self {
        Self { kind, on: Some(op), when }
    }
}

/// The faults that are set, and what was counted since.
pub(super) struct Faults {
    faults: Vec<(Fault, u32)>,
    random: u64,
    requests: HashMap<Op, usize>,
    pub(super) struck: usize,
    pub(super) unsigned_bodies: usize,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self { faults: Vec::new(), random, requests: HashMap::new(), struck: 0, unsigned_bodies: 0 }
    }

    pub(super) fn set(&mut self, faults: Vec<Fault>) {
        self.faults = faults.into_iter().map(|fault| (fault, 0)).collect();
        self.requests.clear();
        self.struck = 0;
    }

    pub(super) fn requests(&self, op: Op) -> usize {
        self.requests.get(&op).copied().unwrap_or(0)
    }

    /// What goes wrong with this request; the first fault that applies.
    pub(super) fn draw(&mut self, op: Op) -> Option<FaultKind> {
        *self.requests.entry(op).or_default() += 1;
        let mut drawn = None;
        for (fault, seen) in &mut self.faults {
            if fault.on.is_some_and(|on| on != op) {
                continue;
            }
            *seen += 1;
            self.random = step(self.random);
            let strikes = match fault.when {
                When::Always => true,
                When::First(count) => *seen <= count,
                When::Every(count) => seen.is_multiple_of(count),
                When::PerMille(share) => self.random % 1000 < u64::from(share),
            };
            drawn = drawn.or(strikes.then_some(fault.kind));
        }
        self.struck += usize::from(drawn.is_some());
        drawn
    }
}

/// One step of a xorshift generator.
fn step(mut x: u64) -> u64 {
    x ^= x << 13;
    x ^= x >> 7;
    x ^ (x << 17)
}
