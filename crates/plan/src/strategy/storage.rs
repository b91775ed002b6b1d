//! How each subvolume is to be stored: compressed how, overwritten in place or not; and which setting makes that true.
//!
//! On Btrfs, `compress`, `nodatacow`, `discard` and their like hold for a whole filesystem: the first mount decides for
//! all its subvolumes (btrfs(5)). So a subvolume's own wish is carried by attributes of its top directory, which new files
//! inherit; the level of compression cannot be. Of what is per mount, only flags such as `noatime` are. (Ruling 1.) Pure.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::decision::Decision;
use super::profile::{Family, Profile};
use super::workload::Workload;

/// What a host is tuned for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Nothing in particular.
    #[default]
    Balanced,
    /// Databases and containers: rather fast than small.
    IoOptimized,
    /// Little room: rather small than fast.
    SpaceOptimized,
}

/// A word that is no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no performance mode; there are balanced, io-optimized and space-optimized")]
pub struct BadMode(String);

/// How files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    Off,
    /// With zstd of this level.
    Zstd(u8),
}

/// How a subvolume is to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Intent {
    /// How its files are compressed.
    pub compression: Compression,
    /// Whether a change is written elsewhere, with a checksum; if not, it is written in place, without one.
    pub is_cow: bool,
}

/// What makes an intent true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// An option of the filesystem, which all its subvolumes share.
    FilesystemOption(String),
    /// `chattr +C` on its top directory while that is empty.
    NoCowAttribute,
    /// `btrfs property set … compression` on its top directory.
    CompressionProperty(&'static str),
}

/// How a subvolume is to be stored, by what it is used for.
#[must_use]
pub fn intent(workload: Workload, profile: Profile, mode: Mode) -> Decision<Intent> {
    let (compression, is_cow, because) = usual(workload, profile);
    let compression = match (compression, mode) {
        (Compression::Zstd(level), Mode::IoOptimized) => Compression::Zstd(if level > 1 { 2 } else { 1 }),
        (Compression::Zstd(_), Mode::SpaceOptimized) => Compression::Zstd(3),
        (compression, _) => compression,
    };
    let because = match mode {
        Mode::Balanced => because.to_owned(),
        _ => format!("{because}; the mode is {mode}"),
    };
    Decision::new(Intent { compression, is_cow }, because)
}

fn usual(workload: Workload, profile: Profile) -> (Compression, bool, &'static str) {
    use Compression::{Off, Zstd};
    let on_impermanent = profile == Profile::ImpermanentServer;
    match workload {
        Workload::System => (Zstd(3), true, "the files of a system compress well"),
        Workload::User => (Zstd(3), true, "people's files compress well, and snapshots of them are wanted"),
        Workload::Development if profile == Profile::DualNvmeLaptop => {
            (Zstd(3), false, "builds on this kind of laptop are to be fast")
        }
        Workload::Development => (Zstd(3), true, "source code compresses to a third or less"),
        Workload::PackageStore => (Zstd(1), true, "packages are written once and read often"),
        Workload::Database => (Off, false, "a database rewrites blocks of its files and has checksums of its own"),
        Workload::Application => (Zstd(3), true, "data of services compresses well"),
        Workload::Container if on_impermanent => (Zstd(1), false, "containers write much"),
        Workload::Container => (Off, false, "containers write much, and images are compressed already"),
        Workload::VirtualMachine => (Off, false, "guests rewrite blocks of their disks"),
        Workload::Log => (Zstd(3), true, "logs compress to a fifth or less"),
        Workload::Cache if on_impermanent => (Zstd(3), true, "caches of services compress well"),
        Workload::Cache => (Zstd(1), true, "what is rewritten often is compressed lightly"),
        Workload::Temporary if on_impermanent => (Zstd(1), false, "what does not last is not worth much work"),
        Workload::Temporary => (Off, false, "what does not last is not worth the work"),
        Workload::Swap => (Off, false, "a swap file must not be copied on write (swapon(8))"),
        Workload::Backup | Workload::Archive => (Zstd(3), true, "it is written once and kept long"),
    }
}

/// An option that holds for a whole filesystem.
pub type FilesystemOption = Decision<String>;

/// The options of a filesystem on which subvolumes of these intents live.
#[must_use]
pub fn filesystem_options(intents: &[Intent], profile: Profile, is_rotational: bool) -> Vec<FilesystemOption> {
    let mut options = Vec::new();
    if let Some(level) = common_level(intents) {
        let because = "what most of its subvolumes are to have; the level holds for the whole filesystem";
        options.push(Decision::new(format!("compress=zstd:{level}"), because));
    }
    options.push(Decision::new("space_cache=v2".to_owned(), "free space is found quickly, also on large filesystems"));
    if !is_rotational {
        options.push(Decision::new("discard=async".to_owned(), "the disk learns what is free, without waiting for it"));
    }
    if matches!(profile, Profile::DualNvmeLaptop | Profile::SingleNvmeLaptop) {
        options.push(Decision::new("ssd".to_owned(), "its disks are NVMe"));
        let because = "small writes are gathered; what it moves is no longer shared with snapshots";
        options.push(Decision::new("autodefrag".to_owned(), because));
    }
    options
}

