//! Carries out a plan: in order, each step after those it needs, going on after failures. Steps about different replicas
//! that follow each other are carried out at the same time, those about one in order.
//!
//! Knows nothing of Btrfs or stores; what a step means is known by the hands it is given to.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};
use subvault_host::clock;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::TargetName;
use subvault_plan::step::{Plan, Planned, Step, StepId};

use crate::audit::Audit;
use crate::error::JobError;

/// Does what a step says.
pub trait Hands {
    /// Does it, and tells what came of it in figures.
    ///
    /// # Errors
    /// When it could not be done; the run goes on with what does not need it.
    fn perform(&mut self, id: StepId, step: &Step) -> Result<Value, JobError>;

    /// Hands for the steps about replicas, for which several threads need them at once.
    fn copier(&self) -> Option<&dyn Copier> {
        None
    }
}

/// Does what steps about replicas say.
pub trait Copier: Sync {
    /// As `Hands::perform`.
    ///
    /// # Errors
    /// As there.
    fn copy(&self, step: &Step) -> Result<Value, JobError>;
}

/// How a step ended.
#[derive(Debug)]
pub enum Outcome {
    /// As planned, with its figures.
    Done(Value),
    /// It failed.
    Failed(JobError),
    /// Something it needs had failed.
    LeftOut,
}

/// A step and how it ended.
#[derive(Debug)]
pub struct Performed {
    /// What was planned.
    pub planned: Planned,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a run did.
#[derive(Debug, Default)]
pub struct RunReport {
    /// The steps in order.
    pub steps: Vec<Performed>,
    /// How many of them could not be written into the audit log.
    pub unrecorded: usize,
}

/// How a run went as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything was done.
    AllDone,
    /// Some steps failed.
    SomeFailed,
    /// No step succeeded.
    NothingDone,
}

impl RunReport {
    /// How the run went. A run without steps did all it had to do.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let done = self.steps.iter().filter(|s| matches!(s.outcome, Outcome::Done(_))).count();
        match done {
            n if n == self.steps.len() && self.unrecorded == 0 => Verdict::AllDone,
            0 => Verdict::NothingDone,
            _ => Verdict::SomeFailed,
        }
    }
}

/// Carries out `plan`.
///
/// What was done cannot be undone for want of a record: where that cannot be kept, this is told, and counts as a failure.
pub fn run(plan: &Plan, hands: &mut dyn Hands, audit: &Audit, monitor: &dyn Monitor) -> RunReport {
    let run = Run { plan, audit, monitor, board: Mutex::default() };
    let mut next = 0;
    while next < plan.steps.len() {
        let lanes = lanes(&plan.steps, next);
        next += lanes.iter().map(Vec::len).sum::<usize>().max(1);
        match (lanes.as_slice(), hands.copier()) {
            ([], _) => run.step(next - 1, |step| hands.perform(StepId(next - 1), step)),
            (_, Some(copier)) => std::thread::scope(|scope| {
                for lane in lanes {
                    scope.spawn(|| lane.into_iter().for_each(|index| run.step(index, |step| copier.copy(step))));
                }
            }),
            (_, None) => lanes.concat().into_iter().for_each(|index| {
                run.step(index, |step| Err(JobError::Bug(format!("there are no hands for {step}"))));
            }),
        }
    }
    let Board { outcomes, unrecorded } = run.board.into_inner().unwrap_or_else(PoisonError::into_inner);
    let steps = plan.steps.iter().cloned().zip(outcomes.into_values());
    RunReport { steps: steps.map(|(planned, outcome)| Performed { planned, outcome }).collect(), unrecorded }
}

/// The steps about replicas from one on, up to the next other step, by replica; nothing where that is another one. What
/// such a step needs is of the same lane, or came before all of them.
fn lanes(steps: &[Planned], from: usize) -> Vec<Vec<usize>> {
    let mut lanes: BTreeMap<&TargetName, Vec<usize>> = BTreeMap::new();
    for (index, planned) in steps.iter().enumerate().skip(from) {
        let Some(replica) = planned.step.replica() else { break };
        lanes.entry(replica).or_default().push(index);
    }
    lanes.into_values().collect()
}

/// What became of steps so far.
#[derive(Default)]
struct Board {
    outcomes: BTreeMap<usize, Outcome>,
    unrecorded: usize,
}

/// A plan that is being carried out.
struct Run<'a> {
    plan: &'a Plan,
    audit: &'a Audit,
    monitor: &'a dyn Monitor,
    board: Mutex<Board>,
}

impl Run<'_> {
    fn step(&self, index: usize, perform: impl FnOnce(&Step) -> Result<Value, JobError>) {
        let planned = &self.plan.steps[index];
        let outcome = if self.has_what_it_needs(planned) {
            match perform(&planned.step) {
                Ok(figures) => Outcome::Done(figures),
                Err(error) => Outcome::Failed(error),
            }
        } else {
            Outcome::LeftOut
        };
        let recorded = record(self.audit, planned, &outcome);
        if let Err(error) = &recorded {
            self.monitor.event(Event::Warning(chain(error)));
        }
        if let Outcome::Failed(error) = &outcome {
            self.monitor.event(Event::Warning(format!("{}: {error}", planned.step)));
        }
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        board.unrecorded += usize::from(recorded.is_err());
        board.outcomes.insert(index, outcome);
    }

    fn has_what_it_needs(&self, planned: &Planned) -> bool {
        let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        planned.needs.iter().all(|StepId(need)| matches!(board.outcomes.get(need), Some(Outcome::Done(_))))
    }
}

