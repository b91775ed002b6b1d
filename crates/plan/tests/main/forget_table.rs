//! What targets may hold and until when, and what is sent and deleted there, one row per situation.

use std::collections::{BTreeMap, BTreeSet};

use subvault_model::note::Note;
use subvault_model::replica::ReplicaCopy;
use subvault_model::stream::StreamSummary;
use subvault_model::subvolume::LocalSnapshot;
use subvault_plan::check::check;
use subvault_plan::forget::archives::{Clean, may_hold, needs_full};
use subvault_plan::forget::check::check_rebase;
use subvault_plan::forget::rebase::{Known, plan};
use subvault_plan::gc::forget::{Replacement, plan as plan_gc};
use subvault_plan::keep::Keep;
use subvault_plan::observed::{ObservedReplica, Unfinished};
use subvault_plan::policy::{ArchivePolicy, Policy, ReplicaPolicy};
use subvault_plan::run::{Request, Wanted};
use subvault_plan::step::{Plan, Step::DeleteCopy};

use crate::fixtures::{
    archive_policy, at, chain, day, full_name, home, lines, observed, policy, received, snap, some, target, uuid,
};
use crate::gc_properties::store_of;

fn texts(lines: &[&str]) -> Vec<String> {
    lines.iter().map(ToString::to_string).collect()
}

/// These snapshots are here and do not hold it.
fn clean(days: &[u8]) -> Clean {
    days.iter().map(|n| (snap(*n).uuid, snap(*n).ctransid)).collect()
}

#[test]
fn a_generation_is_clean_only_if_all_of_it_is_known() {
    let streams: Vec<StreamSummary> = [chain(1, &[1, 2]), chain(2, &[11, 12])].concat();
    let none = BTreeSet::new();
    for (known, holding, full) in [
        (&[][..], &[1, 2][..], true),
        (&[1, 2], &[2], true),
        (&[1, 2, 11], &[2], true),
        (&[2, 11, 12], &[1], false),
        (&[1, 2, 11, 12], &[], false),
    ] {
        let told = may_hold(&archive_policy(), &streams, &clean(known), day(20));
        let found: Vec<u32> = told.iter().map(|held| held.generation.0).collect();
        assert_eq!((found.as_slice(), needs_full(&streams, &none, &clean(known))), (holding, full), "{known:?}");
    }
    // One that was changed since is not what was archived.
    let mut changed = clean(&[11, 12]);
    changed.values_mut().for_each(|ctransid| ctransid.0 += 1);
    assert!(needs_full(&streams, &none, &changed));
    let lacking = BTreeSet::from([streams[3].name.clone()]);
    assert!(needs_full(&streams, &lacking, &clean(&[11, 12])), "one that lacks chunks replaces nothing");
}

#[test]
fn it_is_told_until_when_generations_stay() {
    let streams = [chain(1, &[1, 2]), chain(2, &[11])].concat();
    let policy = ArchivePolicy {
        keep_generations: some(2),
        full_every_days: Some(some(30)),
        minimum_storage_days: 0,
        ..archive_policy()
    };
    let told = |policy: &ArchivePolicy| {
        let told = may_hold(policy, &streams, &Clean::new(), day(20));
        told.iter().map(|held| (held.streams, held.fulls_before, held.not_before)).collect::<Vec<_>>()
    };
    assert_eq!(told(&policy), [(2, 1, Some(day(20))), (1, 2, Some(day(50)))]);
    let paid = ArchivePolicy { minimum_storage_days: 90, ..policy.clone() };
    assert_eq!(told(&paid), [(2, 1, Some(day(92))), (1, 2, Some(day(101)))]);
    let asked = ArchivePolicy { full_every_days: None, ..policy };
    assert_eq!(told(&asked), [(2, 1, Some(day(20))), (1, 2, None)]);
}

