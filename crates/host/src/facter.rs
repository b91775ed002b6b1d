//! What is known of a host from a `facter.json`, the report that `nixos-facter` writes. Pure.
//!
//! Only the keys that are needed are read, and others ignored. A report tells the hardware: nothing of power, pools and the
//! distribution. Serial numbers that stand in it are not taken over.

mod disk;
mod report;
#[cfg(test)]
mod tests;

use subvault_model::bytesize::ByteSize;
use subvault_model::facts::{Chassis, Facts, Machine, PassedOver};

use self::report::{Hardware, Report, Smbios};
use crate::facts::{in_order, of_firmware, passed_over_by_name};

/// A text that is no such report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no facter report ({why}): it must be the JSON that `nixos-facter` prints, with the key `hardware`")]
pub struct NotAReport {
    why: String,
}

/// Proxmox takes no other names than these, and a number, for its bridges.
const BRIDGE_OF_PROXMOX: &str = "vmbr";

/// Reads a report.
///
/// # Errors
/// When it is none.
pub fn read(text: &str) -> Result<Facts, NotAReport> {
    let report: Report = serde_json::from_str(text).map_err(|error| NotAReport { why: error.to_string() })?;
    let Report { hardware, smbios, virtualisation, uefi } = report;
    let virtualisation = virtualisation.filter(|kind| kind != "none");
    let (mut disks, mut passed_over) = (Vec::new(), Vec::new());
    for device in hardware.disk.iter().chain(&hardware.cdrom) {
        let Some(name) = device.name() else { continue };
        match passed_over_by_name(name).or_else(|| device.is_empty()) {
            Some(because) => passed_over.push(PassedOver { name: name.to_owned(), because }),
            None => disks.push(device.disk(name)),
        }
    }
    in_order(&mut disks, &mut passed_over);
    let machine = machine(&hardware, &smbios, virtualisation, uefi.and_then(|uefi| uefi.supported));
    Ok(Facts { machine, power: None, disks, passed_over, pools: Vec::new() })
}

fn machine(hardware: &Hardware, smbios: &Smbios, virtualisation: Option<String>, has_uefi: Option<bool>) -> Machine {
    let memory = hardware.memory.iter().flat_map(|memory| &memory.resources);
    let memory = memory.filter(|resource| resource.kind == "phys_mem").filter_map(|resource| resource.range);
    let threads: Option<u32> = hardware.cpu.iter().map(|cpu| cpu.siblings.or(cpu.cores)).sum();
    let names = hardware.network_interface.iter().flat_map(|interface| &interface.unix_device_names);
    let has_bridge =
        names.filter_map(|name| name.strip_prefix(BRIDGE_OF_PROXMOX)).any(|rest| rest.parse::<u16>().is_ok());
    Machine {
        host_name: None,
        vendor: smbios.system.manufacturer.as_deref().and_then(of_firmware),
        product: smbios.system.product.as_deref().and_then(of_firmware),
        chassis: chassis(hardware, &smbios.chassis),
        is_proxmox: has_bridge && virtualisation.is_none(),
        virtualisation,
        memory: memory.map(ByteSize::bytes).reduce(std::ops::Add::add),
        processors: threads.filter(|threads| *threads > 0),
        has_uefi,
        distribution: None,
    }
}

/// What the firmware says counts; what the report makes of it (`form_factor`) takes some servers for laptops.
fn chassis(hardware: &Hardware, told: &[report::Chassis]) -> Chassis {
    let kinds = told.iter().filter_map(|chassis| chassis.chassis_type.as_ref()?.value);
    let known = kinds.map(Chassis::from_smbios).find(|chassis| *chassis != Chassis::Unknown);
    let form = hardware.system.form_factor.as_deref();
    known.unwrap_or(if told.is_empty() && form == Some("laptop") { Chassis::Portable } else { Chassis::Unknown })
}
