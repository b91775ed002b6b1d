//! Machines that are not there, as trees of the kernel's files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use subvault_model::bytesize::ByteSize;
use subvault_model::facts::PassedOverBecause::{
    DeviceMapper, Empty, KernelMade, Loop, Network, Optical, SoftwareRaid, Zram,
};
use subvault_model::facts::{Chassis, Facts, PassedOverBecause, Power, Transport};
use tempfile::TempDir;

use super::below::below;
use super::hardware;
use super::root::Root;

const SATA: &str = "pci0000:00/0000:00:17.0";
const USB: &str = "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0";

/// Paths, and what is in them.
type Files<'a> = &'a [(&'a str, &'a str)];

struct Fake(TempDir);

impl Fake {
    fn new(files: Files) -> Self {
        let fake = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|(path, text)| fake.file(path, text));
        fake
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{text}\n")).unwrap();
    }

    /// A link that stays inside, as the kernel's do.
    fn link(&self, path: &str, to: &str) {
        let full = self.0.path().join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::create_dir_all(self.0.path().join(to)).unwrap();
        let up = "../".repeat(Path::new(path).components().count() - 1);
        symlink(format!("{up}{to}"), full).unwrap();
    }

    /// A block device of so many sectors below this one, whose bus and those above it are told by their links.
    fn block(&self, name: &str, device: &str, buses: &[(&str, &str)], sectors: u64) {
        let directory = format!("sys/devices/{device}/block/{name}");
        self.file(&format!("{directory}/size"), &sectors.to_string());
        self.file(&format!("{directory}/removable"), "0");
        self.file(&format!("{directory}/queue/rotational"), "0");
        self.link(&format!("sys/block/{name}"), &directory);
        self.link(&format!("sys/class/block/{name}"), &directory);
        if !device.starts_with("virtual") {
            self.link(&format!("{directory}/device"), &format!("sys/devices/{device}"));
        }
        for (above, bus) in buses {
            let link = format!("sys/devices/{above}/subsystem");
            if fs::symlink_metadata(self.0.path().join(&link)).is_err() {
                self.link(&link, &format!("sys/bus/{bus}"));
            }
        }
    }

    fn partition(&self, disk: &str, part: &str, number: &str, filesystem: &str) {
        let real = fs::canonicalize(self.0.path().join("sys/block").join(disk)).unwrap();
        let real = real.strip_prefix(fs::canonicalize(self.0.path()).unwrap()).unwrap().to_str().unwrap().to_owned();
        self.file(&format!("{real}/{part}/partition"), "1");
        self.file(&format!("{real}/{part}/dev"), number);
        self.link(&format!("sys/class/block/{part}"), &format!("{real}/{part}"));
        self.file(&format!("run/udev/data/b{number}"), &format!("S:disk/by-uuid/1\nE:ID_FS_TYPE={filesystem}"));
    }

    /// `upper` lies on `lower`.
    fn slave(&self, upper: &str, lower: &str) {
        let real = fs::canonicalize(self.0.path().join("sys/class/block").join(lower)).unwrap();
        let real = real.strip_prefix(fs::canonicalize(self.0.path()).unwrap()).unwrap().to_str().unwrap().to_owned();
        self.link(&format!("sys/devices/virtual/block/{upper}/slaves/{lower}"), &real);
    }

    fn layered(&self, name: &str) {
        let directory = format!("sys/devices/virtual/block/{name}");
        self.file(&format!("{directory}/size"), "1000");
        self.link(&format!("sys/block/{name}"), &directory);
        self.link(&format!("sys/class/block/{name}"), &directory);
    }

    fn look(&self) -> Facts {
        hardware(self.0.path())
    }

    fn below(&self, name: &str) -> Vec<String> {
        below(&Root::new(self.0.path()), name)
    }
}

fn passed_over(facts: &Facts) -> Vec<(&str, PassedOverBecause)> {
    facts.passed_over.iter().map(|device| (device.name.as_str(), device.because)).collect()
}

fn transports(facts: &Facts) -> Vec<(&str, Transport)> {
    facts.disks.iter().map(|disk| (disk.name.as_str(), disk.transport)).collect()
}

