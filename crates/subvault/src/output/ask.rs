//! A question to whoever sits at the terminal.

use std::io::{self, BufRead, IsTerminal};

use super::note;
use crate::failure::Failure;

/// What is said where nobody can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unasked {
    /// Go on: nothing that is there is touched.
    GoOn,
    /// Refuse: it takes a person or `--yes`.
    Refuse,
}

/// Whether to go on.
///
/// # Errors
/// When nobody can be asked and somebody must be.
pub fn go_on(question: &str, yes: bool, unasked: Unasked) -> Result<bool, Failure> {
    let somebody = io::stdin().is_terminal() && io::stderr().is_terminal();
    match unasked {
        _ if yes => Ok(true),
        Unasked::GoOn if !somebody => Ok(true),
        Unasked::Refuse if !somebody => Err(Failure::usage(
            "this changes or fetches something, and nobody is there to be asked",
            "look at what would be done with --dry-run, and say --yes",
        )),
        _ => {
            note(&format!("{question} [y/N]"));
            let mut answer = String::new();
            // No answer is a no.
            let _ = io::stdin().lock().read_line(&mut answer);
            Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
        }
    }
}
