//! Hosts whose reports are looked at: a laptop, a server, one with a single subvolume and one with very many, one of which nothing
//! is known, and one whose names are hostile.

#![expect(clippy::unwrap_used, reason = "a sample that cannot be made is no sample")]

use std::num::NonZeroU32;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use subvault_model::bytesize::ByteSize;
use subvault_model::facts::{
    ChangeRate, Chassis, Disk, Facts, Machine, PoolFacts, Power, SubvolumeFacts, Transport, Use,
};
use subvault_model::file_path::FilePath;
use subvault_plan::cost::overrides::Overrides;
use subvault_plan::cost::table::Tables;
use subvault_plan::simulate::scenario::of_strategy;
use subvault_plan::simulate::{Simulation, simulate};
use subvault_plan::strategy::assemble::strategy;
use subvault_plan::strategy::objectives::Objectives;
use subvault_plan::strategy::target_cost::{TargetCost, target_costs};
use subvault_plan::strategy::wall_clock::WallClock;
use subvault_plan::strategy::{Kept, Said, SaidTarget, Strategy, TargetKind};
use subvault_render::report::Report;

/// A host with everything that a report is made of.
pub(crate) struct Sample {
    pub(crate) strategy: Strategy,
    pub(crate) facts: Facts,
    pub(crate) simulation: Option<Simulation>,
    pub(crate) costs: Vec<TargetCost>,
}

/// All whose pictures are looked at, with their names.
pub(crate) fn all() -> Vec<(&'static str, Sample)> {
    vec![
        ("laptop", laptop()),
        ("server", server()),
        ("one", many(1)),
        ("twenty-four", many(24)),
        ("two-hundred", many(200)),
        ("bare", bare()),
        ("hostile", hostile("<b>|`\n\u{202e}&\"'</b>", b"srv/<i>|`\xff\n\xe2\x80\xae&\"'")),
    ]
}

fn zone() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn made() -> Timestamp {
    "2026-11-22T15:04:05Z".parse().unwrap()
}

impl Sample {
    pub(crate) fn new(facts: Facts, said: &Said) -> Self {
        Self { strategy: strategy(&facts, said), facts, simulation: None, costs: Vec::new() }
    }

    pub(crate) fn report(&self) -> Report<'_> {
        Report {
            strategy: &self.strategy,
            facts: &self.facts,
            simulation: self.simulation.as_ref(),
            costs: &self.costs,
            made: made(),
            zone: zone(),
        }
    }

    /// The same after so many months, and what they cost.
    fn lived(mut self, months: u32) -> Self {
        let simulation = simulate(&of_strategy(&self.strategy, made(), months, &zone()));
        let tables = Tables::load(&Overrides::default()).unwrap();
        self.costs = target_costs(&self.strategy, &tables, &simulation, zone().to_datetime(made()).date());
        self.simulation = Some(simulation);
        self
    }
}

fn said(host: &str, targets: Vec<SaidTarget>) -> Said {
    Said {
        wall: WallClock::new(zone(), 2026),
        host: host.to_owned(),
        profile: None,
        mode: None,
        overhead_percent_max: None,
        objectives: Objectives::unstated("100 Mbit/s".parse().unwrap(), "20 Mbit/s".parse().unwrap()),
        tables: Tables::load(&Overrides::default()).unwrap(),
        subvolumes: Vec::new(),
        targets,
    }
}

fn target(name: &str, kind: TargetKind) -> SaidTarget {
    let is_elsewhere = kind != TargetKind::Disk;
    let kept = Kept {
        full_every_days: NonZeroU32::new(30),
        keep_generations: NonZeroU32::new(2).unwrap(),
        minimum_storage_days: 0,
        chunk: ByteSize::mib(256),
    };
    SaidTarget { name: name.parse().unwrap(), kind, schedule: None, is_elsewhere, kept }
}

fn bucket(provider: &str, class: Option<&str>) -> TargetKind {
    TargetKind::Bucket { provider: provider.to_owned(), class: class.map(str::to_owned) }
}

fn disk(name: &str, model: &str, bytes: u64, transport: Transport) -> Disk {
    Disk {
        name: name.to_owned(),
        id: None,
        model: Some(model.to_owned()),
        size: ByteSize::bytes(bytes),
        transport,
        is_rotational: Some(false),
        is_removable: transport == Transport::Usb,
        has_windows: false,
    }
}

