//! Reports of the machines that there are profiles for, made small.

use subvault_model::bytesize::ByteSize;
use subvault_model::facts::PassedOverBecause::{self, DeviceMapper, Empty, Layered, Optical, Zram};
use subvault_model::facts::{Chassis, Facts, Transport};

use super::read;

const DUAL_NVME_LAPTOP: &str = include_str!("../../tests/main/facter/dual-nvme-laptop.json");
const SINGLE_NVME_LAPTOP: &str = include_str!("../../tests/main/facter/single-nvme-laptop.json");
const PRODUCTION_VPS: &str = include_str!("../../tests/main/facter/production-vps.json");
const STAGING_VPS: &str = include_str!("../../tests/main/facter/staging-vps.json");
const UTILITY_VPS: &str = include_str!("../../tests/main/facter/utility-vps.json");
const DESKTOP: &str = include_str!("../../tests/main/facter/desktop.json");
const PROXMOX_SERVER: &str = include_str!("../../tests/main/facter/proxmox-server.json");

fn disks(facts: &Facts) -> Vec<(&str, Transport, u64, bool)> {
    facts.disks.iter().map(|disk| (disk.name.as_str(), disk.transport, disk.size.get(), disk.is_built_in())).collect()
}

fn passed_over(facts: &Facts) -> Vec<(&str, PassedOverBecause)> {
    facts.passed_over.iter().map(|device| (device.name.as_str(), device.because)).collect()
}

#[test]
fn laptops_are_read() {
    let facts = read(DUAL_NVME_LAPTOP).unwrap();
    let machine = &facts.machine;
    assert_eq!(machine.vendor.as_deref(), Some("ASUSTeK COMPUTER INC."));
    assert_eq!((machine.chassis, machine.virtualisation.as_deref()), (Chassis::Portable, None));
    assert_eq!((machine.memory, machine.processors, machine.has_uefi), (Some(ByteSize::gib(40)), Some(20), None));
    let expected =
        [("nvme0n1", Transport::Nvme, 2_000_398_934_016, true), ("nvme1n1", Transport::Nvme, 1_024_209_543_168, true)];
    assert_eq!(disks(&facts), expected);
    let disk = &facts.disks[0];
    assert_eq!(disk.id.as_deref(), Some("nvme-CT2000P310SSD8_MASKED0"));
    assert_eq!((disk.model.as_deref(), disk.is_rotational), (Some("CT2000P310SSD8"), Some(false)));
    assert_eq!((facts.power, facts.pools.len()), (None, 0));

    let facts = read(SINGLE_NVME_LAPTOP).unwrap();
    assert_eq!(disks(&facts), [("nvme0n1", Transport::Nvme, 1_000_204_886_016, true)]);
    assert_eq!(passed_over(&facts), [("zram0", Zram)]);
    assert_eq!(facts.machine.has_uefi, Some(true));
}

#[test]
fn rented_machines_are_read() {
    for (report, name, size, uefi) in [
        (PRODUCTION_VPS, "sda", 458 << 30, true),
        (STAGING_VPS, "sda", 536_000_000_000, true),
        (UTILITY_VPS, "vda", 200_000_000_000, false),
    ] {
        let facts = read(report).unwrap();
        assert_eq!(disks(&facts), [(name, Transport::Virtual, size, true)]);
        assert_eq!(facts.machine.virtualisation.as_deref(), Some("kvm"));
        assert_eq!((facts.machine.chassis, facts.machine.has_uefi), (Chassis::Unknown, Some(uefi)));
    }
    assert_eq!(passed_over(&read(PRODUCTION_VPS).unwrap()), [("sr0", Optical)]);
}

#[test]
fn a_desktop_and_a_server_are_read() {
    let facts = read(DESKTOP).unwrap();
    let expected = [
        ("sda", Transport::Sata, 4_000_787_030_016, true),
        ("sdb", Transport::Sata, 1_000_204_886_016, true),
        ("sdc", Transport::Usb, 5_000_947_302_400, false),
    ];
    assert_eq!(disks(&facts), expected);
    assert_eq!(passed_over(&facts), [("sdd", Empty)]);
    assert_eq!((facts.machine.chassis, facts.machine.vendor.as_deref()), (Chassis::Desktop, None));
    assert_eq!(facts.disks[0].is_rotational, None);

    let facts = read(PROXMOX_SERVER).unwrap();
    assert_eq!(facts.disks.iter().filter(|disk| disk.transport == Transport::Nvme).count(), 2);
    assert_eq!(passed_over(&facts), [("dm-0", DeviceMapper), ("zd0", Layered)]);
    // The report takes it for a laptop.
    assert_eq!((facts.machine.chassis, facts.machine.is_proxmox), (Chassis::Server, true));
    assert_eq!(facts.machine.processors, Some(64));
}

#[test]
fn what_is_missing_is_not_known() {
    let facts = read(r#"{"hardware": {}}"#).unwrap();
    assert_eq!(facts, Facts::default());
    let nulls = r#"{"hardware": {"disk": null, "cpu": [{"siblings": null}], "memory": [{"resources": null}]},
        "smbios": null, "virtualisation": "none", "uefi": null, "more": 1}"#;
    assert_eq!(read(nulls).unwrap(), Facts::default());
    let laptop = r#"{"hardware": {"system": {"form_factor": "laptop"}}}"#;
    assert_eq!(read(laptop).unwrap().machine.chassis, Chassis::Portable);
}

#[test]
fn what_is_no_report_is_told() {
    for (text, why) in [
        ("", "EOF"),
        ("# a comment", "expected value"),
        ("[]", "hardware"),
        (r#"{"version": 1}"#, "missing field `hardware`"),
        (r#"{"hardware": 7}"#, "invalid type"),
    ] {
        let told = read(text).unwrap_err().to_string();
        assert!(told.contains(why) && told.contains("nixos-facter"), "{told}");
    }
}
