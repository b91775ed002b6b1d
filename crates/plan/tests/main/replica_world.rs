//! Pools and replicas in memory, with what really matters beside what is seen: the content of each snapshot and copy. They
//! are copied, interrupted and tampered with at random; whatever happens, a stream fits what it is received on.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use proptest::prelude::*;
use subvault_model::ids::{PoolUuid, ReceivedUuid, SnapshotUuid, SubvolumeId, TransactionId};
use subvault_model::names::{SnapshotName, SubvolumeName, TargetName};
use subvault_model::note::Note;
use subvault_model::replica::{ReplicaCopy, UnfinishedCopy};
use subvault_model::subvolume::LocalSnapshot;
use subvault_plan::check::check;
use subvault_plan::keep::Keep;
use subvault_plan::observed::{Observed, ObservedReplica, ObservedSubvolume};
use subvault_plan::policy::{Policy, ReplicaPolicy, SubvolumePolicy};
use subvault_plan::replica::{Missing, newest_common, plan};
use subvault_plan::step::{Common, Plan, Step, Which};

use crate::fixtures::{day, newest, policy as archive_policy_of, some, target};

/// Snapshots here and copies there, with what is in them.
#[derive(Debug, Default)]
struct World {
    number: u8,
    now: i64,
    here: BTreeMap<SubvolumeName, Vec<(LocalSnapshot, u8)>>,
    there: BTreeMap<(TargetName, SubvolumeName), Vec<(ReplicaCopy, u8)>>,
    unfinished: BTreeMap<(TargetName, SubvolumeName), Vec<UnfinishedCopy>>,
    /// What the live subvolume was received from, which its snapshots inherit.
    inherited: Option<ReceivedUuid>,
}

#[derive(Debug, Clone)]
enum Act {
    Take(usize),
    Forget(usize, usize),
    Replicate { all: bool, unreachable: Option<usize>, stop: Option<usize> },
    Tamper { target: usize, subvolume: usize, copy: usize, hides: bool },
    ChangeHere(usize, usize),
    Receive,
}

const SUBVOLUMES: [&str; 2] = ["home", "srv"];
const TARGETS: [&str; 2] = ["nas", "usb"];

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let stop = prop::option::weighted(0.4, 0..6_usize);
    let act = prop_oneof![
        5 => (0..2_usize).prop_map(Act::Take),
        1 => (0..2_usize, 0..9_usize).prop_map(|(s, n)| Act::Forget(s, n)),
        5 => (any::<bool>(), prop::option::weighted(0.3, 0..2_usize), stop)
            .prop_map(|(all, unreachable, stop)| Act::Replicate { all, unreachable, stop }),
        1 => (0..2_usize, 0..2_usize, 0..9_usize, any::<bool>())
            .prop_map(|(target, subvolume, copy, hides)| Act::Tamper { target, subvolume, copy, hides }),
        1 => (0..2_usize, 0..9_usize).prop_map(|(s, n)| Act::ChangeHere(s, n)),
        1 => Just(Act::Receive),
    ];
    prop::collection::vec(act, 1..40)
}

fn subvolume(n: usize) -> SubvolumeName {
    SUBVOLUMES[n].parse().unwrap()
}

fn policy() -> Policy {
    let keep = Keep {
        newest: NonZeroU32::MIN.saturating_add(1),
        within: None,
        periods: [0, 3, 0, 2, 0, 0],
        tags: BTreeSet::new(),
    };
    let wanted = |name: &str| SubvolumePolicy {
        name: name.parse().unwrap(),
        targets: Vec::new(),
        replicas: TARGETS.iter().map(|t| target(t)).collect(),
        schedule: None,
        sends: BTreeMap::new(),
        ships_foreign: false,
        keep: newest(9),
    };
    let replica = ReplicaPolicy { schedule: None, keep, pin_days: some(40) };
    Policy {
        subvolumes: SUBVOLUMES.into_iter().map(wanted).collect(),
        replicas: TARGETS.iter().map(|t| (target(t), replica.clone())).collect(),
        ..archive_policy_of(&[], 9)
    }
}

impl World {
    fn bytes(&mut self) -> [u8; 16] {
        self.number = self.number.checked_add(1).unwrap();
        let mut bytes = [7; 16];
        bytes[0] = self.number;
        bytes
    }

    fn take(&mut self, of: &SubvolumeName) {
        self.now += 1;
        let bytes = self.bytes();
        let snapshot = LocalSnapshot {
            name: SnapshotName::new(of.clone(), day(self.now), 1),
            uuid: SnapshotUuid::from_bytes(bytes).unwrap(),
            id: SubvolumeId(256 + u64::from(bytes[0])),
            received: self.inherited,
            ctransid: TransactionId(u64::from(bytes[0])),
            read_only: true,
            foreign: false,
            note: Note::default(),
        };
        self.here.entry(of.clone()).or_default().push((snapshot, bytes[0]));
    }

    fn look(&self, unreachable: Option<usize>) -> Observed {
        let seen = |name: &str| {
            let of: SubvolumeName = name.parse().unwrap();
            let reachable = TARGETS.iter().enumerate().filter(|(n, _)| unreachable != Some(*n));
            let replicas = reachable.map(|(_, t)| {
                let key = (target(t), of.clone());
                ObservedReplica {
                    name: target(t),
                    copies: self.there.get(&key).into_iter().flatten().map(|(copy, _)| copy.clone()).collect(),
                    unfinished: self.unfinished.get(&key).cloned().unwrap_or_default(),
                }
            });
            ObservedSubvolume {
                name: of.clone(),
                snapshots: self.here.get(&of).into_iter().flatten().map(|(s, _)| s.clone()).collect(),
                targets: Vec::new(),
                room: None,
                lost_notes: Vec::new(),
                nested: Vec::new(),
                pool: PoolUuid::from_bytes([1; 16]),
                replicas: replicas.collect(),
                pins: Vec::new(),
            }
        };
        Observed { subvolumes: SUBVOLUMES.into_iter().map(seen).collect(), open_hooks: Vec::new() }
    }

