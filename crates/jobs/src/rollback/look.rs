//! Gathers what a rollback depends on: the pool, the tree that would come in, this system.
//!
//! It must only look. What cannot be read is an error or is handed on as not seen, never taken for empty.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use subvault_host::HostErrorKind;
use subvault_host::inside::{Found, Inside};
use subvault_host::mounts::Mounts;
use subvault_host::subvolume::{ListedSubvolume, Subvolume};
use subvault_host::top_level::{Access, TopLevel};
use subvault_model::ids::SubvolumeId;
use subvault_plan::rollback::boot::BASES;
use subvault_plan::rollback::path::PoolPath;
use subvault_plan::rollback::transaction::Transaction;
use subvault_plan::rollback::{Facts, Known, PoolFacts, Role, Source, Spot, Tree, fstab, replaced_from};

use super::act::FSTAB_MAX;
use super::{Session, boot_files};
use crate::error::JobError;
use crate::note;

/// The pool that a subvolume of this system is on, and where the subvolume is in it.
pub(super) fn find(path: &Path, access: Access) -> Result<(TopLevel, PoolPath), JobError> {
    let subvolume = Subvolume::open(path)?;
    if subvolume.id() == SubvolumeId::TOP {
        return Err(JobError::Refused {
            what: format!("{} is the top level of its pool, which nothing can take the place of", path.display()),
            hint: "restore single files, or move the system into a subvolume first".to_owned(),
        });
    }
    let found = subvolume.pool()?;
    let listed = found.subvolumes()?.into_iter().find(|listed| listed.info.id == subvolume.id());
    let listed = listed.ok_or_else(|| JobError::Stale(format!("the subvolume {}", path.display())))?;
    Ok((TopLevel::of_pool(&found, access)?, PoolPath::new(listed.path)))
}

/// The pool as it is now.
pub(super) fn pool(top: &TopLevel) -> Result<PoolFacts, JobError> {
    use std::os::unix::ffi::OsStrExt;
    let pool = top.pool()?;
    let subvolumes = pool.subvolumes()?.iter().filter_map(|listed| known(top, listed)).collect();
    let label = pool.label()?.as_bytes().to_vec();
    Ok(PoolFacts { uuid: pool.uuid(), label, default: pool.default_subvolume()?, subvolumes })
}

/// What has no uuid, as a very old kernel made it, cannot be told from anything else, and is left out.
/// Of a snapshot in which something was forgotten it counts when and of what it was taken.
fn known(top: &TopLevel, listed: &ListedSubvolume) -> Option<Known> {
    let info = &listed.info;
    let remade = Some(()).filter(|()| info.read_only).and_then(|()| note::remade(&top.join(&listed.path)));
    Some(Known {
        id: info.id,
        uuid: info.uuid?,
        parent: remade.as_ref().and_then(|remade| remade.parent).or(info.parent_uuid),
        received: info.received_uuid,
        read_only: info.read_only,
        created: remade.as_ref().map_or(info.created, |remade| remade.created),
        replaced: remade.map(|remade| remade.replaced).unwrap_or_default(),
        path: PoolPath::new(&listed.path),
        outer: info.parent_id?,
    })
}

pub(super) fn facts(session: &Session, source: Source) -> Result<Facts, JobError> {
    let subject = session.subject()?.clone();
    let incoming = Inside::open(&session.top.join(source.known.path.as_path()))?;
    let tree = tree(&incoming, session, &subject)?;
    let is_running = is_running(session)?;
    let role = role(&tree, is_running);
    let here = if session.is_here || is_running { Some(Inside::open(Path::new("/"))?) } else { None };
    let fstab_here = match &here {
        Some(here) => here.read(Path::new("etc/fstab"), FSTAB_MAX)?,
        None => None,
    };
    let cmdline = match (&here, is_running) {
        (Some(here), true) => here.read(Path::new("proc/cmdline"), FSTAB_MAX)?,
        _ => None,
    };
    let boot = match role {
        Role::Data => subvault_plan::rollback::boot::BootFiles::default(),
        _ => boot_files::gather(
            &session.top,
            (&session.pool, &subject),
            &incoming,
            &tree,
            is_running,
            session.boot.as_deref(),
        )?,
    };
    Ok(Facts { pool: session.pool.clone(), subject, source, role, tree, fstab_here, cmdline, boot })
}

