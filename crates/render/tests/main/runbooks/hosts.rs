//! Hosts that runbooks are made for: names are placeholders, so that a test can put odd ones in their place.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroU32;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use subvault_model::bytesize::ByteSize;
use subvault_model::facts::{Chassis, Disk, Facts, Machine, PoolFacts, SubvolumeFacts, Transport, Use};
use subvault_model::file_path::FilePath;
use subvault_plan::cost::overrides::Overrides;
use subvault_plan::cost::table::Tables;
use subvault_plan::strategy::assemble::strategy;
use subvault_plan::strategy::objectives::Objectives;
use subvault_plan::strategy::profile::Profile;
use subvault_plan::strategy::wall_clock::WallClock;
use subvault_plan::strategy::{Kept, Said, SaidSubvolume, SaidTarget, TargetKind};
use subvault_render::runbook::{Bucket, Restic, Runbook, Site, Target};

pub(crate) const POOL: &str = "5f0c5d63-7a7e-4f4b-9d0e-0c1a58a2f001";
const USB: &str = "5f0c5d63-7a7e-4f4b-9d0e-0c1a58a2f002";
const CONTAINER: &str = "c1a58a2f-7a7e-4f4b-9d0e-5f0c5d630002";

/// How archives are kept; no page tells it.
const KEPT: Kept = Kept {
    full_every_days: None,
    keep_generations: NonZeroU32::MIN,
    minimum_storage_days: 0,
    chunk: ByteSize::gib(200),
};

/// A subvolume of a host.
pub(crate) struct Sub {
    /// Its name in the configuration; `None`: it is not in it.
    pub(crate) name: Option<&'static str>,
    /// Where it is in its pool.
    pub(crate) path: Vec<u8>,
    /// Where it is mounted, without the first slash.
    pub(crate) at: Vec<u8>,
    pub(crate) uses: Vec<Use>,
    /// Where it is sent to.
    pub(crate) targets: Vec<&'static str>,
}

fn sub(name: &'static str, path: &str, at: &str, uses: &[Use], targets: &[&'static str]) -> Sub {
    Sub { name: Some(name), path: path.into(), at: at.into(), uses: uses.to_vec(), targets: targets.to_vec() }
}

fn unnamed(path: &str, at: &str) -> Sub {
    Sub { name: None, path: path.into(), at: at.into(), uses: Vec::new(), targets: Vec::new() }
}

/// Everything that a host is made of.
pub(crate) struct Parts {
    pub(crate) host: &'static str,
    pub(crate) profile: Profile,
    pub(crate) machine: Machine,
    pub(crate) disks: Vec<Disk>,
    pub(crate) subvolumes: Vec<Sub>,
    pub(crate) targets: Vec<Target>,
    pub(crate) fstab: Vec<u8>,
    pub(crate) config: PathBuf,
    pub(crate) identity: PathBuf,
    pub(crate) restic: Option<Restic>,
}

impl Parts {
    pub(crate) fn runbook(self) -> Runbook {
        let facts = Facts {
            machine: self.machine,
            power: None,
            passed_over: Vec::new(),
            pools: vec![pool(&self.disks[0].name, &self.subvolumes)],
            disks: self.disks,
        };
        let named = self.subvolumes.iter().filter_map(|s| Some((s.name?, s)));
        let said = Said {
            wall: WallClock::new(TimeZone::UTC, 2026),
            host: self.host.to_owned(),
            profile: Some(self.profile),
            mode: None,
            overhead_percent_max: None,
            objectives: Objectives::unstated("100 Mbit/s".parse().unwrap(), "20 Mbit/s".parse().unwrap()),
            tables: Tables::load(&Overrides::default()).unwrap(),
            subvolumes: named.clone().map(|(name, sub)| said(name, sub)).collect(),
            targets: self.targets.iter().map(said_target).collect(),
        };
        let snapshots = named.map(|(name, sub)| {
            let directory = Path::new("/").join(OsString::from_vec(sub.at.clone())).join(".subvault");
            (name.parse().unwrap(), directory)
        });
        Runbook {
            strategy: strategy(&facts, &said),
            facts,
            snapshots: snapshots.collect::<BTreeMap<_, _>>(),
            targets: self.targets,
            config: self.config,
            identity: self.identity,
            fstab: self.fstab,
            restic: self.restic,
        }
    }
}

fn said(name: &str, sub: &Sub) -> SaidSubvolume {
    SaidSubvolume {
        name: name.parse().unwrap(),
        path: FilePath::new(sub.at.clone()),
        tier: None,
        workload: None,
        snapshots: None,
        keep: None,
        sends: None,
        targets: sub.targets.iter().map(|target| target.parse().unwrap()).collect(),
    }
}

fn said_target(target: &Target) -> SaidTarget {
    let kind = match &target.site {
        Site::Directory(_) => TargetKind::Directory,
        Site::Bucket(bucket) => TargetKind::Bucket { provider: bucket.provider.clone(), class: bucket.class.clone() },
        Site::Mounted(_) | Site::Disk { .. } => TargetKind::Disk,
        Site::Host { .. } => TargetKind::Host,
    };
    let is_elsewhere = matches!(kind, TargetKind::Bucket { .. } | TargetKind::Host);
    SaidTarget { name: target.name.clone(), kind, schedule: None, kept: KEPT, is_elsewhere }
}

