//! Plans of runs, one row per situation: the steps as people read them, with what each needs.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use subvault_model::ids::{SnapshotUuid, SubvolumeId, TransactionId};
use subvault_model::names::SnapshotName;
use subvault_model::replica::ReplicaCopy;
use subvault_model::stream::Generation;
use subvault_model::subvolume::LocalSnapshot;
use subvault_plan::check::check;
use subvault_plan::observed::{Observed, ObservedReplica, ObservedTarget, Unfinished};
use subvault_plan::policy::{Fulls, Policy};
use subvault_plan::run::{Request, Wanted, plan};
use subvault_plan::step::{Plan, Step};

use crate::fixtures::{
    after, archive, at, chain, day, due, full, full_name, home, lines, observed, policy, snap, target, unfinished, uuid,
};

fn decide(situation: &str, policy: &Policy, observed: &Observed, now: Timestamp) -> Plan {
    let plan = plan(policy, observed, &archive(), now);
    assert_eq!(check(&plan, observed), [""; 0], "{situation}");
    plan
}

fn expect(situation: &str, policy: &Policy, observed: &Observed, now: i64, steps: &[&str]) {
    assert_eq!(lines(&decide(situation, policy, observed, day(now))), steps, "{situation}");
}

const TAKE: &str = "0 snapshot  home.20260104T000000Z []";
const ON: &str = "1 archive   home → nas, incremental, generation 1.2, from home.20260103T000000Z [0]";
const FULL: &str = "1 archive   home → nas, full, generation 2.0 [0]";

fn nas() -> ObservedTarget {
    at("nas", chain(1, &[1, 2]))
}

fn nas_with(unfinished: Unfinished) -> ObservedTarget {
    ObservedTarget { unfinished: Some(unfinished), ..nas() }
}

fn changed(n: u8) -> LocalSnapshot {
    LocalSnapshot { ctransid: TransactionId(99), ..snap(n) }
}

#[test]
fn nothing_is_deleted_of_a_stream_whose_manifest_cannot_be_read() {
    let begun = unfinished(3, Some(2));
    let damaged = ObservedTarget { unreadable: BTreeSet::from([begun.stream.clone()]), ..nas_with(begun) };
    let steps =
        lines(&decide("damaged", &policy(&["nas"], 9), &observed(vec![snap(2), snap(3)], vec![damaged]), day(4)));
    assert!(steps.iter().all(|step| !step.contains("abandon")), "{steps:?}");
    assert!(steps[1].contains("incremental, generation 1.2"), "{steps:?}");
}

#[test]
fn a_name_is_never_used_again_in_its_second() {
    // The first two of this second are gone from the pool: one was deleted, one is only in the store.
    let again = |n: u32| SnapshotName::new("home".parse().unwrap(), day(3), n);
    let mut archived = full(1, 2);
    archived.snapshot.name = again(2);
    let seen = observed(vec![LocalSnapshot { name: again(3), ..snap(3) }], vec![at("nas", vec![archived])]);
    let steps = lines(&decide("again", &policy(&["nas"], 9), &seen, day(3)));
    assert_eq!(steps[0], format!("0 snapshot  {} []", again(4)));
    let seen = observed(vec![], seen.subvolumes[0].targets.clone());
    let steps = lines(&decide("again", &policy(&["nas"], 9), &seen, day(3)));
    assert_eq!(steps[0], format!("0 snapshot  {} []", again(3)));
    // Or only as a copy.
    let mut seen = observed(vec![], vec![]);
    let copy = ReplicaCopy { name: again(4), uuid: uuid(9), received: None, sent: TransactionId(1), intact: false };
    let replica = ObservedReplica { name: target("usb"), copies: vec![copy], unfinished: vec![] };
    seen.subvolumes[0].replicas.push(replica);
    let steps = lines(&decide("again", &policy(&[], 9), &seen, day(3)));
    assert_eq!(steps[0], format!("0 snapshot  {} []", again(5)));
}

