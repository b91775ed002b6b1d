//! All subvolumes of a pool, however much of it is mounted.
//!
//! Invariant: what is listed is read from the pool's tree of trees, not from directories, so that
//! nothing hides below another mount. Numbers (`generation`, `ctransid`) are as of the last commit;
//! identities are current. What vanishes while the list is made is left out of it.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use subvault_model::ids::{ReceivedUuid, SnapshotUuid, SubvolumeId};

use super::Subvolume;
use super::info::{SubvolumeInfo, read_u16, read_u64};
use crate::error::{HostError, Result};
use crate::ioctl::{self, Key};
use crate::mounts::{Mounts, places_of};
use crate::pool::Pool;

const ROOT_TREE: u64 = 1;
const UUID_TREE: u64 = 9;
/// `BTRFS_FIRST_FREE_OBJECTID`, `BTRFS_LAST_FREE_OBJECTID`
const FIRST_FREE: u64 = 256;
const LAST_FREE: u64 = u64::MAX - 255;

const INODE_REF: u8 = 12;
const ROOT_ITEM: u8 = 132;
const ROOT_BACKREF: u8 = 144;
const UUID_SUBVOL: u8 = 251;
const UUID_RECEIVED: u8 = 252;

/// A subvolume and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSubvolume {
    /// What the kernel knows about it.
    pub info: SubvolumeInfo,
    /// Its path from the top level of the pool, without a slash at the front; empty for the top level.
    pub path: PathBuf,
}

impl Pool {
    /// Every subvolume of the pool, the top level first, by number.
    ///
    /// # Errors
    /// What the kernel says; `Permission` without `CAP_SYS_ADMIN`.
    pub fn subvolumes(&self) -> Result<Vec<ListedSubvolume>> {
        let mut paths = HashMap::new();
        let roots = self.roots(SubvolumeId::TOP.0, LAST_FREE)?;
        let mut listed = Vec::with_capacity(roots.len());
        for info in roots.values() {
            if let Some(path) = self.path_of(info, &roots, &mut paths)? {
                listed.push(ListedSubvolume { info: info.clone(), path });
            }
        }
        listed.sort_by_key(|entry| entry.info.id);
        Ok(listed)
    }

    /// The subvolumes inside this one, those inside those included, by number.
    ///
    /// # Errors
    /// As `subvolumes`.
    pub fn nested_in(&self, outer: SubvolumeId) -> Result<Vec<ListedSubvolume>> {
        let all = self.subvolumes()?;
        let parents: HashMap<_, _> = all.iter().map(|entry| (entry.info.id, entry.info.parent_id)).collect();
        let inside = |id: SubvolumeId| {
            let mut around = parents.get(&id).copied().flatten();
            while let Some(id) = around.filter(|id| *id != outer) {
                around = parents.get(&id).copied().flatten();
            }
            around.is_some()
        };
        Ok(all.iter().filter(|entry| inside(entry.info.id)).cloned().collect())
    }

    /// What is known about the subvolume with this number, `None` if there is none.
    ///
    /// # Errors
    /// As `subvolumes`.
    pub fn subvolume(&self, id: SubvolumeId) -> Result<Option<SubvolumeInfo>> {
        Ok(self.roots(id.0, id.0)?.remove(&id))
    }

    /// Whether nothing is left of the subvolume with this number: what is deleted goes piece by piece in the background.
    ///
    /// # Errors
    /// As `subvolumes`.
    pub fn is_cleaned(&self, id: SubvolumeId) -> Result<bool> {
        let from = Key { objectid: id.0, kind: ROOT_ITEM, offset: 0 };
        let to = Key { offset: u64::MAX, ..from };
        let mut is_there = false;
        self.search(ROOT_TREE, from, to, |key, _| is_there |= key.objectid == id.0 && key.kind == ROOT_ITEM)?;
        Ok(!is_there)
    }

    /// The subvolume with this uuid.
    ///
    /// # Errors
    /// As `subvolumes`.
    pub fn find_by_uuid(&self, uuid: SnapshotUuid) -> Result<Option<SubvolumeInfo>> {
        let found = self.find(*uuid.as_bytes(), UUID_SUBVOL)?;
        Ok(found.into_iter().find(|info| info.uuid == Some(uuid)))
    }

    /// The subvolumes that were received from what has this uuid, and read-only snapshots of them.
    ///
    /// # Errors
    /// As `subvolumes`.
    pub fn find_by_received_uuid(&self, uuid: ReceivedUuid) -> Result<Vec<SubvolumeInfo>> {
        let mut found = self.find(*uuid.as_bytes(), UUID_RECEIVED)?;
        found.retain(|info| info.received_uuid == Some(uuid));
        Ok(found)
    }

    /// An open handle on the subvolume with this number, at a path where some mount shows it.
    ///
    /// Every candidate is opened and asked for its pool and number, so that a mount on top of
    /// another, or a name used twice, cannot pass off something else. `None` if no mount shows it.
    ///
    /// # Errors
    /// As `subvolumes`.
    pub fn reach(&self, id: SubvolumeId, mounts: &Mounts) -> Result<Option<Subvolume>> {
        let all = self.roots(SubvolumeId::TOP.0, LAST_FREE)?;
        let Some(info) = all.get(&id) else { return Ok(None) };
        let Some(path) = self.path_of(info, &all, &mut HashMap::new())? else { return Ok(None) };
        self.reach_listed(&ListedSubvolume { info: info.clone(), path }, mounts)
    }

