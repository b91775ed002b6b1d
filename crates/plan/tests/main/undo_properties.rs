//! Trees that are changed at random and taken back: what `undo` plans, done to a tree in memory, gives what was before.
//!
//! The tree refuses what a file system would refuse. What the changes are is found out here as a comparison of snapshots
//! tells it: net, by inode, without what only lies below a renamed directory. Hard links are none of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use proptest::prelude::*;
use subvault_model::bytesize::ByteSize;
use subvault_model::file::{FileKind, FileState};
use subvault_plan::bring_back::TreeSize;
use subvault_plan::file_step::FileStep;
use subvault_plan::undo::{Change, Now, Seen, plan};

/// What is done to a tree. Numbers choose among what there is.
#[derive(Debug, Clone, Copy)]
enum Act {
    File(usize, usize),
    Directory(usize, usize),
    Remove(usize),
    Rename(usize, usize, usize),
    Exchange(usize, usize),
    Write(usize),
    Mode(usize),
}

/// An inode: what it is, what it holds, and who may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Node {
    inode: u64,
    kind: FileKind,
    /// Of a directory, its times: no two that are made are the same.
    content: u64,
    mode: u32,
}

impl Node {
    fn is_directory(&self) -> bool {
        self.kind == FileKind::Directory
    }

    /// What can be told of it from outside.
    fn shown(&self) -> (FileKind, u64, u32) {
        (self.kind, self.content, self.mode)
    }

    fn state(&self) -> FileState {
        FileState {
            kind: self.kind,
            inode: self.inode,
            size: ByteSize::bytes(self.content),
            mode: self.mode,
            uid: 0,
            gid: 0,
            links: 1,
            modified: Timestamp::UNIX_EPOCH,
            changed: Timestamp::UNIX_EPOCH,
        }
    }
}

/// A tree: what is at each path. The top is there and has no line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Tree(BTreeMap<PathBuf, Node>);

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

impl Tree {
    fn shown(&self) -> BTreeMap<&Path, (FileKind, u64, u32)> {
        self.0.iter().map(|(path, node)| (path.as_path(), node.shown())).collect()
    }

    fn has_directory(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || self.0.get(path).is_some_and(Node::is_directory)
    }

    fn is_free(&self, path: &Path) -> bool {
        !self.0.contains_key(path) && self.has_directory(path.parent().unwrap())
    }

    /// A path in one of the directories.
    fn place(&self, directory: usize, name: usize) -> PathBuf {
        let directories: Vec<&Path> =
            self.0.iter().filter(|(_, n)| n.is_directory()).map(|(p, _)| p.as_path()).collect();
        let above = directories.get(directory % (directories.len() + 1)).copied().unwrap_or(Path::new(""));
        above.join(NAMES[name % NAMES.len()])
    }

    fn nth(&self, index: usize) -> Option<PathBuf> {
        self.0.keys().nth(index % self.0.len().max(1)).cloned()
    }

    /// Takes out something with all that is in it; paths below it.
    fn cut(&mut self, path: &Path) -> Vec<(PathBuf, Node)> {
        let inside: Vec<PathBuf> = self.0.keys().filter(|other| other.starts_with(path)).cloned().collect();
        let below = |at: PathBuf, node| (at.strip_prefix(path).unwrap().to_owned(), node);
        inside
            .into_iter()
            .map(|at| (at.clone(), self.0.remove(&at).unwrap()))
            .map(|(at, node)| below(at, node))
            .collect()
    }

    fn paste(&mut self, path: &Path, what: Vec<(PathBuf, Node)>) {
        for (below, node) in what {
            self.0.insert(if below.as_os_str().is_empty() { path.to_owned() } else { path.join(below) }, node);
        }
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        let what = self.cut(from);
        self.paste(to, what);
    }

    fn exchange(&mut self, one: &Path, other: &Path) {
        let (what, with) = (self.cut(one), self.cut(other));
        self.paste(other, what);
        self.paste(one, with);
    }

