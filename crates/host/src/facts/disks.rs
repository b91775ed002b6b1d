//! The block devices of the machine: those to plan for, and those that are none.

use subvault_model::facts::{Disk, PassedOver};

use super::block::{self, Kind};
use super::root::Root;

/// Looks at all block devices.
pub(super) fn look(root: &Root) -> (Vec<Disk>, Vec<PassedOver>) {
    let ids = ids(root);
    let (mut disks, mut passed_over) = (Vec::new(), Vec::new());
    for name in root.names("sys/block").unwrap_or_default() {
        match block::look(root, &name, &ids) {
            Kind::Disk(disk) => disks.push(disk),
            Kind::PassedOver(because) => passed_over.push(PassedOver { name, because }),
            Kind::Hidden => {}
        }
    }
    in_order(&mut disks, &mut passed_over);
    (disks, passed_over)
}

/// Brings them into the order that the kernel counts in: `sdb` before `sdaa`, `loop9` before `loop10`.
pub(crate) fn in_order(disks: &mut [Disk], passed_over: &mut [PassedOver]) {
    let key = |name: &str| (name.bytes().take(2).collect::<Vec<_>>(), name.len(), name.to_owned());
    disks.sort_by_key(|disk| key(&disk.name));
    passed_over.sort_by_key(|device| key(&device.name));
}

/// Lasting names, each with the device that it leads to.
fn ids(root: &Root) -> Vec<(String, String)> {
    const DIRECTORY: &str = "dev/disk/by-id";
    let names = root.names(DIRECTORY).unwrap_or_default().into_iter();
    names
        .filter_map(|id| {
            let device = root.link(format!("{DIRECTORY}/{id}"))?.into_string().ok()?;
            Some((id, device))
        })
        .collect()
}
