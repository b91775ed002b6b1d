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
            written = written.saturating_add(up_to(extent.start, end));
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
    /// Drops what ends before `start`, and reads on to `end`.
    fn show(&mut self, start: u64, end: u64) -> Result<&VecDeque<Extent>, E> {
        while self.met.back().is_none_or(|last| last.end < end) {
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
            if at >= extent.end {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
