//! Whether a pool is short of space. Pure.

use serde::Serialize;
use subvault_model::bytesize::ByteSize;

use crate::keep::Pressure;

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Room {
    /// How many bytes of data could be stored on the pool if it were empty, about.
    pub total: ByteSize,
    /// How many more can be, about.
    pub free: ByteSize,
}

/// A line below which free space is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// So many hundredths of the whole.
    Percent(u8),
    /// So much.
    Bytes(ByteSize),
}

/// The lines of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Below it, space gets short.
    pub yellow: Line,
    /// Below it, it is about to run out.
    pub red: Line,
}

impl Line {
    fn is_passed(self, room: Room) -> bool {
        match self {
            // In 128 bits, since a hundred times the size of a pool may not fit into 64.
            Self::Percent(percent) => {
                u128::from(room.free.get()) * 100 < u128::from(room.total.get()) * u128::from(percent)
            }
            Self::Bytes(bytes) => room.free < bytes,
        }
    }
}

impl Limits {
    /// How short space is.
    #[must_use]
    pub fn pressure(self, room: Room) -> Pressure {
        match (self.red.is_passed(room), self.yellow.is_passed(room)) {
            (true, _) => Pressure::Red,
            (false, true) => Pressure::Yellow,
            (false, false) => Pressure::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_passed_below_them() {
        let limits = Limits { yellow: Line::Percent(15), red: Line::Bytes(ByteSize::gib(5)) };
        let of = |free: ByteSize| limits.pressure(Room { total: ByteSize::gib(100), free });
        assert_eq!(of(ByteSize::gib(15)), Pressure::None);
        assert_eq!(of(ByteSize::bytes(ByteSize::gib(15).get() - 1)), Pressure::Yellow);
        assert_eq!(of(ByteSize::gib(5)), Pressure::Yellow);
        assert_eq!(of(ByteSize::bytes(ByteSize::gib(5).get() - 1)), Pressure::Red);
        let huge = Room { total: ByteSize::bytes(u64::MAX), free: ByteSize::bytes(u64::MAX / 2) };
        assert_eq!(limits.pressure(huge), Pressure::None);
    }
}
