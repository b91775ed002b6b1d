//! A whole subvolume: back to a snapshot, or from somewhere else where it is gone.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use subvault_plan::strategy::workload::Workload;

use super::host::{Host, InPool, Subvolume};
use super::page::{Page, Part, Place, Step};
use super::quote;
use super::shell::{self, ARRIVED, TOP, at_top};
use super::words::{Words, words};

/// The page.
pub(super) fn page(host: &Host<'_>) -> Option<Page> {
    let is_for_this_page = |subvolume: &&Subvolume<'_>| !subvolume.is_root() && !subvolume.is(Workload::Database);
    let mut parts = Vec::new();
    for subvolume in host.kept().filter(is_for_this_page) {
        let name = subvolume.name();
        let back = Part::new(words!("{}: back to a snapshot of this machine", name));
        parts.push(roll_back(host, subvolume, back));
        if !host.targets_of(subvolume).is_empty() {
            let gone = Part::new(words!("{}: it is gone, and comes from the nearest place that has it", name));
            parts.extend(bring(host, subvolume, None, gone));
        }
    }
    parts.first()?;
    Some(Page {
        name: "subvolume".to_owned(),
        title: "A whole subvolume".into(),
        when: "Much in a subvolume is wrong, or it was deleted. For the system itself and for databases there are pages of their own.".into(),
        at_hand: vec![
            "Nothing more for a snapshot of this machine.".into(),
            words!("For archives the private key, {}; for copies on a disk the disk.", quote::shown(host.identity())),
            "Nobody logged in who uses it, and services that use it stopped.".into(),
        ],
        parts,
    })
}

/// Puts a snapshot in the place of a subvolume, and mounts that anew.
pub(super) fn roll_back(host: &Host<'_>, subvolume: &Subvolume<'_>, part: Part) -> Part {
    let at = quote::operand(&subvolume.at);
    let name = quote::text(subvolume.name());
    let list = Step::new("Look which snapshots there are.")
        .run(Place::Here, format!("subvault list {name}"))
        .see("a line for each; the last one is the newest.");
    let dry = Step::new("See what would be done. The newest is taken; another one is chosen with `--to` and its name or a moment, here and in the next step.")
        .run(Place::Here, format!("subvault rollback --dry-run {at}"))
        .see("`ok` before each check, and the name under which the present state will be kept.");
    let act = Step::new("Do it. It takes a second, and nothing is deleted.")
        .run(Place::Here, format!("subvault rollback --yes {at}"))
        .see("what it is now, and what it was is kept as.");
    let anew = Step::new(shell::busy(subvolume))
        .run(Place::Here, format!("{}\n{}", shell::unmount(subvolume), shell::mount(host, subvolume)));
    let undo =
        Step::new("What was replaced comes back.").run(Place::Here, format!("subvault rollback --undo --yes {at}"));
    part.steps([list, dry, act, anew.clone()]).check(check(subvolume)).back([undo, anew])
}

fn check(subvolume: &Subvolume<'_>) -> [Step; 2] {
    let at = quote::path(&subvolume.at);
    [
        Step::new("It is mounted, and what you miss is there.")
            .run(Place::Here, format!("findmnt {at}\nls -la {at}"))
            .see("the subvolume in brackets behind the device, and its files."),
        Step::new("Its snapshots go on.").run(Place::Here, format!("subvault list {}", quote::text(subvolume.name()))),
    ]
}

