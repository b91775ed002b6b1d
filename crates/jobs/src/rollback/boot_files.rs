//! Gathers what the boot loader would find, wherever it is: in the tree that comes in, on a boot partition of this system,
//! in a subvolume of the pool, or where `--boot` says.
//!
//! It must only look, and only at files whose names and sizes are as loaders have them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use subvault_host::inside::Inside;
use subvault_host::top_level::TopLevel;
use subvault_plan::rollback::boot::{BASES, BootFiles, is_entry, kernel_of};
use subvault_plan::rollback::{Known, PoolFacts, Tree, fstab};

use super::look::is_mounted;
use crate::error::JobError;

/// Larger than any configuration of a loader.
const TEXT_MAX: u64 = 4 << 20;
/// Enough of a kernel image to tell its version.
const IMAGE_MAX: u64 = 1 << 20;

pub(super) fn gather(
    top: &TopLevel,
    (pool, subject): (&PoolFacts, &Known),
    incoming: &Inside,
    tree: &Tree,
    is_running: bool,
    boot: Option<&Path>,
) -> Result<BootFiles, JobError> {
    let mut found = BootFiles::default();
    let mut boot = boot;
    let lines = tree.fstab.as_deref().map(fstab::parse).unwrap_or_default();
    for base in BASES.map(Path::new) {
        let point = Path::new("/").join(base);
        let line = lines.iter().find(|line| line.point == point);
        let mounted = is_running && is_mounted(&point)?;
        let in_pool = line.filter(|line| line.may_be_of(pool)).and_then(|line| line.subvol());
        let given = if line.is_some() || mounted { boot.take() } else { None };
        if let Some(directory) = given.map(Path::to_owned).or_else(|| mounted.then_some(point)) {
            read(&mut found, &Inside::open(&directory)?, Path::new(""), base)?;
            found.outside.insert(base.to_owned(), directory);
        } else if let Some(subvolume) = in_pool.filter(|path| pool.at(path.as_path()).is_some()) {
            read(&mut found, &Inside::open(&top.join(subvolume.as_path()))?, Path::new(""), base)?;
        } else if let Some(nested) = pool.at(&subject.path.as_path().join(base)) {
            // It goes with the place.
            read(&mut found, &Inside::open(&top.join(nested.path.as_path()))?, Path::new(""), base)?;
        } else if line.is_some() {
            found.unseen.push(base.to_owned());
        } else {
            read(&mut found, incoming, base, base)?;
            if base == Path::new("boot") {
                let outgoing = Inside::open(&top.join(subject.path.as_path()))?;
                for menu in ["boot/grub/grub.cfg", "boot/grub2/grub.cfg"] {
                    let text = outgoing.read(Path::new(menu), TEXT_MAX)?;
                    found.replaced_menu = found.replaced_menu.or(text);
                }
            }
        }
    }
    Ok(found)
}

/// Reads the boot files in the directory `at`, under the names that they have below `base`.
fn read(into: &mut BootFiles, inside: &Inside, at: &Path, base: &Path) -> Result<(), JobError> {
    const NAMES: [&str; 7] = [
        "loader/loader.conf",
        "grub/grub.cfg",
        "grub2/grub.cfg",
        "grub/grubenv",
        "grub2/grubenv",
        "grub/custom.cfg",
        "grub2/custom.cfg",
    ];
    for name in NAMES {
        if let Some(text) = inside.read(&at.join(name), TEXT_MAX)? {
            into.files.insert(base.join(name), text);
        }
    }
    let mut images: Vec<PathBuf> = Vec::new();
    let entries = Path::new("loader/entries");
    for name in inside.names(&at.join(entries))? {
        let file = entries.join(name);
        if !is_entry(&file) {
            continue;
        }
        if let Some(text) = inside.read(&at.join(&file), TEXT_MAX)? {
            images.extend(kernel_of(&file, &text));
            into.files.insert(base.join(file), text);
        }
    }
    let is_kernel = |name: &OsStr| {
        let name = name.as_encoded_bytes();
        [b"vmlinuz".as_slice(), b"vmlinux", b"bzImage", b"kernel-", b"linux"]
            .iter()
            .any(|begin| name.starts_with(begin))
    };
    images.extend(inside.names(at)?.into_iter().filter(|name| is_kernel(name)).map(PathBuf::from));
    let unified = Path::new("EFI/Linux");
    images.extend(inside.names(&at.join(unified))?.into_iter().map(|name| unified.join(name)));
    for image in images {
        if let Some(bytes) = inside.read(&at.join(&image), IMAGE_MAX)? {
            into.images.insert(base.join(image), bytes);
        }
    }
    Ok(())
}
