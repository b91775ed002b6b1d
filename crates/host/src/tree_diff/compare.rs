//! What became of the inodes that differ: the names of both sides, put beside each other. Pure.
//!
//! It tells what `subvault_sendstream::changes` makes of a stream, also where several names of one file leave a choice: what
//! is written is told of the first name now, and a file is known by its first name before.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use subvault_sendstream::changes::{Change, Content, Kind, Metadata, What};

use super::Compared;
use super::item::{Inode, Place, TOP};
use super::paths::{Paths, join};
use super::reader::Node;

/// An inode that is not the same on both sides.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) number: u64,
    pub(super) before: Option<Node>,
    pub(super) now: Option<Node>,
    /// Whether the number is another's now.
    pub(super) is_reused: bool,
    /// Of what is on both sides.
    pub(super) content: Content,
    /// Of what is on both sides.
    pub(super) metadata: Metadata,
}

/// What differs in the metadata of what is on both sides, but for attributes.
pub(super) fn metadata(before: &Inode, now: &Inode) -> Metadata {
    let is_link = now.kind() == Some(Kind::Symlink);
    Metadata {
        mode: !is_link && before.mode != now.mode,
        owner: before.owner != now.owner,
        times: true,
        flags: !is_link && before.flags != now.flags,
        ..Metadata::default()
    }
}

/// The list, in no order.
///
/// # Errors
/// What asking for a name gives.
pub(super) fn changes<E>(
    pairs: &BTreeMap<u64, Pair>,
    unchanged: impl FnMut(u64) -> Result<Option<Place>, E>,
) -> Result<Vec<Compared>, E> {
    let paths = Paths::new(pairs, unchanged);
    let reused = pairs.values().filter(|pair| pair.is_reused).map(|pair| pair.number).collect();
    let mut names = Names { paths, reused, touched: HashSet::new(), made: HashMap::new() };
    for pair in pairs.values() {
        names.note(pair)?;
    }
    let mut list = Vec::with_capacity(pairs.len());
    for pair in pairs.values() {
        match (&pair.before, &pair.now) {
            (Some(before), Some(now)) if !pair.is_reused => names.changed(pair, before, now, &mut list)?,
            (before, now) => {
                if let Some(before) = before {
                    let gone = before.names.iter().map(|name| names.deleted(pair.number, before, name));
                    list.extend(gone.collect::<Result<Vec<_>, _>>()?);
                }
                if let Some(now) = now {
                    names.created(pair.number, now, &mut list)?;
                }
            }
        }
    }
    Ok(list)
}

struct Names<'p, F> {
    paths: Paths<'p, F>,
    /// The numbers that are another's now.
    reused: BTreeSet<u64>,
    /// The directories in which names came or went.
    touched: HashSet<u64>,
    /// Where what is new is, and its path.
    made: HashMap<Place, Vec<u8>>,
}

