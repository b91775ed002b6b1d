//! Errors as people and scripts see them.

use serde_json::json;
use subvault_jobs::driver::chain;

use super::{note, to_journal};
use crate::failure::Failure;

/// Shows a failure: what failed on what and why, and what to do next.
pub fn show(failure: &Failure, as_json: bool) {
    let text = chain(failure);
    let hint = failure.hint();
    if as_json {
        let value = json!({ "error": text, "hint": hint, "exit_code": failure.exit().code() });
        note(&value.to_string());
        return;
    }
    let mark = if to_journal() { "<3>error" } else { "\u{1b}[1;31merror\u{1b}[0m" };
    note(&format!("{mark}: {text}"));
    if let Some(hint) = hint {
        note(&format!("  \u{1b}[36m→\u{1b}[0m {hint}"));
    }
}
