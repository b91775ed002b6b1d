//! The tables that the strategy was asked to follow, as they are written there. Each is named by the letter of its source in the
//! requirements; where the strategy does otherwise, the ruling is named beside it.

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use subvault_model::bytesize::ByteSize;
use subvault_model::facts::{Chassis, Disk, Facts, Machine, Power, SubvolumeFacts, Transport, Use};
use subvault_model::file_path::FilePath;
use subvault_plan::strategy::layout;
use subvault_plan::strategy::profile::{Family, Profile, choose};
use subvault_plan::strategy::proof;
use subvault_plan::strategy::sending::{NIGHT, calendar, conditions, frequency, start};
use subvault_plan::strategy::snapshots::{cadence, retention};
use subvault_plan::strategy::storage::{Mode, intent, sysctls};
use subvault_plan::strategy::tier::{Tier, of_workload, promise};
use subvault_plan::strategy::wall_clock::WallClock;
use subvault_plan::strategy::workload::{Workload, tell, tell_by_path};

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

/// Where no hour is ever left out.
fn wall() -> WallClock {
    WallClock::new(TimeZone::UTC, 2026)
}

fn workload(path: &str) -> Workload {
    tell_by_path(path.as_bytes()).value
}

fn tier(path: &str, profile: Profile) -> Tier {
    of_workload(workload(path), profile).value
}

/// A, "Data Criticality Classification", and the subvolumes of D's layout.
#[test]
fn what_matters_how_much() {
    for (path, expected) in [
        ("/var/lib/postgresql", Tier::Critical),
        ("/", Tier::Critical),
        ("/home", Tier::Critical),
        ("/home/dev", Tier::Important),
        ("/var/lib/containers", Tier::Important),
        ("/var/log", Tier::Standard),
        // A has caches both as standard and as temporary; D as temporary.
        ("/var/cache", Tier::Temporary),
        ("/tmp", Tier::Temporary),
        ("/swap", Tier::Temporary),
    ] {
        assert_eq!(tier(path, Profile::SingleNvmeLaptop), expected, "A: {path}");
    }
    for (path, expected) in [
        ("/nix", Tier::Critical),
        ("/persist", Tier::Critical),
        ("/var/log", Tier::Important),
        ("/var/lib/services", Tier::Critical),
        ("/var/lib/caddy", Tier::Critical),
        ("/var/backup", Tier::Important),
        ("/", Tier::Temporary),
        ("/var/cache", Tier::Temporary),
        ("/var/tmp", Tier::Temporary),
        ("/.snapshots", Tier::Temporary),
        ("/btrfs_tmp/old_roots", Tier::Temporary),
    ] {
        assert_eq!(tier(path, Profile::ImpermanentServer), expected, "D: {path}");
    }
}

/// B, "Host Profile Matrix": RPO and RTO; of a range the end that promises less work lost, and the longer way back.
#[test]
fn what_is_promised_on_which_host() {
    for (profile, lose_minutes, back_minutes) in [
        (Profile::DualNvmeLaptop, HOUR, HOUR),
        (Profile::SingleNvmeLaptop, HOUR, HOUR),
        (Profile::ProductionVps, 30, 30),
        (Profile::StagingVps, 4 * HOUR, 2 * HOUR),
        (Profile::UtilityVps, 4 * HOUR, 2 * HOUR),
    ] {
        let promised = promise(Tier::Critical, profile).unwrap();
        assert_eq!(promised.lose_at_most, SignedDuration::from_mins(lose_minutes), "B: {profile}");
        assert_eq!(promised.back_within, SignedDuration::from_mins(back_minutes), "B: {profile}");
    }
    // A: hours to a day for what is important, a day to a week for what is standard, nothing for what is temporary.
    let lose = |tier, profile| promise(tier, profile).map(|p| p.lose_at_most.as_mins());
    assert_eq!(lose(Tier::Important, Profile::Laptop), Some(DAY));
    assert_eq!(lose(Tier::Standard, Profile::ProductionVps), Some(DAY));
    assert_eq!(lose(Tier::Standard, Profile::Laptop), Some(7 * DAY));
    assert_eq!(lose(Tier::Temporary, Profile::ProductionVps), None);
}