/// A container's root has no kernel and mounts no root of its own.
fn role(tree: &Tree, is_running: bool) -> Role {
    let mounts_root =
        || tree.fstab.as_deref().is_some_and(|text| fstab::parse(text).iter().any(|l| l.point == Path::new("/")));
    match is_running {
        true => Role::RunningSystem,
        false if mounts_root() || !tree.modules.is_empty() => Role::System,
        false => Role::Data,
    }
}

/// Whether the root of the running system is in the place, or was there when it was mounted.
fn is_running(session: &Session) -> Result<bool, JobError> {
    let root = match Subvolume::open("/") {
        Ok(root) => root,
        Err(error) if matches!(error.kind(), HostErrorKind::NotBtrfs | HostErrorKind::NotASubvolume) => {
            return Ok(false);
        }
        Err(error) => return Err(error.into()),
    };
    if root.pool()?.uuid() != session.pool.uuid {
        return Ok(false);
    }
    let known = session.pool.subvolumes.iter().find(|known| known.id == root.id());
    let at = known.map(|known| known.path.as_path());
    let is_aside = at.and_then(replaced_from).is_some_and(|(of, _)| of == session.place.as_path());
    Ok(is_aside || at == Some(session.place.as_path()))
}

/// The directories that a boot entry may be below: the one that was named, and this system's own where it is what is rolled
/// back. A pool of another machine says nothing about the files of this one.
pub(super) fn boot_directories(session: &Session) -> Result<Vec<PathBuf>, JobError> {
    let mut found: Vec<PathBuf> = session.boot.iter().cloned().collect();
    if is_running(session)? {
        for point in BASES.map(|base| Path::new("/").join(base)) {
            if is_mounted(&point)? {
                found.push(point);
            }
        }
    }
    Ok(found)
}

fn tree(incoming: &Inside, session: &Session, subject: &Known) -> Result<Tree, JobError> {
    let mut spots = BTreeMap::new();
    for nested in session.pool.inside(subject.id) {
        let Some(below) = nested.path.below(&subject.path) else { continue };
        let spot = match incoming.find_at(below.as_path())? {
            Found::Nothing | Found::EmptyDirectory => Spot::Free,
            Found::NoDirectory if is_free(incoming, below.as_path())? => Spot::NoDirectory,
            Found::NoDirectory | Found::Something => Spot::Taken,
        };
        spots.insert(below, spot);
    }
    Ok(Tree { fstab: incoming.read(Path::new("etc/fstab"), FSTAB_MAX)?, modules: modules(incoming)?, spots })
}

/// Whether nothing but directories is on the way to a path.
fn is_free(incoming: &Inside, path: &Path) -> Result<bool, JobError> {
    for way in path.ancestors().skip(1) {
        match incoming.find_at(way)? {
            Found::NoDirectory => {}
            Found::Nothing => return Ok(true),
            Found::EmptyDirectory | Found::Something => return Ok(false),
        }
    }
    Ok(true)
}

/// The kernels that the tree has modules for.
fn modules(incoming: &Inside) -> Result<BTreeSet<String>, JobError> {
    let mut found = BTreeSet::new();
    for base in ["lib/modules", "usr/lib/modules"].map(Path::new) {
        for name in incoming.names(base)? {
            let Some(version) = name.to_str() else { continue };
            // Without its index no module is found.
            if incoming.find_at(&base.join(version).join("modules.dep"))? == Found::Something {
                found.insert(version.to_owned());
            }
        }
    }
    Ok(found)
}

/// Mounts that show what was replaced until they are made anew.
pub(super) fn stale_mounts(top: &TopLevel, transaction: &Transaction) -> Result<Vec<PathBuf>, JobError> {
    let aside = match top.subvolume(transaction.aside.as_path()) {
        Ok(aside) => aside,
        // Taken back: there is nothing aside.
        Err(error) if error.kind() == HostErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    Ok(top.mounts_of(aside.id())?)
}

/// Whether something is mounted at this place of the running system.
pub(super) fn is_mounted(point: &Path) -> Result<bool, JobError> {
    Ok(Mounts::read()?.all().iter().any(|mount| mount.point == point))
}
