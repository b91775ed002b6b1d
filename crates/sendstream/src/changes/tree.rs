//! The part of both trees that a stream names: which name stood for what in the parent, and stands for what now.
//!
//! What the stream does not name is as it was: a name that is looked up for the first time in a directory of the parent
//! is taken to be in the parent. So a renamed directory takes along what is in it without anything being done.
//!
//! Invariant: from each directory that is reached, the way up ends at the top; following it ends. Pure.

use std::collections::BTreeMap;

use super::{Content, Kind, Metadata};

/// The number of a node.
pub(super) type Id = usize;

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) directory: Id,
    pub(super) name: Box<[u8]>,
}

/// What a name stands for: in the parent, and at this point of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) old: Option<Id>,
    pub(super) new: Option<Id>,
}

/// A file, directory or other object.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Whether it is in the parent.
    pub(super) is_old: bool,
    /// Its name in the parent by which it was first met; `None` for the top and for what is new.
    pub(super) origin: Option<Place>,
    /// Its present name; of a file with several, one of them.
    pub(super) place: Option<Place>,
    /// The names in it that the stream mentions.
    pub(super) entries: BTreeMap<Box<[u8]>, Entry>,
    pub(super) kind: Option<Kind>,
    pub(super) content: Content,
    pub(super) metadata: Metadata,
}

/// The tree as far as it is known.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

/// The top directory.
pub(super) const TOP: Id = 0;

const ABSENT: &str = "is not there";

impl Tree {
    /// Everything is as in the parent.
    pub(super) fn of_parent() -> Self {
        let top = Node { is_old: true, kind: Some(Kind::Directory), ..Node::default() };
        Self { nodes: vec![top] }
    }

    /// There is nothing yet but the top.
    pub(super) fn empty() -> Self {
        let top = Node { kind: Some(Kind::Directory), ..Node::default() };
        Self { nodes: vec![top] }
    }

    /// All nodes with their numbers.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (Id, &Node)> {
        self.nodes.iter().enumerate()
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    /// What a path stands for now.
    pub(super) fn find(&mut self, path: &[u8]) -> Result<&mut Node, &'static str> {
        let id = self.get(path)?;
        Ok(&mut self.nodes[id])
    }

    pub(super) fn create(&mut self, path: &[u8], kind: Kind) -> Result<(), &'static str> {
        let place = self.place_of(path)?;
        let id = self.add(Node { kind: Some(kind), ..Node::default() });
        self.put(place, id)
    }

    pub(super) fn link(&mut self, path: &[u8], existing: &[u8]) -> Result<(), &'static str> {
        let id = self.get(existing)?;
        let place = self.place_of(path)?;
        self.put(place, id)
    }

    pub(super) fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), &'static str> {
        if from == to {
            return self.get(from).map(|_| ());
        }
        let (source, place) = (self.place_of(from)?, self.place_of(to)?);
        let id = self.take(&source)?;
        if self.is_within(place.directory, id) {
            return Err("would come to lie in itself");
        }
        self.put(place, id)
    }

    pub(super) fn remove(&mut self, path: &[u8]) -> Result<(), &'static str> {
        let place = self.place_of(path)?;
        self.take(&place).map(|_| ())
    }

    /// The path in the parent; `None` for what is not in it.
    pub(super) fn old_path(&self, id: Id) -> Option<Vec<u8>> {
        self.path(id, |node| node.origin.as_ref()).filter(|_| self.nodes[id].is_old)
    }

    /// The present path of a directory; `None` when it has none any more.
    pub(super) fn directory_path(&self, id: Id) -> Option<Vec<u8>> {
        self.path(id, |node| node.place.as_ref())
    }

    fn path<'a>(&'a self, id: Id, up: impl Fn(&'a Node) -> Option<&'a Place>) -> Option<Vec<u8>> {
        let mut names: Vec<&[u8]> = Vec::new();
        let mut at = id;
        while at != TOP {
            let place = up(&self.nodes[at])?;
            names.push(&place.name);
            at = place.directory;
        }
        names.reverse();
        Some(names.join(&b'/'))
    }

    /// Whether the directory is `outer` or lies below it.
    fn is_within(&self, directory: Id, outer: Id) -> bool {
        let mut at = Some(directory);
        while let Some(id) = at {
            if id == outer {
                return true;
            }
            at = self.nodes[id].place.as_ref().map(|place| place.directory);
        }
        false
    }

    fn add(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// The directory that a path lies in, and its last name.
    fn place_of(&mut self, path: &[u8]) -> Result<Place, &'static str> {
        let (directory, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (self.get(&path[..slash])?, &path[slash + 1..]),
            None => (TOP, path),
        };
        self.nodes[directory].kind = Some(Kind::Directory);
        Ok(Place { directory, name: name.into() })
    }

    fn get(&mut self, path: &[u8]) -> Result<Id, &'static str> {
        let mut at = TOP;
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            at = self.step(at, name)?;
        }
        Ok(at)
    }

    /// What a name in a directory stands for now.
    fn step(&mut self, directory: Id, name: &[u8]) -> Result<Id, &'static str> {
        let node = &mut self.nodes[directory];
        if let Some(entry) = node.entries.get(name) {
            return entry.new.ok_or(ABSENT);
        }
        if !node.is_old {
            return Err(ABSENT);
        }
        node.kind = Some(Kind::Directory);
        let place = Place { directory, name: name.into() };
        let met = Node { is_old: true, origin: Some(place.clone()), place: Some(place), ..Node::default() };
        let id = self.add(met);
        self.nodes[directory].entries.insert(name.into(), Entry { old: Some(id), new: Some(id) });
        Ok(id)
    }

    fn put(&mut self, place: Place, id: Id) -> Result<(), &'static str> {
        let entries = &mut self.nodes[place.directory].entries;
        let entry = entries.entry(place.name.clone()).or_insert(Entry { old: None, new: None });
        if entry.new.is_some_and(|other| other != id) {
            return Err("is there already");
        }
        entry.new = Some(id);
        self.nodes[id].place = Some(place);
        Ok(())
    }

    fn take(&mut self, place: &Place) -> Result<Id, &'static str> {
        let id = self.step(place.directory, &place.name)?;
        let entries = &mut self.nodes[place.directory].entries;
        match entries.get_mut(&place.name) {
            Some(Entry { old: None, .. }) => drop(entries.remove(&place.name)),
            Some(entry) => entry.new = None,
            None => {}
        }
        let node = &mut self.nodes[id];
        if node.place.as_ref() == Some(place) {
            node.place = None;
        }
        Ok(id)
    }
}
