//! Damaged streams: no flipped bit and no missing end goes unnoticed.

use subvault_sendstream::{
    command::{Command, Compression, Timespec},
    decode::StreamError,
    encode::Encoder,
};

use crate::commands::decode_in_blocks;

/// A stream with commands of many kinds.
pub(crate) fn small_stream(version: u32) -> Vec<u8> {
    let encoder = Encoder::new(version).unwrap();
    let mut stream = Vec::new();
    encoder.header(&mut stream);
    let time = Timespec { seconds: -5, nanoseconds: 999_999_999 };
    let commands = [
        Command::Snapshot { path: b"s", uuid: [1; 16], ctransid: 2, clone_uuid: [3; 16], clone_ctransid: 4 },
        Command::Mkfile { path: b"o257-7-0" },
        Command::Rename { path: b"o257-7-0", to: b"a\xff" },
        Command::Write { path: b"a\xff", offset: 4096, data: &[5; 100] },
        Command::SetXattr { path: b"", name: b"user.x", data: b"" },
        Command::Utimes { path: b"a\xff", atime: time, mtime: time, ctime: time, otime: None },
    ];
    for command in &commands {
        encoder.command(command, &mut stream).unwrap();
    }
    if version >= 2 {
        let encoded = Command::EncodedWrite {
            path: b"a\xff",
            offset: 0,
            unencoded_file_len: 5,
            unencoded_len: 10,
            unencoded_offset: 5,
            compression: Compression::Zstd,
            data: &[9; 60],
        };
        encoder.command(&encoded, &mut stream).unwrap();
    }
    encoder.command(&Command::End, &mut stream).unwrap();
    stream
}

fn decode(stream: &[u8]) -> Result<(), StreamError> {
    decode_in_blocks(stream, vec![stream.len() / 3], |_| ()).map(drop)
}

#[test]
fn every_flipped_bit_is_noticed() {
    for version in 1..=3 {
        let mut stream = small_stream(version);
        decode(&stream).unwrap();
        for bit in 0..stream.len() * 8 {
            let (byte, mask) = (bit / 8, 1 << (bit % 8));
            stream[byte] ^= mask;
            let outcome = decode(&stream);
            // The format protects everything but its own version number.
            assert!(outcome.is_err() || byte == 13, "version {version}, byte {byte}, mask {mask}");
            stream[byte] ^= mask;
        }
    }
}

#[test]
fn every_missing_end_is_noticed() {
    for version in 1..=3 {
        let stream = small_stream(version);
        for len in 0..stream.len() {
            let error = decode(&stream[..len]).unwrap_err();
            assert!(matches!(error, StreamError::Truncated { .. }), "{len}: {error}");
        }
    }
}

#[test]
fn bytes_after_the_end_are_an_error() {
    let mut stream = small_stream(1);
    let offset = stream.len() as u64;
    stream.extend_from_slice(&small_stream(1));
    assert_eq!(decode(&stream), Err(StreamError::AfterEnd { offset }));
    stream.truncate(offset as usize + 1);
    assert_eq!(decode(&stream), Err(StreamError::AfterEnd { offset }));
}
