//! Snapshots, streams and policies in a few letters.

use std::collections::{BTreeMap, BTreeSet};

use std::num::NonZeroU32;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use subvault_model::bytesize::ByteSize;
use subvault_model::ids::{ReceivedUuid, SnapshotUuid, SubvolumeId, TransactionId};
use subvault_model::names::{SnapshotName, StreamKind, StreamName, SubvolumeName, TargetName};
use subvault_model::note::Note;
use subvault_model::stream::{Generation, StreamSummary};
use subvault_model::subvolume::{LocalSnapshot, SnapshotIdentity};
use subvault_plan::calendar::Calendar;
use subvault_plan::keep::Keep;
use subvault_plan::observed::{Observed, ObservedSubvolume, ObservedTarget, Unfinished};
use subvault_plan::policy::{ArchivePolicy, Fulls, Policy, SubvolumePolicy};
use subvault_plan::run::{Request, Wanted};
use subvault_plan::space::{Limits, Line};
use subvault_plan::step::Plan;

pub(crate) const DAY: i64 = 86_400;

/// Day 0 of all tables.
pub(crate) fn day(n: i64) -> Timestamp {
    let zero: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    Timestamp::from_second(zero.as_second() + n * DAY).unwrap()
}

pub(crate) fn home() -> SubvolumeName {
    "home".parse().unwrap()
}

pub(crate) fn target(name: &str) -> TargetName {
    name.parse().unwrap()
}

pub(crate) fn some(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn bytes(n: u8) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[15] = n;
    bytes
}

pub(crate) fn uuid(n: u8) -> SnapshotUuid {
    SnapshotUuid::from_bytes(bytes(n)).unwrap()
}

pub(crate) fn received(n: u8) -> ReceivedUuid {
    ReceivedUuid::from_bytes(bytes(n)).unwrap()
}

/// The snapshot of day `n`: its uuid and last transaction are made of `n` as well.
pub(crate) fn snap(n: u8) -> LocalSnapshot {
    LocalSnapshot {
        name: SnapshotName::new(home(), day(i64::from(n)), 1),
        uuid: uuid(n),
        id: SubvolumeId(256 + u64::from(n)),
        received: None,
        ctransid: TransactionId(u64::from(n)),
        read_only: true,
        foreign: false,
        note: Note::default(),
    }
}

fn identity(n: u8) -> SnapshotIdentity {
    let LocalSnapshot { name, uuid, received, ctransid, .. } = snap(n);
    SnapshotIdentity { taken: name.taken(), name, uuid, received, ctransid }
}

pub(crate) fn full_name(n: u8) -> StreamName {
    StreamName::new(day(i64::from(n)), StreamKind::Full, u32::from(n))
}

pub(crate) fn incr_name(n: u8) -> StreamName {
    StreamName::new(day(i64::from(n)), StreamKind::Incremental, u32::from(n))
}

/// The full of day `n` in a generation.
pub(crate) fn full(generation: u32, n: u8) -> StreamSummary {
    StreamSummary {
        name: full_name(n),
        subvolume: home(),
        generation: Generation(generation),
        sequence: 0,
        snapshot: identity(n),
        parent: None,
        published: day(i64::from(n)),
        stream_bytes: ByteSize::gib(10),
        stored_bytes: ByteSize::gib(5),
        storage_class: None,
        recipients: keys(),
    }
}

/// The incremental of day `n` after `before`.
pub(crate) fn after(before: &StreamSummary, n: u8) -> StreamSummary {
    StreamSummary {
        name: incr_name(n),
        sequence: before.sequence + 1,
        parent: Some(before.name.clone()),
        stream_bytes: ByteSize::gib(2),
        stored_bytes: ByteSize::gib(1),
        ..full(before.generation.0, n)
    }
}

/// A full and its incrementals, one for each of the days.
pub(crate) fn chain(generation: u32, days: &[u8]) -> Vec<StreamSummary> {
    let mut streams = vec![full(generation, days[0])];
    for n in &days[1..] {
        streams.push(after(streams.last().unwrap(), *n));
    }
    streams
}

/// Who can open everything here.
pub(crate) fn keys() -> BTreeSet<String> {
    BTreeSet::from(["age1one".to_owned(), "age1two".to_owned()])
}

pub(crate) fn archive_policy() -> ArchivePolicy {
    ArchivePolicy {
        schedule: calendar("daily"),
        full_every_days: Some(some(30)),
        keep_generations: some(1),
        minimum_storage_days: 0,
        recipients: keys(),
    }
}

pub(crate) fn calendar(text: &str) -> Option<Calendar> {
    Some(Calendar::parse(text, &|_| None).unwrap())
}

/// Only the newest stay.
pub(crate) fn newest(n: u32) -> Keep {
    Keep { newest: some(n), within: None, periods: [0; 6], tags: BTreeSet::from(["keep".to_owned()]) }
}

/// What `archive` asks for: a new snapshot, everywhere.
pub(crate) fn archive() -> Request {
    Request { snapshots: Wanted::All, sends: Wanted::All, prune: true, note: Note::default() }
}

/// What `run` asks for: what is due.
pub(crate) fn due() -> Request {
    Request { snapshots: Wanted::Due, sends: Wanted::Due, ..archive() }
}

/// `home` to some targets, keeping some snapshots.
pub(crate) fn policy(targets: &[&str], keep: u32) -> Policy {
    Policy {
        subvolumes: vec![SubvolumePolicy {
            name: home(),
            schedule: calendar("hourly"),
            targets: targets.iter().map(|t| target(t)).collect(),
            replicas: Vec::new(),
            sends: BTreeMap::new(),
            ships_foreign: false,
            keep: newest(keep),
        }],
        groups: Vec::new(),
        targets: targets.iter().map(|t| (target(t), archive_policy())).collect(),
        replicas: BTreeMap::new(),
        fulls: Fulls::WhenDue,
        floor: newest(1),
        limits: Limits { yellow: Line::Percent(15), red: Line::Percent(5) },
        zone: TimeZone::UTC,
    }
}

/// A target whose pointer is right.
pub(crate) fn at(name: &str, streams: Vec<StreamSummary>) -> ObservedTarget {
    let pointer = streams.last().map(|s| s.name.clone());
    ObservedTarget {
        name: target(name),
        streams,
        incomplete: BTreeSet::new(),
        unreadable: BTreeSet::new(),
        unfinished: None,
        pointer,
    }
}

/// An interrupted upload of day `n`, relative to the one of day `parent`.
pub(crate) fn unfinished(n: u8, parent: Option<u8>) -> Unfinished {
    let stream = if parent.is_some() { incr_name(n) } else { full_name(n) };
    Unfinished { stream, snapshot: uuid(n), parent: parent.map(uuid), same_settings: true }
}

pub(crate) fn observed(snapshots: Vec<LocalSnapshot>, targets: Vec<ObservedTarget>) -> Observed {
    let home = ObservedSubvolume {
        name: home(),
        snapshots,
        targets,
        room: None,
        lost_notes: Vec::new(),
        nested: Vec::new(),
        pool: None,
        replicas: Vec::new(),
        pins: Vec::new(),
    };
    Observed { subvolumes: vec![home], open_hooks: Vec::new() }
}

/// The steps as people read them, with what they need.
pub(crate) fn lines(plan: &Plan) -> Vec<String> {
    let line = |(i, planned): (usize, &subvault_plan::step::Planned)| {
        let needs: Vec<String> = planned.needs.iter().map(|n| n.0.to_string()).collect();
        format!("{i} {} [{}]", planned.step, needs.join(" "))
    };
    plan.steps.iter().enumerate().map(line).collect()
}
