//! Btrfs filesystems of a host, their subvolumes, and who uses them.

use serde::{Deserialize, Serialize};

use crate::bytesize::ByteSize;
use crate::file_path::FilePath;
use crate::ids::PoolUuid;

/// A Btrfs filesystem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolFacts {
    /// Which one.
    pub uuid: PoolUuid,
    /// The disks that it lies on, by their names of the moment; those below LUKS and the like included.
    pub disks: Vec<String>,
    /// The sizes of its devices together.
    pub size: ByteSize,
    /// How much data it holds, each byte counted once.
    pub used: ByteSize,
    /// How much more data fits, about.
    pub free: ByteSize,
    /// What is not given to data or metadata yet.
    pub unallocated: ByteSize,
    /// How much more metadata fits into what is given to it.
    pub metadata_free: ByteSize,
    /// How data and metadata are laid out over the devices: `single`, `raid1`.
    pub data_profile: String,
    /// The same for metadata.
    pub metadata_profile: String,
    /// Options that hold for the whole filesystem, as the kernel shows them: `compress=zstd:3`.
    pub mount_options: Vec<String>,
    /// Its subvolumes; snapshots are counted and not listed.
    pub subvolumes: Vec<SubvolumeFacts>,
    /// How many snapshots are on it.
    pub snapshots: u64,
    /// How fast it fills, per day, where earlier runs noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth_per_day: Option<ByteSize>,
}

/// A subvolume that is no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubvolumeFacts {
    /// Where it is in its pool, from the top.
    pub path: FilePath,
    /// Where it is seen in the system, as an absolute path, the shortest of several; `None`: not mounted.
    pub seen_at: Option<FilePath>,
    /// Whether it is mounted itself, not only seen inside of another one.
    pub is_mounted: bool,
    /// Whether it lies inside of another one that is no mere container: that one's snapshots do not hold it.
    pub is_nested: bool,
    /// Whether new files in it are overwritten in place, without checksums (`chattr +C` on its top directory).
    pub is_nodatacow: bool,
    /// How new files in it are compressed whatever the mount says (`btrfs property`).
    pub compression: Option<InodeCompression>,
    /// Who uses it, as far as it shows.
    pub uses: Vec<Use>,
    /// How much it changes.
    pub change: Option<ChangeRate>,
}

/// Compression that is set on an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InodeCompression {
    /// zstd.
    Zstd,
    /// zlib.
    Zlib,
    /// lzo.
    Lzo,
    /// None.
    None,
}

/// A use of a subvolume that shows in what it contains or in what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// It is what the system runs from.
    Root,
    /// Home directories of people.
    Home,
    /// Data of PostgreSQL (`PG_VERSION`).
    PostgreSql,
    /// Data of MariaDB or MySQL (`ibdata1`).
    MariaDb,
    /// Data of Redis (`dump.rdb`, `appendonlydir`).
    Redis,
    /// Images, layers and volumes of containers.
    Containers,
    /// Disks of virtual machines.
    VirtualMachines,
    /// The store of a package manager (`/nix/store`).
    PackageStore,
    /// A swap file.
    SwapFile,
}

impl InodeCompression {
    /// As `btrfs property` calls it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Zlib => "zlib",
            Self::Lzo => "lzo",
            Self::None => "none",
        }
    }
}

impl Use {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Root => "the system",
            Self::Home => "home directories",
            Self::PostgreSql => "PostgreSQL",
            Self::MariaDb => "MariaDB or MySQL",
            Self::Redis => "Redis",
            Self::Containers => "containers",
            Self::VirtualMachines => "virtual machines",
            Self::PackageStore => "package store",
            Self::SwapFile => "swap file",
        }
    }
}

/// How much of a subvolume changed between two of its snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRate {
    /// How much a day, written anew or overwritten.
    pub per_day: ByteSize,
    /// Over how many hours that was measured.
    pub hours: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_nobody_noted_is_left_out() {
        let size = ByteSize::gib(1);
        let subvolume = SubvolumeFacts {
            path: FilePath::new(b"@\xff".as_slice()),
            seen_at: Some(FilePath::new("/srv")),
            is_mounted: true,
            is_nested: false,
            is_nodatacow: true,
            compression: Some(InodeCompression::None),
            uses: vec![Use::MariaDb, Use::SwapFile],
            change: Some(ChangeRate { per_day: size, hours: 7 }),
        };
        let pool = PoolFacts {
            uuid: PoolUuid::from_bytes([7; 16]).unwrap(),
            disks: vec!["sda".to_owned()],
            size,
            used: size,
            free: size,
            unallocated: size,
            metadata_free: size,
            data_profile: "single".to_owned(),
            metadata_profile: "dup".to_owned(),
            mount_options: vec![],
            subvolumes: vec![subvolume],
            snapshots: 3,
            growth_per_day: None,
        };
        let text = serde_json::to_string(&pool).unwrap();
        assert!(!text.contains("growth"), "{text}");
        assert_eq!(serde_json::from_str::<PoolFacts>(&text).unwrap(), pool);
        let growing = PoolFacts { growth_per_day: Some(size), ..pool };
        let text = serde_json::to_string(&growing).unwrap();
        assert_eq!(serde_json::from_str::<PoolFacts>(&text).unwrap(), growing);
    }
}
