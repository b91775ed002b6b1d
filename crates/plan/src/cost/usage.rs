//! What a bill counts: how much was kept for how long, what was asked of the provider, what was taken out.
//!
//! Amounts of a day or of a month are the same type and are added up. Nothing here knows a price.

use std::iter::Sum;
use std::ops::AddAssign;

use serde::Serialize;
use subvault_model::bytesize::ByteSize;

use super::price::Speed;

/// What was kept of one kind of objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Bytes, times the days for which they were kept.
    pub byte_days: u128,
    /// By how much objects are smaller than the size that they are charged for, times days.
    pub padding_byte_days: u128,
    /// Objects, times days.
    pub object_days: u128,
    /// Bytes that were deleted before the time was over for which they are paid for in any case.
    pub early_bytes: u128,
    /// These, with what they are charged for beyond their size, times the days that were left.
    pub early_byte_days: u128,
    /// Objects that were deleted so, times the days that were left.
    pub early_object_days: u128,
}

/// What was asked of the provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// Objects stored whole, and uploads completed.
    pub puts: u64,
    /// Parts, and uploads begun.
    pub parts: u64,
    /// Listings.
    pub lists: u64,
    /// Reads, and looks at what is there.
    pub gets: u64,
}

/// What was brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// How much.
    pub bytes: ByteSize,
    /// How many objects.
    pub objects: u64,
    /// In how many reads.
    pub gets: u64,
    /// How fast, where the class leaves a choice.
    pub speed: Speed,
}

/// Everything that is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// For how many days.
    pub days: u32,
    /// Chunks.
    pub bulk: Held,
    /// Manifests and pointers.
    pub metadata: Held,
    /// Requests about chunks.
    pub bulk_requests: Requests,
    /// Requests about manifests and pointers.
    pub metadata_requests: Requests,
    /// Bytes of chunks that were sent there.
    pub uploaded: u128,
    /// Bytes of manifests that were read, to know what is there.
    pub read: u128,
    /// What was brought back.
    pub restored: Option<Restored>,
}

impl Held {
    /// How much was kept on average, over so many days.
    #[must_use]
    pub fn average(&self, days: u32) -> ByteSize {
        size(self.byte_days / u128::from(days.max(1)))
    }
}

/// An amount of bytes, at most as large as can be said.
pub(super) fn size(bytes: u128) -> ByteSize {
    ByteSize::bytes(u64::try_from(bytes).unwrap_or(u64::MAX))
}

impl AddAssign for Held {
    fn add_assign(&mut self, other: Self) {
        let pairs = [
            (&mut self.byte_days, other.byte_days),
            (&mut self.padding_byte_days, other.padding_byte_days),
            (&mut self.object_days, other.object_days),
            (&mut self.early_bytes, other.early_bytes),
            (&mut self.early_byte_days, other.early_byte_days),
            (&mut self.early_object_days, other.early_object_days),
        ];
        pairs.into_iter().for_each(|(own, other)| *own = own.saturating_add(other));
    }
}

impl AddAssign for Requests {
    fn add_assign(&mut self, other: Self) {
        let pairs = [
            (&mut self.puts, other.puts),
            (&mut self.parts, other.parts),
            (&mut self.lists, other.lists),
            (&mut self.gets, other.gets),
        ];
        pairs.into_iter().for_each(|(own, other)| *own = own.saturating_add(other));
    }
}

impl AddAssign for Usage {
    /// Of what was brought back twice, the speed of the first counts.
    fn add_assign(&mut self, other: Self) {
        self.days = self.days.saturating_add(other.days);
        self.bulk += other.bulk;
        self.metadata += other.metadata;
        self.bulk_requests += other.bulk_requests;
        self.metadata_requests += other.metadata_requests;
        self.uploaded = self.uploaded.saturating_add(other.uploaded);
        self.read = self.read.saturating_add(other.read);
        self.restored = match (self.restored, other.restored) {
            (Some(own), Some(other)) => Some(Restored {
                bytes: own.bytes + other.bytes,
                objects: own.objects.saturating_add(other.objects),
                gets: own.gets.saturating_add(other.gets),
                speed: own.speed,
            }),
            (own, other) => own.or(other),
        };
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        let mut all = Self::default();
        parts.for_each(|part| all += part);
        all
    }
}
