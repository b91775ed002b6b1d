//! Kinds of failure, by what the person who reads about them does next.

/// What kind of failure something is. Decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The command line was wrong.
    Usage,
    /// The configuration is wrong or missing.
    Config,
    /// Another run is at work.
    Busy,
    /// Something needed is not there now: a disk, a network, room, a permission.
    Unavailable,
    /// Data is not what it was when it was written.
    Damaged,
    /// It could be done, and should not.
    Refused,
    /// A promise inside the program was broken.
    Bug,
}
