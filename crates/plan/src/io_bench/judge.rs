//! From rates that were measured in turn to one honest sentence. Pure.
//!
//! Each round measures the disk as it is and as it would be, right after each other, and gives one ratio for each piece of
//! work; the geometric mean of these is the round's. Of all rounds the median counts, and the lowest and the highest tell how
//! sure that is: the chance that the true median lies outside of them is 2^(1-n) for n rounds, whatever the disk is like.

use std::fmt;

use serde::Serialize;
use subvault_model::io_test::{IoTest, IoUnit, Rate};

use crate::strategy::storage::Mode;

/// What a tuned mode has to bring: a fifth more in the same time.
pub const WANTED: f64 = 1.2;

/// What one piece of work gave in one round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// As the machine is.
    pub now: Rate,
    /// With what the mode changes.
    pub tuned: Rate,
}

/// What one round gave: the same pieces of work in each.
pub type Round = Vec<(IoTest, Pair)>;

/// The middle of several values, and between which they lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Half of them are above.
    pub median: f64,
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

/// A piece of work, compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Compared {
    /// Which.
    pub name: IoTest,
    /// What is counted.
    pub unit: IoUnit,
    /// As the machine is.
    pub now: Spread,
    /// With what the mode changes.
    pub tuned: Spread,
    /// How many times faster that is, by round.
    pub ratio: Spread,
}

/// What is to be said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every round was as much faster as is wanted, or more.
    Reached,
    /// No round was.
    NotReached,
    /// Some were and some were not.
    WithinNoise,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// Each piece of work.
    pub workloads: Vec<Compared>,
    /// All of them together.
    pub overall: Spread,
    /// The ratio that is wanted.
    pub wanted: f64,
    /// How likely it is that the true ratio lies between the lowest and the highest.
    pub confidence: f64,
    /// What is to be said of it.
    pub verdict: Verdict,
    /// The same in words.
    pub sentence: String,
}

/// Judges what was measured; `None` when there is no round, or rounds are not of the same pieces of work.
#[must_use]
pub fn judge(mode: Mode, rounds: &[Round]) -> Option<Judged> {
    let tests: Vec<IoTest> = rounds.first()?.iter().map(|(test, _)| *test).collect();
    let is_alike = |round: &Round| round.iter().map(|(test, _)| test).eq(&tests);
    if tests.is_empty() || !rounds.iter().all(is_alike) {
        return None;
    }
    let workloads = tests.iter().enumerate().filter_map(|(index, test)| {
        let pairs: Vec<Pair> = rounds.iter().map(|round| round[index].1).collect();
        compared(*test, &pairs)
    });
    let overall = Spread::of(rounds.iter().map(|round| geometric_mean(round.iter().map(|(_, pair)| pair.ratio()))))?;
    let verdict = verdict(overall);
    let sentence = sentence(mode, overall, verdict, rounds.len());
    let rounds = i32::try_from(rounds.len()).unwrap_or(i32::MAX);
    Some(Judged {
        workloads: workloads.collect(),
        overall,
        wanted: WANTED,
        confidence: 1.0 - 2_f64.powi(1 - rounds),
        verdict,
        sentence,
    })
}

fn compared(test: IoTest, pairs: &[Pair]) -> Option<Compared> {
    Some(Compared {
        name: test,
        unit: test.unit(),
        now: Spread::of(pairs.iter().map(|pair| pair.now.get()))?,
        tuned: Spread::of(pairs.iter().map(|pair| pair.tuned.get()))?,
        ratio: Spread::of(pairs.iter().map(|pair| pair.ratio()))?,
    })
}

impl Pair {
    fn ratio(self) -> f64 {
        self.tuned.get() / self.now.get()
    }
}

impl Spread {
    /// Of values that are more than nothing; `None` of none. Between two in the middle it is their geometric mean, so that
    /// what is twice as fast one way is half as fast the other way.
    #[must_use]
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => geometric_mean([sorted[middle - 1], sorted[middle]].into_iter()).clamp(low, high),
            _ => sorted[middle],
        };
        Some(Self { median, low, high })
    }
}

fn geometric_mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value.ln(), count + 1.0));
    (sum / f64::max(count, 1.0)).exp()
}

/// What is to be said of these ratios.
#[must_use]
pub fn verdict(overall: Spread) -> Verdict {
    if overall.low >= WANTED {
        Verdict::Reached
    } else if overall.high < WANTED {
        Verdict::NotReached
    } else {
        Verdict::WithinNoise
    }
}

fn sentence(mode: Mode, overall: Spread, verdict: Verdict, rounds: usize) -> String {
    let (middle, low, high) = (Change(overall.median), Change(overall.low), Change(overall.high));
    let between = format!("the rounds lay between {low} and {high}");
    let wanted = Change(WANTED);
    match verdict {
        Verdict::Reached => format!("Reached: {mode} is {middle} here over all, and {wanted} is asked for; {between}."),
        Verdict::NotReached if overall.low <= 1.0 && overall.high >= 1.0 => format!(
            "Not reached: {mode} makes no difference here that is larger than the noise, and {wanted} is asked for; {between}."
        ),
        Verdict::NotReached => {
            format!("Not reached: {mode} is {middle} here over all, and {wanted} is asked for; {between}.")
        }
        Verdict::WithinNoise => format!(
            "Within noise: {mode} is {middle} here over all, and {wanted} is asked for, but {between}; \
             --rounds {} may tell more.",
            rounds.saturating_mul(2)
        ),
    }
}

/// A ratio in words: `12.3 % faster`. Never rounded up to what is wanted.
struct Change(f64);

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (part, word) = if self.0 < 1.0 { (1.0 - self.0, "slower") } else { (self.0 - 1.0, "faster") };
        // What 1.2 is in binary lies a little below.
        let percent = (part * 1000.0 + 1e-6).floor() / 10.0;
        write!(f, "{percent:.1} % {word}")
    }
}
