//! What one tree of files tells of itself: how much of it was written since a transaction, and whether there are files in it.
//!
//! Trees are read by their numbers, so nothing of them needs to be mounted.

use std::os::fd::AsFd;

use rustix::io::Errno;
use subvault_model::bytesize::ByteSize;
use subvault_model::ids::{SubvolumeId, TransactionId};

use super::item::{EXTENT_DATA, Extent, INODE_ITEM, Inode, LAST, Storage, TOP};
use crate::error::{HostError, Result};
use crate::ioctl::{Key, Search};
use crate::pool::Pool;

/// More directories than this are not there for others alone.
const DIRECTORIES: usize = 64;

const ALL: (Key, Key) =
    (Key { objectid: TOP, kind: 0, offset: 0 }, Key { objectid: LAST, kind: u8::MAX, offset: u64::MAX });

/// How many bytes of the files in a subvolume were written after this transaction, holes and reserved room not counted.
/// `None` when `goes_on` said no before all was read.
///
/// # Errors
/// What the kernel says; `Permission` without `CAP_SYS_ADMIN`.
pub fn written_since(
    pool: &Pool,
    tree: SubvolumeId,
    since: TransactionId,
    goes_on: impl Fn() -> bool,
) -> Result<Option<ByteSize>> {
    let (mut written, mut damaged) = (0_u64, false);
    let visit = |key: Key, data: &[u8]| {
        if key.kind == EXTENT_DATA {
            match Extent::read(key.offset, data) {
                // A leaf that was written since holds older extents as well.
                Some(extent) if extent.generation > since.0 => written = written.saturating_add(stored(&extent)),
                Some(_) => {}
                None => damaged = true,
            }
        }
    };
    let trouble = |error| HostError::new("read the files of a subvolume on", pool.path(), error);
    let is_done = pages(pool, tree, since.0 + 1, visit, goes_on).map_err(trouble)?;
    if damaged {
        return Err(trouble(Errno::IO));
    }
    Ok(is_done.then_some(ByteSize::bytes(written)))
}

/// Whether there is nothing in a subvolume but a few directories, and other subvolumes.
///
/// # Errors
/// As `written_since`.
pub fn holds_only_directories(pool: &Pool, tree: SubvolumeId) -> Result<bool> {
    let (found, others) = (std::cell::Cell::new(0_usize), std::cell::Cell::new(false));
    let visit = |key: Key, data: &[u8]| {
        if key.kind == INODE_ITEM {
            found.set(found.get() + 1);
            others.set(others.get() || !Inode::read(data).is_some_and(|inode| inode.is_directory()));
        }
    };
    let is_done = pages(pool, tree, 0, visit, || !others.get() && found.get() <= DIRECTORIES)
        .map_err(|error| HostError::new("read the directories of a subvolume on", pool.path(), error))?;
    Ok(is_done && !others.get() && found.get() <= DIRECTORIES)
}

/// Shows all items in leaves that were written in this transaction or later; whether it came to the end.
fn pages(
    pool: &Pool,
    tree: SubvolumeId,
    since: u64,
    mut visit: impl FnMut(Key, &[u8]),
    goes_on: impl Fn() -> bool,
) -> rustix::io::Result<bool> {
    let mut search = Search::new();
    let (mut from, last) = (Some(ALL.0), ALL.1);
    while let Some(start) = from.filter(|key| *key <= last) {
        if !goes_on() {
            return Ok(false);
        }
        from = search.page(pool.as_fd(), tree.0, since, start, last, &mut visit)?;
    }
    Ok(true)
}

/// How much of a file lies in an extent.
fn stored(extent: &Extent) -> u64 {
    match extent.storage {
        Storage::Written { .. } | Storage::Inline(_) => extent.end.saturating_sub(extent.start),
        Storage::Hole | Storage::Reserved { .. } => 0,
    }
}
