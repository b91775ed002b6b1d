//! What each file looks like: it says what it is for, somebody uses it, and its blanks are plain.

use std::path::Path;

use crate::findings::Findings;
use crate::lexer::find_word;
use crate::tree::{Source, TREE, modules_folder};

#[test]
fn every_file_says_what_it_is_for() {
    let mut findings = Findings::default();
    for source in &TREE.sources {
        // A fuzz target begins with an attribute that must stand first.
        let opening = source.text.lines().find(|line| !line.starts_with("#![no_main]") && !line.is_empty());
        if !opening.is_some_and(|line| line.starts_with("//! ")) {
            let why = "a reader must know what a file is for, and what it must never do, before its first line of code";
            findings.add(&source.path, 1, "the file does not begin with `//!`", why);
        }
    }
    findings.settle();
}

#[test]
fn every_file_is_reached() {
    let mut findings = Findings::default();
    for source in TREE.sources.iter().filter(|source| !is_root(&source.path)) {
        let stem = Path::new(&source.path).file_stem().and_then(|stem| stem.to_str()).unwrap();
        let (folder, name) = match (stem, parent(&source.path)) {
            ("mod", folder) => (parent(folder).to_owned(), folder.rsplit('/').next().unwrap()),
            (stem, folder) => (folder.to_owned(), stem),
        };
        let declares = |other: &&Source| modules_folder(&other.path) == folder && declares(&other.code, name);
        if !TREE.sources.iter().any(|other| declares(&other)) {
            let why = "code that nothing compiles is not checked by anything";
            findings.add(&source.path, 1, format!("no `mod {name};` reaches this file"), why);
        }
    }
    findings.settle();
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Whether cargo itself finds a file.
fn is_root(path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let below = |what: &str| folder.ends_with(what);
    match name {
        "main.rs" | "lib.rs" | "build.rs" => true,
        _ => ["/tests", "/examples", "/benches", "/src/bin", "fuzz_targets"].into_iter().any(below),
    }
}

fn declares(code: &str, module: &str) -> bool {
    code.lines().any(|line| find_word(line, &format!("mod {module}")).is_some())
}

#[test]
fn blanks_are_plain() {
    let mut findings = Findings::default();
    for file in TREE.files.iter().filter(|file| is_ours_to_shape(&file.path)) {
        for (index, line) in file.text.lines().enumerate() {
            let what = match line {
                _ if line.ends_with('\r') => "a carriage return",
                _ if line.contains('\t') => "a tab",
                _ if line.ends_with(' ') => "a blank at the end of the line",
                _ => continue,
            };
            findings.add(&file.path, index + 1, what, "what cannot be seen makes noise in every diff");
        }
        if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
            let line = file.text.lines().count();
            findings.add(
                &file.path,
                line,
                "the file must end with one newline",
                "tools add or drop it in unrelated changes",
            );
        }
    }
    findings.settle();
}

/// Texts that people write here; what programs wrote and what is compared byte by byte is left alone.
fn is_ours_to_shape(path: &str) -> bool {
    let written = [".rs", ".md", ".toml", ".sh", ".yml", ".yaml"].iter().any(|end| path.ends_with(end));
    written && !path.contains("/golden/")
}

#[test]
fn modules_are_found_where_rust_looks_for_them() {
    assert_eq!(modules_folder("crates/x/src/lib.rs"), "crates/x/src");
    assert_eq!(modules_folder("crates/x/src/a/mod.rs"), "crates/x/src/a");
    assert_eq!(modules_folder("crates/x/src/a.rs"), "crates/x/src/a");
    assert!(declares("pub(super) mod a;\n", "a") && !declares("mod ab;\n", "a"));
    assert!(is_root("crates/x/tests/main/main.rs") && !is_root("crates/x/tests/main/a.rs"));
}
