//! `Key`: the name of an object, safe as a file path and as an S3 key alike.
//!
//! The invariant: a `Key` that exists was validated; no part of it can leave the root of a directory store or clash
//! with the store's private directory.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The directory in which a directory store keeps what is not an object yet; no key may start with it.
pub(crate) const PRIVATE_DIRECTORY: &str = ".subvault-tmp";

/// The name of an object: components of `A-Z a-z 0-9 . _ = + @ -`, separated by `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

/// A text that is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot name an object: {reason}")]
pub struct BadKey {
    text: String,
    reason: &'static str,
}

impl Key {
    /// The longest key, in bytes: S3 allows 1024, and a prefix of the bucket's user comes in front.
    pub const BYTES_MAX: usize = 900;

    /// The longest component, in bytes: a file name on Linux.
    pub const COMPONENT_BYTES_MAX: usize = 255;

    /// Checks a text.
    pub fn new(text: impl Into<String>) -> Result<Self, BadKey> {
        let text = text.into();
        match fault(&text) {
            None => Ok(Self(text)),
            Some(reason) => Err(BadKey { text, reason }),
        }
    }

    /// The text of the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key below this one.
    pub fn join(&self, more: &str) -> Result<Self, BadKey> {
        Self::new(format!("{}/{more}", self.0))
    }

    /// The last component.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

fn fault(text: &str) -> Option<&'static str> {
    if text.len() > Key::BYTES_MAX {
        return Some("it is longer than 900 bytes");
    }
    if text.split('/').next() == Some(PRIVATE_DIRECTORY) {
        return Some("this name is the store's own");
    }
    text.split('/').find_map(component_fault)
}

fn component_fault(component: &str) -> Option<&'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._=+@-".contains(&byte);
    match component {
        "" => Some("a component is empty"),
        "." | ".." => Some("`.` and `..` are not names"),
        long if long.len() > Key::COMPONENT_BYTES_MAX => Some("a component is longer than 255 bytes"),
        other if !other.bytes().all(allowed) => Some("only letters, digits and `._=+@-` may be used"),
        _ => None,
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Key {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        Self::new(text)
    }
}

impl TryFrom<String> for Key {
    type Error = BadKey;

    fn try_from(text: String) -> Result<Self, BadKey> {
        Self::new(text)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_leave_the_root_is_no_key() {
        for text in ["", "/", "a/", "/a", "a//b", ".", "..", "a/../b", "a/./b", "a b", "a\0b", "a\\b", "ä", "a*"] {
            assert!(Key::new(text).is_err(), "{text:?}");
        }
        assert!(Key::new(".subvault-tmp/x").is_err());
        assert!(Key::new("x".repeat(256)).is_err());
        assert!(Key::new(["abcdefghi"; 91].join("/")).is_err());
    }

    #[test]
    fn ordinary_names_are_keys() {
        for text in
            ["a", "hosts/web-1/streams/20261120T221500Z+full/0001.age", "...", "a=b@c", ".hidden", "a/.subvault-tmp"]
        {
            assert_eq!(Key::new(text).unwrap().as_str(), text);
        }
        assert_eq!(Key::new("a/b").unwrap().join("c/d").unwrap().name(), "d");
    }

    proptest! {
        /// Any text at all: either refused, or a relative path of plain components that reads back as itself.
        #[test]
        fn a_key_stays_below_its_root(text in prop_oneof![".*", "[a-z./_=+@-]{0,40}", "([a-z.]{1,3}/){0,5}[a-z.]{1,3}"]) {
            if let Ok(key) = Key::new(text.clone()) {
                prop_assert_eq!(key.as_str(), &text);
                prop_assert!(text.len() <= Key::BYTES_MAX);
                let path = Path::new(key.as_str());
                prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
                prop_assert_eq!(path.components().count(), text.split('/').count());
                prop_assert_eq!(key.to_string().parse::<Key>().unwrap(), key);
            } else {
                prop_assert!(text.split('/').any(|part| component_fault(part).is_some()) || text.len() > 900
                    || text.starts_with(PRIVATE_DIRECTORY));
            }
        }

        /// Texts made of allowed characters are keys.
        #[test]
        fn allowed_components_make_a_key(parts in prop::collection::vec("[A-Za-z0-9_=+@-][A-Za-z0-9._=+@-]{0,30}", 1..6)) {
            prop_assert!(Key::new(parts.join("/")).is_ok());
        }
    }
}