fn record(audit: &Audit, planned: &Planned, outcome: &Outcome) -> Result<(), JobError> {
    let step = serde_json::to_value(planned).map_err(|e| JobError::Bug(e.to_string()))?;
    let action = step.get("step").and_then(Value::as_str).unwrap_or("step").to_owned();
    let (word, result) = match outcome {
        Outcome::Done(figures) => ("done", figures.clone()),
        Outcome::Failed(error) => ("failed", json!({ "error": chain(error) })),
        Outcome::LeftOut => ("left_out", Value::Null),
    };
    audit.add(clock::now(), &action, word, json!({ "step": step, "result": result }))
}

/// An error with its causes, one after the other.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use subvault_model::monitor::Silent;

    struct Toy {
        fails: Vec<usize>,
        performed: Vec<usize>,
    }

    impl Hands for Toy {
        fn perform(&mut self, id: StepId, _step: &Step) -> Result<Value, JobError> {
            self.performed.push(id.0);
            if self.fails.contains(&id.0) { Err(JobError::Bug("asked for".to_owned())) } else { Ok(Value::Null) }
        }
    }

    fn plan_of(needs: &[&[usize]]) -> Plan {
        let mut plan = Plan::default();
        for needs in needs {
            let name = "home.20261120T221500Z".parse().unwrap();
            let (group, note) = (None, subvault_model::note::Note::default());
            let step = Step::TakeSnapshot { subvolume: "home".parse().unwrap(), name, group, note };
            plan.push(step, "a test", needs.iter().map(|n| StepId(*n)).collect());
        }
        plan
    }

    #[test]
    fn a_failing_step_stops_only_what_needs_it() {
        let state = tempfile::tempdir().unwrap();
        let audit = Audit::open(state.path(), clock::now()).unwrap();
        let plan = plan_of(&[&[], &[0], &[], &[1], &[2]]);
        let mut toy = Toy { fails: vec![0], performed: Vec::new() };
        let report = run(&plan, &mut toy, &audit, &Silent);
        assert_eq!(toy.performed, [0, 2, 4]);
        assert_eq!(report.verdict(), Verdict::SomeFailed);
        let outcomes: Vec<String> = crate::audit::read(state.path()).unwrap().into_iter().map(|e| e.outcome).collect();
        assert_eq!(outcomes, ["failed", "left_out", "done", "left_out", "done"]);
    }

    #[test]
    fn verdicts() {
        let state = tempfile::tempdir().unwrap();
        let audit = Audit::open(state.path(), clock::now()).unwrap();
        for (fails, verdict) in [(vec![], Verdict::AllDone), (vec![0, 1], Verdict::NothingDone)] {
            let mut toy = Toy { fails, performed: Vec::new() };
            assert_eq!(run(&plan_of(&[&[], &[]]), &mut toy, &audit, &Silent).verdict(), verdict);
        }
        let mut toy = Toy { fails: vec![], performed: Vec::new() };
        assert_eq!(run(&plan_of(&[]), &mut toy, &audit, &Silent).verdict(), Verdict::AllDone);
    }

    /// Hands that go on with the first step of each replica only once all replicas have begun.
    struct Together {
        begun: Mutex<BTreeMap<TargetName, usize>>,
        more: std::sync::Condvar,
        replicas: usize,
    }

    impl Hands for Together {
        fn perform(&mut self, _: StepId, _: &Step) -> Result<Value, JobError> {
            Ok(Value::Null)
        }

        fn copier(&self) -> Option<&dyn Copier> {
            Some(self)
        }
    }

    impl Copier for Together {
        fn copy(&self, step: &Step) -> Result<Value, JobError> {
            let mut begun = self.begun.lock().unwrap();
            *begun.entry(step.replica().unwrap().clone()).or_default() += 1;
            self.more.notify_all();
            while begun.len() < self.replicas {
                begun = self.more.wait(begun).unwrap();
            }
            Ok(Value::Null)
        }
    }

    #[test]
    fn replicas_do_not_wait_for_each_other() {
        let state = tempfile::tempdir().unwrap();
        let audit = Audit::open(state.path(), clock::now()).unwrap();
        let mut plan = plan_of(&[&[]]);
        for target in ["a", "b", "a", "c", "b"] {
            let step = Step::DeleteCopy {
                subvolume: "home".parse().unwrap(),
                target: target.parse().unwrap(),
                name: "home.20261120T221500Z".parse().unwrap(),
                uuid: "0f3c1b9e-8a52-4c0d-9e8b-001122334455".parse().unwrap(),
            };
            plan.push(step, "a test", vec![StepId(0)]);
        }
        let mut hands = Together { begun: Mutex::default(), more: std::sync::Condvar::new(), replicas: 3 };
        let report = run(&plan, &mut hands, &audit, &Silent);
        assert_eq!(report.verdict(), Verdict::AllDone);
        assert_eq!(report.steps.iter().map(|s| &s.planned).cloned().collect::<Vec<_>>(), plan.steps);
        assert_eq!(hands.begun.into_inner().unwrap().into_values().collect::<Vec<_>>(), [2, 2, 1]);
    }
}
