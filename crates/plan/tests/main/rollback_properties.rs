//! Wherever a rollback is cut off: what is seen then leads to its end, and back to the beginning.

use std::collections::BTreeMap;

use proptest::prelude::*;
use subvault_model::ids::SnapshotUuid;
use subvault_plan::rollback::boot::BootFiles;
use subvault_plan::rollback::transaction::{Incoming, Step, Transaction};
use subvault_plan::rollback::{PoolFacts, Role, Source, Spot, Wishes, judge};

use crate::rollback_world::{apply, known, machine, path, snapshot, with_nested};

/// What matters of a pool: what is where, whether it is read-only, and the default.
type Seen = (BTreeMap<SnapshotUuid, (String, bool)>, u64);

fn seen(pool: &PoolFacts) -> Seen {
    let all = pool.subvolumes.iter().map(|known| (known.uuid, (known.path.to_string(), known.read_only)));
    (all.collect(), pool.default.0)
}

fn apply_all(pool: &mut PoolFacts, transaction: &Transaction) {
    let steps = transaction.steps(pool).unwrap();
    steps.iter().for_each(|step| apply(pool, step));
}

/// The states at which a run can be cut off: after each step, and within the moving of what is read-only.
fn cut_off(pool: &PoolFacts, steps: &[Step]) -> Vec<PoolFacts> {
    let mut states = vec![pool.clone()];
    let mut now = pool.clone();
    for step in steps {
        if let Step::Move { uuid, read_only: true, .. } = step {
            let writable = |pool: &PoolFacts| {
                let mut pool = pool.clone();
                pool.subvolumes.iter_mut().filter(|k| k.uuid == *uuid).for_each(|k| k.read_only = false);
                pool
            };
            states.push(writable(&now));
            let mut moved = now.clone();
            apply(&mut moved, step);
            states.push(writable(&moved));
        }
        apply(&mut now, step);
        states.push(now.clone());
    }
    states
}

/// A rollback of `@` with so many things inside, and the pool before it.
fn case(writable: usize, read_only: usize, is_default: bool, undo: bool) -> (PoolFacts, Transaction) {
    let mut facts = machine("@", "POOL / btrfs subvol=@ 0 0\n", &[], BootFiles::default());
    facts.role = Role::Data;
    let mut nested = Vec::new();
    for number in 0..writable + read_only {
        let number = u8::try_from(number).unwrap() + 10;
        let at = format!("@/var/{number}");
        let one = if usize::from(number) < 10 + writable { known(number, &at) } else { snapshot(number, &at, 1) };
        nested.push((one, Spot::Free));
        // What lies deeper goes along.
        nested.push((known(number + 40, &format!("{at}/deep/er")), Spot::Free));
    }
    facts = with_nested(facts, &nested);
    if is_default {
        facts.pool.default = facts.subject.id;
    }
    if undo {
        let kept = known(90, "@.replaced.20261121T101500Z");
        facts.pool.subvolumes.push(kept.clone());
        facts.source = Source { known: kept, itself: true };
    }
    let verdict = judge(&facts, &Wishes::default(), "2026-11-22T10:15:00Z".parse().unwrap());
    assert_eq!(verdict.refusals().count(), 0, "{:?}", verdict.checks);
    assert_eq!(verdict.transaction.nested.len(), writable + read_only);
    (facts.pool, verdict.transaction)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_rollback_that_is_cut_off_anywhere_comes_to_its_end_or_back(
        writable in 0_usize..4, read_only in 0_usize..4, is_default: bool, undo: bool,
    ) {
        let (before, transaction) = case(writable, read_only, is_default, undo);
        let steps = transaction.steps(&before).unwrap();
        let mut end = before.clone();
        apply_all(&mut end, &transaction);
        prop_assert_eq!(transaction.steps(&end).unwrap(), vec![]);
        prop_assert_eq!(end.at(path("@").as_path()).map(|k| transaction.is_incoming(k)), Some(true));
        prop_assert_eq!(end.default == end.at(path("@").as_path()).unwrap().id, is_default);
        for state in cut_off(&before, &steps) {
            let mut on = state.clone();
            apply_all(&mut on, &transaction);
            prop_assert_eq!(seen(&on), seen(&end));
            let back = transaction.reverted(&state).unwrap();
            let back_steps = back.steps(&state).unwrap();
            // Going back may be cut off as well.
            for state in cut_off(&state, &back_steps) {
                let mut at = state;
                apply_all(&mut at, &back);
                prop_assert_eq!(back.steps(&at).unwrap(), vec![]);
                let made = |known: &&subvault_plan::rollback::Known| before.by_uuid(known.uuid).is_none();
                let left: Vec<_> = at.subvolumes.iter().filter(made).map(|k| k.path.to_string()).collect();
                prop_assert!(left.iter().all(|left| left.ends_with(".reverted")), "{:?}", left);
                at.subvolumes.retain(|known| before.by_uuid(known.uuid).is_some());
                prop_assert_eq!(seen(&at), seen(&before));
            }
        }
    }
}

#[test]
fn a_pool_that_somebody_changed_meanwhile_is_left_alone() {
    let (before, transaction) = case(1, 1, true, false);
    let mut changed = before.clone();
    changed.subvolumes.push(known(99, &transaction.aside.to_string()));
    let stuck = transaction.steps(&changed).unwrap_err().to_string();
    assert!(stuck.contains("cannot go on"), "{stuck}");
    let mut gone = before.clone();
    gone.subvolumes.retain(|known| known.path != path("@"));
    assert!(transaction.steps(&gone).is_err());
    // What was inside and was deleted since is not waited for.
    let mut fewer = before;
    fewer.subvolumes.retain(|known| known.uuid != transaction.nested[0].uuid);
    let moves = transaction.steps(&fewer).unwrap().iter().filter(|step| matches!(step, Step::Move { .. })).count();
    assert_eq!(moves, 1);
}

#[test]
fn a_note_survives_its_text() {
    let (_, transaction) = case(1, 1, true, false);
    let text = serde_json::to_string(&transaction).unwrap();
    assert_eq!(serde_json::from_str::<Transaction>(&text).unwrap(), transaction);
    assert!(matches!(transaction.incoming, Incoming::SnapshotOf { .. }));
    let leading_out = text.replace("\"place\":\"@\"", "\"place\":\"../@\"");
    assert!(serde_json::from_str::<Transaction>(&leading_out).is_err());
}
