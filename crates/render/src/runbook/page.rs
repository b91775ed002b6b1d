//! What a runbook is made of: pages, their parts, steps, and commands as data, so that a test can take them and run them.

use super::words::Words;

/// What to do in one situation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its file's name, without the ending.
    pub name: String,
    /// What it is about.
    pub title: Words,
    /// When it is the right one.
    pub when: Words,
    /// What must be at hand before the first step.
    pub at_hand: Vec<Words>,
    /// Ways to do it, the best first; or what is done one after the other.
    pub parts: Vec<Part>,
}

/// A way through a situation, from beginning to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it does.
    pub title: Words,
    /// What is done.
    pub steps: Vec<Step>,
    /// How to see that it worked.
    pub check: Vec<Step>,
    /// How to have it again as it was before.
    pub back: Vec<Step>,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is done, and why.
    pub what: Words,
    /// With which commands, in order.
    pub commands: Vec<Command>,
    /// What is to be seen afterwards.
    pub see: Option<Words>,
}

/// A command, or lines that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// As it is typed.
    pub shell: String,
    /// Where it is typed.
    pub place: Place,
    /// Whether a test runs it as it stands here.
    pub kind: Kind,
}

/// Where a command is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// On the host itself.
    Here,
    /// On the host, in a system that was started from a stick.
    Rescue,
    /// On another machine with Linux.
    OtherMachine,
    /// On a machine that is not Linux.
    Elsewhere(&'static str),
}

/// Whether a test runs a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It does.
    Test,
    /// It cannot, for this reason.
    Skip(&'static str),
}

impl Place {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Here => "On this machine",
            Self::Rescue => "In the rescue system",
            Self::OtherMachine => "On another machine",
            Self::Elsewhere(place) => place,
        }
    }
}

impl Part {
    pub(super) fn new(title: impl Into<Words>) -> Self {
        Self { title: title.into(), steps: Vec::new(), check: Vec::new(), back: Vec::new() }
    }

    pub(super) fn steps(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.steps.extend(steps);
        self
    }

    pub(super) fn check(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.check.extend(steps);
        self
    }

    pub(super) fn back(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.back.extend(steps);
        self
    }
}

impl Step {
    pub(super) fn new(what: impl Into<Words>) -> Self {
        Self { what: what.into(), commands: Vec::new(), see: None }
    }

    /// With a command that a test runs.
    pub(super) fn run(self, place: Place, shell: impl Into<String>) -> Self {
        self.command(Command { shell: shell.into(), place, kind: Kind::Test })
    }

    /// With a command that no test can run.
    pub(super) fn skip(self, place: Place, shell: impl Into<String>, reason: &'static str) -> Self {
        self.command(Command { shell: shell.into(), place, kind: Kind::Skip(reason) })
    }

    fn command(mut self, command: Command) -> Self {
        self.commands.push(command);
        self
    }

    /// With what is to be seen.
    pub(super) fn see(mut self, see: impl Into<Words>) -> Self {
        self.see = Some(see.into());
        self
    }
}
