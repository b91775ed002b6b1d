//! Commands that several pages share.

use std::path::{Path, PathBuf};

use subvault_model::ids::PoolUuid;

use super::host::{Host, Subvolume};
use super::page::{Place, Step};
use super::quote;
use super::words::{Words, words};
use super::{Site, Target};

/// Where the top level of a pool is mounted while something is done about it.
pub(super) const TOP: &str = "/mnt/pool";
/// Where subvolumes arrive on it.
pub(super) const ARRIVED: &str = "/mnt/pool/restored";

/// Mounts the top level of a pool.
pub(super) fn mount_top(pool: PoolUuid) -> String {
    format!("mkdir -p {TOP}\nmount -o subvolid=5 UUID={pool} {TOP}")
}

/// A path below the top level of the pool.
pub(super) fn at_top(path: &Path) -> PathBuf {
    Path::new(TOP).join(path)
}

/// Unmounts a subvolume with all that is mounted in it, where it is mounted.
pub(super) fn unmount(subvolume: &Subvolume<'_>) -> String {
    let at = quote::path(&subvolume.at);
    format!("if mountpoint -q {at}; then umount -R {at}; fi")
}

/// Mounts a subvolume again, and what belongs in it.
pub(super) fn mount(host: &Host<'_>, subvolume: &Subvolume<'_>) -> String {
    let all = std::iter::once(subvolume).chain(host.below(subvolume));
    all.map(|subvolume| format!("mount {}", quote::path(&subvolume.at))).collect::<Vec<_>>().join("\n")
}

/// What keeps `umount` from doing it, and what then.
pub(super) fn busy(subvolume: &Subvolume<'_>) -> Words {
    let at = quote::shown(&subvolume.at);
    words!(
        "It is mounted anew. If something still uses it (`target is busy`), leave this out and reboot: {} is new then.",
        at
    )
}

/// Steps that bring a target within reach, and what must be at hand for it.
pub(super) fn reach(host: &Host<'_>, target: &Target, place: Place) -> (Vec<Words>, Vec<Step>) {
    let name = &target.name;
    match &target.site {
        Site::Disk { uuid, luks, .. } => {
            let mut hand = vec![words!("The disk {}, whose Btrfs has the uuid {}, plugged in.", name, uuid)];
            if let Some((_, key)) = luks {
                let key = quote::shown(key);
                hand.push(words!("Its key: the file {}, or a passphrase that opens it as well.", key));
            }
            (hand, Vec::new())
        }
        Site::Directory(directory) | Site::Mounted(directory) => reach_directory(host, name.as_str(), directory, place),
        Site::Host { host, .. } => {
            let key = "The key of SSH that the configuration names, in its place.";
            (vec![words!("The machine {}, running and within reach of the network.", host), key.into()], Vec::new())
        }
        Site::Bucket(bucket) => {
            let mut hand = vec![words!("A network, and the bucket {}.", bucket.bucket)];
            if let Some(file) = &bucket.credentials {
                let file = quote::shown(file);
                hand.push(words!("Its access key: the file {}.", file));
            }
            (hand, Vec::new())
        }
    }
}

/// A directory is on something that has to be mounted, at least in a rescue system.
fn reach_directory(host: &Host<'_>, name: &str, directory: &Path, place: Place) -> (Vec<Words>, Vec<Step>) {
    let shown = quote::shown(directory);
    let hand = vec![words!("What {} is on: the directory {}.", name, shown)];
    let Some(line) = host.mounted_by(directory) else {
        if place == Place::Here {
            return (hand, Vec::new());
        }
        let what = words!("Mount what {} is on, so that it is seen at {}.", name, shown);
        let see = "the name of this host and of others that have something there.";
        return (hand, vec![Step::new(what).run(place, format!("ls {}", quote::path(directory))).see(see)]);
    };
    let (source, point) = (quote::path(quote::as_os(&line.source)), quote::path(&line.point));
    let mount = match place {
        Place::Here => format!("if ! mountpoint -q {point}; then mount {point}; fi"),
        _ => {
            let kind = quote::path(quote::as_os(&line.kind));
            format!("mkdir -p {point}\nmount -t {kind} {source} {point}")
        }
    };
    let shown_point = quote::shown(&line.point);
    let step = Step::new(words!("Mount what {} is on, at {}.", name, shown_point))
        .run(place, format!("{mount}\nls {}", quote::path(directory)))
        .see("the names of the hosts that have something there.");
    (hand, vec![step])
}

/// The steps at a rescue system's beginning: it takes the host's name and its keys.
pub(super) fn prepare(host: &Host<'_>) -> (Vec<Words>, Vec<Step>) {
    let settings = quote::shown(host.settings());
    let hand = vec![
        "A rescue system on a stick: any live Linux with Btrfs, such as SystemRescue.".into(),
        "The program `subvault`, one file that runs on any Linux.".into(),
        words!(
            "A copy of {} as it is on this host: configuration, private key, access keys. It must not be only on this host.",
            settings
        ),
    ];
    let directory = quote::path(host.settings());
    let name = quote::text(host.name());
    let steps = vec![
        Step::new(words!(
            "Put the program into `/usr/local/bin`, and the copy of {} into the same place of the rescue system.",
            settings
        ))
        .run(Place::Rescue, format!("command -v subvault\nls {directory}"))
        .see("`/usr/local/bin/subvault`, and the files of the copy."),
        Step::new("The rescue system takes the name of this host, by which its streams and copies are found.")
            .run(Place::Rescue, format!("hostname {name}")),
    ];
    (hand, steps)
}