fn subvolume(path: &[u8], seen_at: Option<&[u8]>, uses: &[Use]) -> SubvolumeFacts {
    SubvolumeFacts {
        path: FilePath::new(path),
        seen_at: seen_at.map(FilePath::new),
        is_mounted: seen_at.is_some(),
        is_nested: false,
        is_nodatacow: false,
        compression: None,
        uses: uses.to_vec(),
        change: None,
    }
}

fn pool(disk: &str, size: ByteSize, used: ByteSize, subvolumes: Vec<SubvolumeFacts>) -> PoolFacts {
    PoolFacts {
        uuid: "5f0c5d63-7a7e-4f4b-9d0e-0c1a58a2f001".parse().unwrap(),
        disks: vec![disk.to_owned()],
        size,
        used,
        free: size.saturating_sub(used),
        unallocated: ByteSize::gib(20),
        metadata_free: ByteSize::gib(2),
        data_profile: "single".to_owned(),
        metadata_profile: "dup".to_owned(),
        mount_options: vec!["compress=zstd:1".to_owned(), "space_cache=v2".to_owned(), "ssd".to_owned()],
        subvolumes,
        snapshots: 0,
        growth_per_day: None,
    }
}

/// A laptop for travel: one NVMe disk, and copies on a USB disk and in a bucket.
pub(crate) fn laptop() -> Sample {
    let mut home = subvolume(b"@home", Some(b"home"), &[Use::Home]);
    home.change = Some(ChangeRate { per_day: ByteSize::mib(900), hours: 168 });
    let subvolumes = vec![
        subvolume(b"@", Some(b""), &[Use::Root]),
        home,
        subvolume(b"@log", Some(b"var/log"), &[]),
        subvolume(b"@cache", Some(b"var/cache"), &[]),
        subvolume(b"@old", None, &[]),
    ];
    let size = ByteSize::bytes(1_000_204_886_016);
    let facts = Facts {
        machine: Machine { chassis: Chassis::Portable, ..Machine::default() },
        power: Some(Power { has_battery: true, is_on_mains: Some(false), battery_percent: Some(71) }),
        disks: vec![
            disk("nvme0n1", "Samsung SSD 980 PRO 1TB", size.get(), Transport::Nvme),
            disk("sda", "Seagate Expansion Portable", 4_000_787_030_016, Transport::Usb),
        ],
        passed_over: Vec::new(),
        pools: vec![pool("nvme0n1", size, ByteSize::gib(310), subvolumes)],
    };
    let targets = vec![target("usb", TargetKind::Disk), target("b2", bucket("backblaze-b2", None))];
    Sample::new(facts, &said("ada-laptop", targets)).lived(12)
}

/// A rented machine that others rely on, with a database.
pub(crate) fn server() -> Sample {
    let mut database = subvolume(b"@postgresql", Some(b"var/lib/postgresql"), &[Use::PostgreSql]);
    database.change = Some(ChangeRate { per_day: ByteSize::gib(3), hours: 24 });
    let subvolumes = vec![
        subvolume(b"@", Some(b""), &[Use::Root]),
        subvolume(b"@home", Some(b"home"), &[Use::Home]),
        subvolume(b"@dev", Some(b"home/dev"), &[]),
        subvolume(b"@nix", Some(b"nix"), &[Use::PackageStore]),
        subvolume(b"@log", Some(b"var/log"), &[]),
        subvolume(b"@var-cache", Some(b"var/cache"), &[]),
        subvolume(b"@tmp", Some(b"tmp"), &[]),
        subvolume(b"@containers", Some(b"var/lib/containers"), &[Use::Containers]),
        database,
        subvolume(b"@redis", Some(b"var/lib/redis"), &[Use::Redis]),
        subvolume(b"@swap", Some(b"swap"), &[Use::SwapFile]),
    ];
    let size = ByteSize::gib(457);
    let facts = Facts {
        machine: Machine { virtualisation: Some("kvm".to_owned()), ..Machine::default() },
        power: Some(Power { has_battery: false, is_on_mains: None, battery_percent: None }),
        disks: vec![disk("vda", "QEMU HARDDISK", 458 << 30, Transport::Virtual)],
        passed_over: Vec::new(),
        pools: vec![pool("vda", size, ByteSize::gib(146), subvolumes)],
    };
    let targets = vec![
        target("wasabi", bucket("wasabi", None)),
        target("glacier", bucket("aws", Some("DEEP_ARCHIVE"))),
        target("standby", TargetKind::Host),
    ];
    let rates = said("hetzner-prod", targets);
    let budget = Some("30 USD/month".parse().unwrap());
    let objectives = Objectives { lose_at_most: Some(SignedDuration::from_hours(1)), budget, ..rates.objectives };
    Sample::new(facts, &Said { objectives, ..rates }).lived(18)
}

