//! Items of a tree of files, read into values. What makes no sense is `None`; nothing is guessed.

use subvault_sendstream::changes::Kind;

use crate::look::Look;

/// `BTRFS_*_KEY`
pub(super) const INODE_ITEM: u8 = 1;
pub(super) const INODE_REF: u8 = 12;
pub(super) const INODE_EXTREF: u8 = 13;
pub(super) const XATTR_ITEM: u8 = 24;
pub(super) const DIR_INDEX: u8 = 96;
pub(super) const EXTENT_DATA: u8 = 108;

/// `BTRFS_FIRST_FREE_OBJECTID`, the top of each tree, and `BTRFS_LAST_FREE_OBJECTID`.
pub(super) const TOP: u64 = 256;
pub(super) const LAST: u64 = u64::MAX - 255;

/// What of `struct btrfs_inode_item` changes when anything of the file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inode {
    /// The transaction that made it; tells one user of a number from the next.
    pub(super) generation: u64,
    /// The transaction that wrote this.
    pub(super) transid: u64,
    pub(super) size: u64,
    pub(super) links: u32,
    pub(super) owner: (u32, u32),
    pub(super) mode: u32,
    pub(super) flags: u64,
    /// Counts what was done to it.
    sequence: u64,
    changed: (i64, i64),
    modified: (i64, i64),
}

impl Inode {
    pub(super) fn read(item: &[u8]) -> Option<Self> {
        let time = |at| Some((u64_at(item, at)?.cast_signed(), i64::from(u32_at(item, at + 8)?)));
        Some(Self {
            generation: u64_at(item, 0)?,
            transid: u64_at(item, 8)?,
            size: u64_at(item, 16)?,
            links: u32_at(item, 40)?,
            owner: (u32_at(item, 44)?, u32_at(item, 48)?),
            mode: u32_at(item, 52)?,
            flags: u64_at(item, 64)?,
            sequence: u64_at(item, 72)?,
            changed: time(124)?,
            modified: time(136)?,
        })
    }

    pub(super) fn kind(&self) -> Option<Kind> {
        match self.mode & 0o170_000 {
            0o100_000 => Some(Kind::File),
            0o040_000 => Some(Kind::Directory),
            0o120_000 => Some(Kind::Symlink),
            0o010_000 => Some(Kind::Fifo),
            0o140_000 => Some(Kind::Socket),
            0o060_000 | 0o020_000 => Some(Kind::Device),
            _ => None,
        }
    }

    /// Whether nothing has happened to a directory but that it was looked at: what is done to it, also to its
    /// names, is counted in it.
    pub(super) fn is_only_seen_since(&self, before: &Self) -> bool {
        self.is_directory() && Self { transid: self.transid, ..*before } == *self
    }

    pub(super) fn is_directory(&self) -> bool {
        self.kind() == Some(Kind::Directory)
    }

    /// What looking at the file would show.
    pub(super) fn look(&self, inode: u64) -> Look {
        let links = self.links.into();
        let Self { size, modified, changed, .. } = *self;
        Look { inode, kind: self.kind(), size, links, modified, changed }
    }
}

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) directory: u64,
    pub(super) name: Box<[u8]>,
}

/// The names in an `INODE_REF` item, which all lie in the directory that its key tells.
pub(super) fn refs(directory: u64, mut item: &[u8], places: &mut Vec<Place>) -> Option<()> {
    while !item.is_empty() {
        let (name, rest) = item.get(10..)?.split_at_checked(u16_at(item, 8)?.into())?;
        places.push(Place { directory, name: name.into() });
        item = rest;
    }
    Some(())
}

/// The names in an `INODE_EXTREF` item, each with its directory.
pub(super) fn extrefs(mut item: &[u8], places: &mut Vec<Place>) -> Option<()> {
    while !item.is_empty() {
        let (name, rest) = item.get(18..)?.split_at_checked(u16_at(item, 16)?.into())?;
        places.push(Place { directory: u64_at(item, 0)?, name: name.into() });
        item = rest;
    }
    Some(())
}

/// The attributes in an `XATTR_ITEM`: several where their names have the same hash.
pub(super) fn xattrs<'a>(mut item: &'a [u8], mut each: impl FnMut(&'a [u8], &'a [u8])) -> Option<()> {
    while !item.is_empty() {
        let (data, name) = (u16_at(item, 25)?, u16_at(item, 27)?);
        let (name, rest) = item.get(30..)?.split_at_checked(name.into())?;
        let (value, rest) = rest.split_at_checked(data.into())?;
        each(name, value);
        item = rest;
    }
    Some(())
}

/// What a `DIR_INDEX` item leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Child {
    /// Its number; `None` for a subvolume, which is no inode of this tree.
    pub(super) number: Option<u64>,
    pub(super) is_directory: bool,
}

impl Child {
    pub(super) fn read(item: &[u8]) -> Option<Self> {
        let number = if *item.get(8)? == INODE_ITEM { Some(u64_at(item, 0)?) } else { None };
        Some(Self { number, is_directory: *item.get(29)? == DIRECTORY })
    }
}

/// `BTRFS_FT_DIR`
const DIRECTORY: u8 = 2;

/// How a range of a file is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) storage: Storage,
    /// The transaction that wrote it.
    pub(super) generation: u64,
}

/// Where the bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Storage {
    /// In the tree itself; a sum of what is there.
    Inline(u64),
    /// Nowhere: zeros.
    Hole,
    /// Reserved and not written: zeros.
    Reserved {
        disk: u64,
        offset: u64,
    },
    Written {
        disk: u64,
        offset: u64,
    },
}

impl Extent {
    /// Reads an `EXTENT_DATA` item at this offset of a file.
    pub(super) fn read(start: u64, item: &[u8]) -> Option<Self> {
        let generation = u64_at(item, 0)?;
        let kind = *item.get(20)?;
        if kind == 0 {
            // What is inline ends with its block; all that is there is before the end of the file.
            let end = start.checked_add(u64_at(item, 8)?)?.checked_next_multiple_of(BLOCK)?;
            return Some(Self { start, end, storage: Storage::Inline(sum(item)), generation });
        }
        let (disk, offset, length) = (u64_at(item, 21)?, u64_at(item, 37)?, u64_at(item, 45)?);
        let storage = match (kind, disk) {
            (1, 0) => Storage::Hole,
            (1, _) => Storage::Written { disk, offset },
            (2, _) => Storage::Reserved { disk, offset },
            _ => return None,
        };
        Some(Self { start, end: start.checked_add(length)?, storage, generation })
    }
}

/// What the kernel rounds inline data up to.
const BLOCK: u64 = 4096;

/// Tells one content from another of the same transaction and length.
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let add = |sum: u64, word: u64| (sum.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let sum = words.iter().fold(0, |sum, word| add(sum, u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, byte| add(sum, u64::from(*byte)))
}

fn array<const N: usize>(item: &[u8], at: usize) -> Option<[u8; N]> {
    item.get(at..at + N)?.try_into().ok()
}

fn u64_at(item: &[u8], at: usize) -> Option<u64> {
    array(item, at).map(u64::from_le_bytes)
}

fn u32_at(item: &[u8], at: usize) -> Option<u32> {
    array(item, at).map(u32::from_le_bytes)
}

fn u16_at(item: &[u8], at: usize) -> Option<u16> {
    array(item, at).map(u16::from_le_bytes)
}
