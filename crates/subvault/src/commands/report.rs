//! How a run is shown: what it will do, what it did, and how that went.

use serde_json::{Value, json};
use subvault_jobs::driver::{Outcome, RunReport, Verdict, chain};
use subvault_jobs::observe::Sight;
use subvault_model::bytesize::ByteSize;
use subvault_plan::step::{Plan, Step};

use crate::exit::Exit;
use crate::output::{size, table};

/// The exit code of a run.
#[must_use]
pub fn exit(report: &RunReport, sight: &Sight) -> Exit {
    let failures = report.steps.iter().filter_map(|s| match &s.outcome {
        Outcome::Failed(error) => Some(error),
        _ => None,
    });
    let first = failures.chain(sight.failures.iter().map(|(_, error)| error)).next();
    let done = report.steps.iter().any(|s| matches!(s.outcome, Outcome::Done(_)));
    match (report.verdict(), first) {
        (Verdict::AllDone, None) => Exit::Good,
        (_, Some(_)) if done => Exit::SomeFailed,
        // Nothing was done for one reason: its code says more than "nothing done".
        (_, Some(error)) => error.kind().into(),
        (verdict, None) => verdict.into(),
    }
}

/// The steps with their reasons.
#[must_use]
pub fn describe(plan: &Plan) -> String {
    if plan.steps.is_empty() {
        return "Nothing is to be done.".to_owned();
    }
    let mut text = String::new();
    for planned in &plan.steps {
        text.push_str(&format!("{}\n    {}\n", planned.step, planned.because));
    }
    for note in &plan.notes {
        text.push_str(&format!("{note}\n"));
    }
    text
}

fn figure(figures: &Value, name: &str) -> ByteSize {
    ByteSize::bytes(figures.get(name).and_then(Value::as_u64).unwrap_or(0))
}

/// What a run did, in words.
#[must_use]
pub fn summary(report: &RunReport, plan: &Plan, sight: &Sight) -> String {
    let mut table = table::new(&["subvolume", "target", "kind", ">stream", ">stored", ">ratio", ">time", ">rate"]);
    let (mut copies, mut problems) = (String::new(), String::new());
    for performed in &report.steps {
        match (&performed.planned.step, &performed.outcome) {
            (Step::SendStream { subvolume, target, .. }, Outcome::Done(figures)) => {
                let (stream, stored) = (figure(figures, "stream_bytes"), figure(figures, "stored_bytes"));
                let seconds = figures.get("seconds").and_then(Value::as_f64).unwrap_or(0.0);
                let kind = figures.get("kind").and_then(Value::as_str).unwrap_or("?").to_owned();
                table.add_row([
                    subvolume.to_string(),
                    target.to_string(),
                    kind,
                    size::size(stream),
                    size::size(stored),
                    size::ratio(stream, stored),
                    size::seconds(seconds),
                    size::rate(stream, seconds),
                ]);
            }
            (Step::SendCopy { subvolume, target, .. }, Outcome::Done(figures)) => {
                let stream = figure(figures, "stream_bytes");
                let seconds = figures.get("seconds").and_then(Value::as_f64).unwrap_or(0.0);
                let kind = figures.get("kind").and_then(Value::as_str).unwrap_or("?").to_owned();
                table.add_row([
                    subvolume.to_string(),
                    target.to_string(),
                    kind,
                    size::size(stream),
                    "-".to_owned(),
                    "-".to_owned(),
                    size::seconds(seconds),
                    size::rate(stream, seconds),
                ]);
            }
            (step @ (Step::DeleteCopy { .. } | Step::RemoveUnfinishedCopy { .. }), Outcome::Done(_)) => {
                copies.push_str(&format!("{step}\n"));
            }
            (_, Outcome::Done(_)) => {}
            (step, Outcome::Failed(error)) => {
                problems.push_str(&format!("failed: {step}: {}\n", chain(error)));
                if let Some(hint) = error.hint() {
                    problems.push_str(&format!("  → {hint}\n"));
                }
            }
            (step, Outcome::LeftOut) => problems.push_str(&format!("left out: {step}\n")),
        }
    }
    for (what, error) in &sight.failures {
        problems.push_str(&format!("not looked at: {what}: {}\n", chain(error)));
        if let Some(hint) = error.hint() {
            problems.push_str(&format!("  → {hint}\n"));
        }
    }
    for (target, error) in &sight.reached.away {
        problems.push_str(&format!("away: {target}: {error}\n"));
        if let Some(hint) = error.hint() {
            problems.push_str(&format!("  → {hint}\n"));
        }
    }
    let shown = if table.is_empty() { String::new() } else { table::text(&table) };
    let notes: String = plan.notes.iter().map(|n| format!("{n}\n")).collect();
    format!("{shown}{copies}{notes}{problems}")
}

/// The same for programs.
#[must_use]
pub fn to_json(report: &RunReport, sight: &Sight) -> Value {
    let steps = report.steps.iter().map(|performed| {
        let (outcome, detail) = match &performed.outcome {
            Outcome::Done(figures) => ("done", figures.clone()),
            Outcome::Failed(error) => ("failed", json!({ "error": chain(error), "hint": error.hint() })),
            Outcome::LeftOut => ("left_out", Value::Null),
        };
        json!({ "planned": performed.planned, "outcome": outcome, "result": detail })
    });
    let failures =
        sight.failures.iter().map(|(what, error)| json!({ "what": what, "error": chain(error), "hint": error.hint() }));
    json!({
        "verdict": report.verdict(),
        "steps": steps.collect::<Vec<_>>(),
        "not_looked_at": failures.collect::<Vec<_>>(),
    })
}
