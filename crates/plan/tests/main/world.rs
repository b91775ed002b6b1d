//! A pool and its stores in memory, with what really matters beside what is seen: the content of each snapshot, and
//! what each stream would do to the content it is received on.
//!
//! Shares no code with the planner. It does what a step says as the real hands do, and can stop within any of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use subvault_model::bytesize::ByteSize;
use subvault_model::ids::{ReceivedUuid, SnapshotUuid, SubvolumeId, TransactionId};
use subvault_model::names::{SnapshotName, StreamKind, StreamName, SubvolumeName, TargetName};
use subvault_model::note::Note;
use subvault_model::stream::{Generation, StreamSummary};
use subvault_model::subvolume::{LocalSnapshot, SnapshotIdentity};
use subvault_plan::gc::{GcStep, SeenObject, SeenStore, SeenUpload};
use subvault_plan::observed::{Observed, ObservedSubvolume, ObservedTarget, Unfinished};
use subvault_plan::policy::{ArchivePolicy, Policy, SubvolumePolicy};
use subvault_plan::step::{Parent, Step, StepId, Which};

use crate::fixtures::{archive_policy, calendar, day, keys, newest, policy, some, target};

/// A snapshot and what is in it.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) snapshot: LocalSnapshot,
    pub(crate) content: u32,
}

/// A published stream and what it does: on a subvolume with content `base` it makes `content`.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) summary: StreamSummary,
    pub(crate) base: Option<u32>,
    pub(crate) content: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Journal {
    pub(crate) stream: StreamName,
    snapshot: SnapshotUuid,
    parent: Option<SnapshotUuid>,
    settings: u32,
}

/// One subvolume at one target.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    pub(crate) streams: BTreeMap<StreamName, Stored>,
    pub(crate) chunks: BTreeSet<StreamName>,
    pub(crate) uploads: BTreeSet<StreamName>,
    pub(crate) pointer: Option<StreamName>,
    pub(crate) journal: Option<Journal>,
}

impl Store {
    /// What receiving the chain of a stream gives; `None` when a stream of it is missing.
    pub(crate) fn replay(&self, name: &StreamName) -> Option<u32> {
        let stored = self.streams.get(name)?;
        if let Some(parent) = &stored.summary.parent {
            let below = self.replay(parent)?;
            assert_eq!(stored.base, Some(below), "{name} was not made against what is below it");
        } else {
            assert_eq!(stored.base, None, "{name} is no full");
        }
        Some(stored.content)
    }

    pub(crate) fn restorable(&self) -> BTreeSet<StreamName> {
        self.streams.keys().filter(|name| self.replay(name).is_some()).cloned().collect()
    }

    /// The last restorable stream of the newest generation that has one.
    pub(crate) fn tip(&self) -> Option<&Stored> {
        let restorable = self.restorable();
        let whole = self.streams.values().filter(|s| restorable.contains(&s.summary.name));
        whole.max_by_key(|s| (s.summary.generation, s.summary.sequence))
    }

    /// Whether two streams claim the same place.
    pub(crate) fn contested(&self) -> bool {
        let places: BTreeSet<(Generation, u32)> =
            self.streams.values().map(|s| (s.summary.generation, s.summary.sequence)).collect();
        places.len() < self.streams.len()
    }

    pub(crate) fn summaries(&self) -> Vec<StreamSummary> {
        self.streams.values().map(|s| s.summary.clone()).collect()
    }

    pub(crate) fn seen(&self, subvolume: &SubvolumeName) -> SeenStore {
        let object = |s: &StreamName| SeenObject { key: s.to_string(), bytes: ByteSize::mib(1), stream: s.clone() };
        let upload = |(index, s): (usize, &StreamName)| SeenUpload { key: s.to_string(), index, stream: s.clone() };
        SeenStore {
            subvolume: subvolume.clone(),
            streams: self.summaries(),
            unreadable: BTreeSet::new(),
            incomplete: BTreeSet::new(),
            objects: self.chunks.iter().map(object).collect(),
            uploads: self.uploads.iter().enumerate().map(upload).collect(),
            unfinished: self.journal.iter().map(|j| j.stream.clone()).collect(),
        }
    }

    pub(crate) fn collect(&mut self, step: &GcStep) {
        let gone = match step {
            GcStep::DeleteManifest { stream, .. } => self.streams.remove(stream).is_some(),
            GcStep::DeleteObject { key, .. } => self.chunks.remove(&key.parse().unwrap()),
            GcStep::AbortUpload { key, .. } => self.uploads.remove(&key.parse().unwrap()),
        };
        assert!(gone, "{step:?} removes what is not there");
    }
}

/// How far a stream step gets before it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Begun,
    JournalBegun,
    ChunksStored,
    ManifestPublished,
    PointerPublished,
}

