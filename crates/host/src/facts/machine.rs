//! The machine: what its firmware and the kernel say of it.

use subvault_model::bytesize::ByteSize;
use subvault_model::facts::{Chassis, Machine};

use super::root::Root;
use super::{os_release, virtualisation};

/// What makers leave in firmware that they did not fill in.
const FILLERS: [&str; 8] = [
    "default string",
    "to be filled by o.e.m.",
    "system manufacturer",
    "system product name",
    "not specified",
    "none",
    "o.e.m.",
    "unknown",
];

/// Looks at the machine.
pub(super) fn look(root: &Root) -> Machine {
    let firmware = |file: &str| root.text(format!("sys/class/dmi/id/{file}"));
    let chassis = firmware("chassis_type").and_then(|kind| kind.parse().ok());
    Machine {
        host_name: root.text("proc/sys/kernel/hostname"),
        vendor: firmware("sys_vendor").as_deref().and_then(of_firmware),
        product: firmware("product_name").as_deref().and_then(of_firmware),
        chassis: chassis.map(Chassis::from_smbios).unwrap_or_default(),
        virtualisation: virtualisation::look(root),
        memory: memory(root),
        processors: processors(root),
        has_uefi: root.exists("sys/firmware").then(|| root.exists("sys/firmware/efi")),
        distribution: os_release::id(root),
        is_proxmox: root.exists("etc/pve") || root.exists("usr/share/pve-manager"),
    }
}

/// A text of the firmware, unless it says nothing.
pub(crate) fn of_firmware(text: &str) -> Option<String> {
    let lower = text.trim().to_ascii_lowercase();
    (!lower.is_empty() && !FILLERS.contains(&lower.as_str())).then(|| text.trim().to_owned())
}

fn memory(root: &Root) -> Option<ByteSize> {
    let table = root.text("proc/meminfo")?;
    let kib = table.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB"))?;
    kib.trim().parse().ok().map(ByteSize::kib)
}

/// Processors that are switched on, which the kernel lists as `0-3,8`.
fn processors(root: &Root) -> Option<u32> {
    let list = root.text("sys/devices/system/cpu/online")?;
    let counts = list.split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        last.checked_sub(first)?.checked_add(1)
    });
    counts.sum()
}
