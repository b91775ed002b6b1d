//! Block devices that are no disks to plan for, told by the names that the kernel gives.

use subvault_model::facts::PassedOverBecause::{
    self, BootArea, DeviceMapper, Floppy, Layered, Loop, Memory, Network, Optical, SoftwareRaid, Zram,
};

/// Names begin like this, and go on with a number.
const NAMES: [(&str, PassedOverBecause); 15] = [
    ("zram", Zram),
    ("ram", Memory),
    ("loop", Loop),
    ("dm-", DeviceMapper),
    ("md_d", SoftwareRaid),
    ("md", SoftwareRaid),
    ("sr", Optical),
    ("scd", Optical),
    ("fd", Floppy),
    ("nbd", Network),
    ("rbd", Network),
    ("drbd", Network),
    ("zd", Layered),
    ("bcache", Layered),
    ("mtdblock", BootArea),
];

/// Why the device of this name is passed over; `None` for one that is a disk by its name.
pub(crate) fn by_name(name: &str) -> Option<PassedOverBecause> {
    if name.starts_with("mmcblk") && (name.contains("boot") || name.ends_with("rpmb")) {
        return Some(BootArea);
    }
    if name.starts_with("md_") {
        // Arrays may have names of their own.
        return Some(SoftwareRaid);
    }
    let is_numbered = |rest: &str| rest.starts_with(|letter: char| letter.is_ascii_digit());
    NAMES.iter().find(|(begin, _)| name.strip_prefix(begin).is_some_and(is_numbered)).map(|(_, because)| *because)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_told_from_the_others() {
        for name in ["sda", "sdaa", "nvme0n1", "vda", "xvda", "mmcblk0", "hda", "srx", "mdx", "dasda", "pmem0", "loops"]
        {
            assert_eq!(by_name(name), None, "{name}");
        }
        for (name, because) in [
            ("zram0", Zram),
            ("ram15", Memory),
            ("loop12", Loop),
            ("dm-0", DeviceMapper),
            ("md127", SoftwareRaid),
            ("md_d1", SoftwareRaid),
            ("md_root", SoftwareRaid),
            ("sr0", Optical),
            ("nbd3", Network),
            ("mmcblk0boot0", BootArea),
            ("zd16", Layered),
        ] {
            assert_eq!(by_name(name), Some(because), "{name}");
        }
    }
}