fn laptop() -> Fake {
    let fake = Fake::new(&[
        ("sys/class/dmi/id/sys_vendor", "LENOVO"),
        ("sys/class/dmi/id/product_name", "21CB"),
        ("sys/class/dmi/id/chassis_type", "10"),
        ("sys/class/power_supply/BAT0/type", "Battery"),
        ("sys/class/power_supply/BAT0/capacity", "83"),
        ("sys/class/power_supply/AC/type", "Mains"),
        ("sys/class/power_supply/AC/online", "1"),
        ("sys/class/power_supply/hidpp_battery_0/type", "Battery"),
        ("sys/class/power_supply/hidpp_battery_0/scope", "Device"),
        ("sys/class/power_supply/hidpp_battery_0/capacity", "5"),
        ("sys/firmware/efi/fw_platform_size", "64"),
        ("sys/devices/system/cpu/online", "0-15"),
        ("proc/meminfo", "MemTotal:       32554324 kB\nMemFree:         1 kB"),
        ("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme vmx"),
        ("proc/sys/kernel/hostname", "ada"),
        ("etc/os-release", "NAME=\"NixOS\"\nID=nixos"),
    ]);
    let nvme = |index: u8| format!("pci0000:00/0000:00:0{index}.0/nvme/nvme{index}");
    for (index, model) in [(0, "Samsung SSD 990 PRO 2TB"), (1, "WD_BLACK SN850X")] {
        let device = nvme(index);
        fake.block(&format!("nvme{index}n1"), &device, &[(&device, "nvme")], 3_907_029_168);
        fake.file(&format!("sys/devices/{device}/model"), &format!("{model}                "));
    }
    fake.partition("nvme0n1", "nvme0n1p2", "259:2", "crypto_LUKS");
    fake.partition("nvme1n1", "nvme1n1p3", "259:7", "BitLocker");
    for id in ["nvme-eui.0025384", "nvme-Samsung_SSD_990_PRO_2TB_S7_1", "nvme-Samsung_SSD_990_PRO_2TB_S7"] {
        fake.link(&format!("dev/disk/by-id/{id}"), "dev/nvme0n1");
    }
    fake.link("dev/disk/by-id/nvme-Samsung_SSD_990_PRO_2TB_S7-part2", "dev/nvme0n1p2");
    fake.block("sda", &format!("{USB}/host6/target6:0:0/6:0:0:0"), &[(USB, "usb")], 60_062_500);
    fake.file("sys/block/sda/removable", "1");
    fake.layered("zram0");
    fake.layered("dm-0");
    fake.slave("dm-0", "nvme0n1p2");
    fake
}

#[test]
fn a_laptop_with_two_disks_zram_a_stick_and_luks() {
    let fake = laptop();
    let facts = fake.look();
    let machine = &facts.machine;
    assert_eq!((machine.vendor.as_deref(), machine.product.as_deref()), (Some("LENOVO"), Some("21CB")));
    assert_eq!((machine.chassis, machine.virtualisation.as_deref()), (Chassis::Portable, None));
    assert_eq!((machine.memory, machine.processors), (Some(ByteSize::kib(32_554_324)), Some(16)));
    assert_eq!((machine.has_uefi, machine.is_proxmox), (Some(true), false));
    assert_eq!((machine.host_name.as_deref(), machine.distribution.as_deref()), (Some("ada"), Some("nixos")));
    let power = Power { has_battery: true, is_on_mains: Some(true), battery_percent: Some(83) };
    assert_eq!(facts.power, Some(power));
    assert_eq!(
        transports(&facts),
        [("nvme0n1", Transport::Nvme), ("nvme1n1", Transport::Nvme), ("sda", Transport::Usb)]
    );
    assert_eq!(facts.disks.iter().filter(|disk| disk.is_built_in()).count(), 2);
    let disk = &facts.disks[0];
    assert_eq!(disk.id.as_deref(), Some("nvme-Samsung_SSD_990_PRO_2TB_S7"));
    assert_eq!((disk.model.as_deref(), disk.size.get()), (Some("Samsung SSD 990 PRO 2TB"), 2_000_398_934_016));
    assert_eq!((disk.is_rotational, disk.has_windows), (Some(false), false));
    assert!(facts.disks[1].has_windows);
    assert_eq!(passed_over(&facts), [("dm-0", DeviceMapper), ("zram0", Zram)]);
    assert_eq!(fake.below("dm-0"), ["nvme0n1"]);
}

