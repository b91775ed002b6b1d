//! What a rule found, gathered so that one run tells everything.

use std::fmt::Display;

/// Findings of one rule.
#[derive(Default)]
pub(crate) struct Findings(Vec<String>);

impl Findings {
    /// Something that breaks a rule, at a line (from 1), and why the rule is there.
    pub(crate) fn add(&mut self, path: &str, line: usize, rule: impl Display, why: impl Display) {
        self.0.push(format!("{path}:{line}: {rule}\n    why: {why}"));
    }

    /// Fails the test if anything was found.
    pub(crate) fn settle(self) {
        assert!(self.0.is_empty(), "\n\n{}\n", self.0.join("\n"));
    }
}
