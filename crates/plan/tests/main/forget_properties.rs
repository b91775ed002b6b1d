//! Forgetting on any pool, killed anywhere: each name always has a whole snapshot, a rerun completes it, and the lint finds
//! what a broken planner would do. And what goes from stores in any state.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use proptest::prelude::*;
use subvault_model::bytesize::ByteSize;
use subvault_model::file::FileKind;
use subvault_model::ids::SnapshotUuid;
use subvault_model::names::SnapshotName;
use subvault_plan::bring_back::TreeSize;
use subvault_plan::forget::check::check;
use subvault_plan::forget::{Held, Live, Seen, SeenLeftover, SeenSnapshot, Step, plan};

use crate::fixtures::{home, snap, uuid};

fn held() -> Held {
    let size = TreeSize { entries: 1, bytes: ByteSize::mib(1) };
    Held { path: PathBuf::from("ada/letters"), kind: FileKind::File, size, linked: 0 }
}

/// A snapshot or what is to replace it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Is {
    uuid: SnapshotUuid,
    read_only: bool,
    holds: bool,
}

/// A pool: what has each snapshot's name, and what has the other one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Pool {
    live: bool,
    named: BTreeMap<SnapshotName, Is>,
    aside: BTreeMap<SnapshotName, Is>,
    next: u8,
}

impl Pool {
    fn seen(&self) -> Vec<Seen> {
        let holds = |holds: bool| if holds { vec![held()] } else { Vec::new() };
        let snapshot = |(name, is): (&SnapshotName, &Is)| SeenSnapshot {
            name: name.clone(),
            uuid: is.uuid,
            read_only: is.read_only,
            holds: holds(is.holds),
        };
        let leftover = |(name, is): (&SnapshotName, &Is)| SeenLeftover { name: name.clone(), uuid: is.uuid };
        vec![Seen {
            subvolume: home(),
            live: holds(self.live),
            snapshots: self.named.iter().map(snapshot).collect(),
            leftovers: self.aside.iter().map(leftover).collect(),
        }]
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::RemoveLive { .. } => self.live = false,
            Step::RemoveLeftover { name, uuid, .. } | Step::DeleteOld { name, uuid, .. } => {
                assert_eq!(self.aside.remove(name).map(|is| is.uuid), Some(*uuid));
            }
            Step::Rewrite { name, .. } => {
                self.next += 1;
                let made = Is { uuid: uuid(self.next), read_only: true, holds: false };
                assert_eq!(self.aside.insert(name.clone(), made), None, "something has the other name");
            }
            Step::Exchange { name, uuid, .. } => {
                let (named, aside) = (self.named.get_mut(name).unwrap(), self.aside.get_mut(name).unwrap());
                assert!(named.uuid == *uuid && aside.read_only);
                std::mem::swap(named, aside);
            }
            Step::AwaitCleaning { .. } => {}
        }
    }
}

fn pool() -> impl Strategy<Value = Pool> {
    let one = (any::<bool>(), prop::bool::weighted(0.9), prop::option::weighted(0.2, any::<bool>()));
    (any::<bool>(), prop::collection::vec(one, 0..8)).prop_map(|(live, all)| {
        let mut pool = Pool { live, next: 100, ..Pool::default() };
        for (n, (holds, read_only, aside)) in (1_u8..).zip(all) {
            pool.named.insert(snap(n).name, Is { uuid: uuid(n), read_only, holds });
            // Whatever an earlier run left: half a replacement, a whole one, or what was replaced.
            let left = aside.map(|holds| (snap(n).name, Is { uuid: uuid(50 + n), read_only: !holds, holds }));
            pool.aside.extend(left);
        }
        pool
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn killed_anywhere_nothing_is_lost_and_a_rerun_forgets(start in pool(), dies_after in 0..40_usize, remove in any::<bool>()) {
        let live = if remove { Live::Remove } else { Live::Leave };
        let steps = plan(&start.seen(), live);
        prop_assert_eq!(check(&steps, &start.seen()), Vec::<String>::new());
        let mut now = start.clone();
        for step in steps.iter().take(dies_after) {
            now.apply(step);
            prop_assert!(now.named.keys().eq(start.named.keys()), "a name is missing after {}", step);
        }
        let rest = plan(&now.seen(), live);
        prop_assert_eq!(check(&rest, &now.seen()), Vec::<String>::new());
        rest.iter().for_each(|step| now.apply(step));
        prop_assert!(now.aside.is_empty() && (now.live == (start.live && !remove)));
        for (name, was) in &start.named {
            let is = now.named[name];
            prop_assert!(!is.holds || !was.read_only);
            prop_assert!((was.holds && was.read_only) || is == *was, "only what holds it is replaced");
        }
        prop_assert_eq!(plan(&now.seen(), live), Vec::new());
    }

    #[test]
    fn a_plan_that_lacks_a_step_or_has_two_in_the_wrong_order_is_found_out(start in pool(), at in 0..40_usize) {
        let seen = start.seen();
        let steps = plan(&seen, Live::Leave);
        let Some(step) = steps.get(at) else { return Ok(()) };
        let mut without = steps.clone();
        without.remove(at);
        let needed = match step {
            Step::Rewrite { .. } | Step::Exchange { .. } => true,
            Step::RemoveLeftover { name, .. } => steps.iter().any(|s| matches!(s, Step::Rewrite { name: n, .. } if n == name)),
            _ => false,
        };
        prop_assert!(!needed || !check(&without, &seen).is_empty(), "without {}", step);
        if let [Step::Rewrite { .. } | Step::Exchange { .. }, Step::Exchange { .. } | Step::DeleteOld { .. }, ..] = &steps[at..] {
            let mut swapped = steps.clone();
            swapped.swap(at, at + 1);
            prop_assert!(!check(&swapped, &seen).is_empty(), "{} after the next", step);
        }
        let mut twice = steps.clone();
        twice.push(step.clone());
        let harmless = matches!(step, Step::AwaitCleaning { .. } | Step::Exchange { .. });
        prop_assert!(harmless || !check(&twice, &seen).is_empty(), "{} twice", step);
    }
}

#[test]
fn a_foreign_or_unseen_snapshot_is_never_replaced() {
    let seen = Pool::default().seen();
    let (subvolume, name) = (home(), snap(1).name);
    let paths = vec![PathBuf::from("ada/letters")];
    let rewrite = Step::Rewrite { subvolume: subvolume.clone(), name: name.clone(), uuid: uuid(1), paths };
    assert_eq!(check(&[rewrite], &seen), ["step 0 replaces a snapshot that was not seen"]);
    let delete = Step::DeleteOld { subvolume: subvolume.clone(), name: name.clone(), uuid: uuid(1) };
    assert_eq!(check(&[delete], &seen), ["step 0 deletes a snapshot before another one has its name"]);
    let leftover = Step::RemoveLeftover { subvolume, name, uuid: uuid(1) };
    assert_eq!(check(&[leftover], &seen), ["step 0 removes a leftover that was not seen"]);
    let named: BTreeSet<_> = seen.iter().map(|seen| &seen.subvolume).collect();
    assert!(check(&[Step::AwaitCleaning { subvolume: "other".parse().unwrap() }], &seen).len() == named.len());
}
