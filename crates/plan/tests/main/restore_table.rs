//! What a restore fetches, one row per situation.

use jiff::Timestamp;
use subvault_model::bytesize::ByteSize;
use subvault_model::names::StreamName;
use subvault_model::stream::StreamSummary;
use subvault_plan::restore::plan;

use crate::fixtures::{after, chain, day, full, full_name, home, incr_name};

fn expect(situation: &str, streams: &[StreamSummary], at: Option<Timestamp>, wanted: &[StreamName]) {
    // The order in which a store lists must not matter.
    for streams in [streams.to_vec(), streams.iter().rev().cloned().collect()] {
        let plan = plan(&home(), &streams, at).unwrap_or_else(|e| panic!("{situation}: {e}"));
        let names: Vec<&StreamName> = plan.streams.iter().map(|s| &s.name).collect();
        assert_eq!(names, wanted.iter().collect::<Vec<_>>(), "{situation}");
        let incrementals = wanted.len() as u64 - 1;
        assert_eq!(plan.fetch_bytes, ByteSize::gib(5 + incrementals), "{situation}");
        assert_eq!(plan.stream_bytes, ByteSize::gib(10 + 2 * incrementals), "{situation}");
        assert_eq!(plan.taken(), plan.streams.last().map(|s| s.snapshot.taken), "{situation}");
    }
}

fn refuse(situation: &str, streams: &[StreamSummary], at: Option<Timestamp>, why: &str) {
    for streams in [streams.to_vec(), streams.iter().rev().cloned().collect()] {
        assert_eq!(plan(&home(), &streams, at).unwrap_err().to_string(), why, "{situation}");
    }
}

fn two_generations() -> Vec<StreamSummary> {
    let mut streams = chain(1, &[1, 2, 3]);
    streams.extend(chain(2, &[10, 11]));
    streams
}

#[test]
fn moments() {
    let streams = two_generations();
    let first = [full_name(1), incr_name(2), incr_name(3)];
    let second = [full_name(10), incr_name(11)];
    let almost = |n: i64| Timestamp::from_second(day(n).as_second() - 1).unwrap();
    for (situation, at, wanted) in [
        ("the latest", None, &second[..]),
        ("long after", Some(day(500)), &second[..]),
        ("the very moment", Some(day(2)), &first[..2]),
        ("a second before", Some(almost(2)), &first[..1]),
        ("between two generations", Some(day(7)), &first[..]),
        ("the first", Some(day(1)), &first[..1]),
        ("a full in the middle", Some(day(10)), &second[..1]),
    ] {
        expect(situation, &streams, at, wanted);
    }
}

#[test]
fn refusals() {
    let streams = two_generations();
    refuse("empty", &[], None, "nothing of home is archived there");
    refuse("empty, with a moment", &[], Some(day(3)), "nothing of home is archived there");
    let old = "nothing of home is archived from 2026-01-01T00:00:00Z or before; the oldest is of 2026-01-02T00:00:00Z";
    refuse("before the first", &streams, Some(day(0)), old);
    let gap = [streams[0].clone(), streams[2].clone(), streams[3].clone(), streams[4].clone()];
    let broken = |n: u8| format!("{} cannot be restored: a stream before it in its chain is missing", incr_name(n));
    refuse("a gap", &gap, Some(day(3)), &broken(3));
    refuse("the full is gone", &streams[1..3], None, &broken(3));
    expect("a gap elsewhere", &gap, None, &[full_name(10), incr_name(11)]);
    expect("before the gap", &gap, Some(day(2)), &[full_name(1)]);
}

#[test]
fn the_latest_is_what_was_archived_last() {
    // Day 200 was a clock that ran wild; then it was set right and the chain went on.
    let streams = chain(1, &[1, 200, 3, 4]);
    let names = [full_name(1), incr_name(200), incr_name(3), incr_name(4)];
    expect("the latest", &streams, None, &names);
    expect("a moment", &streams, Some(day(3)), &names[..3]);
    expect("what the clock said", &streams, Some(day(200)), &names[..2]);
}

#[test]
fn of_rivals_the_one_that_was_published_last_is_meant_and_each_has_its_own_chain() {
    let head = full(1, 1);
    let right = after(&head, 2);
    let mut rival = StreamSummary { published: day(9), ..right.clone() };
    rival.name = StreamName::new(day(2), rival.kind(), 77);
    let (follows, follows_rival) = (after(&right, 3), after(&rival, 4));
    let two = [head.clone(), right.clone(), rival.clone()];
    for at in [None, Some(day(2))] {
        expect("same second, same place", &two, at, &[full_name(1), rival.name.clone()]);
    }
    let all = [head, right, rival.clone(), follows, follows_rival];
    expect("one", &all, Some(day(3)), &[full_name(1), incr_name(2), incr_name(3)]);
    expect("the other", &all, Some(day(4)), &[full_name(1), rival.name, incr_name(4)]);
}

#[test]
fn a_parent_that_is_not_where_its_child_says_is_none() {
    let mut streams = chain(1, &[1, 2, 3]);
    let broken = format!("{} cannot be restored: a stream before it in its chain is missing", incr_name(3));
    streams[2].sequence = 7;
    refuse("another place", &streams, None, &broken);
    streams[2].sequence = 2;
    streams[2].parent = Some(streams[2].name.clone());
    refuse("itself", &streams, None, &broken);
}

/// Half a year by the hour in one chain, as a timeline asks: once for each of its moments.
#[test]
fn a_long_chain_takes_no_time_to_speak_of() {
    let head = full(1, 1);
    let mut streams = vec![head];
    for hour in 1..4000_i64 {
        let before = streams.last().unwrap();
        let taken = Timestamp::from_second(day(1).as_second() + hour * 3600).unwrap();
        let mut next = after(before, 2);
        next.name = StreamName::new(taken, next.kind(), 1);
        next.snapshot.taken = taken;
        streams.push(next);
    }
    for wanted in streams.iter().step_by(40) {
        let found = plan(&home(), &streams, Some(wanted.snapshot.taken)).unwrap();
        assert_eq!(found.streams.len(), wanted.sequence as usize + 1);
    }
}
