//! How much room there is, which on Btrfs is an estimate.
//!
//! Data goes into block groups; what is free is the room left in those that exist plus what new ones
//! could give. New ones take `ratio` bytes of devices for each byte stored, two for RAID1 for example.
//! The estimate assumes that all unallocated room becomes data: metadata grows too, so it is an upper
//! bound, which whoever plans with it leaves a margin under.

use subvault_model::bytesize::ByteSize;

use super::Device;
use crate::ioctl::SpaceInfo;

/// What block groups hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// File contents.
    Data,
    /// Trees.
    Metadata,
    /// The map of the devices.
    System,
    /// Contents and trees together, on small pools.
    Mixed,
}

/// How block groups are laid out over the devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// One copy.
    Single,
    /// One copy in stripes.
    Raid0,
    /// Two copies on one device.
    Dup,
    /// Two copies.
    Raid1,
    /// Three copies.
    Raid1c3,
    /// Four copies.
    Raid1c4,
    /// Two copies in stripes.
    Raid10,
    /// Stripes and one parity.
    Raid5,
    /// Stripes and two parities.
    Raid6,
}

impl Profile {
    fn from_flags(flags: u64) -> Self {
        const BITS: [(u64, Profile); 8] = [
            (1 << 3, Profile::Raid0),
            (1 << 4, Profile::Raid1),
            (1 << 5, Profile::Dup),
            (1 << 6, Profile::Raid10),
            (1 << 7, Profile::Raid5),
            (1 << 8, Profile::Raid6),
            (1 << 9, Profile::Raid1c3),
            (1 << 10, Profile::Raid1c4),
        ];
        BITS.iter().find(|(bit, _)| flags & bit != 0).map_or(Self::Single, |(_, profile)| *profile)
    }

    /// What Btrfs calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Raid0 => "raid0",
            Self::Dup => "dup",
            Self::Raid1 => "raid1",
            Self::Raid1c3 => "raid1c3",
            Self::Raid1c4 => "raid1c4",
            Self::Raid10 => "raid10",
            Self::Raid5 => "raid5",
            Self::Raid6 => "raid6",
        }
    }

    /// How many copies there are, each on a device of its own, but for `Dup`.
    fn copies(self) -> u64 {
        match self {
            Self::Single | Self::Raid0 | Self::Raid5 | Self::Raid6 => 1,
            Self::Dup | Self::Raid1 | Self::Raid10 => 2,
            Self::Raid1c3 => 3,
            Self::Raid1c4 => 4,
        }
    }

    /// How many bytes fit into what is unallocated on the devices.
    fn fits(self, unallocated: &[u64]) -> u64 {
        let sum: u64 = unallocated.iter().sum();
        let usable = unallocated.iter().filter(|free| **free > 0).count() as u64;
        match self {
            Self::Single | Self::Raid0 => sum,
            Self::Dup => sum / 2,
            Self::Raid1 | Self::Raid10 | Self::Raid1c3 | Self::Raid1c4 => spread(unallocated, self.copies()),
            Self::Raid5 => sum / usable.max(1) * usable.saturating_sub(1),
            Self::Raid6 => sum / usable.max(1) * usable.saturating_sub(2),
        }
    }
}

/// How many bytes fit when each is put on `copies` different devices.
fn spread(unallocated: &[u64], copies: u64) -> u64 {
    let mut free = unallocated.to_vec();
    free.sort_unstable_by(|a, b| b.cmp(a));
    // A device larger than its share of the whole cannot be filled: what is left on it has no partner.
    let fits = |skipped: u64| {
        let rest: u64 = free.iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX)).sum();
        rest / (copies - skipped)
    };
    (0..copies).map(fits).min().unwrap_or(0)
}

/// The block groups of one purpose and profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpacePart {
    /// What they hold.
    pub purpose: Purpose,
    /// How they are laid out.
    pub profile: Profile,
    /// How much they can hold.
    pub total: ByteSize,
    /// How much they hold.
    pub used: ByteSize,
}

