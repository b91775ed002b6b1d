//! Bytes that compress to about a half, the same ones each time.

use crate::noise::Noise;

/// How much is written and read at once, in order.
pub(super) const LARGE: usize = 1 << 20;
/// Out of so many different blocks a file is made.
const BLOCKS: usize = 8;
/// Of each so many bytes, half are noise and half are alike.
const GRAIN: usize = 512;

/// Some blocks of them.
pub(super) struct Content(Vec<u8>);

impl Content {
    pub(super) fn new() -> Self {
        let (mut noise, mut bytes) = (Noise::new(), vec![b'.'; LARGE * BLOCKS]);
        for grain in bytes.chunks_mut(GRAIN) {
            noise.fill(&mut grain[..GRAIN / 2]);
        }
        Self(bytes)
    }

    /// A block of `LARGE` bytes, another one for what lies elsewhere.
    pub(super) fn block(&self, at: u64) -> &[u8] {
        let number = usize::try_from(at / LARGE as u64 % BLOCKS as u64).unwrap_or(0);
        &self.0[number * LARGE..][..LARGE]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_compresses_to_about_a_half() {
        let content = Content::new();
        for at in [0, LARGE as u64, 9 * LARGE as u64] {
            let packed = zstd::bulk::compress(content.block(at), 3).unwrap().len();
            assert!((LARGE * 4 / 10..LARGE * 6 / 10).contains(&packed), "{packed}");
        }
        assert_ne!(content.block(0), content.block(LARGE as u64));
    }
}
