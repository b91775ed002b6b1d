//! What targets hold of what is to be forgotten, and its removal there: something newer is sent first, and only then goes
//! what may hold it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use serde::Serialize;
use subvault_host::clock;
use subvault_model::crash;
use subvault_model::file::FileKind;
use subvault_model::file_path::FilePath;
use subvault_model::ids::SnapshotUuid;
use subvault_model::monitor::Monitor;
use subvault_model::names::{SnapshotName, SubvolumeName, TargetName};
use subvault_plan::forget::archives::{Clean, MayHold, may_hold};
use subvault_plan::forget::check::check_rebase;
use subvault_plan::forget::rebase::{Known, Rebase, plan};
use subvault_plan::gc::forget::{Replacement, plan as plan_gc};
use subvault_plan::keep::{Candidate, judge};
use subvault_plan::observed::{Observed, ObservedReplica, ObservedSubvolume};
use subvault_plan::replica::common;
use subvault_plan::step::Plan;

use super::{Subject, clean};
use crate::audit::Audit;
use crate::driver::{self, RunReport, chain};
use crate::error::JobError;
use crate::gc::{Removed, TargetGc, look_with};
use crate::observe::{self, Claim, Sight};
use crate::replica::Holding;
use crate::replica::directory::Access;
use crate::replicate::reach;
use crate::run::Runner;
use crate::setup::{Location, Setup};

/// What one archive may hold of one subvolume.
#[derive(Debug, Clone, Serialize)]
pub struct Generations {
    /// Where.
    pub target: TargetName,
    /// Of which subvolume.
    pub subvolume: SubvolumeName,
    /// Which generations, and until when they stay.
    pub may_hold: Vec<MayHold>,
    /// Whether an upload was interrupted that may hold it.
    pub begun: bool,
    /// How many streams have manifests that cannot be read: nobody knows what those hold.
    pub unreadable: usize,
    /// Whether it is in a bucket, which may keep what is deleted: by versions, or by locks.
    pub in_a_bucket: bool,
}

/// One copy that may hold it.
#[derive(Debug, Clone, Serialize)]
pub struct Copy {
    /// What it is called.
    pub name: SnapshotName,
    /// Whether that is sure; else it could not be looked into.
    pub sure: bool,
    /// Whether it is as it was received; what somebody has changed is his.
    pub intact: bool,
    /// The rules of its target that keep it; without one it goes with the next copy.
    pub kept_because: Vec<String>,
}

/// What one replica may hold of one subvolume.
#[derive(Debug, Clone, Serialize)]
pub struct Copies {
    /// Where.
    pub target: TargetName,
    /// Of which subvolume.
    pub subvolume: SubvolumeName,
    /// How many copies there are.
    pub copies: usize,
    /// Those that hold it, or may.
    pub holding: Vec<Copy>,
}

impl Generations {
    /// Whether something there may hold it.
    #[must_use]
    pub fn may_hold_any(&self) -> bool {
        !self.may_hold.is_empty() || self.begun || self.unreadable > 0
    }
}

/// What was found at targets.
#[derive(Default)]
pub struct Told {
    /// What was seen there, with what is needed to act on it.
    pub sight: Sight,
    /// What is decided on.
    pub known: Known,
    /// In archives.
    pub archives: Vec<Generations>,
    /// At replicas.
    pub copies: Vec<Copies>,
}

/// Looks at the targets of these subvolumes, or at those of them that were `asked` for. What cannot be seen is told and left
/// out.
pub fn look_at_targets(
    setup: &Setup,
    subjects: &[Subject<'_>],
    clean: BTreeMap<SubvolumeName, Clean>,
    asked: Option<&[TargetName]>,
    access: Access,
    monitor: &dyn Monitor,
) -> Told {
    let mut setup = setup.clone();
    let is_asked = |target: &TargetName| asked.is_none_or(|asked| asked.contains(target));
    setup.policy.subvolumes.retain(|policy| subjects.iter().any(|subject| subject.setup.name == policy.name));
    for policy in &mut setup.policy.subvolumes {
        policy.targets.retain(is_asked);
        policy.replicas.retain(is_asked);
    }
    let claim = if access == Access::Change { Claim::Yes } else { Claim::No };
    let mut told = Told { sight: observe::look(&setup, &[], claim, monitor), ..Told::default() };
    reach(&setup, &[], access, &mut told.sight, monitor);
    told.known.clean = clean;
    let observed = told.sight.observed.clone();
    for (seen, subject) in pairs(&observed, subjects) {
        told.archives(&setup, seen);
        for replica in &seen.replicas {
            told.copies(&setup, subject, seen, replica, monitor);
        }
    }
    told
}

fn pairs<'a>(
    observed: &'a Observed,
    subjects: &'a [Subject<'a>],
) -> impl Iterator<Item = (&'a ObservedSubvolume, &'a Subject<'a>)> {
    let find = |seen: &ObservedSubvolume| subjects.iter().find(|subject| subject.setup.name == seen.name);
    observed.subvolumes.iter().filter_map(move |seen| find(seen).map(|subject| (seen, subject)))
}

