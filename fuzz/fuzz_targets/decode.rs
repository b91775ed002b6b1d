//! The decoder of send streams, fed with anything, in blocks of any size.
//!
//! What must hold: no panic; the blocks make no difference to the outcome; every command that comes out can be written
//! again, and what was written reads and writes as itself.
//!
//! Most changes of a stream only break a checksum. So the input either is a stream, or it is a list of command bodies,
//! which are put into a stream with the right lengths and checksums.

#![no_main]

use std::convert::Infallible;

use libfuzzer_sys::fuzz_target;
use subvault_sendstream::{
    command::Command,
    decode::{Decoder, PushError, StreamError},
    encode::{EncodeError, Encoder},
    touched::{Scope, Touched},
};

fuzz_target!(|input: &[u8]| {
    let Some((&[kind, seed], input)) = input.split_first_chunk() else { return };
    let version = u32::from(kind % 4);
    let stream = if version == 0 { input.to_vec() } else { framed(version, input) };

    let mut touched = Touched::new(4096);
    let mut version = 0;
    let whole = decode(&stream, &mut |()| stream.len(), &mut |_, command| touched.command(command));
    let mut state = u32::from(seed);
    let mut block = |()| {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12345);
        1 + (state >> 16) as usize % (1 << (seed % 10))
    };
    let mut commands = Vec::new();
    let split = decode(&stream, &mut block, &mut |of, command| {
        version = of;
        if let Some(again) = encoded(of, command) {
            commands.push(again);
        }
    });
    assert_eq!(whole, split);
    for command in &commands {
        check(version, command);
    }
    if let Scope::Paths(paths) = touched.scope() {
        assert!(paths.iter().all(|(path, _)| !path.starts_with(b"/")));
    }
});

/// A stream of one subvolume with these bodies: number (one byte), length (two bytes), body, and so on.
fn framed(version: u32, mut bodies: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    let encoder = Encoder::new(version).unwrap();
    encoder.header(&mut stream);
    let begin = Command::Snapshot { path: b"s", uuid: [1; 16], ctransid: 2, clone_uuid: [3; 16], clone_ctransid: 4 };
    encoder.command(&begin, &mut stream).unwrap();
    while let Some((&[number, low, high], rest)) = bodies.split_first_chunk() {
        let len = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
        let (body, rest) = rest.split_at(len);
        let start = stream.len();
        stream.extend_from_slice(&(len as u32).to_le_bytes());
        stream.extend_from_slice(&[number, 0, 0, 0, 0, 0]);
        stream.extend_from_slice(body);
        let sum = checksum(&stream[start..]).to_le_bytes();
        stream[start + 6..start + 10].copy_from_slice(&sum);
        bodies = rest;
    }
    encoder.command(&Command::End, &mut stream).unwrap();
    stream
}

fn checksum(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |sum, &byte| (0..8).fold(sum ^ u32::from(byte), |sum, _| (sum >> 1) ^ (0x82f6_3b78 * (sum & 1))))
}

/// Decodes in blocks; how many commands there were and how it ended.
fn decode(
    mut stream: &[u8],
    block: &mut dyn FnMut(()) -> usize,
    each: &mut dyn FnMut(u32, &Command<'_>),
) -> (u64, u64, Result<(), StreamError>) {
    let version = stream.get(13).map_or(0, |&version| u32::from(version));
    let mut decoder = Decoder::new();
    while !stream.is_empty() {
        let (now, later) = stream.split_at(block(()).clamp(1, stream.len()));
        let pushed = decoder.push(now, &mut |command| {
            each(version, &command);
            Ok::<(), Infallible>(())
        });
        if let Err(PushError::Stream(error)) = pushed {
            return (decoder.commands(), decoder.stream_offset(), Err(error));
        }
        stream = later;
    }
    (decoder.commands(), decoder.stream_offset(), decoder.finish())
}

/// The command written again. It can become longer than it was by attributes that may be left out, and then too long.
fn encoded(version: u32, command: &Command<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match Encoder::new(version).unwrap().command(command, &mut out) {
        Ok(()) => Some(out),
        Err(EncodeError::TooLong { .. }) => None,
        Err(error) => panic!("{error}: {command:?}"),
    }
}

/// What was written reads as something that is written just so.
fn check(version: u32, command: &[u8]) {
    let encoder = Encoder::new(version).unwrap();
    let mut stream = Vec::new();
    encoder.header(&mut stream);
    let begins = matches!(command[4], 1 | 2);
    if !begins {
        let begin = Command::Subvol { path: b"s", uuid: [1; 16], ctransid: 2 };
        encoder.command(&begin, &mut stream).unwrap();
    }
    stream.extend_from_slice(command);
    if command[4] != 21 {
        encoder.command(&Command::End, &mut stream).unwrap();
    }
    let mut again = stream[..17].to_vec();
    let mut each = |_, command: &Command<'_>| encoder.command(command, &mut again).unwrap();
    let (_, _, end) = decode(&stream, &mut |()| usize::MAX, &mut each);
    assert_eq!(end, Ok(()));
    assert_eq!(stream, again);
}
