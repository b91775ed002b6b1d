//! What the boot loader would start: entries as the Boot Loader Specification has them, unified kernel images, and the
//! `linux` lines of a `grub.cfg`.
//!
//! Of `grub.cfg`, which is a program, only the arguments of its `linux` commands are read. It must never take an entry of
//! another system for one of this pool where the entry says otherwise.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use subvault_model::ids::SubvolumeId;

use super::fstab::{options, subvol_in, subvolid_in};
use super::path::PoolPath;
use super::{PoolFacts, kernel};

/// Where boot files may be, as directories of the system.
pub const BASES: [&str; 3] = ["boot", "efi", "boot/efi"];

/// The boot files that were found, by their paths in the system (`boot/loader/entries/arch.conf`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BootFiles {
    /// Configuration: entries, `loader.conf`, `grub.cfg`, `grubenv`.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    /// Kernel images, the first part of each.
    pub images: BTreeMap<PathBuf, Vec<u8>>,
    /// Which of `BASES` are outside the subvolume, and where they were read.
    pub outside: BTreeMap<PathBuf, PathBuf>,
    /// Which of `BASES` are outside the subvolume and could not be read.
    pub unseen: Vec<PathBuf>,
    /// The `grub.cfg` of what is replaced, where `/boot` lies inside of it.
    pub replaced_menu: Option<Vec<u8>>,
}

/// Which subvolume a command line has the kernel mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// By its path.
    Named(PoolPath),
    /// By its number.
    Numbered(SubvolumeId),
    /// The default one.
    Default,
}

/// Something that the boot loader offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file that says so.
    pub file: PathBuf,
    /// What it mounts.
    pub root: Root,
    /// The version of its kernel, if that could be told.
    pub version: Option<String>,
    /// Whether it is an entry of the Boot Loader Specification, which can be copied.
    pub is_text: bool,
}

/// Which subvolume a command line has the kernel mount.
#[must_use]
pub fn root_of(command_line: &[u8]) -> Root {
    let Some(flags) = argument(command_line, b"rootflags=") else { return Root::Default };
    let flags = options(flags);
    match (subvolid_in(&flags), subvol_in(&flags)) {
        (Some(id), _) => Root::Numbered(id),
        (None, Some(path)) => Root::Named(path),
        (None, None) => Root::Default,
    }
}

/// The last argument of this name, without quotes.
fn argument<'a>(command_line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let words = command_line.split(u8::is_ascii_whitespace);
    let found = words.filter_map(|word| word.strip_prefix(b"\"").unwrap_or(word).strip_prefix(name)).next_back()?;
    Some(found.strip_suffix(b"\"").unwrap_or(found))
}

/// Whether a command line may be for a system on this pool: what it says of the root does not speak against it.
fn may_be_of(command_line: &[u8], pool: &PoolFacts) -> bool {
    let Some(root) = argument(command_line, b"root=") else { return false };
    match (root.strip_prefix(b"UUID="), root.strip_prefix(b"LABEL=")) {
        (Some(uuid), _) => uuid.eq_ignore_ascii_case(pool.uuid.to_string().as_bytes()),
        (_, Some(label)) => label == pool.label,
        _ => true,
    }
}

/// The values of a key in an entry of the Boot Loader Specification.
pub fn values<'a>(text: &'a [u8], key: &'a str) -> impl Iterator<Item = &'a [u8]> {
    text.split(|byte| *byte == b'\n').filter_map(move |line| {
        let rest = line.trim_ascii_start().strip_prefix(key.as_bytes())?;
        rest.first().is_some_and(u8::is_ascii_whitespace).then(|| rest.trim_ascii())
    })
}

/// The kernel that an entry names, as a path in the system.
#[must_use]
pub fn kernel_of(file: &Path, text: &[u8]) -> Option<PathBuf> {
    let base = file.parent()?.parent()?.parent()?;
    let named = values(text, "linux").next()?;
    Some(base.join(PoolPath::new(Path::new(std::ffi::OsStr::from_bytes(named))).as_path()))
}

/// Whether it is an entry of the Boot Loader Specification.
#[must_use]
pub fn is_entry(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "conf")
        && path.parent().is_some_and(|dir| dir.ends_with("loader/entries"))
}

impl BootFiles {
    /// The entries for systems that may be on this pool.
    #[must_use]
    pub fn entries(&self, pool: &PoolFacts) -> Vec<Entry> {
        let mut found = Vec::new();
        for (file, text) in &self.files {
            if is_entry(file) {
                let line = values(text, "options").collect::<Vec<_>>().join(&b' ');
                self.add(&mut found, pool, file, &line, kernel_of(file, text).as_deref(), true);
            } else if file.file_name().is_some_and(|name| name == "grub.cfg") {
                for (kernel, line) in grub_lines(text) {
                    self.add(&mut found, pool, file, line, Some(kernel), false);
                }
            }
        }
        for (file, image) in &self.images {
            if let Some(line) = kernel::command_line(image) {
                self.add(&mut found, pool, file, &line, Some(file), false);
            }
        }
        found
    }

