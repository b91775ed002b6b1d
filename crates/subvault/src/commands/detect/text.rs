//! What was found out, as one screen of text in groups.

use subvault_host::facts::NotKnown;
use subvault_host::probe::Probe;
use subvault_model::facts::{Disk, Machine, PassedOver, PassedOverBecause, PoolFacts, Power, SubvolumeFacts, Use};
use subvault_model::file_path::FilePath;

use super::Answer;
use crate::output::{size, table};

/// More subvolumes of a pool than these are counted.
const SUBVOLUMES: usize = 25;

const UNKNOWN: &str = "not known";

/// All of it.
pub(super) fn describe(answer: &Answer) -> String {
    let facts = &answer.found.facts;
    let mut groups = vec![machine(&facts.machine)];
    groups.extend(facts.power.as_ref().map(power));
    groups.push(disks(&facts.disks));
    groups.extend((!facts.passed_over.is_empty()).then(|| passed_over(&facts.passed_over)));
    groups.extend(facts.pools.iter().map(pool));
    groups
        .extend((facts.pools.is_empty() && !answer.is_of_report).then(|| "Pools\n  no Btrfs is mounted\n".to_owned()));
    groups.extend(answer.probe.as_ref().map(probe));
    groups.extend((!answer.found.not_known.is_empty()).then(|| not_known(&answer.found.not_known)));
    groups.join("\n")
}