/// The level that most are to have; of several the highest.
fn common_level(intents: &[Intent]) -> Option<u8> {
    let wanted = |level: u8| intents.iter().filter(|i| i.is_cow && i.compression == Compression::Zstd(level)).count();
    (1..=15).filter(|level| wanted(*level) > 0).max_by_key(|level| (wanted(*level), *level))
}

/// The flags of each mount: all that can differ between subvolumes of one filesystem.
#[must_use]
pub const fn mount_flags(workload: Workload) -> &'static [&'static str] {
    match workload {
        Workload::Temporary => &["noatime", "nodev", "nosuid"],
        _ => &["noatime"],
    }
}

/// What makes an intent true on a filesystem with these options.
#[must_use]
pub fn means(intent: Intent, options: &[FilesystemOption]) -> Vec<Means> {
    let compress = options.iter().map(|option| &option.value).find(|option| option.starts_with("compress="));
    match (intent.is_cow, intent.compression, compress) {
        // Without copy on write nothing is compressed either.
        (false, _, _) => vec![Means::NoCowAttribute],
        (true, Compression::Zstd(_), Some(option)) => vec![Means::FilesystemOption(option.clone())],
        (true, Compression::Zstd(_), None) => vec![Means::CompressionProperty("zstd")],
        (true, Compression::Off, Some(_)) => vec![Means::CompressionProperty("none")],
        (true, Compression::Off, None) => Vec::new(),
    }
}

/// What is given up or cannot be had, in sentences.
#[must_use]
pub fn caveats(intent: Intent, options: &[FilesystemOption]) -> Vec<String> {
    let mut caveats = Vec::new();
    if !intent.is_cow {
        caveats.push("without copy on write there are no checksums: what the disk corrupts is not noticed".to_owned());
        caveats.push("after each snapshot, every block that is rewritten is copied once all the same".to_owned());
        if intent.compression != Compression::Off {
            caveats.push("what is not copied on write is not compressed either".to_owned());
        }
    }
    let common = options.iter().find_map(|option| option.value.strip_prefix("compress=zstd:")?.parse::<u8>().ok());
    if let (true, Compression::Zstd(wanted), Some(common)) = (intent.is_cow, intent.compression, common)
        && wanted != common
    {
        caveats
            .push(format!("level {wanted} is meant, and the filesystem compresses all its files with level {common}"));
    }
    caveats
}

/// A parameter of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sysctl {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: &'static str,
    /// What for, and what it costs.
    pub because: &'static str,
}

const fn sysctl(name: &'static str, value: &'static str, because: &'static str) -> Sysctl {
    Sysctl { name, value, because }
}

const IO: [Sysctl; 4] = [
    sysctl("vm.vfs_cache_pressure", "50", "names and inodes stay in memory longer"),
    sysctl("vm.dirty_ratio", "80", "writes are gathered in memory; a power cut loses more of what was not synced"),
    sysctl("vm.dirty_background_ratio", "15", "writing begins in the background before that"),
    sysctl("vm.swappiness", "1", "programs are swapped out only when there is no other way"),
];
const GENERAL: [Sysctl; 3] = [
    sysctl("vm.overcommit_memory", "1", "programs may ask for more memory than there is, as Redis does when it saves"),
    sysctl("vm.min_free_kbytes", "65536", "some memory is free when the kernel needs it at once"),
    sysctl("fs.inotify.max_user_watches", "524288", "programs can watch many files"),
];

/// The parameters of the kernel that a mode asks for on a kind of host: servers' only, since a laptop's are its distribution's.
#[must_use]
pub fn sysctls(mode: Mode, profile: Profile) -> Vec<Sysctl> {
    let is_server = matches!(profile.family(), Family::Server | Family::Vps);
    let general = is_server.then_some(GENERAL).into_iter().flatten();
    mode_sysctls(mode).iter().copied().chain(general).collect()
}

/// Those that the mode alone asks for, whatever the host is.
#[must_use]
pub const fn mode_sysctls(mode: Mode) -> &'static [Sysctl] {
    match mode {
        Mode::IoOptimized => &IO,
        Mode::Balanced | Mode::SpaceOptimized => &[],
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("no"),
            Self::Zstd(level) => write!(f, "zstd:{level}"),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Balanced => "balanced",
            Self::IoOptimized => "io-optimized",
            Self::SpaceOptimized => "space-optimized",
        })
    }
}

impl FromStr for Mode {
    type Err = BadMode;

    fn from_str(text: &str) -> Result<Self, BadMode> {
        match text {
            "balanced" => Ok(Self::Balanced),
            "io-optimized" => Ok(Self::IoOptimized),
            "space-optimized" => Ok(Self::SpaceOptimized),
            _ => Err(BadMode(text.to_owned())),
        }
    }
}
