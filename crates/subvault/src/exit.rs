//! Exit codes: what scripts and timers learn.

use std::process::ExitCode;

use subvault_jobs::driver::Verdict;
use subvault_model::error::Kind;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All was done.
    Good,
    /// The command line or the configuration is wrong.
    Usage,
    /// Some of it was done.
    SomeFailed,
    /// Nothing was done.
    NothingDone,
    /// Another run is at work.
    Locked,
    /// Data is damaged.
    Damaged,
    /// A mistake in subvault.
    Bug,
    /// As a program did that was run in our place.
    Program(u8),
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Usage => 1,
            Self::SomeFailed => 2,
            Self::NothingDone => 3,
            Self::Locked => 4,
            Self::Damaged => 5,
            Self::Bug => 70,
            Self::Program(code) => code,
        }
    }
}

/// The codes as `--help` and the manual show them.
pub const HELP: &str = "\
Exit codes:
  0   all was done
  1   the command line or the configuration is wrong
  2   some of it failed
  3   nothing was done
  4   another run is at work
  5   data in a store, or what came back from it, is damaged
  70  a mistake in subvault";

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Usage | Kind::Config => Self::Usage,
            Kind::Busy => Self::Locked,
            Kind::Unavailable | Kind::Refused => Self::NothingDone,
            Kind::Damaged => Self::Damaged,
            Kind::Bug => Self::Bug,
        }
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::AllDone => Self::Good,
            Verdict::SomeFailed => Self::SomeFailed,
            Verdict::NothingDone => Self::NothingDone,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
