//! What is mounted where, read from `/proc/self/mountinfo` as bytes.
//!
//! Invariant: a value is the table as it was at one moment; whoever acts on it checks what he opens.
//! It must never mount anything, and never take a name for UTF-8.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxFlags};
use subvault_model::ids::SubvolumeId;

use crate::error::{HostError, HostErrorKind, Result};
use crate::subvolume::Subvolume;

const TABLE: &str = "/proc/self/mountinfo";

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The kernel's number of it.
    pub id: u64,
    /// The kernel's number of the file system (`major:minor`), the same for every mount of a pool.
    pub file_system: OsString,
    /// What of the file system is mounted, as a path from its top level.
    pub root: PathBuf,
    /// Where.
    pub point: PathBuf,
    /// The mount's own options.
    pub options: OsString,
    /// The kind of file system.
    pub kind: OsString,
    /// The device, mostly.
    pub source: OsString,
    /// The file system's options.
    pub super_options: OsString,
}

impl Mount {
    /// Whether it is Btrfs.
    #[must_use]
    pub fn is_btrfs(&self) -> bool {
        self.kind == "btrfs"
    }

    /// Whether nothing can be written through it.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        [&self.options, &self.super_options]
            .iter()
            .any(|options| options.as_bytes().split(|byte| *byte == b',').any(|one| one == b"ro"))
    }

    /// Whether the file system compresses what is written to it, unless a file says otherwise.
    #[must_use]
    pub fn is_compressing(&self) -> bool {
        let mut options = self.super_options.as_bytes().split(|byte| *byte == b',');
        options.any(|option| option.starts_with(b"compress"))
    }

    /// The number of the subvolume that `root` is or lies in.
    #[must_use]
    pub fn subvolume_id(&self) -> Option<SubvolumeId> {
        let id = self.super_option(b"subvolid=")?;
        let digits = id.split(|byte| *byte == b',').next()?;
        std::str::from_utf8(digits).ok()?.parse().ok().map(SubvolumeId)
    }

    /// The path from the top level of the subvolume that `root` is or lies in.
    #[must_use]
    pub fn subvolume_path(&self) -> Option<&Path> {
        // The last option, and commas in it are not escaped: all of the rest is the path.
        self.super_option(b"subvol=").map(|path| Path::new(OsStr::from_bytes(path)))
    }

    fn super_option(&self, name: &[u8]) -> Option<&[u8]> {
        let options = self.super_options.as_bytes();
        let starts = |at: usize| at == 0 || options[at - 1] == b',';
        let at = (0..options.len()).find(|at| starts(*at) && options[*at..].starts_with(name))?;
        Some(&options[at + name.len()..])
    }

    /// Where this mount shows what lies at `path` from the top level, if it does.
    fn place_of(&self, path: &Path) -> Option<PathBuf> {
        let inside = Path::new("/").join(path);
        let rest = inside.strip_prefix(&self.root).ok()?;
        Some(if rest.as_os_str().is_empty() { self.point.clone() } else { self.point.join(rest) })
    }

    /// `36 35 0:40 /root /point rw,noatime master:1 - btrfs /dev/sda rw,subvolid=5,subvol=/`
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ');
        let mut text = || fields.next().map(unescape);
        let id = text()?;
        let _parent = text()?;
        let (file_system, root, point, options) = (text()?, text()?, text()?, text()?);
        while text()? != "-" {}
        Some(Self {
            id: id.to_str()?.parse().ok()?,
            file_system,
            root: root.into(),
            point: point.into(),
            options,
            kind: text()?,
            source: text()?,
            super_options: text()?,
        })
    }
}

/// The table of mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounts(Vec<Mount>);

impl Mounts {
    /// Reads the table of this process's name space.
    ///
    /// # Errors
    /// When `/proc` is not there or says nonsense.
    pub fn read() -> Result<Self> {
        let table = std::fs::read(TABLE).map_err(|e| HostError::new("read", TABLE, e))?;
        Self::parse(&table)
            .ok_or_else(|| HostError::because("understand", TABLE, HostErrorKind::Other, "a line has too few fields"))
    }

    fn parse(table: &[u8]) -> Option<Self> {
        let lines = table.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(Mount::parse).collect::<Option<Vec<_>>>().map(Self)
    }

    /// All mounts, older ones first.
    #[must_use]
    pub fn all(&self) -> &[Mount] {
        &self.0
    }

    /// The mounts of Btrfs.
    pub fn btrfs(&self) -> impl Iterator<Item = &Mount> {
        self.0.iter().filter(|mount| mount.is_btrfs())
    }