impl<F: FnMut(u64) -> Result<Option<Place>, E>, E> Names<'_, F> {
    /// Takes note of the places where something came or went.
    fn note(&mut self, pair: &Pair) -> Result<(), E> {
        let (before, now) = (pair.before.as_ref(), pair.now.as_ref());
        if let (Some(before), Some(now), false) = (before, now, pair.is_reused) {
            let places = self.lost(before, now).into_iter().chain(self.lost(now, before));
            let directories: Vec<u64> = places.map(|place| place.directory).collect();
            self.touched.extend(directories);
            return Ok(());
        }
        let places = before.into_iter().chain(now).flat_map(|node| &node.names);
        self.touched.extend(places.map(|place| place.directory));
        for place in now.map(|now| now.names.as_slice()).unwrap_or_default() {
            if let Some(path) = self.path_now(place)? {
                self.made.insert(place.clone(), path);
            }
        }
        Ok(())
    }

    /// The names in `of` that `other` has not.
    fn lost<'n>(&self, of: &'n Node, other: &Node) -> Vec<&'n Place> {
        // The number of the directory is the same, and the directory is not.
        let kept = |place: &&Place| !self.reused.contains(&place.directory) && other.names.contains(place);
        of.names.iter().filter(|place| !kept(place)).collect()
    }

    fn path_before(&mut self, place: &Place) -> Result<Option<Vec<u8>>, E> {
        Ok(self.paths.before(place.directory)?.map(|directory| join(&directory, &place.name)))
    }

    fn path_now(&mut self, place: &Place) -> Result<Option<Vec<u8>>, E> {
        Ok(self.paths.now(place.directory)?.map(|directory| join(&directory, &place.name)))
    }

    fn deleted(&mut self, number: u64, before: &Node, place: &Place) -> Result<Compared, E> {
        let is_in_another = self.reused.contains(&place.directory);
        let successor = self.made.get(place).filter(|_| !is_in_another).cloned();
        let change = Change { old: self.path_before(place)?, successor, ..plain(What::Deleted, before.inode.kind()) };
        Ok(Compared { change, before: Some(before.inode.look(number)), after: None })
    }

    fn created(&mut self, number: u64, now: &Node, list: &mut Vec<Compared>) -> Result<(), E> {
        let paths = now.names.iter().map(|place| self.path_now(place)).collect::<Result<Vec<_>, _>>()?;
        let mut paths: Vec<Vec<u8>> = paths.into_iter().flatten().collect();
        paths.sort_unstable();
        let mut paths = paths.into_iter();
        let Some(first) = paths.next() else { return Ok(()) };
        let after = Some(now.inode.look(number));
        let of = |what, path| Compared {
            change: Change { new: Some(path), ..plain(what, now.inode.kind()) },
            before: None,
            after,
        };
        list.extend(paths.map(|path| of(What::Linked(first.clone()), path)));
        list.push(of(What::Created, first.clone()));
        Ok(())
    }

    fn changed(&mut self, pair: &Pair, before: &Node, now: &Node, list: &mut Vec<Compared>) -> Result<(), E> {
        let seen = |change| Compared {
            change,
            before: Some(before.inode.look(pair.number)),
            after: Some(now.inode.look(pair.number)),
        };
        let told = |what, old, new| Change {
            old,
            new,
            content: pair.content,
            metadata: pair.metadata.clone(),
            entries: self.touched.contains(&pair.number),
            ..plain(what, now.inode.kind())
        };
        if pair.number == TOP {
            list.push(seen(told(What::Changed, Some(Vec::new()), Some(Vec::new()))));
            return Ok(());
        }
        let (Some(known), Some(written)) = (before.names.first(), now.names.first()) else { return Ok(()) };
        let changed = told(What::Changed, None, None);
        let (lost, gained) = (self.lost(before, now), self.lost(now, before));
        let gained_paths = gained.iter().map(|place| self.path_now(place)).collect::<Result<Vec<_>, _>>()?;
        let mut paths: Vec<Vec<u8>> = gained_paths.into_iter().flatten().collect();
        paths.sort_unstable();
        let is_renamed = lost.contains(&known) && !paths.is_empty();
        let first = if is_renamed { Some(paths.remove(0)) } else { self.path_now(known)? };
        let is_written_there = written == known || gained.contains(&written);
        if is_renamed {
            let mut renamed =
                Change { what: What::Renamed, old: self.path_before(known)?, new: first.clone(), ..changed.clone() };
            if !is_written_there {
                (renamed.content, renamed.metadata) = (Content::default(), Metadata::default());
            }
            list.push(seen(renamed));
        }
        if !is_renamed || !is_written_there {
            let place = if gained.contains(&written) { known } else { written };
            list.push(seen(Change { old: self.path_before(place)?, new: self.path_now(place)?, ..changed }));
        }
        if let Some(first) = first {
            list.extend(
                paths.into_iter().map(|path| {
                    seen(Change { new: Some(path), ..plain(What::Linked(first.clone()), now.inode.kind()) })
                }),
            );
        }
        for place in lost.into_iter().filter(|place| !is_renamed || *place != known) {
            list.push(self.deleted(pair.number, before, place)?);
        }
        Ok(())
    }
}

/// A change with nothing but what every change has.
fn plain(what: What, kind: Option<Kind>) -> Change {
    Change {
        what,
        old: None,
        new: None,
        kind,
        content: Content::default(),
        metadata: Metadata::default(),
        entries: false,
        successor: None,
    }
}

