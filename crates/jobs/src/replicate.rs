//! The replicate run: looks at replicas, lets `plan` decide, and copies. Replicas do not wait for each other.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;
use subvault_host::mounts::{Mount, Mounts};
use subvault_host::pace::Pace;
use subvault_host::read_ahead::ReadAhead;
use subvault_host::send::send;
use subvault_host::subvolume::Subvolume;
use subvault_host::{HostErrorKind, clock};
use subvault_model::bytesize::ByteSize;
use subvault_model::crash;
use subvault_model::ids::{ReceivedUuid, SnapshotUuid};
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{SnapshotName, StreamKind, SubvolumeName, TargetName};
use subvault_plan::observed::ObservedReplica;
use subvault_plan::replica::{Missing, last_common};
use subvault_plan::step::{Common, Plan, Step, StepId, Which};

use crate::content::{READERS, ahead_most};
use crate::driver::{Copier, Hands, chain};
use crate::error::JobError;
use crate::observe::Sight;
use crate::replica::attach::{Attached, attach};
use crate::replica::directory::Access;
use crate::replica::record::{self, LastSeen};
use crate::replica::{CopySource, Delivery, Inventory, Order, Throttle, as_stored};
use crate::setup::{ReplicaSetup, Setup};
use crate::snapshot;

/// The replicas that a run works with.
#[derive(Default)]
pub struct Reached {
    /// Those within reach.
    pub attached: BTreeMap<TargetName, Mutex<Attached>>,
    /// Those whose disks are not here.
    pub away: Vec<(TargetName, JobError)>,
}

impl Reached {
    /// Opens a copy; `None` if it is on another machine.
    ///
    /// # Errors
    /// When it is another one by now.
    pub fn open(&self, target: &TargetName, copy: &CopySource) -> Result<Option<Subvolume>, JobError> {
        let attached = self.attached.get(target).ok_or_else(|| JobError::Bug(format!("no replica {target}")))?;
        attached.lock().unwrap_or_else(PoisonError::into_inner).replica.open(copy)
    }
}

/// Figures of a copy that was made.
#[derive(Debug, Clone, Serialize)]
pub struct CopyFigures {
    /// Which snapshot.
    pub snapshot: SnapshotName,
    /// Of which subvolume.
    pub subvolume: SubvolumeName,
    /// To which replica.
    pub target: TargetName,
    /// All of it, or what changed.
    pub kind: StreamKind,
    /// The identity of the copy.
    pub uuid: SnapshotUuid,
    /// Length of the stream.
    pub stream_bytes: ByteSize,
    /// How long it took.
    pub seconds: f64,
}

/// Looks at the replicas that the policy of this run is about, at `only` those unless that is empty, and adds to what was
/// seen. What cannot be seen is told and left out.
pub fn reach(setup: &Setup, only: &[TargetName], access: Access, sight: &mut Sight, monitor: &dyn Monitor) {
    let chosen = |replica: &ReplicaSetup| {
        let wanted = setup.policy.subvolumes.iter().any(|s| s.replicas.contains(&replica.name));
        wanted && (only.is_empty() || only.contains(&replica.name))
    };
    let names: Vec<SubvolumeName> = sight.observed.subvolumes.iter().map(|s| s.name.clone()).collect();
    let looked = each_replica(setup, chosen, |replica| look_at(setup, replica, &names, access));
    for (replica, looked) in looked {
        match looked {
            Ok((attached, inventories)) => {
                for (name, inventory) in inventories {
                    add(setup, &replica.name, &name, inventory, (access, sight), monitor);
                }
                sight.reached.attached.insert(replica.name.clone(), Mutex::new(attached));
            }
            Err(error @ JobError::Away { .. }) => sight.reached.away.push((replica.name.clone(), error)),
            Err(error) => sight.fail(monitor, format!("target {}", replica.name), error),
        }
    }
}

/// Looks at several replicas at the same time, as connecting takes time, and one that cannot be reached takes most.
pub(crate) fn each_replica<T: Send>(
    setup: &Setup,
    chosen: impl Fn(&ReplicaSetup) -> bool,
    look: impl Fn(&ReplicaSetup) -> Result<T, JobError> + Sync,
) -> Vec<(&ReplicaSetup, Result<T, JobError>)> {
    let died = || Err(JobError::Bug("the thread that looked died".to_owned()));
    std::thread::scope(|scope| {
        let look = &look;
        let chosen = setup.replicas.iter().filter(|replica| chosen(replica));
        let looks: Vec<_> = chosen.map(|replica| (replica, scope.spawn(move || look(replica)))).collect();
        looks.into_iter().map(|(replica, look)| (replica, look.join().unwrap_or_else(|_| died()))).collect()
    })
}

type Looked = (Attached, Vec<(SubvolumeName, Result<Inventory, JobError>)>);

fn look_at(
    setup: &Setup,
    replica: &ReplicaSetup,
    subvolumes: &[SubvolumeName],
    access: Access,
) -> Result<Looked, JobError> {
    let mut attached = attach(setup, &replica.name, &replica.place, access)?;
    let wanted = |name: &&SubvolumeName| {
        setup.policy.subvolumes.iter().any(|s| s.name == **name && s.replicas.contains(&replica.name))
    };
    let inventories =
        subvolumes.iter().filter(wanted).map(|name| (name.clone(), attached.replica.look(name))).collect();
    Ok((attached, inventories))
}

