//! What is known of a host: its hardware, its pools and who uses them. The input of the strategy.
//!
//! Facts come from the running machine or from a report in a file; what is not known is `None`, never a guess. Names of
//! devices and of programs are the kernel's and are text; paths of users' files are bytes.

mod disk;
mod pool;

use serde::{Deserialize, Serialize};

pub use disk::{Disk, PassedOver, PassedOverBecause, Transport};
pub use pool::{ChangeRate, InodeCompression, PoolFacts, SubvolumeFacts, Use};

use crate::bytesize::ByteSize;

/// What is known of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The machine itself.
    pub machine: Machine,
    /// How it is powered; `None` where the facts are from a report.
    pub power: Option<Power>,
    /// Disks that are built in or attached, in the kernel's order.
    pub disks: Vec<Disk>,
    /// Block devices that are no disks to plan for.
    pub passed_over: Vec<PassedOver>,
    /// Its Btrfs filesystems, as far as one of their subvolumes is mounted.
    pub pools: Vec<PoolFacts>,
}

/// The machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// What it calls itself.
    pub host_name: Option<String>,
    /// Who made it, or who rents it out.
    pub vendor: Option<String>,
    /// What they call it.
    pub product: Option<String>,
    /// What it is built into.
    pub chassis: Chassis,
    /// What it runs on, such as `kvm`; `None` on bare metal.
    pub virtualisation: Option<String>,
    /// How much memory it has.
    pub memory: Option<ByteSize>,
    /// How many threads of its processors there are.
    pub processors: Option<u32>,
    /// Whether it was started by UEFI.
    pub has_uefi: Option<bool>,
    /// The distribution, as `ID` of os-release: `debian`, `nixos`.
    pub distribution: Option<String>,
    /// Whether it is a Proxmox host: one that runs others' machines.
    pub is_proxmox: bool,
}

/// What a machine is built into, as the firmware says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chassis {
    /// It is carried around: laptop, tablet.
    Portable,
    /// It stands at a desk.
    Desktop,
    /// It stands in a rack.
    Server,
    /// The firmware does not say.
    #[default]
    Unknown,
}

/// How a machine is powered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Power {
    /// Whether it has a battery that it runs on.
    pub has_battery: bool,
    /// Whether it is on mains now; `None` where nothing says.
    pub is_on_mains: Option<bool>,
    /// How full the battery is, in hundredths.
    pub battery_percent: Option<u8>,
}

impl Chassis {
    /// What a type of the System Management BIOS means (DMTF DSP0134, 7.4.1).
    #[must_use]
    pub const fn from_smbios(kind: u8) -> Self {
        match kind {
            // Portable, laptop, notebook, hand-held, sub-notebook, tablet, convertible, detachable.
            8..=11 | 14 | 30..=32 => Self::Portable,
            // Desktop, low-profile, pizza box, mini tower, tower, all-in-one, space-saving, mini and stick PC.
            3..=7 | 13 | 15 | 35 | 36 => Self::Desktop,
            // Main server chassis, rack mount, multi-system, blade and its enclosure.
            17 | 23 | 25 | 28 | 29 => Self::Server,
            _ => Self::Unknown,
        }
    }

    /// In words; `None` where the firmware does not say.
    #[must_use]
    pub const fn words(self) -> Option<&'static str> {
        match self {
            Self::Portable => Some("portable"),
            Self::Desktop => Some("desktop"),
            Self::Server => Some("server"),
            Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chassis_are_told_apart() {
        for (kind, chassis) in [
            (1, Chassis::Unknown),
            (3, Chassis::Desktop),
            (10, Chassis::Portable),
            (23, Chassis::Server),
            (31, Chassis::Portable),
        ] {
            assert_eq!(Chassis::from_smbios(kind), chassis, "{kind}");
        }
    }
}
