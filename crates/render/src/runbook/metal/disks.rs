//! How the disks of a host are divided, so that what its fstab and its boot entries name is there again: every new
//! filesystem gets the identity of the one that it replaces. Where nothing is known, the layout of its profile counts.

use std::path::{Path, PathBuf};

use subvault_model::bytesize::ByteSize;
use subvault_model::facts::{Disk, PoolFacts};
use subvault_model::ids::PoolUuid;
use subvault_plan::rollback::fstab::Line;
use subvault_plan::strategy::layout::{self, Filesystem, Layout};

use crate::runbook::host::Host;

/// The disks, the one that the host starts from first.
pub(super) struct Metal {
    pub(super) disks: Vec<MetalDisk>,
    pub(super) pools: Vec<MetalPool>,
}

/// A disk.
pub(super) struct MetalDisk {
    /// Its name of the moment.
    pub(super) name: String,
    /// What is known of it.
    pub(super) size: Option<ByteSize>,
    /// Whether Windows is on it too.
    pub(super) has_windows: bool,
    /// Its partitions, in order.
    pub(super) partitions: Vec<Partition>,
}

/// A partition.
pub(super) struct Partition {
    pub(super) content: Content,
    /// All that is left, if not said.
    pub(super) size: Option<ByteSize>,
    pub(super) identity: Identity,
    /// Where it is mounted.
    pub(super) point: Option<PathBuf>,
}

/// What is on a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// The system partition of UEFI.
    Esp,
    /// Where GRUB is on a machine without UEFI.
    BiosBoot,
    /// For `/boot`.
    Ext4,
    /// Swap.
    Swap,
    /// A pool, by its number.
    Pool(usize),
}

/// How the fstab recognises it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identity {
    /// By the uuid of its filesystem.
    Uuid(String),
    /// By its label.
    Label(String),
    /// By the uuid of the partition.
    PartUuid(String),
    /// By nothing that a new one could be given.
    Unknown,
}

/// A pool.
pub(super) struct MetalPool {
    /// `None`: it may have any.
    pub(super) uuid: Option<PoolUuid>,
    pub(super) label: Option<String>,
    /// How data and metadata are laid out over several devices.
    pub(super) profiles: Option<(String, String)>,
}

impl Metal {
    /// What is known of the host, or what its profile asks for.
    pub(super) fn of(host: &Host<'_>, layout: &Layout) -> Self {
        let pools = built_in(host);
        if pools.is_empty() { from_layout(layout) } else { from_facts(host, &pools, layout) }
    }

    /// The partitions of a pool: the number of the disk and of the partition, both from 1.
    pub(super) fn devices(&self, pool: usize) -> Vec<(usize, usize)> {
        let numbered = self.disks.iter().enumerate();
        let of_disk = |(disk, partitions): (usize, &MetalDisk)| {
            let numbered: Vec<_> = partitions.partitions.iter().enumerate().collect();
            let here = numbered.into_iter().filter(|(_, partition)| partition.content == Content::Pool(pool));
            here.map(|(number, _)| (disk + 1, number + 1)).collect::<Vec<_>>()
        };
        numbered.flat_map(of_disk).collect()
    }
}

/// The pools that the host itself is on, the root's first.
fn built_in<'a>(host: &Host<'a>) -> Vec<&'a PoolFacts> {
    let facts = &host.runbook.facts;
    let is_away = |name: &String| facts.disks.iter().any(|disk: &Disk| disk.name == *name && !disk.is_built_in());
    let mut pools: Vec<&PoolFacts> =
        facts.pools.iter().filter(|pool| !pool.disks.is_empty() && !pool.disks.iter().any(is_away)).collect();
    let root = host.subvolumes.iter().find(|subvolume| subvolume.is_root()).and_then(|root| root.place());
    pools.sort_by_key(|pool| root.as_ref().is_none_or(|root| root.pool != pool.uuid));
    pools
}

fn from_facts(host: &Host<'_>, pools: &[&PoolFacts], layout: &Layout) -> Metal {
    let mut disks: Vec<MetalDisk> = Vec::new();
    for (number, pool) in pools.iter().enumerate() {
        for name in &pool.disks {
            let index = disks.iter().position(|disk| disk.name == *name).unwrap_or(disks.len());
            if index == disks.len() {
                let known = host.runbook.facts.disks.iter().find(|disk| disk.name == *name);
                disks.push(MetalDisk {
                    name: name.clone(),
                    size: known.map(|disk| disk.size),
                    has_windows: known.is_some_and(|disk| disk.has_windows),
                    partitions: if index == 0 { boot_partitions(host, layout) } else { Vec::new() },
                });
            }
            let identity = Identity::Uuid(pool.uuid.to_string());
            disks[index].partitions.push(Partition {
                content: Content::Pool(number),
                size: None,
                identity,
                point: None,
            });
        }
    }
    let pools = pools.iter().map(|pool| MetalPool {
        uuid: Some(pool.uuid),
        label: host.fstab.iter().filter(|line| line.kind == b"btrfs").find_map(|line| label(&line.source)),
        profiles: (pool.disks.len() > 1).then(|| (pool.data_profile.clone(), pool.metadata_profile.clone())),
    });
    Metal { disks, pools: pools.collect() }
}

