//! The dashboard: all hosts, and any of them.

use serde_json::{Map, Value, json};
use subvault_model::metrics::{
    BACKUP_AGE, BACKUP_BUDGET, BACKUP_COST, BACKUP_DURATION, BACKUP_FAILED, BACKUP_SIZE, BTRFS_BALANCE, DISK_USAGE,
    Metric, ROLLBACK_FAILED, SNAPSHOT_AGE, SNAPSHOT_COUNT, SNAPSHOT_DURATION, SNAPSHOT_FAILED, SNAPSHOT_SIZE,
};

use crate::monitoring::json::object;

/// The dashboard, but for its description.
pub(super) fn render() -> Map<String, Value> {
    let groups: Vec<Value> = groups().into_iter().map(|(title, widgets)| group(title, &widgets)).collect();
    object(json!({
        "title": "subvault",
        "layout_type": "ordered",
        "template_variables": [{ "name": "host", "prefix": "host", "available_values": [], "defaults": ["*"] }],
        "widgets": groups
    }))
}

fn group(title: &str, widgets: &[Value]) -> Value {
    json!({ "definition": { "type": "group", "layout_type": "ordered", "title": title, "widgets": widgets } })
}

fn groups() -> Vec<(&'static str, Vec<Value>)> {
    vec![
        (
            "Overview",
            vec![
                number("Longest without a snapshot (hours)", &all("max", &SNAPSHOT_AGE)),
                number("Longest without a backup (hours)", &all("max", &BACKUP_AGE)),
                number("Fullest pool (%)", &all("max", &DISK_USAGE)),
                number("Cost this month ($)", &all("sum", &BACKUP_COST)),
                number("Budget each month ($)", &all("sum", &BACKUP_BUDGET)),
            ],
        ),
        (
            "Ages",
            vec![
                lines("Age of the newest snapshot (hours)", &each("max", &SNAPSHOT_AGE, &[])),
                lines("Age of the newest backup (hours)", &each("max", &BACKUP_AGE, &[])),
            ],
        ),
        (
            "Space and cost",
            vec![
                lines("How full pools are (%)", &each("max", &DISK_USAGE, &[])),
                lines("Room of snapshots (bytes)", &each("max", &SNAPSHOT_SIZE, &[])),
                lines("Snapshots, by what keeps them", &each("sum", &SNAPSHOT_COUNT, &["subvolume"])),
                lines("Stored at targets (bytes)", &each("sum", &BACKUP_SIZE, &["subvolume"])),
                lines("Cost each month ($)", &each("max", &BACKUP_COST, &[])),
            ],
        ),
        (
            "Failures and work",
            vec![
                bars("Snapshots that failed", &counted(&SNAPSHOT_FAILED)),
                bars("Backups that failed", &counted(&BACKUP_FAILED)),
                bars("Rollbacks that failed", &counted(&ROLLBACK_FAILED)),
                lines("How long sending takes (seconds)", &each("max", &BACKUP_DURATION, &[])),
                lines("How long snapshots take (seconds)", &each("max", &SNAPSHOT_DURATION, &[])),
                lines("Balance (0 none, 1 at work, 2 paused)", &each("max", &BTRFS_BALANCE, &[])),
            ],
        ),
    ]
}

fn name(metric: &Metric) -> String {
    metric.datadog().unwrap_or_default()
}

fn all(aggregate: &str, metric: &Metric) -> String {
    format!("{aggregate}:{}{{$host}}", name(metric))
}

/// Apart by its labels, but for those over which it is put together.
fn each(aggregate: &str, metric: &Metric, over: &[&str]) -> String {
    let by: Vec<&str> = metric.labels.iter().copied().filter(|label| !over.contains(label)).collect();
    format!("{} by {{{}}}", all(aggregate, metric), by.join(","))
}

fn counted(metric: &Metric) -> String {
    format!("{} by {{host}}.as_count()", all("sum", metric))
}

fn number(title: &str, query: &str) -> Value {
    let request = json!({ "q": query, "aggregator": "last" });
    json!({ "definition": { "type": "query_value", "title": title, "precision": 1, "requests": [request] } })
}

fn lines(title: &str, query: &str) -> Value {
    timeseries(title, query, "line")
}

fn bars(title: &str, query: &str) -> Value {
    timeseries(title, query, "bars")
}

fn timeseries(title: &str, query: &str, shape: &str) -> Value {
    let request = json!({ "q": query, "display_type": shape });
    json!({ "definition": { "type": "timeseries", "title": title, "show_legend": true, "requests": [request] } })
}
