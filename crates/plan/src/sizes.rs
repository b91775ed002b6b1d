//! Sizes of chunks and parts.
//!
//! A chunk is one object; object stores take an object in at most 10 000 parts, each of at least 5 MiB but the
//! last (S3 API limits). Parts in flight are held in memory, so the part size bounds it together with the lanes.

use std::num::NonZeroU32;

use subvault_model::bytesize::ByteSize;

/// The most parts an object can have.
pub const PARTS_MAX: u64 = 10_000;
/// The smallest part we make: below it, requests cost more than resending saves.
pub const PART_BYTES_MIN: ByteSize = ByteSize::mib(16);
/// The largest object that S3 takes.
pub const CHUNK_BYTES_MAX: ByteSize = ByteSize::gib(5 * 1024);
/// The smallest chunk that makes sense: one part.
pub const CHUNK_BYTES_MIN: ByteSize = ByteSize::mib(5);
/// What parts in flight may take of memory together.
const PARTS_MEMORY: u64 = 128 << 20;

/// The part size for chunks of at most `chunk`: as small as 10 000 parts allow, in whole steps of 8 MiB.
///
/// The default chunk of 200 GiB gives 24 MiB. A chunk that is smaller than a part has one part.
#[must_use]
pub fn part_bytes(chunk: ByteSize) -> ByteSize {
    let step = 8 << 20;
    let needed = chunk.get().div_ceil(PARTS_MAX).next_multiple_of(step);
    ByteSize::bytes(needed.max(PART_BYTES_MIN.get()).min(chunk.get().max(1)))
}

/// How many parts may be in flight: what was asked for, as far as memory allows, and at least one.
#[must_use]
pub fn lanes(asked: NonZeroU32, part: ByteSize) -> NonZeroU32 {
    let fit = u32::try_from(PARTS_MEMORY / part.get().max(1)).unwrap_or(u32::MAX);
    NonZeroU32::new(asked.get().min(fit)).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_parts_always_suffice() {
        for gib in [1, 50, 156, 157, 200, 1024, 5 * 1024] {
            let chunk = ByteSize::gib(gib);
            assert!(chunk.get().div_ceil(part_bytes(chunk).get()) <= PARTS_MAX, "{gib} GiB");
        }
        assert_eq!(part_bytes(ByteSize::gib(200)), ByteSize::mib(24));
        assert_eq!(part_bytes(ByteSize::mib(8)), ByteSize::mib(8));
    }

    #[test]
    fn parts_in_flight_fit_in_memory() {
        let four = NonZeroU32::new(4).unwrap();
        assert_eq!(lanes(four, ByteSize::mib(24)).get(), 4);
        assert_eq!(lanes(four, ByteSize::mib(64)).get(), 2);
        assert_eq!(lanes(four, ByteSize::mib(530)).get(), 1);
    }
}
