//! Calls that only one place may make. The table is in `bans_table`.
//!
//! Invariant: an exception that no longer excuses anything is a finding too, so that the list only shrinks.

use crate::bans_table::{BANS, Ban, Place, RAW};
use crate::findings::Findings;
use crate::lexer::{code_of, find_word};
use crate::tree::{Source, TREE};

impl Ban {
    fn concerns(&self, source: &Source, test: bool) -> bool {
        match self.place {
            Place::Everywhere => true,
            Place::Product => !test,
            Place::ProductOf(rooms) => !test && source.room().is_some_and(|room| rooms.contains(&room)),
        }
    }

    fn found_in(&self, line: &str) -> Option<&'static str> {
        self.words.iter().copied().find(|word| find_word(line, word).is_some())
    }
}

#[test]
fn banned_calls_stay_where_they_belong() {
    let mut findings = Findings::default();
    for ban in BANS {
        let mut used = vec![false; ban.except.len()];
        for source in &TREE.sources {
            for (line, code, test) in source.lines() {
                let Some(word) = ban.found_in(code).filter(|_| ban.concerns(source, test)) else { continue };
                match ban.except.iter().position(|(path, _)| source.path.starts_with(path)) {
                    Some(index) => used[index] = true,
                    None => findings.add(&source.path, line, format!("`{word}` must not be used here"), ban.why),
                }
            }
        }
        for ((path, _), _) in ban.except.iter().zip(used).filter(|(_, used)| !used) {
            let why = "an exception that excuses nothing hides the next mistake; take it out of the table";
            findings.add(path, 1, format!("an exception for `{}` is not needed", ban.words[0]), why);
        }
    }
    findings.settle();
}

#[test]
fn banned_words_are_in_no_file() {
    let mut findings = Findings::default();
    for file in &TREE.files {
        for (index, line) in file.text.lines().enumerate() {
            for (halves, why) in RAW {
                let word = halves.concat();
                if find_word(line, &word).is_some() {
                    findings.add(&file.path, index + 1, format!("the word `{word}`"), why);
                }
            }
        }
    }
    findings.settle();
}

#[test]
fn every_ban_catches_its_example_and_lets_talk_pass() {
    for ban in BANS {
        for word in ban.words {
            let call = code_of(&format!("let x = {word}(y);"));
            assert!(ban.found_in(&call).is_some(), "{word}");
            let talk = code_of(&format!("let x = \"{word}(y)\"; // {word}(y)"));
            assert!(ban.found_in(&talk).is_none(), "{word}");
        }
        assert!(!ban.why.is_empty() && ban.except.iter().all(|(_, because)| !because.is_empty()));
    }
}
