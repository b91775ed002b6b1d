//! What the units of systemd are made of, out of the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use subvault_jobs::replica::attach::ReplicaPlace;
use subvault_jobs::setup::{Location, ReplicaSetup, Setup};
use subvault_plan::calendar::Calendar;
use subvault_render::systemd::{Disk, DiskIdentity, Manners, Wanted};

use crate::config::{self, Document};
use crate::context::Context;

/// What they are made of.
pub(super) fn wanted(context: &Context, document: &Document, setup: &Setup, program: PathBuf) -> Wanted {
    let usual = context.config.as_path() == Path::new(config::PATH);
    let config = std::path::absolute(&context.config).unwrap_or_else(|_| context.config.clone());
    Wanted {
        program,
        state: setup
            .state
            .strip_prefix("/var/lib")
            .ok()
            .and_then(Path::to_str)
            .filter(|s| !s.is_empty())
            .map(str::to_owned),
        writes: writes(setup),
        wake: wake(setup),
        zone: document.config.host.time_zone.as_ref().map(|zone| zone.get_ref().clone()),
        disks: disks(setup),
        credentials: credentials(document, &config),
        config: (!usual).then_some(config),
        network: network(setup),
        hooks: !setup.hooks.is_empty(),
        manners: document.config.host.profile.map(|word| Manners::of(word.0)).unwrap_or_default(),
    }
}

/// Where snapshots and objects appear. A directory of snapshots may itself have to be made.
fn writes(setup: &Setup) -> Vec<PathBuf> {
    let snapshots = setup.subvolumes.iter().filter_map(|subvolume| subvolume.snapshots.parent());
    let stores = setup.targets.iter().filter_map(|target| match &target.location {
        Location::Directory(directory) => Some(directory.as_path()),
        Location::S3(_) => None,
    });
    let copies = setup.replicas.iter().filter_map(|replica| match &replica.place {
        ReplicaPlace::Directory(directory) => Some(directory.as_path()),
        ReplicaPlace::Disk { .. } | ReplicaPlace::Host { .. } => None,
    });
    let all = snapshots.chain(stores).chain(copies).chain([setup.state.as_path()]);
    all.map(Path::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The disks that come and go.
fn disks(setup: &Setup) -> Vec<Disk> {
    let of = |replica: &ReplicaSetup| {
        let ReplicaPlace::Disk { uuid, luks, .. } = &replica.place else { return None };
        // Inside of a container, the pool is there only after we have opened it.
        let container = luks.as_ref().map(|luks| DiskIdentity::Luks(luks.uuid.clone()));
        Some(Disk { target: replica.name.clone(), identity: container.unwrap_or(DiskIdentity::Pool(*uuid)) })
    };
    setup.replicas.iter().filter_map(of).collect()
}

fn network(setup: &Setup) -> bool {
    setup.targets.iter().any(|target| matches!(target.location, Location::S3(_)))
        || setup.replicas.iter().any(|replica| matches!(replica.place, ReplicaPlace::Host { .. }))
}

/// Every calendar event that a run would find something due by.
fn wake(setup: &Setup) -> Vec<Calendar> {
    let snapshots = setup.policy.subvolumes.iter().filter_map(|subvolume| subvolume.schedule.clone());
    let policy = &setup.policy;
    let of_pair = |subvolume, target| policy.send_schedule(subvolume, target).cloned();
    let sends = policy.subvolumes.iter().flat_map(|subvolume| {
        let targets = subvolume.targets.iter().chain(&subvolume.replicas);
        targets.filter_map(move |target| of_pair(subvolume, target))
    });
    // In the order of their words, each once: what several wait for wakes once.
    let all: BTreeMap<String, Calendar> =
        snapshots.chain(sends).map(|calendar| (calendar.to_string(), calendar)).collect();
    all.into_values().collect()
}

/// The credentials that are named without a directory: the service manager reads them from beside the configuration.
fn credentials(document: &Document, config: &Path) -> Vec<(String, PathBuf)> {
    let directory = config.parent().unwrap_or(Path::new("/"));
    let buckets = document.config.targets.iter().filter_map(|target| target.get_ref().s3.as_ref());
    let named = buckets.filter_map(|bucket| bucket.credentials_file.as_deref()?.to_str());
    let plain: BTreeSet<&str> = named.filter(|name| !name.contains('/')).collect();
    plain.into_iter().map(|name| (name.to_owned(), directory.join(name))).collect()
}
