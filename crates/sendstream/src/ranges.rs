//! A set of bytes of a file, as ranges.
//!
//! Invariant: the ranges are sorted, none is empty, and between two of them lies at least one byte. Pure. It must
//! never name a byte that was not added.

use std::ops::Range;

/// Byte ranges of a file, sorted, not touching each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ranges {
    // The kernel sends a file's extents in ascending order, so that nearly every addition is at the end.
    sorted: Vec<Range<u64>>,
}

impl Ranges {
    /// The ranges in ascending order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Range<u64>> {
        self.sorted.iter().cloned()
    }

    /// How many ranges there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether no byte is in the set.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Whether this byte is in the set.
    pub fn contains(&self, byte: u64) -> bool {
        let after = self.sorted.partition_point(|range| range.start <= byte);
        after > 0 && self.sorted[after - 1].contains(&byte)
    }

    /// Adds the bytes from `start` to before `end`.
    pub(crate) fn add(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        // Those that overlap or touch the new one are replaced by their union with it.
        let first = self.sorted.partition_point(|range| range.end < start);
        let beyond = first + self.sorted[first..].partition_point(|range| range.start <= end);
        let mut union = start..end;
        if first < beyond {
            union.start = start.min(self.sorted[first].start);
            union.end = end.max(self.sorted[beyond - 1].end);
        }
        self.sorted.splice(first..beyond, [union]);
    }
}
