//! The metrics: what can be measured of a host that is looked after, as a table.
//!
//! One table for all: what measures, and what is written for monitoring (rules, dashboards, monitors), take names, labels
//! and units from here, so that none can speak of a metric that there is not. The names are those that the requirements
//! ask for. Pure.

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// What it is called, without the program's name in front: `snapshot.created`.
    pub name: &'static str,
    /// How it behaves.
    pub kind: MetricKind,
    /// What is counted or measured.
    pub unit: MetricUnit,
    /// What tells its series apart.
    pub labels: &'static [&'static str],
    /// What it means, in a sentence without a full stop.
    pub meaning: &'static str,
}

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows. It begins at 0, and is there before anything was counted.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// What is counted or measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricUnit {
    /// Things.
    Number,
    /// Bytes.
    Bytes,
    /// How long something took, in seconds.
    Duration,
    /// How long ago something was: for Prometheus in seconds, for Datadog in hours.
    Age,
    /// When something was, in seconds since 1970; 0 where it never was. Datadog cannot compare it with now and does not get it.
    Moment,
    /// A share: for Prometheus from 0 to 1, for Datadog in hundredths.
    Share,
    /// Dollars of the United States, each month.
    Dollars,
    /// A number that stands for a state.
    State,
}

impl Metric {
    /// As Prometheus calls it: with the unit behind it, and `_total` behind a counter.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let name = self.name.replace('.', "_");
        let unit = match self.unit {
            MetricUnit::Number | MetricUnit::State => "",
            MetricUnit::Bytes => "_bytes",
            MetricUnit::Duration | MetricUnit::Age => "_seconds",
            MetricUnit::Moment => "_timestamp_seconds",
            MetricUnit::Share => "_ratio",
            MetricUnit::Dollars => "_dollars",
        };
        let total = if self.kind == MetricKind::Counter { "_total" } else { "" };
        format!("subvault_{name}{unit}{total}")
    }

    /// As Datadog calls it; `None` for what it does not get.
    #[must_use]
    pub fn datadog(&self) -> Option<String> {
        (self.unit != MetricUnit::Moment).then(|| format!("subvault.{}", self.name))
    }
}

/// The value of a label as Datadog stores it: in lower case, and with `_` for what it does not take.
#[must_use]
pub fn datadog_tag(value: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_-:./".contains(c) { c.to_ascii_lowercase() } else { '_' };
    value.chars().map(plain).collect()
}

/// The host that something is about.
const HOST: &[&str] = &["host"];
const SUBVOLUME: &[&str] = &["host", "subvolume"];
const KEPT: &[&str] = &["host", "subvolume", "type"];
const SENT: &[&str] = &["host", "subvolume", "target"];
const TARGET: &[&str] = &["host", "target"];
const POOL: &[&str] = &["host", "pool"];

const fn counter(name: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Counter, unit: MetricUnit::Number, labels, meaning }
}

const fn gauge(name: &'static str, unit: MetricUnit, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Gauge, unit, labels, meaning }
}

/// Snapshots that were taken.
pub const SNAPSHOT_CREATED: Metric = counter("snapshot.created", SUBVOLUME, "snapshots that were taken");
/// Snapshots that could not be taken.
pub const SNAPSHOT_FAILED: Metric = counter("snapshot.failed", SUBVOLUME, "snapshots that could not be taken");
/// How old the newest one is.
pub const SNAPSHOT_AGE: Metric = gauge("snapshot.age", MetricUnit::Age, SUBVOLUME, "how old the newest snapshot is");
/// How many there are, by the rule that keeps them.
pub const SNAPSHOT_COUNT: Metric = gauge(
    "snapshot.count",
    MetricUnit::Number,
    KEPT,
    "how many snapshots there are, by what keeps them: newest, within, hourly, daily, weekly, monthly, quarterly, yearly, \
     tag, pin, future, or expired for what nothing keeps",
);
/// How much room they take.
pub const SNAPSHOT_SIZE: Metric =
    gauge("snapshot.size", MetricUnit::Bytes, SUBVOLUME, "how much room its snapshots take beside it, about");
/// How long taking one took.
pub const SNAPSHOT_DURATION: Metric =
    gauge("snapshot.duration", MetricUnit::Duration, SUBVOLUME, "how long the last snapshot took, hooks left out");
/// When one was taken last.
pub const SNAPSHOT_LAST_SUCCESS: Metric =
    gauge("snapshot.last_success", MetricUnit::Moment, SUBVOLUME, "when the newest snapshot was taken");
/// When one could not be taken last.
pub const SNAPSHOT_LAST_FAILURE: Metric =
    gauge("snapshot.last_failure", MetricUnit::Moment, SUBVOLUME, "when a snapshot could last not be taken");

/// Streams and copies that arrived.
pub const BACKUP_COMPLETED: Metric = counter("backup.completed", SENT, "streams and copies that arrived whole");
/// Streams and copies that did not.
pub const BACKUP_FAILED: Metric = counter("backup.failed", SENT, "streams and copies that did not arrive");
/// How old what arrived last is.
pub const BACKUP_AGE: Metric =
    gauge("backup.age", MetricUnit::Age, SENT, "how long ago the last stream or copy arrived");
/// How long it took.
pub const BACKUP_DURATION: Metric =
    gauge("backup.duration", MetricUnit::Duration, SENT, "how long the last stream or copy took");
/// How much is there.
pub const BACKUP_SIZE: Metric = gauge("backup.size", MetricUnit::Bytes, SENT, "how much is stored there of it");
/// When something arrived last.
pub const BACKUP_LAST_SUCCESS: Metric =
    gauge("backup.last_success", MetricUnit::Moment, SENT, "when the last stream or copy arrived");