/// Adds what a replica has of a subvolume to what was seen, and remembers the newest that both sides have.
fn add(
    setup: &Setup,
    target: &TargetName,
    name: &SubvolumeName,
    inventory: Result<Inventory, JobError>,
    (access, sight): (Access, &mut Sight),
    monitor: &dyn Monitor,
) {
    let Inventory { copies, unfinished } = match inventory {
        Ok(inventory) => inventory,
        Err(error) => return sight.fail(monitor, format!("{name} at {target}"), error),
    };
    let Some(seen) = sight.observed.subvolumes.iter_mut().find(|s| s.name == *name) else { return };
    let replica = ObservedReplica { name: target.clone(), copies, unfinished };
    if let Some(newest) = last_common(&seen.snapshots, &replica, clock::now()) {
        let last = LastSeen { snapshot: newest.name.clone(), uuid: newest.uuid, seen: clock::now() };
        if access == Access::Change
            && let Err(error) = record::write(&setup.state, target, name, &last)
        {
            monitor.event(Event::Warning(chain(&error)));
        }
    }
    seen.replicas.push(replica);
}

/// Decides what a replicate run does, and checks the decision.
///
/// # Errors
/// When the plan breaks a rule of its own; then nothing of it may be done.
pub fn decide(setup: &Setup, sight: &Sight, missing: Missing) -> Result<Plan, JobError> {
    let plan = subvault_plan::replica::plan(&setup.policy, &sight.observed, missing, clock::now());
    let findings = subvault_plan::check::check(&plan, &sight.observed);
    if findings.is_empty() { Ok(plan) } else { Err(JobError::Bug(findings.join("; "))) }
}

/// The hands of a replicate run.
pub struct Replicator<'a> {
    setup: &'a Setup,
    reached: &'a Reached,
    monitor: &'a dyn Monitor,
    /// The copies that this run has made.
    made: Mutex<BTreeMap<(TargetName, SnapshotName), SnapshotUuid>>,
}

/// A copy to be made, with everything that the step names looked up.
struct Subject<'a> {
    replica: &'a ReplicaSetup,
    subvolume: &'a SubvolumeName,
    name: &'a SnapshotName,
    snapshot: Subvolume,
    uuid: SnapshotUuid,
    parent: Option<Subvolume>,
    clone_sources: Vec<Subvolume>,
    order: Order,
}

impl<'a> Replicator<'a> {
    /// Hands that act on what was seen.
    #[must_use]
    pub fn new(setup: &'a Setup, reached: &'a Reached, monitor: &'a dyn Monitor) -> Self {
        Self { setup, reached, monitor, made: Mutex::default() }
    }

