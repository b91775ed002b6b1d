//! How a disk is used, in five small pieces of work that are measured one after the other, and how fast one of them went.

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use serde::Serialize;

/// A piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IoTest {
    /// A file is written in order, until it is on the disk.
    SequentialWrite,
    /// It is read in order, after the kernel forgot it.
    SequentialRead,
    /// 4 KiB of it are read at a time, from anywhere, after the kernel forgot it.
    RandomRead,
    /// Files of 4 KiB are made, each until it is on the disk.
    SmallFiles,
    /// A snapshot is taken, and then pages of 16 KiB of a file are written over, as a database does.
    RewriteAfterSnapshot,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IoUnit {
    /// Bytes in a second.
    BytesPerSecond,
    /// Reads, files or pages in a second.
    OperationsPerSecond,
}

impl IoTest {
    /// All, in the order in which they are done: those that read need what the first one wrote.
    pub const ALL: [Self; 5] =
        [Self::SequentialWrite, Self::SequentialRead, Self::RandomRead, Self::SmallFiles, Self::RewriteAfterSnapshot];

    /// What is counted.
    #[must_use]
    pub const fn unit(self) -> IoUnit {
        match self {
            Self::SequentialWrite | Self::SequentialRead => IoUnit::BytesPerSecond,
            Self::RandomRead | Self::SmallFiles | Self::RewriteAfterSnapshot => IoUnit::OperationsPerSecond,
        }
    }
}

impl fmt::Display for IoTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SequentialWrite => "write in order",
            Self::SequentialRead => "read in order",
            Self::RandomRead => "read at random",
            Self::SmallFiles => "make small files",
            Self::RewriteAfterSnapshot => "rewrite after a snapshot",
        })
    }
}

/// How much is done in a second: more than nothing, and finite.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
pub struct Rate(f64);

impl Rate {
    /// So much, done in this time.
    #[must_use]
    pub fn of(amount: NonZeroU64, took: Duration) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a measured value has fewer digits than that")]
        let amount = amount.get() as f64;
        Self(amount / took.max(Duration::from_nanos(1)).as_secs_f64())
    }

    /// As a number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_more_than_nothing_and_finite() {
        let rate = |amount, nanos| Rate::of(NonZeroU64::new(amount).unwrap(), Duration::from_nanos(nanos)).get();
        assert!((rate(3000, 1_500_000_000) - 2000.0).abs() < 1e-9);
        for odd in [rate(1, 0), rate(u64::MAX, 0), rate(1, u64::MAX)] {
            assert!(odd > 0.0 && odd.is_finite(), "{odd}");
        }
    }
}