    /// The same for one that was listed, without listing again.
    ///
    /// # Errors
    /// When the mounts of the pool are not to be found.
    pub fn reach_listed(&self, listed: &ListedSubvolume, mounts: &Mounts) -> Result<Option<Subvolume>> {
        let places = places_of(&mounts.of_pool(self.as_fd(), self.path())?, &listed.path);
        Ok(places.into_iter().find_map(|place| {
            let found = Subvolume::open(place).ok().filter(|found| found.id() == listed.info.id)?;
            (found.pool().ok()?.uuid() == self.uuid()).then_some(found)
        }))
    }

    /// The absolute path at which `reach` finds the subvolume.
    ///
    /// # Errors
    /// As `subvolumes`.
    pub fn path_under_mount(&self, id: SubvolumeId, mounts: &Mounts) -> Result<Option<PathBuf>> {
        Ok(self.reach(id, mounts)?.map(|found| found.path().to_owned()))
    }

    /// Root items and where they hang, for subvolumes numbered `first..=last`.
    fn roots(&self, first: u64, last: u64) -> Result<HashMap<SubvolumeId, SubvolumeInfo>> {
        let mut roots = HashMap::new();
        let from = Key { objectid: first, kind: ROOT_ITEM, offset: 0 };
        let to = Key { objectid: last, kind: ROOT_BACKREF, offset: u64::MAX };
        self.search(ROOT_TREE, from, to, |key, item| {
            let id = SubvolumeId(key.objectid);
            match key.kind {
                ROOT_ITEM if id == SubvolumeId::TOP || key.objectid >= FIRST_FREE => {
                    roots.extend(SubvolumeInfo::from_root_item(key.objectid, item).map(|info| (id, info)));
                }
                ROOT_BACKREF => {
                    if let (Some(info), Some((directory, name))) = (roots.get_mut(&id), read_backref(item)) {
                        info.parent_id = Some(SubvolumeId(key.offset));
                        info.directory = directory;
                        info.name = name;
                    }
                }
                _ => {}
            }
        })?;
        // A subvolume without a place is one that is being deleted.
        roots.retain(|id, info| *id == SubvolumeId::TOP || info.parent_id.is_some());
        Ok(roots)
    }

    fn find(&self, uuid: [u8; 16], kind: u8) -> Result<Vec<SubvolumeInfo>> {
        let [objectid, offset] = [0, 8].map(|at| read_u64(&uuid, at).unwrap_or(0));
        let key = Key { objectid, kind, offset };
        let mut ids = Vec::new();
        self.search(UUID_TREE, key, key, |_, item| {
            ids.extend(item.chunks_exact(8).filter_map(|id| read_u64(id, 0)));
        })?;
        ids.into_iter().filter_map(|id| self.subvolume(SubvolumeId(id)).transpose()).collect()
    }

    /// The path from the top level; `None` when something on the way was deleted meanwhile.
    fn path_of(
        &self,
        info: &SubvolumeInfo,
        roots: &HashMap<SubvolumeId, SubvolumeInfo>,
        directories: &mut HashMap<(SubvolumeId, u64), Option<PathBuf>>,
    ) -> Result<Option<PathBuf>> {
        let mut parts = Vec::new();
        let mut at = info;
        while let Some(parent) = at.parent_id {
            let place = (parent, at.directory);
            let directory = match directories.get(&place) {
                Some(known) => known.clone(),
                None => {
                    let found = self.directory_path(parent, at.directory)?;
                    directories.entry(place).or_insert(found).clone()
                }
            };
            let (Some(directory), Some(outer)) = (directory, roots.get(&parent)) else {
                return Ok(None);
            };
            parts.push(directory.join(&at.name));
            at = outer;
        }
        Ok((at.id == SubvolumeId::TOP).then(|| parts.iter().rev().collect()))
    }

    /// A directory's path inside its subvolume, `None` if it is gone.
    fn directory_path(&self, tree: SubvolumeId, inode: u64) -> Result<Option<PathBuf>> {
        match ioctl::inode_path(self.as_fd(), tree.0, inode) {
            Ok(path) => Ok(Some(OsString::from_vec(path).into())),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::NAMETOOLONG) => self.long_directory_path(tree.0, inode),
            Err(error) => Err(self.unlisted(error)),
        }
    }

    /// The same, name by name, for a path that is too long for the kernel to say at once.
    fn long_directory_path(&self, tree: u64, mut inode: u64) -> Result<Option<PathBuf>> {
        let mut names = Vec::new();
        while inode != FIRST_FREE {
            let mut found = None;
            let from = Key { objectid: inode, kind: INODE_REF, offset: 0 };
            let to = Key { offset: u64::MAX, ..from };
            self.search(tree, from, to, |key, item| {
                found = read_u16(item, 8)
                    .and_then(|len| item.get(10..10 + usize::from(len)))
                    .map(|name| (key.offset, OsStr::from_bytes(name).to_owned()));
            })?;
            let Some((parent, name)) = found else { return Ok(None) };
            names.push(name);
            inode = parent;
        }
        Ok(Some(names.iter().rev().map(Path::new).collect()))
    }

    fn search(&self, tree: u64, from: Key, to: Key, visit: impl FnMut(Key, &[u8])) -> Result<()> {
        ioctl::search(self.as_fd(), tree, from, to, visit).map_err(|error| self.unlisted(error))
    }

    fn unlisted(&self, error: Errno) -> HostError {
        let wrapped = HostError::new("list the subvolumes of", self.path(), error);
        match error {
            Errno::PERM => wrapped.with_hint("only root (CAP_SYS_ADMIN) may"),
            _ => wrapped,
        }
    }
}

/// `struct btrfs_root_ref`: the directory that a subvolume lies in, and its name there.
fn read_backref(item: &[u8]) -> Option<(u64, OsString)> {
    let name = item.get(18..18 + usize::from(read_u16(item, 16)?))?;
    Some((read_u64(item, 0)?, OsStr::from_bytes(name).to_owned()))
}
