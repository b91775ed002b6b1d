//! Small files of the kernel and of the distribution, below a root directory. What is not there or cannot be read is `None`:
//! a fact that is not told.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// No file that is read here is longer.
const LONGEST: u64 = 1 << 20;

/// Where the files lie.
#[derive(Debug, Clone)]
pub(super) struct Root(PathBuf);

impl Root {
    pub(super) fn new(path: &Path) -> Self {
        // Links of the kernel are resolved: what comes of them must begin like this.
        Self(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
    }

    /// A path from the root on, as the system has it.
    pub(super) fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The text of a file, without blanks around it; `None` where it is empty or no text.
    pub(super) fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let mut text = String::new();
        fs::File::open(self.join(path)).ok()?.take(LONGEST).read_to_string(&mut text).ok()?;
        // Some drivers fill up with zeros.
        let text = text.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0');
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A number in a file.
    pub(super) fn number(&self, path: impl AsRef<Path>) -> Option<u64> {
        self.text(path)?.parse().ok()
    }

    /// A file that says 0 or 1.
    pub(super) fn flag(&self, path: impl AsRef<Path>) -> Option<bool> {
        match self.number(path)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(super) fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.join(path).exists()
    }

    /// The names in a directory, in order; `None` where there is none. Those that are no text are not the kernel's.
    pub(super) fn names(&self, path: impl AsRef<Path>) -> Option<Vec<String>> {
        let entries = fs::read_dir(self.join(path)).ok()?;
        let mut names: Vec<_> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        Some(names)
    }

    /// The last name of what a symbolic link says.
    pub(super) fn link(&self, path: impl AsRef<Path>) -> Option<OsString> {
        fs::read_link(self.join(path)).ok()?.file_name().map(ToOwned::to_owned)
    }

    /// Where a path really is, from this root on.
    pub(super) fn real(&self, path: impl AsRef<Path>) -> Option<PathBuf> {
        let real = fs::canonicalize(self.join(path)).ok()?;
        real.strip_prefix(&self.0).ok().map(Path::to_owned)
    }
}
