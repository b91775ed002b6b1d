//! What must be so of a store at any moment, and of a machine after everything was tidied up. All documents are read
//! with a JSON reader, and hashes are what `sha256sum` says: nothing of subvault's own reading is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::world::{contents, names};

/// Objects by key.
pub(crate) type Objects = BTreeMap<String, Vec<u8>>;

/// The manifests that were ever seen, as they were.
#[derive(Default)]
pub(crate) struct Seen(BTreeMap<String, Value>);

impl Seen {
    /// No stream is visible that is not all there: for each manifest, each chunk is there at its size, and, where
    /// `deep`, with its hash; what it builds on is visible too. A manifest that was seen never changes.
    pub(crate) fn whole(&mut self, objects: &Objects, deep: bool) {
        for (key, body) in objects.iter().filter(|(key, _)| key.ends_with("/manifest.json")) {
            let manifest = document(body);
            let same = self.0.entry(key.clone()).or_insert_with(|| manifest.clone());
            assert_eq!(*same, manifest, "{key} has changed");
            if let Some(parent) = manifest["parent"]["stream"].as_str() {
                let parent = format!("{}/{parent}/manifest.json", key.rsplitn(3, '/').nth(2).unwrap());
                assert!(objects.contains_key(&parent), "{key} builds on {parent}, which is not there");
            }
            for (name, chunk) in chunks(key, &manifest) {
                let bytes = objects.get(&name).unwrap_or_else(|| panic!("{name} is missing"));
                assert_eq!(bytes.len() as u64, chunk["bytes"].as_u64().unwrap(), "{name}");
                if deep {
                    assert_eq!(sha256(bytes), chunk["sha256"].as_str().unwrap(), "{name}");
                }
            }
        }
    }

    /// Parts that all streams were sent in that are larger than one.
    pub(crate) fn parts(&self) -> usize {
        let parts = |manifest: &Value| {
            let chunks = manifest["chunks"].as_array().unwrap().iter();
            chunks.map(|chunk| chunk["units"].as_array().unwrap().len()).sum::<usize>()
        };
        self.0.values().map(parts).filter(|parts| *parts > 1).sum()
    }
}

fn chunks<'a>(key: &str, manifest: &'a Value) -> impl Iterator<Item = (String, &'a Value)> {
    let folder = key.strip_suffix("manifest.json").unwrap().to_owned();
    let chunks = manifest["chunks"].as_array().unwrap().iter();
    chunks.map(move |chunk| (format!("{folder}{}", chunk["file"].as_str().unwrap()), chunk))
}

/// There is nothing but what manifests name, and what says where these are.
pub(crate) fn all_named(objects: &Objects) {
    let mut named = BTreeSet::new();
    for (key, body) in objects.iter().filter(|(key, _)| key.ends_with("/manifest.json")) {
        named.insert(key.clone());
        named.extend(chunks(key, &document(body)).map(|(name, _)| name));
    }
    let known = |key: &str| key.ends_with("/host.json") || key.ends_with("/current.json") || named.contains(key);
    let left: Vec<_> = objects.keys().filter(|key| !known(key)).collect();
    assert!(left.is_empty(), "no manifest names {left:?}");
}

/// Nothing is left of unfinished writes into a directory.
pub(crate) fn nothing_temporary(store: &Path) {
    let left = names_if_there(&store.join(".subvault-tmp"));
    assert!(left.iter().all(|name| name == "lock"), "{left:?}");
}

/// Nothing is left of unfinished uploads in a state directory.
pub(crate) fn no_journals(state: &Path) {
    let journals = state.join("journal");
    let left: Vec<_> = if journals.exists() { contents(&journals) } else { Vec::new() };
    assert!(left.is_empty(), "journals are left: {:?}", left.iter().map(|(name, _)| name).collect::<Vec<_>>());
}

fn names_if_there(dir: &Path) -> Vec<String> {
    if dir.exists() { names(dir) } else { Vec::new() }
}

/// The newest of some snapshots: a `.10` is newer than a `.9`.
pub(crate) fn newest(snapshots: Vec<String>) -> String {
    let again = |name: &String| name.rsplit_once("Z.").map_or(1, |(_, n)| n.parse::<u32>().unwrap());
    let second = |name: &String| name.split_once('Z').unwrap().0.to_owned();
    snapshots.into_iter().max_by_key(|name| (second(name), again(name))).unwrap()
}

/// The JSON of a document: all but its last line.
fn document(bytes: &[u8]) -> Value {
    let end = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    serde_json::from_slice(&bytes[..end]).unwrap()
}

/// What `sha256sum` says, which is written to while it reads: it prints nothing before the end.
fn sha256(bytes: &[u8]) -> String {
    let mut command = Command::new("sha256sum");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

/// All files below a directory, as objects.
pub(crate) fn objects_in(directory: &Path) -> Objects {
    contents(directory).into_iter().filter(|(key, _)| !key.starts_with(".subvault-tmp/")).collect()
}
