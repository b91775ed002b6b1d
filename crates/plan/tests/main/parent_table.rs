//! Parent choice, one row per situation.

use std::collections::BTreeSet;

use jiff::Timestamp;
use subvault_model::ids::TransactionId;
use subvault_model::stream::StreamSummary;
use subvault_model::subvolume::LocalSnapshot;
use subvault_plan::observed::ObservedTarget;
use subvault_plan::parent::{NoParent, ParentChoice, choose};
use subvault_plan::policy::{ArchivePolicy, Fulls};

use crate::fixtures::{after, archive_policy, at, chain, day, full, received, snap, uuid};

struct Row {
    situation: &'static str,
    streams: Vec<StreamSummary>,
    snapshots: Vec<LocalSnapshot>,
    fulls: Fulls,
    now: Timestamp,
    expected: &'static str,
}

fn row(situation: &'static str, expected: &'static str) -> Row {
    let (streams, snapshots) = (chain(1, &[1, 2]), vec![snap(1), snap(2)]);
    Row { situation, streams, snapshots, fulls: Fulls::WhenDue, now: day(3), expected }
}

fn copy_of(n: u8) -> LocalSnapshot {
    LocalSnapshot { uuid: uuid(90 + n), received: Some(received(n)), ctransid: TransactionId(7), ..snap(n) }
}

fn changed(n: u8) -> LocalSnapshot {
    LocalSnapshot { ctransid: TransactionId(99), ..snap(n) }
}

fn writable(snapshot: LocalSnapshot) -> LocalSnapshot {
    LocalSnapshot { read_only: false, ..snapshot }
}

fn published_later(stream: StreamSummary, name: u8) -> StreamSummary {
    StreamSummary { name: after(&stream, name).name, published: day(60), ..stream }
}

fn what_is_here() -> Vec<Row> {
    let gone = "full: the parent snapshot home.20260103T000000Z is no longer on the pool";
    let touched = "full: the parent snapshot home.20260103T000000Z was changed since it was sent";
    let continues = "home.20260103T000000Z";
    // Read-only snapshots of a subvolume that was received inherit what it was received from.
    let heir = LocalSnapshot { name: snap(5).name, ..copy_of(2) };
    vec![
        row("the usual", continues),
        Row {
            streams: vec![],
            snapshots: vec![],
            ..row("no snapshot, no stream", "full: nothing is archived there yet")
        },
        Row { streams: vec![], ..row("snapshots, no stream", "full: nothing is archived there yet") },
        Row { snapshots: vec![], ..row("no snapshot", gone) },
        Row { snapshots: vec![snap(1)], ..row("only an older one", gone) },
        Row { snapshots: vec![copy_of(2)], ..row("a received copy", continues) },
        Row { snapshots: vec![copy_of(1)], ..row("a received copy of another", gone) },
        Row { snapshots: vec![writable(copy_of(2))], ..row("a received copy, writable", gone) },
        Row { snapshots: vec![heir], ..row("another snapshot that inherited the received uuid", gone) },
        Row { snapshots: vec![changed(2)], ..row("changed and read-only again", touched) },
        Row { snapshots: vec![writable(snap(2))], ..row("writable", touched) },
        Row { snapshots: vec![changed(2), copy_of(2)], ..row("changed, and a good copy", continues) },
    ]
}

fn what_is_there() -> Vec<Row> {
    let gap = chain(1, &[1, 2, 3]);
    let broken = "full: the newest chain in the store has a gap before 20260104T000000Z-incr-00000003";
    let mut older = chain(1, &[1, 2]);
    older.push(after(&full(2, 4), 5));
    let rivals = vec![full(1, 1), after(&full(1, 1), 2), published_later(after(&full(1, 1), 2), 6)];
    vec![
        Row { streams: vec![gap[0].clone(), gap[2].clone()], ..row("a gap in the chain", broken) },
        Row { streams: vec![gap[2].clone()], ..row("the full is gone", broken) },
        Row {
            streams: older,
            ..row(
                "the newest full is gone, an older chain is whole",
                "full: the newest chain in the store has a gap before 20260106T000000Z-incr-00000005",
            )
        },
        Row {
            streams: rivals,
            ..row(
                "two streams claim one place",
                "full: the newest chain in the store has a gap before 20260107T000000Z-incr-00000006",
            )
        },
        Row {
            streams: gap.into_iter().rev().collect(),
            snapshots: vec![snap(3), snap(1)],
            ..row("listed in any order", "home.20260104T000000Z")
        },
    ]
}