#[test]
fn runs_that_go_well() {
    let nas_only = policy(&["nas"], 1);
    let first = observed(vec![], vec![at("nas", vec![])]);
    let full = "1 archive   home → nas, full, generation 1.0 [0]";
    expect("first run", &nas_only, &first, 3, &[TAKE, full]);
    let second = observed(vec![snap(2)], vec![nas()]);
    expect("a later run", &nas_only, &second, 3, &[TAKE, ON, "2 delete    snapshot home.20260103T000000Z [0 1]"]);
    expect("keep 2", &policy(&["nas"], 2), &second, 3, &[TAKE, ON]);
    let many = observed(vec![snap(1), snap(2)], vec![nas()]);
    expect(
        "older ones need only the snapshot",
        &nas_only,
        &many,
        3,
        &[
            TAKE,
            ON,
            "2 delete    snapshot home.20260103T000000Z [0 1]",
            "3 delete    snapshot home.20260102T000000Z [0]",
        ],
    );
    let again = "0 snapshot  home.20260103T000000Z.2 []";
    expect("two runs in one second", &policy(&["nas"], 2), &second, 2, &[again, ON]);
    expect(
        "no targets",
        &policy(&[], 1),
        &observed(vec![snap(2)], vec![]),
        3,
        &[TAKE, "1 delete    snapshot home.20260103T000000Z [0]"],
    );
    let asked = Policy { fulls: Fulls::Now, ..policy(&["nas"], 2) };
    expect("a full was asked for", &asked, &second, 3, &[TAKE, FULL]);
    expect("a full is due", &policy(&["nas"], 9), &second, 31, &["0 snapshot  home.20260201T000000Z []", FULL]);
    expect("not observed at all", &nas_only, &Observed::default(), 3, &[]);
}

#[test]
fn pointers() {
    let pointing = |pointer| ObservedTarget { pointer, ..nas() };
    let keep = policy(&["nas"], 5);
    let repair = "1 repair    pointer of home at nas → 20260103T000000Z-incr-00000002 []";
    let on = "2 archive   home → nas, incremental, generation 1.2, from home.20260103T000000Z [0]";
    for (situation, pointer) in [("missing", None), ("one behind", Some(full_name(1))), ("wild", Some(full_name(9)))] {
        expect(situation, &keep, &observed(vec![snap(2)], vec![pointing(pointer)]), 3, &[TAKE, repair, on]);
    }
    let headless = ObservedTarget { streams: vec![after(&full(1, 1), 2)], pointer: None, ..nas() };
    expect("nothing to point at", &keep, &observed(vec![snap(2)], vec![headless]), 3, &[TAKE, FULL]);
}

#[test]
fn interrupted_uploads() {
    let keep = policy(&["nas"], 1);
    let here = || vec![snap(2), snap(3)];
    let resumed = observed(here(), vec![nas_with(unfinished(3, Some(2)))]);
    let resume = "0 resume    home → nas, incremental, generation 1.2, from home.20260103T000000Z []";
    expect("an incremental", &keep, &resumed, 5, &[resume, "1 delete    snapshot home.20260103T000000Z [0]"]);
    let full =
        observed(vec![snap(3)], vec![ObservedTarget { unfinished: Some(unfinished(3, None)), ..at("nas", vec![]) }]);
    expect("a full", &keep, &full, 5, &["0 resume    home → nas, full, generation 1.0 []"]);
    // The snapshot of the resumed stream is the next parent, even when the clock makes it look old.
    let back = observed(
        vec![snap(2), snap(1)],
        vec![ObservedTarget { unfinished: Some(unfinished(1, Some(2))), ..at("nas", chain(1, &[2])) }],
    );
    expect(
        "the clock was set back",
        &keep,
        &back,
        0,
        &["0 resume    home → nas, incremental, generation 1.1, from home.20260103T000000Z []"],
    );
}

