//! Years of runs, faults and meddling, with what must hold after each of them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use subvault_model::ids::{ReceivedUuid, SnapshotUuid, SubvolumeId, TransactionId};
use subvault_model::names::{SnapshotName, StreamName, SubvolumeName, TargetName};
use subvault_plan::check::check;
use subvault_plan::observed::Observed;
use subvault_plan::policy::Fulls;
use subvault_plan::run::{Request, Wanted, plan};
use subvault_plan::step::{Plan, Step, StepId};
use subvault_plan::{gc, restore};

use crate::fixtures::{DAY, archive, due, target};
use crate::world::{Phase, Stored, World};

/// Where a run meets trouble: at which step, how far into it, and whether the whole run dies of it.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    step: usize,
    phase: Phase,
    dies: bool,
}

/// What happens in the world. Numbers choose among what there is.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Wait(i64),
    Run {
        request: Box<Request>,
        unreachable: BTreeSet<TargetName>,
        fulls: Fulls,
        faults: Vec<Fault>,
    },
    Gc {
        store: usize,
        dies_after: Option<usize>,
    },
    LoseSnapshot(usize, usize),
    /// Another program takes a snapshot, which is sent too and is never ours to delete.
    Theirs(usize),
    ChangeSnapshot(usize, usize),
    MakeWritable(usize, usize),
    /// Everything on the pool is lost but one snapshot, which is restored from a store.
    Receive(usize, usize),
    /// The live subvolume is a snapshot that was received and made writable by a tool that kept its received uuid.
    Inherit(usize, usize),
    LoseStream {
        store: usize,
        which: usize,
        chunks: bool,
    },
    /// A second machine, or a pool that was rolled back, published in the same place.
    Rival {
        store: usize,
        which: usize,
    },
    LosePointer(usize),
    LoseJournal(usize),
    ChangeSettings,
}

fn run() -> impl Strategy<Value = Act> {
    let phase = prop::sample::select(vec![
        Phase::Begun,
        Phase::JournalBegun,
        Phase::ChunksStored,
        Phase::ManifestPublished,
        Phase::PointerPublished,
    ]);
    let fault = (0..7_usize, phase, any::<bool>()).prop_map(|(step, phase, dies)| Fault { step, phase, dies });
    let faults = prop_oneof![2 => Just(Vec::new()), 2 => prop::collection::vec(fault, 1..3)];
    let unreachable = prop_oneof![
        4 => Just(vec![]), 1 => Just(vec!["usb"]), 1 => Just(vec!["nas"]), 1 => Just(vec!["nas", "usb"])
    ];
    let fulls = prop_oneof![6 => Just(Fulls::WhenDue), 1 => Just(Fulls::Now)];
    let request = prop_oneof![
        4 => Just(archive()),
        4 => Just(due()),
        1 => Just(Request { snapshots: Wanted::No, sends: Wanted::No, ..archive() }),
        1 => Just(Request { snapshots: Wanted::No, ..archive() }),
        1 => Just(Request { sends: Wanted::No, prune: false, ..archive() }),
    ];
    (request, unreachable, fulls, faults).prop_map(|(request, unreachable, fulls, faults)| Act::Run {
        request: Box::new(request),
        unreachable: unreachable.into_iter().map(target).collect(),
        fulls,
        faults,
    })
}

fn act() -> impl Strategy<Value = Act> {
    let n = || 0..8_usize;
    prop_oneof![
        14 => run(),
        5 => (0..5 * DAY).prop_map(Act::Wait),
        2 => (20 * DAY..60 * DAY).prop_map(Act::Wait),
        1 => (-50 * DAY..0).prop_map(Act::Wait),
        4 => (n(), prop::option::of(n())).prop_map(|(store, dies_after)| Act::Gc { store, dies_after }),
        1 => (n(), n()).prop_map(|(s, i)| Act::LoseSnapshot(s, i)),
        2 => n().prop_map(Act::Theirs),
        1 => (n(), n()).prop_map(|(s, i)| Act::ChangeSnapshot(s, i)),
        1 => (n(), n()).prop_map(|(s, i)| Act::MakeWritable(s, i)),
        1 => (n(), n()).prop_map(|(s, i)| Act::Receive(s, i)),
        1 => (n(), n()).prop_map(|(s, i)| Act::Inherit(s, i)),
        1 => (n(), n(), any::<bool>()).prop_map(|(store, which, chunks)| Act::LoseStream { store, which, chunks }),
        1 => (n(), n()).prop_map(|(store, which)| Act::Rival { store, which }),
        1 => n().prop_map(Act::LosePointer),
        1 => n().prop_map(Act::LoseJournal),
        1 => Just(Act::ChangeSettings),
    ]
}