    fn add(
        &self,
        to: &mut Vec<Entry>,
        pool: &PoolFacts,
        file: &Path,
        line: &[u8],
        kernel: Option<&Path>,
        is_text: bool,
    ) {
        if !may_be_of(line, pool) {
            return;
        }
        let version = kernel.and_then(|path| self.version(path));
        to.push(Entry { file: file.to_owned(), root: root_of(line), version, is_text });
    }

    /// The version of the kernel that is meant by a path, which loaders write in ways of their own: by its last name.
    fn version(&self, path: &Path) -> Option<String> {
        let exact = self.images.get_key_value(path);
        let named = || self.images.iter().find(|(image, _)| image.file_name() == path.file_name());
        match exact.or_else(named) {
            Some((image, bytes)) => kernel::version(image, bytes),
            None => kernel::version(path, &[]),
        }
    }

    /// The versions of all images.
    #[must_use]
    pub fn versions(&self) -> Vec<Option<String>> {
        self.images.iter().map(|(path, bytes)| kernel::version(path, bytes)).collect()
    }

    /// The entry that is started when nobody chooses: the one that the loader is told to, else the one with the newest
    /// kernel, as loaders sort them.
    #[must_use]
    pub fn default_of<'a>(&self, entries: &'a [Entry]) -> Option<&'a Entry> {
        let told = entries.iter().find(|entry| self.is_told(&entry.file));
        told.or_else(|| entries.iter().max_by(|a, b| newer(a.version.as_deref(), b.version.as_deref())))
    }

    /// Whether the loader is told to start this entry.
    #[must_use]
    pub fn is_told(&self, file: &Path) -> bool {
        let Some(name) = file.file_name() else { return false };
        let stem = file.file_stem().unwrap_or(name);
        self.told().any(|pattern| is_like(pattern, name.as_bytes()) || is_like(pattern, stem.as_bytes()))
    }

    /// What the loader is told to start: patterns of names.
    fn told(&self) -> impl Iterator<Item = &[u8]> {
        self.files.iter().flat_map(|(file, text)| -> Vec<&[u8]> {
            match file.file_name().map(OsStrExt::as_bytes) {
                Some(b"loader.conf") => values(text, "default").filter(|told| !told.starts_with(b"@")).collect(),
                Some(b"grubenv") => {
                    let lines = text.split(|byte| *byte == b'\n');
                    lines.filter_map(|line| line.strip_prefix(b"saved_entry=")).filter(|id| !id.is_empty()).collect()
                }
                _ => Vec::new(),
            }
        })
    }
}

fn newer(one: Option<&str>, other: Option<&str>) -> Ordering {
    match (one, other) {
        // What is not known counts as the newest: it must not be passed over.
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(one), Some(other)) => kernel::compare(one, other),
    }
}

/// The `linux` commands of a `grub.cfg`: the kernel and its arguments.
fn grub_lines(text: &[u8]) -> impl Iterator<Item = (&Path, &[u8])> {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let line = line.trim_ascii();
        let end = line.iter().position(u8::is_ascii_whitespace)?;
        let (command, rest) = line.split_at(end);
        let rest = rest.trim_ascii_start();
        let is_linux = matches!(command, b"linux" | b"linux16" | b"linuxefi");
        let kernel = rest.split(u8::is_ascii_whitespace).next()?;
        is_linux.then(|| (Path::new(std::ffi::OsStr::from_bytes(kernel)), rest))
    })
}

/// Patterns with `*` and `?`.
fn is_like(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            is_like(rest, name) || name.split_first().is_some_and(|(_, left)| is_like(pattern, left))
        }
        (Some((b'?', rest)), Some((_, left))) => is_like(rest, left),
        (Some((one, rest)), Some((other, left))) => one == other && is_like(rest, left),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_say_what_is_mounted() {
        for (line, root) in [
            ("root=UUID=x rw rootflags=subvol=@", Root::Named(PoolPath::new("@"))),
            ("root=/dev/sda2 rootflags=rw,subvol=/root/x quiet\n", Root::Named(PoolPath::new("root/x"))),
            ("root=LABEL=x rootflags=subvolid=256,subvol=@", Root::Numbered(SubvolumeId(256))),
            ("root=UUID=x rootflags=noatime", Root::Default),
            ("root=UUID=x rootflags=subvol=a \"rootflags=subvol=b\"", Root::Named(PoolPath::new("b"))),
        ] {
            assert_eq!(root_of(line.as_bytes()), root, "{line}");
        }
    }

    #[test]
    fn patterns_of_the_loader() {
        for (pattern, name, like) in
            [("arch*", "arch.conf", true), ("*", "x", true), ("a?c", "abc", true), ("arch", "arch.conf", false)]
        {
            assert_eq!(is_like(pattern.as_bytes(), name.as_bytes()), like, "{pattern} {name}");
        }
    }
}
