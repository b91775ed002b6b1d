//! What a long piece of work tells while it runs.
//!
//! Library rooms never print: they report here, and the binary, the history or a test listens. What is not
//! fatal is an event; what is fatal is an `Err`. Totals are derived from events, never counted twice.

use crate::bytesize::ByteSize;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A piece of work began. `expected` is its size in bytes of progress, where that is known.
    Started {
        /// What is being done, for people: "archive home".
        what: String,
        /// How many bytes of progress will come, if that is known.
        expected: Option<ByteSize>,
    },
    /// Work went on by so many bytes.
    Progress(ByteSize),
    /// So many bytes needed no sending: an interrupted run had stored them.
    Reused(ByteSize),
    /// The piece of work that was started last has ended.
    Finished,
    /// Something worth knowing that needs nobody to act.
    Note(String),
    /// Something went wrong, and the work goes on without it.
    Warning(String),
}

/// A listener to events. Called from several threads.
pub trait Monitor: Send + Sync {
    /// Takes note of one event. Must not block for long: it is called from the middle of a pipeline.
    fn event(&self, event: Event);
}

/// A monitor that listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Monitor for Silent {
    fn event(&self, _event: Event) {}
}