#[test]
fn uploads_that_are_given_up() {
    let keep = policy(&["nas"], 9);
    let take = "0 snapshot  home.20260106T000000Z []";
    let give_up = "1 abandon   home → nas, 20260104T000000Z-incr-00000003 [0]";
    let on = "2 archive   home → nas, incremental, generation 1.2, from home.20260103T000000Z [0]";
    let full = "2 archive   home → nas, full, generation 2.0 [0]";
    let other_settings = Unfinished { same_settings: false, ..unfinished(3, Some(2)) };
    let writable = LocalSnapshot { read_only: false, ..snap(3) };
    let usual = || unfinished(3, Some(2));
    for (situation, snapshots, unfinished, then, because) in [
        ("settings", vec![snap(2), snap(3)], other_settings, on, "the settings that shape its bytes have changed"),
        ("gone", vec![snap(2)], usual(), on, "its snapshot is no longer on the pool, or writable"),
        ("writable", vec![snap(2), writable], usual(), on, "its snapshot is no longer on the pool, or writable"),
        ("no parent", vec![snap(3)], usual(), full, "what it is relative to is gone or changed"),
        ("changed parent", vec![changed(2), snap(3)], usual(), full, "what it is relative to is gone or changed"),
        (
            "not the tip",
            vec![snap(1), snap(2), snap(3)],
            unfinished(3, Some(1)),
            on,
            "what it is relative to is gone or changed",
        ),
    ] {
        let seen = observed(snapshots, vec![nas_with(unfinished)]);
        expect(situation, &keep, &seen, 5, &[take, give_up, then]);
        assert_eq!(plan(&keep, &seen, &archive(), day(5)).steps[1].because, because, "{situation}");
    }
    let asked = Policy { fulls: Fulls::Now, ..keep };
    let seen = observed(vec![snap(2), snap(3)], vec![nas_with(usual())]);
    expect("a full was asked for, this is none", &asked, &seen, 5, &[take, give_up, full]);
    let seen = observed(vec![snap(2), snap(3)], vec![nas_with(unfinished(3, None))]);
    let resume = "0 resume    home → nas, full, generation 2.0 []";
    expect("a full was asked for, this is one", &asked, &seen, 5, &[resume]);
}

/// A run that dies between the manifest and the removal of its journal has published its stream.
#[test]
fn a_published_stream_is_never_given_up() {
    let keep = policy(&["nas"], 9);
    for same_settings in [true, false] {
        let left = Unfinished { same_settings, ..unfinished(2, Some(1)) };
        let seen = observed(vec![snap(1), snap(2)], vec![nas_with(left)]);
        expect("only the journal was left", &keep, &seen, 3, &[TAKE, ON]);
    }
}

/// As another program takes them: named by their numbers, and not ours.
fn theirs(n: u8) -> LocalSnapshot {
    let name = SnapshotName::new("home".parse().unwrap(), day(i64::from(n)), 256 + u32::from(n));
    LocalSnapshot { name, foreign: true, ..snap(n) }
}