pub(crate) fn acts() -> impl Strategy<Value = Vec<Act>> {
    prop::collection::vec(act(), 1..40)
}

impl World {
    pub(crate) fn live(&mut self, act: &Act) {
        match act {
            Act::Wait(seconds) => self.seconds += seconds,
            Act::Run { request, unreachable, fulls, faults } => self.archive(request, unreachable, *fulls, faults),
            Act::Gc { store, dies_after } => self.collect(*store, *dies_after),
            Act::ChangeSettings => self.settings = self.number(),
            Act::LosePointer(n) => self.nth_store(*n).pointer = None,
            Act::LoseJournal(n) => self.nth_store(*n).journal = None,
            Act::Rival { store, which } => {
                let (attempt, content, now) = (self.number(), self.number(), self.now());
                let store = self.nth_store(*store);
                let Some(mut rival) = store.streams.values().rev().nth(*which).cloned() else { return };
                let taken = rival.summary.name.taken();
                rival.summary.name = StreamName::new(taken, rival.summary.kind(), attempt);
                rival.summary.snapshot.uuid = SnapshotUuid::from_bytes([0xff; 16]).unwrap();
                (rival.summary.published, rival.content) = (now, content);
                store.chunks.insert(rival.summary.name.clone());
                store.streams.insert(rival.summary.name.clone(), rival);
            }
            Act::LoseStream { store, which, chunks } => {
                let store = self.nth_store(*store);
                let Some(name) = store.streams.keys().rev().nth(*which).cloned() else { return };
                store.streams.remove(&name);
                if *chunks {
                    store.chunks.remove(&name);
                }
            }
            Act::Theirs(s) => {
                self.seconds += 1;
                let (name, now) = (self.pool.keys().nth(s % self.pool.len()).unwrap().clone(), self.now());
                let name = SnapshotName::new(name, now, self.number() + 256);
                self.put(&name, true);
            }
            Act::LoseSnapshot(s, i)
            | Act::ChangeSnapshot(s, i)
            | Act::MakeWritable(s, i)
            | Act::Receive(s, i)
            | Act::Inherit(s, i) => self.meddle(act, *s, *i),
        }
    }

    fn nth_store(&mut self, n: usize) -> &mut crate::world::Store {
        let count = self.stores.len();
        self.stores.values_mut().nth(n % count).unwrap()
    }

    fn meddle(&mut self, act: &Act, subvolume: usize, index: usize) {
        let (uuid, number) = (self.uuid(), self.number());
        let name = self.pool.keys().nth(subvolume % self.pool.len()).unwrap().clone();
        let held = self.pool.get_mut(&name).unwrap();
        if held.is_empty() {
            return;
        }
        let index = held.len() - 1 - index % held.len();
        let chosen = &mut held[index];
        let received = ReceivedUuid::from_bytes(*chosen.snapshot.uuid.as_bytes());
        match act {
            Act::LoseSnapshot(..) => drop(held.remove(index)),
            Act::MakeWritable(..) => chosen.snapshot.read_only = false,
            Act::ChangeSnapshot(..) => {
                chosen.content = number;
                chosen.snapshot.ctransid = TransactionId(u64::from(number));
                chosen.snapshot.received = None;
            }
            Act::Inherit(..) => drop(self.inherits.insert(name, received.unwrap())),
            Act::Receive(..) => {
                let wanted = chosen.snapshot.uuid;
                let streams = self.stores.values().flat_map(|s| s.streams.values());
                let contents: BTreeSet<u32> =
                    streams.filter(|s| s.summary.snapshot.uuid == wanted).map(|s| s.content).collect();
                // A uuid with two contents (a snapshot that was changed while it was being sent) is beyond knowing.
                if let (Some(content), 1) = (contents.first(), contents.len()) {
                    let mut copy = chosen.clone();
                    copy.content = *content;
                    copy.snapshot.received = copy.snapshot.received.or(received);
                    copy.snapshot.uuid = uuid;
                    copy.snapshot.ctransid = TransactionId(u64::from(number));
                    copy.snapshot.id = SubvolumeId(u64::from(number));
                    copy.snapshot.read_only = true;
                    *held = vec![copy];
                }
            }
            _ => unreachable!(),
        }
    }

