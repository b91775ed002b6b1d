//! Bytes that do not compress, the same ones each time.
//!
//! The generator is the one with the shifts 13, 7 and 17 of G. Marsaglia, "Xorshift RNGs", Journal of Statistical Software
//! 8 (2003), number 14. It is no source of secrets.

/// A sequence of such bytes.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) const fn new() -> Self {
        // The paper's own seed.
        Self(88_172_645_463_325_252)
    }

    /// Fills a block with what comes next.
    pub(crate) fn fill(&mut self, block: &mut [u8]) {
        for bytes in block.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            bytes.copy_from_slice(&self.0.to_le_bytes()[..bytes.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_not_compress() {
        let (mut noise, mut block) = (Noise::new(), vec![0; 1 << 20]);
        noise.fill(&mut block);
        let first = block.clone();
        noise.fill(&mut block);
        assert_ne!(first, block);
        // zstd adds a little to what it cannot make smaller.
        let packed = zstd::bulk::compress(&[first, block].concat(), 3).unwrap();
        assert!(packed.len() >= 2 << 20, "{}", packed.len());
    }
}
