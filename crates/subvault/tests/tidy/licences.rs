//! The licences of everything that is linked, against the list in `deny.toml`.
//!
//! An expression is allowed when its terms can be met with licences from the list. What is not understood is not allowed.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use toml::Table;

use crate::findings::Findings;
use crate::lexer::line_of;
use crate::tree::{file, top};

/// The platform that is handed to users; other platforms' packages are never linked.
const TARGET: &str = "x86_64-unknown-linux-gnu";

pub(crate) fn deny() -> Table {
    file("deny.toml").text.parse().unwrap()
}

/// What cargo says, without the network and without changing the lock.
pub(crate) fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output =
        Command::new(cargo).args(arguments).args(["--offline", "--locked"]).current_dir(top()).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {arguments:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// A package that can be linked.
struct Package {
    name: String,
    version: String,
    licence: String,
}

impl Package {
    /// Its line in the lock (from 1); our own packages are in it as well.
    fn line(&self) -> usize {
        let entry = format!("name = \"{}\"\nversion = \"{}\"\n", self.name, self.version);
        let lock = &file("Cargo.lock").text;
        lock.find(&entry).map_or(1, |at| line_of(lock, at))
    }
}

fn packages() -> Vec<Package> {
    let answer = cargo(&["metadata", "--format-version", "1", "--filter-platform", TARGET]);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let text = |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let packages = answer["packages"].as_array().unwrap();
    let package = |package: &Value| Package {
        name: text(package, "name"),
        version: text(package, "version"),
        licence: text(package, "license"),
    };
    packages.iter().map(package).collect()
}

fn allowed_licences(deny: &Table) -> BTreeSet<String> {
    let allowed = deny["licenses"]["allow"].as_array().unwrap();
    allowed.iter().map(|licence| licence.as_str().unwrap().to_owned()).collect()
}

/// Whether the terms of an expression can be met.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    // `/` is how `OR` was written once.
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let met = any(&mut rest, allowed);
    met == Some(true) && rest.is_empty()
}

/// `a OR b`, which binds less than `AND`. `None`: not understood.
fn any(rest: &mut &[&str], allowed: &BTreeSet<String>) -> Option<bool> {
    let mut met = all(rest, allowed)?;
    while let Some((&"OR", after)) = rest.split_first() {
        *rest = after;
        met |= all(rest, allowed)?;
    }
    Some(met)
}

fn all(rest: &mut &[&str], allowed: &BTreeSet<String>) -> Option<bool> {
    let mut met = term(rest, allowed)?;
    while let Some((&"AND", after)) = rest.split_first() {
        *rest = after;
        met &= term(rest, allowed)?;
    }
    Some(met)
}

fn term(rest: &mut &[&str], allowed: &BTreeSet<String>) -> Option<bool> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    match *first {
        "(" => {
            let met = any(rest, allowed)?;
            let (closing, after) = rest.split_first()?;
            *rest = after;
            (*closing == ")").then_some(met)
        }
        ")" | "OR" | "AND" | "WITH" => None,
        licence => match rest.split_first() {
            // With an exception it is another licence.
            Some((&"WITH", after)) => {
                let (exception, after) = after.split_first()?;
                *rest = after;
                Some(allowed.contains(&format!("{licence} WITH {exception}")))
            }
            _ => Some(allowed.contains(licence)),
        },
    }
}

#[test]
fn every_licence_is_allowed() {
    let mut findings = Findings::default();
    let allowed = allowed_licences(&deny());
    let packages = packages();
    assert!(packages.len() > 50, "cargo named {} packages only", packages.len());
    for package in packages.iter().filter(|package| !is_met(&package.licence, &allowed)) {
        let Package { name, version, licence } = package;
        let rule = format!("{name} {version} is under `{licence}`, which deny.toml does not allow");
        findings.add("Cargo.lock", package.line(), rule, "what is handed to users must be free to be handed on");
    }
    for licence in &allowed {
        let others = allowed.iter().filter(|other| *other != licence).cloned().collect();
        if packages.iter().all(|package| is_met(&package.licence, &others)) {
            let text = &file("deny.toml").text;
            let line = 1 + text.lines().position(|line| line.contains(&format!("\"{licence}\""))).unwrap_or(0);
            findings.add(
                "deny.toml",
                line,
                format!("nothing needs `{licence}`"),
                "the list is what is, not what might be",
            );
        }
    }
    findings.settle();
}

#[test]
fn expressions_are_understood() {
    let allowed: BTreeSet<String> = ["MIT", "ISC", "A WITH B"].map(str::to_owned).into();
    for yes in ["MIT", "GPL OR MIT", "GPL/MIT", "(MIT OR GPL) AND ISC", "A WITH B", "GPL AND X OR MIT"] {
        assert!(is_met(yes, &allowed), "{yes}");
    }
    for no in ["", "GPL", "MIT AND GPL", "MIT AND (GPL OR X)", "A", "MIT WITH B", "MIT ISC", "(MIT", "MIT)", "OR MIT"] {
        assert!(!is_met(no, &allowed), "{no}");
    }
}