/// A, "Snapshot Frequency Determination"; the times of day are B's, "Snapshot Schedule".
#[test]
fn how_often_snapshots_are_taken() {
    let taken = |tier, profile| cadence(promise(tier, profile), &wall()).value;
    let taken = |tier, profile| taken(tier, profile).unwrap_or_default();
    // Ruling 6: B calls hourly unused, A asks for it; the tier and what may be lost decide.
    assert_eq!(taken(Tier::Critical, Profile::Laptop), "hourly");
    assert_eq!(taken(Tier::Critical, Profile::ProductionVps), "*:00/30");
    assert_eq!(taken(Tier::Critical, Profile::StagingVps), "00/4:00");
    assert_eq!(taken(Tier::Important, Profile::Laptop), "02:00");
    assert_eq!(taken(Tier::Standard, Profile::ProductionVps), "02:00");
    assert_eq!(taken(Tier::Standard, Profile::Laptop), "Sun 03:00");
    assert_eq!(taken(Tier::Temporary, Profile::Laptop), "");
    // E: a Proxmox host at two in the night.
    assert_eq!(taken(Tier::Critical, Profile::ProxmoxHost), "02:00");
}

/// A, "Retention Policy Calculation", and B, "Snapshot Retention Policies"; together as requirement P3 has them.
#[test]
fn which_snapshots_stay() {
    let periods = |tier, profile| retention(tier, profile).map(|keep| keep.value.periods);
    for (tier, profile, expected) in [
        // A: hourly for 7 days, daily for 30, weekly for 90; B: laptops 7, 4, 12.
        (Tier::Critical, Profile::SingleNvmeLaptop, Some([168, 30, 13, 12, 0, 0])),
        // B: servers 30, 12, 12.
        (Tier::Critical, Profile::ProductionVps, Some([168, 30, 13, 12, 0, 0])),
        // A: daily for 14 days, weekly for 60.
        (Tier::Important, Profile::SingleNvmeLaptop, Some([0, 14, 9, 12, 0, 0])),
        (Tier::Important, Profile::UtilityVps, Some([0, 30, 12, 12, 0, 0])),
        // A: daily for 7 days, weekly for 30.
        (Tier::Standard, Profile::SingleNvmeLaptop, Some([0, 7, 5, 0, 0, 0])),
        (Tier::Standard, Profile::ProductionVps, Some([0, 7, 5, 0, 0, 0])),
        (Tier::Temporary, Profile::ProductionVps, None),
    ] {
        assert_eq!(periods(tier, profile), expected, "{tier} on {profile}");
    }
}

