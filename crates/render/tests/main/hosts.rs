//! Hosts that files are written for: of each kind one, divided as the tables have it, all that there can be mounted.

use std::num::NonZeroU32;

use jiff::tz::TimeZone;
use subvault_model::bytesize::ByteSize;
use subvault_model::facts::{Facts, Machine, PoolFacts, SubvolumeFacts};
use subvault_model::file_path::FilePath;
use subvault_plan::cost::overrides::Overrides;
use subvault_plan::cost::table::Tables;
use subvault_plan::strategy::assemble::strategy;
use subvault_plan::strategy::layout::{self, Filesystem, LayoutSubvolume};
use subvault_plan::strategy::objectives::Objectives;
use subvault_plan::strategy::profile::Profile;
use subvault_plan::strategy::wall_clock::WallClock;
use subvault_plan::strategy::{Kept, Said, SaidTarget, Strategy, TargetKind};

pub(crate) const FIRST: &str = "5f0c5d63-7a7e-4f4b-9d0e-0c1a58a2f001";
pub(crate) const SECOND: &str = "5f0c5d63-7a7e-4f4b-9d0e-0c1a58a2f002";

/// A subvolume that is mounted at a path, which is given without the slash in front.
pub(crate) fn subvolume(path: &[u8], seen_at: &[u8]) -> SubvolumeFacts {
    SubvolumeFacts {
        path: FilePath::new(path),
        seen_at: Some(FilePath::new([b"/", seen_at].concat())),
        is_mounted: true,
        is_nested: false,
        is_nodatacow: false,
        compression: None,
        uses: Vec::new(),
        change: None,
    }
}

pub(crate) fn pool(uuid: &str, subvolumes: Vec<SubvolumeFacts>) -> PoolFacts {
    PoolFacts {
        uuid: uuid.parse().unwrap(),
        disks: Vec::new(),
        size: ByteSize::bytes(1 << 40),
        used: ByteSize::bytes(1 << 39),
        free: ByteSize::bytes(1 << 39),
        unallocated: ByteSize::bytes(1 << 38),
        metadata_free: ByteSize::bytes(1 << 30),
        data_profile: "single".to_owned(),
        metadata_profile: "dup".to_owned(),
        mount_options: vec!["compress=zstd:1".to_owned(), "space_cache=v2".to_owned()],
        subvolumes,
        snapshots: 0,
        growth_per_day: None,
    }
}

/// A host of this kind.
pub(crate) fn facts(profile: Profile) -> Facts {
    let partitions = layout::of(profile).disks.into_iter().flat_map(|disk| disk.partitions);
    let pools = partitions.filter(|p| p.filesystem == Filesystem::Btrfs && !p.subvolumes.is_empty());
    let mounted = |one: &LayoutSubvolume| {
        let at = one.mount?.replace('*', "ada");
        Some(subvolume(one.name.as_bytes(), at.trim_start_matches('/').as_bytes()))
    };
    let pools =
        pools.zip([FIRST, SECOND]).map(|(p, uuid)| pool(uuid, p.subvolumes.iter().filter_map(mounted).collect()));
    let machine = Machine { host_name: Some(profile.to_string()), ..Machine::default() };
    Facts { machine, pools: pools.collect(), ..Facts::default() }
}

/// What its owner says: what it is, and one target of each kind.
pub(crate) fn said(profile: Profile, host: &str) -> Said {
    let target = |name: &str, kind: TargetKind| SaidTarget {
        name: name.parse().unwrap(),
        is_elsewhere: matches!(kind, TargetKind::Bucket { .. } | TargetKind::Host),
        kind,
        schedule: None,
        kept: Kept {
            full_every_days: NonZeroU32::new(30),
            keep_generations: NonZeroU32::MIN,
            minimum_storage_days: 0,
            chunk: ByteSize::bytes(1 << 30),
        },
    };
    Said {
        wall: WallClock::new(TimeZone::UTC, 2026),
        host: host.to_owned(),
        profile: Some(profile),
        mode: None,
        overhead_percent_max: None,
        objectives: Objectives::unstated("100 Mbit/s".parse().unwrap(), "20 Mbit/s".parse().unwrap()),
        tables: Tables::load(&Overrides::default()).unwrap(),
        subvolumes: Vec::new(),
        targets: vec![
            target("b2", TargetKind::Bucket { provider: "backblaze-b2".to_owned(), class: None }),
            target("usb", TargetKind::Disk),
            target("nas", TargetKind::Host),
            target("vault", TargetKind::Directory),
        ],
    }
}

/// The laptop and the server that the requirements name, and what is best for them.
pub(crate) fn named() -> Vec<(&'static str, Facts, Strategy)> {
    [("zephyrus", Profile::DualNvmeLaptop), ("hetzner", Profile::ProductionVps)]
        .into_iter()
        .map(|(name, profile)| {
            let facts = facts(profile);
            let strategy = strategy(&facts, &said(profile, name));
            (name, facts, strategy)
        })
        .collect()
}

/// All kinds of hosts.
pub(crate) fn every() -> Vec<(Facts, Strategy)> {
    let one = |profile: Profile| {
        let facts = facts(profile);
        let strategy = strategy(&facts, &said(profile, profile.word()));
        (facts, strategy)
    };
    Profile::ALL.into_iter().map(one).collect()
}
