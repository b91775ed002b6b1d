//! What is wrong with a strategy, or will be: told before it is followed. Pure.

use serde::Serialize;

/// Something that the user should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What it is about: a subvolume, a pool, a target.
    pub about: String,
    /// What is wrong, in a sentence.
    pub what: String,
    /// What can be done.
    pub remedy: String,
}

impl Warning {
    /// One.
    pub fn new(about: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { about: about.into(), what: what.into(), remedy: remedy.into() }
    }
}
