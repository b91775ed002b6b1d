//! Small objects that people may read: JSON, followed by a line with the SHA-256 of what stands before it.
//!
//! The last line makes a flipped bit anywhere in the object visible, without a second object and with stock
//! tools: `head -n -1 manifest.json | sha256sum`, and `head -n -1 manifest.json | jq`.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use subvault_store::{Key, ObjectStore, StoreErrorKind};

use crate::error::ArchiveError;
use crate::hash::Hash256;
use crate::manifest::FORMAT;

const MARK: &str = "#sha256 ";

/// The largest document that is read: a manifest of 5 TiB in parts of 24 MiB has about 16 MB.
const DOCUMENT_BYTES_MAX: usize = 64 << 20;

/// A document as it is stored, and the hash in its last line.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// What to store.
    pub body: Bytes,
    /// The SHA-256 of everything before the last line.
    pub sha256: Hash256,
}

/// What all documents but the host's record begin with.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// Writes a document.
///
/// # Errors
/// When the value cannot be written as JSON, which is a bug.
pub fn encode<T: Serialize>(value: &T) -> Result<Encoded, ArchiveError> {
    let mut text = serde_json::to_string_pretty(value).map_err(|_| ArchiveError::Bug("a document is not JSON"))?;
    text.push('\n');
    let sha256 = Hash256::sha256(text.as_bytes());
    text.push_str(&format!("{MARK}{sha256}\n"));
    Ok(Encoded { body: Bytes::from(text), sha256 })
}

/// Reads a document, and tells the hash in its last line.
///
/// # Errors
/// When it is damaged or not such a document.
pub fn decode<T: DeserializeOwned>(key: &Key, body: &[u8]) -> Result<(T, Hash256), ArchiveError> {
    let damaged = |what: &str| ArchiveError::damaged(key, what);
    let trimmed = body.strip_suffix(b"\n").ok_or_else(|| damaged("it is cut off"))?;
    let split = trimmed.iter().rposition(|b| *b == b'\n').ok_or_else(|| damaged("it is cut off"))? + 1;
    let (text, last) = trimmed.split_at(split);
    let said =
        std::str::from_utf8(last).ok().and_then(|l| l.strip_prefix(MARK)).and_then(|h| h.parse::<Hash256>().ok());
    let said = said.ok_or_else(|| damaged("its last line is not a hash"))?;
    if Hash256::sha256(text) != said {
        return Err(damaged("its SHA-256 is not the one in its last line"));
    }
    // First, because a newer version may have changed everything else.
    if let Ok(Version { format: found }) = serde_json::from_slice(text)
        && found > FORMAT
    {
        return Err(ArchiveError::NewerFormat { key: key.clone(), found, known: FORMAT });
    }
    let value = serde_json::from_slice(text).map_err(|e| damaged(&format!("it is intact but not understood ({e})")))?;
    Ok((value, said))
}

/// Reads a document from a store.
///
/// # Errors
/// When the store fails or the document is damaged.
pub fn read<T: DeserializeOwned>(store: &ObjectStore, key: &Key) -> Result<(T, Hash256), ArchiveError> {
    let body = store.get(key, DOCUMENT_BYTES_MAX).map_err(|error| match error.kind() {
        // A bucket that keeps checksums notices before we do; it is one document that is damaged, not the store.
        StoreErrorKind::Unfaithful => ArchiveError::damaged(key, "it is not what was stored"),
        StoreErrorKind::TooLarge => ArchiveError::damaged(key, "it is larger than it can be"),
        _ => error.into(),
    })?;
    decode(key, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_flipped_bit_is_seen() {
        let key: Key = "a/b.json".parse().unwrap();
        let body = encode(&vec![("a", 1), ("b", 2)]).unwrap().body;
        assert!(decode::<Vec<(String, u32)>>(&key, &body).is_ok());
        for bit in 0..body.len() * 8 {
            let mut flipped = body.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode::<Vec<(String, u32)>>(&key, &flipped).is_err(), "bit {bit}");
        }
        for len in 0..body.len() {
            assert!(decode::<Vec<(String, u32)>>(&key, &body[..len]).is_err(), "cut at {len}");
        }
    }
}