/// When something did not arrive last.
pub const BACKUP_LAST_FAILURE: Metric =
    gauge("backup.last_failure", MetricUnit::Moment, SENT, "when a stream or copy last did not arrive");
/// What a target costs.
pub const BACKUP_COST: Metric =
    gauge("backup.cost", MetricUnit::Dollars, TARGET, "what the target costs this month, estimated");
/// What all targets of a host may cost.
pub const BACKUP_BUDGET: Metric =
    gauge("backup.budget", MetricUnit::Dollars, HOST, "what all targets together may cost each month, if that is said");

/// How full a pool is.
pub const DISK_USAGE: Metric = gauge("disk.usage", MetricUnit::Share, POOL, "how full the pool is");
/// How much more fits.
pub const DISK_FREE: Metric = gauge("disk.free", MetricUnit::Bytes, POOL, "how much more fits into the pool, about");
/// Whether a balance is at work.
pub const BTRFS_BALANCE: Metric =
    gauge("btrfs.balance", MetricUnit::State, POOL, "the balance of the pool: 0 none, 1 at work, 2 paused");

/// Rollbacks that were done.
pub const ROLLBACK_COMPLETED: Metric = counter("rollback.completed", HOST, "rollbacks that were done");
/// Rollbacks that were not.
pub const ROLLBACK_FAILED: Metric = counter("rollback.failed", HOST, "rollbacks that could not be done");
/// How long the last one took.
pub const ROLLBACK_DURATION: Metric =
    gauge("rollback.duration", MetricUnit::Duration, HOST, "how long the last rollback took");

/// When a run ended last.
pub const RUN_LAST: Metric = gauge("run.last", MetricUnit::Moment, HOST, "when a run ended last, whatever came of it");

/// All there are.
pub const ALL: [Metric; 24] = [
    SNAPSHOT_CREATED,
    SNAPSHOT_FAILED,
    SNAPSHOT_AGE,
    SNAPSHOT_COUNT,
    SNAPSHOT_SIZE,
    SNAPSHOT_DURATION,
    SNAPSHOT_LAST_SUCCESS,
    SNAPSHOT_LAST_FAILURE,
    BACKUP_COMPLETED,
    BACKUP_FAILED,
    BACKUP_AGE,
    BACKUP_DURATION,
    BACKUP_SIZE,
    BACKUP_LAST_SUCCESS,
    BACKUP_LAST_FAILURE,
    BACKUP_COST,
    BACKUP_BUDGET,
    DISK_USAGE,
    DISK_FREE,
    BTRFS_BALANCE,
    ROLLBACK_COMPLETED,
    ROLLBACK_FAILED,
    ROLLBACK_DURATION,
    RUN_LAST,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The list that the requirements give, source B, "Datadog Metrics", behind the program's name; its `backup.b2.cost` is
    /// that of any provider here, and its `device` is the pool that lies on it.
    #[test]
    fn the_names_are_those_that_were_asked_for() {
        for (name, kind, wanted_labels) in [
            ("snapshot.created", MetricKind::Counter, &["host"][..]),
            ("snapshot.failed", MetricKind::Counter, &["host"]),
            ("snapshot.age", MetricKind::Gauge, &["host"]),
            ("snapshot.count", MetricKind::Gauge, &["host", "type"]),
            ("backup.completed", MetricKind::Counter, &["host"]),
            ("backup.failed", MetricKind::Counter, &["host"]),
            ("backup.duration", MetricKind::Gauge, &["host"]),
            ("backup.size", MetricKind::Gauge, &["host", "target"]),
            ("backup.cost", MetricKind::Gauge, &["host"]),
            ("disk.usage", MetricKind::Gauge, &["host", "pool"]),
            ("btrfs.balance", MetricKind::Gauge, &["host", "pool"]),
            ("snapshot.size", MetricKind::Gauge, &["host", "subvolume"]),
        ] {
            let metric = ALL.iter().find(|metric| metric.name == name).unwrap();
            assert_eq!(metric.kind, kind, "{name}");
            assert!(wanted_labels.iter().all(|label| metric.labels.contains(label)), "{name}");
        }
    }

    #[test]
    fn each_system_has_its_own_way_to_write_a_name() {
        assert_eq!(SNAPSHOT_CREATED.prometheus(), "subvault_snapshot_created_total");
        assert_eq!(BACKUP_SIZE.prometheus(), "subvault_backup_size_bytes");
        assert_eq!(DISK_USAGE.prometheus(), "subvault_disk_usage_ratio");
        assert_eq!(BTRFS_BALANCE.prometheus(), "subvault_btrfs_balance");
        assert_eq!(SNAPSHOT_AGE.datadog().as_deref(), Some("subvault.snapshot.age"));
        assert_eq!(RUN_LAST.prometheus(), "subvault_run_last_timestamp_seconds");
        assert_eq!(RUN_LAST.datadog(), None);
        assert_eq!(datadog_tag("@Home+1.b"), "_home_1.b");
    }

    /// Names of one system are unique, and made of what both systems take.
    #[test]
    fn names_are_plain_and_unique() {
        let all: std::collections::BTreeSet<String> = ALL.iter().map(Metric::prometheus).collect();
        assert_eq!(all.len(), ALL.len());
        for metric in ALL {
            assert!(metric.name.chars().all(|c| c.is_ascii_lowercase() || c == '.' || c == '_'), "{}", metric.name);
            assert!(metric.labels.first() == Some(&"host") && !metric.meaning.ends_with('.'), "{}", metric.name);
        }
    }
}
