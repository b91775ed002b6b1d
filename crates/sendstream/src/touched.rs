//! What of a new snapshot must be looked at to know that an incremental stream was applied: the final names of
//! everything the stream touched, and which bytes of it.
//!
//! Fed with the commands in order. Pure, so that whoever archives a stream and whoever restores it derive the same
//! scope from the same bytes: it must never depend on a clock, a hash seed or a file system.
//!
//! Guaranteed, for a stream that a receiver can apply to its parent, unless the scope is [`Scope::Everything`]:
//! - Every file, directory or other object that the stream made or changed has at least one of its final names in the
//!   scope, and each byte that was changed is in the ranges of at least one of them. Names that the stream itself
//!   links to each other share their ranges, whichever of them a write went through, in whichever order links were
//!   added and removed. (Two names that the parent already had for one file look like two files here; what was
//!   written through one of them is found under that one.)
//! - Every name that the stream gave is in the scope; what lies below a renamed directory is moved along with it.
//! - Every path in the scope exists in the new snapshot.
//! - Memory stays within the limit; beyond it the scope is everything.
//!
//! The hard case is a file that the stream changes through a name which it then removes, while the parent may have
//! another name for that file that the stream never mentions. That name cannot be known here, so that the scope then
//! becomes everything. Kernels settle an object's names before they send its content, so this does not arise in
//! their streams.
//!
//! Not guaranteed: names that are gone are not in the scope (their parent directory is, with the new times that the
//! kernel sends), nor are further names that a changed file had in the parent, nor what lies below a renamed
//! directory and was not changed itself. Holes of a file that the stream made are not in the ranges. A range can
//! reach beyond the end of the file: after a truncate all from there on is in it, because the file may grow again.
//! To rename one link of a file to another link of it does nothing; when one of them is known to the parent alone, it
//! is taken for a real rename (no kernel sends such a thing). For a stream that no receiver can apply, nothing is
//! promised but memory.

use std::collections::BTreeMap;

use crate::command::Command;
pub use crate::ranges::Ranges;

/// What a name costs on top of its bytes: the map's entry, the allocation, the file that it stands for.
const NAME_COST: usize = 128;
/// What a range costs, with the room that a growing vector keeps.
const RANGE_COST: usize = 32;

/// `fallocate` that shifts what follows (collapse, insert).
const SHIFTS: u32 = 0x08 | 0x20;

/// Collects what a stream touches.
#[derive(Debug)]
pub struct Touched {
    limit: usize,
    cost: usize,
    everything: bool,
    /// The names that are known so far, each with the index of the file that it stands for.
    names: BTreeMap<Vec<u8>, usize>,
    files: Vec<File>,
    /// Indexes into `files` that no name uses.
    free: Vec<usize>,
}

/// A file, directory or other object, under any number of names.
#[derive(Debug, Default)]
struct File {
    ranges: Ranges,
    names: usize,
    /// Made by the stream, so that all its names are known.
    created: bool,
    /// Changed by the stream other than in its names.
    changed: bool,
}

/// What must be looked at.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// The whole snapshot.
    Everything,
    /// These names.
    Paths(Paths<'a>),
}

/// The names that must be looked at.
#[derive(Debug, Clone, Copy)]
pub struct Paths<'a> {
    touched: &'a Touched,
}

/// What of one name must be looked at; its metadata always must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// The bytes that were written; what lies beyond the end of the file is to be ignored.
    pub ranges: &'a Ranges,
    /// Whether the stream made what the name stands for, so that it has no part from before.
    pub created: bool,
}

impl Touched {
    /// A collector that holds about `limit` bytes at most.
    pub fn new(limit: usize) -> Self {
        Self { limit, cost: 0, everything: false, names: BTreeMap::new(), files: Vec::new(), free: Vec::new() }
    }

    /// Takes note of the next command of the stream.
    pub fn command(&mut self, command: &Command<'_>) {
        if self.everything {
            return;
        }
        match *command {
            Command::Subvol { .. } => self.everything = true,
            Command::Snapshot { .. } | Command::End => {}
            Command::Mkfile { path }
            | Command::Mkdir { path }
            | Command::Mknod { path, .. }
            | Command::Mkfifo { path }
            | Command::Mksock { path }
            | Command::Symlink { path, .. } => self.create(path),
            Command::Rename { path, to } => self.rename(path, to),
            Command::Link { path, existing } => self.link(path, existing),
            Command::Unlink { path } => self.unlink(path),
            Command::Rmdir { path } => self.rmdir(path),
            _ => self.change(command),
        }
        if self.everything || self.cost > self.limit {
            self.give_up();
        }
    }