/// A heading, and below it what is said of what, aligned.
fn group(heading: &str, rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let rows = rows.iter().map(|(name, value)| format!("  {name:width$}  {value}").trim_end().to_owned() + "\n");
    format!("{heading}\n{}", rows.collect::<String>())
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

fn machine(machine: &Machine) -> String {
    let known = |text: Option<String>| text.unwrap_or_else(|| UNKNOWN.to_owned());
    let model: Vec<_> = [&machine.vendor, &machine.product].into_iter().flatten().map(String::as_str).collect();
    let has_uefi = machine.has_uefi.map(|has| if has { "yes" } else { "no" }.to_owned());
    let system = machine.distribution.clone().map(|id| if machine.is_proxmox { format!("{id}, Proxmox") } else { id });
    let proxmox = machine.is_proxmox.then(|| "Proxmox".to_owned());
    group(
        "Machine",
        &[
            ("name", known(machine.host_name.clone())),
            ("model", known((!model.is_empty()).then(|| model.join(" ")))),
            ("built as", known(machine.chassis.words().map(str::to_owned))),
            ("runs on", machine.virtualisation.as_deref().map_or("bare metal".to_owned(), virtualised)),
            ("processors", known(machine.processors.map(|number| number.to_string()))),
            ("memory", known(machine.memory.map(size::size))),
            ("UEFI", known(has_uefi)),
            ("system", known(system.or(proxmox))),
        ],
    )
}

fn virtualised(kind: &str) -> String {
    if kind == "unknown" { "a hypervisor that does not say which".to_owned() } else { format!("{kind} (virtual)") }
}

fn power(power: &Power) -> String {
    let battery = match (power.has_battery, power.battery_percent) {
        (false, _) => "none".to_owned(),
        (true, None) => "yes".to_owned(),
        (true, Some(percent)) => format!("{percent} %"),
    };
    let mains = power.is_on_mains.map_or(UNKNOWN, |on| if on { "on" } else { "off" });
    group("Power", &[("battery", battery), ("mains", mains.to_owned())])
}

fn disks(disks: &[Disk]) -> String {
    if disks.is_empty() {
        return "Disks\n  none\n".to_owned();
    }
    let mut table = table::new(&["name", ">size", "attached", "kind", "model", "lasting name"]);
    for disk in disks {
        table.add_row([
            disk.name.clone(),
            size::both(disk.size),
            disk.transport.words().to_owned(),
            kind(disk),
            disk.model.clone().unwrap_or_else(|| "-".to_owned()),
            disk.id.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    format!("Disks\n{}", indented(&table::text(&table)))
}

fn kind(disk: &Disk) -> String {
    let turns = disk.is_rotational.map(|turns| if turns { "turns" } else { "flash" });
    let more = [(disk.is_removable, "removable"), (disk.has_windows, "Windows on it")];
    let more = more.into_iter().filter(|(is, _)| *is).map(|(_, words)| words);
    listed(turns.into_iter().chain(more))
}

/// The words with commas between them, or a dash.
fn listed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.collect();
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}

/// For each reason, which devices.
fn passed_over(devices: &[PassedOver]) -> String {
    let mut reasons: Vec<PassedOverBecause> = devices.iter().map(|device| device.because).collect();
    reasons.dedup();
    let mut rows: Vec<(String, PassedOverBecause)> = Vec::new();
    for because in reasons {
        if rows.iter().all(|(_, known)| *known != because) {
            let names = devices.iter().filter(|device| device.because == because).map(|device| device.name.as_str());
            rows.push((many(&names.collect::<Vec<_>>()), because));
        }
    }
    let rows: Vec<_> = rows.iter().map(|(names, because)| (names.as_str(), because.words().to_owned())).collect();
    group("Passed over", &rows)
}

fn many(names: &[&str]) -> String {
    match names {
        [first, _, _, .., last] => format!("{first} … {last} ({})", names.len()),
        few => few.join(", "),
    }
}

fn pool(pool: &PoolFacts) -> String {
    let room = format!(
        "{}: {} used, about {} free, {} unallocated",
        size::size(pool.size),
        size::size(pool.used),
        size::size(pool.free),
        size::size(pool.unallocated)
    );
    let layout = format!(
        "data {}, metadata {} ({} free)",
        pool.data_profile,
        pool.metadata_profile,
        size::size(pool.metadata_free)
    );
    let mut rows = vec![
        ("on", listed(pool.disks.iter().map(String::as_str))),
        ("room", room),
        ("layout", layout),
        ("options", listed(pool.mount_options.iter().map(String::as_str))),
        ("snapshots", pool.snapshots.to_string()),
    ];
    rows.extend(pool.growth_per_day.map(|growth| ("grows", format!("{} a day", size::size(growth)))));
    format!("{}{}", group(&format!("Pool {}", pool.uuid), &rows), subvolumes(&pool.subvolumes))
}

/// The subvolumes, those first that are mounted or known to be used.
fn subvolumes(all: &[SubvolumeFacts]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut table = table::new(&["subvolume", "seen at", "set up", "used by", "changes a day"]);
    let mut all: Vec<_> = all.iter().collect();
    all.sort_by_key(|subvolume| (!subvolume.is_mounted, subvolume.uses.is_empty()));
    for subvolume in all.iter().take(SUBVOLUMES) {
        table.add_row([
            if subvolume.path.as_bytes().is_empty() { "(top level)".to_owned() } else { subvolume.path.to_string() },
            subvolume.seen_at.as_ref().map_or_else(|| "-".to_owned(), FilePath::to_string),
            set_up(subvolume),
            listed(subvolume.uses.iter().map(|by: &Use| by.words())),
            changes(subvolume),
        ]);
    }
    let rest = all.len().saturating_sub(SUBVOLUMES);
    let rest = if rest > 0 { format!("  … and {rest} more: --json has them all\n") } else { String::new() };
    format!("{}{rest}", indented(&table::text(&table)))
}

fn set_up(subvolume: &SubvolumeFacts) -> String {
    let nested = subvolume.is_nested.then_some("nested");
    let nodatacow = subvolume.is_nodatacow.then_some("nodatacow");
    let compression = subvolume.compression.map(|compression| format!("compression {}", compression.words()));
    listed(nested.into_iter().chain(nodatacow).chain(compression.as_deref()))
}

fn changes(subvolume: &SubvolumeFacts) -> String {
    let Some(change) = subvolume.change else { return "-".to_owned() };
    let over = if change.hours < 48 { format!("{} h", change.hours) } else { format!("{} days", change.hours / 24) };
    format!("{} (over {over})", size::size(change.per_day))
}

fn probe(probe: &Probe) -> String {
    let sync = probe.sync_microseconds.map_or_else(
        || UNKNOWN.to_owned(),
        |time| format!("{}.{} ms for a small write (median)", time / 1000, time % 1000 / 100),
    );
    group(
        &format!("Measured in {}, with {} that do not compress", probe.directory, size::size(probe.size)),
        &[
            ("written in order", size::rate(probe.write_per_second, 1.0)),
            ("read in order", size::rate(probe.read_per_second, 1.0)),
            ("read at random", format!("{} times 4 KiB a second", probe.random_reads_per_second)),
            ("until it is on the disk", sync),
        ],
    )
}

fn not_known(all: &[NotKnown]) -> String {
    let lines = all.iter().map(|one| format!("  {}: {}\n", one.what, one.why));
    format!("Not known\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use subvault_host::facts::Found;
    use subvault_model::bytesize::ByteSize;
    use subvault_model::facts::{ChangeRate, Facts, InodeCompression};
    use subvault_model::ids::PoolUuid;

    use super::*;

    fn subvolume(path: &str, seen_at: Option<&str>, uses: &[Use]) -> SubvolumeFacts {
        SubvolumeFacts {
            path: FilePath::new(path),
            seen_at: seen_at.map(FilePath::new),
            is_mounted: seen_at.is_some(),
            is_nested: path.contains('/'),
            is_nodatacow: uses.contains(&Use::PostgreSql),
            compression: path.is_empty().then_some(InodeCompression::None),
            uses: uses.to_vec(),
            change: None,
        }
    }

    fn of_pool() -> PoolFacts {
        let change = ChangeRate { per_day: ByteSize::mib(288), hours: 2 };
        let home = SubvolumeFacts { change: Some(change), ..subvolume("@home", Some("/home"), &[Use::Home]) };
        PoolFacts {
            uuid: PoolUuid::from_bytes([0xa5; 16]).unwrap(),
            disks: vec!["nvme0n1".to_owned(), "nvme1n1".to_owned()],
            size: ByteSize::gib(900),
            used: ByteSize::gib(100),
            free: ByteSize::gib(700),
            unallocated: ByteSize::gib(650),
            metadata_free: ByteSize::gib(2),
            data_profile: "single".to_owned(),
            metadata_profile: "raid1".to_owned(),
            mount_options: vec!["compress=zstd:3".to_owned(), "ssd".to_owned()],
            subvolumes: vec![
                subvolume("", None, &[]),
                subvolume("@/pg", None, &[Use::PostgreSql]),
                subvolume("@", Some("/"), &[Use::Root]),
                home,
            ],
            snapshots: 42,
            growth_per_day: None,
        }
    }

    #[test]
    fn a_pool_is_a_group_of_its_own() {
        let wanted = "\
Pool a5a5a5a5-a5a5-a5a5-a5a5-a5a5a5a5a5a5
  on         nvme0n1, nvme1n1
  room       900 GiB: 100 GiB used, about 700 GiB free, 650 GiB unallocated
  layout     data single, metadata raid1 (2 GiB free)
  options    compress=zstd:3, ssd
  snapshots  42
  SUBVOLUME    SEEN AT  SET UP             USED BY           CHANGES A DAY
  @            /        -                  the system        -
  @home        /home    -                  home directories  288 MiB (over 2 h)
  @/pg         -        nested, nodatacow  PostgreSQL        -
  (top level)  -        compression none   -                 -
";
        assert_eq!(pool(&of_pool()), wanted);
    }

    #[test]
    fn long_lists_are_made_short() {
        let many_more = PoolFacts {
            subvolumes: (0..120).map(|number| subvolume(&format!("layer{number}"), None, &[])).collect(),
            ..of_pool()
        };
        let text = pool(&many_more);
        assert!(text.lines().count() < 40 && text.contains("… and 95 more: --json"), "{text}");
        assert_eq!(many(&["a", "b", "c"]), "a, b, c");
        assert_eq!(many(&["loop0", "loop1", "loop2", "loop3"]), "loop0 … loop3 (4)");
    }

    #[test]
    fn what_is_measured_and_what_is_not_known_come_last() {
        let probe = Probe {
            directory: FilePath::new("/home"),
            size: ByteSize::mib(255),
            write_per_second: ByteSize::mib(812),
            read_per_second: ByteSize::gib(2),
            random_reads_per_second: 9120,
            sync_microseconds: Some(1234),
        };
        let not_known = vec![NotKnown { what: "much".to_owned(), why: "nobody says".to_owned() }];
        let found = Found { facts: Facts::default(), not_known };
        let text = describe(&Answer { found, probe: Some(probe), is_of_report: false });
        let wanted = "\
Pools
  no Btrfs is mounted

Measured in /home, with 255 MiB that do not compress
  written in order         812 MiB/s
  read in order            2048 MiB/s
  read at random           9120 times 4 KiB a second
  until it is on the disk  1.2 ms for a small write (median)

Not known
  much: nobody says
";
        assert!(text.ends_with(wanted), "{text}");
    }
}
