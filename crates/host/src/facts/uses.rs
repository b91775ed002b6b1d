//! Who uses a subvolume: told by where it is mounted and by a few names in its top directory.
//!
//! Invariant: names are looked up, files are never opened, and nothing outside of the subvolume's mount is looked at. The
//! number of look-ups is bounded, whatever lies there.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{IFlags, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use subvault_model::facts::{InodeCompression, Use};

use crate::subvolume::Subvolume;

/// So many names of a directory are looked at.
const NAMES: usize = 100;

/// Programs put these into what is theirs.
const SIGNS: [(Use, &str); 17] = [
    (Use::PostgreSql, "PG_VERSION"),
    (Use::PostgreSql, "data/PG_VERSION"),
    (Use::MariaDb, "ibdata1"),
    (Use::MariaDb, "data/ibdata1"),
    (Use::Redis, "dump.rdb"),
    (Use::Redis, "appendonlydir"),
    (Use::Containers, "overlay-containers"),
    (Use::Containers, "btrfs-containers"),
    (Use::Containers, "storage/overlay"),
    (Use::Containers, "storage/overlay-containers"),
    (Use::Containers, "storage/btrfs-containers"),
    (Use::Containers, "overlay2"),
    (Use::Containers, "btrfs/subvolumes"),
    (Use::Containers, "io.containerd.metadata.v1.bolt"),
    (Use::PackageStore, "store/.links"),
    (Use::PackageStore, ".links"),
    (Use::SwapFile, "swapfile"),
];

/// Below a directory of each major version, PostgreSQL has one of these.
const BELOW_A_VERSION: [&str; 3] = ["PG_VERSION", "main/PG_VERSION", "data/PG_VERSION"];

/// What is at one of these places or below belongs to them.
const PLACES: [(Use, &str); 21] = [
    (Use::Home, "/home"),
    (Use::Home, "/root"),
    (Use::PostgreSql, "/var/lib/postgresql"),
    (Use::PostgreSql, "/var/lib/postgres"),
    (Use::PostgreSql, "/var/lib/pgsql"),
    (Use::MariaDb, "/var/lib/mysql"),
    (Use::Redis, "/var/lib/redis"),
    (Use::Containers, "/var/lib/docker"),
    (Use::Containers, "/var/lib/containers"),
    (Use::Containers, "/var/lib/containerd"),
    (Use::Containers, "/var/lib/machines"),
    (Use::Containers, "/var/lib/lxc"),
    (Use::Containers, "/var/lib/lxd"),
    (Use::Containers, "/var/lib/incus"),
    (Use::VirtualMachines, "/var/lib/libvirt"),
    (Use::VirtualMachines, "/var/lib/vz/images"),
    (Use::PackageStore, "/nix"),
    (Use::PackageStore, "/gnu"),
    (Use::SwapFile, "/swap"),
    (Use::SwapFile, "/.swap"),
    (Use::SwapFile, "/var/swap"),
];

/// Who uses the subvolume that is seen at this place.
pub(super) fn look(subvolume: Option<&Subvolume>, seen_at: Option<&Path>) -> Vec<Use> {
    let mut found = BTreeSet::new();
    if let Some(place) = seen_at {
        found.extend((place == Path::new("/")).then_some(Use::Root));
        found.extend(PLACES.iter().filter(|(_, begin)| place.starts_with(begin)).map(|(by, _)| *by));
    }
    if let Some(subvolume) = subvolume {
        found.extend(SIGNS.iter().filter(|(_, name)| is_there(subvolume, name)).map(|(by, _)| *by));
        found.extend(has_versions(subvolume).then_some(Use::PostgreSql));
        found.extend(has_disks(subvolume).then_some(Use::VirtualMachines));
    }
    found.into_iter().collect()
}

/// Whether new files in it are overwritten in place.
pub(super) fn is_nodatacow(subvolume: &Subvolume) -> bool {
    rustix::fs::ioctl_getflags(subvolume).is_ok_and(|flags| flags.contains(IFlags::NOCOW))
}

/// How new files in it are compressed, where that is set on it.
pub(super) fn compression(subvolume: &Subvolume) -> Option<InodeCompression> {
    let mut value = [0; 16];
    let length = rustix::fs::fgetxattr(subvolume, "btrfs.compression", &mut value).ok()?;
    // A level may follow.
    match value.get(..length)?.split(|byte| *byte == b':').next()? {
        b"zstd" => Some(InodeCompression::Zstd),
        b"zlib" => Some(InodeCompression::Zlib),
        b"lzo" => Some(InodeCompression::Lzo),
        b"no" | b"none" => Some(InodeCompression::None),
        _ => None,
    }
}

fn has_versions(subvolume: &Subvolume) -> bool {
    let is_version = |name: &str| (1..=3).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_digit());
    let versions = names(subvolume, "").into_iter().filter_map(|name| String::from_utf8(name).ok());
    let mut versions = versions.filter(|name| is_version(name));
    versions.any(|version| BELOW_A_VERSION.iter().any(|below| is_there(subvolume, &format!("{version}/{below}"))))
}

fn has_disks(subvolume: &Subvolume) -> bool {
    ["", "images"].iter().any(|directory| names(subvolume, directory).iter().any(|name| name.ends_with(b".qcow2")))
}

/// Whether something has this name in the subvolume; links are not followed, and no other mount is entered.
fn is_there(subvolume: &Subvolume, name: &str) -> bool {
    open(subvolume, name, OFlags::PATH | OFlags::NOFOLLOW).is_ok()
}

/// The first names in a directory of the subvolume.
fn names(subvolume: &Subvolume, directory: &str) -> Vec<Vec<u8>> {
    let directory = if directory.is_empty() { "." } else { directory };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let opened = match open(subvolume, directory, flags | OFlags::NOATIME) {
        // Only its owner can look into it without a trace.
        Err(Errno::PERM) => open(subvolume, directory, flags),
        opened => opened,
    };
    let Ok(entries) = opened.and_then(rustix::fs::Dir::new) else { return Vec::new() };
    let entries = entries.map_while(Result::ok).take(NAMES + 2);
    entries.map(|entry| entry.file_name().to_bytes().to_vec()).collect()
}

fn open(subvolume: &Subvolume, name: &str, flags: OFlags) -> rustix::io::Result<std::os::fd::OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    rustix::fs::openat2(subvolume.as_fd(), name, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
}