#[test]
fn what_others_took_is_sent_and_stays() {
    let mut ships = policy(&["nas"], 1);
    ships.subvolumes[0].ships_foreign = true;
    let hourly = ships.clone();
    ships.subvolumes[0].schedule = None;
    let first = "0 archive   home → nas, full, generation 1.0 []";
    expect("the first of theirs", &ships, &observed(vec![theirs(2)], vec![at("nas", vec![])]), 4, &[first]);
    let mut archived = full(1, 2);
    archived.snapshot.name = theirs(2).name;
    let nas = || at("nas", vec![archived.clone()]);
    let on = "0 archive   home → nas, incremental, generation 1.1, from home.20260103T000000Z.258 []";
    expect("the next of theirs", &ships, &observed(vec![theirs(2), theirs(3)], vec![nas()]), 4, &[on]);
    let full = "0 archive   home → nas, full, generation 2.0 []";
    expect("they deleted the last one", &ships, &observed(vec![theirs(3)], vec![nas()]), 4, &[full]);
    let none = decide("there is none of theirs", &ships, &observed(vec![], vec![nas()]), day(4));
    assert!(none.steps.is_empty() && none.notes[0].contains("no other program"), "{:?}", none.notes);
    expect("all is there", &ships, &observed(vec![theirs(2)], vec![nas()]), 4, &[]);
    let take = "0 snapshot  home.20260105T000000Z []";
    let on = "1 archive   home → nas, incremental, generation 1.1, from home.20260103T000000Z.258 [0]";
    let gone = "2 delete    snapshot home.20260102T000000Z [0]";
    let seen = observed(vec![snap(1), theirs(2), theirs(3)], vec![nas()]);
    expect("ours by a schedule, beside theirs", &hourly, &seen, 4, &[take, on, gone]);
    let mut deletes = decide("ours by a schedule", &hourly, &seen, day(4));
    let step = deletes.steps.last_mut().unwrap();
    let LocalSnapshot { name: theirs, uuid: their_uuid, .. } = theirs(2);
    let subvolume = theirs.subvolume().clone();
    step.step = Step::DeleteSnapshot { subvolume, name: theirs, uuid: their_uuid };
    assert!(check(&deletes, &seen).iter().any(|finding| finding.contains("of another program")));
}

#[test]
fn notes_that_a_dead_run_left_are_removed() {
    let lost = || SnapshotName::new("home".parse().unwrap(), day(3), 1);
    let mut seen = observed(vec![snap(2)], vec![nas()]);
    seen.subvolumes[0].lost_notes.push(lost());
    let take = "0 snapshot  home.20260104T000000Z.2 []";
    let note = "2 remove    lost note on home.20260104T000000Z []";
    expect("its name is not used", &policy(&["nas"], 2), &seen, 3, &[take, ON, note]);
    let plan = decide("a lost note", &policy(&["nas"], 2), &seen, day(3));
    seen.subvolumes[0].lost_notes.clear();
    assert!(check(&plan, &seen).iter().any(|finding| finding.contains("not lost")));
}

#[test]
fn several_targets() {
    let two = policy(&["nas", "usb"], 1);
    let behind = at("usb", chain(4, &[1]));
    let both = observed(vec![snap(1), snap(2)], vec![nas(), behind.clone()]);
    expect(
        "one is behind",
        &two,
        &both,
        3,
        &[
            TAKE,
            ON,
            "2 archive   home → usb, incremental, generation 4.1, from home.20260102T000000Z [0]",
            "3 delete    snapshot home.20260103T000000Z [0 1]",
            "4 delete    snapshot home.20260102T000000Z [0 2]",
        ],
    );
    let resuming = ObservedTarget { unfinished: Some(unfinished(2, Some(1))), ..behind };
    let one_resumes = observed(vec![snap(1), snap(2)], vec![nas(), resuming]);
    expect(
        "one resumes",
        &two,
        &one_resumes,
        3,
        &[
            TAKE,
            ON,
            "2 resume    home → usb, incremental, generation 4.1, from home.20260102T000000Z []",
            "3 delete    snapshot home.20260102T000000Z [0 2]",
        ],
    );
    let stranger = observed(vec![snap(2)], vec![nas(), at("attic", vec![])]);
    expect("one is not configured", &policy(&["nas"], 5), &stranger, 3, &[TAKE, ON]);
}

