//! Block devices of a host: those to plan for, and those that are none.

use serde::{Deserialize, Serialize};

use crate::bytesize::ByteSize;

/// A disk to plan for, or an attached one that copies can go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Its name of the moment, such as `nvme0n1`; it may be another after the next boot.
    pub name: String,
    /// A name that stays, as it is called below `/dev/disk/by-id`.
    pub id: Option<String>,
    /// What its maker calls it.
    pub model: Option<String>,
    /// How much it holds.
    pub size: ByteSize,
    /// How it is attached.
    pub transport: Transport,
    /// Whether it turns; `None` where nothing says, as with most virtual disks.
    pub is_rotational: Option<bool>,
    /// Whether it can be pulled out: a USB disk, a card.
    pub is_removable: bool,
    /// Whether another system lives on it: it has a filesystem of Windows.
    pub has_windows: bool,
}

/// How a disk is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// NVMe.
    Nvme,
    /// SATA, or older.
    Sata,
    /// USB.
    Usb,
    /// A disk of a virtual machine.
    Virtual,
    /// SCSI or SAS.
    Scsi,
    /// A card or soldered flash.
    Mmc,
    /// Anything else.
    Other,
}

/// A block device that is not planned for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    /// Its name.
    pub name: String,
    /// Why.
    pub because: PassedOverBecause,
}

/// Why a block device is not planned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PassedOverBecause {
    /// It is compressed memory.
    Zram,
    /// It is memory.
    Memory,
    /// It is a file that looks like a disk.
    Loop,
    /// It lies on other devices: device-mapper, LVM, LUKS.
    DeviceMapper,
    /// It lies on other devices: a software RAID.
    SoftwareRaid,
    /// It is a drive for discs.
    Optical,
    /// It is a drive for diskettes.
    Floppy,
    /// It is over the network.
    Network,
    /// It lies on other devices: a cache, a volume of another filesystem.
    Layered,
    /// It is an area of flash that firmware starts from.
    BootArea,
    /// The kernel makes it out of nothing that is attached.
    KernelMade,
    /// There is nothing in it: a card reader without a card.
    Empty,
}

impl Transport {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Nvme => "NVMe",
            Self::Sata => "SATA",
            Self::Usb => "USB",
            Self::Virtual => "virtual",
            Self::Scsi => "SCSI",
            Self::Mmc => "card or soldered flash",
            Self::Other => "other",
        }
    }
}

impl PassedOverBecause {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Zram => "compressed memory, not a disk",
            Self::Memory => "memory, not a disk",
            Self::Loop => "a file that looks like a disk",
            Self::DeviceMapper => "lies on other devices (device-mapper)",
            Self::SoftwareRaid => "lies on other devices (software RAID)",
            Self::Optical => "a drive for discs",
            Self::Floppy => "a drive for diskettes",
            Self::Network => "a device over the network",
            Self::Layered => "lies on other devices",
            Self::BootArea => "an area that firmware starts from",
            Self::KernelMade => "made by the kernel, not a disk",
            Self::Empty => "nothing is in it",
        }
    }
}

impl Disk {
    /// Whether it is part of the machine: built in, and not for carrying away.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        !self.is_removable && self.transport != Transport::Usb
    }
}
