//! What is known of the machines of the tests, as the strategy takes it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use subvault_model::bytesize::ByteSize;
use subvault_model::facts::{Disk, Facts, Machine, PoolFacts, SubvolumeFacts, Transport, Use};
use subvault_model::file_path::FilePath;
use subvault_plan::cost::overrides::Overrides;
use subvault_plan::cost::table::Tables;
use subvault_plan::strategy::assemble::strategy;
use subvault_plan::strategy::objectives::Objectives;
use subvault_plan::strategy::profile::Profile;
use subvault_plan::strategy::wall_clock::WallClock;
use subvault_plan::strategy::{Kept, Said, SaidSubvolume, SaidTarget, TargetKind};
use subvault_render::runbook::{Restic, Runbook, Site, Target};

/// A subvolume: its name in the configuration (none: it is not in it), where it is in its pool, where it is mounted, who uses it.
pub(crate) type Sub = (Option<&'static str>, &'static str, &'static str, &'static [Use]);

/// A machine of a test.
pub(crate) struct Known {
    pub(crate) host: &'static str,
    pub(crate) profile: Profile,
    pub(crate) distribution: &'static str,
    pub(crate) has_uefi: bool,
    pub(crate) disk: (&'static str, Transport),
    /// The uuid of its pool.
    pub(crate) pool: String,
    pub(crate) subvolumes: &'static [Sub],
    pub(crate) targets: Vec<Target>,
    pub(crate) fstab: String,
    pub(crate) restic: Option<Restic>,
}

impl Known {
    /// What its runbooks are made of.
    pub(crate) fn runbook(self) -> Runbook {
        let facts = self.facts();
        let targets: Vec<_> = self.targets.iter().map(|target| target.name.clone()).collect();
        let named = self.subvolumes.iter().filter_map(|(name, _, at, _)| Some(((*name)?, *at)));
        let said = Said {
            wall: WallClock::new(jiff::tz::TimeZone::UTC, 2026),
            host: self.host.to_owned(),
            profile: Some(self.profile),
            mode: None,
            overhead_percent_max: None,
            objectives: Objectives::unstated("100 Mbit/s".parse().unwrap(), "20 Mbit/s".parse().unwrap()),
            tables: Tables::load(&Overrides::default()).unwrap(),
            subvolumes: named
                .clone()
                .map(|(name, at)| SaidSubvolume {
                    name: name.parse().unwrap(),
                    path: FilePath::new(at),
                    tier: None,
                    workload: None,
                    snapshots: None,
                    keep: None,
                    sends: None,
                    targets: targets.clone(),
                })
                .collect(),
            targets: self.targets.iter().map(said_target).collect(),
        };
        let directory = |at: &str| Path::new("/").join(at).join(".subvault");
        let snapshots: BTreeMap<_, PathBuf> = named.map(|(name, at)| (name.parse().unwrap(), directory(at))).collect();
        Runbook {
            strategy: strategy(&facts, &said),
            facts,
            snapshots,
            targets: self.targets,
            config: "/etc/subvault/subvault.toml".into(),
            identity: "/etc/subvault/identity.txt".into(),
            fstab: self.fstab.into(),
            restic: self.restic,
        }
    }

    fn facts(&self) -> Facts {
        let (disk, transport) = self.disk;
        let seen = |(_, path, at, uses): &Sub| SubvolumeFacts {
            path: FilePath::new(*path),
            seen_at: Some(FilePath::new(*at)),
            is_mounted: true,
            is_nested: false,
            is_nodatacow: false,
            compression: None,
            uses: uses.to_vec(),
            change: None,
        };
        let size = ByteSize::gib(2);
        let machine = Machine {
            distribution: Some(self.distribution.to_owned()),
            has_uefi: Some(self.has_uefi),
            ..Machine::default()
        };
        let built_in = Disk {
            name: disk.to_owned(),
            id: None,
            model: None,
            size,
            transport,
            is_rotational: Some(false),
            is_removable: false,
            has_windows: false,
        };
        let pool = PoolFacts {
            uuid: self.pool.parse().unwrap(),
            disks: vec![disk.to_owned()],
            size,
            used: ByteSize::mib(10),
            free: size,
            unallocated: size,
            metadata_free: size,
            data_profile: "single".to_owned(),
            metadata_profile: "dup".to_owned(),
            mount_options: Vec::new(),
            subvolumes: self.subvolumes.iter().map(seen).collect(),
            snapshots: 0,
            growth_per_day: None,
        };
        Facts { machine, power: None, disks: vec![built_in], passed_over: Vec::new(), pools: vec![pool] }
    }
}

fn said_target(target: &Target) -> SaidTarget {
    let kind = match &target.site {
        Site::Directory(_) => TargetKind::Directory,
        Site::Bucket(bucket) => TargetKind::Bucket { provider: bucket.provider.clone(), class: bucket.class.clone() },
        Site::Mounted(_) | Site::Disk { .. } => TargetKind::Disk,
        Site::Host { .. } => TargetKind::Host,
    };
    let kept = Kept {
        full_every_days: None,
        keep_generations: NonZeroU32::MIN,
        minimum_storage_days: 0,
        chunk: ByteSize::gib(200),
    };
    SaidTarget { name: target.name.clone(), kind, schedule: None, kept, is_elsewhere: false }
}

/// The uuid of what is on a device.
pub(crate) fn uuid(device: &str) -> String {
    crate::world::tool(&["blkid", "-p", "-s", "UUID", "-o", "value", device]).trim().to_owned()
}
