//! Whether the machine is one of a hypervisor, from what the kernel tells in files.

use super::root::Root;

/// What is said where a hypervisor shows, and not which.
const UNKNOWN: &str = "unknown";

/// Vendors and products that only virtual machines have, and what they run on. Some vendors sell real machines too; those
/// are told by their product.
const NAMES: [(&str, &str); 17] = [
    ("KVM", "kvm"),
    ("Standard PC (", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "oracle"),
    ("VirtualBox", "oracle"),
    ("Xen", "xen"),
    ("HVM domU", "xen"),
    ("Virtual Machine", "microsoft"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Apple Virtualization", "apple"),
    ("Amazon EC2", "amazon"),
    ("Google Compute Engine", "google"),
];

/// Clocks that only one hypervisor has.
const CLOCKS: [(&str, &str); 3] = [("kvm-clock", "kvm"), ("hyperv_clocksource", "microsoft"), ("xen", "xen")];

const FILES: [&str; 5] = ["sys_vendor", "product_name", "board_vendor", "board_name", "bios_vendor"];

/// What the machine runs on; `None` on bare metal.
pub(super) fn look(root: &Root) -> Option<String> {
    if is_host_of_xen(root) {
        return None;
    }
    let kind = root.text("sys/hypervisor/type").or_else(|| by_firmware(root)).or_else(|| by_clock(root));
    kind.or_else(|| has_flag(root).then(|| UNKNOWN.to_owned()))
}

/// The first domain of Xen looks like a guest, and is the machine itself.
fn is_host_of_xen(root: &Root) -> bool {
    root.text("proc/xen/capabilities").is_some_and(|text| text.contains("control_d"))
}

fn by_firmware(root: &Root) -> Option<String> {
    let texts: Vec<_> = FILES.iter().filter_map(|file| root.text(format!("sys/class/dmi/id/{file}"))).collect();
    let is_whole_machine = texts.iter().any(|text| text.ends_with(".metal"));
    let kind = NAMES.iter().find(|(name, _)| texts.iter().any(|text| text.starts_with(name)))?.1;
    (!is_whole_machine).then(|| kind.to_owned())
}

fn by_clock(root: &Root) -> Option<String> {
    let clocks = root.text("sys/devices/system/clocksource/clocksource0/available_clocksource")?;
    let kind = CLOCKS.iter().find(|(clock, _)| clocks.split_whitespace().any(|name| name.starts_with(clock)))?.1;
    Some(kind.to_owned())
}

fn has_flag(root: &Root) -> bool {
    let processors = root.text("proc/cpuinfo").unwrap_or_default();
    let flags = processors.lines().find_map(|line| line.strip_prefix("flags")?.split_once(':')).map(|(_, flags)| flags);
    flags.is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor"))
}