impl Told {
    /// Those of the targets that were `asked` for where something may hold it.
    #[must_use]
    pub fn may_hold_at(&self, asked: &[TargetName]) -> BTreeSet<TargetName> {
        let archives = self.archives.iter().filter(|at| at.may_hold_any()).map(|at| &at.target);
        let copies = self.copies.iter().filter(|at| !at.holding.is_empty()).map(|at| &at.target);
        archives.chain(copies).filter(|target| asked.contains(target)).cloned().collect()
    }

    fn archives(&mut self, setup: &Setup, seen: &ObservedSubvolume) {
        let clean = self.known.clean.get(&seen.name).cloned().unwrap_or_default();
        for target in &seen.targets {
            let Some(policy) = setup.target_policy(&target.name) else { continue };
            let begun = target.unfinished.as_ref().is_some_and(|begun| !clean.contains_key(&begun.snapshot));
            let location = setup.target(&target.name).map(|target| &target.location);
            self.archives.push(Generations {
                target: target.name.clone(),
                subvolume: seen.name.clone(),
                may_hold: may_hold(policy, &target.streams, &clean, clock::now()),
                begun,
                unreadable: target.unreadable.len(),
                in_a_bucket: matches!(location, Some(Location::S3(_))),
            });
        }
    }

    fn copies(
        &mut self,
        setup: &Setup,
        subject: &Subject<'_>,
        seen: &ObservedSubvolume,
        replica: &ObservedReplica,
        monitor: &dyn Monitor,
    ) {
        let clean = self.known.clean.get(&seen.name).cloned().unwrap_or_default();
        let mut same = seen.snapshots.clone();
        same.retain(|local| clean.contains_key(&local.uuid));
        let surely_clean: BTreeSet<SnapshotUuid> = common(&same, replica).iter().map(|(_, copy)| copy.uuid).collect();
        let reasons = kept_because(setup, replica);
        let (mut holding, mut uuids) = (Vec::new(), BTreeSet::new());
        let inside = self.looked_inside(subject, replica).unwrap_or_else(|error| {
            self.sight.fail(monitor, format!("copies of {} at {}", seen.name, replica.name), error);
            BTreeMap::new()
        });
        for copy in replica.copies.iter().filter(|copy| !surely_clean.contains(&copy.uuid)) {
            let holds = inside.get(&copy.uuid);
            if holds == Some(&false) {
                continue;
            }
            uuids.insert(copy.uuid);
            let kept_because = reasons.get(&copy.name).cloned().unwrap_or_default();
            holding.push(Copy { name: copy.name.clone(), sure: holds.is_some(), intact: copy.intact, kept_because });
        }
        holding.sort_by(|a, b| a.name.cmp(&b.name));
        let (target, subvolume) = (replica.name.clone(), seen.name.clone());
        self.known.copies.insert((subvolume.clone(), target.clone()), uuids);
        self.copies.push(Copies { target, subvolume, copies: replica.copies.len(), holding });
    }

    /// Whether copies that nobody has changed hold one of the paths.
    fn looked_inside(
        &self,
        subject: &Subject<'_>,
        replica: &ObservedReplica,
    ) -> Result<BTreeMap<SnapshotUuid, bool>, JobError> {
        let attached = self.sight.reached.attached.get(&replica.name);
        let attached = attached.ok_or_else(|| JobError::Bug(format!("no replica {}", replica.name)))?;
        let mut attached = attached.lock().unwrap_or_else(PoisonError::into_inner);
        let mut inside = BTreeMap::new();
        for path in &subject.paths {
            let path = FilePath::new(path.as_os_str().as_encoded_bytes());
            for Holding { copy, state } in attached.replica.look_inside(&subject.setup.name, &path)? {
                // What stands for a nested subvolume holds nothing of it.
                let holds = state.is_some_and(|state| state.kind != FileKind::Subvolume);
                *inside.entry(copy.uuid).or_insert(false) |= holds;
            }
        }
        Ok(inside)
    }
}

/// The rules of its target that keep each copy.
fn kept_because(setup: &Setup, replica: &ObservedReplica) -> BTreeMap<SnapshotName, Vec<String>> {
    let Some(policy) = setup.policy.replicas.get(&replica.name) else { return BTreeMap::new() };
    let names: BTreeSet<&SnapshotName> = replica.copies.iter().map(|copy| &copy.name).collect();
    let candidate =
        |(name, order): (&&SnapshotName, u64)| Candidate { taken: name.taken(), order, tags: BTreeSet::new() };
    let candidates: Vec<Candidate> = names.iter().zip(0..).map(candidate).collect();
    let reasons = judge(&policy.keep, &candidates, clock::now(), &setup.policy.zone).into_iter();
    let words = reasons.map(|reasons| reasons.iter().map(ToString::to_string).collect());
    names.into_iter().cloned().zip(words).collect()
}

