//! Carries out a plan: in order, each step after those it needs, going on after failures.
//!
//! Knows nothing of Btrfs or stores; what a step means is known by the hands it is given to.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};
use subvault_host::clock;
use subvault_model::monitor::{Event, Monitor};
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
    let mut report = RunReport::default();
    let mut missing: BTreeSet<StepId> = BTreeSet::new();
    for (index, planned) in plan.steps.iter().enumerate() {
        let id = StepId(index);
        let outcome = if planned.needs.iter().any(|need| missing.contains(need)) {
            Outcome::LeftOut
        } else {
            match hands.perform(id, &planned.step) {
                Ok(figures) => Outcome::Done(figures),
                Err(error) => Outcome::Failed(error),
            }
        };
        if !matches!(outcome, Outcome::Done(_)) {
            missing.insert(id);
        }
        if let Err(error) = record(audit, planned, &outcome) {
            monitor.event(Event::Warning(chain(&error)));
            report.unrecorded += 1;
        }
        if let Outcome::Failed(error) = &outcome {
            monitor.event(Event::Warning(format!("{}: {error}", planned.step)));
        }
        report.steps.push(Performed { planned: planned.clone(), outcome });
    }
    report
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
}