#[test]
fn a_rented_machine_with_virtio_scsi() {
    let fake = Fake::new(&[
        ("sys/class/dmi/id/sys_vendor", "Hetzner"),
        ("sys/class/dmi/id/product_name", "vServer"),
        ("sys/class/dmi/id/board_vendor", "KVM"),
        ("sys/class/dmi/id/chassis_type", "1"),
        ("proc/cpuinfo", "flags\t\t: fpu hypervisor"),
    ]);
    let virtio = "pci0000:00/0000:00:02.5/virtio5";
    let device = format!("{virtio}/host0/target0:0:0/0:0:0:0");
    fake.block("sda", &device, &[(&device, "scsi"), (virtio, "virtio")], 960_004_096);
    let sata = format!("{SATA}/ata1/host1/target1:0:0/1:0:0:0");
    fake.block("sr0", &sata, &[(&sata, "scsi")], 0);
    fake.file("sys/block/sda/queue/rotational", "1");
    let facts = fake.look();
    assert_eq!(facts.disks[0].is_rotational, None);
    assert_eq!(facts.machine.virtualisation.as_deref(), Some("kvm"));
    assert_eq!(facts.machine.chassis, Chassis::Unknown);
    assert_eq!((facts.machine.has_uefi, facts.power), (None, None));
    assert_eq!(transports(&facts), [("sda", Transport::Virtual)]);
    assert_eq!(passed_over(&facts), [("sr0", Optical)]);
}

#[test]
fn a_server_with_software_raid_and_a_volume_on_it() {
    let fake = Fake::new(&[
        ("sys/class/dmi/id/chassis_type", "23"),
        ("sys/class/dmi/id/sys_vendor", "To Be Filled By O.E.M."),
        ("usr/share/pve-manager/x", ""),
        ("usr/lib/os-release", "ID=debian"),
    ]);
    for (index, name) in ["sda", "sdb"].into_iter().enumerate() {
        let device = format!("{SATA}/ata{index}/host{index}/target{index}:0:0/{index}:0:0:0");
        fake.block(name, &device, &[(&device, "scsi")], 7_814_037_168);
        fake.file(&format!("sys/block/{name}/queue/rotational"), "1");
        fake.partition(name, &format!("{name}1"), &format!("8:{index}"), "linux_raid_member");
    }
    for (name, vendor) in [("sdc", "ATA     "), ("sdd", "SEAGATE")] {
        let sas = format!("pci0000:80/host9/port-9:{name}/end_device-9:0/target9:0:0/{name}");
        fake.block(name, &sas, &[(&sas, "scsi")], 1000);
        fake.file(&format!("sys/devices/{sas}/vendor"), vendor);
    }
    for name in ["md127", "dm-0"] {
        fake.layered(name);
    }
    fake.slave("md127", "sda1");
    fake.slave("md127", "sdb1");
    fake.slave("dm-0", "md127");
    let facts = fake.look();
    let sata = [("sda", Transport::Sata), ("sdb", Transport::Sata), ("sdc", Transport::Sata), ("sdd", Transport::Scsi)];
    assert_eq!(transports(&facts), sata);
    assert_eq!(facts.disks[0].is_rotational, Some(true));
    assert_eq!(facts.machine.vendor, None);
    assert_eq!((facts.machine.chassis, facts.machine.is_proxmox), (Chassis::Server, true));
    assert_eq!(facts.machine.distribution.as_deref(), Some("debian"));
    assert_eq!(passed_over(&facts), [("dm-0", DeviceMapper), ("md127", SoftwareRaid)]);
    assert_eq!(fake.below("dm-0"), ["sda", "sdb"]);
    assert_eq!(fake.below("sdb1"), ["sdb"]);
    assert_eq!(fake.below("gone"), [""; 0]);
}

#[test]
fn readers_without_a_card_and_what_is_no_disk() {
    let fake = Fake::new(&[]);
    fake.block("sdb", &format!("{USB}/host7/target7:0:0/7:0:0:0"), &[(USB, "usb")], 0);
    let card = "pci0000:00/mmc_host/mmc0/mmc0:0001";
    fake.block("mmcblk0", card, &[(card, "mmc")], 62_333_952);
    fake.file(&format!("sys/devices/{card}/type"), "SD");
    fake.block("mmcblk0boot0", card, &[], 8192);
    for name in ["loop0", "loop10", "loop9", "nullb0", "zd0"] {
        fake.layered(name);
    }
    let session = "platform/host3/session1/target3:0:0/3:0:0:0";
    fake.block("sdc", session, &[(session, "scsi")], 1000);
    // A path to an NVMe disk that several lead to, and that disk.
    fake.block("nvme0c0n1", "pci0000:00/nvme/nvme0", &[("pci0000:00/nvme/nvme0", "nvme")], 1000);
    fake.file("sys/block/nvme0c0n1/hidden", "1");
    fake.block("nvme0n1", "virtual/nvme-subsystem/nvme-subsys0", &[], 1000);
    let facts = fake.look();
    assert_eq!(transports(&facts), [("mmcblk0", Transport::Mmc), ("nvme0n1", Transport::Nvme)]);
    assert!(facts.disks[0].is_removable && !facts.disks[1].is_removable);
    let rest = [
        ("loop0", Loop),
        ("loop9", Loop),
        ("loop10", Loop),
        ("mmcblk0boot0", PassedOverBecause::BootArea),
        ("nullb0", KernelMade),
        ("sdb", Empty),
        ("sdc", Network),
        ("zd0", PassedOverBecause::Layered),
    ];
    assert_eq!(passed_over(&facts), rest);
}

