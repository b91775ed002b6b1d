//! Which disks lie below a block device: below a partition, a volume of LVM, LUKS, a software RAID.

use std::collections::BTreeSet;
use std::path::Path;

use rustix::fs::{FileType, major, minor};

use super::root::Root;

/// Layers upon layers are few; a ring would be a fault of the kernel.
const LAYERS: u32 = 16;

/// The disks below the device with this node, in order; empty where nothing tells.
pub(super) fn disks(root: &Root, node: &Path) -> Vec<String> {
    let Ok(stat) = rustix::fs::stat(root.join(node).as_path()) else { return Vec::new() };
    if FileType::from_raw_mode(stat.st_mode) != FileType::BlockDevice {
        return Vec::new();
    }
    let number = format!("sys/dev/block/{}:{}", major(stat.st_rdev), minor(stat.st_rdev));
    let name = root.real(number).and_then(|real| real.file_name()?.to_str().map(str::to_owned));
    name.map(|name| below(root, &name)).unwrap_or_default()
}

/// The disks below the block device of this name, in order.
pub(super) fn below(root: &Root, name: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    collect(root, name, LAYERS, &mut found);
    found.into_iter().collect()
}

fn collect(root: &Root, name: &str, layers: u32, found: &mut BTreeSet<String>) {
    let directory = Path::new("sys/class/block").join(name);
    let Some(real) = root.real(&directory) else { return };
    if root.exists(directory.join("partition")) {
        let whole = real.parent().and_then(|parent| parent.file_name()?.to_str().map(str::to_owned));
        return whole.into_iter().filter(|_| layers > 0).for_each(|whole| collect(root, &whole, layers - 1, found));
    }
    let slaves = root.names(directory.join("slaves")).unwrap_or_default();
    if slaves.is_empty() || layers == 0 {
        found.insert(name.to_owned());
        return;
    }
    for slave in slaves {
        collect(root, &slave, layers - 1, found);
    }
}
