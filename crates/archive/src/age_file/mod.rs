//! age files (C2SP `age`, version 1), written and read in pieces.
//!
//! Key wrapping is the `age` crate's; the payload is sealed here, because that makes it parallel, resumable and
//! about twice as fast. Stock `age` opens what is written here, and the other way round; tests hold that.
//!
//! **Nonces.** All chunks of a stream share a file key; each has a payload nonce of its own, from which age derives
//! the key of the payload. Both come from a secret that is drawn per stream and kept in the root-only journal, so
//! that a rerun seals the same bytes. Sealing *other* bytes under the same secret would give both away: therefore the
//! hash of each part is journaled before it leaves the machine, and a rerun that makes another part gives up.

pub mod header;
pub mod open;
pub mod seal;

use aws_lc_rs::hkdf;
use zeroize::Zeroizing;

use crate::error::ArchiveError;

/// How much plaintext one sealed piece of the payload holds.
pub const PIECE_BYTES: usize = 64 << 10;
/// What sealing adds to a piece.
pub const TAG_BYTES: usize = 16;
/// What stands between the header and the first piece.
pub const NONCE_BYTES: usize = 16;

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-SHA-256 with a result of `N` bytes (at most 8160).
fn derive<const N: usize>(key: &[u8], salt: &[u8], info: &[&[u8]]) -> Result<Zeroizing<[u8; N]>, ArchiveError> {
    let mut out = Zeroizing::new([0; N]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(key)
        .expand(info, Length(N))
        .and_then(|okm| okm.fill(out.as_mut_slice()))
        .map_err(|_| ArchiveError::Bug("HKDF refused a length"))?;
    Ok(out)
}

/// The nonce of a piece: a counter of 11 bytes and the mark of the last one.
fn piece_nonce(counter: u64, last: bool) -> aws_lc_rs::aead::Nonce {
    let mut nonce = [0_u8; 12];
    nonce[3..11].copy_from_slice(&counter.to_be_bytes());
    nonce[11] = u8::from(last);
    aws_lc_rs::aead::Nonce::assume_unique_for_key(nonce)
}

/// The key that seals the pieces of a payload.
fn payload_key(file_key: &[u8], nonce: &[u8]) -> Result<aws_lc_rs::aead::LessSafeKey, ArchiveError> {
    let key = derive::<32>(file_key, nonce, &[b"payload"])?;
    aws_lc_rs::aead::UnboundKey::new(&aws_lc_rs::aead::CHACHA20_POLY1305, key.as_slice())
        .map(aws_lc_rs::aead::LessSafeKey::new)
        .map_err(|_| ArchiveError::Bug("a key of 32 bytes was refused"))
}