    fn attached(&self, target: &TargetName) -> Result<&'a Mutex<Attached>, JobError> {
        self.reached.attached.get(target).ok_or_else(|| JobError::Bug(format!("no replica {target}")))
    }

    /// Opens a snapshot of a subvolume, and makes sure that it is the very one that was meant.
    fn open(&self, of: &SubvolumeName, name: &SnapshotName, uuid: SnapshotUuid) -> Result<Subvolume, JobError> {
        let setup = self.setup.subvolume(of).ok_or_else(|| JobError::Bug(format!("no subvolume {of}")))?;
        snapshot::open_to_send(setup, name, uuid)
    }

    /// The identity of a snapshot that this run has taken.
    fn taken(&self, of: &SubvolumeName, name: &SnapshotName) -> Result<SnapshotUuid, JobError> {
        let setup = self.setup.subvolume(of).ok_or_else(|| JobError::Bug(format!("no subvolume {of}")))?;
        let info = Subvolume::open_in(&setup.snapshots, OsStr::new(&name.to_string()))?.info()?;
        Ok(info.identity()?)
    }

    /// The copy of what both sides have: seen there, or made by this run.
    fn copy_of(&self, target: &TargetName, common: &Common) -> Result<CopySource, JobError> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let uuid = common.copy.or_else(|| made.get(&(target.clone(), common.snapshot.clone())).copied());
        let uuid = uuid.ok_or_else(|| JobError::Stale(format!("the copy of {}", common.snapshot)))?;
        Ok(CopySource { subvolume: common.subvolume.clone(), name: common.snapshot.clone(), uuid })
    }

    fn subject(&self, step: &'a Step) -> Result<Subject<'a>, JobError> {
        let Step::SendCopy { subvolume, target, name, snapshot, parent, clone_sources } = step else {
            return Err(JobError::Bug("not a copy".to_owned()));
        };
        let replica = self.setup.replica(target).ok_or_else(|| JobError::Bug(format!("no replica {target}")))?;
        let uuid = match snapshot {
            Which::Existing { uuid, .. } => *uuid,
            Which::TakenBy(_) => self.taken(subvolume, name)?,
        };
        let opened = self.open(subvolume, name, uuid)?;
        let mut sources = Vec::new();
        for common in parent.iter().chain(clone_sources) {
            sources.push(self.copy_of(target, common)?);
        }
        let open = |common: &Common| self.open(&common.subvolume, &common.snapshot, common.uuid);
        let order = Order { subvolume: subvolume.clone(), name: name.clone(), origin: origin(&opened)?, sources };
        Ok(Subject {
            replica,
            subvolume,
            name,
            snapshot: opened,
            uuid,
            parent: parent.as_ref().map(open).transpose()?,
            clone_sources: clone_sources.iter().map(open).collect::<Result<_, _>>()?,
            order,
        })
    }

    fn send(&self, subject: &Subject<'_>) -> Result<CopyFigures, JobError> {
        let begin = clock::monotonic();
        let target = &subject.replica.name;
        let what = format!("{} → {target}", subject.name);
        self.monitor.event(Event::Started { what, expected: None });
        let sent = match self.send_once(subject) {
            // The machine was suspended, or a balance came in between.
            Err(JobError::Host(error)) if error.kind() == HostErrorKind::Interrupted => {
                self.monitor.event(Event::Note(format!("{error}; sending it again")));
                self.send_once(subject)
            }
            other => other,
        };
        self.monitor.event(Event::Finished);
        let (uuid, bytes) = sent?;
        let key = (target.clone(), subject.name.clone());
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(key, uuid);
        let last = LastSeen { snapshot: subject.name.clone(), uuid: subject.uuid, seen: clock::now() };
        record::write(&self.setup.state, target, subject.subvolume, &last)?;
        crash::point("copy-recorded");
        Ok(CopyFigures {
            snapshot: subject.name.clone(),
            subvolume: subject.subvolume.clone(),
            target: target.clone(),
            kind: if subject.parent.is_some() { StreamKind::Incremental } else { StreamKind::Full },
            uuid,
            stream_bytes: ByteSize::bytes(bytes),
            seconds: begin.elapsed().as_secs_f64(),
        })
    }

    fn send_once(&self, subject: &Subject<'_>) -> Result<(SnapshotUuid, u64), JobError> {
        let sources: Vec<&Subvolume> = subject.clone_sources.iter().collect();
        let stream = send(&subject.snapshot, subject.parent.as_ref(), &sources, as_stored())?;
        let throttle = Throttle::new(subject.replica.bandwidth);
        let pace = Arc::new(Pace::new(ahead_most()));
        // Dropped with the stream, it stops.
        let _ahead = subject.read_ahead(&pace);
        let delivery = Delivery { stream, pace: &pace, throttle, monitor: self.monitor };
        let mut attached = self.attached(&subject.replica.name)?.lock().unwrap_or_else(PoisonError::into_inner);
        attached.replica.receive(&subject.order, delivery)
    }
}

impl Subject<'_> {
    /// Reads a whole snapshot ahead of the kernel. Where files are stored compressed it does not pay: the kernel sends those
    /// as they are on disk, past the cache.
    fn read_ahead(&self, pace: &Arc<Pace>) -> Option<ReadAhead> {
        let path = self.snapshot.path();
        let is_compressing = Mounts::read().and_then(|mounts| mounts.containing(path).map(Mount::is_compressing));
        // What cannot be told or begun costs time alone.
        let pays = self.parent.is_none() && is_compressing.is_ok_and(|is| !is);
        pays.then(|| ReadAhead::start(path, READERS, Arc::clone(pace)).ok()).flatten()
    }
}

/// What a stream of this snapshot says that it is of.
pub(crate) fn origin(snapshot: &Subvolume) -> Result<ReceivedUuid, JobError> {
    let info = snapshot.info()?;
    let own = ReceivedUuid::from_bytes(*info.identity()?.as_bytes());
    info.received_uuid.or(own).ok_or_else(|| JobError::Bug("a snapshot without identity".to_owned()))
}

impl Copier for Replicator<'_> {
    fn copy(&self, step: &Step) -> Result<Value, JobError> {
        let attached =
            |target| Ok::<_, JobError>(self.attached(target)?.lock().unwrap_or_else(PoisonError::into_inner));
        match step {
            Step::SendCopy { .. } => {
                let figures = self.send(&self.subject(step)?)?;
                serde_json::to_value(figures).map_err(|e| JobError::Bug(e.to_string()))
            }
            Step::RemoveUnfinishedCopy { subvolume, target, name, uuid } => {
                attached(target)?.replica.remove_unfinished(subvolume, name, *uuid)?;
                Ok(Value::Null)
            }
            Step::DeleteCopy { subvolume, target, name, uuid } => {
                attached(target)?.replica.delete(subvolume, name, *uuid)?;
                Ok(Value::Null)
            }
            _ => Err(JobError::Bug(format!("not about a replica: {step}"))),
        }
    }
}

/// The hands of a run that only copies.
impl Hands for Replicator<'_> {
    fn perform(&mut self, _: StepId, step: &Step) -> Result<Value, JobError> {
        self.copy(step)
    }

    fn copier(&self) -> Option<&dyn Copier> {
        Some(self)
    }
}