#[test]
fn hypervisors_show_in_different_ways() {
    const CLOCKS: &str = "sys/devices/system/clocksource/clocksource0/available_clocksource";
    let table: &[(Files, Option<&str>)] = &[
        (&[], None),
        (&[("proc/cpuinfo", "flags : fpu hypervisor_x")], None),
        (&[("proc/cpuinfo", "flags : fpu hypervisor")], Some("unknown")),
        (&[("proc/cpuinfo", "flags : fpu hypervisor"), (CLOCKS, "tsc kvm-clock")], Some("kvm")),
        (&[(CLOCKS, "tsc hpet acpi_pm")], None),
        (&[("sys/hypervisor/type", "xen")], Some("xen")),
        (&[("sys/hypervisor/type", "xen"), ("proc/xen/capabilities", "control_d")], None),
        (&[("sys/class/dmi/id/sys_vendor", "QEMU")], Some("qemu")),
        (&[("sys/class/dmi/id/sys_vendor", "VMware, Inc.")], Some("vmware")),
        (&[("sys/class/dmi/id/product_name", "VirtualBox")], Some("oracle")),
        (&[("sys/class/dmi/id/product_name", "Virtual Machine")], Some("microsoft")),
        (
            &[("sys/class/dmi/id/sys_vendor", "Microsoft Corporation"), ("sys/class/dmi/id/product_name", "Surface")],
            None,
        ),
        (&[("sys/class/dmi/id/sys_vendor", "Amazon EC2")], Some("amazon")),
        (&[("sys/class/dmi/id/sys_vendor", "Amazon EC2"), ("sys/class/dmi/id/product_name", "m5.metal")], None),
        (&[("sys/class/dmi/id/sys_vendor", "Google"), ("sys/class/dmi/id/product_name", "Eve")], None),
        (&[("sys/class/dmi/id/product_name", "Google Compute Engine")], Some("google")),
    ];
    for (files, kind) in table {
        assert_eq!(Fake::new(files).look().machine.virtualisation.as_deref(), *kind, "{files:?}");
    }
}

#[test]
fn power_is_what_the_supplies_say() {
    let supply = "sys/class/power_supply";
    let power = |files: Files| {
        let fake = Fake::new(&[]);
        fs::create_dir_all(fake.0.path().join(supply)).unwrap();
        files.iter().for_each(|(path, text)| fake.file(&format!("{supply}/{path}"), text));
        let power = fake.look().power.unwrap();
        (power.has_battery, power.is_on_mains, power.battery_percent)
    };
    assert_eq!(power(&[]), (false, None, None));
    let battery = ("BAT0/type", "Battery");
    assert_eq!(power(&[battery, ("BAT0/capacity", "7"), ("BAT0/status", "Discharging")]), (true, Some(false), Some(7)));
    assert_eq!(power(&[battery, ("BAT0/status", "Not charging")]), (true, Some(true), None));
    assert_eq!(power(&[battery, ("BAT0/present", "0")]), (false, None, None));
    let usb = [("UCSI1/type", "USB"), ("UCSI1/online", "0"), ("UCSI2/type", "USB"), ("UCSI2/online", "1")];
    assert_eq!(power(&usb), (false, Some(true), None));
    assert_eq!(power(&[("AC/type", "Mains"), ("AC/online", "0"), battery]), (true, Some(false), None));
    let two = [battery, ("BAT0/capacity", "100"), ("BAT0/energy_full", "10"), ("BAT1/type", "Battery")];
    let two = [&two[..], &[("BAT1/capacity", "0"), ("BAT1/energy_full", "30")]].concat();
    assert_eq!(power(&two), (true, None, Some(25)));
}

#[test]
fn a_machine_that_says_nothing_is_not_known() {
    let facts = Fake::new(&[]).look();
    assert_eq!(facts, Facts::default());
}
