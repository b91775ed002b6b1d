//! A buffer for a part whose content lies where direct input and output want it.
//!
//! A file system that writes from memory without the page cache asks for addresses that are multiples of its block
//! size. Any other buffer is stored as well, with one copy more.

use bytes::Bytes;

/// The alignment of direct input and output: the page size, which is a multiple of the block size of all common disks.
pub(crate) const ALIGNMENT: usize = 4096;

/// A buffer that is filled once and then stored.
#[derive(Debug)]
pub struct PartBuffer {
    bytes: Vec<u8>,
    start: usize,
    capacity: usize,
}

impl PartBuffer {
    /// An empty buffer that takes at most so many bytes.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let mut bytes: Vec<u8> = Vec::with_capacity(capacity.saturating_add(ALIGNMENT));
        // The memory stays where it is, as the buffer never grows.
        let start = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        bytes.resize(start, 0);
        Self { bytes, start, capacity }
    }

    /// How many bytes it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes as much as there is room for and returns the rest.
    #[must_use]
    pub fn fill<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (now, later) = bytes.split_at(bytes.len().min(self.capacity - self.len()));
        self.bytes.extend_from_slice(now);
        later
    }

    /// The content, without copying it.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        Bytes::from(self.bytes).slice(self.start..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_aligned_and_never_moves() {
        for capacity in [0, 1, 5000, 1 << 20] {
            let mut buffer = PartBuffer::new(capacity);
            let content: Vec<u8> = (0..capacity + 3).map(|i| (i % 251) as u8).collect();
            let mut rest = content.as_slice();
            for _ in 0..3 {
                let half = rest.len() / 2;
                let left = buffer.fill(&rest[..half]).len();
                rest = &rest[half - left..];
            }
            rest = buffer.fill(rest);
            assert_eq!((rest.len(), buffer.len()), (3, capacity));
            let bytes = buffer.into_bytes();
            assert_eq!(bytes, content[..capacity]);
            assert!(capacity == 0 || bytes.as_ptr().align_offset(ALIGNMENT) == 0);
        }
    }
}
