//! A path from the top level of a pool, whose bytes survive a text.
//!
//! Names are bytes and JSON is text: what is not UTF-8 is written as `\xff`, and a backslash twice.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path from the top level, without a slash at the front.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolPath(PathBuf);

impl PoolPath {
    /// Takes a path; a slash at its front says nothing.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self(path.as_ref().components().filter(|part| matches!(part, std::path::Component::Normal(_))).collect())
    }

    /// The path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// What lies below it.
    #[must_use]
    pub fn join(&self, below: &Self) -> Self {
        Self::new(self.0.join(&below.0))
    }

    /// Its path from `outer`, where it lies below that.
    #[must_use]
    pub fn below(&self, outer: &Self) -> Option<Self> {
        self.0.strip_prefix(&outer.0).ok().map(|rest| Self(rest.to_owned()))
    }

    fn read(text: &str) -> Option<Self> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            let (byte, left) = match (first, after) {
                (b'\\', [b'\\', after @ ..]) => (b'\\', after),
                (b'\\', [b'x', high, low, after @ ..]) => {
                    let digits = [*high, *low];
                    let byte = std::str::from_utf8(&digits).ok().and_then(|d| u8::from_str_radix(d, 16).ok())?;
                    (byte, after)
                }
                (b'\\', _) => return None,
                (plain, after) => (plain, after),
            };
            bytes.push(byte);
            rest = left;
        }
        Some(Self(OsString::from_vec(bytes).into()))
    }
}

impl fmt::Display for PoolPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.as_os_str().as_bytes().utf8_chunks() {
            f.write_str(&chunk.valid().replace('\\', "\\\\"))?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for PoolPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PoolPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let path = Self::read(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a path")))?;
        // What was written by us is as we write it; anything else could lead out of the pool.
        if path == Self::new(&path.0) { Ok(path) } else { Err(serde::de::Error::custom("a path that leads out")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_a_text() {
        for bytes in [b"@".as_slice(), b"a/b c/\xff\xfe", b"back\\slash/x\\x41", "ü/日".as_bytes(), b""] {
            let path = PoolPath::new(Path::new(std::ffi::OsStr::from_bytes(bytes)));
            assert_eq!(PoolPath::read(&path.to_string()), Some(path));
        }
        assert_eq!(PoolPath::read("a\\q"), None);
        assert_eq!(PoolPath::new("/@/x/"), PoolPath::new("@/x"));
    }
}
