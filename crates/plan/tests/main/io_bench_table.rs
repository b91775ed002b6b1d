//! What a mode's trial is made of, by tables written by hand; and what holds of every judgement of what was measured.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use subvault_model::bytesize::ByteSize;
use subvault_model::io_test::{IoTest, Rate};
use subvault_plan::io_bench::judge::{Judged, Pair, Round, Verdict, WANTED, judge};
use subvault_plan::io_bench::room;
use subvault_plan::io_bench::trial::{Here, Storage, Trial, Tuned, names, trial, usual_workload};
use subvault_plan::strategy::decision::Decision;
use subvault_plan::strategy::profile::Profile;
use subvault_plan::strategy::storage::{Mode, intent};
use subvault_plan::strategy::workload::Workload;

const MODES: [Mode; 3] = [Mode::Balanced, Mode::IoOptimized, Mode::SpaceOptimized];

fn here(options: &[&str], compression: Option<&str>, is_nocow: bool) -> Here {
    let storage = Storage { compression: compression.map(str::to_owned), is_nocow };
    Here { options: options.iter().map(|option| (*option).to_owned()).collect(), storage, ..Here::default() }
}

fn with_sysctls(values: &[(&str, &str)]) -> Here {
    let sysctls = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Here { sysctls, ..Here::default() }
}

fn tried(mode: Mode, workload: Workload, here: &Here, sysctls: bool) -> Trial {
    let intent = intent(workload, Profile::Server, mode).value;
    trial(Tuned { mode, intent, options: &[] }, here, sysctls)
}

