//! Bare metal: from an empty disk to the host as it was. Filesystems get the uuids of those that they replace, so that the
//! fstab and the boot entries that come back with the system are right as they are.

pub(super) mod boot;
mod disks;
mod items;
mod rest;

use std::path::{Path, PathBuf};

use subvault_model::bytesize::ByteSize;
use subvault_plan::strategy::layout;

use self::disks::{Content, Identity, Metal, MetalDisk, MetalPool, Partition};
use self::items::Item;
use super::host::Host;
use super::page::{Page, Part, Place, Step};
use super::shell::{self, TOP};
use super::words::{Words, words};
use super::{Site, Target, bucket, quote};

/// The shell's variable for a disk, before its number; and for what the names of its partitions begin with.
const DISK: &str = "DISK";
const PART: &str = "PART";
/// Where the system is put together.
const SYSTEM: &str = "/mnt/system";

/// The page.
pub(super) fn page(host: &Host<'_>) -> Option<Page> {
    let targets = sources(host);
    if targets.is_empty() {
        return None;
    }
    let layout = layout::of(host.runbook.strategy.profile.value);
    let metal = Metal::of(host, &layout);
    let items = items::all(host, &metal.pools, &layout);
    let (mut at_hand, _) = shell::prepare(host);
    at_hand.extend(metal.disks.iter().map(disk_words));
    at_hand.extend(targets.iter().flat_map(|target| shell::reach(host, target, Place::Rescue).0));
    let bare = Bare { host, metal, items };
    let mut parts = vec![bare.disk_part()];
    for (number, target) in targets.iter().enumerate() {
        let begin = if number == 0 { "Then: what was saved, out of" } else { "Or: what was saved, out of" };
        parts.push(bare.data_part(target, Words::list(begin, [&target.name])));
    }
    parts.push(rest::part(&bare));
    parts.extend(boot::loaders(&bare));
    parts.push(first_boot());
    Some(Page {
        name: "bare-metal".to_owned(),
        title: "The whole machine, from an empty disk".into(),
        when: "The disk died, the machine is lost, or nothing on the pool can be read any more. The dead disk is out of the machine: two pools of one uuid must never be in it together.".into(),
        at_hand,
        parts,
    })
}

/// The targets that something can come from, those with the system in them first, then what is nearest.
fn sources<'a>(host: &Host<'a>) -> Vec<&'a Target> {
    let mut targets: Vec<&Target> = Vec::new();
    let roots = host.subvolumes.iter().filter(|subvolume| subvolume.is_root());
    for subvolume in roots.chain(&host.subvolumes) {
        let new = host.targets_of(subvolume).into_iter().filter(|target| !targets.contains(target));
        targets.extend(new.collect::<Vec<_>>());
    }
    targets
}

fn disk_words(disk: &MetalDisk) -> Words {
    match disk.size {
        Some(size) => words!("A disk in the place of {}, of {} or more.", disk.name, size),
        None => words!("A disk in the place of {}.", disk.name),
    }
}

/// The page's parts.
pub(super) struct Bare<'h, 'a> {
    pub(super) host: &'h Host<'a>,
    metal: Metal,
    items: Vec<Item<'h, 'a>>,
}

impl Bare<'_, '_> {
    /// Says which disks are meant.
    pub(super) fn say_disks(&self) -> Step {
        let line = |(index, disk): (usize, &MetalDisk)| {
            let number = index + 1;
            let name = quote::path(&Path::new("/dev").join(&disk.name));
            format!(
                "{DISK}{number}={name}\ncase ${DISK}{number} in *[0-9]) {PART}{number}=${{{DISK}{number}}}p ;; *) {PART}{number}=${DISK}{number} ;; esac"
            )
        };
        let lines: Vec<String> = self.metal.disks.iter().enumerate().map(line).collect();
        Step::new("Say which disk is the new one: put its name in the place of the one that stands here.")
            .run(Place::Rescue, lines.join("\n"))
    }

    fn disk_part(&self) -> Part {
        let (_, prepare) = shell::prepare(self.host);
        let look = Step::new("Look how the new disk is called.")
            .run(Place::Rescue, "lsblk -o NAME,SIZE,MODEL,TRAN,FSTYPE,LABEL")
            .see("the new disk, with nothing on it. Everything on it will be lost: be sure which one it is.");
        let disks = self.metal.disks.iter().enumerate().map(|(index, disk)| divide(index + 1, disk));
        let systems = self.metal.disks.iter().enumerate().filter_map(|(index, disk)| filesystems(index + 1, disk));
        let pools = self.metal.pools.iter().enumerate().map(|(index, pool)| self.pool(index, pool));
        Part::new("First: the disk")
            .steps(prepare.into_iter().chain([look, self.say_disks()]).chain(disks).chain(systems).chain(pools))
            .check([Step::new("Everything is there, with the uuids that the fstab names.")
                .run(Place::Rescue, "lsblk -o NAME,SIZE,FSTYPE,LABEL,UUID")
                .see("the partitions with their filesystems.")])
    }