fn pool(disk: &str, subvolumes: &[Sub]) -> PoolFacts {
    let seen = |sub: &Sub| SubvolumeFacts {
        path: FilePath::new(sub.path.clone()),
        seen_at: Some(FilePath::new(sub.at.clone())),
        is_mounted: true,
        is_nested: false,
        is_nodatacow: false,
        compression: None,
        uses: sub.uses.clone(),
        change: None,
    };
    PoolFacts {
        uuid: POOL.parse().unwrap(),
        disks: vec![disk.to_owned()],
        size: ByteSize::gib(475),
        used: ByteSize::gib(120),
        free: ByteSize::gib(350),
        unallocated: ByteSize::gib(300),
        metadata_free: ByteSize::gib(2),
        data_profile: "single".to_owned(),
        metadata_profile: "dup".to_owned(),
        mount_options: vec!["compress=zstd:3".to_owned()],
        subvolumes: subvolumes.iter().map(seen).collect(),
        snapshots: 12,
        growth_per_day: None,
    }
}

fn disk(name: &str, gb: u64, transport: Transport) -> Disk {
    Disk {
        name: name.to_owned(),
        id: None,
        model: None,
        size: ByteSize::bytes(gb * 1_000_000_000),
        transport,
        is_rotational: Some(false),
        is_removable: transport == Transport::Usb,
        has_windows: false,
    }
}

fn machine(distribution: &str, has_uefi: bool) -> Machine {
    Machine {
        distribution: Some(distribution.to_owned()),
        has_uefi: Some(has_uefi),
        chassis: Chassis::Portable,
        ..Machine::default()
    }
}

fn target(name: &str, site: Site) -> Target {
    Target { name: name.parse().unwrap(), site }
}

fn bucket(prefix: &str, class: Option<&str>) -> Bucket {
    Bucket {
        provider: "aws".to_owned(),
        bucket: "example-backups".to_owned(),
        prefix: Some(prefix.to_owned()),
        region: "eu-central-1".to_owned(),
        endpoint: None,
        credentials: Some("/etc/subvault/aws.credentials".into()),
        class: class.map(str::to_owned),
    }
}

fn usual() -> (PathBuf, PathBuf) {
    ("/etc/subvault/subvault.toml".into(), "/etc/subvault/identity.txt".into())
}

/// A laptop with one disk, a USB disk for copies, and a directory on another disk for archives.
pub(crate) fn laptop() -> Parts {
    let everywhere = &["usb", "vault"];
    let fstab = format!(
        "# as it was made\nUUID={POOL} / btrfs subvol=@ 0 0\nUUID={POOL} /home btrfs subvol=@home 0 0\n\
        UUID=1A2B-3C4D /boot vfat umask=0077 0 2\nLABEL=VAULT /mnt/vault ext4 noauto 0 0\n"
    );
    let (config, identity) = usual();
    Parts {
        host: "yoga",
        profile: Profile::SingleNvmeLaptop,
        machine: machine("arch", true),
        disks: vec![disk("nvme0n1", 512, Transport::Nvme), disk("sda", 2000, Transport::Usb)],
        subvolumes: vec![
            sub("root", "@", "", &[Use::Root], everywhere),
            sub("home", "@home", "home", &[Use::Home], everywhere),
            sub("nix", "@nix", "nix", &[], everywhere),
            sub("containers", "@containers", "var/lib/containers", &[], everywhere),
            unnamed("@cache", "var/cache"),
        ],
        targets: vec![
            target("vault", Site::Directory("/mnt/vault/subvault".into())),
            target("usb", Site::Disk { uuid: USB.parse().unwrap(), directory: "copies".into(), luks: None }),
        ],
        fstab: fstab.into(),
        config,
        identity,
        restic: None,
    }
}

/// A rented machine without UEFI, with databases, buckets and another host.
pub(crate) fn server() -> Parts {
    let everywhere = &["s3", "glacier", "ovh"];
    let fstab = format!("UUID={POOL} / btrfs subvol=@ 0 0\n/swap/swapfile none swap defaults 0 0\n");
    let (config, identity) = usual();
    let ssh =
        Site::Host { host: "subvault@ovh.example.org".to_owned(), port: Some(2222), directory: "/srv/copies".into() };
    Parts {
        host: "hetzner",
        profile: Profile::ProductionVps,
        machine: machine("debian", false),
        disks: vec![disk("vda", 458, Transport::Virtual)],
        subvolumes: vec![
            sub("root", "@", "", &[Use::Root], everywhere),
            sub("home", "@home", "home", &[Use::Home], everywhere),
            sub("postgresql", "@postgresql", "var/lib/postgresql", &[Use::PostgreSql], everywhere),
            sub("redis", "@redis", "var/lib/redis", &[Use::Redis], everywhere),
            sub("mysql", "@mysql", "var/lib/mysql", &[Use::MariaDb], everywhere),
            unnamed("@swap", "swap"),
        ],
        targets: vec![
            target("s3", Site::Bucket(bucket("subvault", None))),
            target("glacier", Site::Bucket(bucket("deep", Some("DEEP_ARCHIVE")))),
            target("ovh", ssh),
        ],
        fstab: fstab.into(),
        config,
        identity,
        restic: None,
    }
}

