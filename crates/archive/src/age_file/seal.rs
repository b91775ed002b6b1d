//! Sealing: the secret of a stream, and the pieces of a chunk's payload.

use aws_lc_rs::aead::{Aad, LessSafeKey};
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};
use zeroize::Zeroizing;

use super::header::{self, Recipient};
use super::{NONCE_BYTES, PIECE_BYTES, TAG_BYTES, derive, payload_key, piece_nonce};
use crate::error::ArchiveError;

/// How many pieces are sealed in one go.
const SEGMENT_PIECES: usize = 16;
/// How much plaintext a full segment holds.
pub const SEGMENT_BYTES: usize = SEGMENT_PIECES * PIECE_BYTES;

/// Fills in random bytes from the kernel. (The library's own generator would first measure jitter for 20 ms, which is
/// longer than a small incremental takes.)
fn draw(bytes: &mut [u8]) -> Result<(), ArchiveError> {
    let mut filled = 0;
    while filled < bytes.len() {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(_) => return Err(ArchiveError::Bug("the kernel has no randomness")),
        }
    }
    Ok(())
}

/// A random number that tells one attempt to write a stream from another.
///
/// # Errors
/// When the system has no randomness.
pub fn draw_attempt() -> Result<u32, ArchiveError> {
    let mut bytes = [0; 4];
    draw(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// What the sealed bytes of a stream depend on, besides its content. Never leaves the root-only journal.
#[derive(Clone)]
pub struct StreamSecret(Zeroizing<[u8; 32]>);

impl StreamSecret {
    /// Draws a new one.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn draw() -> Result<Self, ArchiveError> {
        let mut bytes = Zeroizing::new([0; 32]);
        draw(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    /// Takes one up again from its bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its bytes, for the journal only.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn file_key(&self) -> Result<Zeroizing<[u8; 16]>, ArchiveError> {
        derive::<16>(self.0.as_slice(), &[], &[b"subvault file key"])
    }

    fn nonce(&self, chunk: u32) -> Result<Zeroizing<[u8; NONCE_BYTES]>, ArchiveError> {
        derive::<NONCE_BYTES>(self.0.as_slice(), &[], &[b"subvault chunk nonce", &chunk.to_be_bytes()])
    }
}

/// Seals the chunks of one stream.
pub struct Sealer {
    secret: StreamSecret,
    header: Vec<u8>,
}

impl Sealer {
    /// A sealer for a new stream. The header holds randomness of its own, so it is journaled with the secret.
    ///
    /// # Errors
    /// When there is no recipient.
    pub fn new(secret: StreamSecret, recipients: &[Recipient]) -> Result<Self, ArchiveError> {
        let file_key = secret.file_key()?;
        let header = header::write(&file_key, recipients)?;
        Ok(Self { secret, header })
    }

    /// Takes up an interrupted stream with the header it began with.
    #[must_use]
    pub fn resume(secret: StreamSecret, header: Vec<u8>) -> Self {
        Self { secret, header }
    }

    /// The secret, for the journal only.
    #[must_use]
    pub fn secret(&self) -> &StreamSecret {
        &self.secret
    }

    /// The header that each chunk begins with.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// What stands before the payload of a chunk, and the key of that payload.
    ///
    /// # Errors
    /// Only for a broken promise.
    pub fn begin_chunk(&self, chunk: u32) -> Result<(Vec<u8>, LessSafeKey), ArchiveError> {
        let nonce = self.secret.nonce(chunk)?;
        let key = payload_key(self.secret.file_key()?.as_slice(), nonce.as_slice())?;
        let mut front = self.header.clone();
        front.extend_from_slice(nonce.as_slice());
        Ok((front, key))
    }
}

/// How large a payload of `plain` bytes becomes. An empty payload still has its one, empty, piece.
#[must_use]
pub fn sealed_bytes(plain: u64) -> u64 {
    plain + TAG_BYTES as u64 * plain.div_ceil(PIECE_BYTES as u64).max(1)
}

/// Plaintext that is gathered with room for a tag after each piece, so that it can be sealed where it lies.
pub struct Segment {
    spaced: Vec<u8>,
    plain_bytes: usize,
    first_piece: u64,
}

impl Segment {
    /// An empty segment whose first piece has this number in its payload.
    #[must_use]
    pub fn new(first_piece: u64) -> Self {
        let spaced = Vec::with_capacity(SEGMENT_PIECES * (PIECE_BYTES + TAG_BYTES));
        Self { spaced, plain_bytes: 0, first_piece }
    }

    /// Whether it takes no more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.plain_bytes == SEGMENT_BYTES
    }

    /// The segment that comes after this full one.
    #[must_use]
    pub fn next(&self) -> Self {
        Self::new(self.first_piece + SEGMENT_PIECES as u64)
    }

    /// Takes as much as fits and returns the rest.
    #[must_use]
    pub fn fill<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        while !bytes.is_empty() && !self.is_full() {
            let in_piece = self.plain_bytes % PIECE_BYTES;
            if in_piece == 0 && self.plain_bytes > 0 {
                self.spaced.extend_from_slice(&[0; TAG_BYTES]);
            }
            let (now, later) = bytes.split_at(bytes.len().min(PIECE_BYTES - in_piece));
            self.spaced.extend_from_slice(now);
            self.plain_bytes += now.len();
            bytes = later;
        }
        bytes
    }

    /// Seals it; `last` marks the end of the payload.
    ///
    /// # Errors
    /// Only for a broken promise.
    pub fn seal(mut self, key: &LessSafeKey, last: bool) -> Result<Vec<u8>, ArchiveError> {
        self.spaced.extend_from_slice(&[0; TAG_BYTES]);
        let pieces = self.plain_bytes.div_ceil(PIECE_BYTES).max(1);
        for (index, spaced) in self.spaced.chunks_mut(PIECE_BYTES + TAG_BYTES).enumerate() {
            let nonce = piece_nonce(self.first_piece + index as u64, last && index + 1 == pieces);
            let (piece, room) = spaced.split_at_mut(spaced.len() - TAG_BYTES);
            let tag = key
                .seal_in_place_separate_tag(nonce, Aad::empty(), piece)
                .map_err(|_| ArchiveError::Bug("sealing was refused"))?;
            room.copy_from_slice(tag.as_ref());
        }
        Ok(self.spaced)
    }
}