pub(crate) struct World {
    pub(crate) seconds: i64,
    pub(crate) settings: u32,
    pub(crate) policy: Policy,
    pub(crate) pool: BTreeMap<SubvolumeName, Vec<Held>>,
    /// What the live subvolume has for a received uuid; its snapshots inherit it.
    pub(crate) inherits: BTreeMap<SubvolumeName, ReceivedUuid>,
    pub(crate) stores: BTreeMap<(TargetName, SubvolumeName), Store>,
    pub(crate) taken: BTreeMap<StepId, SnapshotUuid>,
    last_number: u32,
}

impl World {
    /// `home` goes to two targets, `srv` to one of them.
    pub(crate) fn new(keep: u32) -> Self {
        let subvolumes = [("home", &["nas", "usb"][..]), ("srv", &["nas"])].map(|(name, targets)| SubvolumePolicy {
            name: name.parse().unwrap(),
            targets: targets.iter().map(|t| target(t)).collect(),
            replicas: Vec::new(),
            schedule: calendar("hourly"),
            sends: BTreeMap::new(),
            ships_foreign: true,
            keep: newest(keep),
        });
        let filled = |days| ArchivePolicy {
            full_every_days: days,
            keep_generations: some(keep.min(2)),
            minimum_storage_days: 2,
            ..archive_policy()
        };
        let pairs = subvolumes.iter().flat_map(|s| s.targets.iter().map(|t| (t.clone(), s.name.clone())));
        Self {
            seconds: 0,
            settings: 0,
            pool: subvolumes.iter().map(|s| (s.name.clone(), Vec::new())).collect(),
            inherits: BTreeMap::new(),
            stores: pairs.map(|pair| (pair, Store::default())).collect(),
            taken: BTreeMap::new(),
            last_number: 0,
            policy: Policy {
                subvolumes: subvolumes.to_vec(),
                targets: [(target("nas"), filled(Some(some(30)))), (target("usb"), filled(None))].into(),
                ..policy(&[], keep)
            },
        }
    }

    /// A number that was never used before.
    pub(crate) fn number(&mut self) -> u32 {
        self.last_number += 1;
        self.last_number
    }

    pub(crate) fn uuid(&mut self) -> SnapshotUuid {
        let mut bytes = [0; 16];
        bytes[12..].copy_from_slice(&self.number().to_be_bytes());
        SnapshotUuid::from_bytes(bytes).unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_second(day(0).as_second() + self.seconds).unwrap()
    }

    /// What the planner sees while some targets are unreachable.
    pub(crate) fn look(&self, unreachable: &BTreeSet<TargetName>) -> Observed {
        let target = |((name, of), store): (&(TargetName, SubvolumeName), &Store), wanted: &SubvolumeName| {
            let unfinished = |j: &Journal| Unfinished {
                stream: j.stream.clone(),
                snapshot: j.snapshot,
                parent: j.parent,
                same_settings: j.settings == self.settings,
            };
            (of == wanted && !unreachable.contains(name)).then(|| ObservedTarget {
                name: name.clone(),
                streams: store.summaries(),
                incomplete: BTreeSet::new(),
                unreadable: BTreeSet::new(),
                unfinished: store.journal.as_ref().map(unfinished),
                pointer: store.pointer.clone(),
            })
        };
        let subvolume = |(name, held): (&SubvolumeName, &Vec<Held>)| ObservedSubvolume {
            name: name.clone(),
            snapshots: held.iter().map(|h| h.snapshot.clone()).collect(),
            targets: self.stores.iter().filter_map(|entry| target(entry, name)).collect(),
            room: None,
            lost_notes: Vec::new(),
            nested: Vec::new(),
            pool: None,
            replicas: Vec::new(),
            pins: Vec::new(),
        };
        Observed { subvolumes: self.pool.iter().map(subvolume).collect(), open_hooks: Vec::new() }
    }

    fn find(&self, subvolume: &SubvolumeName, uuid: SnapshotUuid) -> &Held {
        self.pool[subvolume].iter().find(|h| h.snapshot.uuid == uuid).expect("the snapshot is on the pool")
    }

    /// Whether the pool has what the stream was made of, as it was.
    pub(crate) fn has_parent(&self, subvolume: &SubvolumeName, stream: &Stored) -> bool {
        let wanted = &stream.summary.snapshot;
        self.pool[subvolume].iter().any(|Held { snapshot, content }| {
            let copied = snapshot.received.is_some_and(|r| wanted.uuid.is_copied_as(&r));
            (snapshot.uuid == wanted.uuid || copied) && snapshot.read_only && *content == stream.content
        })
    }