/// What the fstab mounts for booting, and swap; without one, what the layout has for it.
fn boot_partitions(host: &Host<'_>, layout: &Layout) -> Vec<Partition> {
    let has_uefi = host.runbook.facts.machine.has_uefi != Some(false);
    let mut partitions = Vec::new();
    if !has_uefi {
        let size = Some(ByteSize::mib(1));
        partitions.push(Partition { content: Content::BiosBoot, size, identity: Identity::Unknown, point: None });
    }
    if host.fstab.is_empty() {
        let first = layout.disks.iter().flat_map(|disk| &disk.partitions).filter(|p| p.filesystem != Filesystem::Btrfs);
        let of_linux = first
            .filter(|partition| partition.mount.is_some() && (has_uefi || partition.filesystem != Filesystem::Vfat));
        partitions.extend(of_linux.take(1).filter_map(|partition| of_layout(partition, 0)));
        return partitions;
    }
    partitions.extend(host.fstab.iter().filter_map(|line| of_line(line, layout)));
    partitions
}

/// The partition that a line mounts, if it is one for booting or for swap.
fn of_line(line: &Line, layout: &Layout) -> Option<Partition> {
    let is_boot = line.point.starts_with("/boot") || line.point == Path::new("/efi");
    let (content, filesystem, usual) = match line.kind.as_slice() {
        b"vfat" if is_boot => (Content::Esp, Filesystem::Vfat, ByteSize::mib(512)),
        b"ext4" | b"ext3" | b"ext2" if is_boot => (Content::Ext4, Filesystem::Ext4, ByteSize::gib(1)),
        b"swap" if !line.source.starts_with(b"/") => (Content::Swap, Filesystem::Swap, ByteSize::gib(8)),
        _ => return None,
    };
    let partitions = layout.disks.iter().flat_map(|disk| &disk.partitions);
    let size = partitions.filter(|p| p.filesystem == filesystem).find_map(|partition| size(partition.size));
    let point = (content != Content::Swap).then(|| line.point.clone());
    Some(Partition { content, size: size.or(Some(usual)), identity: Identity::of(&line.source), point })
}

fn from_layout(layout: &Layout) -> Metal {
    let (mut disks, mut pools) = (Vec::new(), Vec::new());
    for disk in &layout.disks {
        let is_ours = disk.partitions.iter().any(|partition| !partition.subvolumes.is_empty());
        if !is_ours {
            continue;
        }
        let mut partitions = Vec::new();
        for partition in &disk.partitions {
            partitions.extend(of_layout(partition, pools.len()));
            if partition.filesystem == Filesystem::Btrfs {
                pools.push(MetalPool { uuid: None, label: Some(partition.label.to_owned()), profiles: None });
            }
        }
        // Which disk it will be nobody knows yet.
        let name = format!("nvme{}n1", disks.len());
        disks.push(MetalDisk { name, size: None, has_windows: false, partitions });
    }
    Metal { disks, pools }
}

/// A partition as a layout has it; `pool` is the number of the pool that comes next.
fn of_layout(partition: &layout::Partition, pool: usize) -> Option<Partition> {
    let content = match partition.filesystem {
        Filesystem::Vfat => Content::Esp,
        Filesystem::Ext4 => Content::Ext4,
        Filesystem::Swap => Content::Swap,
        Filesystem::Btrfs => Content::Pool(pool),
        Filesystem::Ntfs => return None,
    };
    let identity = Identity::Label(partition.label.to_owned());
    Some(Partition { content, size: size(partition.size), identity, point: partition.mount.map(PathBuf::from) })
}

fn size(words: Option<&str>) -> Option<ByteSize> {
    words.and_then(|words| words.parse().ok())
}

fn label(source: &[u8]) -> Option<String> {
    match Identity::of(source) {
        Identity::Label(label) => Some(label),
        _ => None,
    }
}

impl Identity {
    /// As the first word of a line in an fstab names it.
    pub(super) fn of(source: &[u8]) -> Self {
        let Ok(text) = std::str::from_utf8(source) else { return Self::Unknown };
        let named = |begin: [&str; 2]| {
            begin.iter().find_map(|begin| text.strip_prefix(begin)).map(|rest| rest.trim_matches('"').to_owned())
        };
        let kinds = [
            (["UUID=", "/dev/disk/by-uuid/"], Self::Uuid as fn(String) -> Self),
            (["LABEL=", "/dev/disk/by-label/"], Self::Label),
            (["PARTUUID=", "/dev/disk/by-partuuid/"], Self::PartUuid),
        ];
        kinds.into_iter().find_map(|(begin, kind)| named(begin).map(kind)).unwrap_or(Self::Unknown)
    }
}
