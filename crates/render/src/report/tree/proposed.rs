//! The layout that a profile proposes.

use subvault_plan::strategy::layout::{self, Filesystem, LayoutSubvolume, Partition};
use subvault_plan::strategy::profile::Profile;
use subvault_plan::strategy::tier::of_workload;

use super::{Kind, Node};

/// Its disks.
pub(super) fn roots(profile: Profile) -> Vec<Node> {
    let partition = |partition: &Partition| {
        let is_pool = partition.filesystem == Filesystem::Btrfs;
        let kind = if is_pool { Kind::Pool } else { Kind::Partition };
        let mut node = Node::new(kind, partition.label);
        let size = partition.size.unwrap_or("all that is left");
        node.details.push(format!("{}, {size}", filesystem(partition.filesystem)));
        node.details.extend(partition.mount.map(str::to_owned));
        node.children.extend(partition.subvolumes.iter().map(|found| subvolume(found, profile)));
        node
    };
    let disk = |disk: layout::LayoutDisk| {
        let mut node = Node::new(Kind::Disk, disk.role);
        node.details.push("a disk".to_owned());
        node.children.extend(disk.partitions.iter().map(partition));
        node
    };
    layout::of(profile).disks.into_iter().map(disk).collect()
}

fn subvolume(found: &LayoutSubvolume, profile: Profile) -> Node {
    let mut node = Node::new(Kind::Subvolume, found.name);
    node.details.push(found.mount.unwrap_or("not mounted").to_owned());
    node.tier = Some(of_workload(found.workload, profile).value);
    node.is_faint = found.is_optional;
    node
}

const fn filesystem(filesystem: Filesystem) -> &'static str {
    match filesystem {
        Filesystem::Vfat => "FAT",
        Filesystem::Ext4 => "ext4",
        Filesystem::Ntfs => "NTFS",
        Filesystem::Swap => "swap",
        Filesystem::Btrfs => "Btrfs",
    }
}
