//! One side of a comparison: what its tree says of inodes and directories.
//!
//! Lists that can be long (the extents of a file, the names in a directory) are read page by page.

use std::collections::VecDeque;
use std::ops::Range;
use std::os::fd::AsFd;

use rustix::io::{Errno, Result};

use super::item::{self, Child, Extent, Inode, Place};
use crate::ioctl::{Key, Search};
use crate::subvolume::Subvolume;

/// What lies on one side.
pub(super) struct Reader<'a> {
    side: &'a Subvolume,
    search: Search,
}

/// An inode with its names.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) inode: Inode,
    pub(super) names: Vec<Place>,
}

/// All that is stored at the number of an inode, but for what a directory holds.
pub(super) struct Stored {
    pub(super) node: Node,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// The extents of a file as far as they came along.
    extents: VecDeque<Extent>,
    more: Option<Key>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(side: &'a Subvolume) -> Self {
        Self { side, search: Search::new() }
    }

    /// A number that is above those of all inodes, and of not many more.
    pub(super) fn end(&mut self) -> Result<u64> {
        let (mut used, mut free) = (item::TOP, item::LAST);
        // The first steps find out how long the number is, the others the number.
        while free - used > 1 {
            let middle = if free == item::LAST { used.saturating_mul(2).min(free - 1) } else { used.midpoint(free) };
            let (first, last) = between(middle..item::LAST);
            match self.search.is_any(self.side.as_fd(), self.side.id().0, first, last)? {
                true => used = middle,
                false => free = middle,
            }
        }
        Ok(free)
    }

    /// Every inode of these numbers that was written in this transaction or later.
    pub(super) fn written_since(&mut self, since: u64, numbers: Range<u64>) -> Result<Vec<(u64, Inode)>> {
        let (first, last) = between(numbers);
        let mut found = Vec::new();
        let mut damaged = false;
        self.search.items(self.side.as_fd(), self.side.id().0, since, first, last, |key, data| {
            if key.kind != item::INODE_ITEM {
                return;
            }
            match Inode::read(data) {
                Some(inode) if inode.transid >= since => found.push((key.objectid, inode)),
                Some(_) => {}
                None => damaged = true,
            }
        })?;
        if damaged { Err(Errno::IO) } else { Ok(found) }
    }

    /// The inode of a number alone.
    pub(super) fn inode(&mut self, number: u64) -> Result<Option<Inode>> {
        let key = Key { objectid: number, kind: item::INODE_ITEM, offset: 0 };
        let mut found = None;
        self.search.page(self.side.as_fd(), self.side.id().0, 0, key, key, |_, data| found = Inode::read(data))?;
        Ok(found)
    }

    /// What is stored at a number; `None` when nothing is, or only what waits to be cleaned away.
    pub(super) fn stored(&mut self, number: u64, is_directory: bool) -> Result<Option<Stored>> {
        let kind = if is_directory { item::XATTR_ITEM } else { item::EXTENT_DATA };
        let first = Key { objectid: number, kind: item::INODE_ITEM, offset: 0 };
        let last = Key { objectid: number, kind, offset: u64::MAX };
        let (mut inode, mut names, mut xattrs) = (None, Vec::new(), Vec::new());
        let (mut extents, mut damaged) = (VecDeque::new(), false);
        let mut visit = |key: Key, data: &[u8]| {
            let read = match key.kind {
                item::INODE_ITEM => Inode::read(data).map(|read| inode = Some(read)),
                item::INODE_REF => item::refs(key.offset, data, &mut names),
                item::INODE_EXTREF => item::extrefs(data, &mut names),
                item::XATTR_ITEM => item::xattrs(data, |name, value| xattrs.push((name.to_vec(), value.to_vec()))),
                item::EXTENT_DATA => Extent::read(key.offset, data).map(|extent| extents.push_back(extent)),
                _ => Some(()),
            };
            damaged |= read.is_none();
        };
        let (side, tree) = (self.side.as_fd(), self.side.id().0);
        let mut more = self.search.page(side, tree, 0, first, last, &mut visit)?.filter(|key| *key <= last);
        while let Some(from) = more.filter(|from| from.objectid == number && from.kind < item::EXTENT_DATA) {
            more = self.search.page(side, tree, 0, from, last, &mut visit)?.filter(|key| *key <= last);
        }
        if damaged {
            return Err(Errno::IO);
        }
        let Some(inode) = inode.filter(|inode| inode.links > 0) else { return Ok(None) };
        Ok(Some(Stored { node: Node { inode, names }, xattrs, extents, more }))
    }

    /// The extents of a file.
    pub(super) fn extents(&mut self, stored: Stored) -> impl Iterator<Item = Result<Extent>> {
        let more = stored.more.map(|from| (from, Key { kind: item::EXTENT_DATA, offset: u64::MAX, ..from }));
        List { reader: self, met: stored.extents, more, read: |key: Key, data: &[u8]| Extent::read(key.offset, data) }
    }

    /// What is in a directory: where each name stands in it, and what it leads to.
    pub(super) fn children(&mut self, directory: u64) -> impl Iterator<Item = Result<(u64, Child)>> {
        let first = Key { objectid: directory, kind: item::DIR_INDEX, offset: 0 };
        let more = Some((first, Key { offset: u64::MAX, ..first }));
        let read = |key: Key, data: &[u8]| Some((key.offset, Child::read(data)?));
        List { reader: self, met: VecDeque::new(), more, read }
    }

    /// The name of a directory; `None` when it is not on this side.
    pub(super) fn name(&mut self, directory: u64) -> Result<Option<Place>> {
        let first = Key { objectid: directory, kind: item::INODE_REF, offset: 0 };
        let last = Key { offset: u64::MAX, ..first };
        let (mut names, mut damaged) = (Vec::new(), false);
        self.search.items(self.side.as_fd(), self.side.id().0, 0, first, last, |key, data| {
            damaged |= item::refs(key.offset, data, &mut names).is_none();
        })?;
        if damaged { Err(Errno::IO) } else { Ok(names.pop()) }
    }
}

/// All that is stored at these numbers.
fn between(numbers: Range<u64>) -> (Key, Key) {
    let first = Key { objectid: numbers.start, kind: 0, offset: 0 };
    (first, Key { objectid: numbers.end - 1, kind: u8::MAX, offset: u64::MAX })
}

/// Items of one kind, a page at a time.
struct List<'r, 'a, T, F> {
    reader: &'r mut Reader<'a>,
    met: VecDeque<T>,
    /// Where the next page starts, and the end of the list.
    more: Option<(Key, Key)>,
    read: F,
}

impl<T, F: Fn(Key, &[u8]) -> Option<T>> Iterator for List<'_, '_, T, F> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        while self.met.is_empty() {
            let (from, last) = self.more.take()?;
            let (met, read, side) = (&mut self.met, &self.read, self.reader.side);
            let mut damaged = false;
            let page =
                self.reader.search.page(side.as_fd(), side.id().0, 0, from, last, |key, data| match read(key, data) {
                    Some(value) => met.push_back(value),
                    None => damaged = true,
                });
            match page {
                Ok(_) if damaged => return Some(Err(Errno::IO)),
                Ok(next) => self.more = next.filter(|next| *next <= last).map(|next| (next, last)),
                Err(error) => return Some(Err(error)),
            }
        }
        self.met.pop_front().map(Ok)
    }
}
