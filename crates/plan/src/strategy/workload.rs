//! What a subvolume is used for: told by what is in it, by where it is seen, by its name. Pure.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use subvault_model::facts::{SubvolumeFacts, Use};
use subvault_model::file_path::FilePath;

use super::decision::Decision;

/// What a subvolume is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// The system itself: root, `/usr`, `/opt`.
    System,
    /// People's files.
    User,
    /// Where software is developed.
    Development,
    /// A database server's data.
    Database,
    /// Data of services that are no databases.
    Application,
    /// Images and volumes of containers.
    Container,
    /// Disks of virtual machines.
    VirtualMachine,
    /// A store of packages, such as `/nix`.
    PackageStore,
    /// Logs.
    Log,
    /// What fills again by itself.
    Cache,
    /// What is temporary.
    Temporary,
    /// Swap files.
    Swap,
    /// What was brought here to be safe.
    Backup,
    /// Snapshots and old roots.
    Archive,
}

/// A word that is no workload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no workload; there are {list}", list = Workload::list())]
pub struct BadWorkload(String);

impl Workload {
    /// All there are.
    pub const ALL: [Self; 14] = [
        Self::System,
        Self::User,
        Self::Development,
        Self::Database,
        Self::Application,
        Self::Container,
        Self::VirtualMachine,
        Self::PackageStore,
        Self::Log,
        Self::Cache,
        Self::Temporary,
        Self::Swap,
        Self::Backup,
        Self::Archive,
    ];

    /// As it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Development => "dev",
            Self::Database => "database",
            Self::Application => "application",
            Self::Container => "container",
            Self::VirtualMachine => "virtual-machine",
            Self::PackageStore => "package-store",
            Self::Log => "log",
            Self::Cache => "cache",
            Self::Temporary => "temp",
            Self::Swap => "swap",
            Self::Backup => "backup",
            Self::Archive => "archive",
        }
    }

    fn list() -> String {
        Self::ALL.map(Self::word).join(", ")
    }
}

/// Where things are by convention, from the root of the system; the first that fits counts. `*` is one name.
const PLACES: &[(&str, Workload)] = &[
    ("", Workload::System),
    ("home/dev", Workload::Development),
    ("home/*/dev", Workload::Development),
    ("home/*/projects", Workload::Development),
    ("home/*/src", Workload::Development),
    ("home/*/ai-tools", Workload::Development),
    ("home/*/.cache", Workload::Cache),
    ("home/*/.config", Workload::User),
    ("home/*/.local", Workload::User),
    ("home", Workload::User),
    ("home/*", Workload::User),
    ("root", Workload::User),
    ("nix", Workload::PackageStore),
    ("gnu/store", Workload::PackageStore),
    ("var/lib/flatpak", Workload::PackageStore),
    ("var/lib/postgresql", Workload::Database),
    ("var/lib/mysql", Workload::Database),
    ("var/lib/mariadb", Workload::Database),
    ("var/lib/redis", Workload::Database),
    ("var/lib/mongodb", Workload::Database),
    ("var/lib/containers", Workload::Container),
    ("var/lib/docker", Workload::Container),
    ("var/lib/containerd", Workload::Container),
    ("var/lib/libvirt", Workload::VirtualMachine),
    ("var/lib/vz", Workload::VirtualMachine),
    ("var/log", Workload::Log),
    ("var/cache", Workload::Cache),
    ("var/cache/*", Workload::Cache),
    ("tmp", Workload::Temporary),
    ("var/tmp", Workload::Temporary),
    ("swap", Workload::Swap),
    ("var/swap", Workload::Swap),
    ("var/backup", Workload::Backup),
    ("var/backups", Workload::Backup),
    ("persist", Workload::Application),
    (".snapshots", Workload::Archive),
    ("*/.snapshots", Workload::Archive),
    ("btrfs_tmp", Workload::Archive),
    ("btrfs_tmp/old_roots", Workload::Archive),
    ("etc", Workload::System),
    ("boot", Workload::System),
    ("usr", Workload::System),
    ("opt", Workload::System),
    ("var", Workload::System),
    ("var/lib", Workload::System),
    ("srv", Workload::Application),
    ("srv/*", Workload::Application),
    ("var/www", Workload::Application),
    ("var/spool", Workload::Application),
    ("var/lib/*", Workload::Application),
];

