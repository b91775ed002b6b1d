//! Kills while rolling back, undoing, and taking an interrupted rollback back.

use std::collections::BTreeMap;
use std::fs;

use crate::machine_tree::{Layout, Machine};
use crate::scene::{Death, kill_with};
use crate::world::proved;
use crate::{ROLLING_BACK, named};

/// What matters: each subvolume's path by its number, the default, the boot entries.
type State = (BTreeMap<String, String>, String, Vec<String>);

fn state(machine: &Machine) -> State {
    let entries = machine.esp().join("loader/entries");
    let entries = if entries.exists() { crate::world::names(&entries) } else { Vec::new() };
    (machine.listed(), machine.default(), entries)
}

fn kill(machine: &Machine, args: &[&str], point: &str) -> bool {
    let args = machine.args(args);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    kill_with(&machine.config(), &args, &Death::At(point.to_owned()), || {})
}

/// Nothing is ever lost: every subvolume of before is there, with its content.
fn nothing_is_lost(machine: &Machine, before: &State) {
    let now = machine.listed();
    for (id, path) in &before.0 {
        assert!(now.contains_key(id), "{path} is gone: {now:?}");
    }
}

fn is_rolled_back(machine: &Machine, before: &State) {
    assert_eq!(machine.issue(), "old");
    assert!(!machine.has_note());
    nothing_is_lost(machine, before);
    let listed: Vec<String> = machine.listed().into_values().collect();
    for path in ["var/lib/machines", ".subvault/root.0 ro"] {
        assert!(listed.contains(&format!("{}/{path}", machine.root)), "{listed:?}");
    }
    assert!(!fs::read_to_string(machine.in_root("etc/fstab")).unwrap().contains("subvolid"));
    assert_eq!(
        machine.id(&machine.root) == machine.default(),
        before.0.get(&before.1).is_some_and(|path| *path == machine.root)
    );
}

/// The machine is as before, but for what stays as `.reverted`.
fn is_as_before(machine: &Machine, before: &State) {
    assert_eq!(machine.issue(), "new");
    assert!(!machine.has_note());
    let mut now = state(machine);
    now.0.retain(|_, path| !path.ends_with(".reverted"));
    assert_eq!(now, *before);
}

/// Deletes what rollbacks left, so that the next one begins anew.
fn clean(machine: &Machine) {
    let begin = format!("{}.replaced.", machine.root);
    for path in machine.listed().into_values().filter(|path| path.starts_with(&begin)) {
        crate::world::tool(&["btrfs", "-q", "subvolume", "delete", crate::world::text(&machine.at(&path))]);
    }
    let _ = fs::remove_dir_all(machine.dir.path().join("state"));
}

/// Rolls back with a kill at each point at each passing; `after` brings it to an end and to what it was.
fn at_each(
    machine: &Machine,
    args: &[&str],
    before_each: impl Fn(),
    mut after: impl FnMut(&str),
) -> (usize, Vec<String>) {
    let (mut kills, mut passed) = (0, Vec::new());
    for point in named(ROLLING_BACK).concat() {
        before_each();
        if kill(machine, args, &point) {
            kills += 1;
            passed.push(point.split(':').next().unwrap().to_owned());
        }
        after(&point);
    }
    passed.dedup();
    (kills, passed)
}

const ROLL: &[&str] = &["--to", "root.1", "--edit-fstab", "--yes"];
const UNDO: &[&str] = &["--undo", "--yes"];

const RESUME: &[&str] = &["--resume", "--yes"];

/// Kills so far, and the points at which they were.
#[derive(Default)]
struct Kills {
    count: usize,
    reached: Vec<String>,
}

impl Kills {
    fn add(&mut self, (count, reached): (usize, Vec<String>)) {
        self.count += count;
        self.reached.extend(reached);
    }
}

/// Finished by the same command, and undone; the undo is killed as well, and finished by the same command.
fn finishes(machine: &Machine, before: &State, kills: &mut Kills) {
    let mut undos = 0;
    let after = |point: &str| {
        nothing_is_lost(machine, before);
        if machine.has_note() || machine.issue() == "new" {
            machine.rollback(ROLL).expect(0);
        }
        is_rolled_back(machine, before);
        undos += usize::from(kill(machine, UNDO, point));
        nothing_is_lost(machine, before);
        if machine.has_note() || machine.issue() == "old" {
            machine.rollback(UNDO).expect(0);
        }
        clean(machine);
        is_as_before(machine, before);
    };
    kills.add(at_each(machine, ROLL, || {}, after));
    kills.count += undos;
}

/// Taken back; the taking back is killed too, where the same point is passed, and then taken up again.
fn is_taken_back(machine: &Machine, before: &State, kills: &mut Kills) {
    let mut undos = 0;
    let after = |point: &str| {
        if machine.has_note() || machine.issue() == "old" {
            undos += usize::from(kill(machine, UNDO, point));
            if machine.has_note() {
                machine.rollback(UNDO).expect(0);
            }
        }
        clean(machine);
        is_as_before(machine, before);
    };
    kills.add(at_each(machine, ROLL, || {}, after));
    kills.count += undos;
}

/// The taking back is killed at each of its own points: of a rollback whose subvolumes had changed places, and of one whose
/// had not, where what was taken is deleted.
fn taking_back_is_killed(machine: &Machine, before: &State, kills: &mut Kills) {
    for died_at in ["rollback-synced", "rollback-taken"] {
        let begin = || assert!(kill(machine, ROLL, died_at));
        let after = |_: &str| {
            nothing_is_lost(machine, before);
            if machine.has_note() {
                machine.rollback(RESUME).expect(0);
            }
            if died_at == "rollback-taken" {
                let listed = machine.listed();
                let mut left = listed.values().filter(|path| path.contains(".replaced."));
                assert!(left.all(|path| path.ends_with(".reverted")), "{listed:?}");
            }
            clean(machine);
            is_as_before(machine, before);
        };
        kills.add(at_each(machine, UNDO, begin, after));
    }
}

#[test]
fn a_rollback_that_is_killed_is_finished_by_the_same_command_or_taken_back() {
    let mut kills = Kills::default();
    for layout in [Layout::Numbered, Layout::Default] {
        let machine = Machine::new(layout);
        let before = state(&machine);
        finishes(&machine, &before, &mut kills);
        is_taken_back(&machine, &before, &mut kills);
        taking_back_is_killed(&machine, &before, &mut kills);
    }
    for point in named(ROLLING_BACK) {
        let name = point[0].split(':').next().unwrap();
        assert!(kills.reached.iter().any(|passed| passed == name), "{name} is never passed: {:?}", kills.reached);
    }
    proved(&format!(
        "{} kills at all named points of rolling back, undoing and taking back: each is finished or reverted, nothing lost",
        kills.count
    ));
}
