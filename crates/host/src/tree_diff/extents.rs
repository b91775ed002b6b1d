//! How many bytes of a file were written, told from how both sides store it. Pure.
//!
//! It counts what the kernel would send for the same two files, so that a list made from the trees and one made from a
//! stream tell the same: each extent that is not, piece by piece, one of before, and each hole where there was none.
//! Memory: the extents of before that lie across one of now.

use std::collections::VecDeque;

use super::item::{Extent, Storage};

/// Bytes written into what now has this size. Both lists are in the order of the file.
///
/// # Errors
/// What the lists give.
pub(super) fn written<E>(
    before: impl Iterator<Item = Result<Extent, E>>,
    now: impl Iterator<Item = Result<Extent, E>>,
    size: u64,
) -> Result<u64, E> {
    let mut before = Window { rest: before, met: VecDeque::new() };
    let (mut written, mut end) = (0_u64, 0_u64);
    let up_to = |end: u64, start: u64| end.min(size).saturating_sub(start);
    for extent in now {
        let extent = extent?;
        if end < extent.start && before.has_data(end, extent.start)? {
            // The kernel counts it whole, also behind the end of the file, where only reserved room can follow.
            written = written.saturating_add(extent.start - end);
        }
        if !before.has(&extent)? {
            written = written.saturating_add(up_to(extent.end, extent.start));
        }
        end = end.max(extent.end);
    }
    if end < size && before.has_data(end, size)? {
        written = written.saturating_add(size - end);
    }
    Ok(written)
}

/// The part of the older list that is looked at; it only moves on.
struct Window<I> {
    rest: I,
    met: VecDeque<Extent>,
}

impl<E, I: Iterator<Item = Result<Extent, E>>> Window<I> {
    /// Drops what ends before `start`, and reads on to what starts behind `end`.
    fn show(&mut self, start: u64, end: u64) -> Result<&VecDeque<Extent>, E> {
        while self.met.back().is_none_or(|last| last.start < end) {
            let Some(next) = self.rest.next() else { break };
            self.met.push_back(next?);
            while self.met.front().is_some_and(|first| first.end <= start) {
                self.met.pop_front();
            }
        }
        while self.met.front().is_some_and(|first| first.end <= start) {
            self.met.pop_front();
        }
        Ok(&self.met)
    }

    /// Whether anything but zeros that were never written was in this range.
    fn has_data(&mut self, start: u64, end: u64) -> Result<bool, E> {
        let met = self.show(start, end)?;
        Ok(met.iter().any(|extent| extent.start < end && extent.storage != Storage::Hole))
    }