/// What subvolumes are called by convention, without an `@` in front.
const NAMES: &[(&str, Workload)] = &[
    ("", Workload::System),
    ("root", Workload::System),
    ("rootfs", Workload::System),
    ("usr", Workload::System),
    ("var", Workload::System),
    ("opt", Workload::System),
    ("home", Workload::User),
    ("config", Workload::User),
    ("local", Workload::User),
    ("data", Workload::User),
    ("dev", Workload::Development),
    ("dev-projects", Workload::Development),
    ("projects", Workload::Development),
    ("ai-tools", Workload::Development),
    ("nix", Workload::PackageStore),
    ("postgresql", Workload::Database),
    ("postgres", Workload::Database),
    ("mysql", Workload::Database),
    ("mariadb", Workload::Database),
    ("redis", Workload::Database),
    ("persist", Workload::Application),
    ("srv", Workload::Application),
    ("containers", Workload::Container),
    ("docker", Workload::Container),
    ("log", Workload::Log),
    ("logs", Workload::Log),
    ("var-log", Workload::Log),
    ("cache", Workload::Cache),
    ("var-cache", Workload::Cache),
    ("user-cache", Workload::Cache),
    ("podman-cache", Workload::Cache),
    ("tmp", Workload::Temporary),
    ("var-tmp", Workload::Temporary),
    ("swap", Workload::Swap),
    ("backup", Workload::Backup),
    ("backups", Workload::Backup),
    ("snapshots", Workload::Archive),
    (".snapshots", Workload::Archive),
    ("old_roots", Workload::Archive),
];

/// Tells what a subvolume is used for. What nothing is known about counts as people's files: rather kept than lost.
#[must_use]
pub fn tell(subvolume: &SubvolumeFacts) -> Decision<Workload> {
    if let Some(found) = by_use(&subvolume.uses) {
        return found;
    }
    let mounted_at = subvolume.seen_at.as_ref().filter(|_| subvolume.is_mounted);
    let place = |at: &FilePath| by_place(at.as_bytes().strip_prefix(b"/").unwrap_or(at.as_bytes()));
    if let Some((at, workload)) = mounted_at.and_then(|at| place(at).map(|workload| (at, workload))) {
        return Decision::new(workload, format!("it is mounted at {at}"));
    }
    by_name(subvolume.path.as_bytes()).unwrap_or_else(|| {
        Decision::new(Workload::User, "nothing says what it is, so that it is treated like people's files")
    })
}

/// The same for a path that only the configuration knows.
#[must_use]
pub fn tell_by_path(path: &[u8]) -> Decision<Workload> {
    let place = path.strip_prefix(b"/").unwrap_or(path);
    match by_place(place) {
        Some(workload) => Decision::new(workload, "that is what its path is for by convention"),
        None => by_name(place).unwrap_or_else(|| {
            Decision::new(Workload::User, "nothing says what it is, so that it is treated like people's files")
        }),
    }
}

fn by_use(uses: &[Use]) -> Option<Decision<Workload>> {
    let of = |one: &Use| {
        Some(match one {
            Use::PostgreSql => (Workload::Database, "PostgreSQL has its data there"),
            Use::MariaDb => (Workload::Database, "MariaDB or MySQL has its data there"),
            Use::Redis => (Workload::Database, "Redis has its data there"),
            Use::Containers => (Workload::Container, "containers are stored there"),
            Use::VirtualMachines => (Workload::VirtualMachine, "disks of virtual machines are there"),
            Use::PackageStore => (Workload::PackageStore, "it is a store of packages"),
            Use::SwapFile => (Workload::Swap, "a swap file is there"),
            Use::Root | Use::Home => return None,
        })
    };
    // The whole system may well have a database in it: what it is for as a whole counts then.
    if uses.contains(&Use::Root) {
        return Some(Decision::new(Workload::System, "the system runs from it"));
    }
    if uses.contains(&Use::Home) {
        return Some(Decision::new(Workload::User, "people's home directories are there"));
    }
    uses.iter().find_map(of).map(|(workload, because)| Decision::new(workload, because))
}

fn by_place(place: &[u8]) -> Option<Workload> {
    PLACES.iter().find(|(pattern, _)| is_like(place, pattern)).map(|(_, workload)| *workload)
}

/// Whether a path is like a pattern, in which `*` is one name.
fn is_like(path: &[u8], pattern: &str) -> bool {
    let mut names = path.split(|byte| *byte == b'/');
    let fits =
        pattern.split('/').all(|wanted| names.next().is_some_and(|name| wanted == "*" || name == wanted.as_bytes()));
    fits && names.next().is_none()
}

fn by_name(path: &[u8]) -> Option<Decision<Workload>> {
    let last = path.rsplit(|byte| *byte == b'/').next()?;
    let plain = last.strip_prefix(b"@").unwrap_or(last);
    let found = NAMES.iter().find(|(name, _)| name.as_bytes() == plain).map(|(_, workload)| *workload);
    // Several systems side by side: `@rootTW`, `@rootF41`.
    let of_a_system = || (last.starts_with(b"@root") && plain.len() > 4).then_some(Workload::System);
    let workload = found.or_else(of_a_system)?;
    Some(Decision::new(workload, "that is what subvolumes of its name are for"))
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Workload {
    type Err = BadWorkload;

    fn from_str(text: &str) -> Result<Self, BadWorkload> {
        Self::ALL.into_iter().find(|workload| workload.word() == text).ok_or_else(|| BadWorkload(text.to_owned()))
    }
}
