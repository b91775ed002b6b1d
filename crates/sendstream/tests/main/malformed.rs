//! Streams with right checksums and wrong content: each is refused with the reason, the command and the place.

use std::error::Error;

use subvault_sendstream::{
    command::{Command, Timespec},
    decode::{Decoder, Fault, PushError, StreamError},
    encode::{EncodeError, Encoder},
};

use crate::commands::decode_in_blocks;

/// The kernel's checksum, bit by bit: not by the library that the codec uses.
fn checksum(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |sum, &byte| (0..8).fold(sum ^ u32::from(byte), |sum, _| (sum >> 1) ^ (0x82f6_3b78 * (sum & 1))))
}

fn unit(number: u16, body: &[u8]) -> Vec<u8> {
    let mut unit = (body.len() as u32).to_le_bytes().to_vec();
    unit.extend_from_slice(&number.to_le_bytes());
    unit.extend_from_slice(&[0; 4]);
    unit.extend_from_slice(body);
    let sum = checksum(&unit);
    unit[6..10].copy_from_slice(&sum.to_le_bytes());
    unit
}

fn attribute(number: u16, value: &[u8]) -> Vec<u8> {
    [&number.to_le_bytes(), &(value.len() as u16).to_le_bytes(), value].concat()
}

fn beginning(version: u32) -> Vec<u8> {
    let mut stream = Vec::new();
    let encoder = Encoder::new(version).unwrap();
    encoder.header(&mut stream);
    let begin = Command::Subvol { path: b"s", uuid: [1; 16], ctransid: 1 };
    encoder.command(&begin, &mut stream).unwrap();
    stream
}

/// What the decoder says to this command at the second place of a stream.
fn second(version: u32, number: u16, attributes: &[Vec<u8>]) -> StreamError {
    let mut stream = beginning(version);
    stream.extend(unit(number, &attributes.concat()));
    decode_in_blocks(&stream, vec![], |_| ()).unwrap_err()
}

fn fault(version: u32, number: u16, attributes: &[Vec<u8>]) -> Fault {
    match second(version, number, attributes) {
        StreamError::Malformed { fault, offset, .. } => {
            assert_eq!(offset, beginning(version).len() as u64);
            fault
        }
        other => panic!("{other}"),
    }
}

fn path(value: &[u8]) -> Vec<u8> {
    attribute(15, value)
}

#[test]
fn paths_that_lead_elsewhere() {
    for bad in ["/a", "a/", "a//b", "..", ".", "a/../b", "a/.", ""] {
        assert_eq!(fault(1, 3, &[path(bad.as_bytes())]), Fault::Path { attribute: "path" }, "{bad}");
    }
    assert_eq!(fault(1, 3, &[path(b"a\0b")]), Fault::Nul { attribute: "path" });
    assert_eq!(fault(1, 9, &[path(b"a"), attribute(16, b"../x")]), Fault::Path { attribute: "path_to" });
    assert_eq!(fault(1, 10, &[path(b"a"), attribute(17, b"/x")]), Fault::Path { attribute: "path_link" });
    let clone = [
        path(b"a"),
        attribute(18, &[0; 8]),
        attribute(20, &[0; 16]),
        attribute(21, &[0; 8]),
        attribute(22, b"x/.."),
        attribute(23, &[0; 8]),
        attribute(24, &[0; 8]),
    ];
    assert_eq!(fault(1, 16, &clone), Fault::Path { attribute: "clone_path" });
}

#[test]
fn attributes_that_are_wrong() {
    assert_eq!(fault(1, 3, &[]), Fault::Missing { attribute: "path" });
    assert_eq!(fault(1, 17, &[path(b"a")]), Fault::Missing { attribute: "size" });
    let size = Fault::Size { attribute: "size", expected: 8, found: 4 };
    assert_eq!(fault(1, 17, &[path(b"a"), attribute(4, &[0; 4])]), size);
    assert_eq!(fault(1, 3, &[path(b"a"), path(b"b")]), Fault::Twice { attribute: "path" });
    assert_eq!(fault(1, 3, &[path(b"a"), vec![3, 0, 8]]), Fault::Cut);
    assert_eq!(fault(1, 3, &[path(b"a"), vec![3, 0, 8, 0, 1]]), Fault::Cut);
    assert_eq!(fault(1, 3, &[attribute(0, b"")]), Fault::UnknownAttribute { number: 0 });
    assert_eq!(fault(1, 3, &[attribute(25, b"")]), Fault::UnknownAttribute { number: 25 });
    assert_eq!(fault(3, 3, &[attribute(36, b"")]), Fault::UnknownAttribute { number: 36 });
    assert_eq!(fault(1, 8, &[path(b"a"), attribute(17, b"")]), Fault::Empty { attribute: "path_link" });
    assert_eq!(fault(1, 14, &[path(b"a"), attribute(13, b"x\0")]), Fault::Nul { attribute: "xattr_name" });
}