impl SpacePart {
    /// `None` for the global reserve, which lies inside the metadata.
    pub(super) fn from_kernel(space: &SpaceInfo) -> Option<Self> {
        const GLOBAL_RESERVE: u64 = 1 << 49;
        let purpose = match space.flags & 0b111 {
            _ if space.flags & GLOBAL_RESERVE != 0 => return None,
            0b001 => Purpose::Data,
            0b010 => Purpose::System,
            0b100 => Purpose::Metadata,
            0b101 => Purpose::Mixed,
            _ => return None,
        };
        Some(Self {
            purpose,
            profile: Profile::from_flags(space.flags),
            total: ByteSize::bytes(space.total_bytes),
            used: ByteSize::bytes(space.used_bytes),
        })
    }

    fn free(&self) -> u64 {
        self.total.get().saturating_sub(self.used.get())
    }
}

/// The room on a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// By purpose and profile.
    pub parts: Vec<SpacePart>,
    /// The sizes of the devices together.
    pub size: ByteSize,
    /// What is not given to block groups, on all devices together.
    pub unallocated: ByteSize,
    /// How many bytes of data are stored, each counted once.
    pub data_used: ByteSize,
    /// About how many more bytes of data could be stored.
    pub data_free: ByteSize,
    /// How much more metadata fits into the block groups that exist. With this and `unallocated` near
    /// nothing, writing and deleting fail whatever `data_free` says.
    pub metadata_free: ByteSize,
}

impl Space {
    pub(super) fn new(devices: &[Device], parts: Vec<SpacePart>) -> Self {
        let unallocated: Vec<u64> = devices
            .iter()
            .filter(|device| device.path.is_some())
            .map(|device| device.size.get().saturating_sub(device.allocated.get()))
            .collect();
        let is_data = |part: &&SpacePart| matches!(part.purpose, Purpose::Data | Purpose::Mixed);
        let is_metadata = |part: &&SpacePart| matches!(part.purpose, Purpose::Metadata | Purpose::Mixed);
        // While a conversion runs there are two profiles; new block groups get the more careful one.
        let profile = parts
            .iter()
            .filter(is_data)
            .map(|part| part.profile)
            .max_by_key(|profile| profile.copies())
            .unwrap_or(Profile::Single);
        let free_in_groups: u64 = parts.iter().filter(is_data).map(SpacePart::free).sum();
        let metadata_free = parts.iter().filter(is_metadata).map(SpacePart::free).sum();
        Self {
            size: devices.iter().map(|device| device.size).sum(),
            unallocated: ByteSize::bytes(unallocated.iter().sum()),
            data_used: parts.iter().filter(is_data).map(|part| part.used).sum(),
            data_free: ByteSize::bytes(free_in_groups + profile.fits(&unallocated)),
            metadata_free: ByteSize::bytes(metadata_free),
            parts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_need_different_devices() {
        assert_eq!(Profile::Raid1.fits(&[100, 100]), 100);
        assert_eq!(Profile::Raid1.fits(&[1000, 100]), 100);
        assert_eq!(Profile::Raid1.fits(&[100, 60, 60]), 110);
        assert_eq!(Profile::Raid1.fits(&[100]), 0);
        assert_eq!(Profile::Raid1c3.fits(&[100, 100, 10]), 10);
        assert_eq!(Profile::Raid1c4.fits(&[100, 100, 10]), 0);
        assert_eq!(Profile::Dup.fits(&[100]), 50);
    }

    #[test]
    fn parity_takes_a_device() {
        assert_eq!(Profile::Raid5.fits(&[100, 100, 100]), 200);
        assert_eq!(Profile::Raid6.fits(&[100, 100, 100, 100]), 200);
        assert_eq!(Profile::Raid6.fits(&[]), 0);
    }

    #[test]
    fn the_free_estimate_is_what_is_left_and_what_can_be_added() {
        let device =
            Device { id: 1, path: Some("/dev/x".into()), size: ByteSize::bytes(1000), allocated: ByteSize::bytes(600) };
        let part =
            |flags, total_bytes, used_bytes| SpacePart::from_kernel(&SpaceInfo { flags, total_bytes, used_bytes });
        let parts = [part(1, 500, 300), part(4 | 1 << 5, 50, 20), part(1 << 49 | 4, 10, 10)];
        let space = Space::new(&[device], parts.into_iter().flatten().collect());
        assert_eq!(space.data_free, ByteSize::bytes(200 + 400));
        assert_eq!(space.data_used, ByteSize::bytes(300));
        assert_eq!(space.metadata_free, ByteSize::bytes(30));
        assert_eq!(space.parts.len(), 2);
    }
}