/// Brings a subvolume from a target, or from the nearest place, and puts it where it was. What is there is kept aside.
pub(super) fn bring(host: &Host<'_>, subvolume: &Subvolume<'_>, from: Option<&str>, part: Part) -> Option<Part> {
    let place = subvolume.place()?;
    let aside = aside(&place.path);
    let top = Step::new("Mount the top level of its pool, where subvolumes are seen as they lie in it.")
        .run(Place::Here, shell::mount_top(place.pool))
        .run(Place::Here, format!("ls {TOP}"))
        .see("the subvolumes of the pool.");
    let away = Step::new("What is left of it is kept aside.").run(Place::Here, move_aside(subvolume, &place, &aside));
    let steps = [top].into_iter().chain(fetch(host, subvolume, from)).chain([away, put(subvolume, &place)]);
    let anew = Step::new("Mount it.").run(Place::Here, shell::mount(host, subvolume));
    let kept = quote::shown(&at_top(&aside));
    let tidy = Step::new(words!("Remove the read-only snapshot that came with it. What was left before stays as {}, until all is well and you delete it.", kept))
        .run(Place::Here, tidy())
        .see("`Delete subvolume`.");
    let broken = Step::new(
        "What was there before comes back, if anything was left of it; what was brought is kept aside instead.",
    )
    .run(Place::Here, exchange_back(host, subvolume, &place, &aside));
    Some(part.steps(steps.chain([anew, tidy])).check(check(subvolume)).back([broken]))
}

/// Fetches it to where subvolumes arrive.
fn fetch(host: &Host<'_>, subvolume: &Subvolume<'_>, from: Option<&str>) -> [Step; 2] {
    let from = from.map_or_else(String::new, |from| format!(" --from {}", quote::text(from)));
    let key = host.identity_option();
    let command = format!("subvault restore {} --to {ARRIVED}{from}{key}", quote::text(subvolume.name()));
    [
        Step::new("See from where it would come. An older state is chosen with `--at '2026-11-20 14:30'`, here and in the next step.")
            .run(Place::Here, format!("mkdir -p {ARRIVED}\n{command} --dry-run"))
            .see("the snapshot, and where it is."),
        Step::new("Bring it. Interrupted, give the same command again: it goes on where it was.")
            .run(Place::Here, command)
            .see("`writable`, and the path to which it came. It was compared with what the snapshot held."),
    ]
}

fn move_aside(subvolume: &Subvolume<'_>, place: &InPool, aside: &Path) -> String {
    let (there, aside) = (quote::path(&at_top(&place.path)), quote::path(&at_top(aside)));
    format!("{}\nif [ -e {there} ]; then mv -T {there} {aside}; fi", shell::unmount(subvolume))
}

/// Gives what arrived its place.
fn put(subvolume: &Subvolume<'_>, place: &InPool) -> Step {
    let arrived = Path::new(ARRIVED).join(subvolume.name());
    Step::new("Give what came its place.")
        .run(Place::Here, format!("mv -T {} {}", quote::path(&arrived), quote::path(&at_top(&place.path))))
        .see("nothing: it is done.")
}

/// Removes what else arrived.
fn tidy() -> String {
    format!("btrfs subvolume delete {ARRIVED}/*\nrmdir {ARRIVED}\numount {TOP}")
}

fn exchange_back(host: &Host<'_>, subvolume: &Subvolume<'_>, place: &InPool, aside: &Path) -> String {
    let path = |path: &Path| quote::path(&at_top(path));
    let (there, brought) = (path(&place.path), path(&with_ending(&place.path, ".brought")));
    let aside = path(aside);
    format!(
        "{top}\n{unmount}\nif [ -e {aside} ]; then mv -T {there} {brought}; mv -T {aside} {there}; fi\n{mount}\numount {TOP}",
        top = shell::mount_top(place.pool),
        unmount = shell::unmount(subvolume),
        mount = shell::mount(host, subvolume),
    )
}

/// Under which path what is replaced is kept.
fn aside(path: &Path) -> PathBuf {
    with_ending(path, ".broken")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

/// A sentence on what else has to be done at the same time.
pub(super) fn together(host: &Host<'_>, subvolume: &Subvolume<'_>) -> Option<Words> {
    let name = &subvolume.chosen.name;
    let group = host.runbook.strategy.groups.iter().find(|group| group.value.contains(name))?;
    let others = group.value.iter().filter(|other| *other != name);
    Some(Words::list("These are of one system with it, and go back to the same moment:", others).stop())
}