#[test]
fn values_that_cannot_be() {
    let time = |nanoseconds: u32| [&[0; 8][..], &nanoseconds.to_le_bytes()].concat();
    let utimes = [path(b"a"), attribute(11, &time(0)), attribute(10, &time(1_000_000_000)), attribute(9, &time(0))];
    assert_eq!(fault(1, 20, &utimes), Fault::Nanoseconds { attribute: "mtime", nanoseconds: 1_000_000_000 });

    let far = i64::MAX as u64;
    let write = [path(b"a"), attribute(18, &far.to_le_bytes()), attribute(19, b"x")];
    assert_eq!(fault(1, 15, &write), Fault::Range { offset: far, len: 1 });
    assert_eq!(
        fault(1, 22, &[path(b"a"), attribute(18, &[255; 8]), attribute(4, &[255; 8])]),
        Fault::Range { offset: u64::MAX, len: u64::MAX }
    );

    let encoded = |compression: u32, encryption: u32, offset: u64| {
        let data = [&19u16.to_le_bytes()[..], b"data"].concat();
        let numbers = [(18, 0), (27, 5), (28, 10), (29, offset)]
            .map(|(number, value): (u16, u64)| attribute(number, &value.to_le_bytes()));
        let methods = [attribute(30, &compression.to_le_bytes()), attribute(31, &encryption.to_le_bytes())];
        fault(2, 25, &[path(b"a"), numbers.concat(), methods.concat(), data])
    };
    assert_eq!(encoded(8, 0, 0), Fault::Compression);
    assert_eq!(encoded(2, 1, 0), Fault::Encrypted { method: 1 });
    assert_eq!(encoded(2, 0, 6), Fault::Extent { offset: 6, file_len: 5, len: 10 });
}

#[test]
fn commands_that_do_not_belong() {
    let offset = beginning(1).len() as u64;
    assert_eq!(second(1, 0, &[]), StreamError::UnknownCommand { number: 0, offset });
    assert_eq!(second(3, 27, &[]), StreamError::UnknownCommand { number: 27, offset });
    let early = StreamError::NotInVersion { command: "encoded_write", version: 1, offset };
    assert_eq!(second(1, 25, &[]), early);
    let begin = [path(b"s"), attribute(1, &[0; 16]), attribute(2, &[0; 8])];
    assert_eq!(second(1, 1, &begin), StreamError::BegunTwice { command: "subvol", offset });

    let mut stream = beginning(1)[..17].to_vec();
    stream.extend(unit(21, &[]));
    let error = decode_in_blocks(&stream, vec![], |_| ()).unwrap_err();
    assert_eq!(error, StreamError::NotBegun { command: "end" });
}

#[test]
fn lengths_that_would_fill_the_memory() {
    for (version, limit) in [(1, 65_526), (2, 16 << 20)] {
        let mut stream = beginning(version);
        let offset = stream.len() as u64;
        stream.extend_from_slice(&(limit as u32 + 1).to_le_bytes());
        stream.extend_from_slice(&[15, 0, 0, 0, 0, 0]);
        let error = decode_in_blocks(&stream, vec![stream.len() - 3], |_| ()).unwrap_err();
        assert_eq!(error, StreamError::TooLong { offset, len: limit as u32 + 1, limit });
    }
}

#[test]
fn headers_that_are_no_headers() {
    let error = |header: &[u8]| decode_in_blocks(header, vec![], |_| ()).unwrap_err();
    assert_eq!(error(b"btrfs-stream \x01\0\0\0"), StreamError::Magic);
    assert_eq!(error(b"btrfs-stream\0\x04\0\0\0"), StreamError::Version { version: 4 });
    assert_eq!(error(b"btrfs-stream\0\x00\0\0\0"), StreamError::Version { version: 0 });
}

#[test]
fn a_decoder_that_failed_stays_failed() {
    let mut decoder = Decoder::new();
    let stream = beginning(1);
    let refused = decoder.push(&stream, &mut |_| Err("no room"));
    assert_eq!(refused, Err(PushError::Each("no room")));
    assert_eq!((decoder.commands(), decoder.stream_offset()), (0, 17));
    let failed = StreamError::Failed { offset: 17 };
    assert_eq!(decoder.push(&stream, &mut |_| Ok::<(), ()>(())), Err(PushError::Stream(failed.clone())));
    assert_eq!(decoder.finish(), Err(failed));
}

#[test]
fn messages_name_the_command_the_place_and_then_the_cause() {
    let error = second(1, 17, &[path(b"a")]);
    assert_eq!(error.to_string(), "malformed command truncate at byte 64 of the send stream");
    assert_eq!(error.source().unwrap().to_string(), "attribute size is missing");
}

#[test]
fn the_encoder_refuses_what_does_not_fit_and_leaves_the_buffer_alone() {
    let refuse = |version, command: &Command<'_>| {
        let mut out = vec![1, 2, 3];
        let error = Encoder::new(version).unwrap().command(command, &mut out).unwrap_err();
        assert_eq!(out, [1, 2, 3]);
        error
    };
    let long = vec![0; 65_536];
    let write = Command::Write { path: b"a", offset: 0, data: &long };
    let fault = Fault::Long { attribute: "data", len: 65_536 };
    assert_eq!(refuse(1, &write), EncodeError::Malformed { command: "write", fault });
    let write = Command::Write { path: b"a", offset: 0, data: &long[1..] };
    assert_eq!(refuse(1, &write), EncodeError::TooLong { command: "write", len: 65_556, limit: 65_526 });
    let huge = vec![0; 16 << 20];
    let write = Command::Write { path: b"a", offset: 0, data: &huge };
    assert!(matches!(refuse(2, &write), EncodeError::TooLong { .. }));
    let fault = Fault::Long { attribute: "path", len: 65_537 };
    let path = vec![b'x'; 65_537];
    assert_eq!(refuse(3, &Command::Mkdir { path: &path }), EncodeError::Malformed { command: "mkdir", fault });
    let time = Timespec { seconds: 0, nanoseconds: 1_000_000_000 };
    let utimes = Command::Utimes { path: b"", atime: time, mtime: time, ctime: time, otime: None };
    assert!(matches!(refuse(2, &utimes), EncodeError::Malformed { command: "utimes", .. }));
    assert_eq!(Encoder::new(4).unwrap_err(), EncodeError::Version { version: 4 });
}