#[test]
fn archives_get_a_full_and_only_then_lose_what_is_older() {
    let streams = [chain(1, &[1, 2]), chain(2, &[11])].concat();
    let policy = policy(&["vault"], 2);
    let asked = [target("vault")];
    for (what, here, known, wanted, archives) in [
        (
            "all may hold it",
            &[20][..],
            &[20][..],
            &["0 snapshot  home.20260131T000000Z []", "1 archive   home → vault, full, generation 3.0 [0]"][..],
            1,
        ),
        ("the newest is clean", &[11], &[11], &[], 1),
        ("all is clean", &[1, 2, 11], &[1, 2, 11], &[], 0),
    ] {
        let seen = observed(here.iter().map(|n| snap(*n)).collect(), vec![at("vault", streams.clone())]);
        let known = Known { clean: BTreeMap::from([(home(), clean(known))]), ..Known::default() };
        let rebase = plan(&policy, &seen, &asked, &known, day(30));
        assert_eq!(check(&rebase.plan, &seen), [""; 0], "{what}");
        assert_eq!(check_rebase(&rebase.plan, &seen, &known), [""; 0], "{what}");
        assert_eq!((lines(&rebase.plan), rebase.archives.len()), (texts(wanted), archives), "{what}");
        assert_eq!(plan(&policy, &seen, &[], &known, day(30)), Default::default(), "{what}: nobody asked");
    }
}

#[test]
fn nothing_goes_from_a_store_before_something_newer_is_whole() {
    let streams = [chain(1, &[1, 2]), chain(2, &[11])].concat();
    let store = store_of(&streams);
    let gone = |known: &[u8], replacement| {
        let plan = plan_gc(&store, &clean(known), replacement);
        plan.steps.len()
    };
    assert_eq!(gone(&[], Replacement::There), 0);
    assert_eq!(gone(&[], Replacement::Coming), 6);
    assert_eq!(gone(&[11], Replacement::There), 4);
    assert_eq!(gone(&[1, 2], Replacement::There), 0, "the newest may hold it");
    let mut lacking = store.clone();
    lacking.incomplete.insert(streams[2].name.clone());
    assert_eq!(plan_gc(&lacking, &clean(&[11]), Replacement::There).steps, []);
}

fn copy(n: u8) -> ReplicaCopy {
    let snapshot = snap(n);
    let (name, sent) = (snapshot.name, snapshot.ctransid);
    ReplicaCopy { name, uuid: uuid(100 + n), received: Some(received(n)), sent, intact: true }
}

#[test]
fn replicas_get_a_copy_and_only_then_lose_those_that_hold_it() {
    let keep = Keep { newest: some(9), within: None, periods: [0; 6], tags: BTreeSet::new() };
    let mut policy = policy(&[], 3);
    policy.subvolumes[0].replicas = vec![target("usb")];
    policy.replicas = BTreeMap::from([(target("usb"), ReplicaPolicy { schedule: None, keep, pin_days: some(40) })]);
    let mut changed = copy(2);
    changed.intact = false;
    for (what, copies, holding, wanted, notes) in [
        (
            "the newest holds it",
            vec![copy(1), copy(3)],
            &[3][..],
            &[
                "0 snapshot  home.20260131T000000Z []",
                "1 copy      home.20260131T000000Z → usb, from home.20260102T000000Z [0]",
                "2 delete    copy home.20260104T000000Z at usb [1]",
            ][..],
            0,
        ),
        ("the newest does not", vec![copy(1), copy(3)], &[1], &["0 delete    copy home.20260102T000000Z at usb []"], 0),
        ("none does", vec![copy(1), copy(3)], &[], &[], 0),
        ("somebody has changed it", vec![changed, copy(3)], &[2], &[], 1),
    ] {
        let here: Vec<u8> = [1, 3].into_iter().filter(|n| !holding.contains(n)).collect();
        let mut seen = observed(here.iter().map(|n| snap(*n)).collect(), Vec::new());
        seen.subvolumes[0].replicas = vec![ObservedReplica { name: target("usb"), copies, unfinished: Vec::new() }];
        let held: BTreeSet<_> = holding.iter().map(|n| uuid(100 + n)).collect();
        let known = Known {
            clean: BTreeMap::from([(home(), clean(&here))]),
            copies: BTreeMap::from([((home(), target("usb")), held)]),
        };
        let rebase = plan(&policy, &seen, &[target("usb")], &known, day(30));
        assert_eq!(check(&rebase.plan, &seen), [""; 0], "{what}");
        assert_eq!(check_rebase(&rebase.plan, &seen, &known), [""; 0], "{what}");
        assert_eq!((lines(&rebase.plan), rebase.plan.notes.len()), (texts(wanted), notes), "{what}");
    }
}