/// B, "CoW vs Nodatacow Decision Matrix" and "Mount Option Comparison Matrix".
#[test]
fn how_files_are_stored() {
    let stored = |path: &str, profile| {
        let intent = intent(workload(path), profile, Mode::Balanced).value;
        (intent.is_cow, intent.compression.to_string())
    };
    for (path, is_cow, compression) in [
        ("/", true, "zstd:3"),
        ("/home", true, "zstd:3"),
        ("/home/dev", true, "zstd:3"),
        // Ruling 3: B wants nodatacow for its hard links, which do not need it; D keeps copy on write.
        ("/nix", true, "zstd:1"),
        ("/var/lib/postgresql", false, "no"),
        ("/var/lib/redis", false, "no"),
        ("/var/lib/containers", false, "no"),
        ("/var/log", true, "zstd:3"),
        ("/var/cache", true, "zstd:1"),
        ("/tmp", false, "no"),
        ("/swap", false, "no"),
    ] {
        let expected = (is_cow, compression.to_owned());
        assert_eq!(stored(path, Profile::ProductionVps), expected, "B: {path}");
        assert_eq!(stored(path, Profile::SingleNvmeLaptop), expected, "B: {path}");
    }
    assert_eq!(stored("/home/dev", Profile::DualNvmeLaptop), (false, "zstd:3".to_owned()), "B: builds");
    // D, "Mount Options Matrix".
    for (path, is_cow, compression) in [
        ("/nix", true, "zstd:1"),
        ("/persist", true, "zstd:3"),
        ("/var/log", true, "zstd:3"),
        // Ruling 1: D has zstd:2 here, and the level is that of the filesystem.
        ("/var/lib/services", true, "zstd:3"),
        ("/var/lib/caddy", true, "zstd:3"),
        ("/var/backup", true, "zstd:3"),
        ("/var/lib/containers", false, "zstd:1"),
        ("/", true, "zstd:3"),
        ("/var/cache", true, "zstd:3"),
        ("/var/tmp", false, "zstd:1"),
        ("/.snapshots", true, "zstd:3"),
        ("/btrfs_tmp/old_roots", true, "zstd:3"),
    ] {
        assert_eq!(stored(path, Profile::ImpermanentServer), (is_cow, compression.to_owned()), "D: {path}");
    }
}

/// D, "Performance Modes" and "Kernel Parameters".
#[test]
fn what_modes_change() {
    let level = |mode| intent(Workload::User, Profile::Server, mode).value.compression.to_string();
    assert_eq!(level(Mode::Balanced), "zstd:3");
    assert_eq!(level(Mode::IoOptimized), "zstd:2");
    assert_eq!(
        intent(Workload::PackageStore, Profile::Server, Mode::SpaceOptimized).value.compression.to_string(),
        "zstd:3"
    );
    let of =
        |mode| sysctls(mode, Profile::Server).iter().map(|s| format!("{} = {}", s.name, s.value)).collect::<Vec<_>>();
    let general = ["vm.overcommit_memory = 1", "vm.min_free_kbytes = 65536", "fs.inotify.max_user_watches = 524288"];
    let io =
        ["vm.vfs_cache_pressure = 50", "vm.dirty_ratio = 80", "vm.dirty_background_ratio = 15", "vm.swappiness = 1"];
    assert_eq!(of(Mode::Balanced), general);
    assert_eq!(of(Mode::IoOptimized), [io.as_slice(), &general].concat());
    assert_eq!(sysctls(Mode::Balanced, Profile::Laptop), []);
}

/// B, "Backup Schedule" and "Backup frequency by subvolume"; A, "Temporary Data: Backup: None".
#[test]
fn when_what_is_sent() {
    let sent = |path: &str, profile| calendar(frequency(workload(path), profile).value, 120);
    for (path, on_laptop, on_server) in [
        ("/var/lib/postgresql", Some("02:00"), Some("02:00")),
        ("/home", Some("02:00"), Some("02:00")),
        ("/home/dev", Some("02:00"), Some("02:00")),
        ("/", Some("Sun 02:00"), Some("Sun 02:00")),
        ("/var/lib/containers", Some("Sun 02:00"), None),
        ("/var/log", None, Some("Sat *-*-01..07 02:00")),
        ("/var/cache", None, None),
        ("/tmp", None, None),
    ] {
        assert_eq!(sent(path, Profile::DualNvmeLaptop).as_deref(), on_laptop, "B: {path}");
        assert_eq!(sent(path, Profile::ProductionVps).as_deref(), on_server, "B: {path}");
    }
    // E: weekly, on Sunday at two.
    assert_eq!(sent("/home", Profile::ProxmoxHost).as_deref(), Some("Sun 02:00"));
    assert_eq!((NIGHT.from, NIGHT.to, NIGHT.to_on_weekends), (2 * 60, 5 * 60, 6 * 60));
    for profile in Profile::ALL {
        let begins = start("hetzner", profile, &wall()).value;
        assert!((NIGHT.from..NIGHT.to).contains(&begins), "{profile}: {begins}");
    }
    // B: the production host begins between two and three.
    assert!((120..180).contains(&start("hetzner", Profile::ProductionVps, &wall()).value));
}