    fn archive(&mut self, request: &Request, unreachable: &BTreeSet<TargetName>, fulls: Fulls, faults: &[Fault]) {
        self.seconds += 1;
        let policy = subvault_plan::policy::Policy { fulls, ..self.policy.clone() };
        let observed = self.look(unreachable);
        let plan = plan(&policy, &observed, request, self.now());
        assert_eq!(check(&plan, &observed), [""; 0], "{plan:#?}");
        let before = Before::of(self);
        let went_well = self.execute(&plan, faults);
        self.chains_go_on(&before, unreachable);
        if went_well && *request == archive() {
            self.everything_was_archived(&before, unreachable, fulls);
        }
        if went_well && request.prune {
            self.snapshots_are_bounded(unreachable);
        }
    }

    /// As the driver does: each step after those it needs, going on after failures, unless the run dies.
    fn execute(&mut self, plan: &Plan, faults: &[Fault]) -> bool {
        self.taken.clear();
        let mut missing = BTreeSet::new();
        for (index, planned) in plan.steps.iter().enumerate() {
            let fault = faults.iter().find(|f| f.step == index);
            if planned.needs.iter().any(|need| missing.contains(need)) {
                missing.insert(StepId(index));
            } else if self.perform(StepId(index), &planned.step, fault.map(|f| f.phase)).is_err() {
                missing.insert(StepId(index));
                if fault.is_some_and(|f| f.dies) {
                    return false;
                }
            }
        }
        missing.is_empty()
    }

    /// Nothing that could be restored cannot any more, and every chain can be continued if it could before.
    fn chains_go_on(&self, before: &Before, unreachable: &BTreeSet<TargetName>) {
        for (pair, store) in &self.stores {
            let (restorable, had) = &before.stores[pair];
            let now = store.restorable();
            assert!(restorable.is_subset(&now), "{pair:?} lost streams");
            let Some(tip) = store.tip() else { continue };
            let published = !restorable.contains(&tip.summary.name);
            let old = self.now().as_second() - tip.summary.snapshot.taken.as_second() >= 40 * DAY;
            let given_up = unreachable.contains(&pair.0) && old;
            // Where two claim one place, a full comes next.
            if !store.contested() && (published || (*had && !given_up)) {
                assert!(self.has_parent(&pair.1, tip), "{pair:?}: the next parent is gone");
            }
        }
    }

    fn everything_was_archived(&self, before: &Before, unreachable: &BTreeSet<TargetName>, fulls: Fulls) {
        for (pair, store) in self.stores.iter().filter(|((target, _), _)| !unreachable.contains(target)) {
            let restorable = store.restorable();
            let new: Vec<&StreamName> = restorable.difference(&before.stores[pair].0).collect();
            assert_eq!(new.len(), 1, "{pair:?} got {new:?}");
            let tip: &Stored = store.tip().unwrap();
            assert_eq!(tip.summary.name, *new[0], "the new stream is the newest");
            assert_eq!(store.pointer.as_ref(), Some(new[0]));
            assert!(fulls == Fulls::WhenDue || tip.summary.sequence == 0, "a full was asked for");
            assert!(store.journal.is_none());
            let latest = restore::plan(&pair.1, &store.summaries(), None).unwrap();
            assert_eq!(latest.streams.last(), Some(&tip.summary), "the latest is what was archived last");
        }
    }

    fn snapshots_are_bounded(&self, unreachable: &BTreeSet<TargetName>) {
        for policy in &self.policy.subvolumes {
            let young =
                |h: &&crate::world::Held| self.now().as_second() - h.snapshot.name.taken().as_second() < 40 * DAY;
            let held = &self.pool[&policy.name];
            let pinned = policy.targets.iter().any(|t| unreachable.contains(t));
            let odd = |h: &&crate::world::Held| {
                let future = h.snapshot.name.taken() > self.now();
                future || !h.snapshot.read_only || h.snapshot.foreign || (pinned && young(h))
            };
            let odd = held.iter().filter(odd).count();
            // The newest by the clock, and by the order of making; parents; and unfinished uploads.
            let bound = 2 * policy.keep.newest.get() as usize + 2 * policy.targets.len();
            assert!(held.len() - odd <= bound, "{} has {} snapshots", policy.name, held.len());
        }
    }

