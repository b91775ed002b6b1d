//! How long it takes to plan and to check the retention of 100,000 snapshots: for `./bench`, which prints it.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "it measures, and shows what it measured")]
#![expect(clippy::disallowed_methods, reason = "it measures with a clock what must not read one")]

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Instant;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use subvault_model::ids::{SnapshotUuid, SubvolumeId, TransactionId};
use subvault_model::names::{SnapshotName, SubvolumeName};
use subvault_model::note::Note;
use subvault_model::subvolume::LocalSnapshot;
use subvault_plan::check::check;
use subvault_plan::keep::Keep;
use subvault_plan::observed::{Observed, ObservedSubvolume};
use subvault_plan::policy::{Fulls, Policy, SubvolumePolicy};
use subvault_plan::run::{Request, Wanted, plan};
use subvault_plan::space::{Limits, Line};

const SNAPSHOTS: u32 = 100_000;

fn main() {
    let home: SubvolumeName = "home".parse().unwrap();
    let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    let keep = Keep {
        newest: NonZeroU32::new(3).unwrap(),
        within: None,
        periods: [24, 7, 4, 12, 0, 3],
        tags: BTreeSet::new(),
    };
    let policy = Policy {
        subvolumes: vec![SubvolumePolicy {
            name: home.clone(),
            schedule: None,
            targets: Vec::new(),
            replicas: Vec::new(),
            sends: BTreeMap::new(),
            ships_foreign: false,
            keep: keep.clone(),
        }],
        groups: Vec::new(),
        targets: BTreeMap::new(),
        replicas: BTreeMap::new(),
        fulls: Fulls::WhenDue,
        floor: keep,
        limits: Limits { yellow: Line::Percent(15), red: Line::Percent(5) },
        zone: TimeZone::get("Europe/Berlin").unwrap(),
    };
    // One every five minutes, for a year.
    let snapshot = |n: u32| LocalSnapshot {
        name: SnapshotName::new(home.clone(), now - SignedDuration::from_mins(i64::from(5 * n)), 1),
        uuid: SnapshotUuid::from_bytes(u128::from(n + 1).to_be_bytes()).unwrap(),
        id: SubvolumeId(u64::from(1_000_000 - n)),
        received: None,
        ctransid: TransactionId(1),
        read_only: true,
        foreign: false,
        note: Note::default(),
    };
    let seen = ObservedSubvolume {
        name: home.clone(),
        snapshots: (0..SNAPSHOTS).map(snapshot).collect(),
        targets: Vec::new(),
        room: None,
        lost_notes: Vec::new(),
        nested: Vec::new(),
        pool: None,
        replicas: Vec::new(),
        pins: Vec::new(),
    };
    let observed = Observed { subvolumes: vec![seen], open_hooks: Vec::new() };
    let request = Request { snapshots: Wanted::No, sends: Wanted::No, prune: true, note: Note::default() };
    let (mut planned, mut checked) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        let begin = Instant::now();
        let decided = plan(&policy, &observed, &request, now);
        planned.push(begin.elapsed().as_millis());
        let begin = Instant::now();
        assert!(check(&decided, &observed).is_empty());
        checked.push(begin.elapsed().as_millis());
        assert_eq!(decided.steps.len() + decided.kept.len(), SNAPSHOTS as usize);
    }
    planned.sort_unstable();
    checked.sort_unstable();
    println!("{} {}", planned[planned.len() / 2], checked[checked.len() / 2]);
}
