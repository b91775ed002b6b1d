//! One line of a comparison: what has changed, with what a look at both sides tells. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use subvault_host::look::Look;
use subvault_host::tree_diff::Compared;
use subvault_model::bytesize::ByteSize;
use subvault_model::file_path::FilePath;
use subvault_sendstream::changes::{Change, Kind, What};

/// The attribute that is told apart from the others, since it is sent whether it has changed or not.
pub(super) const CAPABILITY: &str = "security.capability";

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
pub(super) fn entries(compared: Vec<Compared>) -> Vec<Entry> {
    let mut entries = Vec::with_capacity(compared.len());
    // What is gone and had the name of something new, by the path of that.
    let mut successors: BTreeMap<Vec<u8>, Entry> = BTreeMap::new();
    let (gone, rest): (Vec<_>, Vec<_>) = compared.into_iter().partition(|one| one.change.what == What::Deleted);
    for one in gone {
        let deleted = deleted(&one);
        match one.change.successor {
            Some(path) if deleted.kind != EntryKind::Directory => drop(successors.insert(path, deleted)),
            _ => entries.push(deleted),
        }
    }
    for one in rest {
        entries.extend(entry(&one, &mut successors));
    }
    entries.extend(successors.into_values());
    entries.sort_by(|one, other| (&one.path, one.change).cmp(&(&other.path, other.change)));
    entries
}

fn deleted(one: &Compared) -> Entry {
    let path = path(one.change.old.as_ref());
    let before = one.before.as_ref();
    Entry { size_before: size(before), ..plain(Difference::Deleted, path, &one.change, before) }
}

/// The line of what is there now; `None` when nothing differs that anybody would call a difference.
fn entry(one: &Compared, successors: &mut BTreeMap<Vec<u8>, Entry>) -> Option<Entry> {
    let path = path(one.change.new.as_ref());
    let after = one.after.as_ref();
    let fresh = |difference| Entry { size_after: size(after), ..plain(difference, path.clone(), &one.change, after) };
    match &one.change.what {
        What::Created => Some(replacing(fresh(Difference::Created), successors)),
        What::Linked(to) => Some(Entry { link_to: Some(FilePath::new(to.as_slice())), ..fresh(Difference::Linked) }),
        What::Renamed => Some(changed(one, fresh(Difference::Renamed))),
        What::Changed => {
            let entry = changed(one, fresh(Difference::Metadata));
            let differs =
                entry.change != Difference::Metadata || !entry.metadata.is_empty() || !entry.xattrs.is_empty();
            differs.then_some(entry)
        }
        What::Deleted => None,
    }
}

/// What is new, if something that is no directory had its name before: another in its place.
fn replacing(entry: Entry, successors: &mut BTreeMap<Vec<u8>, Entry>) -> Entry {
    if entry.kind == EntryKind::Directory {
        return entry;
    }
    let Some(before) = successors.remove(entry.path.as_bytes()) else { return entry };
    let from = (before.path != entry.path).then_some(before.path);
    Entry { change: Difference::Replaced, from, size_before: before.size_before, ..entry }
}

/// What was there before as well.
fn changed(one: &Compared, entry: Entry) -> Entry {
    let change = &one.change;
    let old = path(change.old.as_ref());
    let size_before = size(one.before.as_ref());
    let content = change.content.written > 0 || (change.content.size.is_some() && size_before != entry.size_after);
    let mut metadata = Vec::new();
    let set = &change.metadata;
    let times = set.times && !content && times_differ(one);
    for (differs, name) in [(set.mode, "mode"), (set.owner, "owner"), (times, "times"), (set.flags, "flags")] {
        metadata.extend(differs.then_some(name));
    }
    let mut xattrs: Vec<FilePath> = set.xattrs.iter().map(|name| FilePath::new(name.as_slice())).collect();
    xattrs.extend(set.capability.then(|| FilePath::new(CAPABILITY)));
    let difference = match entry.change {
        Difference::Metadata if content => Difference::Modified,
        other => other,
    };
    let from = (old != entry.path).then_some(old);
    let written = ByteSize::bytes(change.content.written);
    Entry { change: difference, from, written, size_before, metadata, xattrs, ..entry }
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

fn size(seen: Option<&Look>) -> Option<ByteSize> {
    seen.filter(|seen| seen.kind == Some(Kind::File)).map(|seen| ByteSize::bytes(seen.size))
}

/// Times are sent with any change, and those of a directory change with each name in it: neither is told.
fn times_differ(one: &Compared) -> bool {
    let (Some(before), Some(after)) = (one.before, one.after) else { return true };
    let names_came_and_went = one.change.entries || after.modified == after.changed;
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
