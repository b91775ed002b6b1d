//! Configurations of other programs, read as ours: a text to look through, and what became of each thing they said.
//!
//! Of what is taken by a schedule, no less is kept than the other program would keep. What has no counterpart is told with its line and left
//! out; nothing is made up for it.

pub mod btrbk;
mod draft;
pub mod snapper;

use std::fmt;

use serde::Serialize;

/// What came of another program's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// The configuration for subvault.
    pub config: String,
    /// What became of each thing that the other one said, in its order.
    pub remarks: Vec<Remark>,
}

impl Imported {
    /// What a user has to know: everything that is not the same as before.
    pub fn losses(&self) -> impl Iterator<Item = &Remark> {
        self.remarks.iter().filter(|r| matches!(r.fate, Fate::NotCarried | Fate::Unknown))
    }
}

/// What became of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The file.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
    /// What stands there.
    pub what: String,
    /// What became of it.
    pub fate: Fate,
    /// As what, or why not.
    pub why: String,
}

/// What became of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is in the new configuration.
    Carried,
    /// It means nothing here: what it is about is done in any case, or cannot come up.
    Needless,
    /// It is lost, or has become something else.
    NotCarried,
    /// It is no setting of that program as far as is known here.
    Unknown,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fate = match self.fate {
            Fate::Carried => "carried over",
            Fate::Needless => "not needed",
            Fate::NotCarried => "not carried over",
            Fate::Unknown => "unknown",
        };
        write!(f, "{}:{}: {}: {fate}: {}", self.file, self.line, self.what, self.why)
    }
}

/// A text that the other program would refuse as well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct NotUnderstood {
    /// The file.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}
