//! How things are shown: results on standard output, everything else on standard error.
//!
//! Colour and progress only on a terminal. A reader that goes away (`| head`) is no error.

pub mod ask;
pub mod error;
pub mod progress;
pub mod size;
pub mod table;

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use crate::failure::Failure;

/// Writes text and a line's end to standard output.
///
/// # Errors
/// When it cannot be written.
pub fn say(text: &str) -> Result<(), Failure> {
    write_all(format!("{}\n", text.trim_end_matches('\n')).as_bytes())
}

/// Writes a JSON document to standard output.
///
/// # Errors
/// When it cannot be written.
pub fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    say(&json_text(value)?)
}

/// A JSON document as text.
///
/// # Errors
/// When the value cannot be written as JSON.
pub fn json_text<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|e| Failure::Write { what: "the answer".to_owned(), source: e.into() })
}

/// Writes bytes to standard output.
///
/// # Errors
/// When they cannot be written.
pub fn write_all(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = anstream::stdout();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Write { what: "to standard output".to_owned(), source: e })
        }
        _ => Ok(()),
    }
}

/// Writes a line to standard error; there is nobody to tell when that fails.
pub fn note(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Whether the service manager reads standard error and wants priorities (`<4>…`).
#[must_use]
pub fn to_journal() -> bool {
    use std::os::unix::fs::MetadataExt;
    // As systemd.exec(5) says: the variable names the device and inode of the stream.
    let Some(said) = std::env::var_os("JOURNAL_STREAM") else { return false };
    let stream = io::stderr();
    let Ok(fd) = std::os::fd::AsFd::as_fd(&stream).try_clone_to_owned() else { return false };
    let Ok(found) = std::fs::File::from(fd).metadata() else { return false };
    said == *format!("{}:{}", found.dev(), found.ino())
}
