//! Opening: the payload of an age file, fed in any portions, given out piece by piece after each was authenticated.

use aws_lc_rs::aead::{Aad, LessSafeKey};

use super::header::{HEADER_BYTES_MAX, Identity, open};
use super::{NONCE_BYTES, PIECE_BYTES, TAG_BYTES, payload_key, piece_nonce};
use crate::error::ArchiveError;

const SEALED_BYTES: usize = PIECE_BYTES + TAG_BYTES;

enum State {
    /// The header is being gathered.
    Header,
    /// Pieces are being opened.
    Payload { key: LessSafeKey, counter: u64 },
    /// The last piece was opened.
    Done,
}

/// Opens one age file.
pub struct Opener<'a> {
    name: String,
    identities: &'a [Identity],
    state: State,
    held: Vec<u8>,
}

impl<'a> Opener<'a> {
    /// An opener for the object `name` (for messages).
    #[must_use]
    pub fn new(name: String, identities: &'a [Identity]) -> Self {
        Self { name, identities, state: State::Header, held: Vec::new() }
    }

    fn damaged(&self, what: &str) -> ArchiveError {
        ArchiveError::Damaged { key: self.name.clone(), what: what.to_owned() }
    }

    /// Takes the next bytes of the file and appends what could be opened to `out`.
    ///
    /// # Errors
    /// When the file is damaged or no identity opens it.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ArchiveError> {
        self.held.extend_from_slice(bytes);
        if matches!(self.state, State::Header) && !self.open_header()? {
            return Ok(());
        }
        // The last piece is known only at the end, so one whole piece is always held back.
        let mut from = 0;
        while self.held.len() - from > SEALED_BYTES {
            self.open_piece(from, SEALED_BYTES, false, out)?;
            from += SEALED_BYTES;
        }
        self.held.drain(..from);
        Ok(())
    }

    /// Opens the last piece: the file has ended.
    ///
    /// # Errors
    /// When the file is cut off or damaged.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), ArchiveError> {
        if matches!(self.state, State::Header) {
            // Asked once more for its own words on what is wrong.
            open(&self.held, self.identities, &self.name)?;
            return Err(self.damaged("it is cut off"));
        }
        self.open_piece(0, self.held.len(), true, out)?;
        self.held.clear();
        self.state = State::Done;
        Ok(())
    }

    /// Opens the header once all of it is there.
    fn open_header(&mut self) -> Result<bool, ArchiveError> {
        let opened = match open(&self.held, self.identities, &self.name) {
            Ok(opened) => opened,
            Err(ArchiveError::Damaged { .. }) if self.held.len() < HEADER_BYTES_MAX => return Ok(false),
            Err(error) => return Err(error),
        };
        let payload = opened.header_bytes + NONCE_BYTES;
        if self.held.len() < payload {
            return Ok(false);
        }
        let key = payload_key(opened.file_key.as_slice(), &self.held[opened.header_bytes..payload])?;
        self.held.drain(..payload);
        self.state = State::Payload { key, counter: 0 };
        Ok(true)
    }

    fn open_piece(&mut self, from: usize, len: usize, last: bool, out: &mut Vec<u8>) -> Result<(), ArchiveError> {
        let State::Payload { key, counter } = &mut self.state else {
            return Err(self.damaged("bytes follow its end"));
        };
        let opened = self.held.get_mut(from..from + len).and_then(|sealed| {
            key.open_in_place(piece_nonce(*counter, last), Aad::empty(), sealed).ok().map(|plain| &*plain)
        });
        let Some(plain) = opened else {
            return Err(self.damaged("a piece of it cannot be authenticated, or its end is missing"));
        };
        out.extend_from_slice(plain);
        *counter += 1;
        Ok(())
    }
}
