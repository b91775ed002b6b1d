//! The system itself: back to a snapshot, from the running system or from a rescue system.

use std::path::{Path, PathBuf};

use super::host::{Host, InPool, Subvolume};
use super::page::{Page, Part, Place, Step};
use super::shell::{self, TOP, at_top};
use super::subvolume::together;
use super::words::Words;
use super::{metal, quote};

/// Why no test runs a reboot.
pub(super) const REBOOTS: &str = "it would reboot the machine";

/// The page.
pub(super) fn page(host: &Host<'_>) -> Option<Page> {
    let root = host.root()?;
    let mut parts = vec![running(root)];
    if let Some(place) = root.place() {
        let system = System { host, root, place };
        parts.push(system.rescue());
        parts.extend(system.by_hand());
    }
    let mut at_hand = vec![
        "Roughly when the system was still right.".into(),
        "Where it does not start: a rescue system on a stick (any live Linux with Btrfs) with the program `subvault` in it.".into(),
    ];
    at_hand.extend(together(host, root));
    Some(Page {
        name: "rollback".to_owned(),
        title: "The system as it was".into(),
        when: "An update or a change of the configuration broke the system; or it does not start any more. People's files stay as they are where they are in a subvolume of their own.".into(),
        at_hand,
        parts,
    })
}

fn running(root: &Subvolume<'_>) -> Part {
    let list = Step::new("Look which snapshots there are.")
        .run(Place::Here, format!("subvault list {}", quote::text(root.name())))
        .see("a line for each; the last one is the newest.");
    let dry = Step::new("See what would be done, and whether it would boot. The newest is taken; another one is chosen with `--to '2026-11-20 14:30'`, here and in the next step.")
        .run(Place::Here, "subvault rollback / --dry-run")
        .see("`ok` before each check. A `note` is good to know. `REFUSED` says what would not boot: choose a younger snapshot.");
    let act = Step::new("Do it. It takes a second, and nothing is deleted.")
        .run(Place::Here, "subvault rollback / --yes")
        .see("what the system is now, and what it was is kept as. Until the reboot the old one runs on.");
    let undo = Step::new("What was replaced comes back.").run(Place::Here, "subvault rollback / --undo --yes");
    Part::new("It still starts")
        .steps([list, dry, act, reboot(Place::Here)])
        .check(check())
        .back([undo, reboot(Place::Here)])
}

pub(super) fn reboot(place: Place) -> Step {
    Step::new("Reboot.").skip(place, "reboot", REBOOTS)
}

fn check() -> [Step; 2] {
    [
        Step::new("After the reboot: the system runs from its subvolume.")
            .run(Place::Here, "findmnt /")
            .see("the subvolume in brackets behind the device."),
        Step::new("What does not work is told.").run(Place::Here, "subvault status").skip(
            Place::Here,
            "systemctl --failed",
            "there is no running systemd",
        ),
    ]
}

struct System<'h, 'a> {
    host: &'h Host<'a>,
    root: &'h Subvolume<'a>,
    place: InPool,
}

impl System<'_, '_> {
    fn rescue(&self) -> Part {
        let device = format!("/dev/disk/by-uuid/{}", self.place.pool);
        let boot = metal::boot::mount_boot(self.host, Path::new("/mnt/boot"));
        let with_boot = if boot.is_some() { " --boot /mnt/boot" } else { "" };
        let command = |more: &str| {
            format!("subvault rollback --pool {device} {more}{with_boot} {}", quote::operand(&self.place.path))
        };
        let look = Step::new("Start the rescue system, become root, and look whether it sees the pool.")
            .run(Place::Rescue, format!("command -v subvault\nls -l {device}"))
            .see("where the program is, and which device the pool is on.");
        let mounted = boot.map(|commands| {
            Step::new("Mount what the system boots from: entries and kernels are checked there.")
                .run(Place::Rescue, commands)
        });
        let dry = Step::new("See what would be done, and whether it would boot. Another snapshot is chosen with `--to` and its name or a moment, here and in the next step.")
            .run(Place::Rescue, command("--to latest --dry-run"))
            .see("`ok` before each check. A `note` is good to know.");
        let act = Step::new("Do it.")
            .run(Place::Rescue, command("--to latest --yes"))
            .see("what the system is now, and what it was is kept as.");
        let leave = mounted.is_some().then(|| Step::new("Let go of it.").run(Place::Rescue, "umount /mnt/boot"));
        let undo = Step::new("What was replaced comes back.").run(Place::Rescue, command("--undo --yes"));
        let mut undone: Vec<Step> = mounted.clone().into_iter().collect();
        undone.push(undo);
        undone.extend(leave.clone());
        Part::new("It does not start: from a rescue system")
            .steps([look].into_iter().chain(mounted).chain([dry, act]).chain(leave).chain([reboot(Place::Rescue)]))
            .check(check())
            .back(undone)
    }

    /// With what every rescue system has.
    fn by_hand(&self) -> Option<Part> {
        let snapshots = self.host.in_pool(self.root.snapshots?).filter(|place| place.pool == self.place.pool)?;
        let root = at_top(&self.place.path);
        let broken = at_top(&ending(&self.place.path, ".broken"));
        // Snapshots inside of the system move with it.
        let moved = match snapshots.path.strip_prefix(&self.place.path) {
            Ok(inside) => broken.join(inside),
            Err(_) => at_top(&snapshots.path),
        };
        let (root, broken, moved) = (quote::path(&root), quote::path(&broken), quote::path(&moved));
        let list =
            format!("SNAPSHOTS=({}/{}.*Z*/)", quote::path(&at_top(&snapshots.path)), quote::text(self.root.name()));
        let top = Step::new("Mount the top level of the pool.").run(Place::Rescue, shell::mount_top(self.place.pool));
        let choose = Step::new("Take the newest snapshot; any of them can be meant.")
            .run(
                Place::Rescue,
                format!("{list}\nprintf '%s\\n' \"${{SNAPSHOTS[@]}}\"\nSNAPSHOT=$(basename \"${{SNAPSHOTS[-1]}}\")"),
            )
            .see("the paths of all snapshots, the newest last, with the moments (in UTC) at which they were taken.");
        let act =
            Step::new("Keep the present state aside, and put a writable snapshot of the chosen one in its place.")
                .run(
                    Place::Rescue,
                    format!("mv -T {root} {broken}\nbtrfs subvolume snapshot {moved}/\"$SNAPSHOT\" {root}"),
                )
                .see("`Create a snapshot of`.");
        let leave = Step::new("Let go of the pool.").run(Place::Rescue, format!("umount {TOP}"));
        let warn = Step::new(
            "Subvolumes inside of the system, its snapshots among them, stay in what is kept aside: `subvault rollback` would have moved them.",
        );
        let undo = Step::new("What was replaced comes back; what was put there is removed.").run(
            Place::Rescue,
            format!(
                "{}\nbtrfs subvolume delete {root}\nmv -T {broken} {root}\numount {TOP}",
                shell::mount_top(self.place.pool)
            ),
        );
        Some(
            Part::new("It does not start, and the rescue system has no subvault")
                .steps([top, choose, act, leave, warn, reboot(Place::Rescue)])
                .check([
                    Step::new("After the reboot: the system runs from its subvolume.").run(Place::Here, "findmnt /")
                ])
                .back([undo]),
        )
    }
}

fn ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// What a page says where the system is not looked after.
pub(super) fn not_kept(host: &Host<'_>) -> Option<Words> {
    host.root().is_none().then(|| "The system itself has no snapshots here: it is installed anew.".into())
}