#[test]
fn files_are_stored_as_the_strategy_says_as_far_as_a_directory_can_say_it() {
    use Mode::{IoOptimized, SpaceOptimized};
    use Workload::{Database, Temporary, User};
    // What is there: options, property, attribute C. What is tried: property, attribute C; and which level is not.
    type Row<'a> = (Mode, Workload, &'a [&'a str], Option<&'a str>, bool, Option<(Option<&'a str>, bool)>, Option<u8>);
    let rows: &[Row<'_>] = &[
        (IoOptimized, Database, &[], None, false, Some((None, true)), None),
        (IoOptimized, Database, &["compress=zstd:3"], Some("zstd"), false, Some((None, true)), None),
        (IoOptimized, Database, &[], None, true, None, None),
        (IoOptimized, Database, &["nodatacow"], None, false, None, None),
        (IoOptimized, User, &["compress=zstd:3"], None, false, None, Some(2)),
        (IoOptimized, User, &["compress=zstd:2"], None, false, None, None),
        (IoOptimized, User, &[], None, false, Some((Some("zstd"), false)), Some(2)),
        (SpaceOptimized, User, &[], None, false, Some((Some("zstd"), false)), None),
        (SpaceOptimized, User, &["compress-force=lzo"], None, false, Some((Some("zstd"), false)), None),
        (SpaceOptimized, User, &["compress=zstd:1"], Some("none"), false, Some((Some("zstd"), false)), Some(3)),
        (SpaceOptimized, User, &["compress=zstd:3"], None, true, Some((Some("zstd"), false)), None),
        (SpaceOptimized, User, &["nodatacow"], None, false, None, None),
        (SpaceOptimized, User, &["nodatasum"], None, false, None, None),
        (IoOptimized, Database, &["nodatasum"], None, false, Some((None, true)), None),
        (SpaceOptimized, Temporary, &[], None, false, Some((None, true)), None),
    ];
    for (mode, workload, options, compression, nocow, wanted, level) in rows {
        let here = here(options, *compression, *nocow);
        let found = tried(*mode, *workload, &here, false);
        let case = format!("{mode} {workload:?} {options:?} {compression:?} {nocow}: {found:?}");
        let tuned = Storage {
            compression: wanted.and_then(|(word, _)| word).map(str::to_owned),
            is_nocow: wanted.is_some_and(|(_, nocow)| nocow),
        };
        assert_eq!(found.now, here.storage, "{case}");
        assert_eq!(found.tuned, if wanted.is_some() { tuned } else { here.storage.clone() }, "{case}");
        assert_eq!(found.is_something(), wanted.is_some(), "{case}");
        let said =
            found.not_tried.iter().find_map(|left| left.what.strip_prefix("compression of level ")?.parse().ok());
        assert_eq!(said, *level, "{case}");
    }
}

#[test]
fn options_of_mounts_are_named_and_not_tried() {
    let meant: Vec<_> =
        ["compress=zstd:2", "space_cache=v2", "discard=async"].map(|o| Decision::new(o.to_owned(), "")).into();
    let intent = intent(Workload::Database, Profile::Server, Mode::IoOptimized).value;
    let tuned = Tuned { mode: Mode::IoOptimized, intent, options: &meant };
    let found = trial(tuned, &here(&["space_cache=v2"], None, false), false);
    let named: Vec<_> = found.not_tried.iter().map(|left| left.what.as_str()).collect();
    assert!(named.contains(&"discard=async") && !named.contains(&"space_cache=v2"), "{named:?}");
}

#[test]
fn parameters_of_the_kernel_are_tried_only_if_asked_for_and_come_back() {
    let values = [
        ("vm.vfs_cache_pressure", "100"),
        ("vm.dirty_ratio", "0"),
        ("vm.dirty_bytes", "268435456"),
        ("vm.dirty_background_ratio", "10"),
        ("vm.dirty_background_bytes", "0"),
        ("vm.swappiness", "1"),
    ];
    let here = with_sysctls(&values);
    let without = tried(Mode::IoOptimized, Workload::Database, &here, false);
    assert!(without.sysctls.is_empty() && without.not_tried.len() == 3, "{without:?}");
    assert!(without.not_tried.iter().all(|left| left.why.contains("--sysctls")), "{without:?}");
    let with = tried(Mode::IoOptimized, Workload::Database, &here, true);
    let changes: Vec<_> = with
        .sysctls
        .iter()
        .map(|change| [&change.set.name, &change.set.value, &change.back.name, &change.back.value].map(String::as_str))
        .collect();
    // What is 0 because its twin counts comes back by way of the twin.
    assert_eq!(
        changes,
        [
            ["vm.vfs_cache_pressure", "50", "vm.vfs_cache_pressure", "100"],
            ["vm.dirty_ratio", "80", "vm.dirty_bytes", "268435456"],
            ["vm.dirty_background_ratio", "15", "vm.dirty_background_ratio", "10"],
        ]
    );
    assert!(with.sysctls[0].is_in_force("50") && !with.sysctls[0].is_in_force("100"));
    let unknown = tried(Mode::IoOptimized, Workload::Database, &with_sysctls(&values[..1]), true);
    assert_eq!(unknown.sysctls.len(), 1);
    assert_eq!(unknown.not_tried.iter().filter(|left| left.why.contains("cannot be read")).count(), 3);
    assert!(tried(Mode::SpaceOptimized, Workload::User, &here, true).sysctls.is_empty());
    assert!(names(Mode::IoOptimized).contains("vm.dirty_bytes") && names(Mode::Balanced).is_empty());
}

#[test]
fn each_mode_has_something_to_try_for_what_it_is_meant_for() {
    for mode in MODES {
        assert!(tried(mode, usual_workload(mode), &here(&[], None, false), false).is_something(), "{mode}");
    }
    assert_eq!(room(ByteSize::mib(512)), ByteSize::mib(3 * 512 + 32));
}

fn rate(per_million: u64) -> Rate {
    Rate::of(NonZeroU64::new(per_million.max(1)).unwrap(), Duration::from_secs(1_000_000))
}

/// Rounds in which all pieces of work are so many times faster, in thousandths.
fn rounds(ratios: &[u64]) -> Vec<Round> {
    let pair = |ratio: u64| Pair { now: rate(1_000_000), tuned: rate(1000 * ratio) };
    ratios.iter().map(|ratio| IoTest::ALL.map(|test| (test, pair(*ratio))).to_vec()).collect()
}

fn judged(ratios: &[u64]) -> Judged {
    judge(Mode::IoOptimized, &rounds(ratios)).unwrap()
}

#[test]
fn one_honest_sentence() {
    let all = [
        (
            &[1300_u64, 1250, 1400][..],
            Verdict::Reached,
            "Reached: io-optimized is 30.0 % faster here over all, and 20.0 % faster is asked for; the rounds lay between 25.0 % faster and 40.0 % faster.",
        ),
        (
            &[1200, 1200],
            Verdict::Reached,
            "Reached: io-optimized is 20.0 % faster here over all, and 20.0 % faster is asked for; the rounds lay between 20.0 % faster and 20.0 % faster.",
        ),
        (
            &[1199, 1150, 1100],
            Verdict::NotReached,
            "Not reached: io-optimized is 15.0 % faster here over all, and 20.0 % faster is asked for; the rounds lay between 10.0 % faster and 19.9 % faster.",
        ),
        (
            &[1020, 980, 1000],
            Verdict::NotReached,
            "Not reached: io-optimized makes no difference here that is larger than the noise, and 20.0 % faster is asked for; the rounds lay between 2.0 % slower and 2.0 % faster.",
        ),
        (
            &[700, 800, 900],
            Verdict::NotReached,
            "Not reached: io-optimized is 20.0 % slower here over all, and 20.0 % faster is asked for; the rounds lay between 30.0 % slower and 10.0 % slower.",
        ),
        (
            &[1100, 1250, 1300],
            Verdict::WithinNoise,
            "Within noise: io-optimized is 25.0 % faster here over all, and 20.0 % faster is asked for, but the rounds lay between 10.0 % faster and 30.0 % faster; --rounds 6 may tell more.",
        ),
    ];
    for (ratios, verdict, sentence) in all {
        let found = judged(ratios);
        assert_eq!((found.verdict, found.sentence.as_str()), (verdict, sentence), "{ratios:?}");
    }
    assert!((judged(&[1000; 3]).confidence - 0.75).abs() < 1e-12);
    assert!((judged(&[1000; 6]).confidence - 0.96875).abs() < 1e-12);
    assert!(judge(Mode::Balanced, &[]).is_none() && judge(Mode::Balanced, &[vec![]]).is_none());
    let mut odd = rounds(&[1000, 1000]);
    odd[1].pop();
    assert!(judge(Mode::Balanced, &odd).is_none());
}

#[test]
fn over_all_is_the_geometric_mean() {
    // Twice as fast in one of five and half as fast in another is no gain.
    let mut rounds = rounds(&[1000, 1000, 1000]);
    for round in &mut rounds {
        (round[0].1.tuned, round[3].1.tuned) = (rate(2_000_000), rate(500_000));
    }
    let found = judge(Mode::IoOptimized, &rounds).unwrap();
    assert!((found.overall.median - 1.0).abs() < 1e-12, "{found:?}");
    assert!((found.workloads[0].ratio.median - 2.0).abs() < 1e-12 && found.verdict == Verdict::NotReached);
}

fn any_rounds() -> impl Strategy<Value = Vec<Round>> {
    let pair = (1..1_u64 << 40, 1..1_u64 << 40).prop_map(|(now, tuned)| Pair { now: rate(now), tuned: rate(tuned) });
    vec(vec(pair, IoTest::ALL.len()), 1..8)
        .prop_map(|all| all.into_iter().map(|pairs| IoTest::ALL.into_iter().zip(pairs).collect()).collect())
}

proptest! {
    #[test]
    fn a_judgement_lies_within_what_was_measured(rounds in any_rounds()) {
        let found = judge(Mode::IoOptimized, &rounds).unwrap();
        let spreads = found.workloads.iter().flat_map(|c| [c.now, c.tuned, c.ratio]).chain([found.overall]);
        for spread in spreads {
            prop_assert!(spread.low > 0.0 && spread.low <= spread.median && spread.median <= spread.high, "{spread:?}");
            prop_assert!(spread.high.is_finite());
        }
        // Never said to be reached when a round was below, never denied when one was above.
        match found.verdict {
            Verdict::Reached => prop_assert!(found.overall.low >= WANTED),
            Verdict::NotReached => prop_assert!(found.overall.high < WANTED),
            Verdict::WithinNoise => prop_assert!(found.overall.low < WANTED && found.overall.high >= WANTED),
        }
    }

    #[test]
    fn the_other_way_round_it_is_the_inverse_and_order_does_not_matter(rounds in any_rounds()) {
        let found = judge(Mode::IoOptimized, &rounds).unwrap().overall;
        let swap = |round: &Round| -> Round {
            round.iter().map(|(test, pair)| (*test, Pair { now: pair.tuned, tuned: pair.now })).collect()
        };
        let swapped: Vec<Round> = rounds.iter().rev().map(swap).collect();
        let other = judge(Mode::IoOptimized, &swapped).unwrap().overall;
        for (one, inverse) in [(found.median, other.median), (found.low, other.high), (found.high, other.low)] {
            prop_assert!((one * inverse - 1.0).abs() < 1e-9, "{one} {inverse}");
        }
    }

    #[test]
    fn whatever_is_there_what_is_set_comes_back(values in proptest::collection::btree_map("[a-z]{1}", "[0-9]{1,3}", 0..3)) {
        let known = names(Mode::IoOptimized);
        let sysctls: BTreeMap<String, String> =
            known.iter().zip(values.values()).map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let here = Here { sysctls: sysctls.clone(), ..Here::default() };
        for change in tried(Mode::IoOptimized, Workload::User, &here, true).sysctls {
            prop_assert_eq!(sysctls.get(&change.back.name), Some(&change.back.value));
            prop_assert!(sysctls[&change.set.name] != change.set.value);
        }
    }
}
