//! The note of an unfinished rollback, at the top level of its pool.
//!
//! It is on disk before the first step, is replaced all at once, and is removed after the last. One that is not understood
//! stops everything: guessing what it said could undo what somebody relies on. The pool may be of another machine, so what
//! it says is not believed where it names files: only boot entries that a rollback writes, and only a note of root's.

use std::path::Path;

use subvault_host::inside::Inside;
use subvault_host::top_level::TopLevel;
use subvault_plan::rollback::transaction::{FORM, Transaction};

use crate::error::JobError;

/// What it is called.
pub(super) const NAME: &str = ".subvault-rollback.json";
/// Longer than any: a nested subvolume takes a line.
const ENOUGH: u64 = 64 << 20;

pub(super) fn read(top: &TopLevel) -> Result<Option<Transaction>, JobError> {
    let Some(text) = files(top)?.read_from_root(Path::new(NAME), ENOUGH)? else { return Ok(None) };
    let not_understood = |why: String| JobError::Refused {
        what: format!(
            "the note of an unfinished rollback, {NAME} at the top level of the pool, is not understood: {why}"
        ),
        hint: "use the subvault that wrote it, or look at it, put the subvolumes in order, and remove it".to_owned(),
    };
    let note: Transaction = serde_json::from_slice(&text).map_err(|error| not_understood(error.to_string()))?;
    if note.form != FORM {
        return Err(not_understood(format!("its form is {}", note.form)));
    }
    if let Some(entry) = note.entry.as_ref().filter(|entry| !entry.is_ours()) {
        return Err(not_understood(format!("{} is no boot entry of a rollback", entry.file.display())));
    }
    let pool = top.pool()?.uuid();
    if note.pool == pool { Ok(Some(note)) } else { Err(not_understood(format!("it is of the pool {}", note.pool))) }
}

pub(super) fn write(top: &TopLevel, transaction: &Transaction) -> Result<(), JobError> {
    let text = serde_json::to_vec_pretty(transaction).map_err(|error| JobError::Bug(error.to_string()))?;
    Ok(files(top)?.replace(Path::new(NAME), &text)?)
}

pub(super) fn remove(top: &TopLevel) -> Result<(), JobError> {
    Ok(files(top)?.remove(Path::new(NAME))?)
}

fn files(top: &TopLevel) -> Result<Inside, JobError> {
    Ok(Inside::open(&top.join(Path::new("")))?)
}
