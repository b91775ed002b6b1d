//! Garbage collection of stores in any state, damaged ones too.

use std::collections::BTreeSet;

use proptest::prelude::*;
use subvault_model::bytesize::ByteSize;
use subvault_model::names::StreamName;
use subvault_model::stream::StreamSummary;
use subvault_plan::forget::archives::Clean;
use subvault_plan::gc::forget::{self, Replacement};
use subvault_plan::gc::{GcStep, SeenObject, SeenStore, SeenUpload, plan};
use subvault_plan::policy::ArchivePolicy;

use crate::fixtures::{archive_policy, chain, day, home, incr_name, snap, some};

/// What became of each stream: there, or one of the ways to be damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Whole,
    NoChunk,
    NoManifest,
    Unreadable,
    Gone,
}

fn store() -> impl Strategy<Value = SeenStore> {
    let fate = prop_oneof![
        12 => Just(Fate::Whole), 1 => Just(Fate::NoChunk), 1 => Just(Fate::NoManifest), 1 => Just(Fate::Unreadable),
        1 => Just(Fate::Gone)
    ];
    let generation = prop::collection::vec(fate, 1..6);
    let others = (prop::collection::btree_set(200..210_u8, 0..4), prop::collection::btree_set(200..210_u8, 0..2));
    (prop::collection::vec(generation, 0..5), others).prop_map(|(generations, (uploads, unfinished))| {
        let mut seen = SeenStore {
            subvolume: home(),
            streams: Vec::new(),
            unreadable: BTreeSet::new(),
            incomplete: BTreeSet::new(),
            objects: Vec::new(),
            uploads: Vec::new(),
            unfinished: unfinished.iter().map(|n| incr_name(*n)).collect(),
        };
        for (index, n) in uploads.iter().enumerate() {
            let stream = incr_name(*n);
            seen.objects.push(object(&stream));
            seen.uploads.push(SeenUpload { key: format!("{stream}/chunk-1"), index, stream });
        }
        for (g, fates) in (1_u8..).zip(&generations) {
            let days: Vec<u8> = (0..).take(fates.len()).map(|n| g * 10 + n).collect();
            for (stream, fate) in chain(u32::from(g), &days).into_iter().zip(fates) {
                add(&mut seen, stream, *fate);
            }
        }
        seen
    })
}

/// A store with these streams, all of them whole.
pub(crate) fn store_of(streams: &[StreamSummary]) -> SeenStore {
    let mut seen = SeenStore {
        subvolume: home(),
        streams: Vec::new(),
        unreadable: BTreeSet::new(),
        incomplete: BTreeSet::new(),
        objects: Vec::new(),
        uploads: Vec::new(),
        unfinished: BTreeSet::new(),
    };
    streams.iter().for_each(|stream| add(&mut seen, stream.clone(), Fate::Whole));
    seen
}

fn object(stream: &StreamName) -> SeenObject {
    SeenObject { key: format!("{stream}/chunk-0"), bytes: ByteSize::mib(1), stream: stream.clone() }
}

fn add(seen: &mut SeenStore, stream: StreamSummary, fate: Fate) {
    if !matches!(fate, Fate::NoChunk | Fate::Gone) {
        seen.objects.push(object(&stream.name));
    }
    match fate {
        Fate::NoManifest | Fate::Gone => {}
        Fate::Unreadable => drop(seen.unreadable.insert(stream.name)),
        Fate::NoChunk => {
            seen.incomplete.insert(stream.name.clone());
            seen.streams.push(stream);
        }
        Fate::Whole => seen.streams.push(stream),
    }
}

/// Whether a stream and all below it are there with their chunks.
fn restores(seen: &SeenStore, name: &StreamName) -> bool {
    let Some(stream) = seen.streams.iter().find(|s| s.name == *name) else { return false };
    !seen.incomplete.contains(name) && stream.parent.as_ref().is_none_or(|parent| restores(seen, parent))
}

fn apply(seen: &mut SeenStore, step: &GcStep) {
    let there = |seen: &SeenStore| seen.streams.len() + seen.objects.len() + seen.uploads.len();
    let before = there(seen);
    match step {
        GcStep::DeleteManifest { stream, .. } => seen.streams.retain(|s| s.name != *stream),
        GcStep::DeleteObject { key, .. } => seen.objects.retain(|o| o.key != *key),
        GcStep::AbortUpload { key, .. } => seen.uploads.retain(|u| u.key != *key),
    }
    assert_eq!(there(seen), before - 1, "{step:?}");
    seen.incomplete.retain(|name| seen.streams.iter().any(|s| s.name == *name));
}

