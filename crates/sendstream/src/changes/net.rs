//! What came of it all: the names of both trees, put beside each other. Pure.

use std::collections::BTreeMap;

use super::tree::{Id, Node, TOP, Tree};
use super::{Change, Content, Kind, Metadata, What};

/// The list, in the order of the paths.
pub(super) fn changes(tree: &Tree) -> Vec<Change> {
    let given = given_names(tree);
    let mut list = Vec::new();
    for (id, node) in tree.nodes() {
        let names = given.get(&id).map(Vec::as_slice).unwrap_or_default();
        describe(tree, id, node, names, &mut list);
    }
    list.sort_by(|one, other| key(one).cmp(key(other)).then_with(|| one.what.cmp(&other.what)));
    list
}

fn key(change: &Change) -> &[u8] {
    change.new.as_deref().or(change.old.as_deref()).unwrap_or_default()
}

/// The names that things have now and did not have before.
fn given_names(tree: &Tree) -> BTreeMap<Id, Vec<Vec<u8>>> {
    let mut given: BTreeMap<Id, Vec<Vec<u8>>> = BTreeMap::new();
    for (directory, node) in tree.nodes() {
        let fresh = |(name, new): (&[u8], Option<Id>)| Some((name.to_vec(), new?));
        let names = node.entries.iter().filter(|(_, entry)| entry.old != entry.new);
        for (name, id) in names.filter_map(|(name, entry)| fresh((name, entry.new))) {
            // A directory without a path was removed; so was all that was in it.
            if let Some(path) = path_in(tree, directory, &name) {
                given.entry(id).or_default().push(path);
            }
        }
    }
    given
}

fn path_in(tree: &Tree, directory: Id, name: &[u8]) -> Option<Vec<u8>> {
    let mut path = tree.directory_path(directory)?;
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    Some(path)
}

fn describe(tree: &Tree, id: Id, node: &Node, given: &[Vec<u8>], list: &mut Vec<Change>) {
    let entries = node.entries.values().any(|entry| entry.old != entry.new);
    let change = |what, old, new| Change {
        what,
        old,
        new,
        kind: node.kind,
        content: node.content,
        metadata: node.metadata.clone(),
        entries,
        successor: None,
    };
    let old = tree.old_path(id);
    let kept = kept_path(tree, id, node);
    let (first, further) = match (old, kept, given.split_first()) {
        (old, Some(kept), _) => {
            if is_changed(node) {
                list.push(change(What::Changed, old, Some(kept.clone())));
            }
            (kept, given)
        }
        (Some(old), None, None) => {
            return list.push(Change { successor: successor(tree, node), ..change(What::Deleted, Some(old), None) });
        }
        (None, None, None) => return,
        (Some(old), None, Some((first, further))) => {
            list.push(change(What::Renamed, Some(old), Some(first.clone())));
            (first.clone(), further)
        }
        (None, None, Some((first, further))) => {
            list.push(change(What::Created, None, Some(first.clone())));
            (first.clone(), further)
        }
    };
    for path in further {
        list.push(Change {
            kind: node.kind.or(Some(Kind::File)),
            ..change(What::Linked(first.clone()), None, Some(path.clone()))
        });
    }
}

/// The path now, where the name is the one in the parent; a directory on the way may have been renamed.
fn kept_path(tree: &Tree, id: Id, node: &Node) -> Option<Vec<u8>> {
    if id == TOP {
        return Some(Vec::new());
    }
    let origin = node.origin.as_ref()?;
    let entry = tree.node(origin.directory).entries.get(&origin.name)?;
    if entry.new == Some(id) { path_in(tree, origin.directory, &origin.name) } else { None }
}

/// Where that is which was made under the name of this one.
fn successor(tree: &Tree, node: &Node) -> Option<Vec<u8>> {
    let origin = node.origin.as_ref()?;
    let made = tree.node(origin.directory).entries.get(&origin.name)?.new?;
    if tree.node(made).is_old { None } else { path_in(tree, origin.directory, &origin.name) }
}

fn is_changed(node: &Node) -> bool {
    node.content != Content::default() || node.metadata != Metadata::default()
}