    /// The mount that `path` is seen through now.
    ///
    /// # Errors
    /// When `path` cannot be looked at, or its mount is not in the table (made later, or of another
    /// name space).
    pub fn containing(&self, path: &Path) -> Result<&Mount> {
        self.by_id(mount_id(CWD, path.as_os_str(), path)?, path)
    }

    /// The mounts of the pool that `fd` is on.
    ///
    /// # Errors
    /// As `containing`; `path` is for its text.
    pub fn of_pool(&self, fd: impl AsFd, path: &Path) -> Result<Vec<&Mount>> {
        let through = self.by_id(mount_id(fd, OsStr::new(""), path)?, path)?;
        Ok(self.0.iter().filter(|mount| mount.file_system == through.file_system).collect())
    }

    /// A mount of this very subvolume or of a directory in it.
    ///
    /// # Errors
    /// As `containing`.
    pub fn of_subvolume(&self, subvolume: &Subvolume) -> Result<Option<&Mount>> {
        let id = Some(subvolume.id());
        let mounts = self.of_pool(subvolume, subvolume.path())?;
        Ok(mounts.into_iter().find(|mount| mount.subvolume_id() == id))
    }

    fn by_id(&self, id: u64, path: &Path) -> Result<&Mount> {
        self.0.iter().find(|mount| mount.id == id).ok_or_else(|| {
            let hint = "the table of mounts does not have it";
            HostError::because("find the mount of", path, HostErrorKind::NotFound, hint)
        })
    }
}

/// The absolute paths at which these mounts show what lies at `path` from the top level, those first
/// that can be written through.
pub(crate) fn places_of(mounts: &[&Mount], path: &Path) -> Vec<PathBuf> {
    let mut places: Vec<_> =
        mounts.iter().filter_map(|mount| Some((mount.is_read_only(), mount.place_of(path)?))).collect();
    places.sort_by_key(|(read_only, _)| *read_only);
    places.into_iter().map(|(_, place)| place).collect()
}

fn mount_id(dir: impl AsFd, name: &OsStr, path: &Path) -> Result<u64> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT;
    rustix::fs::statx(dir, name, flags, StatxFlags::MNT_ID)
        .map(|stat| stat.stx_mnt_id)
        .map_err(|error| HostError::new("find the mount of", path, error))
}

/// Undoes `\040` and the like.
fn unescape(field: &[u8]) -> OsString {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let octal = (first == b'\\')
            .then(|| after.get(..3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        out.push(octal.unwrap_or(first));
        rest = if octal.is_some() { &after[3..] } else { after };
    }
    OsString::from_vec(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &[u8] = b"27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n\
        43 27 0:39 /@a\\040b /mnt/x\\011y\xff rw,relatime shared:1 master:2 - btrfs /dev/loop0 rw,commit=1,subvolid=256,subvol=/@a\\040b,subvol=c\n\
        44 27 0:39 / /top ro,relatime - btrfs /dev/loop0 rw,subvolid=5,subvol=/\n";

    #[test]
    fn fields_are_bytes_and_escapes_are_undone() {
        let mounts = Mounts::parse(LINES).unwrap();
        let mount = mounts.btrfs().next().unwrap();
        assert_eq!(mount.point.as_os_str().as_bytes(), b"/mnt/x\ty\xff");
        assert_eq!(mount.root, Path::new("/@a b"));
        assert_eq!(mount.subvolume_id(), Some(SubvolumeId(256)));
        assert_eq!(mount.subvolume_path(), Some(Path::new("/@a b,subvol=c")));
        assert_eq!(mount.source, "/dev/loop0");
        assert!(!mount.is_read_only());
        assert!(mounts.all()[2].is_read_only());
        assert_eq!(mounts.all()[0].subvolume_id(), None);
    }

    #[test]
    fn places_are_below_the_mounts_that_show_them() {
        let mounts = Mounts::parse(LINES).unwrap();
        let all: Vec<_> = mounts.btrfs().collect();
        let places = places_of(&all, Path::new("@a b/in"));
        assert_eq!(places[0].as_os_str().as_bytes(), b"/mnt/x\ty\xff/in");
        assert_eq!(places[1], Path::new("/top/@a b/in"));
        assert_eq!(places_of(&all, Path::new("@a")), [Path::new("/top/@a")]);
        assert_eq!(places_of(&all, Path::new("")), [Path::new("/top")]);
    }

    #[test]
    fn a_short_line_is_refused() {
        assert!(Mounts::parse(b"27 1 254:0 / / rw\n").is_none());
    }
}