/// Generations all of whose remaining streams restore.
fn whole(seen: &SeenStore) -> Vec<u32> {
    let all: BTreeSet<u32> = seen.streams.iter().map(|s| s.generation.0).collect();
    let good = |g: &u32| seen.streams.iter().filter(|s| s.generation.0 == *g).all(|s| restores(seen, &s.name));
    all.into_iter().filter(good).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_what_nothing_needs_goes(
        seen in store(), keep in 1..4_u32, minimum in 0..60_u32, now in 0..150_i64, dies_after in prop::option::of(0..20_usize)
    ) {
        let policy =
            ArchivePolicy { keep_generations: some(keep), minimum_storage_days: minimum, ..archive_policy() };
        let first = plan(&policy, &seen, day(now));
        let mut left = seen.clone();
        for step in first.steps.iter().take(dies_after.unwrap_or(usize::MAX)) {
            apply(&mut left, step);
            for stream in &left.streams {
                prop_assert!(restores(&left, &stream.name) || !restores(&seen, &stream.name), "{} hangs", stream.name);
            }
        }
        let whole_before = whole(&seen);
        let newest: Vec<u32> = whole_before.iter().rev().take(keep as usize).copied().collect();
        for gone in seen.streams.iter().filter(|s| !left.streams.contains(s)) {
            prop_assert!(newest.len() == keep as usize && !newest.contains(&gone.generation.0));
            prop_assert!(newest.iter().max() > Some(&gone.generation.0));
            prop_assert!(day(now) >= day(0) && now * 86_400 >= gone.published.as_second() - day(0).as_second()
                + i64::from(minimum) * 86_400);
        }
        // What an unreadable incremental builds on, in the same ten days, stays.
        for damaged in seen.unreadable.iter().filter(|s| s.to_string().contains("incr")) {
            let decade = |s: &StreamName| (s.taken().as_second() - day(0).as_second()) / 864_000;
            let below = |s: &&StreamSummary| decade(&s.name) == decade(damaged) && s.name.taken() < damaged.taken();
            let has_full = |s: &StreamSummary| seen.streams.iter().any(|f| f.sequence == 0 && f.generation == s.generation);
            for needed in seen.streams.iter().filter(below).filter(|s| has_full(s)) {
                prop_assert!(left.streams.contains(needed), "{damaged} may build on {}", needed.name);
            }
        }
        if dies_after.is_none() {
            prop_assert_eq!(plan(&policy, &left, day(now)).steps, []);
        }
        // A later one finishes what was begun.
        let rest = plan(&policy, &left, day(now));
        rest.steps.iter().for_each(|step| apply(&mut left, step));
        prop_assert_eq!(plan(&policy, &left, day(now)).steps, []);
        for object in &left.objects {
            let named = left.streams.iter().any(|s| s.name == object.stream);
            prop_assert!(named || left.unreadable.contains(&object.stream) || left.unfinished.contains(&object.stream));
        }
        prop_assert!(left.uploads.iter().all(|u| left.unfinished.contains(&u.stream)));
    }

    #[test]
    fn what_is_forgotten_goes_only_where_something_newer_is_whole(
        seen in store(), clean in prop::collection::btree_set(10..60_u8, 0..20), dies_after in prop::option::of(0..20_usize)
    ) {
        let clean: Clean = clean.iter().map(|n| (snap(*n).uuid, snap(*n).ctransid)).collect();
        let holds = |s: &StreamSummary| clean.get(&s.snapshot.uuid) != Some(&s.snapshot.ctransid);
        let dirty = |g: u32| seen.streams.iter().any(|s| s.generation.0 == g && holds(s));
        let first = forget::plan(&seen, &clean, Replacement::There);
        let mut left = seen.clone();
        for step in first.steps.iter().take(dies_after.unwrap_or(usize::MAX)) {
            apply(&mut left, step);
            for stream in &left.streams {
                prop_assert!(restores(&left, &stream.name) || !restores(&seen, &stream.name), "{} hangs", stream.name);
            }
        }
        let newest = whole(&seen).into_iter().filter(|g| !dirty(*g)).max();
        let gone: Vec<_> = seen.streams.iter().filter(|s| !left.streams.contains(s)).collect();
        prop_assert!(gone.iter().all(|s| dirty(s.generation.0) && Some(s.generation.0) < newest));
        let rest = forget::plan(&left, &clean, Replacement::There);
        rest.steps.iter().for_each(|step| apply(&mut left, step));
        prop_assert!(left.streams.iter().all(|s| !holds(s) || newest <= Some(s.generation.0)));
        prop_assert_eq!(forget::plan(&left, &clean, Replacement::There).steps, []);
    }
}