/// B, "Backup Validation": weekly, monthly, quarterly.
#[test]
fn what_is_proved_when() {
    let times: Vec<&str> = proof::calendar(Profile::ProductionVps).iter().map(|proof| proof.calendar).collect();
    assert_eq!(times, ["Sun 04:30", "Sat *-*-01..07 03:00", "Sat *-01,04,07,10-01..07 04:00"]);
}

/// B, "Subvolume Layout by Host", and what its own tests ask for.
#[test]
fn how_disks_are_divided() {
    let names = |profile| layout::of(profile).subvolumes().map(|s| s.name).collect::<Vec<_>>();
    assert_eq!(names(Profile::SingleNvmeLaptop), ["@", "@home", "@nix", "@containers", "@backups"]);
    assert_eq!(
        names(Profile::DualNvmeLaptop),
        [
            "@",
            "@home",
            "@dev-projects",
            "@nix",
            "@containers",
            "@cache",
            "@podman-cache",
            "@snapshots",
            "@tmp",
            "@user-cache"
        ]
    );
    let server = [
        "@",
        "@home",
        "@dev",
        "@config",
        "@local",
        "@user-cache",
        "@ai-tools",
        "@nix",
        "@log",
        "@var-cache",
        "@tmp",
        "@containers",
    ];
    assert_eq!(names(Profile::ProductionVps), [server.as_slice(), &["@postgresql", "@redis", "@swap"]].concat());
    assert_eq!(names(Profile::UtilityVps), [server.as_slice(), &["@swap"]].concat());
    // C, "Disk & Partition Layout".
    let desktop = layout::of(Profile::DualBootDesktop);
    let labels: Vec<Vec<&str>> = desktop.disks.iter().map(|d| d.partitions.iter().map(|p| p.label).collect()).collect();
    assert_eq!(
        labels,
        [vec!["ESP2", "boot", "swap", "LINPOOL"], vec!["ESP", "Windows"], vec!["WINBKUP", "CUSHION", "LINBKUP"]]
    );
    // What a layout says a subvolume is for is what it would be taken for.
    for profile in Profile::ALL {
        for subvolume in layout::of(profile).subvolumes() {
            let Some(mount) = subvolume.mount.filter(|_| profile != Profile::ProxmoxHost) else { continue };
            assert_eq!(workload(&mount.replace('*', "ann")), subvolume.workload, "{profile}: {mount}");
        }
    }
}

fn disk(name: &str, bytes: u64, transport: Transport) -> Disk {
    Disk {
        name: name.to_owned(),
        id: None,
        model: None,
        size: ByteSize::bytes(bytes),
        transport,
        is_rotational: Some(false),
        is_removable: false,
        has_windows: false,
    }
}

fn machine(chassis: Chassis, virtualisation: Option<&str>, disks: Vec<Disk>) -> Facts {
    let machine = Machine { chassis, virtualisation: virtualisation.map(str::to_owned), ..Machine::default() };
    Facts { machine, disks, ..Facts::default() }
}

