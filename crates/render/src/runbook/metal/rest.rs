//! What was not saved is made anew and empty, and everything is mounted where it belongs.

use std::path::{Path, PathBuf};

use subvault_plan::strategy::storage::Means;

use super::disks::{Identity, Partition};
use super::items::Item;
use super::{Bare, SYSTEM, boot, room};
use crate::runbook::page::{Part, Place, Step};
use crate::runbook::quote;
use crate::runbook::words::words;

/// The part.
pub(super) fn part(bare: &Bare<'_, '_>) -> Part {
    let is_sent =
        |item: &&Item<'_, '_>| item.subvolume.is_some_and(|subvolume| !bare.host.targets_of(subvolume).is_empty());
    let mut steps = vec![bare.say_disks()];
    steps.extend(bare.items.iter().filter(|item| !is_sent(item)).map(|item| create(bare, item)));
    steps.push(mount(bare));
    steps.extend(swap_file(bare));
    steps.push(fstab(bare));
    Part::new("Then: what was not saved, and everything in its place").steps(steps)
}

/// Makes a subvolume that nothing has to come back of.
fn create(bare: &Bare<'_, '_>, item: &Item<'_, '_>) -> Step {
    let there = quote::path(&bare.at(item));
    let mut command = format!("{}btrfs subvolume create {there}", room(&there, &item.path));
    for means in item.means() {
        match means {
            Means::NoCowAttribute => command.push_str(&format!("\nchattr +C {there}")),
            Means::CompressionProperty(kind) => {
                command.push_str(&format!("\nbtrfs property set {there} compression {kind}"));
            }
            Means::FilesystemOption(_) => {}
        }
    }
    let shown = quote::shown(&item.path);
    let what = words!("{} was sent nowhere: it is made empty. What it is for: {}.", shown, item.workload);
    Step::new(what).run(Place::Rescue, command).see("`Create subvolume`.")
}

fn mount(bare: &Bare<'_, '_>) -> Step {
    let mut mounted: Vec<(&Path, &Item<'_, '_>)> =
        bare.items.iter().filter_map(|item| Some((item.at.as_deref()?, item))).collect();
    mounted.sort_by_key(|(at, _)| *at);
    let bind = |(at, item): (&Path, &Item<'_, '_>)| {
        let there = quote::path(&inside(at));
        format!("mkdir -p {there}\nmount --bind {} {there}", quote::path(&bare.at(item)))
    };
    let mut commands: Vec<String> = mounted.into_iter().map(bind).collect();
    commands.extend(boot_partitions(bare));
    Step::new("Put it together as the system sees it.")
        .run(Place::Rescue, commands.join("\n"))
        .run(Place::Rescue, format!("findmnt -R {SYSTEM}"))
        .see("each subvolume where it belongs.")
}

/// The outer ones first: `/boot` before `/boot/efi`.
fn boot_partitions(bare: &Bare<'_, '_>) -> Vec<String> {
    let disks = bare.metal.disks.iter().enumerate();
    let numbered =
        disks.flat_map(|(disk, of)| of.partitions.iter().enumerate().map(move |(number, p)| (disk + 1, number + 1, p)));
    let mut points: Vec<(PathBuf, usize, usize)> =
        numbered.filter_map(|(disk, number, partition)| Some((partition.point.clone()?, disk, number))).collect();
    points.sort();
    points.into_iter().map(|(point, disk, number)| boot::mount(&point, disk, number)).collect()
}

fn inside(at: &Path) -> PathBuf {
    // Its parts: joined as a whole, the root's place would end with a slash.
    Path::new(SYSTEM).components().chain(at.components().skip(1)).collect()
}

fn swap_file(bare: &Bare<'_, '_>) -> Option<Step> {
    let line = bare
        .host
        .fstab
        .iter()
        .find(|line| line.kind == b"swap" && line.source.starts_with(b"/") && !line.source.starts_with(b"/dev/"))?;
    let file = inside(quote::as_os(&line.source));
    let parent = quote::path(file.parent()?);
    Some(
        Step::new("Make the swap file: say how large it was.")
            .run(
                Place::Rescue,
                format!(
                    "SIZE=4G\nmkdir -p {parent}\nbtrfs filesystem mkswapfile --size \"$SIZE\" {}",
                    quote::path(&file)
                ),
            )
            .see("`create swapfile`."),
    )
}

/// Whether the fstab fits, which it does where every filesystem has the identity of the one before.
fn fstab(bare: &Bare<'_, '_>) -> Step {
    let is_new = |partition: &Partition| partition.identity == Identity::Unknown && partition.point.is_some();
    let has_new = bare.metal.disks.iter().flat_map(|disk| &disk.partitions).any(is_new);
    let is_new_pool = bare.metal.pools.iter().any(|pool| pool.uuid.is_none());
    let compare = format!("grep -v '^#' {SYSTEM}/etc/fstab\nlsblk -o NAME,FSTYPE,LABEL,UUID,PARTUUID");
    let step = Step::new("Compare what the fstab names with what there is.").run(Place::Rescue, compare);
    if has_new || is_new_pool {
        return step
            .skip(Place::Rescue, format!("nano {SYSTEM}/etc/fstab"), "it is an editor")
            .see("names that are no more: write the new ones in their place.");
    }
    step.see("each name of the fstab among the others: they were given to the new filesystems.")
}
