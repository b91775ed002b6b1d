//! The glossary and the code use the same words.

use std::collections::BTreeSet;

use crate::findings::Findings;
use crate::lexer::words;
use crate::tree::{TREE, file};

const GLOSSARY: &str = "docs/glossary.md";

/// The words that names in the product and files are made of, in lower case.
fn spoken() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in &TREE.sources {
        found.extend(source.path.split(['/', '.', '_']).map(str::to_owned));
        let product = source.lines().filter(|(_, _, test)| !test);
        product.flat_map(|(_, line, _)| words(line)).for_each(|name| found.extend(parts(name)));
    }
    found
}

/// `TakeSnapshot`, `take_snapshot` and `TAKE_SNAPSHOT` are made of the same words.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before_is_lower = false;
    for letter in name.chars() {
        if letter == '_' || (letter.is_ascii_uppercase() && before_is_lower) {
            parts.push(String::new());
        }
        before_is_lower = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        if letter != '_' {
            parts.last_mut().unwrap().push(letter.to_ascii_lowercase());
        }
    }
    parts
}

/// The terms: `**word**` at the beginning of a line. `(later)` after it says that it is not built yet.
fn terms() -> impl Iterator<Item = (usize, &'static str, bool)> {
    let lines = file(GLOSSARY).text.lines().enumerate();
    lines.filter_map(|(index, line)| {
        let (term, rest) = line.strip_prefix("**")?.split_once("**")?;
        Some((index + 1, term, rest.trim_start().starts_with("(later)")))
    })
}

#[test]
fn each_term_of_the_glossary_is_a_word_of_the_code() {
    let mut findings = Findings::default();
    let spoken = spoken();
    assert!(terms().count() > 20, "the glossary was not understood");
    for (line, term, later) in terms() {
        let is_spoken = |word: String| spoken.contains(&word) || spoken.contains(&format!("{word}s"));
        let all = term.split(' ').all(|word| is_spoken(word.to_lowercase()));
        if !all && !later {
            let why = "one word for one thing, in documents and in code";
            findings.add(GLOSSARY, line, format!("no name in the code is made of `{term}`"), why);
        }
    }
    findings.settle();
}

#[test]
fn names_are_made_of_words() {
    for name in ["TakeSnapshot", "take_snapshot", "TAKE_SNAPSHOT"] {
        assert_eq!(parts(name), ["take", "snapshot"]);
    }
}
