//! How the disks of each kind of host are best divided: the tables that new hosts are made from (requirement P7). Pure.

use serde::Serialize;

use super::profile::Profile;
use super::workload::Workload;

/// How a host's disks are divided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layout {
    /// Its disks, the one that it starts from first.
    pub disks: Vec<LayoutDisk>,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayoutDisk {
    /// What it is for.
    pub role: &'static str,
    /// Its partitions, in order.
    pub partitions: Vec<Partition>,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Partition {
    /// The label of its filesystem.
    pub label: &'static str,
    /// How large, in the configuration's words; `None`: all that is left.
    pub size: Option<&'static str>,
    /// What is on it.
    pub filesystem: Filesystem,
    /// Where it is mounted; of a Btrfs, its subvolumes are.
    pub mount: Option<&'static str>,
    /// The subvolumes of a Btrfs.
    pub subvolumes: Vec<LayoutSubvolume>,
}

/// What a partition has on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Filesystem {
    /// The system partition of UEFI.
    Vfat,
    /// For `/boot`, and for room in between.
    Ext4,
    /// Windows'.
    Ntfs,
    /// Swap.
    Swap,
    /// A pool.
    Btrfs,
}

/// A subvolume of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LayoutSubvolume {
    /// What it is called in its pool.
    pub name: &'static str,
    /// Where it is mounted; `*` stands for the user's name. `None`: only within the pool.
    pub mount: Option<&'static str>,
    /// What it is for.
    pub workload: Workload,
    /// Whether it is only made where it is wanted, such as for a database that runs there.
    pub is_optional: bool,
}

const fn subvolume(name: &'static str, mount: &'static str, workload: Workload) -> LayoutSubvolume {
    LayoutSubvolume { name, mount: Some(mount), workload, is_optional: false }
}

const fn optional(name: &'static str, mount: &'static str, workload: Workload) -> LayoutSubvolume {
    LayoutSubvolume { name, mount: Some(mount), workload, is_optional: true }
}

const fn unmounted(name: &'static str, workload: Workload) -> LayoutSubvolume {
    LayoutSubvolume { name, mount: None, workload, is_optional: false }
}

const ROOT: LayoutSubvolume = subvolume("@", "/", Workload::System);
const HOME: LayoutSubvolume = subvolume("@home", "/home", Workload::User);
const NIX: LayoutSubvolume = subvolume("@nix", "/nix", Workload::PackageStore);
const LOG: LayoutSubvolume = subvolume("@log", "/var/log", Workload::Log);
const VAR_CACHE: LayoutSubvolume = subvolume("@var-cache", "/var/cache", Workload::Cache);
const TMP: LayoutSubvolume = subvolume("@tmp", "/tmp", Workload::Temporary);
const CONTAINERS: LayoutSubvolume = subvolume("@containers", "/var/lib/containers", Workload::Container);
const POSTGRESQL: &str = "/var/lib/postgresql";
const REDIS: &str = "/var/lib/redis";

const DUAL_FIRST: &[LayoutSubvolume] =
    &[ROOT, HOME, subvolume("@dev-projects", "/home/dev", Workload::Development), NIX];
const DUAL_SECOND: &[LayoutSubvolume] = &[
    CONTAINERS,
    subvolume("@cache", "/var/cache", Workload::Cache),
    subvolume("@podman-cache", "/var/cache/podman", Workload::Cache),
    subvolume("@snapshots", "/.snapshots", Workload::Archive),
    TMP,
    subvolume("@user-cache", "/home/*/.cache", Workload::Cache),
    optional("@postgresql", POSTGRESQL, Workload::Database),
    optional("@redis", REDIS, Workload::Database),
    optional("@backups", "/var/backup", Workload::Backup),
];
const SINGLE: &[LayoutSubvolume] = &[
    ROOT,
    HOME,
    NIX,
    CONTAINERS,
    subvolume("@backups", "/var/backup", Workload::Backup),
    optional("@postgresql", POSTGRESQL, Workload::Database),
    optional("@redis", REDIS, Workload::Database),
];
const SERVER: &[LayoutSubvolume] = &[
    ROOT,
    HOME,
    subvolume("@dev", "/home/dev", Workload::Development),
    subvolume("@config", "/home/*/.config", Workload::User),
    subvolume("@local", "/home/*/.local", Workload::User),
    subvolume("@user-cache", "/home/*/.cache", Workload::Cache),
    subvolume("@ai-tools", "/home/*/ai-tools", Workload::Development),
    NIX,
    LOG,
    VAR_CACHE,
    TMP,
    CONTAINERS,
];
const DATABASES: &[LayoutSubvolume] =
    &[subvolume("@postgresql", POSTGRESQL, Workload::Database), subvolume("@redis", REDIS, Workload::Database)];
