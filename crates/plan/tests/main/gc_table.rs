//! What garbage collection removes, one row per situation.

use std::collections::BTreeSet;

use subvault_model::bytesize::ByteSize;
use subvault_model::names::StreamName;
use subvault_model::stream::StreamSummary;
use subvault_plan::gc::{GcPlan, GcStep, SeenObject, SeenStore, SeenUpload, plan};
use subvault_plan::policy::ArchivePolicy;

use crate::fixtures::{archive_policy, chain, day, full_name, home, incr_name, some};

fn object(stream: &StreamName) -> SeenObject {
    SeenObject { key: format!("laptop/home/{stream}/chunk-00000"), bytes: ByteSize::gib(1), stream: stream.clone() }
}

fn upload(stream: &StreamName, index: usize) -> SeenUpload {
    SeenUpload { key: format!("laptop/home/{stream}/chunk-00000"), index, stream: stream.clone() }
}

/// A store in which every stream has one chunk.
fn store(streams: Vec<StreamSummary>) -> SeenStore {
    SeenStore {
        subvolume: home(),
        objects: streams.iter().map(|s| object(&s.name)).collect(),
        streams,
        unreadable: BTreeSet::new(),
        incomplete: BTreeSet::new(),
        uploads: Vec::new(),
        unfinished: BTreeSet::new(),
    }
}

/// Generation 1 on days 1 to 3, generation 2 on days 10 and 11, generation 3 on days 20 to 22.
fn three() -> Vec<StreamSummary> {
    [(1, &[1, 2, 3][..]), (2, &[10, 11]), (3, &[20, 21, 22])].into_iter().flat_map(|(g, days)| chain(g, days)).collect()
}

fn policy(keep: u32, minimum: u32) -> ArchivePolicy {
    ArchivePolicy { keep_generations: some(keep), minimum_storage_days: minimum, ..archive_policy() }
}

/// `M` a manifest, `C` a chunk, `U` an upload; with the day of its stream.
fn letters(plan: &GcPlan, seen: &SeenStore) -> String {
    let day_of = |name: &StreamName| (name.taken().as_second() - day(0).as_second()) / 86_400;
    let of_key = |key: &str| day_of(&key.split('/').nth(2).unwrap().parse().unwrap());
    let letter = |step: &GcStep| match step {
        GcStep::DeleteManifest { stream, .. } => format!("M{}", day_of(stream)),
        GcStep::DeleteObject { key, .. } => format!("C{}", of_key(key)),
        GcStep::AbortUpload { key, index, .. } => {
            assert!(seen.uploads.iter().any(|u| u.key == *key && u.index == *index));
            format!("U{}", of_key(key))
        }
    };
    plan.steps.iter().map(letter).collect::<Vec<_>>().join(" ")
}

fn expect(situation: &str, policy: &ArchivePolicy, seen: &SeenStore, now: i64, removed: &str, kept: &[&str]) {
    for turned in [false, true] {
        let mut seen = seen.clone();
        if turned {
            seen.streams.reverse();
        }
        let plan = plan(policy, &seen, day(now));
        assert_eq!(letters(&plan, &seen), removed, "{situation}");
        assert_eq!(plan.kept, kept, "{situation}");
    }
}

#[test]
fn generations_by_number() {
    let newest = "home generation 3: the newest";
    expect("nothing there", &policy(1, 0), &store(vec![]), 50, "", &[]);
    expect("one generation", &policy(1, 0), &store(chain(3, &[20, 21])), 5000, "", &[newest]);
    let all = "M3 C3 M2 C2 M1 C1 M11 C11 M10 C10";
    expect("keep 1", &policy(1, 0), &store(three()), 50, all, &[newest]);
    let second = "home generation 2: 2 generations are kept";
    expect("keep 2", &policy(2, 0), &store(three()), 50, "M3 C3 M2 C2 M1 C1", &[second, newest]);
    let fewer = |n: u32| format!("home generation {n}: 9 generations are kept");
    expect("keep 9", &policy(9, 0), &store(three()), 50, "", &[&fewer(1), &fewer(2), newest]);
}

