//! What is written for Nix, read by Nix itself: the files in `nix/`, their own tests, and what `render nix` makes.
//!
//! Nix evaluates without its store here, so that nothing is made and no service is needed; of nixpkgs there is what
//! `nix/tests/stub` has.

mod evaluate;
mod flake;
mod hooks;
mod options;
mod units;
mod values;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use self::evaluate::{evaluate, nix, parse, stub};

/// All files below a directory whose names end in `.nix`.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else if path.extension().is_some_and(|end| end == "nix") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn every_file_is_understood() {
    let files = files_below(&nix());
    assert!(files.len() > 40, "{files:?}");
    parse(&files).unwrap();
}

#[test]
fn every_file_says_what_it_is_for() {
    for file in files_below(&nix()) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("# "), "{}", file.display());
        let odd = text.lines().find(|line| line.ends_with(' ') || line.contains('\t'));
        assert_eq!(odd, None, "{}", file.display());
        assert!(text.lines().count() <= 400, "{}", file.display());
    }
}

#[test]
fn the_tests_of_nix_pass() {
    let (nix, lib) = (nix(), stub());
    let failed = evaluate(&format!("import {}/tests/run.nix {{ lib = {lib}; }}", nix.display())).unwrap();
    assert_eq!(failed, json!([]));
    let suites = format!("builtins.attrValues (import {}/tests {{ lib = {lib}; }})", nix.display());
    let count = evaluate(&format!("builtins.length (builtins.concatMap builtins.attrNames ({suites}))")).unwrap();
    assert!(count.as_u64().is_some_and(|count| count > 70), "{count} tests");
}

/// A test that fails is told; else nothing would be proved.
#[test]
fn a_test_of_nix_that_fails_is_seen() {
    let tests = "{
        testGood = { expr = 1; expected = 1; };
        inside.testWrong = { expr = 1; expected = 2; };
        testThrows = { expr = throw \"no\"; expected = 1; };
        testThrowsAsItShould = { expr = throw \"no\"; expectedError.type = \"ThrownError\"; };
        testThrowsNot = { expr = 1; expectedError.type = \"ThrownError\"; };
    }";
    let run = format!("import {}/tests/run.nix {{ lib = {}; tests = {tests}; }}", nix().display(), stub());
    let failed = evaluate(&format!("map (failed: failed.test) ({run})")).unwrap();
    assert_eq!(failed, json!(["inside.testWrong", "testThrows", "testThrowsNot"]));
}

/// Every example is a system, through the flake's own outputs, and nothing was made on the way.
#[test]
fn nothing_is_left_behind() {
    let before = Path::new("/nix").exists();
    let hosts = format!("builtins.attrNames (import {}/hosts)", nix().display());
    let hosts = evaluate(&hosts).unwrap();
    assert_eq!(hosts, json!(["contabo", "hetzner", "impermanent", "ovh", "yoga", "zephyrus"]));
    assert_eq!(Path::new("/nix").exists(), before);
}
