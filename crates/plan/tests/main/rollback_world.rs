//! Pools and machines as values, for the tests of rollbacks.

use std::path::{Path, PathBuf};

use subvault_model::ids::{ParentUuid, PoolUuid, SnapshotUuid, SubvolumeId};
use subvault_plan::rollback::boot::BootFiles;
use subvault_plan::rollback::path::PoolPath;
use subvault_plan::rollback::transaction::Step;
use subvault_plan::rollback::{Facts, Known, PoolFacts, Role, Source, Spot, Tree};

pub(crate) const POOL: &str = "0f3c1b9e-8a52-4c0d-9e8b-001122334455";

pub(crate) fn uuid(number: u8) -> SnapshotUuid {
    SnapshotUuid::from_bytes([number; 16]).unwrap()
}

pub(crate) fn path(text: &str) -> PoolPath {
    PoolPath::new(text)
}

/// The subvolume with this number, in the one that its path says.
pub(crate) fn known(number: u8, at: &str) -> Known {
    Known {
        id: SubvolumeId(256 + u64::from(number)),
        uuid: uuid(number),
        parent: None,
        replaced: Vec::new(),
        received: None,
        read_only: false,
        created: jiff::Timestamp::from_second(1_700_000_000 + i64::from(number)).unwrap(),
        path: path(at),
        outer: SubvolumeId::TOP,
    }
}

/// A read-only snapshot of the subvolume with the number `of`.
pub(crate) fn snapshot(number: u8, at: &str, of: u8) -> Known {
    Known { parent: ParentUuid::from_bytes([of; 16]), read_only: true, ..known(number, at) }
}

pub(crate) fn pool(subvolumes: Vec<Known>) -> PoolFacts {
    let mut pool = PoolFacts {
        uuid: POOL.parse::<PoolUuid>().unwrap(),
        label: b"disk".to_vec(),
        default: SubvolumeId::TOP,
        subvolumes,
    };
    settle(&mut pool);
    pool
}

/// What lies in what follows from the paths.
fn settle(pool: &mut PoolFacts) {
    let all: Vec<(SubvolumeId, PoolPath)> = pool.subvolumes.iter().map(|k| (k.id, k.path.clone())).collect();
    for known in &mut pool.subvolumes {
        let around = all.iter().filter(|(id, path)| *id != known.id && known.path.below(path).is_some());
        let nearest = around.max_by_key(|(_, path)| path.as_path().components().count());
        known.outer = nearest.map_or(SubvolumeId::TOP, |(id, _)| *id);
    }
}

/// A machine whose `@` would become what the first snapshot of it is.
pub(crate) fn machine(place: &str, fstab: &str, modules: &[&str], boot: BootFiles) -> Facts {
    let pool = pool(vec![known(1, place), snapshot(2, "snapshots/root.1", 1), known(3, "@home")]);
    Facts {
        subject: pool.subvolumes[0].clone(),
        source: Source { known: pool.subvolumes[1].clone(), itself: false },
        pool,
        role: Role::System,
        tree: Tree {
            fstab: Some(fstab.replace("POOL", &format!("UUID={POOL}")).into_bytes()),
            modules: modules.iter().map(|text| (*text).to_owned()).collect(),
            spots: std::collections::BTreeMap::new(),
        },
        fstab_here: None,
        cmdline: None,
        boot,
    }
}

/// Boot files, on a partition of their own where `outside` says so.
pub(crate) fn boot(outside: Option<&str>, files: &[(&str, &str)], images: &[(&str, &str)]) -> BootFiles {
    let mut found = BootFiles::default();
    for (file, text) in files {
        found.files.insert(PathBuf::from(file), text.replace("POOL", &format!("UUID={POOL}")).into_bytes());
    }
    for (file, version) in images {
        found.images.insert(PathBuf::from(file), image(version));
    }
    if let Some(base) = outside {
        found.outside.insert(PathBuf::from(base), Path::new("/").join(base));
    }
    found
}

/// A kernel image that says its version in its header; an empty one if it has none.
pub(crate) fn image(version: &str) -> Vec<u8> {
    if version.is_empty() {
        return Vec::new();
    }
    let mut image = vec![0; 0x400];
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
    image[0x300..0x300 + version.len()].copy_from_slice(version.as_bytes());
    image
}

/// Makes room for nested subvolumes in the snapshot.
pub(crate) fn with_nested(mut facts: Facts, nested: &[(Known, Spot)]) -> Facts {
    for (known, spot) in nested {
        facts.tree.spots.insert(known.path.below(&facts.subject.path).unwrap(), *spot);
        facts.pool.subvolumes.push(known.clone());
    }
    settle(&mut facts.pool);
    facts
}

/// Does a step, as the kernel would.
pub(crate) fn apply(pool: &mut PoolFacts, step: &Step) {
    match step {
        Step::TakeSnapshot { of, at, .. } => {
            assert!(pool.at(at.as_path()).is_none(), "{at} is there already");
            let number = u8::try_from(pool.subvolumes.len()).unwrap() + 100;
            let parent = ParentUuid::from_bytes(*of.as_bytes());
            pool.subvolumes.push(Known { parent, path: at.clone(), ..known(number, "x") });
        }
        Step::Exchange { place, aside } => {
            for known in &mut pool.subvolumes {
                if let Some(below) = known.path.below(place) {
                    known.path = aside.join(&below);
                } else if let Some(below) = known.path.below(aside) {
                    known.path = place.join(&below);
                }
            }
        }
        Step::Move { uuid, from, to, .. } | Step::KeepReverted { uuid, from, to } => {
            assert_eq!(pool.at(from.as_path()).map(|known| known.uuid), Some(*uuid), "{step}");
            assert!(pool.at(to.as_path()).is_none(), "{to} is taken");
            for known in &mut pool.subvolumes {
                if let Some(below) = known.path.below(from) {
                    known.path = to.join(&below);
                }
            }
            if matches!(step, Step::Move { read_only: true, .. }) {
                make_read_only(pool, *uuid);
            }
        }
        Step::MakeReadOnly { uuid, .. } => make_read_only(pool, *uuid),
        Step::SetDefault { at } => pool.default = pool.at(at.as_path()).unwrap().id,
        Step::Discard { at, uuid } => {
            assert_eq!(pool.at(at.as_path()).map(|known| known.uuid), Some(*uuid));
            assert_eq!(pool.inside(pool.at(at.as_path()).unwrap().id).count(), 0, "something is inside {at}");
            pool.subvolumes.retain(|known| known.uuid != *uuid);
        }
        Step::MendFstab { .. } | Step::MakeDirectories { .. } | Step::WriteEntry { .. } => {}
    }
    settle(pool);
}

fn make_read_only(pool: &mut PoolFacts, uuid: SnapshotUuid) {
    pool.subvolumes.iter_mut().filter(|known| known.uuid == uuid).for_each(|known| known.read_only = true);
}
