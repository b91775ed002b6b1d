//! How fast restores are here: from what the audit log tells of earlier ones, or from a short measurement.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use subvault_archive::inventory::Series;
use subvault_archive::layout::Layout;
use subvault_host::clock;
use subvault_model::bytesize::ByteSize;
use subvault_plan::restore::RestorePlan;
use subvault_store::ObjectStore;

use crate::audit;

/// How many restores of the past count.
const RESTORES_MAX: usize = 5;

/// How long a restore will take, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// About so long.
    pub seconds: f64,
    /// How it is known.
    pub basis: Basis,
}

/// What an estimate rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Restores that were done on this machine.
    EarlierRestores,
    /// Reading a piece of what will be fetched, just now. Receiving may take longer than fetching.
    Fetching,
}

/// Estimates a restore. `None` when nothing can be measured.
#[must_use]
pub fn estimate(
    state: &Path,
    store: &ObjectStore,
    layout: &Layout,
    series: &Series,
    plan: &RestorePlan,
) -> Option<Estimate> {
    let bytes = |size: ByteSize| size.get() as f64;
    if let Some(rate) = earlier(state) {
        return Some(Estimate { seconds: bytes(plan.stream_bytes) / rate, basis: Basis::EarlierRestores });
    }
    let rate = fetch_rate(store, layout, series, plan)?;
    Some(Estimate { seconds: bytes(plan.fetch_bytes) / rate, basis: Basis::Fetching })
}

/// Bytes of stream per second in the latest restores.
fn earlier(state: &Path) -> Option<f64> {
    let entries = audit::read(state).ok()?;
    let done = entries.iter().rev().filter(|e| e.action == "restore" && e.outcome == "done").take(RESTORES_MAX);
    let (mut bytes, mut seconds) = (0.0, 0.0);
    for entry in done {
        bytes += entry.detail.get("stream_bytes").and_then(serde_json::Value::as_f64).unwrap_or(0.0);
        seconds += entry.detail.get("seconds").and_then(serde_json::Value::as_f64).unwrap_or(0.0);
    }
    (bytes > 0.0 && seconds > 0.0).then(|| bytes / seconds)
}

/// Bytes per second of reading one unit of the first chunk. Its bytes are not used, so nothing is verified.
fn fetch_rate(store: &ObjectStore, layout: &Layout, series: &Series, plan: &RestorePlan) -> Option<f64> {
    let first = plan.streams.first()?;
    let chunk = series.streams.get(&first.name)?.manifest.chunks.first()?;
    let len = chunk.unit_bytes.min(chunk.bytes);
    let begin = clock::monotonic();
    let key = layout.chunk(&plan.subvolume, &first.name, &chunk.file);
    store.get_range(&key, 0, usize::try_from(len.get()).ok()?).ok()?;
    let took = begin.elapsed().max(Duration::from_micros(1));
    Some(len.get() as f64 / took.as_secs_f64())
}
