//! Monitors and a dashboard for Datadog, as its programming interface takes them.
//!
//! Datadog has no clock in its queries, so that what is old is told by the age that is sent to it; and ages are in hours and
//! shares in hundredths there.

mod dashboard;
mod query;

use std::path::Path;

use serde_json::{Map, Value, json};
use subvault_plan::strategy::Strategy;

use self::query::query;
use super::alert::{Alert, Severity, with_labels};
use super::{alerts, json};
use crate::file::RenderedFile;

/// The word behind `subvault render`.
const WORD: &str = "datadog";

/// The monitors of a host, and the dashboard of all.
#[must_use]
pub fn render(strategy: &Strategy) -> Vec<RenderedFile> {
    let alerts = alerts::of(strategy);
    let hears = alerts.iter().any(|alert| matches!(alert.condition, super::alert::Condition::Silent(_)));
    let monitors: Vec<Value> = alerts.iter().filter_map(|alert| monitor(alert, hears)).collect();
    let about = "Each of the monitors is one request: POST /api/v1/monitor.";
    let monitors = Map::from_iter([("monitors".to_owned(), Value::Array(monitors))]);
    let directory = Path::new("etc/subvault/monitoring");
    vec![
        json::file(&directory.join("datadog-monitors.json"), WORD, about, &monitors),
        json::file(
            &directory.join("datadog-dashboard.json"),
            WORD,
            "One request: POST /api/v1/dashboard.",
            &dashboard::render(),
        ),
    ]
}

/// A monitor; that nothing is heard of a host at all is told by those about ages.
fn monitor(alert: &Alert, hears: bool) -> Option<Value> {
    let found = query(alert)?;
    let summary = with_labels(&alert.summary, |label| format!("{{{{{label}.name}}}}"));
    let mut options = json!({
        "thresholds": { "critical": found.threshold },
        "include_tags": true,
        "require_full_window": false,
        "notify_no_data": hears && found.is_age,
        "renotify_interval": 0
    });
    if hears && found.is_age {
        options["no_data_timeframe"] = 60.into();
    }
    Some(json!({
        "name": format!("[subvault] {}: {}", alert.of.host, alert.name),
        "type": "query alert",
        "query": found.text,
        "message": format!("{summary}\n\n{}\n\nAdd whom to notify here, such as @slack-ops.", alert.action),
        "tags": ["service:subvault", format!("host:{}", subvault_model::metrics::datadog_tag(&alert.of.host)),
            format!("severity:{}", alert.severity.word())],
        "priority": match alert.severity { Severity::Critical => 1, Severity::Warning => 3, Severity::Info => 5 },
        "options": options
    }))
}