    fn pool(&self, index: usize, pool: &MetalPool) -> Step {
        let devices = self.metal.devices(index);
        let devices: Vec<String> =
            devices.iter().map(|(disk, number)| format!("\"${{{PART}{disk}}}{number}\"")).collect();
        let mut command = "mkfs.btrfs -f".to_owned();
        if let Some(uuid) = pool.uuid {
            command.push_str(&format!(" -U {uuid}"));
        }
        if let Some(label) = &pool.label {
            command.push_str(&format!(" -L {}", quote::text(label)));
        }
        if let Some((data, metadata)) = &pool.profiles {
            command.push_str(&format!(" -d {} -m {}", quote::text(data), quote::text(metadata)));
        }
        Step::new("Make the pool, with the uuid of the one that is gone. It is refused while the old one is still in the machine.")
            .run(Place::Rescue, format!("{command} {}", devices.join(" ")))
            .see("`UUID:` and the uuid.")
    }

    /// Where something comes from: this target, or the nearest where this one does not have it.
    fn source(&self, item: &Item<'_, '_>, target: &'_ Target) -> Option<&Target> {
        let targets = self.host.targets_of(item.subvolume?);
        targets.iter().find(|one| **one == target).or(targets.first()).copied()
    }

    /// Brings what a target has; what is only elsewhere comes from there.
    fn data_part(&self, target: &Target, title: Words) -> Part {
        let sources = self.items.iter().filter_map(|item| Some((item, self.source(item, target)?)));
        let mut reached: Vec<&Target> = Vec::new();
        for (_, source) in sources.clone() {
            if !reached.contains(&source) {
                reached.push(source);
            }
        }
        let mut steps = self.top();
        steps.extend(reached.iter().filter_map(|source| first_of_all(source)));
        steps.extend(reached.iter().flat_map(|source| shell::reach(self.host, source, Place::Rescue).1));
        steps.extend(sources.clone().filter_map(|(item, source)| self.bring(item, source)));
        let mut tidy =
            Step::new("Remove the read-only snapshots that came with them.").see("`Delete subvolume` for each.");
        for pool in 0..self.metal.pools.len() {
            let arrived = self.arrived(pool);
            if sources.clone().any(|(item, _)| item.pool == pool) {
                tidy = tidy.run(Place::Rescue, format!("btrfs subvolume delete {arrived}/*\nrmdir {arrived}"));
            }
        }
        let check = Step::new("They are there.").run(Place::Rescue, format!("btrfs subvolume list {TOP}"));
        Part::new(title).steps(steps.into_iter().chain([tidy])).check([check])
    }

    /// Mounts the top level of the pools. Several are rare: the first is the one that commands work on.
    fn top(&self) -> Vec<Step> {
        let device = |pool: usize| {
            self.metal.devices(pool).first().map(|(disk, number)| format!("\"${{{PART}{disk}}}{number}\""))
        };
        let command = |index: usize, pool: &MetalPool| {
            let at = self.top_of(index);
            let source = pool.uuid.map(|uuid| format!("UUID={uuid}")).or_else(|| device(index))?;
            Some(format!("mkdir -p {at}\nif ! mountpoint -q {at}; then mount -o subvolid=5 {source} {at}; fi"))
        };
        let commands = self.metal.pools.iter().enumerate().filter_map(|(index, pool)| command(index, pool));
        let mut step = Step::new("Mount its top level.");
        for command in commands {
            step = step.run(Place::Rescue, command);
        }
        vec![self.say_disks(), step]
    }

    /// Where the top level of a pool is mounted.
    fn top_of(&self, pool: usize) -> String {
        if pool == 0 { TOP.to_owned() } else { format!("{TOP}{}", pool + 1) }
    }

    /// Where subvolumes arrive on a pool.
    fn arrived(&self, pool: usize) -> String {
        format!("{}/restored", self.top_of(pool))
    }

    /// Where a subvolume is while the top levels are mounted.
    fn at(&self, item: &Item<'_, '_>) -> PathBuf {
        Path::new(&self.top_of(item.pool)).join(&item.path)
    }

    fn bring(&self, item: &Item<'_, '_>, target: &Target) -> Option<Step> {
        let subvolume = item.subvolume?.name();
        let arrived = self.arrived(item.pool);
        let (name, from) = (quote::text(subvolume), quote::text(target.name.as_str()));
        let key = self.host.identity_option();
        let there = quote::path(&self.at(item));
        let came = quote::path(&Path::new(&arrived).join(subvolume));
        let what = words!(
            "Bring {} from {}, and give it its place. Interrupted, give the same command again.",
            subvolume,
            target.name
        );
        Some(
            Step::new(what)
                .run(
                    Place::Rescue,
                    format!("mkdir -p {arrived}\nsubvault restore {name} --from {from} --to {arrived}{key}"),
                )
                .run(Place::Rescue, format!("{}mv -T {came} {there}", room(&there, &item.path)))
                .see("`writable`, and the path to which it came. It was compared with what the snapshot held."),
        )
    }
}