fn when() -> Vec<Row> {
    let due = "full: the last full is of 2026-01-02T00:00:00Z and one is due every 30 days";
    let continues = "home.20260103T000000Z";
    let second = |n: i64| Timestamp::from_second(day(31).as_second() + n).unwrap();
    vec![
        Row { fulls: Fulls::Now, ..row("asked for", "full: a full was asked for") },
        Row { fulls: Fulls::Now, streams: vec![], ..row("asked for, and the first", "full: a full was asked for") },
        Row { now: second(-1), ..row("a second before it is due", continues) },
        Row { now: second(0), ..row("due", due) },
        Row { now: day(4000), snapshots: vec![], ..row("long due, and no parent", due) },
        Row { now: day(-400), ..row("the clock was set back", continues) },
    ]
}

#[test]
fn every_situation_has_its_parent() {
    for Row { situation, streams, snapshots, fulls, now, expected } in
        what_is_here().into_iter().chain(what_is_there()).chain(when())
    {
        let chosen = match choose(&at("nas", streams), &snapshots, &archive_policy(), fulls, now) {
            ParentChoice::Incremental { stream, snapshot } => {
                assert_eq!(stream.snapshot.taken, snapshot.name.taken(), "{situation}");
                snapshot.name.to_string()
            }
            ParentChoice::Full(because) => format!("full: {because}"),
        };
        assert_eq!(chosen, expected, "{situation}");
    }
}

#[test]
fn a_chain_that_lacks_chunks_is_not_continued() {
    let ageless = ArchivePolicy { full_every_days: None, ..archive_policy() };
    for (lost, expected) in [(1, 1), (2, 2)] {
        let incomplete = BTreeSet::from([chain(1, &[1, 2])[lost - 1].name.clone()]);
        let target = ObservedTarget { incomplete, ..at("nas", chain(1, &[1, 2])) };
        let here = [snap(2)];
        let chosen = choose(&target, &here, &ageless, Fulls::WhenDue, day(3));
        let at = chain(1, &[1, 2])[expected - 1].name.clone();
        assert_eq!(chosen, ParentChoice::Full(NoParent::ChainIncomplete { at }));
    }
    // What an older generation lacks does not matter.
    let streams = [chain(1, &[1]), chain(2, &[2])].concat();
    let target = ObservedTarget { incomplete: BTreeSet::from([streams[0].name.clone()]), ..at("nas", streams) };
    let here = [snap(2)];
    let chosen = choose(&target, &here, &ageless, Fulls::WhenDue, day(3));
    assert!(matches!(chosen, ParentChoice::Incremental { .. }), "{chosen:?}");
}

#[test]
fn without_a_cadence_age_never_matters() {
    let ageless = ArchivePolicy { full_every_days: None, ..archive_policy() };
    let chosen = choose(&at("nas", chain(1, &[1, 2])), &[snap(2)], &ageless, Fulls::WhenDue, day(9000))
        == choose(&at("nas", chain(1, &[1, 2])), &[snap(2)], &archive_policy(), Fulls::WhenDue, day(3));
    assert!(chosen);
}

/// Whoever holds one of the keys reads all of a chain or nothing of use.
#[test]
fn other_keys_begin_a_new_chain() {
    let one = BTreeSet::from(["age1one".to_owned()]);
    for recipients in [one, BTreeSet::new()] {
        let changed = ArchivePolicy { recipients, ..archive_policy() };
        let target = at("nas", chain(1, &[1, 2]));
        let here = [snap(2)];
        let chosen = choose(&target, &here, &changed, Fulls::WhenDue, day(3));
        assert_eq!(chosen, ParentChoice::Full(NoParent::KeysChanged));
        assert!(matches!(
            choose(&target, &here, &archive_policy(), Fulls::WhenDue, day(3)),
            ParentChoice::Incremental { .. }
        ));
    }
}