    /// Does a step, or as much of it as `stop` lets it.
    pub(crate) fn perform(&mut self, id: StepId, step: &Step, stop: Option<Phase>) -> Result<(), Phase> {
        if !matches!(step, Step::SendStream { .. })
            && let Some(phase) = stop
        {
            return Err(phase);
        }
        match step {
            Step::TakeSnapshot { subvolume, name, .. } => {
                assert_eq!(name.subvolume(), subvolume);
                self.take(id, name);
            }
            Step::BeginHook { .. } | Step::EndHook { .. } => unreachable!("there are no hooks here"),
            Step::SendStream { .. } => return self.send(step, stop),
            Step::AbandonUpload { subvolume, target, stream } => {
                let store = self.stores.get_mut(&(target.clone(), subvolume.clone())).unwrap();
                store.streams.remove(stream);
                store.chunks.remove(stream);
                store.uploads.remove(stream);
                store.journal = None;
            }
            Step::RepairPointer { subvolume, target, stream } => {
                let store = self.stores.get_mut(&(target.clone(), subvolume.clone())).unwrap();
                assert!(store.streams.contains_key(stream));
                store.pointer = Some(stream.clone());
            }
            Step::DeleteSnapshot { subvolume, name, uuid } => {
                let LocalSnapshot { name: found, foreign, .. } = &self.find(subvolume, *uuid).snapshot;
                assert!(found == name && !foreign, "{found} is not to be deleted");
                self.pool.get_mut(subvolume).unwrap().retain(|h| h.snapshot.uuid != *uuid);
            }
            _ => panic!("no replica is in this world: {step:?}"),
        }
        Ok(())
    }

    fn take(&mut self, id: StepId, name: &SnapshotName) {
        let uuid = self.put(name, false);
        self.taken.insert(id, uuid);
    }

    /// A snapshot comes to be, ours or another program's.
    pub(crate) fn put(&mut self, name: &SnapshotName, foreign: bool) -> SnapshotUuid {
        let subvolume = name.subvolume();
        let (uuid, content) = (self.uuid(), self.number());
        let snapshot = LocalSnapshot {
            name: name.clone(),
            uuid,
            id: SubvolumeId(u64::from(content)),
            received: self.inherits.get(subvolume).copied(),
            ctransid: TransactionId(u64::from(content)),
            read_only: true,
            foreign,
            note: Note::default(),
        };
        let held = self.pool.get_mut(subvolume).unwrap();
        assert!(held.iter().all(|h| h.snapshot.name != *name), "{name} is there already");
        held.push(Held { snapshot, content });
        uuid
    }

    fn send(&mut self, step: &Step, stop: Option<Phase>) -> Result<(), Phase> {
        let Step::SendStream { subvolume, target, snapshot, parent, generation, sequence, resume } = step else {
            unreachable!()
        };
        let upto = |phase| if stop == Some(phase) { Err(phase) } else { Ok(()) };
        upto(Phase::Begun)?;
        let uuid = match snapshot {
            Which::Existing { uuid, .. } => *uuid,
            Which::TakenBy(step) => self.taken[step],
        };
        let held = self.find(subvolume, uuid).clone();
        let below = parent.as_ref().map(|p| self.find(subvolume, p.uuid).clone());
        assert!(held.snapshot.read_only && below.as_ref().is_none_or(|b| b.snapshot.read_only));
        let attempt = self.number();
        let (settings, now) = (self.settings, self.now());
        let store = self.stores.get_mut(&(target.clone(), subvolume.clone())).unwrap();
        let kind = if parent.is_some() { StreamKind::Incremental } else { StreamKind::Full };
        let fresh = StreamName::new(held.snapshot.name.taken(), kind, attempt);
        let name = match (&store.journal, resume) {
            (Some(journal), Some(resume)) => {
                assert_eq!(journal.stream, *resume);
                resume.clone()
            }
            _ => fresh,
        };
        let parent_uuid = parent.as_ref().map(|p| p.uuid);
        store.journal = Some(Journal { stream: name.clone(), snapshot: uuid, parent: parent_uuid, settings });
        store.uploads.insert(name.clone());
        upto(Phase::JournalBegun)?;
        store.uploads.remove(&name);
        store.chunks.insert(name.clone());
        upto(Phase::ChunksStored)?;
        let summary = summary(&name, subvolume, (*generation, *sequence), &held, parent.as_ref(), now);
        let stored = Stored { summary, base: below.map(|b| b.content), content: held.content };
        assert!(store.streams.insert(name.clone(), stored).is_none(), "{name} was published before");
        upto(Phase::ManifestPublished)?;
        store.pointer = Some(name);
        upto(Phase::PointerPublished)?;
        store.journal = None;
        Ok(())
    }
}

fn summary(
    name: &StreamName,
    subvolume: &SubvolumeName,
    (generation, sequence): (Generation, u32),
    held: &Held,
    parent: Option<&Parent>,
    published: Timestamp,
) -> StreamSummary {
    let LocalSnapshot { name: snapshot, uuid, received, ctransid, .. } = held.snapshot.clone();
    StreamSummary {
        name: name.clone(),
        subvolume: subvolume.clone(),
        generation,
        sequence,
        snapshot: SnapshotIdentity { taken: snapshot.taken(), name: snapshot, uuid, received, ctransid },
        parent: parent.map(|p| p.stream.clone()),
        published,
        stream_bytes: ByteSize::gib(1),
        stored_bytes: ByteSize::mib(100),
        storage_class: None,
        recipients: keys(),
    }
}
