//! A file that was made and lies nowhere yet.

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

/// How the files begin that this program may write anew: whoever changes one takes this line out, and it is left alone.
pub const MARK: &str = "# Written by `subvault render systemd`. Take this line out to keep changes of your own.\n";
