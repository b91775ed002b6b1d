//! Copies, one row per situation: the steps as people read them, with what each needs.

use std::collections::{BTreeMap, BTreeSet};

use subvault_model::replica::{ReplicaCopy, UnfinishedCopy};
use subvault_model::subvolume::LocalSnapshot;
use subvault_plan::calendar::Calendar;
use subvault_plan::check::check;
use subvault_plan::keep::Keep;
use subvault_plan::observed::{Observed, ObservedReplica, Pin};
use subvault_plan::policy::{Policy, ReplicaPolicy};
use subvault_plan::replica::{Missing, last_common, last_copied, plan};
use subvault_plan::run::{self, Request, Wanted};
use subvault_plan::status::{Remembered, status};
use subvault_plan::step::{Common, Plan, Step};

use crate::fixtures::{archive, at, chain, day, lines, observed, policy, received, snap, some, target, uuid};

/// The copy of the snapshot of day `n`.
fn copy(n: u8) -> ReplicaCopy {
    let snapshot = snap(n);
    ReplicaCopy {
        name: snapshot.name,
        uuid: uuid(100 + n),
        received: Some(received(n)),
        sent: snapshot.ctransid,
        intact: true,
    }
}

fn keeping(newest: u32) -> Policy {
    let keep = Keep { newest: some(newest), within: None, periods: [0; 6], tags: BTreeSet::new() };
    let mut policy = policy(&[], 3);
    policy.subvolumes[0].replicas = vec![target("usb")];
    let replica = ReplicaPolicy { schedule: None, keep, pin_days: some(40) };
    policy.replicas = BTreeMap::from([(target("usb"), replica)]);
    policy
}

fn seen(snapshots: &[u8], copies: Vec<ReplicaCopy>, left: &[u8]) -> Observed {
    let mut observed = observed(snapshots.iter().map(|n| snap(*n)).collect(), Vec::new());
    let unfinished = left.iter().map(|n| UnfinishedCopy { name: snap(*n).name, uuid: uuid(200 + n) }).collect();
    observed.subvolumes[0].replicas = vec![ObservedReplica { name: target("usb"), copies, unfinished }];
    observed
}

fn decide(policy: &Policy, observed: &Observed, missing: Missing) -> Plan {
    let plan = plan(policy, observed, missing, day(50));
    assert_eq!(check(&plan, observed), [""; 0]);
    plan
}

fn steps(policy: &Policy, observed: &Observed, missing: Missing) -> Vec<String> {
    let plan = decide(policy, observed, missing);
    lines(&plan).iter().map(|line| line.replace("home.202601", "").replace("T000000Z", "")).collect()
}

#[test]
fn the_newest_goes_relative_to_the_newest_that_both_sides_have() {
    let two = keeping(9);
    for (what, seen, wanted) in [
        ("nothing is there", seen(&[1, 2], vec![], &[]), &["0 copy      03 → usb, all of it []"][..]),
        ("one follows", seen(&[1, 2, 3], vec![copy(1), copy(2)], &[]), &["0 copy      04 → usb, from 03 []"]),
        ("the parent is gone here", seen(&[1, 3], vec![copy(1), copy(2)], &[]), &["0 copy      04 → usb, from 02 []"]),
        ("all are gone here", seen(&[3], vec![copy(1), copy(2)], &[]), &["0 copy      04 → usb, all of it []"]),
        ("nothing is new", seen(&[1, 2], vec![copy(2)], &[]), &[]),
        (
            "a receive was interrupted",
            seen(&[1, 2], vec![copy(1)], &[2]),
            &["0 remove    unfinished copy of 03 at usb []", "1 copy      03 → usb, from 02 [0]"],
        ),
        (
            "another one was",
            seen(&[1, 3], vec![copy(1)], &[2]),
            &["0 remove    unfinished copy of 03 at usb []", "1 copy      04 → usb, from 02 []"],
        ),
    ] {
        assert_eq!(steps(&two, &seen, Missing::Newest), wanted, "{what}");
    }
}

#[test]
fn what_was_changed_is_no_parent_and_stays() {
    let writable = ReplicaCopy { received: None, intact: false, ..copy(2) };
    let hidden = ReplicaCopy { intact: false, ..copy(2) };
    for changed in [writable, hidden] {
        let plan = decide(&keeping(1), &seen(&[1, 2, 3], vec![copy(1), changed], &[]), Missing::Newest);
        assert!(matches!(&plan.steps[0].step, Step::SendCopy { parent: Some(p), .. } if p.snapshot == snap(1).name));
        assert!(plan.notes[0].contains("was changed"), "{:?}", plan.notes);
        let deleted = plan.steps.iter().filter(|p| matches!(p.step, Step::DeleteCopy { .. }));
        assert_eq!(deleted.count(), 1, "only the one that nobody changed");
    }
    // Here as well: something was written into it, and it was made read-only again.
    let mut tampered = seen(&[1, 2, 3], vec![copy(1), copy(2)], &[]);
    tampered.subvolumes[0].snapshots[1].ctransid.0 += 1;
    assert_eq!(steps(&keeping(9), &tampered, Missing::Newest), ["0 copy      04 → usb, from 02 []"]);
}

