//! A file that was made and lies nowhere yet, and how it says that this program made it.

use std::path::PathBuf;

use serde::Serialize;

/// Where a file belongs, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RenderedFile {
    /// Its path below the root of the system, without a slash at the front.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

/// What every file that this program may write anew says near its beginning.
const WRITTEN: &str = "Written by `subvault render ";
/// On which lines it can stand: JSON begins with a brace, a script with its interpreter.
const LINES: usize = 3;

/// How a file begins that this program may write anew, without what makes it a comment; `what` is the word behind
/// `subvault render`. Whoever changes the file takes this line out, and it is left alone.
pub(crate) fn written_by(what: &str) -> String {
    format!("{WRITTEN}{what}`. Take this line out to keep changes of your own.")
}

/// The same as a comment on a line of its own, for files in which that begins with `#`.
pub(crate) fn mark(what: &str) -> String {
    format!("# {}\n", written_by(what))
}

/// Whether a file is one that this program wrote and may write anew.
#[must_use]
pub fn is_ours(there: &[u8]) -> bool {
    let has = |line: &[u8]| line.windows(WRITTEN.len()).any(|part| part == WRITTEN.as_bytes());
    there.split(|byte| *byte == b'\n').take(LINES).any(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_wrote_is_told_from_what_others_did() {
        assert!(
            is_ours(mark("systemd").as_bytes()) && is_ours(b"{\n  \"description\": \"Written by `subvault render x`")
        );
        assert!(!is_ours(b"") && !is_ours(b"[Unit]\n# \xff\n") && !is_ours(b"\n\n\n# Written by `subvault render x`"));
    }
}
