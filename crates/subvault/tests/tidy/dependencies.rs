//! What is linked: one provider of cryptography, one crate for times, one HTTP stack, from one registry.
//!
//! The list is in `deny.toml`. What counts is what is built (`cargo tree`, which knows features), not what the lock
//! names: the lock also holds what an option that is off would bring.

use std::collections::{BTreeMap, BTreeSet};

use toml::Value;

use crate::findings::Findings;
use crate::licences::{cargo, deny};
use crate::tree::{TREE, file};

/// An entry of the list.
struct Entry {
    name: String,
    reason: String,
    wrappers: Vec<String>,
    one_version: bool,
}

fn entries() -> Vec<Entry> {
    let deny = deny();
    let listed = deny["bans"]["deny"].as_array().unwrap();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let entry = |entry: &Value| Entry {
        name: text(entry.get("crate")),
        reason: text(entry.get("reason")),
        wrappers: entry
            .get("wrappers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|w| text(Some(w)))
            .collect(),
        one_version: entry.get("deny-multiple-versions").and_then(Value::as_bool).unwrap_or_default(),
    };
    listed.iter().map(entry).collect()
}

/// What is built, tests included: each package's versions, and who depends on it directly.
#[derive(Default)]
struct Built {
    versions: BTreeMap<String, BTreeSet<String>>,
    users: BTreeMap<String, BTreeSet<String>>,
}

impl Built {
    /// Reads lines like `2foo v1.2.3 (path)`: depth, name, version.
    fn read(tree: &str) -> Self {
        let mut built = Self::default();
        let mut above: Vec<String> = Vec::new();
        for line in tree.lines().filter(|line| !line.is_empty()) {
            let digits = line.bytes().take_while(u8::is_ascii_digit).count();
            let depth: usize = line[..digits].parse().unwrap();
            let mut words = line[digits..].split_whitespace();
            let (name, version) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
            above.truncate(depth);
            if let Some(user) = above.last() {
                built.users.entry(name.clone()).or_default().insert(user.clone());
            }
            built.versions.entry(name.clone()).or_default().insert(version);
            above.push(name);
        }
        built
    }

    /// What speaks against an entry of the list.
    fn objection(&self, entry: &Entry) -> Option<String> {
        let versions = self.versions.get(&entry.name)?;
        if entry.one_version {
            let several = versions.len() > 1;
            return several.then(|| format!("{} is built in several versions: {versions:?}", entry.name));
        }
        let users = self.users.get(&entry.name).cloned().unwrap_or_default();
        let others: Vec<String> = users.into_iter().filter(|user| !entry.wrappers.contains(user)).collect();
        let allowed = others.is_empty() && !entry.wrappers.is_empty();
        (!allowed).then(|| format!("{} is built, for {}", entry.name, others.join(", ")))
    }
}

#[test]
fn nothing_denied_is_built() {
    let mut findings = Findings::default();
    let edges = ["tree", "--workspace", "--prefix", "depth", "-e", "normal,build,dev"];
    let built = Built::read(&cargo(&edges));
    assert!(
        built.versions.contains_key("aws-lc-rs") && built.versions.contains_key("jiff"),
        "not the tree that we know"
    );
    let text = &file("deny.toml").text;
    for entry in entries() {
        let line = 1 + text.lines().position(|line| line.contains(&format!("\"{}\"", entry.name))).unwrap();
        assert!(!entry.reason.is_empty(), "deny.toml:{line}: an entry without a reason");
        if let Some(objection) = built.objection(&entry) {
            findings.add("deny.toml", line, objection, entry.reason);
        }
    }
    findings.settle();
}

#[test]
fn everything_comes_from_one_registry() {
    let mut findings = Findings::default();
    let sources = |line: &'static str| line.strip_prefix("source = ");
    let lock = &file("Cargo.lock").text;
    let first = lock.lines().find_map(sources);
    for (index, line) in lock.lines().enumerate() {
        if sources(line).is_some_and(|source| Some(source) != first || !source.starts_with("\"registry+")) {
            findings.add("Cargo.lock", index + 1, line, "one place to look for what a build is made of");
        }
    }
    findings.settle();
}

/// Versions are said once, for all rooms.
#[test]
fn versions_are_the_workspace_s() {
    let mut findings = Findings::default();
    let manifests =
        TREE.files.iter().filter(|file| file.path.starts_with("crates/") && file.path.ends_with("Cargo.toml"));
    for manifest in manifests {
        let mut in_table = false;
        for (index, line) in manifest.text.lines().enumerate() {
            in_table = if line.starts_with('[') { line.ends_with("dependencies]") } else { in_table };
            let plain = line.trim();
            let own =
                in_table && !plain.is_empty() && !plain.starts_with(['#', '[']) && !plain.contains("workspace = true");
            if own {
                let why = "two rooms with two versions of one crate have two of its types";
                findings.add(&manifest.path, index + 1, "a dependency without `workspace = true`", why);
            }
        }
    }
    findings.settle();
}

#[test]
fn the_tree_of_dependencies_is_understood() {
    let built = Built::read("0a v1.0.0 (/x)\n1b v2.0.0\n2c v3.0.0\n1c v3.1.0 (*)\n\n0d v1.0.0\n");
    let entry = |name: &str, wrappers: &[&str], one_version| Entry {
        name: name.to_owned(),
        reason: "x".to_owned(),
        wrappers: wrappers.iter().map(|w| (*w).to_owned()).collect(),
        one_version,
    };
    assert!(built.objection(&entry("c", &["a", "b"], false)).is_none());
    assert!(built.objection(&entry("c", &["a"], false)).unwrap().contains("for b"));
    assert!(built.objection(&entry("c", &[], true)).is_some() && built.objection(&entry("b", &[], true)).is_none());
    assert!(built.objection(&entry("b", &[], false)).is_some() && built.objection(&entry("e", &[], false)).is_none());
}