    /// Whether this extent was there, perhaps in pieces or as a piece of a larger one.
    fn has(&mut self, extent: &Extent) -> Result<bool, E> {
        let met = self.show(extent.start, extent.end)?;
        let (disk, offset) = match extent.storage {
            Storage::Written { disk, offset } => (disk, offset),
            // Nothing is told of a hole behind what was there.
            Storage::Hole if met.front().is_none_or(|first| first.start > extent.start) => return Ok(true),
            Storage::Hole => (0, 0),
            Storage::Inline(_) | Storage::Reserved { .. } => return Ok(met.front() == Some(extent)),
        };
        if met.front() == Some(extent) {
            return Ok(true);
        }
        let mut at = extent.start;
        let mut following = met.iter().skip(1);
        for old in met {
            // What is stored at `at`, counted from the start of the extent on the disk.
            let is_same = match old.storage {
                Storage::Hole => disk == 0,
                Storage::Written { disk: there, offset: from } => {
                    there == disk && from.wrapping_sub(old.start) == offset.wrapping_sub(extent.start)
                }
                Storage::Inline(_) | Storage::Reserved { .. } => false,
            };
            if old.start > at || !is_same || old.generation != extent.generation {
                return Ok(false);
            }
            at = old.end;
            // The kernel looks at what follows before it looks whether that matters.
            if following.next().is_some_and(|next| next.start != at) {
                return Ok(false);
            }
            if at >= extent.end {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: u64 = 4096;

    fn at(start: u64, end: u64, storage: Storage) -> Extent {
        Extent { start: start * K, end: end * K, storage, generation: 7 }
    }

    fn disk(start: u64, end: u64, disk: u64, offset: u64) -> Extent {
        at(start, end, Storage::Written { disk, offset: offset * K })
    }

    fn blocks(before: &[Extent], now: &[Extent], size: u64) -> u64 {
        let list = |extents: &[Extent]| extents.iter().map(|extent| Ok::<_, ()>(*extent)).collect::<Vec<_>>();
        written(list(before).into_iter(), list(now).into_iter(), size * K).unwrap() / K
    }

    #[test]
    fn what_is_stored_as_before_is_not_written() {
        let old = [disk(0, 10, 1, 0)];
        assert_eq!(blocks(&old, &old, 10), 0);
        // In pieces, and with something else in the middle.
        assert_eq!(blocks(&old, &[disk(0, 4, 1, 0), disk(4, 10, 1, 4)], 10), 0);
        assert_eq!(blocks(&old, &[disk(0, 4, 1, 0), disk(4, 6, 2, 0), disk(6, 10, 1, 6)], 10), 2);
        // Joined again, and moved within the file.
        assert_eq!(blocks(&[disk(0, 4, 1, 0), disk(4, 10, 1, 4)], &old, 10), 0);
        assert_eq!(blocks(&old, &[disk(0, 6, 1, 4)], 6), 6);
        // The same place, written by another transaction.
        assert_eq!(blocks(&old, &[Extent { generation: 8, ..old[0] }], 10), 10);
        // Only up to the end of the file.
        assert_eq!(blocks(&[], &[disk(0, 10, 1, 0)], 7), 7);
    }

    #[test]
    fn holes_are_written_where_there_was_something() {
        let old = [disk(0, 4, 1, 0), disk(8, 12, 2, 0)];
        assert_eq!(blocks(&old, &old, 12), 0);
        assert_eq!(blocks(&old, &[old[1]], 12), 8);
        assert_eq!(blocks(&old, &[old[0]], 12), 8);
        // Cut off, or longer without data: the size tells.
        assert_eq!(blocks(&old, &[old[0]], 4), 0);
        assert_eq!(blocks(&old, &old, 20), 0);
        let hole = at(4, 8, Storage::Hole);
        assert_eq!(blocks(&old, &[old[0], hole, old[1]], 12), 0);
        assert_eq!(blocks(&[disk(0, 12, 1, 0)], &[disk(0, 4, 1, 0), hole, disk(8, 12, 1, 8)], 12), 4);
        assert_eq!(blocks(&[old[0], hole, old[1]], &old, 12), 0);
        // What was cut off in front of a hole is counted with the hole.
        let before_a_hole = [disk(0, 10, 1, 0), disk(20, 22, 2, 0)];
        assert_eq!(blocks(&before_a_hole, &[disk(0, 6, 1, 0), disk(20, 22, 2, 0)], 22), 20);
    }

    #[test]
    fn what_is_inline_or_reserved_is_compared_as_a_whole() {
        let inline = |sum| at(0, 1, Storage::Inline(sum));
        assert_eq!(blocks(&[inline(1)], &[inline(1)], 1), 0);
        assert_eq!(blocks(&[inline(1)], &[inline(2)], 1), 1);
        assert_eq!(blocks(&[inline(1)], &[disk(0, 1, 5, 0)], 1), 1);
        let reserved = at(1, 9, Storage::Reserved { disk: 9, offset: 0 });
        assert_eq!(blocks(&[reserved], &[reserved], 9), 0);
        assert_eq!(blocks(&[], &[reserved], 9), 8);
        // Behind the end of the file it is nothing.
        assert_eq!(blocks(&[], &[reserved], 1), 0);
    }
}