/// A desktop with Windows on its other disk, an encrypted USB disk, and a repository of restic for Windows and telephones.
pub(crate) fn desktop() -> Parts {
    let everywhere = &["linbkup", "second"];
    let fstab = format!(
        "UUID={POOL} / btrfs subvol=@rootTW 0 0\nUUID={POOL} /home btrfs subvol=@home 0 0\n\
        UUID=0b1c8c2e-1111-4222-8333-444455556666 /boot ext4 defaults 0 2\nUUID=AAAA-BBBB /boot/efi vfat defaults 0 2\n\
        PARTUUID=9c1f0d2e-1111-4222-8333-444455556667 none swap defaults 0 0\n"
    );
    let windows = Disk { has_windows: true, ..disk("nvme0n1", 512, Transport::Nvme) };
    let luks = Some((CONTAINER.to_owned(), "/etc/subvault/usb.key".into()));
    Parts {
        host: "atlantis",
        profile: Profile::DualBootDesktop,
        machine: Machine { chassis: Chassis::Desktop, ..machine("opensuse-tumbleweed", true) },
        disks: vec![disk("nvme1n1", 2000, Transport::Nvme), windows],
        subvolumes: vec![
            sub("root-tumbleweed", "@rootTW", "", &[Use::Root, Use::PostgreSql], everywhere),
            sub("home", "@home", "home", &[Use::Home], everywhere),
        ],
        targets: vec![
            target("linbkup", Site::Disk { uuid: USB.parse().unwrap(), directory: "copies".into(), luks }),
            target("second", Site::Mounted("/mnt/second/copies".into())),
        ],
        fstab: fstab.into(),
        config: "/etc/my vault/subvault.toml".into(),
        identity: "/etc/my vault/identity.txt".into(),
        restic: Some(Restic {
            repository: "s3:https://s3.wasabisys.com/example-backups".to_owned(),
            password_file: "/root/restic.password".into(),
        }),
    }
}

/// The laptop as a report describes it: nothing is known of its pools.
pub(crate) fn unseen() -> Runbook {
    let mut runbook = laptop().runbook();
    let said = Said {
        wall: WallClock::new(TimeZone::UTC, 2026),
        host: "yoga".to_owned(),
        profile: Some(Profile::SingleNvmeLaptop),
        mode: None,
        overhead_percent_max: None,
        objectives: Objectives::unstated("100 Mbit/s".parse().unwrap(), "20 Mbit/s".parse().unwrap()),
        tables: Tables::load(&Overrides::default()).unwrap(),
        subvolumes: laptop().subvolumes.iter().filter_map(|sub| Some(said(sub.name?, sub))).collect(),
        targets: laptop().targets.iter().map(said_target).collect(),
    };
    runbook.facts = Facts { machine: runbook.facts.machine, ..Facts::default() };
    runbook.strategy = strategy(&runbook.facts, &said);
    runbook.fstab = Vec::new();
    runbook
}

/// Puts the bytes of these names in the place of their placeholders, wherever they stand.
pub(crate) fn with_names(mut parts: Parts, names: &[(&str, Vec<u8>)]) -> Parts {
    let swap = |path: &Path| PathBuf::from(OsString::from_vec(replaced(path.as_os_str().as_bytes(), names)));
    for sub in &mut parts.subvolumes {
        sub.path = replaced(&sub.path, names);
        sub.at = replaced(&sub.at, names);
    }
    for target in &mut parts.targets {
        match &mut target.site {
            Site::Directory(path) | Site::Mounted(path) | Site::Host { directory: path, .. } => *path = swap(path),
            Site::Disk { directory, luks, .. } => {
                *directory = swap(directory);
                if let Some((_, key)) = luks {
                    *key = swap(key);
                }
            }
            Site::Bucket(bucket) => bucket.credentials = bucket.credentials.take().map(|path| swap(&path)),
        }
    }
    parts.config = swap(&parts.config);
    parts.identity = swap(&parts.identity);
    parts.fstab =
        replaced(&parts.fstab, &names.iter().map(|(name, bytes)| (*name, escaped(bytes))).collect::<Vec<_>>());
    parts
}

/// Bytes with each placeholder replaced.
pub(crate) fn replaced(bytes: &[u8], names: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        match names.iter().find(|(name, _)| rest.starts_with(name.as_bytes())) {
            Some((name, with)) => {
                out.extend(with);
                rest = &rest[name.len()..];
            }
            None => {
                out.push(*first);
                rest = &rest[1..];
            }
        }
    }
    out
}

/// As an fstab writes a name.
fn escaped(bytes: &[u8]) -> Vec<u8> {
    let escape = |byte: &u8| match byte {
        b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
        byte => vec![*byte],
    };
    bytes.iter().flat_map(escape).collect()
}