    /// What must be looked at, as far as the commands so far tell.
    pub fn scope(&self) -> Scope<'_> {
        if self.everything { Scope::Everything } else { Scope::Paths(Paths { touched: self }) }
    }

    fn give_up(&mut self) {
        *self = Self { everything: true, ..Self::new(self.limit) };
    }

    /// A command that changes what its path stands for, not the path.
    fn change(&mut self, command: &Command<'_>) {
        let Some(path) = command.path() else { return };
        let index = self.touch(path);
        let file = &mut self.files[index];
        let ranges_before = file.ranges.len();
        file.changed = true;
        match *command {
            Command::Write { offset, data, .. } => file.write(offset, data.len() as u64),
            Command::Fallocate { mode, offset, .. } if mode & SHIFTS != 0 => file.write(offset, u64::MAX),
            // To clone no bytes means to clone to the end.
            Command::Clone { offset, len: 0, .. } => file.write(offset, u64::MAX),
            Command::Clone { offset, len, .. }
            | Command::UpdateExtent { offset, len, .. }
            | Command::Fallocate { offset, len, .. } => file.write(offset, len),
            Command::EncodedWrite { offset, unencoded_file_len, .. } => file.write(offset, unencoded_file_len),
            Command::Truncate { size, .. } => file.truncate(size),
            _ => {}
        }
        let ranges = file.ranges.len();
        self.cost = self.cost + ranges * RANGE_COST - ranges_before * RANGE_COST;
    }

    fn create(&mut self, path: &[u8]) {
        self.unlink(path);
        let index = self.touch(path);
        self.files[index].created = true;
    }

    fn link(&mut self, path: &[u8], existing: &[u8]) {
        let index = self.touch(existing);
        if path != existing {
            self.unlink(path);
            self.give_name(path.to_vec(), index);
        }
    }

    fn unlink(&mut self, path: &[u8]) {
        let Some(index) = self.take(path) else { return };
        let file = &self.files[index];
        if file.names == 0 && file.changed && !file.created {
            // It may live on under a name that only the parent knows.
            self.everything = true;
        }
        self.drop_nameless(index);
    }

    fn rmdir(&mut self, path: &[u8]) {
        // Unlike a file, a directory has no other name.
        if let Some(index) = self.take(path) {
            self.drop_nameless(index);
        }
    }

    fn rename(&mut self, from: &[u8], to: &[u8]) {
        let known = |path| self.names.get(path);
        // To rename one link of a file to another does nothing, and both stay.
        let is_same_file = known(from).is_some() && known(from) == known(to);
        if from != to && !is_same_file {
            for name in self.names_below(from) {
                self.move_name(&name, [to, &name[from.len()..]].concat());
            }
            self.move_name(from, to.to_vec());
        }
        self.touch(to);
    }

    fn move_name(&mut self, from: &[u8], to: Vec<u8>) {
        self.unlink(&to);
        if let Some(index) = self.take(from) {
            self.give_name(to, index);
        }
    }

    /// The known names below a directory.
    fn names_below(&self, directory: &[u8]) -> Vec<Vec<u8>> {
        // All that begins with "directory/": '0' follows '/'.
        let (first, beyond) = ([directory, b"/"].concat(), [directory, b"0"].concat());
        self.names.range(first..beyond).map(|(name, _)| name.clone()).collect()
    }

    /// The file of this name, made known if it is not.
    fn touch(&mut self, path: &[u8]) -> usize {
        if let Some(&index) = self.names.get(path) {
            return index;
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.files.push(File::default());
            self.files.len() - 1
        });
        self.give_name(path.to_vec(), index);
        index
    }

    /// Records a name that is not known yet.
    fn give_name(&mut self, name: Vec<u8>, index: usize) {
        self.cost += name.len() + NAME_COST;
        self.files[index].names += 1;
        self.names.insert(name, index);
    }

    /// Takes a name away from its file; the file stays, perhaps without a name, for the caller to deal with.
    fn take(&mut self, path: &[u8]) -> Option<usize> {
        let index = self.names.remove(path)?;
        self.cost -= path.len() + NAME_COST;
        self.files[index].names -= 1;
        Some(index)
    }

    /// Forgets the file if its last name was taken away.
    fn drop_nameless(&mut self, index: usize) {
        let file = &mut self.files[index];
        if file.names == 0 {
            self.cost -= file.ranges.len() * RANGE_COST;
            *file = File::default();
            self.free.push(index);
        }
    }
}

impl File {
    fn part(&self) -> Part<'_> {
        Part { ranges: &self.ranges, created: self.created }
    }

    fn write(&mut self, offset: u64, len: u64) {
        self.ranges.add(offset, offset.saturating_add(len));
    }

    /// Should the file grow again, there are zeros where something else was; if not, there is nothing to look at. A
    /// file that the stream made had nothing but what the stream wrote.
    fn truncate(&mut self, size: u64) {
        if !self.created {
            self.write(size, u64::MAX);
        }
    }
}

impl<'a> Paths<'a> {
    /// The names in the order of their bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Part<'a>)> + use<'a> {
        let touched = self.touched;
        touched.names.iter().map(|(name, &index)| (name.as_slice(), touched.files[index].part()))
    }

    /// What of this name must be looked at; `None` for nothing.
    pub fn get(&self, path: &[u8]) -> Option<Part<'a>> {
        self.touched.names.get(path).map(|&index| self.touched.files[index].part())
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.touched.names.len()
    }

    /// Whether the stream touches nothing.
    pub fn is_empty(&self) -> bool {
        self.touched.names.is_empty()
    }
}
