//! Documents speak of what is there: links lead somewhere, and paths that they name exist.

use std::collections::BTreeSet;
use std::path::Path;

use crate::findings::Findings;
use crate::tree::{TREE, file, top};

const WHY: &str = "a document that points to nothing is not believed where it points to something";

/// The targets of the links in a line of Markdown.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// What stands between backticks and looks like a path of ours from the top.
fn named_paths(line: &str) -> impl Iterator<Item = &str> {
    let tops = ["crates/", "docs/", "ci/", "fuzz/", "examples/"];
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter(move |text| tops.iter().any(|top| text.starts_with(top)))
}

/// A path with one `{a,b}` stands for several.
fn expand(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else { return vec![path.to_owned()] };
    let Some((choices, after)) = rest.split_once('}') else { return vec![path.to_owned()] };
    choices.split(',').map(|choice| format!("{before}{}{after}", choice.trim())).collect()
}

fn exists(path: &str) -> bool {
    // What holds a blank or a star is a pattern or a command and not a path.
    path.contains([' ', '*', '<', '…']) || top().join(path.trim_end_matches('/')).exists()
}

/// The anchor of a heading, as the usual renderers make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#'))).collect()
}

/// Whether a link leads somewhere. Links into the world are not followed: tests need no network.
fn leads_somewhere(from: &str, link: &str) -> bool {
    if link.contains("://") || link.starts_with("mailto:") {
        return true;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let folder = Path::new(from).parent().unwrap_or(Path::new(""));
    let target = if path.is_empty() { top().join(from) } else { top().join(folder).join(path) };
    match anchor {
        None => target.exists(),
        Some(anchor) => std::fs::read_to_string(target).is_ok_and(|text| anchors(&text).contains(anchor)),
    }
}

#[test]
fn links_lead_somewhere() {
    let mut findings = Findings::default();
    for document in TREE.files.iter().filter(|file| file.path.ends_with(".md")) {
        let mut in_example = false;
        for (index, line) in document.text.lines().enumerate() {
            in_example ^= line.trim_start().starts_with("```");
            for link in links(line).filter(|link| !in_example && !leads_somewhere(&document.path, link)) {
                findings.add(&document.path, index + 1, format!("the link to `{link}` leads nowhere"), WHY);
            }
        }
    }
    findings.settle();
}

#[test]
fn named_paths_exist() {
    let mut findings = Findings::default();
    let documents = TREE.files.iter().filter(|file| file.path.ends_with(".md") || file.path.ends_with(".rs"));
    // These rules name paths as examples.
    for document in documents.filter(|file| !file.path.starts_with("crates/subvault/tests/tidy/")) {
        for (index, line) in document.text.lines().enumerate() {
            let is_text = document.path.ends_with(".md") || line.trim_start().starts_with("//");
            for path in named_paths(line).filter(|_| is_text).flat_map(expand).filter(|path| !exists(path)) {
                findings.add(&document.path, index + 1, format!("`{path}` is not there"), WHY);
            }
        }
    }
    findings.settle();
}

/// Decisions are numbered without a gap and all listed in the architecture's page.
#[test]
fn decisions_are_numbered_and_listed() {
    let mut findings = Findings::default();
    let architecture = file("ARCHITECTURE.md");
    let decisions = TREE.files.iter().filter_map(|file| file.path.strip_prefix("docs/decisions/"));
    for (index, name) in decisions.enumerate() {
        let path = format!("docs/decisions/{name}");
        if !name.starts_with(&format!("{:03}-", index + 1)) {
            findings.add(
                &path,
                1,
                "decisions are numbered from 001 without a gap",
                "a number is how a decision is cited",
            );
        }
        if !architecture.text.contains(&path) {
            findings.add("ARCHITECTURE.md", 1, format!("{path} is not listed"), "what nobody finds is decided again");
        }
    }
    findings.settle();
}

/// Cargo itself reads the arguments; an unknown package makes it stop before it builds.
#[test]
fn cargo_takes_the_arguments_that_the_readme_gives() {
    let readme = file("README.md");
    let lines = readme.text.lines().filter_map(|line| line.strip_prefix("    cargo "));
    let mut checked = 0;
    for line in lines {
        let arguments = line.split(" #").next().unwrap_or(line).replace("-p subvault", "-p no-such-package");
        let output = std::process::Command::new(env!("CARGO"))
            .args(arguments.split_whitespace())
            .args(["--offline", "--manifest-path"])
            .arg(top().join("Cargo.toml"))
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("no-such-package"), "`cargo {line}`: {told}");
        checked += 1;
    }
    assert!(checked > 0, "the README says how to build");
}

#[test]
fn links_and_paths_are_seen() {
    assert_eq!(links("see [a](b.md), [c](../d#e)").collect::<Vec<_>>(), ["b.md", "../d#e"]);
    assert_eq!(named_paths("x `crates/a` docs/b `y` `docs/c`").collect::<Vec<_>>(), ["crates/a", "docs/c"]);
    assert_eq!(expand("a/{b,c}.rs"), ["a/b.rs", "a/c.rs"]);
    assert_eq!(anchor(" Chunks, and *units*"), "chunks-and-units");
    assert!(!exists("crates/nothing") && exists("crates/model/") && exists("docs/*.md"));
    assert!(
        !leads_somewhere("docs/format.md", "nothing.md") && leads_somewhere("docs/format.md", "https://example.org")
    );
}