/// Attributes that are not the same: the names of all but the file capability, and whether that is another now.
pub(super) fn xattrs(before: Vec<(Vec<u8>, Vec<u8>)>, now: Vec<(Vec<u8>, Vec<u8>)>) -> (BTreeSet<Vec<u8>>, bool) {
    const CAPABILITY: &[u8] = b"security.capability";
    let mut before: BTreeMap<_, _> = before.into_iter().collect();
    let mut differ = BTreeSet::new();
    for (name, value) in now {
        if before.remove(&name).is_none_or(|old| old != value) {
            differ.insert(name);
        }
    }
    // One that is gone is told like any other.
    let capability = differ.remove(CAPABILITY);
    differ.extend(before.into_keys());
    (differ, capability)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(generation: u64, mode: u32, names: &[(u64, &str)]) -> Node {
        let mut item = [0; 160];
        item[..8].copy_from_slice(&generation.to_le_bytes());
        item[40] = 1;
        item[52..56].copy_from_slice(&mode.to_le_bytes());
        let names = names.iter().map(|(directory, name)| Place { directory: *directory, name: name.as_bytes().into() });
        Node { inode: Inode::read(&item).unwrap(), names: names.collect() }
    }

    const FILE: u32 = 0o100_644;
    const DIRECTORY: u32 = 0o040_755;

    fn pair(number: u64, before: Option<Node>, now: Option<Node>) -> (u64, Pair) {
        let (content, metadata) = (Content::default(), Metadata::default());
        let is_reused = before.as_ref().zip(now.as_ref()).is_some_and(|(before, now)| before.inode != now.inode);
        (number, Pair { number, before, now, is_reused, content, metadata })
    }

    /// The list, as lines.
    fn told(pairs: Vec<(u64, Pair)>) -> Vec<String> {
        let name =
            |number: u64| Ok::<_, ()>(Some(Place { directory: TOP, name: format!("d{number}").as_bytes().into() }));
        let list = changes(&pairs.into_iter().collect(), name).unwrap();
        let path = |path: &Option<Vec<u8>>| path.as_ref().map_or(String::new(), |path| path.escape_ascii().to_string());
        let line = |Compared { change, .. }: &Compared| {
            let what = match &change.what {
                What::Linked(to) => format!("Linked to {}", to.escape_ascii()),
                what => format!("{what:?}"),
            };
            format!("{what} {} > {} {}", path(&change.old), path(&change.new), path(&change.successor))
        };
        let mut lines: Vec<String> = list.iter().map(|one| line(one).trim_end().to_owned()).collect();
        lines.sort();
        lines
    }

    #[test]
    fn names_are_told_in_terms_of_both_sides() {
        let file = |names: &[(u64, &str)]| Some(node(1, FILE, names));
        let table = [
            (vec![pair(300, None, file(&[(TOP, "b"), (TOP, "a")]))], &["Created  > a", "Linked to a  > b"][..]),
            (vec![pair(300, file(&[(TOP, "a")]), file(&[(400, "b")]))], &["Renamed a > d400/b"]),
            (vec![pair(300, file(&[(TOP, "a"), (TOP, "b")]), file(&[(TOP, "a")]))], &["Changed a > a", "Deleted b >"]),
            (
                vec![pair(300, file(&[(TOP, "a"), (TOP, "b")]), file(&[(TOP, "b"), (TOP, "c")]))],
                &["Changed b > b", "Renamed a > c"],
            ),
            // Below a directory that has another name, only that is told.
            (
                vec![
                    pair(300, Some(node(1, DIRECTORY, &[(TOP, "old")])), Some(node(1, DIRECTORY, &[(TOP, "new")]))),
                    pair(301, file(&[(300, "in")]), file(&[(300, "in")])),
                ],
                &["Changed old/in > new/in", "Renamed old > new"],
            ),
            // Another in its place; and a number that is used again.
            (
                vec![pair(300, file(&[(TOP, "a")]), None), pair(301, None, file(&[(TOP, "a")]))],
                &["Created  > a", "Deleted a >  a"],
            ),
            (
                vec![pair(300, file(&[(TOP, "a")]), Some(node(2, DIRECTORY, &[(TOP, "b")])))],
                &["Created  > b", "Deleted a >"],
            ),
        ];
        for (pairs, expected) in table {
            assert_eq!(told(pairs), expected);
        }
    }
}
