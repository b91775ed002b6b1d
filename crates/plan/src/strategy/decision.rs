//! A choice with its reason. Everything that the strategy decides is one, so that each can be asked for its why.

use serde::Serialize;

/// What was chosen, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision<T> {
    /// What.
    pub value: T,
    /// Why, as a clause that can follow "because".
    pub because: String,
}

impl<T> Decision<T> {
    /// A choice.
    pub fn new(value: T, because: impl Into<String>) -> Self {
        Self { value, because: because.into() }
    }

    /// What the configuration says, or else this choice.
    pub fn unless_said(said: Option<T>, otherwise: impl FnOnce() -> Self) -> Self {
        match said {
            Some(value) => Self::new(value, SAID),
            None => otherwise(),
        }
    }
}

/// Why something is as the configuration has it.
pub const SAID: &str = "the configuration says so";
