//! The file that the stream is describing right now.
//!
//! Nothing is done while it is in hand: its commands are collected, so that it can be made under its final name
//! and finished in one go, by another thread. Invariant: what is in hand is the inode that `path` means in the
//! stream at this moment. Holds at most `FULL` bytes of data and `MANY` commands before a part has to be given away.

use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::job::{Node, Op};

/// So much is written at once.
pub(super) const FULL: usize = 512 << 10;
const MANY: usize = 512;
/// So many files may be open to clone from.
const SOURCES: usize = 32;

/// How far the inode in hand has come.
pub(super) enum Stage {
    /// Not made yet. `born` is the name under which the stream made it, if it has been renamed since.
    Unborn { node: Node, born: Option<Vec<u8>> },
    /// It exists, and nothing has been done to it yet.
    Existing,
    /// A part has been given to this lane, which keeps it open.
    Started { lane: usize },
}

/// An inode and what the stream wants of it.
pub(super) struct Hand {
    pub(super) path: Vec<u8>,
    pub(super) stage: Stage,
    pub(super) ops: Vec<Op>,
    pub(super) data: Vec<u8>,
    /// Whether others must wait until it is done: it reads what they may write.
    pub(super) exclusive: bool,
    /// How long the file is, as long as that is known because it is new.
    length: Option<u64>,
    sources: usize,
    clone_source: Option<(Vec<u8>, Arc<OwnedFd>)>,
}

impl Hand {
    pub(super) fn new(path: &[u8], stage: Stage) -> Self {
        let length = matches!(stage, Stage::Unborn { node: Node::File, .. }).then_some(0);
        let (ops, data) = (Vec::new(), Vec::new());
        Self { path: path.to_vec(), stage, ops, data, exclusive: false, length, sources: 0, clone_source: None }
    }

    pub(super) fn is_directory(&self) -> bool {
        matches!(self.stage, Stage::Unborn { node: Node::Directory, .. })
    }

    /// Whether a part of it has to be given away.
    pub(super) fn is_full(&self) -> bool {
        self.data.len() >= FULL || self.ops.len() >= MANY || self.sources >= SOURCES
    }

    /// What has been collected so far, to be given away while this stays in hand.
    pub(super) fn split_off(&mut self) -> Self {
        self.sources = 0;
        let stage = std::mem::replace(&mut self.stage, Stage::Existing);
        let part = Self::new(&self.path, stage);
        Self { ops: std::mem::take(&mut self.ops), data: std::mem::take(&mut self.data), ..part }
    }

    /// Takes a copy of data for a command that is about to be pushed.
    pub(super) fn keep(&mut self, data: &[u8]) -> Range<usize> {
        let start = self.data.len();
        self.data.extend_from_slice(data);
        start..self.data.len()
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let data = self.keep(bytes);
        self.grown_to(offset.checked_add(bytes.len() as u64));
        // What follows on the last write becomes part of it.
        if let Some(Op::Write { offset: before, data: last }) = self.ops.last_mut()
            && before.checked_add(last.len() as u64) == Some(offset)
            && last.end == data.start
        {
            last.end = data.end;
            return;
        }
        self.ops.push(Op::Write { offset, data });
    }

    pub(super) fn truncate(&mut self, size: u64) {
        // The kernel ends many files by setting the size that they have.
        if self.length != Some(size) {
            self.ops.push(Op::Truncate(size));
            self.length = self.length.map(|_| size);
        }
    }

    /// Notes that a command writes up to `end`, `None` where that is not known.
    pub(super) fn grown_to(&mut self, end: Option<u64>) {
        self.length = self.length.zip(end).map(|(length, end)| length.max(end));
    }

    /// The source of the last clone, if it is this one.
    pub(super) fn clone_source(&self, key: &[u8]) -> Option<Arc<OwnedFd>> {
        self.clone_source.as_ref().filter(|(known, _)| known == key).map(|(_, file)| Arc::clone(file))
    }

    pub(super) fn remember_source(&mut self, key: Vec<u8>, file: &Arc<OwnedFd>) {
        self.sources += 1;
        self.clone_source = Some((key, Arc::clone(file)));
    }
}
