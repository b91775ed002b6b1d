//! A digest of everything that a restore must bring back, computed from the snapshot itself and not from a stream.
//!
//! The digest is the sum of the digests of items, so that threads can compute it in any order. An item is hashed by
//! BLAKE3 in key-derivation mode under a context that names its kind, to 64 bytes; these are eight little-endian
//! numbers of 64 bits, and the digest's eight numbers are the sums of the items', modulo 2^64. Numbers in items are
//! little-endian; "text" is its length as 64 bits and its bytes; paths are relative to the top, which is the empty one.
//!
//! - `subvault tree-digest v1 entry`, for every entry, the top among them: path as text; one byte of `fdlpscb` (file,
//!   directory, link, pipe, socket, character or block device); 32 bits each: mode (the low twelve bits), uid, gid, and
//!   for a device its major and minor, else 0; mtime as 64 bits of seconds and 32 of nanoseconds; 64 bits: size of a
//!   file, else 0; 32 bits: number of links, 0 for a directory; a link's target as text, else empty; the number of
//!   extended attributes as 64 bits, and each, sorted by name, as two texts.
//! - `subvault tree-digest v1 content`, for every file that is not empty: path as text; size; then of each block of
//!   128 KiB (the last may be shorter) that is not all zeros its number as 64 bits and its bytes.
//! - `subvault tree-digest v1 range`, for the part of a file: path as text; offset and length; then as above, of each
//!   block, those bytes that are in the part, if they are not all zeros.
//!
//! Holes and blocks of zeros are the same, so the digest does not depend on how a file lies on disk. Times of access
//! and change are not in it, nor are nested subvolumes and what stands for them, since they are not sent.
//! It finds damage and omissions; against somebody who builds trees with the same digest the sum is not proof.
//!
//! Invariant: the same content gives the same digest, whatever the number of threads. It must never write.

mod content;
mod item;

use std::fmt;
use std::os::fd::AsFd;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subvault_model::bytesize::ByteSize;
use subvault_model::monitor::{Event, Monitor};
use subvault_sendstream::touched::Paths;

use crate::error::{HostError, HostErrorKind, Result};
use crate::pace::Pace;
use crate::subvolume::Subvolume;
use crate::tree_walk::walk;
use content::Reader;

/// The digest of a tree, or of parts of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeDigest([u8; 64]);

impl TreeDigest {
    /// The 64 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Display for TreeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TreeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TreeDigest({self})")
    }
}

/// A text that is not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tree digest has 128 hexadecimal digits")]
pub struct BadDigest;

impl FromStr for TreeDigest {
    type Err = BadDigest;

    fn from_str(text: &str) -> std::result::Result<Self, BadDigest> {
        let digits = text.as_bytes();
        let mut out = [0; 64];
        if digits.len() != 2 * out.len() {
            return Err(BadDigest);
        }
        let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = value(pair[0]).zip(value(pair[1])).map(|(high, low)| high << 4 | low).ok_or(BadDigest)?;
        }
        Ok(Self(out))
    }
}

impl Serialize for TreeDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TreeDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A digest and what it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestSummary {
    /// The digest.
    pub digest: TreeDigest,
    /// How many entries it covers: files, directories and others.
    pub entries: u64,
    /// How many bytes of files were read for it.
    pub bytes: ByteSize,
}

/// Who is told, and who has a say, while a digest is computed, and of what.
#[derive(Clone, Copy)]
pub struct Control<'a> {
    /// Hears `Progress` in bytes read.
    pub monitor: &'a dyn Monitor,
    /// Once true, the computation ends with an error of kind `Interrupted`.
    pub cancel: &'a AtomicBool,
    /// Keeps reading near whom it is done ahead of.
    pub pace: Option<&'a Pace>,
    /// What is left out.
    pub labels: Labels,
}

/// What is done with the labels that security modules of the kernel give to files (SELinux, Smack).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels {
    /// They are extended attributes like all others.
    Counted,
    /// They are left out: a kernel with such a module labels each file that it makes, wanted or not.
    LeftOut,
}

impl Control<'_> {
    /// So many bytes were read since the last time.
    fn advance(&self, bytes: u64) {
        self.monitor.event(Event::Progress(ByteSize::bytes(bytes)));
        if let Some(pace) = self.pace {
            pace.read(bytes);
        }
    }
}

/// The digest of everything in a subvolume. It reads in about the order in which the kernel sends, so that it can run
/// beside `send` and bring into the cache what that will need.
///
/// # Errors
/// What reading gives; `Interrupted` when cancelled.
pub fn whole_tree(top: &Subvolume, threads: usize, control: Control<'_>) -> Result<DigestSummary> {
    let visit = content::Digesting::new(control);
    Ok(summary(walk(top, threads, &visit)?.into_iter()))
}

/// The digest of what a stream has touched: every name in the scope with its attributes, and of files the bytes that
/// were written.
///
/// # Errors
/// As `whole_tree`; `NotFound` when a name is not there.
pub fn touched(top: &Subvolume, scope: Paths<'_>, threads: usize, control: Control<'_>) -> Result<DigestSummary> {
    let next = Mutex::new(scope.iter());
    let failure = Mutex::new(None);
    let work = || {
        let mut reader = Reader::new(control);
        loop {
            let batch: Vec<_> = match next.lock() {
                Ok(mut next) => next.by_ref().take(32).collect(),
                Err(_) => return reader,
            };
            if batch.is_empty() {
                return reader;
            }
            for (path, part) in batch {
                if let Err(error) = one(top, &mut reader, path, part.ranges, control)
                    && let Ok(mut failure) = failure.lock()
                {
                    failure.get_or_insert(error);
                    return reader;
                }
            }
        }
    };
    let readers = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let mut readers = vec![work()];
        readers.extend(others.into_iter().filter_map(|thread| match thread.join() {
            Ok(reader) => Some(reader),
            Err(panic) => std::panic::resume_unwind(panic),
        }));
        readers
    });
    match failure.into_inner() {
        Ok(None) => Ok(summary(readers.into_iter())),
        Ok(Some(error)) => Err(error),
        Err(_) => Err(interrupted(top)),
    }
}

fn one(
    top: &Subvolume,
    reader: &mut Reader<'_>,
    path: &[u8],
    ranges: &subvault_sendstream::touched::Ranges,
    control: Control<'_>,
) -> Result<()> {
    if control.cancel.load(Ordering::Relaxed) {
        return Err(interrupted(top));
    }
    reader.part(top.as_fd(), path, ranges).map_err(|error| {
        use std::os::unix::ffi::OsStrExt;
        HostError::new("read", top.path().join(std::ffi::OsStr::from_bytes(path)), error)
    })
}

fn interrupted(top: &Subvolume) -> HostError {
    HostError::because("finish reading", top.path(), HostErrorKind::Interrupted, "it was stopped")
}

fn summary<'a>(readers: impl Iterator<Item = Reader<'a>>) -> DigestSummary {
    let mut sum = item::Sum::default();
    let (mut entries, mut bytes) = (0, 0);
    for reader in readers {
        reader.tell_the_rest();
        sum.add(&reader.sum);
        entries += reader.entries;
        bytes += reader.bytes;
    }
    DigestSummary { digest: TreeDigest(sum.bytes()), entries, bytes: ByteSize::bytes(bytes) }
}