#[test]
fn minimum_storage_days() {
    let newest = "home generation 3: the newest";
    // The youngest stream of generation 1 is of day 3, that of generation 2 of day 11.
    let paid = |g: u32, until: &str| {
        format!("home generation {g}: superseded by generation 3, but its storage is paid for until {until}")
    };
    let (first, second) = (paid(1, "2026-02-03T00:00:00Z"), paid(2, "2026-02-11T00:00:00Z"));
    let seen = store(three());
    expect("both are paid for", &policy(1, 30), &seen, 32, "", &[&first, &second, newest]);
    expect("one is", &policy(1, 30), &seen, 33, "M3 C3 M2 C2 M1 C1", &[&second, newest]);
    expect("none is", &policy(1, 30), &seen, 41, "M3 C3 M2 C2 M1 C1 M11 C11 M10 C10", &[newest]);
    expect("the clock was set back", &policy(1, 30), &seen, -900, "", &[&first, &second, newest]);
}

#[test]
fn only_what_is_all_there_supersedes() {
    let incomplete = SeenStore { incomplete: BTreeSet::from([incr_name(21)]), ..store(three()) };
    let newer = "home generation 3: not complete; nothing newer supersedes it";
    let second = "home generation 2: the newest";
    expect("a chunk of the newest is missing", &policy(1, 0), &incomplete, 50, "M3 C3 M2 C2 M1 C1", &[second, newer]);
    let mut gap = three();
    gap.retain(|s| s.name != incr_name(21));
    expect("the newest has a gap", &policy(1, 0), &store(gap), 50, "M3 C3 M2 C2 M1 C1", &[second, newer]);
    let mut headless = three();
    headless.retain(|s| s.name != full_name(20));
    expect("the newest has no full", &policy(1, 0), &store(headless), 50, "M3 C3 M2 C2 M1 C1", &[second, newer]);
    let all = [1, 10, 20].map(full_name).into_iter().collect();
    let none = |n: u32| format!("home generation {n}: no generation is complete, so none is superseded");
    let nothing = SeenStore { incomplete: all, ..store(three()) };
    expect("none is whole", &policy(1, 0), &nothing, 50, "", &[&none(1), &none(2), &none(3)]);
    let few = SeenStore { incomplete: BTreeSet::from([full_name(10)]), ..store(three()) };
    let kept = |n: u32| format!("home generation {n}: fewer than 3 complete generations exist");
    let two = "home generation 1: 3 generations are kept";
    expect("too few are whole", &policy(3, 0), &few, 50, "", &[two, &kept(2), "home generation 3: the newest"]);
    expect(
        "damaged between",
        &policy(2, 0),
        &few,
        50,
        "M11 C11 M10 C10",
        &["home generation 1: 2 generations are kept", "home generation 3: the newest"],
    );
}

#[test]
fn orphans_and_uploads() {
    let newest = &["home generation 3: the newest"][..];
    let seen = |unfinished: &[u8]| {
        let mut seen = store(chain(3, &[20]));
        seen.objects.extend([object(&incr_name(21)), object(&incr_name(22))]);
        seen.uploads.extend([upload(&incr_name(22), 4), upload(&incr_name(23), 7)]);
        SeenStore { unfinished: unfinished.iter().map(|n| incr_name(*n)).collect(), ..seen }
    };
    expect("no journal", &policy(1, 0), &seen(&[]), 50, "C21 C22 U22 U23", newest);
    expect("a journal wants one", &policy(1, 0), &seen(&[22]), 50, "C21 U23", newest);
    let damaged = SeenStore { unreadable: BTreeSet::from([incr_name(21)]), ..seen(&[22]) };
    expect("a manifest cannot be read", &policy(1, 0), &damaged, 50, "U23", newest);
    let mut late = store(chain(3, &[20]));
    late.uploads.push(upload(&full_name(20), 0));
    expect("an upload of what is published", &policy(1, 0), &late, 50, "U20", newest);
}

#[test]
fn what_an_unreadable_stream_may_build_on_stays() {
    let newest = "home generation 3: the newest";
    let built = "home generation 2: 20260113T000000Z-incr-0000000c, whose manifest cannot be read, may build on it";
    let damaged = |stream| SeenStore { unreadable: BTreeSet::from([stream]), ..store(three()) };
    let first = "M3 C3 M2 C2 M1 C1";
    expect("an incremental", &policy(1, 0), &damaged(incr_name(12)), 50, first, &[built, newest]);
    let all = "M3 C3 M2 C2 M1 C1 M11 C11 M10 C10";
    expect("a full builds on nothing", &policy(1, 0), &damaged(full_name(12)), 50, all, &[newest]);
    expect("of the newest", &policy(1, 0), &damaged(incr_name(25)), 50, all, &[newest]);
    expect("older than everything", &policy(1, 0), &damaged(incr_name(0)), 50, all, &[newest]);
}
