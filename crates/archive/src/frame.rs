//! Frames: independent zstd frames of a fixed piece of the stream, and the seek table at the end of a chunk.
//!
//! The table is the skippable frame of zstd's seekable format, so `zstd -d` passes over it and a reader that wants
//! one file finds its frames without reading the rest.

use crate::error::ArchiveError;

/// How much of the stream a frame holds.
pub const FRAME_BYTES: u32 = 1 << 20;

const SKIPPABLE_MAGIC: u32 = 0x184D_2A5E;
const SEEKABLE_MAGIC: u32 = 0x8F92_EAB1;
const ENTRY_BYTES: usize = 8;
const TABLE_FRONT_BYTES: usize = 8;
const TABLE_FOOTER_BYTES: usize = 9;

/// The version of the compressor: with another one, the same level makes other bytes.
#[must_use]
pub fn zstd_version() -> u32 {
    zstd::zstd_safe::version_number()
}

/// Compresses pieces of a stream, one frame each.
pub struct FrameCompressor {
    inner: zstd::bulk::Compressor<'static>,
}

impl FrameCompressor {
    /// A compressor of that zstd level.
    ///
    /// # Errors
    /// When zstd refuses the level.
    pub fn new(level: i32) -> Result<Self, ArchiveError> {
        let failed = |source| ArchiveError::Zstd { what: format!("level {level}"), source };
        let mut inner = zstd::bulk::Compressor::new(level).map_err(failed)?;
        inner.include_checksum(true).map_err(failed)?;
        Ok(Self { inner })
    }

    /// One frame of `plain`.
    ///
    /// # Errors
    /// When zstd fails, which it does only for want of memory.
    pub fn compress(&mut self, plain: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        self.inner
            .compress(plain)
            .map_err(|source| ArchiveError::Zstd { what: "a frame of the stream".to_owned(), source })
    }
}

/// The lengths of the frames of a chunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeekTable {
    entries: Vec<(u32, u32)>,
}

impl SeekTable {
    /// Notes a frame by its compressed and plain length.
    pub fn push(&mut self, compressed_bytes: u32, plain_bytes: u32) {
        self.entries.push((compressed_bytes, plain_bytes));
    }

    /// How long the table would be with so many frames more.
    #[must_use]
    pub fn encoded_bytes(&self, more: usize) -> u64 {
        (TABLE_FRONT_BYTES + (self.entries.len() + more) * ENTRY_BYTES + TABLE_FOOTER_BYTES) as u64
    }

    /// The table as a skippable frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let content = self.entries.len() * ENTRY_BYTES + TABLE_FOOTER_BYTES;
        let mut out = Vec::with_capacity(TABLE_FRONT_BYTES + content);
        out.extend_from_slice(&SKIPPABLE_MAGIC.to_le_bytes());
        // A chunk of 5 TiB has five million frames of 1 MiB: 40 MB of table, far below 4 GiB.
        out.extend_from_slice(&u32::try_from(content).unwrap_or(u32::MAX).to_le_bytes());
        for (compressed, plain) in &self.entries {
            out.extend_from_slice(&compressed.to_le_bytes());
            out.extend_from_slice(&plain.to_le_bytes());
        }
        out.extend_from_slice(&u32::try_from(self.entries.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.push(0);
        out.extend_from_slice(&SEEKABLE_MAGIC.to_le_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_table_are_one_valid_zstd_file() {
        let mut compressor = FrameCompressor::new(3).unwrap();
        let (mut file, mut table, mut plain) = (Vec::new(), SeekTable::default(), Vec::new());
        for round in 0_u8..5 {
            let piece = vec![round; 10_000 + usize::from(round)];
            let frame = compressor.compress(&piece).unwrap();
            table.push(frame.len() as u32, piece.len() as u32);
            file.extend_from_slice(&frame);
            plain.extend_from_slice(&piece);
        }
        assert_eq!(table.encode().len() as u64, table.encoded_bytes(0));
        file.extend_from_slice(&table.encode());
        assert_eq!(zstd::stream::decode_all(file.as_slice()).unwrap(), plain);
    }
}
