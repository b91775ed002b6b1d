//! A line of time that shows hours, days, weeks, months and years alike: pieces of equal width, each of which is longer than the
//! one after it. Now is at the right.

use crate::report::svg::int;

/// The ages at which pieces end, in hours, with what they are called on broad and on narrow paper.
const ENDS: [(i64, &str, &str); 8] = [
    (0, "now", "now"),
    (24, "1 day", "1 d"),
    (7 * 24, "1 week", "1 w"),
    (31 * 24, "1 month", "1 m"),
    (92 * 24, "3 months", "3 m"),
    (366 * 24, "1 year", "1 y"),
    (3 * 366 * 24, "3 years", "3 y"),
    (10 * 366 * 24, "10 years", "10 y"),
];

/// A line of time between two places of a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    left: i64,
    right: i64,
    /// How many pieces are shown.
    pieces: i64,
}

impl Axis {
    /// One that reaches back at least so many hours.
    pub(super) fn new(left: i64, right: i64, oldest_hours: i64) -> Self {
        let needed = ENDS.iter().take_while(|(hours, ..)| *hours < oldest_hours).count();
        let pieces = int(needed.clamp(2, ENDS.len() - 1));
        Self { left, right, pieces }
    }

    /// Where what is so many seconds old is.
    pub(super) fn place(&self, seconds: i64) -> i64 {
        let piece_width = (self.right - self.left) / self.pieces;
        let pieces = ENDS.windows(2).take(usize::try_from(self.pieces).unwrap_or_default());
        for (index, ends) in pieces.enumerate() {
            let (from, to) = (ends[0].0 * 3600, ends[1].0 * 3600);
            if seconds <= to {
                let within = (seconds.max(0) - from) * piece_width / (to - from);
                return self.right - int(index) * piece_width - within;
            }
        }
        self.right - self.pieces * piece_width
    }

    /// Where pieces end, with what that is called.
    pub(super) fn ends(&self, is_wide: bool) -> Vec<(i64, &'static str)> {
        let shown = ENDS.iter().take(usize::try_from(self.pieces).unwrap_or_default() + 1);
        shown.map(|(hours, long, short)| (self.place(hours * 3600), if is_wide { *long } else { *short })).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_is_as_broad() {
        let axis = Axis::new(0, 600, 200 * 24);
        let places: Vec<i64> = axis.ends(true).into_iter().map(|(place, _)| place).collect();
        assert_eq!(places, [600, 480, 360, 240, 120, 0]);
        assert_eq!(axis.place(12 * 3600), 540);
        assert_eq!(axis.place(i64::MAX / 7200), 0);
        assert_eq!(axis.place(-5), 600);
    }
}
