//! One block device, as the kernel's files tell it.

use std::path::{Path, PathBuf};

use subvault_model::bytesize::ByteSize;
use subvault_model::facts::PassedOverBecause::{self, Empty, KernelMade, Layered, Network};
use subvault_model::facts::{Disk, Transport};

use super::root::Root;
use super::{by_id, passed_over, transport};

/// `size` counts in these, whatever the disk's own blocks are.
const SECTOR: u64 = 512;

/// Filesystems of Windows, as udev calls them.
const OF_WINDOWS: [&str; 3] = ["ntfs", "BitLocker", "ReFS"];

/// What a block device is.
pub(super) enum Kind {
    Disk(Disk),
    PassedOver(PassedOverBecause),
    /// A path to a disk that has a name of its own.
    Hidden,
}

/// Looks at the block device of this name.
pub(super) fn look(root: &Root, name: &str, ids: &[(String, String)]) -> Kind {
    let directory = Path::new("sys/block").join(name);
    if root.flag(directory.join("hidden")) == Some(true) {
        return Kind::Hidden;
    }
    if let Some(because) = passed_over::by_name(name) {
        return Kind::PassedOver(because);
    }
    let real = root.real(&directory).unwrap_or_default();
    let size = ByteSize::bytes(root.number(directory.join("size")).unwrap_or(0).saturating_mul(SECTOR));
    let attached = transport::look(root, name, &real);
    let is_virtual = real.starts_with("sys/devices/virtual") && attached.transport == Transport::Other;
    let because = match () {
        () if attached.is_over_network => Some(Network),
        () if is_virtual && root.names(directory.join("slaves")).is_some_and(|names| !names.is_empty()) => {
            Some(Layered)
        }
        () if is_virtual => Some(KernelMade),
        () if size == ByteSize::ZERO => Some(Empty),
        () => None,
    };
    match because {
        Some(because) => Kind::PassedOver(because),
        None => Kind::Disk(disk(root, name, &directory, size, attached.transport, ids)),
    }
}

fn disk(
    root: &Root,
    name: &str,
    directory: &Path,
    size: ByteSize,
    transport: Transport,
    ids: &[(String, String)],
) -> Disk {
    let model = root.text(directory.join("device/model")).or_else(|| root.text(directory.join("device/name")));
    let names = ids.iter().filter(|(_, of)| of == name).map(|(id, _)| id.as_str());
    // Cards and soldered flash are attached alike.
    let is_card =
        transport == Transport::Mmc && root.text(directory.join("device/type")).is_some_and(|kind| kind == "SD");
    let is_removable = root.flag(directory.join("removable")) == Some(true);
    // A hypervisor that says nothing has its disks turn.
    let turns =
        root.flag(directory.join("queue/rotational")).filter(|turns| !*turns || transport != Transport::Virtual);
    Disk {
        name: name.to_owned(),
        id: by_id::best(names, model.as_deref()),
        model,
        size,
        transport,
        is_rotational: turns,
        is_removable: is_removable || is_card || transport == Transport::Usb,
        has_windows: has_windows(root, name, directory),
    }
}

/// Whether udev saw a filesystem of Windows on it or on one of its partitions.
fn has_windows(root: &Root, name: &str, directory: &Path) -> bool {
    let parts = root.names(directory).unwrap_or_default();
    let parts = parts.iter().filter(|part| part.starts_with(name)).map(|part| directory.join(part));
    let parts = parts.filter(|part| root.exists(part.join("partition")));
    let mut all = parts.chain([directory.to_owned()]);
    all.any(|device: PathBuf| {
        let number = root.text(device.join("dev"));
        let data = number.and_then(|number| root.text(format!("run/udev/data/b{number}"))).unwrap_or_default();
        let kind = data.lines().find_map(|line| line.strip_prefix("E:ID_FS_TYPE="));
        kind.is_some_and(|kind| OF_WINDOWS.contains(&kind))
    })
}
