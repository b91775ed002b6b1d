//! Which version comes back, what is done for a path, and in which order changes are taken back.

use std::path::PathBuf;

use jiff::Timestamp;
use subvault_model::bytesize::ByteSize;
use subvault_model::file::{FileKind, FileState, Likeness};
use subvault_model::ids::{ParentUuid, SnapshotUuid};
use subvault_model::names::SnapshotName;
use subvault_plan::bring_back::{Item, OnConflict, TreeSize, decide};
use subvault_plan::undo::{Change, Now, Seen, plan};
use subvault_plan::versions::{Holds, PlaceKind, Relation, Version, choose, history, snapshots_of};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn state(kind: FileKind, inode: u64) -> FileState {
    let (modified, changed) = (at(100), at(100));
    FileState { kind, inode, size: ByteSize::bytes(5), mode: 0o644, uid: 0, gid: 0, links: 1, modified, changed }
}

fn version(place: PlaceKind, taken: i64, holds: Holds) -> Version {
    Version { place, name: taken.to_string(), taken: at(taken), holds, by_name_only: false }
}

#[test]
fn the_newest_that_is_old_enough_and_nearest_to_hand_comes_back() {
    let this = Holds::This(state(FileKind::File, 300));
    let unknown = Holds::Unknown(ByteSize::gib(1));
    let versions = [
        version(PlaceKind::Local, 10, this),
        version(PlaceKind::Local, 20, this),
        version(PlaceKind::Archive, 20, this),
        version(PlaceKind::Local, 30, Holds::Nothing),
        version(PlaceKind::Archive, 40, unknown),
        Version { by_name_only: true, ..version(PlaceKind::Local, 50, this) },
    ];
    for (moment, wanted) in [(None, Some(1)), (Some(35), Some(1)), (Some(15), Some(0)), (Some(5), None)] {
        assert_eq!(choose(&versions, moment.map(at)), wanted, "{moment:?}");
    }
    // Nothing is known to have it: then what would have to be fetched.
    assert_eq!(choose(&versions[3..], None), Some(1));
    assert_eq!(choose(&versions[3..4], None), None);
}

#[test]
fn what_stays_the_same_is_one_line() {
    let (one, other) =
        (state(FileKind::File, 300), FileState { size: ByteSize::bytes(6), ..state(FileKind::File, 300) });
    let holds = [Holds::Nothing, Holds::This(one), Holds::This(one), Holds::This(other), Holds::Nothing];
    let versions: Vec<Version> =
        holds.iter().enumerate().rev().map(|(n, holds)| version(PlaceKind::Local, n as i64, *holds)).collect();
    let counts: Vec<usize> = history(&versions).iter().map(|stretch| stretch.snapshots).collect();
    assert_eq!(counts, [1, 2, 1, 1]);
}

#[test]
fn snapshots_are_found_by_descent() {
    let uuid = |n: u8| SnapshotUuid::from_bytes([n; 16]).unwrap();
    let of = |n: u8, parent: u8, read_only| Relation {
        uuid: uuid(n),
        parent: ParentUuid::from_bytes([parent; 16]),
        read_only,
    };
    // 1 was the subvolume; 5 is it now, after a rollback to 2; 7 is of something else, 8 can be written to.
    let all = [
        of(1, 0, false),
        of(2, 1, true),
        of(3, 1, true),
        of(5, 2, false),
        of(6, 5, true),
        of(7, 9, true),
        of(8, 5, false),
    ];
    let found: Vec<_> = snapshots_of(uuid(5), &all).into_iter().collect();
    assert_eq!(found, [uuid(2), uuid(3), uuid(6)]);
    // A ring does not hang us.
    assert!(snapshots_of(uuid(1), &[of(1, 2, false), of(2, 1, false)]).is_empty());
}

fn item(path: &str, there: Option<Likeness>) -> Item {
    let size = TreeSize { entries: 1, bytes: ByteSize::bytes(5) };
    let there = there.map(|likeness| (state(FileKind::File, 400), likeness));
    Item { from: path.into(), to: path.into(), wanted: state(FileKind::File, 300), size, there, alone: false }
}

fn keep() -> SnapshotName {
    "home.20261121T100000Z".parse().unwrap()
}