#[test]
fn all_that_would_stay_is_sent_in_order_each_relative_to_the_one_before() {
    let none = seen(&[1, 2, 3, 4], vec![], &[]);
    assert_eq!(
        steps(&keeping(3), &none, Missing::All),
        [
            "0 copy      03 → usb, all of it []",
            "1 copy      04 → usb, from 03 [0]",
            "2 copy      05 → usb, from 04 [1]"
        ]
    );
    let late = seen(&[1, 2, 3], vec![copy(3)], &[]);
    assert_eq!(
        steps(&keeping(9), &late, Missing::All),
        ["0 copy      02 → usb, from 04 []", "1 copy      03 → usb, from 02 [0]"]
    );
}

#[test]
fn copies_go_only_after_the_next_has_arrived_and_never_the_next_parent() {
    let old = seen(&[2, 3], vec![copy(1), copy(2)], &[]);
    assert_eq!(
        steps(&keeping(1), &old, Missing::Newest),
        ["0 copy      04 → usb, from 03 []", "1 delete    copy 02 at usb [0]", "2 delete    copy 03 at usb [0]"]
    );
    // Two that are not here are newer: what is here still is the next parent.
    let foreign = seen(&[2], vec![copy(2), copy(3), copy(4)], &[]);
    assert_eq!(steps(&keeping(1), &foreign, Missing::Newest), ["0 delete    copy 04 at usb []"]);
}

#[test]
fn a_disk_that_is_away_holds_its_parent_for_so_many_days() {
    let deleted = |seen_days_ago: i64| {
        let mut policy = policy(&["nas"], 1);
        policy.replicas = keeping(1).replicas;
        let mut seen = observed(vec![snap(1), snap(2), snap(3)], vec![at("nas", chain(1, &[1, 2, 3]))]);
        seen.subvolumes[0].pins = vec![Pin { snapshot: uuid(2), target: target("usb"), seen: day(60 - seen_days_ago) }];
        let plan = run::plan(&policy, &seen, &archive(), day(60));
        assert_eq!(check(&plan, &seen), [""; 0]);
        let deletes = plan.steps.iter().filter(|p| matches!(p.step, Step::DeleteSnapshot { .. }));
        deletes.map(|p| (p.step.to_string(), p.because.clone())).collect::<Vec<_>>()
    };
    let names = |all: &[(String, String)]| {
        all.iter().map(|(step, _)| step.split("home.202601").nth(1).unwrap()[..2].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&deleted(39)), ["04", "02"]);
    let late = deleted(41);
    assert_eq!(names(&late), ["04", "03", "02"]);
    assert!(late[1].1.contains("usb was not seen for too long: all of home must be sent there again"), "{late:?}");
}

#[test]
fn snapshots_of_a_received_subvolume_are_told_apart() {
    // All of them have the same origin: none can be the parent of another.
    let inherited = |n: u8| LocalSnapshot { received: Some(received(77)), ..snap(n) };
    let mut seen = seen(&[], vec![ReplicaCopy { received: Some(received(77)), ..copy(1) }], &[]);
    seen.subvolumes[0].snapshots = vec![inherited(1), inherited(2)];
    assert_eq!(steps(&keeping(9), &seen, Missing::Newest), ["0 copy      03 → usb, all of it []"]);
}

/// A snapshot that was taken while the clock was wrong, and copied, keeps nothing from being copied once it is right.
#[test]
fn a_copy_from_the_future_stops_nothing() {
    let stopped = seen(&[1, 2, 90], vec![copy(1), copy(90)], &[]);
    assert_eq!(steps(&keeping(9), &stopped, Missing::Newest), ["0 copy      03 → usb, from 02 []"]);
    // It is sent as well, and waits for those whose dates are right.
    let all = seen(&[1, 2, 90], vec![], &[]);
    assert_eq!(steps(&keeping(9), &all, Missing::Newest), ["0 copy      03 → usb, all of it []"]);
    let rest = seen(&[1, 2, 90], vec![copy(2)], &[]);
    assert_eq!(steps(&keeping(9), &rest, Missing::Newest), ["0 copy      home.20260401 → usb, from 03 []"]);
    let replica = &stopped.subvolumes[0].replicas[0];
    assert_eq!(last_copied(replica, day(50)), Some(day(1)));
    assert_eq!(last_common(&stopped.subvolumes[0].snapshots, replica, day(50)).map(|s| s.uuid), Some(uuid(1)));
    // What is due by a schedule is so.
    let mut policy = keeping(9);
    let daily = policy.subvolumes[0].schedule.clone();
    policy.replicas.get_mut(&target("usb")).unwrap().schedule = daily;
    let request = Request { snapshots: Wanted::No, sends: Wanted::Due, ..archive() };
    let plan = run::plan(&policy, &stopped, &request, day(50));
    let sent: Vec<_> = plan.steps.iter().filter(|p| matches!(p.step, Step::SendCopy { .. })).collect();
    assert_eq!(sent.len(), 1, "{:?}", lines(&plan));
}

