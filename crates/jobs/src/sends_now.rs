//! What a run by the calendar may send now: neither a laptop's battery nor a phone's data are for this.
//!
//! Nothing of this is lost: what is not sent stays due. Who asks for sending itself is not asked back.

use std::path::Path;

use subvault_host::{facts, network};
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::TargetName;
use subvault_plan::run::Wanted;

use crate::replica::attach::ReplicaPlace;
use crate::setup::{Location, Setup};

/// What may be sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendsNow {
    /// Whether anything is.
    pub sends: Wanted,
    /// Where; everywhere if there are none.
    pub targets: Vec<TargetName>,
}

/// Looks at power and network where the host has conditions for sending, and tells what has to wait.
pub fn sends_now(setup: &Setup, monitor: &dyn Monitor) -> SendsNow {
    let everywhere = SendsNow { sends: Wanted::Due, targets: Vec::new() };
    let nowhere = SendsNow { sends: Wanted::No, targets: Vec::new() };
    let (far, near) = by_distance(setup);
    let tell = |what: &str, why: &str| {
        monitor
            .event(Event::Note(format!("{what} has to wait: {why}. `subvault archive` and `replicate` do not wait")));
    };
    if !(far.is_empty() && near.is_empty())
        && let Some(why) = setup.conditions.lack_of_power(facts::power(Path::new("/")))
    {
        tell("sending", &why);
        return nowhere;
    }
    if !setup.conditions.unmetered || far.is_empty() || network::is_metered() != Some(true) {
        return everywhere;
    }
    let names: Vec<&str> = far.iter().map(TargetName::as_str).collect();
    tell(&format!("sending to {}", names.join(", ")), "the network is paid for by the byte");
    if near.is_empty() { nowhere } else { SendsNow { targets: near, ..everywhere } }
}

/// The targets that are reached over a network, and those that are not.
fn by_distance(setup: &Setup) -> (Vec<TargetName>, Vec<TargetName>) {
    let archives = setup.targets.iter().map(|target| (&target.name, matches!(target.location, Location::S3(_))));
    let copies =
        setup.replicas.iter().map(|replica| (&replica.name, matches!(replica.place, ReplicaPlace::Host { .. })));
    let (far, near): (Vec<_>, Vec<_>) = archives.chain(copies).partition(|(_, is_far)| *is_far);
    let names = |all: Vec<(&TargetName, bool)>| all.into_iter().map(|(name, _)| name.clone()).collect();
    (names(far), names(near))
}
