//! The program is killed, at every named point and at hundreds of random moments, while it archives, restores, copies,
//! prunes and collects garbage, and the power is cut; each time the same command is simply given again, and everything must
//! be right.
//!
//! `SUBVAULT_CRASH_RANDOM` says how many random moments there are in all (300 unless said otherwise),
//! `SUBVAULT_CRASH_SEED` which.

#![expect(clippy::unwrap_used, reason = "a test cannot go on without what it asks for")]

mod archives;
mod copies;
mod files;
mod forgets;
mod garbage;
mod machine;
#[expect(dead_code, reason = "shared with the tests of the whole program, which use more of it")]
#[path = "../system/machine_tree.rs"]
mod machine_tree;
#[expect(dead_code, reason = "shared with the tests of the whole program, which use more of it")]
#[path = "../system/oracle.rs"]
mod oracle;
mod power;
mod prune;
mod restores;
mod returns;
mod rollbacks;
mod scene;
mod store;
mod tally;
mod undo;
#[expect(dead_code, reason = "shared with the tests of the whole program, which use more of it")]
#[path = "../system/world.rs"]
mod world;

use scene::Death;
use subvault_model::crash::POINTS;

/// How many of the random moments a test takes, of a hundred.
fn share(percent: usize) -> usize {
    let all = std::env::var("SUBVAULT_CRASH_RANDOM").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    (all * percent).div_ceil(100)
}

/// Points of archiving, of restoring, of collecting garbage and of rolling back begin with one of these.
const ARCHIVING: &[&str] = &["snapshot-", "journal-", "upload-", "part-", "chunk-", "stream-", "manifest-", "pointer-"];
/// Points of letting snapshots go and of noting what keeps them, beside that of the deletion itself.
const PRUNING: &[&str] = &["prune-", "note-"];
const RESTORING: &[&str] = &["restore-"];
const COLLECTING: &[&str] = &["gc-"];
/// Points that the tests of the whole program kill at.
const ELSEWHERE: &[&str] = &["diff-", "hook-"];
/// Points of bringing files back.
const BRINGING_BACK: &[&str] = &["file-"];
/// Points of taking changes back.
const UNDOING: &[&str] = &["undo-"];
/// Points of putting a snapshot in the place of its subvolume.
const ROLLING_BACK: &[&str] = &["rollback-"];
/// Points of copying to disks and hosts.
const COPYING: &[&str] = &["copy-", "serve-"];
/// Points of what comes back from there.
const RETURNING: &[&str] = &["return-"];

/// Points of forgetting paths.
const FORGETTING: &[&str] = &["forget-"];

/// The points of a command, each at its first, second and fifth passing.
fn named(prefixes: &[&str]) -> Vec<Vec<String>> {
    let points = POINTS.iter().filter(|point| prefixes.iter().any(|p| point.starts_with(p)));
    points.map(|point| [1, 2, 5].map(|time| format!("{point}:{time}")).to_vec()).collect()
}

/// Kills at each point of a list, the first time surely; how often it died.
fn at_each(points: &[Vec<String>], mut kill: impl FnMut(&Death) -> bool) -> usize {
    let mut kills = 0;
    for point in points {
        // What was not passed so often is not passed more often.
        let died = point.iter().take_while(|name| kill(&Death::At((*name).clone()))).count();
        assert!(died > 0, "{} is never passed", point[0]);
        kills += died;
    }
    kills
}

#[test]
fn every_named_point_belongs_to_a_test() {
    let prefixes = [
        ARCHIVING,
        RESTORING,
        RETURNING,
        COLLECTING,
        COPYING,
        BRINGING_BACK,
        UNDOING,
        ELSEWHERE,
        ROLLING_BACK,
        PRUNING,
        FORGETTING,
    ]
    .concat();
    assert!(POINTS.iter().all(|point| prefixes.iter().any(|prefix| point.starts_with(prefix))));
}
