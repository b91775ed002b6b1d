//! The style and the architecture as tests: what is a rule is held here, with its reason; what is not is advice.
//!
//! Reads the tree as text, so it links nothing of the workspace. Every failure names file and line, the rule and why.
//! Each rule is itself tested on a line that breaks it. It must never build, change or download anything.

#![expect(clippy::unwrap_used, reason = "a tree that cannot be read has failed the test")]

mod bans;
mod bans_table;
mod crash_points;
mod dependencies;
mod documents;
mod findings;
mod lengths;
mod lexer;
mod licences;
mod rooms;
mod shape;
mod tree;
mod words;
