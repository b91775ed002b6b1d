//! The paths of directories on both sides. Pure.
//!
//! A directory that does not differ has the same name on both sides, so that it is asked for once.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::compare::Pair;
use super::item::{Place, TOP};
use super::reader::Node;

/// Deeper is only what leads back to itself, in a pool that is damaged.
const DEEPEST: usize = 1 << 20;

/// A path; `None` for a directory that is not on that side.
type Known = HashMap<u64, Option<Rc<[u8]>>>;

/// All directories.
pub(super) struct Paths<'p, F> {
    pairs: &'p BTreeMap<u64, Pair>,
    /// The names of directories that do not differ.
    unchanged: F,
    names: HashMap<u64, Option<Place>>,
    before: Known,
    now: Known,
}

impl<'p, F: FnMut(u64) -> Result<Option<Place>, E>, E> Paths<'p, F> {
    pub(super) fn new(pairs: &'p BTreeMap<u64, Pair>, unchanged: F) -> Self {
        let top: Known = HashMap::from([(TOP, Some(Rc::default()))]);
        Self { pairs, unchanged, names: HashMap::new(), before: top.clone(), now: top }
    }

    pub(super) fn before(&mut self, directory: u64) -> Result<Option<Rc<[u8]>>, E> {
        let mut known = std::mem::take(&mut self.before);
        let path = self.path(&mut known, directory, |pair| pair.before.as_ref());
        self.before = known;
        path
    }

    pub(super) fn now(&mut self, directory: u64) -> Result<Option<Rc<[u8]>>, E> {
        let mut known = std::mem::take(&mut self.now);
        let path = self.path(&mut known, directory, |pair| pair.now.as_ref());
        self.now = known;
        path
    }

    fn path(
        &mut self,
        known: &mut Known,
        directory: u64,
        side: impl Fn(&Pair) -> Option<&Node>,
    ) -> Result<Option<Rc<[u8]>>, E> {
        let mut way: Vec<(u64, Place)> = Vec::new();
        let mut at = directory;
        let mut path = loop {
            if let Some(path) = known.get(&at) {
                break path.clone();
            }
            let place = match self.pairs.get(&at) {
                Some(pair) => side(pair).and_then(|node| node.names.first().cloned()),
                None => self.name(at)?,
            };
            let Some(place) = place.filter(|_| way.len() < DEEPEST) else { break None };
            let above = place.directory;
            way.push((at, place));
            at = above;
        };
        if way.is_empty() {
            known.insert(directory, path.clone());
        }
        for (number, place) in way.into_iter().rev() {
            path = path.map(|path| join(&path, &place.name).into());
            known.insert(number, path.clone());
        }
        Ok(path)
    }

    fn name(&mut self, directory: u64) -> Result<Option<Place>, E> {
        if let Some(known) = self.names.get(&directory) {
            return Ok(known.clone());
        }
        let name = (self.unchanged)(directory)?;
        self.names.insert(directory, name.clone());
        Ok(name)
    }
}

/// A path and a name in it.
pub(super) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let slash: &[u8] = if directory.is_empty() { b"" } else { b"/" };
    [directory, slash, name].concat()
}
