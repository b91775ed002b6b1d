//! Items and their sum. Pure.

use blake3::Hasher;

/// The eight sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum([u64; 8]);

impl Sum {
    /// Adds what was collected elsewhere.
    pub(super) fn add(&mut self, other: &Self) {
        for (lane, more) in self.0.iter_mut().zip(other.0) {
            *lane = lane.wrapping_add(more);
        }
    }

    /// Adds an item.
    pub(super) fn item(&mut self, item: &Hasher) {
        let mut bytes = [0; 64];
        item.finalize_xof().fill(&mut bytes);
        let mut lanes = [0; 8];
        for (lane, part) in lanes.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *lane = u64::from_le_bytes(*part);
        }
        self.add(&Self(lanes));
    }

    pub(super) fn bytes(&self) -> [u8; 64] {
        let mut out = [0; 64];
        for (part, lane) in out.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *part = lane.to_le_bytes();
        }
        out
    }
}

/// Hashers that have taken the context of their kind of item.
pub(super) struct Kinds {
    pub(super) entry: Hasher,
    pub(super) content: Hasher,
    pub(super) range: Hasher,
}

impl Kinds {
    pub(super) fn new() -> Self {
        Self {
            entry: Hasher::new_derive_key("subvault tree-digest v1 entry"),
            content: Hasher::new_derive_key("subvault tree-digest v1 content"),
            range: Hasher::new_derive_key("subvault tree-digest v1 range"),
        }
    }
}

/// Appends a text: its length and its bytes.
pub(super) fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u64).to_le_bytes());
    out.extend(bytes);
}

/// Whether there is nothing but zeros in a block.
pub(super) fn is_zero(block: &[u8]) -> bool {
    // Two overlapping views that are the same: `memcmp` is the fastest loop there is.
    block.first().is_none_or(|first| *first == 0 && block[1..] == block[..block.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_items_does_not_matter_and_each_of_them_does() {
        let item = |bytes: &[u8]| {
            let mut hasher = Kinds::new().entry;
            hasher.update(bytes);
            hasher
        };
        let sum = |items: &[&[u8]]| {
            let mut sum = Sum::default();
            items.iter().for_each(|bytes| sum.item(&item(bytes)));
            sum
        };
        assert_eq!(sum(&[b"a", b"b"]), sum(&[b"b", b"a"]));
        assert_ne!(sum(&[b"a", b"b"]), sum(&[b"a", b"c"]));
        assert_ne!(sum(&[b"a"]), sum(&[b"a", b"a"]));
    }

    #[test]
    fn zeros_are_known() {
        assert!(is_zero(&[]) && is_zero(&[0]) && is_zero(&[0; 1000]));
        for at in [0, 1, 500, 999] {
            let mut block = [0; 1000];
            block[at] = 1;
            assert!(!is_zero(&block), "{at}");
        }
    }
}