    fn act(&mut self, act: Act, number: u64) {
        let new = |kind| Node { inode: 256 + number, kind, content: number, mode: 0o644 };
        match act {
            Act::File(directory, name) => {
                let path = self.place(directory, name);
                if self.is_free(&path) {
                    self.0.insert(path, new(FileKind::File));
                }
            }
            Act::Directory(directory, name) => {
                let path = self.place(directory, name);
                if self.is_free(&path) {
                    self.0.insert(path, new(FileKind::Directory));
                }
            }
            Act::Remove(index) => drop(self.nth(index).map(|path| self.cut(&path))),
            Act::Rename(index, directory, name) => {
                let (from, to) = (self.nth(index), self.place(directory, name));
                if let Some(from) = from.filter(|from| self.is_free(&to) && !to.starts_with(from)) {
                    self.rename(&from, &to);
                }
            }
            Act::Exchange(one, other) => {
                let pair = self.nth(one).zip(self.nth(other));
                if let Some((one, other)) =
                    pair.filter(|(one, other)| !one.starts_with(other) && !other.starts_with(one))
                {
                    self.exchange(&one, &other);
                }
            }
            Act::Write(index) => {
                let node = self.nth(index).and_then(|path| self.0.get_mut(&path));
                node.filter(|node| !node.is_directory()).into_iter().for_each(|node| node.content = number);
            }
            Act::Mode(index) => {
                let node = self.nth(index).and_then(|path| self.0.get_mut(&path));
                node.into_iter().for_each(|node| node.mode = 0o600);
            }
        }
    }

    /// Does a step, as far as a file system would; `before` is the snapshot that things come from.
    fn perform(&mut self, step: &FileStep, before: &Self, number: u64) {
        let is_there = |tree: &Self, path: &Path, there: &FileState| {
            assert_eq!(tree.0.get(path).map(|node| node.inode), Some(there.inode), "{step}");
        };
        match step {
            FileStep::KeepState { .. } => {}
            FileStep::Remove { path, there } => {
                is_there(self, path, there);
                assert_eq!(self.cut(path).len(), 1, "{step}: it is not empty");
            }
            FileStep::Rename { from, to, there } => {
                is_there(self, from, there);
                assert!(self.is_free(to) && !to.starts_with(from), "{step}");
                self.rename(from, to);
            }
            FileStep::Exchange { from, to, there } => {
                is_there(self, from, there);
                assert!(self.0.contains_key(to) && !to.starts_with(from) && !from.starts_with(to), "{step}");
                self.exchange(from, to);
            }
            FileStep::MakeDirectory { from, to } => {
                assert!(self.is_free(to), "{step}");
                self.0.insert(to.clone(), Node { inode: 100_000 + number, ..before.0[from] });
            }
            FileStep::Create { from, to, .. } => {
                assert!(self.is_free(to), "{step}");
                let mut what = before.clone().cut(from);
                what.iter_mut().zip(1..).for_each(|((_, node), n)| node.inode = 100_000 + 1000 * number + n);
                self.paste(to, what);
            }
            FileStep::Replace { from, to, there, .. } => {
                is_there(self, to, there);
                assert!(!self.0[to].is_directory() && !before.0[from].is_directory(), "{step}");
                self.0.insert(to.clone(), Node { inode: 100_000 + number, ..before.0[from] });
            }
            FileStep::SetAttributes { from, to, there } => {
                is_there(self, to, there);
                let (node, was) = (self.0.get_mut(to).unwrap(), before.0[from]);
                node.mode = was.mode;
                if node.is_directory() {
                    node.content = was.content;
                }
            }
            other => panic!("{other} is none of this"),
        }
    }
}

