//! What `bench io` tries, what it cannot try, and what its figures say. Pure.
//!
//! What was measured is a value here; nothing is assumed of a disk but that its rounds are independent of each other.

pub mod judge;
pub mod trial;

use subvault_model::bytesize::ByteSize;

/// The smallest file that tells something.
pub const SMALLEST: ByteSize = ByteSize::mib(4);

/// How much has to be free for a file of this size: itself once more while what was removed is not free yet, pages that
/// are written elsewhere, small files, and room for the pool to breathe.
#[must_use]
pub fn room(size: ByteSize) -> ByteSize {
    [size, size, size, ByteSize::mib(32)].into_iter().sum()
}
