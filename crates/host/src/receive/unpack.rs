//! Unpacks the data of an `encoded_write`, for where it cannot be written as it is.
//!
//! Invariant: gives exactly as many bytes as the command says the extent has, zeros where it unpacked to
//! fewer, as the kernel reads it. No I/O. It must never allocate more than `LARGEST`, whatever the stream says.

use flate2::{Decompress, FlushDecompress, Status};
use subvault_sendstream::command::Compression;
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::lzo;

/// Far more than the 128 KiB that an extent of today's Btrfs can unpack to.
const LARGEST: u64 = 16 << 20;

/// What is wrong with compressed data.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The lengths in the command contradict each other or are absurd.
    #[error("its lengths make no sense")]
    Lengths,
    /// zlib data.
    #[error("its zlib data is damaged")]
    Zlib(#[source] flate2::DecompressError),
    /// zstd data.
    #[error("its zstd data is damaged")]
    Zstd(#[source] std::io::Error),
    /// Data that ends too early.
    #[error("its data ends too early")]
    Short,
    /// lzo data.
    #[error("its lzo data is damaged")]
    Lzo,
}

/// Unpacks `data` to `length` bytes.
pub(super) fn unpack(data: &[u8], compression: Compression, length: u64) -> Result<Vec<u8>, UnpackError> {
    if length > LARGEST {
        return Err(UnpackError::Lengths);
    }
    let mut output = vec![0; usize::try_from(length).map_err(|_| UnpackError::Lengths)?];
    match compression {
        Compression::None => {
            let given = data.len().min(output.len());
            output[..given].copy_from_slice(&data[..given]);
        }
        Compression::Zlib => zlib(data, &mut output)?,
        Compression::Zstd => zstd(data, &mut output)?,
        Compression::Lzo { sector_kib } => {
            let sector = usize::try_from(sector_kib << 10).map_err(|_| UnpackError::Lzo)?;
            lzo::unpack_extent(data, sector, &mut output).map_err(|_| UnpackError::Lzo)?;
        }
    }
    Ok(output)
}

/// Damage, unless the data ended where it says it does or all that is wanted came out: it may go on in padding.
fn zlib(data: &[u8], output: &mut [u8]) -> Result<(), UnpackError> {
    let mut zlib = Decompress::new(true);
    let status = zlib.decompress(data, output, FlushDecompress::Finish).map_err(UnpackError::Zlib)?;
    match status {
        Status::StreamEnd => Ok(()),
        Status::Ok | Status::BufError if zlib.total_out() == output.len() as u64 => Ok(()),
        Status::Ok | Status::BufError => Err(UnpackError::Short),
    }
}

fn zstd(data: &[u8], output: &mut [u8]) -> Result<(), UnpackError> {
    let mut decoder = Decoder::new().map_err(UnpackError::Zstd)?;
    let mut input = InBuffer::around(data);
    let mut room = OutBuffer::around(&mut *output);
    loop {
        let before = (input.pos(), room.pos());
        let left = decoder.run(&mut input, &mut room).map_err(UnpackError::Zstd)?;
        if left == 0 || room.pos() == room.capacity() {
            break;
        }
        if (input.pos(), room.pos()) == before {
            return Err(UnpackError::Short);
        }
    }
    // zstd uses what is beyond the end of its output as it likes.
    let end = room.pos();
    output[end..].fill(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn zlib_of(data: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(data).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn unpacks_with_padding_and_fills_with_zeros() {
        let data: Vec<u8> = (0..100_000_u32).map(|i| (i / 100) as u8).collect();
        for (mut packed, how) in
            [(zlib_of(&data), Compression::Zlib), (zstd::bulk::compress(&data, 3).unwrap(), Compression::Zstd)]
        {
            packed.resize(packed.len().next_multiple_of(4096), 0);
            assert!(unpack(&packed, how, 100_000).unwrap() == data, "{how:?}");
            let longer = unpack(&packed, how, 102_400).unwrap();
            assert!(longer[..100_000] == data && longer[100_000..].iter().all(|byte| *byte == 0), "{how:?}");
        }
    }

    #[test]
    fn what_is_cut_or_absurd_is_refused() {
        let data: Vec<u8> = (0..100_000_u32).map(|i| (i / 3) as u8).collect();
        let packed = zlib_of(&data);
        assert!(unpack(&packed[..packed.len() / 2], Compression::Zlib, 100_000).is_err());
        let packed = zstd::bulk::compress(&data, 3).unwrap();
        assert!(unpack(&packed[..packed.len() / 2], Compression::Zstd, 100_000).is_err());
        assert!(unpack(b"x", Compression::None, u64::MAX).is_err());
        assert!(unpack(&[9; 64], Compression::Lzo { sector_kib: 4 }, 4096).is_err());
    }
}
