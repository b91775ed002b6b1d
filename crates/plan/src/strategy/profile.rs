//! What kind of host it is: chosen from the facts, or said by the configuration. Pure.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use subvault_model::bytesize::ByteSize;
use subvault_model::facts::{Chassis, Disk, Facts, Transport};

use super::decision::Decision;

/// A kind of host, for which much is known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// A laptop for development, with two NVMe disks and a pool on each.
    DualNvmeLaptop,
    /// A laptop for travel, with one.
    SingleNvmeLaptop,
    /// Any other laptop.
    Laptop,
    /// A desktop on which Windows lives too, with a USB disk for copies.
    DualBootDesktop,
    /// Any other desktop.
    Desktop,
    /// A rented machine that others rely on, about 458 GB.
    ProductionVps,
    /// One to try things on before, about 536 GB.
    StagingVps,
    /// One for odds and ends, about 200 GB.
    UtilityVps,
    /// Any other rented machine.
    Vps,
    /// A server whose root is made anew at each boot.
    ImpermanentServer,
    /// Any other server.
    Server,
    /// A host of virtual machines that is archived rarely and as a whole.
    ProxmoxHost,
}

/// A word that is no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no profile; there are {list}", list = Profile::list())]
pub struct BadProfile(String);

/// A family of profiles that are looked after alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Carried around: not always on mains, not always online.
    Laptop,
    /// At a desk, on when it is used.
    Desktop,
    /// Rented, always on, its traffic metered.
    Vps,
    /// One's own, always on.
    Server,
}

impl Profile {
    /// All there are.
    pub const ALL: [Self; 12] = [
        Self::DualNvmeLaptop,
        Self::SingleNvmeLaptop,
        Self::Laptop,
        Self::DualBootDesktop,
        Self::Desktop,
        Self::ProductionVps,
        Self::StagingVps,
        Self::UtilityVps,
        Self::Vps,
        Self::ImpermanentServer,
        Self::Server,
        Self::ProxmoxHost,
    ];

    /// As it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::DualNvmeLaptop => "dual-nvme-laptop",
            Self::SingleNvmeLaptop => "single-nvme-laptop",
            Self::Laptop => "laptop",
            Self::DualBootDesktop => "dual-boot-desktop",
            Self::Desktop => "desktop",
            Self::ProductionVps => "production-vps",
            Self::StagingVps => "staging-vps",
            Self::UtilityVps => "utility-vps",
            Self::Vps => "vps",
            Self::ImpermanentServer => "impermanent-server",
            Self::Server => "server",
            Self::ProxmoxHost => "proxmox-host",
        }
    }

    /// Which family it is of.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::DualNvmeLaptop | Self::SingleNvmeLaptop | Self::Laptop => Family::Laptop,
            Self::DualBootDesktop | Self::Desktop => Family::Desktop,
            Self::ProductionVps | Self::StagingVps | Self::UtilityVps | Self::Vps => Family::Vps,
            Self::ImpermanentServer | Self::Server | Self::ProxmoxHost => Family::Server,
        }
    }

    fn list() -> String {
        Self::ALL.map(Self::word).join(", ")
    }
}

/// The sizes by which rented machines are told apart, in units of ten to the ninth bytes or of GiB: people write both as GB.
const VPS_SIZES: [(u64, Profile); 3] =
    [(458, Profile::ProductionVps), (536, Profile::StagingVps), (200, Profile::UtilityVps)];
/// By how many hundredths a disk may differ from what it is sold as.
const TOLERANCE_PERCENT: u64 = 2;

/// Chooses the profile.
#[must_use]
pub fn choose(facts: &Facts, said: Option<Profile>) -> Decision<Profile> {
    Decision::unless_said(said, || detect(facts))
}

fn detect(facts: &Facts) -> Decision<Profile> {
    let machine = &facts.machine;
    if machine.is_proxmox {
        return Decision::new(Profile::ProxmoxHost, "Proxmox is installed: it runs others' machines");
    }
    if has_ephemeral_root(facts) {
        let why = "something is mounted at /persist: what must outlive a reboot is kept apart";
        return Decision::new(Profile::ImpermanentServer, why);
    }
    let built_in: Vec<&Disk> = facts.disks.iter().filter(|disk| disk.is_built_in()).collect();
    if let Some(kind) = &machine.virtualisation {
        return rented(kind, &built_in);
    }
    let has_battery = facts.power.is_some_and(|power| power.has_battery);
    match machine.chassis {
        Chassis::Portable => laptop("its case is a laptop's", &built_in),
        _ if has_battery => laptop("it runs on a battery", &built_in),
        Chassis::Server => Decision::new(Profile::Server, "its case is a server's"),
        Chassis::Desktop => desktop("its case is a desktop's", facts),
        Chassis::Unknown if built_in.iter().any(|disk| disk.transport == Transport::Virtual) => {
            rented("virtual disks", &built_in)
        }
        Chassis::Unknown if built_in.iter().any(|disk| disk.has_windows) => {
            desktop("nothing says what its case is", facts)
        }
        Chassis::Unknown => Decision::new(Profile::Server, "it is neither virtual nor portable, and has no battery"),
    }
}

fn has_ephemeral_root(facts: &Facts) -> bool {
    let subvolumes = facts.pools.iter().flat_map(|pool| &pool.subvolumes);
    subvolumes.filter_map(|subvolume| subvolume.seen_at.as_ref()).any(|at| at.as_bytes() == b"/persist")
}

fn laptop(because: &str, built_in: &[&Disk]) -> Decision<Profile> {
    let nvme = built_in.iter().filter(|disk| disk.transport == Transport::Nvme).count();
    let profile = match nvme {
        0 => Profile::Laptop,
        1 => Profile::SingleNvmeLaptop,
        _ => Profile::DualNvmeLaptop,
    };
    let disks = if nvme == 1 { "is 1 NVMe disk".to_owned() } else { format!("are {nvme} NVMe disks") };
    Decision::new(profile, format!("{because}, and there {disks}"))
}

fn desktop(because: &str, facts: &Facts) -> Decision<Profile> {
    if facts.disks.iter().any(|disk| disk.is_built_in() && disk.has_windows) {
        return Decision::new(Profile::DualBootDesktop, format!("{because}, and Windows is on one of its disks"));
    }
    Decision::new(Profile::Desktop, because)
}

fn rented(kind: &str, built_in: &[&Disk]) -> Decision<Profile> {
    let virtual_machine = format!("it is a virtual machine ({kind})");
    if let [disk] = built_in {
        for (size, profile) in VPS_SIZES {
            if let Some(unit) = matches(disk.size, size) {
                let because = format!("{virtual_machine} with one disk of about {size} {unit}");
                return Decision::new(profile, because);
            }
        }
    }
    Decision::new(Profile::Vps, format!("{virtual_machine}, and its disks are of no size that says more"))
}

/// In which unit a size is about so many.
fn matches(size: ByteSize, number: u64) -> Option<&'static str> {
    let is_about = |unit: u64| size.get().abs_diff(number * unit) <= number * unit / 100 * TOLERANCE_PERCENT;
    [("GB", 1_000_000_000), ("GiB", 1 << 30)].into_iter().find(|(_, unit)| is_about(*unit)).map(|(name, _)| name)
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Profile {
    type Err = BadProfile;

    fn from_str(text: &str) -> Result<Self, BadProfile> {
        Self::ALL.into_iter().find(|profile| profile.word() == text).ok_or_else(|| BadProfile(text.to_owned()))
    }
}