/// B, "Profile Selection Logic".
#[test]
fn which_profile_a_host_has() {
    let nvme = |name: &str| disk(name, 2_000_398_934_016, Transport::Nvme);
    let usb = Disk { is_removable: true, ..disk("sda", 4_500_000_000_000, Transport::Usb) };
    let laptop = |disks| choose(&machine(Chassis::Portable, None, disks), None);
    assert_eq!(laptop(vec![nvme("nvme0n1"), nvme("nvme1n1")]).value, Profile::DualNvmeLaptop);
    assert_eq!(laptop(vec![nvme("nvme0n1"), usb.clone()]).value, Profile::SingleNvmeLaptop);
    assert_eq!(laptop(vec![usb.clone()]).value, Profile::Laptop);
    // Sizes are written in both units: 458 GiB, 536 GB, 200 GB; and a little less than sold.
    for (bytes, expected) in [
        (491_522_097_152, Profile::ProductionVps),
        (458_000_000_000, Profile::ProductionVps),
        (536_870_912_000, Profile::StagingVps),
        (536 << 30, Profile::StagingVps),
        (200_000_000_000, Profile::UtilityVps),
        (200 << 30, Profile::UtilityVps),
        (80 << 30, Profile::Vps),
    ] {
        let chosen =
            choose(&machine(Chassis::Unknown, Some("kvm"), vec![disk("sda", bytes, Transport::Virtual)]), None);
        assert_eq!(chosen.value, expected, "B: {bytes}: {}", chosen.because);
    }
    let windows = Disk { has_windows: true, ..disk("sda", 512_000_000_000, Transport::Sata) };
    let desktop = machine(Chassis::Desktop, None, vec![windows, disk("sdb", 2_000_000_000_000, Transport::Sata), usb]);
    assert_eq!(choose(&desktop, None).value, Profile::DualBootDesktop);
    assert_eq!(choose(&desktop, Some(Profile::Laptop)).value, Profile::Laptop);
    let mut proxmox = machine(Chassis::Desktop, None, vec![disk("sda", 6 << 40, Transport::Sata)]);
    proxmox.machine.is_proxmox = true;
    assert_eq!(choose(&proxmox, None).value, Profile::ProxmoxHost);
    assert_eq!(choose(&Facts::default(), None).value, Profile::Server);
    assert_eq!(Profile::ImpermanentServer.family(), Family::Server);
}

#[test]
fn what_is_in_a_subvolume_counts_more_than_its_name() {
    let subvolume = |path: &str, seen_at: Option<&str>, uses: &[Use]| SubvolumeFacts {
        path: FilePath::new(path),
        seen_at: seen_at.map(|at| FilePath::new(format!("/{at}"))),
        is_mounted: seen_at.is_some(),
        is_nested: false,
        is_nodatacow: false,
        compression: None,
        uses: uses.to_vec(),
        change: None,
    };
    for (facts, expected) in [
        (subvolume("@data", Some("srv/pg"), &[Use::PostgreSql]), Workload::Database),
        (subvolume("@", Some(""), &[Use::Root, Use::PostgreSql]), Workload::System),
        (subvolume("@log", Some("var/log"), &[]), Workload::Log),
        (subvolume("pool/@cache", None, &[]), Workload::Cache),
        (subvolume("@rootTW", None, &[]), Workload::System),
        (subvolume("whatever", Some("mnt/whatever"), &[]), Workload::User),
        (subvolume("\u{fffd}", None, &[]), Workload::User),
    ] {
        let told = tell(&facts);
        assert_eq!(told.value, expected, "{facts:?}: {}", told.because);
    }
}

/// P6: a laptop sends on mains or well charged; what nothing is known of waits for nothing.
#[test]
fn only_a_low_battery_keeps_a_laptop_from_sending() {
    let power = |has_battery, is_on_mains, battery_percent| Some(Power { has_battery, is_on_mains, battery_percent });
    for (power, waits) in [
        (power(true, Some(false), Some(49)), true),
        (power(true, Some(false), Some(50)), false),
        (power(true, Some(true), Some(3)), false),
        (power(true, None, Some(3)), false),
        (power(true, Some(false), None), false),
        (power(false, Some(false), None), false),
        (None, false),
    ] {
        for profile in Profile::ALL {
            let lacks = conditions(profile).value.lack_of_power(power).is_some();
            assert_eq!(lacks, waits && profile.family() == Family::Laptop, "{profile}: {power:?}");
        }
    }
}
