//! Which of a disk's lasting names is told: the one that people recognise.

/// The best of the names that a disk has below `/dev/disk/by-id`.
pub(crate) fn best<'a>(names: impl Iterator<Item = &'a str>, model: Option<&str>) -> Option<String> {
    // As udev writes it in names.
    let model: Option<String> = model.map(|model| model.split_whitespace().collect::<Vec<_>>().join("_"));
    let has_model = |name: &str| model.as_ref().is_some_and(|model| !model.is_empty() && name.contains(model.as_str()));
    let is_of_partition = |name: &str| {
        let end = name.rsplit_once("-part").map(|(_, number)| number);
        end.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    names
        .filter(|name| !is_of_partition(name))
        .min_by_key(|name| (!has_model(name), is_number(name), name.len(), *name))
        .map(str::to_owned)
}

/// Whether it is a number that nobody knows a disk by.
fn is_number(name: &str) -> bool {
    let numbers = ["wwn-", "nvme-eui.", "nvme-uuid.", "nvme-nvme.", "dm-", "md-", "lvm-"];
    let scsi = name
        .strip_prefix("scsi-")
        .is_some_and(|rest| rest.len() > 8 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    scsi || numbers.iter().any(|begin| name.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_people_know_is_told() {
        let table: &[(&[&str], Option<&str>, Option<&str>)] = &[
            (
                &["nvme-eui.0025385", "nvme-Samsung_SSD_990_PRO_2TB_S7X_1", "nvme-Samsung_SSD_990_PRO_2TB_S7X"],
                Some("Samsung SSD 990 PRO 2TB"),
                Some("nvme-Samsung_SSD_990_PRO_2TB_S7X"),
            ),
            (&["wwn-0x5002538", "ata-ST4000_Z1"], None, Some("ata-ST4000_Z1")),
            (&["ata-ST4000_Z1-part1", "ata-ST4000_Z1"], Some("ST4000"), Some("ata-ST4000_Z1")),
            (
                &["wwn-0x5000c500", "scsi-35000c5008f", "scsi-SSEAGATE_ST600_S0"],
                Some("ST600"),
                Some("scsi-SSEAGATE_ST600_S0"),
            ),
            (&["wwn-0x5002538"], Some("x"), Some("wwn-0x5002538")),
            (&["scsi-0QEMU_QEMU_HARDDISK_1"], Some("QEMU HARDDISK"), Some("scsi-0QEMU_QEMU_HARDDISK_1")),
            (&["virtio-data-party", "virtio-data-part2"], None, Some("virtio-data-party")),
            (&[], Some("x"), None),
        ];
        for (names, model, expected) in table {
            assert_eq!(best(names.iter().copied(), *model).as_deref(), *expected, "{names:?}");
        }
    }
}
