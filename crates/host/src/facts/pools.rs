//! The pools of which something is mounted: their room, and what lies on them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use jiff::Timestamp;
use subvault_model::facts::{PoolFacts, SubvolumeFacts};

use super::root::Root;
use super::{NotKnown, below, subvolumes};
use crate::error::{HostError, Result};
use crate::mounts::{Mount, Mounts};
use crate::pool::{Pool, Purpose, Space, SpacePart};

/// What was found out about all of them.
#[derive(Debug, Default)]
pub(super) struct Pools {
    pub(super) pools: Vec<PoolFacts>,
    pub(super) not_known: Vec<NotKnown>,
}

/// What lies on a pool.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) subvolumes: Vec<SubvolumeFacts>,
    pub(super) snapshots: u64,
    pub(super) not_known: Vec<NotKnown>,
}

/// Looks at the pools that are mounted, each once, in the order in which they were mounted.
pub(super) fn look(root: &Root, now: Timestamp) -> Pools {
    let mut found = Pools::default();
    let mounts = match Mounts::read() {
        Ok(mounts) => mounts,
        Err(error) => {
            found.not_known.push(NotKnown::new("which pools there are", &error));
            return found;
        }
    };
    let mut seen = BTreeSet::new();
    for mount in mounts.btrfs() {
        if !seen.insert(&mount.file_system) {
            continue;
        }
        match open(mount, &mounts).and_then(|pool| one(root, &pool, mount, &mounts, now)) {
            Ok((facts, not_known)) => {
                found.pools.push(facts);
                found.not_known.extend(not_known);
            }
            Err(error) => {
                let what = format!("the pool that is mounted at {}", mount.point.display());
                found.not_known.push(NotKnown::new(what, &error));
            }
        }
    }
    found
}

/// Opens the pool by the first of its mounts that shows it. Something else may be mounted over it, and a mount may be of a
/// file.
fn open(first: &Mount, mounts: &Mounts) -> Result<Pool> {
    let of_pool = mounts.btrfs().filter(|mount| mount.file_system == first.file_system);
    let mut trouble = None;
    for mount in of_pool {
        let is_shown = |pool: &Pool| {
            mounts.of_pool(pool, &mount.point).is_ok_and(|all| all.iter().any(|other| other.id == mount.id))
        };
        match Pool::containing(&mount.point) {
            Ok(pool) if is_shown(&pool) => return Ok(pool),
            Ok(_) => {}
            Err(error) => trouble = trouble.or(Some(error)),
        }
    }
    Err(trouble.unwrap_or_else(|| HostError::new("open the pool at", &first.point, rustix::io::Errno::NOENT)))
}

fn one(root: &Root, pool: &Pool, mount: &Mount, mounts: &Mounts, now: Timestamp) -> Result<(PoolFacts, Vec<NotKnown>)> {
    let space = pool.space()?;
    let mut disks = BTreeSet::new();
    for device in pool.devices()?.into_iter().filter_map(|device| device.path) {
        disks.extend(below::disks(root, &device));
    }
    let content = subvolumes::look(pool, mounts, now)?;
    let facts = PoolFacts {
        uuid: pool.uuid(),
        disks: disks.into_iter().collect(),
        size: space.size,
        used: space.data_used,
        free: space.data_free,
        unallocated: space.unallocated,
        metadata_free: space.metadata_free,
        data_profile: profile(&space, Purpose::Data),
        metadata_profile: profile(&space, Purpose::Metadata),
        mount_options: options(mount),
        subvolumes: content.subvolumes,
        snapshots: content.snapshots,
        growth_per_day: None,
    };
    Ok((facts, content.not_known))
}

/// How block groups of this purpose are laid out; while they are converted, in more than one way.
fn profile(space: &Space, purpose: Purpose) -> String {
    let parts = space.parts.iter().filter(|part| part.purpose == purpose || part.purpose == Purpose::Mixed);
    // An empty group may be left from when the pool was made.
    let (used, empty): (Vec<&SpacePart>, Vec<&SpacePart>) = parts.partition(|part| part.used.get() > 0);
    let counted = if used.is_empty() { empty } else { used };
    let names: BTreeSet<_> = counted.iter().map(|part| part.profile.name()).collect();
    names.into_iter().collect::<Vec<_>>().join("+")
}

/// What holds for the whole filesystem: all but what each mount has of its own.
fn options(mount: &Mount) -> Vec<String> {
    let all = mount.super_options.as_bytes();
    // The path of the subvolume is the last of them, and commas in it are not escaped.
    let end = all.windows(8).position(|part| part == b",subvol=").unwrap_or(all.len());
    let options = all[..end].split(|byte| *byte == b',').filter_map(|option| OsStr::from_bytes(option).to_str());
    let is_of_pool = |option: &&str| !matches!(*option, "" | "rw" | "ro") && !option.starts_with("subvolid=");
    options.filter(is_of_pool).map(str::to_owned).collect()
}

impl NotKnown {
    pub(super) fn new(what: impl Into<String>, why: &dyn std::error::Error) -> Self {
        let mut text = why.to_string();
        let mut cause = why.source();
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        Self { what: what.into(), why: text }
    }
}

#[cfg(test)]
mod tests {
    use subvault_model::bytesize::ByteSize;

    use super::*;
    use crate::pool::Profile;

    fn mount(options: &str) -> Mount {
        Mount {
            id: 1,
            file_system: "0:1".into(),
            root: "/".into(),
            point: "/".into(),
            options: "rw".into(),
            kind: "btrfs".into(),
            source: "/dev/x".into(),
            super_options: options.into(),
        }
    }

    #[test]
    fn options_of_a_single_mount_are_left_out() {
        for (all, kept) in [
            ("rw,compress=zstd:1,ssd,subvolid=256,subvol=/@,ssd", vec!["compress=zstd:1", "ssd"]),
            ("ro,space_cache=v2,subvolid=5,subvol=/", vec!["space_cache=v2"]),
            ("rw", vec![]),
        ] {
            assert_eq!(options(&mount(all)), kept, "{all}");
        }
    }

    #[test]
    fn profiles_are_those_in_use() {
        let part = |purpose, profile, used| SpacePart {
            purpose,
            profile,
            total: ByteSize::mib(8),
            used: ByteSize::bytes(used),
        };
        let space = |parts| Space {
            parts,
            size: ByteSize::ZERO,
            unallocated: ByteSize::ZERO,
            data_used: ByteSize::ZERO,
            data_free: ByteSize::ZERO,
            metadata_free: ByteSize::ZERO,
        };
        let old = space(vec![part(Purpose::Metadata, Profile::Single, 0), part(Purpose::Metadata, Profile::Dup, 9)]);
        assert_eq!(profile(&old, Purpose::Metadata), "dup");
        let converted = space(vec![part(Purpose::Data, Profile::Single, 1), part(Purpose::Data, Profile::Raid1, 9)]);
        assert_eq!(profile(&converted, Purpose::Data), "raid1+single");
        assert_eq!(profile(&space(vec![part(Purpose::Mixed, Profile::Single, 0)]), Purpose::Data), "single");
    }
}
