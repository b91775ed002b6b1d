//! Reading the pool's own trees, as they are in memory now.

use std::os::fd::BorrowedFd;

use rustix::io::{Errno, Result};

use super::abi::{Plain, SearchArgs, TREE_SEARCH_V2};
use super::call;

/// `sizeof(struct btrfs_ioctl_search_header)`: transid, objectid, offset, type, len.
const HEADER: usize = 32;

/// An item is smaller than a block of the tree: `BTRFS_MAX_METADATA_BLOCKSIZE`.
const LARGEST_ITEM: usize = 64 << 10;

/// A place in a tree; the order of the fields is the order of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) objectid: u64,
    pub(crate) kind: u8,
    pub(crate) offset: u64,
}

impl Key {
    fn next(self) -> Option<Self> {
        let Self { objectid, kind, offset } = self;
        if let Some(offset) = offset.checked_add(1) {
            return Some(Self { objectid, kind, offset });
        }
        if let Some(kind) = kind.checked_add(1) {
            return Some(Self { objectid, kind, offset: 0 });
        }
        Some(Self { objectid: objectid.checked_add(1)?, kind: 0, offset: 0 })
    }
}

/// Shows `visit` every item of `tree` from `first` to `last`, in order, other kinds in between included.
pub(crate) fn search(
    pool: BorrowedFd<'_>,
    tree: u64,
    first: Key,
    last: Key,
    visit: impl FnMut(Key, &[u8]),
) -> Result<()> {
    Search::new().items(pool, tree, 0, first, last, visit)
}

/// A buffer for searches, for those who make many.
pub(crate) struct Search {
    args: Box<SearchArgs>,
}

impl Search {
    pub(crate) fn new() -> Self {
        Self { args: Box::new(SearchArgs::zeroed()) }
    }

    /// As `search`, without the leaves of the tree that no transaction from `since` on has written.
    pub(crate) fn items(
        &mut self,
        pool: BorrowedFd<'_>,
        tree: u64,
        since: u64,
        first: Key,
        last: Key,
        mut visit: impl FnMut(Key, &[u8]),
    ) -> Result<()> {
        let mut from = Some(first);
        while let Some(start) = from.filter(|key| *key <= last) {
            from = self.page(pool, tree, since, start, last, &mut visit)?;
        }
        Ok(())
    }

    /// Whether there is anything from `first` to `last`.
    pub(crate) fn is_any(&mut self, pool: BorrowedFd<'_>, tree: u64, first: Key, last: Key) -> Result<bool> {
        ask(&mut self.args, tree, 0, first, last);
        self.args.head.nr_items = 1;
        // SAFETY: as in `page`.
        unsafe { call(pool, &TREE_SEARCH_V2, &mut *self.args) }?;
        Ok(self.args.head.nr_items > 0)
    }

    /// As much of it as one call gives; returns where to go on, if there can be more.
    pub(crate) fn page(
        &mut self,
        pool: BorrowedFd<'_>,
        tree: u64,
        since: u64,
        first: Key,
        last: Key,
        mut visit: impl FnMut(Key, &[u8]),
    ) -> Result<Option<Key>> {
        let args = &mut *self.args;
        ask(args, tree, since, first, last);
        // SAFETY: `buf_size` is the size of the buffer that follows the head.
        unsafe { call(pool, &TREE_SEARCH_V2, args) }?;
        if args.head.nr_items == 0 {
            return Ok(None);
        }
        let (seen, room) = walk(&args.buf, args.head.nr_items, &mut visit).ok_or(Errno::IO)?;
        // The kernel stops at the end of the range, or where the next item does not fit.
        Ok(if room >= HEADER + LARGEST_ITEM { None } else { seen.next() })
    }
}

fn ask(args: &mut SearchArgs, tree: u64, since: u64, first: Key, last: Key) {
    let head = &mut args.head;
    head.tree_id = tree;
    (head.min_objectid, head.max_objectid) = (first.objectid, last.objectid);
    (head.min_type, head.max_type) = (first.kind.into(), last.kind.into());
    (head.min_offset, head.max_offset) = (first.offset, last.offset);
    (head.min_transid, head.max_transid) = (since, u64::MAX);
    head.nr_items = u32::MAX;
    head.buf_size = args.buf.len() as u64;
}

/// The last key seen and the room behind it; `None` when the buffer makes no sense.
fn walk(mut buf: &[u8], items: u32, visit: &mut impl FnMut(Key, &[u8])) -> Option<(Key, usize)> {
    let mut last = None;
    for _ in 0..items {
        let (header, rest) = buf.split_at_checked(HEADER)?;
        let len = u32::from_ne_bytes(header[28..32].try_into().ok()?);
        let (data, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
        let key = Key {
            objectid: u64::from_ne_bytes(header[8..16].try_into().ok()?),
            offset: u64::from_ne_bytes(header[16..24].try_into().ok()?),
            kind: u8::try_from(u32::from_ne_bytes(header[24..28].try_into().ok()?)).ok()?,
        };
        visit(key, data);
        last = Some(key);
        buf = rest;
    }
    Some((last?, buf.len()))
}
