//! What passes between two machines: frames of a kind, a length and bytes.
//!
//! The other side is not believed: a length is checked before anything is read, and memory grows only with what has really
//! arrived.

use std::io::{self, Read, Write};

/// The version of the conversation. Both sides must speak the same.
pub(super) const PROTOCOL: u32 = 1;
/// The longest message: a list of a hundred thousand copies.
const MESSAGE_MAX: u32 = 64 << 20;
/// The longest piece of a stream.
const DATA_MAX: u32 = 1 << 20;
/// A kind and a length.
const HEAD: usize = 5;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// A question or an answer.
    Message(Vec<u8>),
    /// A piece of a stream.
    Data(Vec<u8>),
    /// The stream is whole: its length and its BLAKE3 hash.
    End(u64, [u8; 32]),
    /// The stream will not be whole.
    Abort,
    /// Nothing, to show that somebody is there.
    Alive,
}

impl Frame {
    fn kind(&self) -> u8 {
        match self {
            Self::Message(_) => b'M',
            Self::Data(_) => b'D',
            Self::End(..) => b'E',
            Self::Abort => b'X',
            Self::Alive => b'A',
        }
    }
}

/// Writes a frame at once.
pub(super) fn write_frame(to: &mut dyn Write, frame: &Frame) -> io::Result<()> {
    let mut end = [0; 40];
    let payload: &[u8] = match frame {
        Frame::Message(bytes) | Frame::Data(bytes) => bytes,
        Frame::End(length, hash) => {
            end[..8].copy_from_slice(&length.to_le_bytes());
            end[8..].copy_from_slice(hash);
            &end
        }
        Frame::Abort | Frame::Alive => &[],
    };
    write_parts(to, frame.kind(), payload)
}

/// Writes a piece of a stream without copying it.
pub(super) fn write_data(to: &mut dyn Write, piece: &[u8]) -> io::Result<()> {
    write_parts(to, b'D', piece)
}

fn write_parts(to: &mut dyn Write, kind: u8, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
    let mut head = [kind; HEAD];
    head[1..].copy_from_slice(&length.to_le_bytes());
    to.write_all(&head)?;
    to.write_all(payload)?;
    to.flush()
}

/// Reads the next frame; `None` at the end.
pub(super) fn read_frame(from: &mut dyn Read) -> io::Result<Option<Frame>> {
    let mut head = [0; HEAD];
    let mut have = 0;
    while have < HEAD {
        match from.read(&mut head[have..]) {
            Ok(0) if have == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(more) => have += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let [kind, a, b, c, d] = head;
    let length = u32::from_le_bytes([a, b, c, d]);
    let most = match kind {
        b'M' => MESSAGE_MAX,
        b'D' => DATA_MAX,
        b'E' => 40,
        b'X' | b'A' => 0,
        _ => return Err(nonsense("a frame of an unknown kind")),
    };
    if length > most {
        return Err(nonsense("a frame that is too long"));
    }
    let mut payload = Vec::with_capacity(length.min(DATA_MAX) as usize);
    from.take(u64::from(length)).read_to_end(&mut payload)?;
    if payload.len() as u64 != u64::from(length) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(match kind {
        b'M' => Frame::Message(payload),
        b'D' => Frame::Data(payload),
        b'E' => end_of(&payload)?,
        b'X' => Frame::Abort,
        _ => Frame::Alive,
    }))
}

fn end_of(payload: &[u8]) -> io::Result<Frame> {
    let parts = payload.split_first_chunk::<8>();
    let parts = parts.and_then(|(length, hash)| Some((u64::from_le_bytes(*length), <[u8; 32]>::try_from(hash).ok()?)));
    let (length, hash) = parts.ok_or_else(|| nonsense("an end that is too short"))?;
    Ok(Frame::End(length, hash))
}

fn nonsense(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the other side sent {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_read_back_and_what_is_cut_or_too_long_is_refused() {
        let frames = [
            Frame::Message(b"{}".to_vec()),
            Frame::Data(vec![7; 70_000]),
            Frame::End(5, [9; 32]),
            Frame::Abort,
            Frame::Alive,
        ];
        let mut bytes = Vec::new();
        for frame in &frames {
            write_frame(&mut bytes, frame).unwrap();
        }
        let mut from = bytes.as_slice();
        for frame in &frames {
            assert_eq!(read_frame(&mut from).unwrap().as_ref(), Some(frame));
        }
        assert_eq!(read_frame(&mut from).unwrap(), None);
        for cut in [1, 4, 6, 100] {
            let mut from = &bytes[..cut];
            let outcome = std::iter::from_fn(|| Some(read_frame(&mut from))).find(|r| !matches!(r, Ok(Some(_))));
            assert!(outcome.unwrap().is_err(), "cut at {cut}");
        }
        for head in [*b"Z\0\0\0\0", *b"D\xff\xff\xff\xff", *b"A\x01\0\0\0", *b"E\x05\0\0\0"] {
            let mut bytes = head.to_vec();
            bytes.extend([0; 64]);
            assert!(read_frame(&mut bytes.as_slice()).is_err());
        }
    }
}
