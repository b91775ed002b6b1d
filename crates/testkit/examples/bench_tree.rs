//! Makes the tree that benchmarks work on: `bench_tree DIRECTORY FILES MEGABYTES`, the same on every machine.
//!
//! Sizes are spread like those of a home directory (many small, few large); two thirds of the bytes are words, which
//! compress like text, and one third is noise, which does not compress at all.

use std::fs;
use std::io::Write;
use std::path::Path;

/// A generator of numbers without a dependency: SplitMix64 (Steele, Lea, Flood 2014).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

fn words(numbers: &mut Numbers, length: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(length + 16);
    while text.len() < length {
        // Few words are frequent: the product of two numbers is mostly small.
        let word = numbers.below(64) * numbers.below(64);
        let _ = write!(text, "{:x}{} ", word.wrapping_mul(0x9e37_79b9), if word.is_multiple_of(7) { "\n" } else { "" });
    }
    text.truncate(length);
    text
}

fn noise(numbers: &mut Numbers, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&numbers.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, root, files, megabytes] = arguments.as_slice() else {
        return Err("usage: bench_tree DIRECTORY FILES MEGABYTES".into());
    };
    let (files, bytes) = (files.parse::<u64>()?, megabytes.parse::<u64>()? * 1_000_000);
    let mut numbers = Numbers(1);
    // Weights with a long tail; scaled so that they add up to the bytes that are wanted.
    let weights: Vec<u64> = (0..files).map(|_| 1 << numbers.below(11)).collect();
    let total: u64 = weights.iter().sum();
    for (number, weight) in weights.iter().enumerate() {
        let directory = Path::new(root).join(format!("d{:03}/e{:02}", number / 1000, number / 40 % 25));
        if number.is_multiple_of(40) {
            fs::create_dir_all(&directory)?;
        }
        let length = usize::try_from(bytes * weight / total)?;
        let content = if numbers.below(3) == 0 { noise(&mut numbers, length) } else { words(&mut numbers, length) };
        fs::write(directory.join(format!("file-{number:06}")), content)?;
    }
    Ok(())
}