fn words(steps: &[subvault_plan::file_step::FileStep]) -> Vec<String> {
    steps.iter().map(|step| step.to_string().split_whitespace().take(4).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn nothing_is_replaced_unless_it_is_asked_for() {
    let all = [
        item("missing", None),
        item("same", Some(Likeness::Same)),
        item("differs", Some(Likeness::Differs)),
        item("touched", Some(Likeness::AttributesDiffer)),
    ];
    let left = decide(&all, &[], &OnConflict::Leave);
    assert_eq!(words(&left.steps), ["create missing (5 B)"]);
    assert_eq!((left.conflicts.len(), left.same), (2, 1));
    let over = decide(&all, &[PathBuf::from("dead")], &OnConflict::Overwrite(keep()));
    let wanted = [
        "snapshot home.20261121T100000Z, which keeps",
        "remove dead, which a",
        "create missing (5 B)",
        "replace differs (5 B)",
        "set owner, permissions and",
    ];
    assert_eq!(words(&over.steps), wanted);
    // Where nothing is replaced, nothing has to be kept.
    assert_eq!(words(&decide(&all[..2], &[], &OnConflict::Overwrite(keep())).steps), ["create missing (5 B)"]);
}

fn seen(path: &str, kind: FileKind, inode: u64) -> Option<Seen> {
    Some(Seen { path: path.into(), state: state(kind, inode) })
}

fn change(before: Option<Seen>, after: Option<Seen>, content: bool) -> Change {
    let path = after.as_ref().or(before.as_ref()).unwrap().path.clone();
    let now = Now::AsAfter(path);
    Change { before, size: TreeSize::default(), after, content, attributes: false, now, wanted: true }
}

#[test]
fn changes_are_taken_back_in_an_order_that_works() {
    use FileKind::{Directory as Dir, File};
    let changes = [
        // `old` became `new`, and in it a file was written, another made; a swap; a directory that is gone with what was in it,
        // but for what moved into a directory that was made.
        change(seen("old", Dir, 300), seen("new", Dir, 300), false),
        change(seen("old/file", File, 301), seen("new/file", File, 301), true),
        change(None, seen("new/made", File, 400), false),
        change(seen("one", File, 302), seen("two", File, 302), false),
        change(seen("two", File, 303), seen("one", File, 303), false),
        change(seen("gone", Dir, 304), None, false),
        change(seen("gone/in", File, 305), None, false),
        change(seen("gone/moved", File, 306), seen("fresh/moved", File, 306), false),
        change(None, seen("fresh", Dir, 401), false),
        change(seen("whole", Dir, 307), None, false),
        change(seen("whole/in", File, 308), None, false),
    ];
    let undo = plan(&changes, false, &keep());
    let wanted = [
        "snapshot home.20261121T100000Z, which keeps",
        "remove new/made (file)",
        "create gone (directory)",
        "rename fresh/moved → gone/moved",
        "rename new → old",
        "exchange two ↔ one",
        "remove fresh (directory)",
        "create gone/in (0 B)",
        "replace old/file (0 B)",
        "create whole (directory, 0",
    ];
    assert_eq!(words(&undo.steps), wanted);
    assert!(undo.conflicts.is_empty());
}

#[test]
fn what_was_changed_again_is_a_conflict() {
    let again = |now| Change { now, ..change(seen("a", FileKind::File, 300), seen("a", FileKind::File, 300), true) };
    let later = Some(state(FileKind::File, 999));
    for (now, steps, conflicts, done) in [
        (Now::AsBefore, 0, 0, 1),
        (Now::Otherwise(later), 0, 1, 0),
        (Now::Otherwise(None), 0, 1, 0),
        (Now::Almost(state(FileKind::File, 300)), 2, 0, 0),
        (Now::AsAfter("a".into()), 2, 0, 0),
    ] {
        let undo = plan(&[again(now.clone())], false, &keep());
        assert_eq!((undo.steps.len(), undo.conflicts.len(), undo.done), (steps, conflicts, done), "{now:?}");
    }
    assert_eq!(words(&plan(&[again(Now::Otherwise(later))], true, &keep()).steps)[1], "replace a (0 B)");
    assert_eq!(words(&plan(&[again(Now::Otherwise(None))], true, &keep()).steps)[1], "create a (0 B)");
    // What was made and is gone again is nothing to tell.
    let made = Change { now: Now::Otherwise(None), ..change(None, seen("b", FileKind::File, 300), false) };
    assert_eq!(plan(&[made], false, &keep()).done, 1);
}
