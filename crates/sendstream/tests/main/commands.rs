//! Any command of any version, and that it survives encoding and decoding in any splits.

use std::convert::Infallible;

use proptest::{collection::vec, prelude::*, sample::Index};
use subvault_sendstream::{
    command::{Command, Compression, Timespec},
    decode::{Decoder, PushError, StreamError},
    encode::{EncodeError, Encoder},
};

/// What any command can be made of; a command borrows from it.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    kind: usize,
    path: Vec<u8>,
    other: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
    numbers: [u64; 4],
    uuids: [[u8; 16]; 2],
    times: [Timespec; 3],
    otime: Option<Timespec>,
    compression: Compression,
}

const FIRST_VERSION: [u32; 24] = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3];

impl Parts {
    fn first_version(&self) -> u32 {
        FIRST_VERSION[self.kind]
    }

    pub(crate) fn command(&self) -> Command<'_> {
        let Self { path, other, name, data, .. } = self;
        let [a, b, c, d] = self.numbers;
        let [clone_uuid, _] = self.uuids;
        match self.kind {
            0 => Command::Mkfile { path },
            1 => Command::Mkdir { path },
            2 => Command::Mknod { path, mode: a, rdev: b },
            3 => Command::Mkfifo { path },
            4 => Command::Mksock { path },
            5 => Command::Symlink { path, target: name },
            6 => Command::Rename { path, to: other },
            7 => Command::Link { path, existing: other },
            8 => Command::Unlink { path },
            9 => Command::Rmdir { path },
            10 => Command::SetXattr { path, name, data },
            11 => Command::RemoveXattr { path, name },
            12 => Command::Write { path, offset: a, data },
            13 => Command::Clone {
                path,
                offset: a,
                len: b,
                clone_uuid,
                clone_ctransid: c,
                clone_path: other,
                clone_offset: d,
            },
            14 => Command::Truncate { path, size: a },
            15 => Command::Chmod { path, mode: a },
            16 => Command::Chown { path, uid: a, gid: b },
            17 => {
                let [atime, mtime, ctime] = self.times;
                Command::Utimes { path, atime, mtime, ctime, otime: self.otime }
            }
            18 => Command::UpdateExtent { path, offset: a, len: b },
            // The top directory.
            19 => Command::Chmod { path: b"", mode: a },
            20 => Command::Fallocate { path, mode: c as u32, offset: a, len: b },
            21 => Command::Fileattr { path, attr: a },
            22 => Command::EncodedWrite {
                path,
                offset: a,
                unencoded_file_len: b,
                unencoded_len: b + c,
                unencoded_offset: c,
                compression: self.compression,
                data,
            },
            _ => Command::EnableVerity { path, algorithm: a as u8, block_size: b as u32, salt: name, signature: data },
        }
    }

    pub(crate) fn beginning(&self, incremental: bool) -> Command<'_> {
        let ([uuid, clone_uuid], [ctransid, clone_ctransid, ..]) = (self.uuids, self.numbers);
        let path = &self.path;
        if incremental {
            Command::Snapshot { path, uuid, ctransid, clone_uuid, clone_ctransid }
        } else {
            Command::Subvol { path, uuid, ctransid }
        }
    }
}

fn path() -> impl Strategy<Value = Vec<u8>> {
    let byte = (1..=255u8).prop_map(|byte| if byte == b'/' { b'\n' } else { byte });
    let component = vec(byte, 1..9).prop_filter("no place", |name| !matches!(&name[..], b"." | b".."));
    vec(component, 1..5).prop_map(|components| components.join(&b'/'))
}

fn time() -> impl Strategy<Value = Timespec> {
    (any::<i64>(), 0..1_000_000_000u32).prop_map(|(seconds, nanoseconds)| Timespec { seconds, nanoseconds })
}

fn compression() -> impl Strategy<Value = Compression> {
    let lzo = (2..=6u32).prop_map(|power| Compression::Lzo { sector_kib: 1 << power });
    prop_oneof![Just(Compression::None), Just(Compression::Zlib), Just(Compression::Zstd), lzo]
}

pub(crate) fn parts() -> impl Strategy<Value = Parts> {
    let number = prop_oneof![0..100_000u64, any::<u64>().prop_map(|number| number >> 2)];
    (
        (0..FIRST_VERSION.len(), path(), path(), vec(1..=255u8, 1..20), vec(any::<u8>(), 0..300)),
        proptest::array::uniform4(number),
        any::<[[u8; 16]; 2]>(),
        (proptest::array::uniform3(time()), proptest::option::of(time())),
        compression(),
    )
        .prop_map(|((kind, path, other, name, data), numbers, uuids, (times, otime), compression)| Parts {
            kind,
            path,
            other,
            name,
            data,
            numbers,
            uuids,
            times,
            otime,
            compression,
        })
}

/// Decodes a stream that comes in blocks which end at these places, and hands out each command.
pub(crate) fn decode_in_blocks(
    stream: &[u8],
    mut ends: Vec<usize>,
    mut each: impl FnMut(Command<'_>),
) -> Result<Decoder, StreamError> {
    let mut decoder = Decoder::new();
    ends.push(stream.len());
    ends.sort_unstable();
    let mut start = 0;
    for end in ends {
        let mut each = |command: Command<'_>| {
            each(command);
            Ok::<(), Infallible>(())
        };
        decoder.push(&stream[start..end], &mut each).map_err(|error| match error {
            PushError::Stream(error) => error,
            PushError::Each(never) => match never {},
        })?;
        start = end;
    }
    decoder.finish()?;
    Ok(decoder)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn what_is_encoded_decodes_to_the_same(
        begin in parts(),
        all in vec(parts(), 0..12),
        version in 1..=3u32,
        incremental: bool,
        splits in vec(any::<Index>(), 0..40),
    ) {
        let encoder = Encoder::new(version).unwrap();
        let mut stream = Vec::new();
        encoder.header(&mut stream);
        let mut expected = vec![begin.beginning(incremental)];
        for parts in &all {
            if parts.first_version() <= version {
                expected.push(parts.command());
            } else {
                let refused = encoder.command(&parts.command(), &mut stream);
                prop_assert_eq!(refused, Err(EncodeError::NotInVersion { command: parts.command().name(), version }));
            }
        }
        expected.push(Command::End);
        for command in &expected {
            encoder.command(command, &mut stream).unwrap();
        }
        let ends = splits.iter().map(|split| split.index(stream.len())).collect();
        let mut rest = expected.iter();
        let decoder = decode_in_blocks(&stream, ends, |command| assert_eq!(Some(&command), rest.next())).unwrap();
        prop_assert_eq!(rest.next(), None);
        prop_assert_eq!(decoder.commands(), expected.len() as u64);
        prop_assert_eq!(decoder.stream_offset(), stream.len() as u64);
        prop_assert_eq!(decoder.version(), Some(version));
    }
}

#[test]
fn every_single_byte_can_be_a_block() {
    let encoder = Encoder::new(2).unwrap();
    let mut stream = Vec::new();
    encoder.header(&mut stream);
    let begin = Command::Subvol { path: b"s", uuid: [7; 16], ctransid: 9 };
    let write = Command::Write { path: b"f", offset: 5, data: &[3; 70_000] };
    for command in [begin, write, Command::End] {
        encoder.command(&command, &mut stream).unwrap();
    }
    let mut seen = 0;
    decode_in_blocks(&stream, (0..stream.len()).collect(), |command| {
        assert_eq!(command, [begin, write, Command::End][seen]);
        seen += 1;
    })
    .unwrap();
    assert_eq!(seen, 3);
}
