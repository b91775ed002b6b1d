//! The inodes that differ: what is stored at a number on both sides.

use std::ops::Range;

use rustix::io::Result;
use subvault_sendstream::changes::{Content, Kind, Metadata};

use super::compare::{self, Pair};
use super::extents;
use super::item::{Child, Inode, TOP};
use super::reader::{Node, Reader, Stored};
use crate::subvolume::Subvolume;

/// Both sides, as one thread reads them.
pub(super) struct Sides<'a> {
    before: Reader<'a>,
    now: Reader<'a>,
    since: u64,
}

/// What is looked at in one go.
#[derive(Debug, Clone)]
pub(super) enum Task {
    /// What either side has written since of these numbers.
    Written(Range<u64>),
    /// What a directory of one side leads to.
    Children(Vec<Child>),
}

/// What differs of it.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) pairs: Vec<Pair>,
    /// What its directories lead to on one side only.
    pub(super) lost: Vec<Child>,
}

impl<'a> Sides<'a> {
    pub(super) fn new(from: &'a Subvolume, to: &'a Subvolume, since: u64) -> Self {
        Self { before: Reader::new(from), now: Reader::new(to), since }
    }

    /// A number that is above those of all inodes.
    pub(super) fn end(&mut self) -> Result<u64> {
        Ok(self.before.end()?.max(self.now.end()?))
    }

    /// The name of a directory that is the same on both sides.
    pub(super) fn name(&mut self, directory: u64) -> Result<Option<super::item::Place>> {
        self.now.name(directory)
    }

    pub(super) fn look(&mut self, task: Task) -> Result<Found> {
        let mut found = Found::default();
        match task {
            Task::Written(numbers) => self.written(numbers, &mut found)?,
            Task::Children(children) => {
                for child in children {
                    // Subvolumes are no inodes.
                    if let Some(number) = child.number {
                        self.compare(number, child.is_directory, &mut found)?;
                    }
                }
            }
        }
        Ok(found)
    }

    /// What one side has written since, and the other has not just so.
    fn written(&mut self, numbers: Range<u64>, found: &mut Found) -> Result<()> {
        let mut before = self.before.written_since(self.since, numbers.clone())?.into_iter().peekable();
        for (number, now) in self.now.written_since(self.since, numbers)? {
            while let Some((number, inode)) = before.next_if(|(other, _)| *other < number) {
                self.one_sided(number, &inode, true, found)?;
            }
            match before.next_if(|(other, _)| *other == number) {
                Some((_, inode)) if inode == now || now.is_only_seen_since(&inode) => {}
                Some(_) => self.compare(number, now.is_directory(), found)?,
                None => self.one_sided(number, &now, false, found)?,
            }
        }
        before.try_for_each(|(number, inode)| self.one_sided(number, &inode, true, found))
    }

    /// What only one side has written since: directories are written whenever somebody looks into them.
    fn one_sided(&mut self, number: u64, inode: &Inode, is_before: bool, found: &mut Found) -> Result<()> {
        if inode.is_directory() && inode.generation < self.since {
            let other = if is_before { self.now.inode(number)? } else { self.before.inode(number)? };
            if other.is_some_and(|other| inode.is_only_seen_since(&other)) {
                return Ok(());
            }
        }
        self.compare(number, inode.is_directory(), found)
    }

    /// What is stored at this number on both sides, unless that is the same.
    fn compare(&mut self, number: u64, is_directory: bool, found: &mut Found) -> Result<()> {
        let before = self.before.stored(number, is_directory)?;
        let now = self.now.stored(number, is_directory)?;
        let mut pair = Pair {
            number,
            before: before.as_ref().map(|stored| stored.node.clone()),
            now: now.as_ref().map(|stored| stored.node.clone()),
            is_reused: false,
            content: Content::default(),
            metadata: Metadata::default(),
        };
        match (before, now) {
            (None, None) => return Ok(()),
            (Some(before), Some(now)) => {
                let (old, new) = (before.node.inode, now.node.inode);
                if old == new {
                    return Ok(());
                }
                // Two lines may give one number to two files, even in one transaction.
                let is_another = old.generation != new.generation || new.generation > self.since;
                pair.is_reused = number != TOP && is_another;
                if !pair.is_reused {
                    self.differences(&mut pair, before, now)?;
                }
            }
            _ => {}
        }
        self.lost_children(&pair, &mut found.lost)?;
        found.pairs.push(pair);
        Ok(())
    }

    fn differences(&mut self, pair: &mut Pair, mut before: Stored, mut now: Stored) -> Result<()> {
        let (old, new) = (before.node.inode, now.node.inode);
        pair.metadata = compare::metadata(&old, &new);
        let attributes = (std::mem::take(&mut before.xattrs), std::mem::take(&mut now.xattrs));
        (pair.metadata.xattrs, pair.metadata.capability) = compare::xattrs(attributes.0, attributes.1);
        if new.kind() == Some(Kind::File) {
            pair.content.size = (old.size != new.size).then_some(new.size);
            pair.content.written = extents::written(self.before.extents(before), self.now.extents(now), new.size)?;
        }
        Ok(())
    }

    /// What a directory leads to on one side and not on the other.
    fn lost_children(&mut self, pair: &Pair, lost: &mut Vec<Child>) -> Result<()> {
        // All that is in a directory that was made since was put there since.
        let is_old = |node: &Node| node.inode.is_directory() && node.inode.generation < self.since;
        let (is_before, is_now) = (pair.before.as_ref().is_some_and(is_old), pair.now.as_ref().is_some_and(is_old));
        let (before, now, number) = (&mut self.before, &mut self.now, pair.number);
        let mut before = is_before.then(|| before.children(number)).into_iter().flatten().peekable();
        let mut now = is_now.then(|| now.children(number)).into_iter().flatten().peekable();
        loop {
            // What cannot be read is taken out first, and ends it.
            let place = |next: &Result<(u64, Child)>| next.as_ref().map_or(0, |(place, _)| *place);
            let (old, new) = match (before.peek().map(place), now.peek().map(place)) {
                (None, None) => return Ok(()),
                (Some(old), Some(new)) if old == new => (before.next(), now.next()),
                (Some(old), new) if new.is_none_or(|new| old < new) => (before.next(), None),
                _ => (None, now.next()),
            };
            let (old, new) = (old.transpose()?, new.transpose()?);
            if old != new {
                lost.extend([old, new].into_iter().flatten().map(|(_, child)| child));
            }
        }
    }
}