/// Decides what is done at the targets that were asked for, and checks the decision. `coming` are the snapshots that will
/// have been replaced by then: they are no parents any more.
///
/// # Errors
/// When the plan breaks a rule of its own; then nothing of it may be done.
pub fn decide(
    setup: &Setup,
    told: &Told,
    asked: &[TargetName],
    coming: &BTreeSet<SnapshotUuid>,
) -> Result<Rebase, JobError> {
    let mut observed = told.sight.observed.clone();
    for seen in &mut observed.subvolumes {
        seen.snapshots.retain(|snapshot| !coming.contains(&snapshot.uuid));
    }
    let rebase = plan(&setup.policy, &observed, asked, &told.known, clock::now());
    let mut findings = subvault_plan::check::check(&rebase.plan, &observed);
    findings.extend(check_rebase(&rebase.plan, &observed, &told.known));
    if findings.is_empty() { Ok(rebase) } else { Err(JobError::Bug(findings.join("; "))) }
}

/// What goes at a target, decided on what is there now.
///
/// # Errors
/// When the store cannot be looked at.
pub fn let_go(
    setup: &Setup,
    target: &TargetName,
    subvolumes: &BTreeMap<SubvolumeName, Clean>,
    replacement: Replacement,
) -> Result<TargetGc, JobError> {
    let found = setup.target(target).ok_or_else(|| JobError::Bug(format!("no target {target}")))?;
    let claim = if replacement == Replacement::There { Claim::Yes } else { Claim::No };
    look_with(setup, found, claim, &|seen| {
        subvolumes.get(&seen.subvolume).map(|clean| plan_gc(seen, clean, replacement))
    })
}

/// What was not looked at.
#[derive(Debug, Clone, Serialize)]
pub struct NotSeen {
    /// What.
    pub what: String,
    /// Why.
    pub error: String,
}

/// What was not looked at: it may hold the paths.
#[must_use]
pub fn not_seen(sight: &Sight) -> Vec<NotSeen> {
    let failed = sight.failures.iter().map(|(what, error)| (what.clone(), error));
    let away = sight.reached.away.iter().map(|(target, error)| (format!("target {target}"), error));
    failed.chain(away).map(|(what, error)| NotSeen { what, error: chain(error) }).collect()
}

/// What was done at targets.
pub struct Rebased {
    /// What was seen there.
    pub told: Told,
    /// What was decided.
    pub plan: Plan,
    /// What came of it.
    pub report: RunReport,
    /// What went from archives, or why that could not be.
    pub gone: Vec<(TargetName, Result<Removed, JobError>)>,
    /// What is there after that.
    pub after: Told,
}

/// Sends something newer to the targets that were asked for, lets go there what may hold the paths, and looks again.
///
/// # Errors
/// When it could not be begun, or the run's record cannot be kept.
pub fn rebase(
    setup: &Setup,
    subjects: &[Subject<'_>],
    asked: &[TargetName],
    audit: &Audit,
    monitor: &dyn Monitor,
) -> Result<Rebased, JobError> {
    let mut told = look_at_targets(setup, subjects, all_clean(subjects)?, Some(asked), Access::Change, monitor);
    let Rebase { plan, archives } = decide(setup, &told, asked, &BTreeSet::new())?;
    let mut runner = Runner::new(setup, &told.sight, monitor);
    let report = driver::run(&plan, &mut runner, audit, monitor);
    drop(runner);
    crash::point("forget-rebased");
    // With the snapshots that were just taken and sent.
    let clean = all_clean(subjects)?;
    let mut by_target: BTreeMap<TargetName, BTreeMap<SubvolumeName, Clean>> = BTreeMap::new();
    for (subvolume, target) in archives {
        let of_it = clean.get(&subvolume).cloned().unwrap_or_default();
        by_target.entry(target).or_default().insert(subvolume, of_it);
    }
    let mut gone = Vec::new();
    for (target, subvolumes) in by_target {
        let removed = match let_go(setup, &target, &subvolumes, Replacement::There) {
            Ok(seen) => Ok(seen.collect(audit, monitor)?),
            Err(error) => Err(error),
        };
        gone.push((target, removed));
    }
    // Replicas are let go, or they would be locked twice.
    told.sight.reached.attached.clear();
    let after = look_at_targets(setup, subjects, clean, Some(asked), Access::Look, monitor);
    Ok(Rebased { told, plan, report, gone, after })
}

/// Our snapshots of these subvolumes that do not hold the paths.
///
/// # Errors
/// When they cannot be looked at.
pub fn all_clean(subjects: &[Subject<'_>]) -> Result<BTreeMap<SubvolumeName, Clean>, JobError> {
    let of = |subject: &Subject<'_>| Ok((subject.setup.name.clone(), clean(subject)?));
    subjects.iter().map(of).collect()
}
