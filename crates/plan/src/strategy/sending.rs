//! When copies leave the host, how fast, and by which means (requirements P5 and P6). Pure.

use std::num::NonZeroU32;

use jiff::SignedDuration;
use serde::Serialize;
use subvault_model::facts::Power;

use super::decision::Decision;
use super::profile::{Family, Profile};
use super::snapshots;
use super::wall_clock::WallClock;
use super::workload::Workload;

/// How often a subvolume is sent to archives and replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Frequency {
    /// Every night.
    Daily,
    /// On Sundays.
    Weekly,
    /// On the first Saturday of the month.
    Monthly,
    /// Not at all.
    Never,
}

/// How a subvolume is brought away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Its snapshots are sent as streams; databases are made ready by hooks first.
    Stream,
    /// The same, and a dump by the database's own tool lies beside it.
    StreamAfterHook,
    /// Not at all.
    Nothing,
}

/// When a host may be busy with sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Window {
    /// From this minute of the day.
    pub from: u16,
    /// To this one, from Monday to Friday.
    pub to: u16,
    /// To this one, on Saturday and Sunday.
    pub to_on_weekends: u16,
}

/// Nights: 02:00 to 05:00, on weekends to 06:00.
pub const NIGHT: Window = Window { from: 120, to: 300, to_on_weekends: 360 };

/// How often what is used so is sent.
#[must_use]
pub fn frequency(workload: Workload, profile: Profile) -> Decision<Frequency> {
    let family = profile.family();
    let is_server = matches!(family, Family::Server | Family::Vps);
    let (frequency, because) = match workload {
        Workload::Cache | Workload::Temporary | Workload::Swap | Workload::Archive => {
            (Frequency::Never, "nothing of it has to come back")
        }
        Workload::PackageStore => (Frequency::Never, "packages can be fetched again"),
        _ if profile == Profile::ProxmoxHost => (Frequency::Weekly, "the archive of a Proxmox host is weekly"),
        Workload::Database => (Frequency::Daily, "databases matter most"),
        Workload::User | Workload::Development | Workload::Application => (Frequency::Daily, "it changes every day"),
        Workload::System => (Frequency::Weekly, "a system changes rarely"),
        Workload::VirtualMachine | Workload::Backup => (Frequency::Weekly, "it is large"),
        Workload::Container if family == Family::Laptop => (Frequency::Weekly, "it is large"),
        Workload::Container => (Frequency::Never, "containers on such hosts are made again from their images"),
        Workload::Log if is_server => (Frequency::Monthly, "logs of a server are wanted sometimes"),
        Workload::Log => (Frequency::Never, "nobody asks for old logs of such a host"),
    };
    Decision::new(frequency, because)
}

/// How what is used so is brought away.
#[must_use]
pub fn method(workload: Workload, frequency: Frequency) -> Decision<Method> {
    match (frequency, workload) {
        (Frequency::Never, _) => Decision::new(Method::Nothing, "it is not sent"),
        (_, Workload::Database) => {
            Decision::new(Method::StreamAfterHook, "its server is told before the snapshot, by a hook")
        }
        _ => Decision::new(Method::Stream, "a stream costs only what changed"),
    }
}

/// When a host begins to send, in minutes of the day: spread over the night, so that hosts of one owner do not get in each other's way.
#[must_use]
pub fn start(host: &str, profile: Profile, wall: &WallClock) -> Decision<u16> {
    if profile == Profile::ProxmoxHost {
        return Decision::new(wall.existing(NIGHT.from), "at two in the night, as such hosts do");
    }
    let hour = match profile {
        Profile::StagingVps => 1,
        Profile::UtilityVps => 2,
        _ => 0,
    };
    let minute = u16::try_from(spread(host) % 60).unwrap_or_default();
    let because = "in the night, at a minute that follows from the host's name so that hosts do not all begin at once";
    Decision::new(wall.existing(NIGHT.from + hour * 60 + minute), because)
}