/// A server with so many subvolumes, for all kinds of things.
pub(crate) fn many(count: usize) -> Sample {
    const PLACES: [&str; 6] = ["srv", "var/lib/libvirt", "home", "var/log", "var/cache", "opt"];
    let one = |index: usize| {
        let at = match index {
            0 => String::new(),
            1..=5 => PLACES[index].to_owned(),
            _ if index.is_multiple_of(9) => format!("home/somebody-with-a-rather-long-name-{index:03}"),
            _ => format!("srv/tenant-{index:03}"),
        };
        let name = format!("@{}", at.replace('/', "-"));
        subvolume(name.as_bytes(), Some(at.as_bytes()), if index == 0 { &[Use::Root] } else { &[] })
    };
    let mut pool = pool("sda", ByteSize::gib(7_450), ByteSize::gib(2_100), (0..count).map(one).collect());
    pool.disks.push("sdb".to_owned());
    pool.data_profile = "raid1".to_owned();
    let disk = |name| disk(name, "WDC WD80EFPX", 8_001_563_222_016, Transport::Sata);
    let facts = Facts {
        machine: Machine { chassis: Chassis::Server, ..Machine::default() },
        power: None,
        disks: vec![disk("sda"), disk("sdb")],
        passed_over: Vec::new(),
        pools: vec![pool],
    };
    let mut targets: Vec<SaidTarget> = vec![target("vault", TargetKind::Host), target("shelf", TargetKind::Disk)];
    if count > 1 {
        targets.push(target("archive-of-the-whole-company", bucket("hetzner", None)));
        targets.push(target("nas", TargetKind::Directory));
    }
    let sample = Sample::new(facts, &said("fileserver", targets));
    if count > 100 { sample.lived(1) } else { sample.lived(3) }
}

/// A desktop with Windows, before anything was set up.
pub(crate) fn bare() -> Sample {
    let windows = Disk { has_windows: true, ..disk("sda", "CT1000", 1_000_204_886_016, Transport::Sata) };
    let facts = Facts {
        machine: Machine { chassis: Chassis::Desktop, ..Machine::default() },
        disks: vec![windows, disk("sdb", "CT2000", 2_000_398_934_016, Transport::Sata)],
        ..Facts::default()
    };
    Sample::new(facts, &said("desk", Vec::new()))
}

/// A host on which everything that can have any name has this one.
pub(crate) fn hostile(text: &str, path: &[u8]) -> Sample {
    let subvolumes = vec![
        subvolume(b"@", Some(b""), &[Use::Root]),
        SubvolumeFacts { is_nodatacow: true, ..subvolume(path, Some(path), &[]) },
        subvolume(&[path, b"2"].concat(), None, &[]),
    ];
    let mut pool = pool(text, ByteSize::gib(100), ByteSize::gib(50), subvolumes);
    pool.data_profile = text.to_owned();
    pool.mount_options.push(format!("compress={text}"));
    let facts = Facts {
        machine: Machine { virtualisation: Some(text.to_owned()), ..Machine::default() },
        power: None,
        disks: vec![disk(text, text, 100 << 30, Transport::Virtual), disk("sdb", text, 1 << 30, Transport::Other)],
        passed_over: Vec::new(),
        pools: vec![pool],
    };
    let targets = vec![
        target("a", bucket("hetzner", None)),
        target("b", bucket(text, Some(text))),
        target("d", TargetKind::Directory),
    ];
    let mut sample = Sample::new(facts, &said(text, targets)).lived(2);
    for cost in &mut sample.costs {
        (cost.provider, cost.class, cost.doubt) = (text.to_owned(), text.to_owned(), Some(text.to_owned()));
    }
    sample
}
