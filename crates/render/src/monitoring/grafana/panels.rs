//! What the dashboard shows: rows of panels with their queries.

use serde_json::{Value, json};
use subvault_model::metrics::{
    BACKUP_BUDGET, BACKUP_COST, BACKUP_DURATION, BACKUP_FAILED, BACKUP_LAST_FAILURE, BACKUP_LAST_SUCCESS, BACKUP_SIZE,
    BTRFS_BALANCE, DISK_FREE, DISK_USAGE, Metric, ROLLBACK_FAILED, RUN_LAST, SNAPSHOT_COUNT, SNAPSHOT_DURATION,
    SNAPSHOT_FAILED, SNAPSHOT_LAST_FAILURE, SNAPSHOT_LAST_SUCCESS, SNAPSHOT_SIZE,
};

/// A row of panels.
pub(super) struct Row {
    pub(super) title: &'static str,
    pub(super) height: u32,
    pub(super) panels: Vec<Panel>,
}

/// A panel.
pub(super) struct Panel {
    pub(super) title: &'static str,
    pub(super) kind: Kind,
    /// As Grafana calls it.
    pub(super) unit: &'static str,
    /// In columns.
    pub(super) width: u32,
    /// What is asked, and what the answer is called.
    pub(super) queries: Vec<(String, &'static str)>,
    /// From where on it is yellow and red.
    pub(super) limits: Option<(f64, f64)>,
}

/// How a panel shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Lines over time.
    Lines,
    /// Bars over time, on top of each other.
    Bars,
    /// One number.
    Number,
    /// A line for each host.
    Table,
    /// Stretches of time in one state.
    States,
}

impl Kind {
    /// As Grafana calls it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Lines | Self::Bars => "timeseries",
            Self::Number => "stat",
            Self::Table => "table",
            Self::States => "state-timeline",
        }
    }

    /// Whether it shows only how it is now.
    pub(super) const fn is_of_now(self) -> bool {
        matches!(self, Self::Number | Self::Table)
    }

    pub(super) fn custom(self) -> Value {
        match self {
            Self::Lines => {
                json!({ "drawStyle": "line", "fillOpacity": 5, "showPoints": "never", "thresholdsStyle": { "mode": "off" } })
            }
            Self::Bars => json!({ "drawStyle": "bars", "fillOpacity": 60, "stacking": { "mode": "normal" } }),
            Self::Number | Self::Table | Self::States => json!({}),
        }
    }

    pub(super) fn options(self) -> Value {
        match self {
            Self::Lines | Self::Bars => json!({
                "legend": { "displayMode": "table", "placement": "right", "calcs": ["lastNotNull"] },
                "tooltip": { "mode": "multi", "sort": "desc" }
            }),
            Self::Number => json!({
                "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
                "colorMode": "value",
                "graphMode": "none"
            }),
            Self::Table => json!({ "showHeader": true }),
            Self::States => json!({ "mergeValues": true, "showValue": "never" }),
        }
    }
}

impl Panel {
    /// Units of the columns of a table, and words for states.
    pub(super) fn overrides(&self) -> Vec<Value> {
        let units = ["s", "s", "none", "percentunit", "currencyUSD"];
        if self.kind != Kind::Table {
            return Vec::new();
        }
        let column = |(id, unit): (char, &str)| {
            json!({
                "matcher": { "id": "byName", "options": format!("Value #{id}") },
                "properties": [{ "id": "unit", "value": unit }]
            })
        };
        "ABCDE".chars().zip(units).map(column).collect()
    }

    /// What the columns of a table are called.
    pub(super) fn organised(&self) -> Value {
        let names =
            self.queries.iter().zip("ABCDEFGH".chars()).map(|((_, name), id)| (format!("Value #{id}"), json!(name)));
        json!({ "excludeByName": { "Time": true }, "renameByName": names.collect::<serde_json::Map<_, _>>() })
    }
}

/// A metric of the hosts that are chosen.
fn of(metric: &Metric) -> String {
    format!("{}{{host=~\"$host\"}}", metric.prometheus())
}

fn age(last: &Metric) -> String {
    format!("time() - {}", of(last))
}

fn increase(counter: &Metric) -> String {
    format!("sum by (host) (increase({}[1d]))", of(counter))
}

fn failing() -> String {
    let pair = |failure: &Metric, success: &Metric| format!("({} > {})", of(failure), of(success));
    let snapshots = pair(&SNAPSHOT_LAST_FAILURE, &SNAPSHOT_LAST_SUCCESS);
    let backups = pair(&BACKUP_LAST_FAILURE, &BACKUP_LAST_SUCCESS);
    format!("count by (host) ({snapshots} or {backups}) or max by (host) (0 * {})", of(&RUN_LAST))
}

fn panel(
    title: &'static str,
    kind: Kind,
    unit: &'static str,
    width: u32,
    query: String,
    legend: &'static str,
) -> Panel {
    Panel { title, kind, unit, width, queries: vec![(query, legend)], limits: None }
}

const HOUR: f64 = 3600.0;

/// All of them.
pub(super) fn rows() -> Vec<Row> {
    vec![overview(), hosts(), ages(), space(), cost(), failures(), work()]
}

