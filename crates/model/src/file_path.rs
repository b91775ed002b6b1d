//! Paths of the user's files inside a subvolume: bytes, and two ways to write them as text.
//!
//! Invariant: both ways are lossless. `\\` is a backslash and `\xff` a byte that is not UTF-8; for people, what cannot
//! be seen or would move the cursor is written as `\n` or `\u{202e}` as well. Pure.

use std::ffi::OsStr;
use std::fmt::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path below the top of a subvolume, without a slash at the front; the top itself is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(Vec<u8>);

impl FilePath {
    /// The path with these bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As the system takes it.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// Whether it is `directory` or lies below it.
    #[must_use]
    pub fn is_within(&self, directory: &Self) -> bool {
        match self.0.strip_prefix(directory.as_bytes()) {
            Some(rest) => rest.is_empty() || directory.0.is_empty() || rest.starts_with(b"/"),
            None => false,
        }
    }

    fn write(&self, to: &mut impl Write, hidden: impl Fn(char) -> bool) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for letter in chunk.valid().chars() {
                match letter {
                    '\\' => to.write_str("\\\\")?,
                    _ if hidden(letter) => write!(to, "{}", letter.escape_default())?,
                    _ => to.write_char(letter)?,
                }
            }
            for byte in chunk.invalid() {
                write!(to, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Whether a letter cannot be seen, or changes how what follows is seen: control characters, those that change the direction of
/// writing, and those that have no width.
#[must_use]
pub fn is_hidden(letter: char) -> bool {
    const FORMATS: [std::ops::RangeInclusive<char>; 8] = [
        '\u{ad}'..='\u{ad}',
        '\u{61c}'..='\u{61c}',
        '\u{200b}'..='\u{200f}',
        '\u{2028}'..='\u{202e}',
        '\u{2060}'..='\u{206f}',
        '\u{feff}'..='\u{feff}',
        '\u{fff9}'..='\u{fffb}',
        '\u{e0000}'..='\u{e007f}',
    ];
    letter.is_control() || FORMATS.iter().any(|range| range.contains(&letter))
}

/// For people; the top is `.`.
impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str(".") } else { self.write(f, is_hidden) }
    }
}

/// For programs: JSON has escapes of its own for what cannot be seen.
impl Serialize for FilePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(self.0.len());
        self.write(&mut text, |_| false).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

/// Reads what `Serialize` wrote.
impl<'de> Deserialize<'de> for FilePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = unwritten(text.as_bytes());
        bytes
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("a backslash with neither a backslash nor a byte after it"))
    }
}

/// The bytes that were written so.
fn unwritten(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    loop {
        text = match text {
            [] => return Some(bytes),
            [b'\\', b'\\', rest @ ..] => {
                bytes.push(b'\\');
                rest
            }
            [b'\\', b'x', high, low, rest @ ..] => {
                let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push(digit(*high)? << 4 | digit(*low)?);
                rest
            }
            [b'\\', ..] => return None,
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_nothing_moves_the_cursor() {
        for (bytes, shown, json) in [
            (&b"docs/plain name"[..], "docs/plain name", r#""docs/plain name""#),
            ("é→".as_bytes(), "é→", "\"é→\""),
            (b"a\xff\xfeb", r"a\xff\xfeb", r#""a\\xff\\xfeb""#),
            (br"a\xff", r"a\\xff", r#""a\\\\xff""#),
            (b"a\nb\x1b[2J", r"a\nb\u{1b}[2J", r#""a\nb\u001b[2J""#),
            ("a\u{202e}b".as_bytes(), r"a\u{202e}b", "\"a\u{202e}b\""),
            (b"", ".", r#""""#),
        ] {
            let path = FilePath::new(bytes);
            assert_eq!(path.to_string(), shown);
            assert_eq!(serde_json::to_string(&path).unwrap(), json);
            assert_eq!(serde_json::from_str::<FilePath>(json).unwrap(), path);
        }
        for broken in [r#""\\""#, r#""\\x1""#, r#""\\xg0""#, r#""\\n""#] {
            assert!(serde_json::from_str::<FilePath>(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn within_means_whole_names() {
        let within = |path: &str, directory: &str| FilePath::new(path).is_within(&FilePath::new(directory));
        assert!(within("a/b", "a") && within("a", "a") && within("a", "") && within("", ""));
        assert!(!within("ab", "a") && !within("a", "a/b") && !within("", "a"));
    }
}