    fn collect(&mut self, store: usize, dies_after: Option<usize>) {
        let now = self.now();
        let pair = self.stores.keys().nth(store % self.stores.len()).unwrap().clone();
        let settings = self.policy.targets[&pair.0].clone();
        let store = self.stores.get_mut(&pair).unwrap();
        let (before, tip) = (store.clone(), store.tip().map(|t| t.summary.generation));
        let plan = gc::plan(&settings, &store.seen(&pair.1), now);
        for (index, step) in plan.steps.iter().enumerate() {
            if dies_after == Some(index) {
                break;
            }
            store.collect(step);
            let alone = store.streams.keys().find(|s| store.replay(s).is_none() && before.replay(s).is_some());
            assert_eq!(alone, None, "a stream lost what it builds on");
        }
        for (name, gone) in before.streams.iter().filter(|(name, _)| !store.streams.contains_key(*name)) {
            assert!(Some(gone.summary.generation) < tip, "{name} is of the newest generation");
            let days = (now.as_second() - gone.summary.published.as_second()) / DAY;
            assert!(days >= i64::from(settings.minimum_storage_days), "{name} was paid for");
        }
        if dies_after.is_none_or(|n| n >= plan.steps.len()) {
            let wanted = store.journal.as_ref().map(|j| &j.stream);
            assert!(store.chunks.iter().all(|c| store.streams.contains_key(c) || wanted == Some(c)), "an orphan");
            assert!(store.uploads.iter().all(|u| wanted == Some(u)), "an upload");
            assert_eq!(gc::plan(&settings, &store.seen(&pair.1), now).steps, []);
        }
    }
}

/// What there was before a run: what could be restored, and whether the next parent was on the pool.
struct Before {
    stores: std::collections::BTreeMap<(TargetName, SubvolumeName), (BTreeSet<StreamName>, bool)>,
}

impl Before {
    fn of(world: &World) -> Self {
        let had = |((target, subvolume), store): (&(TargetName, SubvolumeName), &crate::world::Store)| {
            let parent = store.tip().is_some_and(|tip| world.has_parent(subvolume, tip));
            ((target.clone(), subvolume.clone()), (store.restorable(), parent))
        };
        Self { stores: world.stores.iter().map(had).collect() }
    }
}

/// A world in which these things happened, and what a run would see and do now.
pub(crate) fn after(keep: u32, acts: &[Act]) -> (World, Observed, Plan) {
    let mut world = World::new(keep);
    for act in acts {
        world.live(act);
    }
    let observed = world.look(&BTreeSet::new());
    let plan = plan(&world.policy, &observed, &archive(), world.now());
    (world, observed, plan)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_chains_go_on_and_come_back(keep in 1..4_u32, acts in acts()) {
        let (mut world, _, _) = after(keep, &acts);
        // And in the end, two runs without trouble put everything right.
        for _ in 0..2 {
            world.seconds += 3600;
            let (request, faults) = (Box::new(archive()), Vec::new());
            world.live(&Act::Run { request, unreachable: BTreeSet::new(), fulls: Fulls::WhenDue, faults });
        }
        for subvolume in world.policy.subvolumes.clone() {
            let newest = world.pool[&subvolume.name].iter().map(|h| h.content).max();
            for target in subvolume.targets {
                let store = &world.stores[&(target, subvolume.name.clone())];
                let tip = store.tip().unwrap();
                prop_assert_eq!(Some(tip.content), newest);
                prop_assert_eq!(store.replay(&tip.summary.name), newest);
            }
        }
    }
}

/// The simulation would prove nothing if it never came to the rare cases.
#[test]
fn the_simulation_reaches_the_rare_cases() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = [0_u32; 6];
    for _ in 0..4000 {
        let (world, _, plan) = after(1, &acts().new_tree(&mut runner).unwrap().current());
        for planned in &plan.steps {
            match &planned.step {
                Step::TakeSnapshot { .. } | Step::BeginHook { .. } | Step::EndHook { .. } => {}
                Step::SendStream { resume: Some(_), parent: Some(_), .. } => seen[0] += 1,
                Step::SendStream { resume: Some(_), .. } => seen[1] += 1,
                Step::SendStream { parent: Some(_), .. } => seen[2] += 1,
                Step::AbandonUpload { .. } => seen[3] += 1,
                Step::RepairPointer { .. } => seen[4] += 1,
                _ => {}
            }
        }
        let published = |s: &crate::world::Store| s.journal.as_ref().is_some_and(|j| s.streams.contains_key(&j.stream));
        seen[5] += u32::from(world.stores.values().any(published));
    }
    assert!(seen.iter().all(|n| *n >= 30), "{seen:?}");
}
