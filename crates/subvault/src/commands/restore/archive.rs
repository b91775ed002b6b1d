//! `subvault restore SUBVOLUME` out of an archive.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::json;
use subvault_archive::error::ArchiveError;
use subvault_archive::inventory::{self, Series};
use subvault_host::clock;
use subvault_jobs::driver::chain;
use subvault_jobs::error::JobError;
use subvault_jobs::restore::{Form, RestoreJob, Restored, restore};
use subvault_jobs::setup::Setup;
use subvault_jobs::throughput::{Basis, Estimate, estimate};
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{StreamName, TargetName};
use subvault_plan::restore::{RestorePlan, plan};
use subvault_plan::versions::{Holds, PlaceKind, Version};

use super::identities;
use super::subvolume::Whole;
use crate::config::{self, ConfigError};
use crate::context::{Context, Run};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, size, table};
use crate::place::Place;

/// Where the record is kept on a machine without configuration.
const STATE: &str = "/var/lib/subvault";

/// A plan and where it is carried out from.
pub struct Choice {
    place: Place,
    series: Series,
    plan: RestorePlan,
}

impl Choice {
    /// Where it is and what it has, for a choice among all places.
    pub fn version(&self) -> Option<Version> {
        let last = self.plan.streams.last()?;
        let (name, taken) = (format!("{} at {}", last.snapshot.name, self.place.name), last.snapshot.taken);
        let holds = Holds::Unknown(self.plan.fetch_bytes);
        Some(Version { place: PlaceKind::Archive, name, taken, holds, by_name_only: false })
    }
}

/// Restores out of a store that was named on the command line, on a machine that need not have a configuration.
///
/// # Errors
/// When it cannot be restored; nothing is put in place then.
pub fn run_explicit(whole: &Whole<'_>, store: &str, context: &Context) -> Result<Exit, Failure> {
    // A configuration that happens to be there may say where the state is; it is not needed.
    let state = config::load(&context.config).ok().and_then(|d| d.config.host.state.clone());
    let state = state.unwrap_or_else(|| PathBuf::from(STATE));
    let choice = choose(whole, context, vec![whole.args.place.explicit(store)?])?;
    run(whole, &choice, &state, context)
}

/// Restores.
///
/// # Errors
/// When it cannot be restored; nothing is put in place then.
pub fn run(whole: &Whole<'_>, choice: &Choice, state: &Path, context: &Context) -> Result<Exit, Failure> {
    let args = whole.args;
    let Choice { place, series, plan } = choice;
    let expected = estimate(state, &place.store, &place.layout, series, plan);
    if args.dry_run {
        let answer = json!({ "target": place.name, "plan": plan, "estimate": expected });
        context.answer(&answer, || describe(choice, expected))?;
        return Ok(Exit::Good);
    }
    if !context.json {
        output::say(&describe(choice, expected))?;
    }
    let identities = identities(&args.identities, series, plan)?;
    let run = context.lock(state, "restore.lock", "subvault restore")?;
    let job = RestoreJob {
        store: &place.store,
        layout: &place.layout,
        series,
        plan,
        destination: whole.to,
        form: if args.read_only { Form::ReadOnly } else { Form::WithWritableCopy },
        identities: &identities,
        lanes: place.lanes,
        monitor: &context.monitor,
    };
    let result = restore(&job);
    let recorded = record(&run, whole, choice, result.as_ref());
    let restored = result?;
    context.answer(&restored, || summary(&restored))?;
    if let Err(error) = recorded {
        context.monitor.event(Event::Warning(format!("the restore is done, but not recorded: {error}")));
        return Ok(Exit::SomeFailed);
    }
    Ok(Exit::Good)
}