/// The newest is what others took, and that is never rewritten.
#[test]
fn what_is_sent_anew_is_our_own_where_others_take_what_is_sent() {
    let keep = Keep { newest: some(9), within: None, periods: [0; 6], tags: BTreeSet::new() };
    let mut policy = policy(&["vault"], 3);
    let wanted = &mut policy.subvolumes[0];
    (wanted.replicas, wanted.ships_foreign, wanted.schedule) = (vec![target("usb")], true, None);
    policy.replicas = BTreeMap::from([(target("usb"), ReplicaPolicy { schedule: None, keep, pin_days: some(40) })]);
    let theirs = |n: u8| LocalSnapshot { foreign: true, ..snap(n) };
    let mut seen = observed(vec![snap(1), theirs(3), theirs(4)], vec![at("vault", chain(1, &[3, 4]))]);
    let copies = vec![copy(1), copy(3)];
    seen.subvolumes[0].replicas = vec![ObservedReplica { name: target("usb"), copies, unfinished: Vec::new() }];
    let usb = (home(), target("usb"));
    let known = Known {
        clean: BTreeMap::from([(home(), clean(&[1]))]),
        copies: BTreeMap::from([(usb.clone(), BTreeSet::from([uuid(103)]))]),
    };
    let asked = [target("vault"), target("usb")];
    let rebase = plan(&policy, &seen, &asked, &known, day(30));
    assert_eq!(check(&rebase.plan, &seen), [""; 0]);
    assert_eq!(check_rebase(&rebase.plan, &seen, &known), [""; 0]);
    let wanted = [
        "0 snapshot  home.20260131T000000Z []",
        "1 copy      home.20260131T000000Z → usb, from home.20260102T000000Z [0]",
        "2 archive   home → vault, full, generation 2.0 [0]",
        "3 delete    copy home.20260104T000000Z at usb [1]",
    ];
    assert_eq!(lines(&rebase.plan), texts(&wanted));
    // An interrupted upload of theirs is not finished.
    let begun = Unfinished { stream: full_name(9), snapshot: uuid(4), parent: None, same_settings: true };
    seen.subvolumes[0].targets[0].unfinished = Some(begun);
    let rebase = plan(&policy, &seen, &asked, &known, day(30));
    assert_eq!(check_rebase(&rebase.plan, &seen, &known), [""; 0]);
    assert!(lines(&rebase.plan).iter().any(|line| line.contains("archive   home → vault, full, generation 2.0 [0]")));
    // What an ordinary run would send is found out.
    let request = Request { snapshots: Wanted::All, sends: Wanted::All, prune: false, note: Note::default() };
    let ordinary = subvault_plan::run::plan(&policy, &seen, &request, day(30));
    assert_eq!(check_rebase(&ordinary, &seen, &known).len(), 2, "{:?}", lines(&ordinary));
    // A copy that goes while nothing else is there, or comes, is found out too, and not planned.
    let mut gone = Plan::default();
    gone.push(
        DeleteCopy { subvolume: usb.0.clone(), target: usb.1.clone(), name: snap(3).name, uuid: uuid(103) },
        "",
        vec![],
    );
    assert_eq!(check_rebase(&gone, &seen, &known), [""; 0], "the copy of day 1 is without it");
    seen.subvolumes[0].replicas[0].copies.remove(0);
    assert_eq!(check_rebase(&gone, &seen, &known).len(), 1);
    let unlisted = Policy { subvolumes: Vec::new(), ..policy };
    let rebase = plan(&unlisted, &seen, &asked[1..], &known, day(30));
    assert_eq!((lines(&rebase.plan), rebase.plan.notes.len()), (texts(&[]), 1), "nothing is sent, so nothing goes");
}