#[test]
fn a_target_that_cannot_be_seen_pins_for_a_while() {
    let two = policy(&["nas", "usb"], 1);
    let seen = observed(vec![snap(1), snap(2)], vec![nas()]);
    let note = "home: usb was not looked at; no snapshot of the last 40 days is deleted, in case it needs it";
    let plan = decide("soon", &two, &seen, day(3));
    assert_eq!(lines(&plan), [TAKE, ON]);
    assert_eq!(plan.notes, [note]);
    let plan = decide("late", &two, &seen, day(41));
    assert_eq!(lines(&plan)[2..], ["2 delete    snapshot home.20260102T000000Z [0]"]);
    assert_eq!(plan.notes, [note]);
    assert_eq!(plan.steps[2].because, "no rule keeps it; if it was the parent for usb, that will need a full");
    let alone = observed(vec![snap(1), snap(2)], vec![]);
    expect("none can be seen", &two, &alone, 3, &[TAKE]);
    // Every target that was seen resumes, so no snapshot is taken; the one that was not seen still pins.
    let resumes = observed(vec![snap(1), snap(2), snap(3)], vec![nas_with(unfinished(3, Some(2)))]);
    let resume = "0 resume    home → nas, incremental, generation 1.2, from home.20260103T000000Z []";
    expect("the others resume", &two, &resumes, 5, &[resume]);
    expect("the others resume, late", &two, &resumes, 41, &[resume, "1 delete    snapshot home.20260102T000000Z []"]);
}

#[test]
fn the_last_number_does_not_end_the_run() {
    let two = policy(&["nas", "usb"], 1);
    let last = subvault_model::stream::StreamSummary { generation: Generation(u32::MAX), ..full(1, 1) };
    let seen = observed(vec![snap(2)], vec![nas(), at("usb", vec![last])]);
    let plan = decide("the last generation", &two, &seen, day(3));
    assert_eq!(lines(&plan), [TAKE, ON, "2 delete    snapshot home.20260103T000000Z [0 1]"]);
    assert_eq!(
        plan.notes[0],
        format!("home: {} has a stream with the highest number there is; none can follow", target("usb"))
    );
}

/// A snapshot that was taken while the clock was wrong, and archived, keeps nothing from being done once it is right.
#[test]
fn what_is_from_the_future_keeps_nothing_from_being_due() {
    let seen = observed(vec![snap(2), snap(90)], vec![at("nas", chain(1, &[2, 90]))]);
    let plan = plan(&policy(&["nas"], 9), &seen, &due(), day(3));
    assert_eq!(check(&plan, &seen), [""; 0]);
    let from = "1 archive   home → nas, incremental, generation 1.2, from home.20260401T000000Z [0]";
    assert_eq!(lines(&plan), [TAKE, from]);
    // Once there is one of today, nothing is due.
    let seen = observed(vec![snap(2), snap(3), snap(90)], vec![at("nas", chain(1, &[2, 90, 3]))]);
    let plan = subvault_plan::run::plan(&policy(&["nas"], 9), &seen, &due(), day(3));
    assert_eq!(lines(&plan), [""; 0]);
}

/// Written so that it ends: what takes a step for each pair of snapshots does not come to its end here.
#[test]
fn a_hundred_thousand_snapshots_are_planned_and_checked() {
    const SNAPSHOTS: u32 = 100_000;
    let snapshot = |n: u32| LocalSnapshot {
        name: SnapshotName::new(home(), day(400) - SignedDuration::from_mins(i64::from(5 * n)), 1),
        uuid: SnapshotUuid::from_bytes(u128::from(n + 1).to_be_bytes()).unwrap(),
        id: SubvolumeId(u64::from(SNAPSHOTS - n)),
        ..snap(1)
    };
    let mut keeping = policy(&[], 3);
    keeping.subvolumes[0].keep.periods = [24, 7, 4, 12, 0, 3];
    let seen = observed((0..SNAPSHOTS).map(snapshot).collect(), Vec::new());
    let decided = plan(&keeping, &seen, &Request { snapshots: Wanted::No, sends: Wanted::No, ..archive() }, day(400));
    assert_eq!(check(&decided, &seen), Vec::<String>::new());
    assert_eq!(decided.steps.len() + decided.kept.len(), SNAPSHOTS as usize);
}