/// A number that is another one for most other names (FNV-1a).
fn spread(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The calendar for a frequency that begins at this minute of the day; `None`: never.
#[must_use]
pub fn calendar(frequency: Frequency, start: u16) -> Option<String> {
    let time = format!("{:02}:{:02}", start / 60, start % 60);
    match frequency {
        Frequency::Daily => Some(time),
        Frequency::Weekly => Some(format!("Sun {time}")),
        Frequency::Monthly => Some(format!("Sat *-*-01..07 {time}")),
        Frequency::Never => None,
    }
}

/// How often a run can send, in hours, the rarest first.
const INTERVALS: [u32; 4] = [7 * 24, 24, 4, 1];

/// The rarest of the intervals, in hours, after which no more than this is lost; `None`: not even the shortest one suffices.
#[must_use]
pub fn interval_within(lose_at_most: SignedDuration) -> Option<NonZeroU32> {
    let suffices = |hours: &u32| SignedDuration::from_hours(i64::from(*hours)) <= lose_at_most;
    INTERVALS.into_iter().find(suffices).and_then(NonZeroU32::new)
}

/// When what is sent so often is sent if no more than this may be lost with the disk, in systemd's words; `None`: never.
#[must_use]
pub fn times(
    frequency: Decision<Frequency>,
    start: u16,
    lose_at_most: Option<SignedDuration>,
    wall: &WallClock,
) -> Decision<Option<String>> {
    let usual_hours = match frequency.value {
        Frequency::Daily => 24,
        Frequency::Weekly => 7 * 24,
        Frequency::Monthly => 35 * 24,
        Frequency::Never => 0,
    };
    let stated = lose_at_most.map(|lose| interval_within(lose).map_or(1, NonZeroU32::get));
    match stated.filter(|stated| *stated < usual_hours) {
        Some(stated) => {
            let because = "[objectives] say how much may be lost when the disk dies";
            Decision::new(Some(every(stated, start, wall)), because)
        }
        None => Decision::new(calendar(frequency.value, start), frequency.because),
    }
}

fn every(hours: u32, start: u16, wall: &WallClock) -> String {
    match hours {
        1 => wall.unmoved(snapshots::HOURLY),
        4 => wall.unmoved(snapshots::EVERY_FOUR_HOURS),
        24 => wall.every_day(start),
        _ => wall.every_sunday(start),
    }
}

/// How fast a host may send, in the words of the configuration; `None`: as fast as it can.
#[must_use]
pub fn bandwidth(profile: Profile) -> Decision<Option<&'static str>> {
    match profile.family() {
        Family::Vps => Decision::new(Some("10 Mbit/s"), "what a rented machine is for needs its network more"),
        _ => Decision::new(None, "its network is its own at night"),
    }
}

/// What has to be so before a laptop sends (P6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Conditions {
    /// It is on mains, or its battery has so many hundredths.
    pub battery_percent_min: Option<u8>,
    /// The network is not paid for by the byte.
    pub unmetered: bool,
}

impl Conditions {
    /// Why nothing is sent for now: there is neither mains nor enough charge. What is not known keeps from nothing.
    #[must_use]
    pub fn lack_of_power(&self, power: Option<Power>) -> Option<String> {
        let least = self.battery_percent_min?;
        let power = power.filter(|power| power.has_battery && power.is_on_mains == Some(false))?;
        let left = power.battery_percent.filter(|percent| *percent < least)?;
        Some(format!("it runs on its battery, which has {left} %, and sends on mains or with {least} %"))
    }
}

/// What has to be so before such a host sends.
#[must_use]
pub fn conditions(profile: Profile) -> Decision<Conditions> {
    match profile.family() {
        Family::Laptop => Decision::new(
            Conditions { battery_percent_min: Some(50), unmetered: true },
            "a laptop is carried around: neither its battery nor a phone's data are for this",
        ),
        _ => Decision::new(Conditions { battery_percent_min: None, unmetered: false }, "it is always on mains"),
    }
}

/// After how many days a new chain begins, and how many chains stay.
#[must_use]
pub fn chains(profile: Profile) -> Decision<(u32, u32)> {
    match profile {
        Profile::ProxmoxHost => {
            Decision::new((180, 1), "a full of such a host is large, and cold storage is paid for 180 days in any case")
        }
        _ => {
            Decision::new((30, 2), "a chain of a month can be read in an evening; the one before stays until the next")
        }
    }
}