/// Where each inode is: in which directory, by its inode, under which name.
fn names(tree: &Tree) -> BTreeMap<u64, (u64, PathBuf, &Path, Node)> {
    let above = |path: &Path| tree.0.get(path.parent().unwrap()).map_or(0, |node| node.inode);
    let line = |(path, node): (&'_ PathBuf, &Node)| (above(path), PathBuf::from(path.file_name().unwrap()), *node);
    tree.0
        .iter()
        .map(|at| (at, line(at)))
        .map(|((path, _), (up, name, n))| (n.inode, (up, name, path.as_path(), n)))
        .collect()
}

/// What came from one tree to the other, as a comparison tells it, with nothing done since.
fn changes(before: &Tree, after: &Tree) -> Vec<Change> {
    let (old, new) = (names(before), names(after));
    let seen = |path: &Path, node: &Node| Some(Seen { path: path.to_owned(), state: node.state() });
    let mut found = Vec::new();
    let mut push = |one: Option<(&Path, Node)>, other: Option<(&Path, Node)>| {
        let differs =
            |what: fn(&Node, &Node) -> bool| one.zip(other).is_none_or(|((_, one), (_, other))| what(&one, &other));
        let content =
            differs(|one, other| one.inode != other.inode || (!one.is_directory() && one.content != other.content));
        let attributes = differs(|one, other| {
            one.inode != other.inode || one.mode != other.mode || one.is_directory() && one.content != other.content
        });
        let now = match (one, other) {
            // Another of the same name that holds the same is as good as what was there.
            (Some((path, node)), None) if after.0.get(path).is_some_and(|there| there.shown() == node.shown()) => {
                Now::AsBefore
            }
            (None, Some((path, node))) if before.0.get(path).is_some_and(|was| was.shown() == node.shown()) => {
                Now::AsBefore
            }
            (Some((path, one)), Some((at, other))) if path == at && one.shown() == other.shown() => Now::AsBefore,
            (_, Some((at, _))) => Now::AsAfter(at.to_owned()),
            (Some((at, _)), None) => Now::AsAfter(at.to_owned()),
            (None, None) => unreachable!(),
        };
        let (before, after) = (one.and_then(|(p, n)| seen(p, &n)), other.and_then(|(p, n)| seen(p, &n)));
        found.push(Change { before, size: TreeSize::default(), after, content, attributes, now, wanted: true });
    };
    let mut replaced = Vec::new();
    for (inode, (up, name, path, node)) in &old {
        match new.get(inode) {
            None => {
                let heir = new.values().find(|(u, n, _, other)| {
                    (u, n) == (up, name)
                        && !old.contains_key(&other.inode)
                        && !other.is_directory()
                        && !node.is_directory()
                });
                replaced.extend(heir.map(|(.., other)| other.inode));
                push(Some((path, *node)), heir.map(|(_, _, path, other)| (*path, *other)));
            }
            Some((other_up, other_name, at, other)) => {
                if (up, name) != (other_up, other_name) || node != other {
                    push(Some((path, *node)), Some((at, *other)));
                }
            }
        }
    }
    for (inode, (_, _, path, node)) in new.iter().filter(|(inode, _)| !old.contains_key(inode)) {
        if !replaced.contains(inode) {
            push(None, Some((path, *node)));
        }
    }
    let place = |change: &Change| change.after.as_ref().or(change.before.as_ref()).map(|seen| seen.path.clone());
    found.sort_by_key(place);
    found
}

/// The tree with the changes since `before` taken back.
fn undone(before: &Tree, after: &Tree, round: u64) -> Tree {
    let undo = plan(&changes(before, after), false, &"home.20261120T221500Z".parse().unwrap());
    assert_eq!(undo.conflicts, [], "nothing was changed again");
    let mut tree = after.clone();
    for (step, number) in undo.steps.iter().zip(1..) {
        tree.perform(step, before, round * 1000 + number);
    }
    assert_eq!(tree.shown(), before.shown(), "{:#?}", undo.steps);
    tree
}

/// Whether something has the same path in another directory, which a comparison by paths does not tell.
fn hides_a_move(before: &Tree, after: &Tree) -> bool {
    let (old, new) = (names(before), names(after));
    old.iter()
        .any(|(inode, (up, _, path, _))| new.get(inode).is_some_and(|(other, _, at, _)| up != other && path == at))
}

fn acts(most: usize) -> impl Strategy<Value = Vec<Act>> {
    let n = || 0..12_usize;
    let act = prop_oneof![
        3 => (n(), n()).prop_map(|(directory, name)| Act::File(directory, name)),
        3 => (n(), n()).prop_map(|(directory, name)| Act::Directory(directory, name)),
        2 => n().prop_map(Act::Remove),
        4 => (n(), n(), n()).prop_map(|(index, directory, name)| Act::Rename(index, directory, name)),
        2 => (n(), n()).prop_map(|(one, other)| Act::Exchange(one, other)),
        1 => n().prop_map(Act::Write),
        1 => n().prop_map(Act::Mode),
    ];
    prop::collection::vec(act, 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_undone_is_as_before_and_can_be_undone_in_turn(first in acts(16), then in acts(10)) {
        let mut before = Tree::default();
        first.iter().zip(0..).for_each(|(act, number)| before.act(*act, number));
        let mut after = before.clone();
        then.iter().zip(1000..).for_each(|(act, number)| after.act(*act, number));
        prop_assume!(!hides_a_move(&before, &after));
        let back = undone(&before, &after, 1);
        prop_assume!(!hides_a_move(&after, &back));
        undone(&after, &back, 2);
    }
}
