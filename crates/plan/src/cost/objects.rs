//! Which objects and requests a stream is made of: how its bytes become chunks, parts and a manifest.
//!
//! The numbers are those of the archive's own pipeline (`docs/format.md`): a stream that fits into one part is put whole,
//! everything else in parts, and the manifest has a hash of each part.

use subvault_model::bytesize::ByteSize;

use crate::sizes::{CHUNK_BYTES_MIN, part_bytes};

/// A manifest without its chunks, about.
const MANIFEST_BYTES: u64 = 2048;
/// What it has of each chunk, about.
const MANIFEST_BYTES_CHUNK: u64 = 300;
/// What it has of each part.
const MANIFEST_BYTES_PART: u64 = 78;
/// A pointer, about.
pub(super) const POINTER_BYTES: u64 = 400;
/// Keys in one answer to a listing.
pub(super) const KEYS_LISTED: u64 = 1000;

/// The objects of one stream, and what storing them takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StreamObjects {
    /// The bytes of all chunks.
    pub(super) bytes: u64,
    /// Chunks, at least one.
    pub(super) chunks: u64,
    /// The last of them, which may be smaller than the others.
    pub(super) last: u64,
    /// Parts of all chunks; 0 where the stream is put whole.
    pub(super) parts: u64,
    /// The manifest.
    pub(super) manifest: u64,
}

impl StreamObjects {
    /// Those of a stream of so many bytes.
    pub(super) fn of(bytes: ByteSize, chunk: ByteSize) -> Self {
        let (bytes, chunk) = (bytes.get(), chunk.max(CHUNK_BYTES_MIN).get());
        let part = part_bytes(ByteSize::bytes(chunk)).get();
        let chunks = bytes.div_ceil(chunk).max(1);
        let last = bytes - (chunks - 1) * chunk;
        let hashed = (chunks - 1) * chunk.div_ceil(part) + last.div_ceil(part).max(1);
        let parts = if bytes <= part { 0 } else { hashed };
        let manifest = MANIFEST_BYTES + chunks * MANIFEST_BYTES_CHUNK + hashed * MANIFEST_BYTES_PART;
        Self { bytes, chunks, last, parts, manifest }
    }

    /// By how much its chunks are smaller than what each is charged for at least.
    pub(super) fn padding(&self, minimum: ByteSize, chunk: ByteSize) -> u64 {
        let whole = minimum.get().saturating_sub(chunk.get()).saturating_mul(self.chunks - 1);
        whole.saturating_add(minimum.get().saturating_sub(self.last))
    }

    /// In how many requests it is read again: by parts.
    pub(super) fn gets(&self) -> u64 {
        self.parts.max(self.chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_cut_as_the_archive_cuts_it() {
        let chunk = ByteSize::gib(200);
        // 5 TiB: 25 chunks of 200 GiB and one of 120; 8534 parts of 24 MiB each, 5120 the last.
        let full = StreamObjects::of(ByteSize::gib(5120), chunk);
        assert_eq!((full.chunks, full.last, full.parts), (26, 120 << 30, 25 * 8534 + 5120));
        assert_eq!(full.manifest, 2048 + 26 * 300 + 78 * (25 * 8534 + 5120));
        let small = StreamObjects::of(ByteSize::kib(3), chunk);
        assert_eq!((small.chunks, small.last, small.parts, small.gets()), (1, 3 << 10, 0, 1));
        assert_eq!(small.padding(ByteSize::kib(128), chunk), 125 << 10);
        let empty = StreamObjects::of(ByteSize::ZERO, chunk);
        assert_eq!((empty.chunks, empty.last, empty.parts), (1, 0, 0));
        let exact = StreamObjects::of(ByteSize::gib(400), chunk);
        assert_eq!((exact.chunks, exact.last, exact.padding(ByteSize::kib(128), chunk)), (2, 200 << 30, 0));
    }
}
