//! The text header of an age file: who can open it.

use std::str::FromStr;

use age::Recipient as _;
use age_core::format::{FileKey, Stanza};
use age_core::secrecy::ExposeSecret;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use zeroize::Zeroizing;

use super::derive;
use crate::error::ArchiveError;

const INTRO: &str = "age-encryption.org/v1\n";
const MAC_MARK: &str = "---";
const COLUMNS: usize = 64;
/// A header of a hundred recipients has about 15 kB; anything much larger is not ours.
pub const HEADER_BYTES_MAX: usize = 64 << 10;

/// A public key that chunks are encrypted to (`age1…`).
#[derive(Debug, Clone)]
pub struct Recipient(age::x25519::Recipient);

impl FromStr for Recipient {
    type Err = ArchiveError;

    fn from_str(text: &str) -> Result<Self, ArchiveError> {
        age::x25519::Recipient::from_str(text.trim()).map(Self).map_err(|why| {
            ArchiveError::Key(format!("`{text}` is not an age recipient ({why}); it looks like `age1…`"))
        })
    }
}

impl std::fmt::Display for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A private key that opens chunks (`AGE-SECRET-KEY-1…`).
#[derive(Clone)]
pub struct Identity(age::x25519::Identity);

impl Identity {
    /// Draws a new one.
    #[must_use]
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }

    /// The public key that belongs to it.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient(self.0.to_public())
    }

    /// The secret as text, for the identity file only.
    #[must_use]
    pub fn secret(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.to_string().expose_secret().to_owned())
    }

    /// Reads an identity file: a key a line, comments begin with `#`.
    ///
    /// # Errors
    /// When a line is neither, or there is no key.
    pub fn parse_file(text: &str) -> Result<Vec<Self>, ArchiveError> {
        let keys = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
        let found = keys
            .map(|line| {
                // The line itself is never shown: it may be a secret with a typing error.
                age::x25519::Identity::from_str(line)
                    .map(Self)
                    .map_err(|_| ArchiveError::Key("a line of the identity file is not an age identity".to_owned()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if found.is_empty() {
            return Err(ArchiveError::Key("the identity file holds no key".to_owned()));
        }
        Ok(found)
    }
}

fn mac(file_key: &[u8], header: &[u8]) -> Result<hmac::Tag, ArchiveError> {
    let key = derive::<32>(file_key, &[], &[b"header"])?;
    Ok(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()), header))
}

/// Writes the header of a file with this key, to be opened by any of the recipients.
///
/// # Errors
/// When there is no recipient: nothing is ever encrypted to nobody.
pub fn write(file_key: &[u8; 16], recipients: &[Recipient]) -> Result<Vec<u8>, ArchiveError> {
    if recipients.is_empty() {
        return Err(ArchiveError::Key("no recipient to encrypt to".to_owned()));
    }
    let key = FileKey::new(Box::new(*file_key));
    let mut text = INTRO.to_owned();
    for recipient in recipients {
        let (stanzas, _) = recipient
            .0
            .wrap_file_key(&key)
            .map_err(|e| ArchiveError::Key(format!("cannot encrypt to {recipient}: {e}")))?;
        stanzas.iter().for_each(|s| write_stanza(&mut text, s));
    }
    text.push_str(MAC_MARK);
    let tag = mac(file_key, text.as_bytes())?;
    text.push_str(&format!(" {}\n", BASE64.encode(tag)));
    Ok(text.into_bytes())
}

fn write_stanza(text: &mut String, stanza: &Stanza) {
    text.push_str("-> ");
    text.push_str(&stanza.tag);
    for argument in &stanza.args {
        text.push(' ');
        text.push_str(argument);
    }
    text.push('\n');
    // Lines of 64 columns; the last one is shorter, empty if need be.
    let body = BASE64.encode(&stanza.body);
    let mut rest = body.as_str();
    while rest.len() >= COLUMNS {
        let (line, after) = rest.split_at(COLUMNS);
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(rest);
    text.push('\n');
}

/// A header that was opened.
pub struct Opened {
    /// The key of the file.
    pub file_key: Zeroizing<[u8; 16]>,
    /// How many bytes the header took.
    pub header_bytes: usize,
}

/// Reads the header at the beginning of `bytes` and opens it with one of the identities.
///
/// # Errors
/// When it is not an age header, no identity fits, or its MAC is wrong.
pub fn open(bytes: &[u8], identities: &[Identity], name: &str) -> Result<Opened, ArchiveError> {
    let damaged = |what: &str| ArchiveError::Damaged { key: name.to_owned(), what: what.to_owned() };
    let window = bytes.get(..HEADER_BYTES_MAX).unwrap_or(bytes);
    let not_age = || damaged("it does not begin with an age header");
    let mark = find(window, b"\n--- ").ok_or_else(not_age)? + 1;
    let end = mark + find(&window[mark..], b"\n").ok_or_else(not_age)? + 1;
    let text = std::str::from_utf8(&window[..end]).map_err(|_| not_age())?;
    let stanzas = parse_stanzas(&text[..mark]).ok_or_else(not_age)?;
    let tag = text[mark..].trim_end().strip_prefix("--- ").and_then(|t| BASE64.decode(t).ok()).ok_or_else(not_age)?;
    for identity in identities {
        let Some(found) = age::Identity::unwrap_stanzas(&identity.0, &stanzas) else { continue };
        let key = found.map_err(|_| damaged("its header does not open with the identity that it names"))?;
        let file_key = Zeroizing::new(*key.expose_secret());
        let signed = &text.as_bytes()[..mark + MAC_MARK.len()];
        let expected = mac(file_key.as_slice(), signed)?;
        if expected.as_ref() != tag.as_slice() {
            return Err(damaged("the MAC of its header is wrong"));
        }
        return Ok(Opened { file_key, header_bytes: end });
    }
    Err(ArchiveError::NoIdentityMatches(name.to_owned()))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

fn parse_stanzas(text: &str) -> Option<Vec<Stanza>> {
    let mut lines = text.strip_prefix(INTRO)?.lines();
    let mut stanzas = Vec::new();
    while let Some(line) = lines.next() {
        let mut words = line.strip_prefix("-> ")?.split(' ').map(str::to_owned);
        let tag = words.next()?;
        let mut body = String::new();
        loop {
            let part = lines.next()?;
            body.push_str(part);
            if part.len() < COLUMNS {
                break;
            }
        }
        stanzas.push(Stanza { tag, args: words.collect(), body: BASE64.decode(body).ok()? });
    }
    Some(stanzas)
}