#[test]
fn status_tells_of_what_is_dated_in_the_future() {
    let policy = keeping(9);
    let told = |snapshots: &[u8], remembered: Option<u8>| {
        let mut remembers = Remembered::new();
        let of = (target("usb"), policy.subvolumes[0].name.clone());
        remembers.extend(remembered.map(|n| (of, (day(i64::from(n)), day(49)))));
        let status = status(&policy, &seen(snapshots, vec![], &[]), &remembers, day(50));
        let what = status.problems.into_iter().map(|problem| problem.what);
        what.filter(|what| what.contains("in the future")).collect::<Vec<_>>()
    };
    assert_eq!(told(&[48], Some(48)), [""; 0]);
    assert_eq!(told(&[48, 90], Some(48)), ["home: the newest snapshot is dated in the future"]);
    assert_eq!(told(&[48], Some(90)), ["home: the newest copy at usb is dated in the future"]);
}

#[test]
fn a_copy_is_stale_after_a_week_or_a_turn_of_a_slower_schedule() {
    let is_stale = |schedule: Option<&str>, age: i64| {
        let mut policy = keeping(9);
        policy.replicas.get_mut(&target("usb")).unwrap().schedule =
            schedule.map(|text| Calendar::parse(text, &|_| None).unwrap());
        let of = (target("usb"), policy.subvolumes[0].name.clone());
        let remembers = Remembered::from([(of, (day(200 - age), day(199)))]);
        status(&policy, &seen(&[198], vec![], &[]), &remembers, day(200)).subvolumes[0].copies[0].is_stale
    };
    for (schedule, age, stale) in [
        (None, 7, false),
        (None, 8, true),
        (Some("daily"), 7, false),
        (Some("daily"), 8, true),
        (Some("monthly"), 20, false),
        (Some("monthly"), 63, true),
    ] {
        assert_eq!(is_stale(schedule, age), stale, "{schedule:?} after {age} days");
    }
}

/// Breaks a good plan on purpose: the check must see each kind of breakage, or it guards nothing.
#[test]
fn the_check_sees_what_is_broken() {
    type Breakage = (&'static str, fn(&mut Plan));
    fn parent(plan: &mut Plan) -> &mut Common {
        let Step::SendCopy { parent: Some(parent), .. } = &mut plan.steps[1].step else { panic!("not a copy") };
        parent
    }
    let breakages: [Breakage; 12] = [
        ("receives over what is left", |plan| plan.steps[1].needs.clear()),
        ("relative to a copy that is not there", |plan| parent(plan).copy = Some(uuid(250))),
        ("relative to another copy", |plan| parent(plan).copy = Some(uuid(101))),
        ("relative to another snapshot", |plan| parent(plan).uuid = uuid(1)),
        ("relative to a copy that nothing makes", |plan| parent(plan).copy = None),
        ("a name that is in use", |plan| {
            if let Step::SendCopy { name, .. } = &mut plan.steps[1].step {
                *name = snap(1).name;
            }
        }),
        ("removes a copy as unfinished", |plan| {
            if let Step::RemoveUnfinishedCopy { uuid: of, .. } = &mut plan.steps[0].step {
                *of = uuid(101);
            }
        }),
        ("deletes before the next has arrived", |plan| plan.steps[3].needs.clear()),
        ("deletes something else", |plan| {
            if let Step::DeleteCopy { uuid: of, .. } = &mut plan.steps[2].step {
                *of = uuid(9);
            }
        }),
        ("deletes twice", |plan| plan.steps.push(plan.steps[2].clone())),
        ("deletes the parent first", |plan| plan.steps.swap(1, 3)),
        ("another replica", |plan| {
            if let Step::SendCopy { target: at, .. } = &mut plan.steps[1].step {
                *at = target("attic");
            }
        }),
    ];
    let seen = seen(&[1, 2, 3], vec![copy(1), copy(2)], &[3]);
    let good = decide(&keeping(1), &seen, Missing::Newest);
    assert_eq!(good.steps.len(), 4, "{:?}", lines(&good));
    for (what, breakage) in breakages {
        let mut plan = good.clone();
        breakage(&mut plan);
        assert_ne!(check(&plan, &seen), [""; 0], "{what}");
    }
}