fn overview() -> Row {
    let number = |title, unit, query, limits| {
        let one = panel(title, Kind::Number, unit, 4, query, "");
        Panel { limits: Some(limits), ..one }
    };
    let panels = vec![
        number(
            "Longest without a snapshot",
            "s",
            format!("max({})", age(&SNAPSHOT_LAST_SUCCESS)),
            (24.0 * HOUR, 48.0 * HOUR),
        ),
        number(
            "Longest without a backup",
            "s",
            format!("max({})", age(&BACKUP_LAST_SUCCESS)),
            (24.0 * HOUR, 36.0 * HOUR),
        ),
        number("Failing now", "none", format!("sum({})", failing()), (1.0, 1.0)),
        number("Fullest pool", "percentunit", format!("max({})", of(&DISK_USAGE)), (0.75, 0.85)),
        number("Cost this month", "currencyUSD", format!("sum({})", of(&BACKUP_COST)), (5.0, 10.0)),
        number(
            "Budget spent",
            "percentunit",
            format!("sum({}) / sum({})", of(&BACKUP_COST), of(&BACKUP_BUDGET)),
            (0.8, 0.9),
        ),
    ];
    Row { title: "Overview", height: 4, panels }
}

fn hosts() -> Row {
    let by_host = |query: String| format!("max by (host) ({query})");
    let queries = vec![
        (by_host(age(&SNAPSHOT_LAST_SUCCESS)), "longest without a snapshot"),
        (by_host(age(&BACKUP_LAST_SUCCESS)), "longest without a backup"),
        (failing(), "failing"),
        (by_host(of(&DISK_USAGE)), "fullest pool"),
        (format!("sum by (host) ({})", of(&BACKUP_COST)), "cost this month"),
    ];
    let table = Panel { title: "Hosts", kind: Kind::Table, unit: "none", width: 24, queries, limits: None };
    Row { title: "Hosts", height: 7, panels: vec![table] }
}

fn ages() -> Row {
    let panels = vec![
        panel(
            "Age of the newest snapshot",
            Kind::Lines,
            "s",
            12,
            age(&SNAPSHOT_LAST_SUCCESS),
            "{{host}} {{subvolume}}",
        ),
        panel(
            "Age of the newest backup",
            Kind::Lines,
            "s",
            12,
            age(&BACKUP_LAST_SUCCESS),
            "{{host}} {{subvolume}} → {{target}}",
        ),
    ];
    Row { title: "Ages", height: 8, panels }
}

fn space() -> Row {
    let usage = panel("How full pools are", Kind::Lines, "percentunit", 6, of(&DISK_USAGE), "{{host}} {{pool}}");
    let count = format!("sum by (host, type) ({})", of(&SNAPSHOT_COUNT));
    let panels = vec![
        Panel { limits: Some((0.75, 0.85)), ..usage },
        panel("Free", Kind::Lines, "bytes", 6, of(&DISK_FREE), "{{host}} {{pool}}"),
        panel("Room of snapshots", Kind::Lines, "bytes", 6, of(&SNAPSHOT_SIZE), "{{host}} {{subvolume}}"),
        panel("Snapshots, by what keeps them", Kind::Bars, "none", 6, count, "{{host}} {{type}}"),
    ];
    Row { title: "Space", height: 8, panels }
}

fn cost() -> Row {
    let queries = vec![(of(&BACKUP_COST), "{{host}} {{target}}"), (of(&BACKUP_BUDGET), "{{host}} budget")];
    let stored = format!("sum by (host, target) ({})", of(&BACKUP_SIZE));
    let panels = vec![
        Panel { title: "Cost each month", kind: Kind::Lines, unit: "currencyUSD", width: 12, queries, limits: None },
        panel("Stored at targets", Kind::Lines, "bytes", 12, stored, "{{host}} {{target}}"),
    ];
    Row { title: "Cost", height: 8, panels }
}

fn failures() -> Row {
    let panels = vec![
        panel("Snapshots that failed, per day", Kind::Bars, "none", 8, increase(&SNAPSHOT_FAILED), "{{host}}"),
        panel("Backups that failed, per day", Kind::Bars, "none", 8, increase(&BACKUP_FAILED), "{{host}}"),
        panel("Rollbacks that failed, per day", Kind::Bars, "none", 8, increase(&ROLLBACK_FAILED), "{{host}}"),
    ];
    Row { title: "Failures", height: 7, panels }
}

fn work() -> Row {
    let panels = vec![
        panel(
            "How long sending takes",
            Kind::Lines,
            "s",
            8,
            of(&BACKUP_DURATION),
            "{{host}} {{subvolume}} → {{target}}",
        ),
        panel("How long snapshots take", Kind::Lines, "s", 8, of(&SNAPSHOT_DURATION), "{{host}} {{subvolume}}"),
        panel(
            "Balance (0 none, 1 at work, 2 paused)",
            Kind::States,
            "none",
            8,
            of(&BTRFS_BALANCE),
            "{{host}} {{pool}}",
        ),
    ];
    Row { title: "Work", height: 7, panels }
}
