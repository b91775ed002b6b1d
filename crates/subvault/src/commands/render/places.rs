//! Where copies are by the configuration, for what writes the strategy down for others.

use std::collections::BTreeMap;

use subvault_jobs::replica::attach::ReplicaPlace;
use subvault_jobs::setup::{ReplicaSetup, Setup};
use subvault_model::names::TargetName;
use subvault_render::btrbk::{Copies, Place};

/// Where copies are, and which stay there.
pub(super) fn copies(setup: &Setup) -> BTreeMap<TargetName, Copies> {
    let of = |replica: &ReplicaSetup| {
        let keep = setup.policy.replicas.get(&replica.name)?.keep.clone();
        Some((replica.name.clone(), Copies { place: place(&replica.place), keep }))
    };
    setup.replicas.iter().filter_map(of).collect()
}

fn place(place: &ReplicaPlace) -> Place {
    match place {
        ReplicaPlace::Directory(directory) => Place::Directory(directory.clone()),
        ReplicaPlace::Disk { .. } => Place::Disk,
        ReplicaPlace::Host { ssh, directory } => Place::Host {
            host: ssh.host.clone(),
            port: ssh.port,
            identity: ssh.identity_file.clone(),
            directory: directory.clone(),
        },
    }
}