/// What has to be done before anything can come from there.
fn first_of_all(target: &Target) -> Option<Step> {
    match &target.site {
        Site::Disk { luks: Some((_, key)), .. } => {
            let key = quote::shown(key);
            Some(Step::new(words!("The disk is opened with the file {}: it must be there too.", key)))
        }
        Site::Bucket(bucket) if bucket::is_cold(bucket) => {
            let thawed = Step::new(
                Words::from("What is there must have been thawed before:").and(Words::page(&target.page(), "how")),
            );
            Some(thawed)
        }
        _ => None,
    }
}

/// What makes room for a subvolume inside of another one; at the top level there is nothing.
pub(super) fn room(there: &str, path: &Path) -> String {
    match path.parent().is_some_and(|parent| parent != Path::new("")) {
        true => format!("mkdir -p {there}\nrmdir {there}\n"),
        false => String::new(),
    }
}

/// Divides a disk.
fn divide(number: usize, disk: &MetalDisk) -> Step {
    if disk.has_windows {
        return Step::new("Windows is on this disk too: make partitions in its free room by hand, and put their numbers into the commands that follow.")
            .skip(Place::Rescue, format!("cfdisk \"${DISK}{number}\""), "it asks, and is answered by hand");
    }
    let mut options = String::new();
    for (index, partition) in disk.partitions.iter().enumerate() {
        let index = index + 1;
        let size = partition.size.map_or("0".to_owned(), |size| format!("+{}M", size.get() / ByteSize::mib(1).get()));
        let kind = match partition.content {
            Content::Esp => "ef00",
            Content::BiosBoot => "ef02",
            Content::Ext4 | Content::Pool(_) => "8300",
            Content::Swap => "8200",
        };
        options.push_str(&format!(" -n {index}:0:{size} -t {index}:{kind}"));
        if let Identity::PartUuid(uuid) = &partition.identity {
            options.push_str(&format!(" -u {index}:{}", quote::text(uuid)));
        }
    }
    let parts: Vec<String> = (1..=disk.partitions.len()).map(|n| format!("\"${{{PART}{number}}}{n}\"")).collect();
    Step::new("Divide it anew. This is the step after which nothing that was on it is left.")
        .run(
            Place::Rescue,
            format!("sgdisk --zap-all \"${DISK}{number}\"\nsgdisk{options} \"${DISK}{number}\"\nudevadm settle"),
        )
        .run(Place::Rescue, format!("wipefs --all {}", parts.join(" ")))
        .see("`The operation has completed successfully.`")
}

/// Makes the filesystems of a disk that are no pools.
fn filesystems(number: usize, disk: &MetalDisk) -> Option<Step> {
    let numbered = disk.partitions.iter().enumerate();
    let commands: Vec<String> = numbered.filter_map(|(index, partition)| make(partition, number, index + 1)).collect();
    let step = Step::new("Make its other filesystems.").run(Place::Rescue, commands.join("\n"));
    (!commands.is_empty()).then_some(step)
}

fn make(partition: &Partition, disk: usize, number: usize) -> Option<String> {
    let (uuid, label) = match &partition.identity {
        Identity::Uuid(uuid) => (Some(uuid), None),
        Identity::Label(label) => (None, Some(label)),
        Identity::PartUuid(_) | Identity::Unknown => (None, None),
    };
    let with = |command: &str, uuid_option: &str, uuid: Option<String>, label_option: &str| {
        let mut command = command.to_owned();
        for (option, value) in [(uuid_option, uuid), (label_option, label.cloned())] {
            command.push_str(&value.map_or_else(String::new, |value| format!(" {option} {}", quote::text(&value))));
        }
        format!("{command} \"${{{PART}{disk}}}{number}\"")
    };
    match partition.content {
        // The number of a volume is written without its dash.
        Content::Esp => Some(with("mkfs.vfat -F 32", "-i", uuid.map(|uuid| uuid.replace('-', "")), "-n")),
        Content::Ext4 => Some(with("mkfs.ext4 -F -q", "-U", uuid.cloned(), "-L")),
        Content::Swap => Some(with("mkswap", "-U", uuid.cloned(), "-L")),
        Content::BiosBoot | Content::Pool(_) => None,
    }
}

fn first_boot() -> Part {
    let run = |what: &str, command: &str, see: &str| Step::new(what).run(Place::Here, command).see(see);
    Part::new("After the first boot").steps([
        run("Everything is mounted where it belongs.", "findmnt --types btrfs", "each subvolume at its place."),
        run("The set-up works.", "subvault doctor", "how many checks are good, and what to do about the others."),
        run("Take first snapshots, and send them: each is a full, since the snapshots that earlier streams built on are gone.", "subvault archive", "`full` for each subvolume.")
            .skip(Place::Here, "systemctl --failed", "there is no running systemd"),
    ])
}
