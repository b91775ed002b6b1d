//! One line of a comparison: what the stream tells, completed with what a look at both sides tells.

use std::collections::BTreeMap;

use serde::Serialize;
use subvault_host::look::Look;
use subvault_host::subvolume::Subvolume;
use subvault_model::bytesize::ByteSize;
use subvault_model::file_path::FilePath;
use subvault_sendstream::changes::{Change, Kind, What};

use crate::error::JobError;

/// The attribute that is sent whether it has changed or not.
const CAPABILITY: &str = "security.capability";

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// It was not there before.
    Created,
    /// A further name of a file that has another.
    Linked,
    /// It is not there any more.
    Deleted,
    /// Another file, or something else that is no directory, has its name.
    Replaced,
    /// Its content.
    Modified,
    /// Its name or directory; perhaps its content as well.
    Renamed,
    /// Its metadata only.
    Metadata,
}

/// What something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A device.
    Device,
    /// It could not be looked at.
    Unknown,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// What differs.
    pub change: Difference,
    /// What it is; of what was replaced, what it is now.
    pub kind: EntryKind,
    /// Where it is, or was.
    pub path: FilePath,
    /// Where it was before, if that was elsewhere.
    pub from: Option<FilePath>,
    /// The name that it is a further name of.
    pub link_to: Option<FilePath>,
    /// How many bytes were written into what was there before; some may be as they were.
    pub written: ByteSize,
    /// The size before; of files only.
    pub size_before: Option<ByteSize>,
    /// The size now; of files only.
    pub size_after: Option<ByteSize>,
    /// What of the metadata differs: `mode`, `owner`, `times`, `flags`. Of what is new, nothing.
    pub metadata: Vec<&'static str>,
    /// The extended attributes that differ, access lists among them.
    pub xattrs: Vec<FilePath>,
    /// How many names the file has; only one of them may be listed.
    pub names: u64,
}

/// The lines, by path.
pub(super) fn entries(changes: Vec<Change>, from: &Subvolume, to: &Subvolume) -> Result<Vec<Entry>, JobError> {
    let mut sides = Sides { from, to, successors: BTreeMap::new() };
    let mut entries = Vec::with_capacity(changes.len());
    let (gone, rest): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change.what == What::Deleted);
    for change in gone {
        let deleted = sides.deleted(&change)?;
        match change.successor {
            Some(path) if deleted.kind != EntryKind::Directory => drop(sides.successors.insert(path, deleted)),
            _ => entries.push(deleted),
        }
    }
    for change in rest {
        entries.extend(sides.entry(&change)?);
    }
    entries.extend(sides.successors.into_values());
    entries.sort_by(|one, other| (&one.path, one.change).cmp(&(&other.path, other.change)));
    Ok(entries)
}

struct Sides<'a> {
    from: &'a Subvolume,
    to: &'a Subvolume,
    /// What is gone and had the name of something new, by the path of that.
    successors: BTreeMap<Vec<u8>, Entry>,
}

