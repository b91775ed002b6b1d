//! Part sizes and lanes, over the whole range of chunk sizes.

use subvault_model::bytesize::ByteSize;
use subvault_plan::sizes::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, PART_BYTES_MIN, PARTS_MAX, lanes, part_bytes};

use crate::fixtures::some;

const PROVIDER_PART_MIN: u64 = 5 << 20;
const PROVIDER_PART_MAX: u64 = 5 << 30;

/// Powers of two and the sizes beside them, and what falls exactly on 10 000 parts.
fn chunk_sizes() -> Vec<u64> {
    let (min, max) = (CHUNK_BYTES_MIN.get(), CHUNK_BYTES_MAX.get());
    let powers = (20..=43).map(|n| 1_u64 << n);
    let exact = (1..70).map(|n| n * PARTS_MAX * (8 << 20));
    let around = powers.chain(exact).chain([min, max]).flat_map(|n| [n - 1, n, n + 1]);
    around.filter(|n| (min..=max).contains(n)).collect()
}

#[test]
fn every_chunk_fits_every_provider() {
    assert_eq!(CHUNK_BYTES_MAX.get(), 5 << 40);
    for chunk in chunk_sizes() {
        let part = part_bytes(ByteSize::bytes(chunk)).get();
        assert!(chunk.div_ceil(part) <= PARTS_MAX, "{chunk}: parts of {part}");
        assert!((PROVIDER_PART_MIN..=PROVIDER_PART_MAX).contains(&part), "{chunk}: parts of {part}");
        assert!(part == chunk || part >= PART_BYTES_MIN.get(), "{chunk}: parts of {part}");
        // No larger than needed: a part is what is sent twice after a crash.
        let smaller = part.saturating_sub(8 << 20);
        assert!(part <= PART_BYTES_MIN.get() || chunk.div_ceil(smaller) > PARTS_MAX, "{chunk}: parts of {part}");
    }
}

#[test]
fn known_sizes() {
    let table = [
        ("5 MiB", "5 MiB"),
        ("16 MiB", "16 MiB"),
        ("17 MiB", "16 MiB"),
        ("1 GiB", "16 MiB"),
        ("156 GiB", "16 MiB"),
        ("157 GiB", "24 MiB"),
        ("200 GiB", "24 MiB"),
        ("1 TiB", "112 MiB"),
        ("5 TiB", "528 MiB"),
    ];
    for (chunk, part) in table {
        assert_eq!(part_bytes(chunk.parse().unwrap()), part.parse().unwrap(), "{chunk}");
    }
}

#[test]
fn parts_in_flight_are_bounded() {
    for chunk in chunk_sizes() {
        let part = part_bytes(ByteSize::bytes(chunk));
        for asked in [1, 2, 4, 8, 64, u32::MAX] {
            let lanes = u64::from(lanes(some(asked), part).get());
            assert!(lanes <= u64::from(asked));
            assert!(lanes == 1 || lanes * part.get() <= 128 << 20, "{chunk}: {lanes} lanes of {part}");
        }
    }
}

#[test]
fn sizes_outside_the_range_do_no_harm() {
    for chunk in [0, 1, u64::MAX] {
        let part = part_bytes(ByteSize::bytes(chunk));
        assert!(part.get() > 0 && lanes(some(4), part).get() >= 1);
    }
    assert_eq!(lanes(some(4), ByteSize::ZERO).get(), 4);
}