    fn decide(&self, all: bool, unreachable: Option<usize>) -> Plan {
        let observed = self.look(unreachable);
        let missing = if all { Missing::All } else { Missing::Newest };
        let plan = plan(&policy(), &observed, missing, day(self.now));
        assert_eq!(check(&plan, &observed), [""; 0], "{plan:#?}\n{observed:#?}");
        plan
    }

    fn local(&self, of: &SubvolumeName, uuid: SnapshotUuid) -> (LocalSnapshot, u8) {
        self.here[of].iter().find(|(s, _)| s.uuid == uuid).expect("the snapshot is here").clone()
    }

    /// What both sides have is the same on both sides.
    fn assert_common(&self, at: &TargetName, common: &Common) {
        let (_, here) = self.local(&common.subvolume, common.uuid);
        let copies = &self.there[&(at.clone(), common.subvolume.clone())];
        let (copy, there) = copies.iter().find(|(c, _)| c.name == common.snapshot).expect("the copy is there");
        assert!(common.copy.is_none_or(|expected| expected == copy.uuid));
        assert_eq!(here, *there, "the stream would not fit what it is received on");
    }

    fn perform(&mut self, step: &Step, dies: bool) {
        match step {
            Step::SendCopy {
                subvolume,
                target,
                name,
                snapshot: Which::Existing { uuid, .. },
                parent,
                clone_sources,
            } => {
                let (local, content) = self.local(subvolume, *uuid);
                assert!(local.read_only && local.name == *name);
                parent.iter().chain(clone_sources).for_each(|common| self.assert_common(target, common));
                let key = (target.clone(), subvolume.clone());
                let own = SnapshotUuid::from_bytes(self.bytes()).unwrap();
                if dies {
                    self.unfinished.entry(key).or_default().push(UnfinishedCopy { name: name.clone(), uuid: own });
                    return;
                }
                assert!(self.unfinished.get(&key).into_iter().flatten().all(|left| left.name != *name));
                let received = local.received.or(ReceivedUuid::from_bytes(*local.uuid.as_bytes()));
                let copy = ReplicaCopy { name: name.clone(), uuid: own, received, sent: local.ctransid, intact: true };
                self.there.entry(key).or_default().push((copy, content));
            }
            Step::RemoveUnfinishedCopy { subvolume, target, uuid, .. } if !dies => {
                self.unfinished.get_mut(&(target.clone(), subvolume.clone())).unwrap().retain(|l| l.uuid != *uuid);
            }
            Step::DeleteCopy { subvolume, target, uuid, .. } if !dies => {
                self.there.get_mut(&(target.clone(), subvolume.clone())).unwrap().retain(|(c, _)| c.uuid != *uuid);
            }
            Step::RemoveUnfinishedCopy { .. } | Step::DeleteCopy { .. } => {}
            other => panic!("{other:?} is no step of copying"),
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Take(of) => self.take(&subvolume(of)),
            Act::Forget(of, n) => {
                if let Some(held) = self.here.get_mut(&subvolume(of)).filter(|held| n < held.len()) {
                    held.remove(n);
                }
            }
            Act::Replicate { all, unreachable, stop } => {
                for (index, planned) in self.decide(all, unreachable).steps.iter().enumerate() {
                    self.perform(&planned.step, stop == Some(index));
                    if stop == Some(index) {
                        return;
                    }
                }
            }
            Act::Tamper { target: at, subvolume: of, copy, hides } => {
                let key = (target(TARGETS[at]), subvolume(of));
                let found = self.there.get_mut(&key).and_then(|copies| copies.get_mut(copy));
                if let Some((copy, content)) = found {
                    // Today's tools take the origin away; what hides that is still given away by its transactions.
                    copy.received = copy.received.filter(|_| hides);
                    copy.intact = false;
                    *content = 255;
                }
            }
            Act::ChangeHere(of, n) => {
                let found = self.here.get_mut(&subvolume(of)).and_then(|held| held.get_mut(n));
                if let Some((snapshot, content)) = found.filter(|(s, _)| s.received.is_none()) {
                    snapshot.ctransid = TransactionId(snapshot.ctransid.0 + 1000);
                    *content = 254;
                }
            }
            Act::Receive => {
                let bytes = self.bytes();
                self.inherited = ReceivedUuid::from_bytes(bytes);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn streams_fit_what_they_are_received_on_whatever_happened(acts in acts()) {
        let mut world = World::default();
        for act in &acts {
            world.act(act);
        }
        for of in 0..2 {
            world.take(&subvolume(of));
        }
        // A run that nothing disturbs brings everything up to date, and the next one has nothing to do.
        world.act(&Act::Replicate { all: false, unreachable: None, stop: None });
        let observed = world.look(None);
        for seen in &observed.subvolumes {
            let newest = seen.snapshots.iter().max_by_key(|s| &s.name).unwrap();
            for replica in &seen.replicas {
                prop_assert_eq!(newest_common(&seen.snapshots, replica).map(|s| s.uuid), Some(newest.uuid));
                prop_assert!(replica.unfinished.is_empty());
            }
        }
        prop_assert_eq!(world.decide(false, None).steps, Vec::new());
        // All that retention keeps can be brought there too, and stays.
        world.act(&Act::Replicate { all: true, unreachable: None, stop: None });
        prop_assert_eq!(world.decide(true, None).steps, Vec::new());
    }
}