impl Sides<'_> {
    fn deleted(&self, change: &Change) -> Result<Entry, JobError> {
        let path = path(change.old.as_ref());
        let before = look(self.from, &path)?;
        Ok(Entry { size_before: size(before.as_ref()), ..plain(Difference::Deleted, path, change, before.as_ref()) })
    }

    /// The line of what is there now; `None` when nothing differs that anybody would call a difference.
    fn entry(&mut self, change: &Change) -> Result<Option<Entry>, JobError> {
        let path = path(change.new.as_ref());
        let after = look(self.to, &path)?;
        let fresh = |difference| Entry {
            size_after: size(after.as_ref()),
            ..plain(difference, path.clone(), change, after.as_ref())
        };
        match &change.what {
            What::Created => Ok(Some(self.replacing(fresh(Difference::Created)))),
            What::Linked(to) => {
                Ok(Some(Entry { link_to: Some(FilePath::new(to.as_slice())), ..fresh(Difference::Linked) }))
            }
            What::Renamed => self.changed(change, fresh(Difference::Renamed), after.as_ref()).map(Some),
            What::Changed => {
                let entry = self.changed(change, fresh(Difference::Metadata), after.as_ref())?;
                let differs =
                    entry.change != Difference::Metadata || !entry.metadata.is_empty() || !entry.xattrs.is_empty();
                Ok(differs.then_some(entry))
            }
            What::Deleted => Ok(None),
        }
    }

    /// What is new, if something that is no directory had its name before: another in its place.
    fn replacing(&mut self, entry: Entry) -> Entry {
        if entry.kind == EntryKind::Directory {
            return entry;
        }
        let Some(before) = self.successors.remove(entry.path.as_bytes()) else { return entry };
        let from = (before.path != entry.path).then_some(before.path);
        Entry { change: Difference::Replaced, from, size_before: before.size_before, ..entry }
    }

    /// What was there before as well.
    fn changed(&self, change: &Change, entry: Entry, after: Option<&Look>) -> Result<Entry, JobError> {
        let old = path(change.old.as_ref());
        let before = look(self.from, &old)?;
        let size_before = size(before.as_ref());
        let content = change.content.written > 0 || (change.content.size.is_some() && size_before != entry.size_after);
        let mut metadata = Vec::new();
        let set = &change.metadata;
        let times = set.times && !content && times_differ(change, before.as_ref(), after);
        for (differs, name) in [(set.mode, "mode"), (set.owner, "owner"), (times, "times"), (set.flags, "flags")] {
            metadata.extend(differs.then_some(name));
        }
        let mut xattrs: Vec<FilePath> = set.xattrs.iter().map(|name| FilePath::new(name.as_slice())).collect();
        if set.capability && self.from.attribute(&old, CAPABILITY)? != self.to.attribute(&entry.path, CAPABILITY)? {
            xattrs.push(FilePath::new(CAPABILITY));
        }
        let difference = match entry.change {
            Difference::Metadata if content => Difference::Modified,
            other => other,
        };
        let from = (old != entry.path).then_some(old);
        let written = ByteSize::bytes(change.content.written);
        Ok(Entry { change: difference, from, written, size_before, metadata, xattrs, ..entry })
    }
}

/// A line with nothing but what every line has.
fn plain(change: Difference, path: FilePath, told: &Change, seen: Option<&Look>) -> Entry {
    Entry {
        change,
        kind: kind(told.kind, seen),
        path,
        from: None,
        link_to: None,
        written: ByteSize::ZERO,
        size_before: None,
        size_after: None,
        metadata: Vec::new(),
        xattrs: Vec::new(),
        names: seen.map_or(1, |seen| seen.links),
    }
}

fn path(bytes: Option<&Vec<u8>>) -> FilePath {
    FilePath::new(bytes.map(Vec::as_slice).unwrap_or_default())
}

/// A path that is too long for the system is left without what a look would tell.
fn look(side: &Subvolume, path: &FilePath) -> Result<Option<Look>, JobError> {
    /// `PATH_MAX`
    const LONGEST: usize = 4095;
    if path.as_bytes().len() > LONGEST { Ok(None) } else { Ok(side.look(path)?) }
}

fn size(seen: Option<&Look>) -> Option<ByteSize> {
    seen.filter(|seen| seen.kind == Some(Kind::File)).map(|seen| ByteSize::bytes(seen.size))
}

/// Times are sent with any change, and those of a directory change with each name in it: neither is told.
fn times_differ(change: &Change, before: Option<&Look>, after: Option<&Look>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return true };
    let names_came_and_went = change.entries || after.modified == after.changed;
    let is_directory = after.kind == Some(Kind::Directory);
    before.modified != after.modified && !(is_directory && names_came_and_went)
}

fn kind(told: Option<Kind>, seen: Option<&Look>) -> EntryKind {
    match seen.and_then(|seen| seen.kind).or(told) {
        Some(Kind::File) => EntryKind::File,
        Some(Kind::Directory) => EntryKind::Directory,
        Some(Kind::Symlink) => EntryKind::Symlink,
        Some(Kind::Fifo) => EntryKind::Fifo,
        Some(Kind::Socket) => EntryKind::Socket,
        Some(Kind::Device) => EntryKind::Device,
        None => EntryKind::Unknown,
    }
}
