//! The part of a report that is read. Values that may be missing or `null` are empty then.

use serde::{Deserialize, Deserializer};

/// A report.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    pub(super) hardware: Hardware,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) smbios: Smbios,
    pub(super) virtualisation: Option<String>,
    pub(super) uefi: Option<Uefi>,
}

/// What is built in and attached, by kinds.
#[derive(Debug, Deserialize)]
pub(super) struct Hardware {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) disk: Vec<Device>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) cdrom: Vec<Device>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) network_interface: Vec<Device>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) memory: Vec<Device>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) cpu: Vec<Cpu>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) system: System,
}

/// A device.
#[derive(Debug, Deserialize)]
pub(super) struct Device {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) class_list: Vec<String>,
    pub(super) model: Option<String>,
    pub(super) sysfs_id: Option<String>,
    pub(super) sysfs_device_link: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) unix_device_names: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) resources: Vec<Resource>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) drivers: Vec<String>,
}

/// Something that a device has so much of.
#[derive(Debug, Deserialize)]
pub(super) struct Resource {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) unit: Option<String>,
    /// Of `size`: how many.
    pub(super) value_1: Option<u64>,
    /// Of `size`: how many bytes each has.
    pub(super) value_2: Option<u64>,
    /// Of `phys_mem`: how many bytes.
    pub(super) range: Option<u64>,
}

/// What sits in one socket.
#[derive(Debug, Deserialize)]
pub(super) struct Cpu {
    /// How many threads.
    pub(super) siblings: Option<u32>,
    pub(super) cores: Option<u32>,
}

/// What the report makes of the machine.
#[derive(Debug, Default, Deserialize)]
pub(super) struct System {
    pub(super) form_factor: Option<String>,
}

/// What the firmware says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Smbios {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) system: Maker,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) chassis: Vec<Chassis>,
}

/// Who made the machine.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Maker {
    pub(super) manufacturer: Option<String>,
    pub(super) product: Option<String>,
}

/// What it is built into.
#[derive(Debug, Deserialize)]
pub(super) struct Chassis {
    pub(super) chassis_type: Option<Coded>,
}

/// A number of a standard.
#[derive(Debug, Deserialize)]
pub(super) struct Coded {
    pub(super) value: Option<u8>,
}

/// How the machine was started.
#[derive(Debug, Deserialize)]
pub(super) struct Uefi {
    pub(super) supported: Option<bool>,
}

fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}