/// What the archives have, `only` one of them.
///
/// # Errors
/// When none could be opened, or none has it.
pub fn look_everywhere(
    whole: &Whole<'_>,
    setup: &Setup,
    only: Option<&TargetName>,
    context: &Context,
) -> Result<Choice, Failure> {
    let targets: Vec<_> = setup.targets.iter().filter(|target| only.is_none_or(|only| target.name == *only)).collect();
    if targets.is_empty() {
        return Err(ConfigError::general("the configuration has no [[target]] with archives").into());
    }
    let several = targets.len() > 1;
    let mut places = Vec::new();
    let mut first_error = None;
    for target in targets {
        match target.open() {
            Ok(store) => places.push(Place {
                name: target.name.clone(),
                store,
                layout: whole.args.place.layout(setup),
                lanes: target.lanes,
            }),
            Err(error) if several => {
                context.monitor.event(Event::Warning(format!("{}: {}", target.name, chain(&error))));
                first_error.get_or_insert(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    match first_error.filter(|_| places.is_empty()) {
        Some(error) => Err(error.into()),
        None => choose(whole, context, places),
    }
}

/// The store that has the newest snapshot that is old enough; of several, the first.
fn choose(whole: &Whole<'_>, context: &Context, candidates: Vec<Place>) -> Result<Choice, Failure> {
    let mut best: Option<Choice> = None;
    let several = candidates.len() > 1;
    let mut first_error: Option<JobError> = None;
    for place in candidates {
        match look(whole, &place) {
            Ok((series, plan)) => {
                if best.as_ref().is_none_or(|b| b.plan.taken() < plan.taken()) {
                    best = Some(Choice { place, series, plan });
                }
            }
            Err(error) => {
                if several {
                    context.monitor.event(Event::Warning(format!("{}: {}", place.name, chain(&error))));
                }
                first_error.get_or_insert(error);
            }
        }
    }
    match (best, first_error) {
        (Some(best), _) => Ok(best),
        (None, Some(error)) => Err(error.into()),
        (None, None) => Err(Failure::usage("no target could be opened", "see the warnings above")),
    }
}

fn look(whole: &Whole<'_>, place: &Place) -> Result<(Series, RestorePlan), JobError> {
    let mut series = inventory::take_series(&place.store, &place.layout, &whole.subvolume)?;
    let plan = plan(&whole.subvolume, &series.summaries(), whole.args.at);
    match lost_before(&mut series, place, whole, plan.as_ref().ok().and_then(RestorePlan::taken)) {
        Some(damage) => Err(damage.into()),
        None => Ok((series, plan?)),
    }
}

/// What is wrong with a stream that would come before the chosen one, or that it may build on, if its manifest were
/// there and could be read: another one is never taken silently in its place.
fn lost_before(
    series: &mut Series,
    place: &Place,
    whole: &Whole<'_>,
    chosen: Option<Timestamp>,
) -> Option<ArchiveError> {
    let meant = |stream: &StreamName| {
        whole.args.at.is_none_or(|at| stream.taken() <= at) && chosen.is_none_or(|chosen| chosen < stream.taken())
    };
    if let Some(stream) = series.unreadable.keys().rfind(|stream| meant(stream)).cloned() {
        return series.unreadable.remove(&stream);
    }
    let pointer = series.pointer.as_ref()?.as_ref().ok()?;
    let is_lost = !series.streams.contains_key(&pointer.stream) && !series.unreadable.contains_key(&pointer.stream);
    (is_lost && meant(&pointer.stream)).then(|| ArchiveError::Damaged {
        key: place.layout.manifest(&whole.subvolume, &pointer.stream).to_string(),
        what: "it is missing, and the pointer names it as the newest".to_owned(),
    })
}

fn record(run: &Run, whole: &Whole<'_>, choice: &Choice, result: Result<&Restored, &JobError>) -> Result<(), Failure> {
    let subject =
        json!({ "subvolume": whole.subvolume, "to": whole.to.display().to_string(), "from": choice.place.name });
    let (outcome, mut detail) = match result {
        Ok(restored) => ("done", serde_json::to_value(restored).unwrap_or_default()),
        Err(error) => ("failed", json!({ "error": chain(error) })),
    };
    if let Some(object) = detail.as_object_mut() {
        object.insert("subject".to_owned(), subject);
    }
    Ok(run.audit.add(clock::now(), "restore", outcome, detail)?)
}

fn describe(choice: &Choice, expected: Option<Estimate>) -> String {
    let mut table = table::new(&["stream", "taken", "kind", ">fetch", ">receive"]);
    for stream in &choice.plan.streams {
        table.add_row([
            stream.name.to_string(),
            size::moment(stream.snapshot.taken),
            stream.kind().to_string(),
            size::size(stream.stored_bytes),
            size::size(stream.stream_bytes),
        ]);
    }
    let plan = &choice.plan;
    let time = match expected {
        None => "an unknown time".to_owned(),
        Some(Estimate { seconds, basis: Basis::EarlierRestores }) => {
            format!("about {}, as fast as earlier restores here", size::seconds(seconds))
        }
        Some(Estimate { seconds, basis: Basis::Fetching }) => {
            format!("at least {}, the time for fetching", size::seconds(seconds))
        }
    };
    format!(
        "{} from {} ({}): {} streams, {} to fetch, {} to receive, {time}\n\n{}",
        plan.subvolume,
        choice.place.name,
        choice.place.store.describe(),
        plan.streams.len(),
        plan.fetch_bytes,
        plan.stream_bytes,
        table::text(&table)
    )
}

fn summary(restored: &Restored) -> String {
    let mut text = format!("\nread-only  {}\n", restored.path.display());
    if let Some(writable) = &restored.writable {
        text.push_str(&format!("writable   {}\n", writable.display()));
    }
    text.push_str(&format!(
        "{} received in {} ({}); {} entries compared with what was archived: equal\n",
        restored.stream_bytes,
        size::seconds(restored.seconds),
        size::rate(restored.stream_bytes, restored.seconds),
        restored.entries_compared,
    ));
    if restored.reused > 0 {
        text.push_str(&format!("{} streams had been received by an interrupted restore\n", restored.reused));
    }
    if restored.not_compared > 0 {
        text.push_str(&format!("{} streams could not be compared: they have no digest\n", restored.not_compared));
    }
    text
}