const SWAP: LayoutSubvolume = subvolume("@swap", "/swap", Workload::Swap);
const DUAL_BOOT: &[LayoutSubvolume] = &[
    subvolume("@rootTW", "/", Workload::System),
    LayoutSubvolume { is_optional: true, ..unmounted("@rootF41", Workload::System) },
    LayoutSubvolume { is_optional: true, ..unmounted("@rootNobara", Workload::System) },
    HOME,
    subvolume("@snapshots", "/.snapshots", Workload::Archive),
    unmounted("meta", Workload::User),
];
const IMPERMANENT: &[LayoutSubvolume] = &[
    subvolume("nix", "/nix", Workload::PackageStore),
    subvolume("persist", "/persist", Workload::Application),
    subvolume("log", "/var/log", Workload::Log),
    subvolume("services", "/var/lib/services", Workload::Application),
    subvolume("caddy", "/var/lib/caddy", Workload::Application),
    subvolume("backup", "/var/backup", Workload::Backup),
    subvolume("containers", "/var/lib/containers", Workload::Container),
    subvolume("root", "/", Workload::System),
    subvolume("var-cache", "/var/cache", Workload::Cache),
    subvolume("var-tmp", "/var/tmp", Workload::Temporary),
    subvolume("snapshots", "/.snapshots", Workload::Archive),
    unmounted("old_roots", Workload::Archive),
];
const PROXMOX: &[LayoutSubvolume] = &[
    subvolume("data", "/srv/data/data", Workload::User),
    subvolume("root", "/srv/data/root", Workload::System),
    subvolume("home", "/srv/data/home", Workload::User),
];
const PLAIN: &[LayoutSubvolume] = &[ROOT, HOME, LOG, VAR_CACHE];

fn pool(label: &'static str, subvolumes: &[LayoutSubvolume]) -> Partition {
    Partition { label, size: None, filesystem: Filesystem::Btrfs, mount: None, subvolumes: subvolumes.to_vec() }
}

fn other(
    label: &'static str,
    size: Option<&'static str>,
    filesystem: Filesystem,
    mount: Option<&'static str>,
) -> Partition {
    Partition { label, size, filesystem, mount, subvolumes: Vec::new() }
}

/// The partition that a machine starts from.
fn esp() -> Partition {
    other("ESP", Some("512 MiB"), Filesystem::Vfat, Some("/boot"))
}

fn disk(role: &'static str, partitions: Vec<Partition>) -> LayoutDisk {
    LayoutDisk { role, partitions }
}

/// How the disks of such a host are best divided.
#[must_use]
pub fn of(profile: Profile) -> Layout {
    let one = |subvolumes: &[LayoutSubvolume]| vec![disk("system", vec![esp(), pool("system", subvolumes)])];
    let disks = match profile {
        Profile::DualNvmeLaptop => vec![
            disk("system", vec![esp(), pool("system", DUAL_FIRST)]),
            disk("containers and caches", vec![pool("second", DUAL_SECOND)]),
        ],
        Profile::SingleNvmeLaptop => one(SINGLE),
        Profile::ProductionVps => one(&[SERVER, DATABASES, &[SWAP]].concat()),
        Profile::StagingVps | Profile::UtilityVps => one(&[SERVER, &[SWAP]].concat()),
        Profile::DualBootDesktop => dual_boot(),
        Profile::ImpermanentServer => one(IMPERMANENT),
        Profile::ProxmoxHost => vec![disk("data", vec![pool("data", PROXMOX)])],
        Profile::Laptop | Profile::Desktop => one(PLAIN),
        Profile::Server | Profile::Vps => one(&[PLAIN, &[TMP, CONTAINERS]].concat()),
    };
    Layout { disks }
}

/// Windows on one disk, Linux on the other, a second system partition, and a USB disk for copies of both.
fn dual_boot() -> Vec<LayoutDisk> {
    vec![
        disk(
            "Linux",
            vec![
                other("ESP2", Some("512 MiB"), Filesystem::Vfat, Some("/boot/efi2")),
                other("boot", Some("1 GiB"), Filesystem::Ext4, Some("/boot")),
                other("swap", Some("64 GB"), Filesystem::Swap, None),
                pool("LINPOOL", DUAL_BOOT),
            ],
        ),
        disk(
            "Windows",
            vec![
                other("ESP", Some("512 MiB"), Filesystem::Vfat, Some("/boot/efi")),
                other("Windows", None, Filesystem::Ntfs, None),
            ],
        ),
        disk(
            "USB disk for copies",
            vec![
                other("WINBKUP", Some("1 TB"), Filesystem::Ntfs, None),
                other("CUSHION", Some("500 GB"), Filesystem::Ext4, None),
                pool("LINBKUP", &[]),
            ],
        ),
    ]
}

impl Layout {
    /// All subvolumes that are always made.
    pub fn subvolumes(&self) -> impl Iterator<Item = &LayoutSubvolume> {
        let partitions = self.disks.iter().flat_map(|disk| &disk.partitions);
        partitions.flat_map(|partition| &partition.subvolumes).filter(|subvolume| !subvolume.is_optional)
    }
}
