//! The rules in Prometheus' own hands: read, and fed with what makes each fire, and with what must not.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use subvault_render::monitoring::prometheus;
use tempfile::TempDir;

use crate::golden::compare;
use crate::hosts;
use crate::outside::{asked, joined, put};

#[test]
fn the_rules_are_as_they_were_read() {
    for (name, _, strategy) in hosts::named() {
        compare(&format!("monitoring/prometheus-{name}.txt"), &joined([&prometheus(&strategy)]));
    }
}

#[test]
fn prometheus_reads_every_rule() {
    for (_, strategy) in hosts::every() {
        let root = TempDir::with_prefix("subvault-rules-").unwrap();
        let file = prometheus(&strategy);
        let told = asked(Command::new("promtool").args(["check", "rules"]).arg(put(root.path(), &file)));
        let rules = file.text.matches("- alert:").count();
        assert!(told.contains(&format!("SUCCESS: {rules} rules found")), "{told}");
    }
}

/// Series, when they are looked at, and whether the alert fires then. `H` stands for the host, `S` for what most are about.
struct Case {
    alert: &'static str,
    series: &'static [(&'static str, &'static str)],
    at: &'static str,
    fires: Option<&'static str>,
}

const fn case(
    alert: &'static str,
    series: &'static [(&'static str, &'static str)],
    at: &'static str,
    fires: Option<&'static str>,
) -> Case {
    Case { alert, series, at, fires }
}

const SNAPSHOT_FAILURE: &str = r#"subvault_snapshot_last_failure_timestamp_seconds{host="hetzner",subvolume="home"}"#;
const SNAPSHOT_SUCCESS: &str = r#"subvault_snapshot_last_success_timestamp_seconds{host="hetzner",subvolume="home"}"#;
const DATABASE_FAILURE: &str =
    r#"subvault_snapshot_last_failure_timestamp_seconds{host="hetzner",subvolume="var-lib-redis"}"#;
const DATABASE_SUCCESS: &str =
    r#"subvault_snapshot_last_success_timestamp_seconds{host="hetzner",subvolume="var-lib-redis"}"#;
const LOG_SUCCESS: &str = r#"subvault_snapshot_last_success_timestamp_seconds{host="hetzner",subvolume="var-log"}"#;
const OTHER_SUCCESS: &str = r#"subvault_snapshot_last_success_timestamp_seconds{host="other",subvolume="home"}"#;
const BACKUP_FAILURE: &str =
    r#"subvault_backup_last_failure_timestamp_seconds{host="hetzner",subvolume="home",target="b2"}"#;
const BACKUP_SUCCESS: &str =
    r#"subvault_backup_last_success_timestamp_seconds{host="hetzner",subvolume="home",target="b2"}"#;
const ROOT_SUCCESS: &str =
    r#"subvault_backup_last_success_timestamp_seconds{host="hetzner",subvolume="root",target="b2"}"#;
const DISK_SUCCESS: &str =
    r#"subvault_backup_last_success_timestamp_seconds{host="hetzner",subvolume="home",target="usb"}"#;
const USAGE: &str = r#"subvault_disk_usage_ratio{host="hetzner",pool="p"}"#;
const COST: &str = r#"subvault_backup_cost_dollars{host="hetzner",target="b2"}"#;
const OTHER_COST: &str = r#"subvault_backup_cost_dollars{host="hetzner",target="vault"}"#;
const BUDGET: &str = r#"subvault_backup_budget_dollars{host="hetzner"}"#;
const EXPIRED: &str = r#"subvault_snapshot_count{host="hetzner",subvolume="home",type="expired"}"#;
const DAILY: &str = r#"subvault_snapshot_count{host="hetzner",subvolume="home",type="daily"}"#;
const SENDING: &str = r#"subvault_backup_duration_seconds{host="hetzner",subvolume="home",target="b2"}"#;
const TAKING: &str = r#"subvault_snapshot_duration_seconds{host="hetzner",subvolume="home"}"#;
const ROLLING: &str = r#"subvault_rollback_duration_seconds{host="hetzner"}"#;
const ROLLED: &str = r#"subvault_rollback_failed_total{host="hetzner"}"#;
const RUN: &str = r#"subvault_run_last_timestamp_seconds{host="hetzner"}"#;

const OF_HOME: &str = r#"host="hetzner",subvolume="home""#;
const OF_HOME_OLD: &str = r#"host="hetzner",subvolume="home",threshold="30m""#;
const OF_SENDING_OLD: &str = r#"host="hetzner",subvolume="home",target="b2",threshold="36h""#;
const OF_SENDING: &str = r#"host="hetzner",subvolume="home",target="b2""#;

/// Time begins at 0, so that a moment of 0 is as long ago as the test runs.
const CASES: &[Case] = &[
    case("SubvaultSnapshotFailed", &[(SNAPSHOT_FAILURE, "60"), (SNAPSHOT_SUCCESS, "30")], "0m", Some(OF_HOME)),
    case("SubvaultSnapshotFailed", &[(SNAPSHOT_FAILURE, "60"), (SNAPSHOT_SUCCESS, "90")], "0m", None),
    // It has a name of its own for databases, so that nobody is told twice.
    case("SubvaultSnapshotFailed", &[(DATABASE_FAILURE, "60"), (DATABASE_SUCCESS, "30")], "0m", None),
    case(
        "SubvaultDatabaseSnapshotFailed",
        &[(DATABASE_FAILURE, "60"), (DATABASE_SUCCESS, "30")],
        "0m",
        Some(r#"host="hetzner",subvolume="var-lib-redis""#),
    ),
    case("SubvaultDatabaseSnapshotFailed", &[(SNAPSHOT_FAILURE, "60"), (SNAPSHOT_SUCCESS, "30")], "0m", None),
    case("SubvaultBackupFailed", &[(BACKUP_FAILURE, "60"), (BACKUP_SUCCESS, "30")], "0m", Some(OF_SENDING)),
    case("SubvaultBackupFailed", &[(BACKUP_FAILURE, "60"), (BACKUP_SUCCESS, "60")], "0m", None),
    // Half an hour is promised there, and a quarter more is waited for.
    case("SubvaultSnapshotOld", &[(SNAPSHOT_SUCCESS, "0+0x100")], "40m", None),
    case("SubvaultSnapshotOld", &[(SNAPSHOT_SUCCESS, "0+0x100")], "50m", Some(OF_HOME_OLD)),
    case("SubvaultSnapshotOld", &[(OTHER_SUCCESS, "0+0x100")], "50m", None),
    // Of logs a day may be lost.
    case("SubvaultSnapshotOld", &[(LOG_SUCCESS, "0+0x400")], "24h", None),
    case(
        "SubvaultSnapshotOld",
        &[(LOG_SUCCESS, "0+0x400")],
        "25h",
        Some(r#"host="hetzner",subvolume="var-log",threshold="1d""#),
    ),
    case("SubvaultBackupOld", &[(BACKUP_SUCCESS, "0+0x500")], "36h", None),
    case("SubvaultBackupOld", &[(BACKUP_SUCCESS, "0+0x500")], "37h", Some(OF_SENDING_OLD)),
    // The system is sent once a week.
    case("SubvaultBackupOld", &[(ROOT_SUCCESS, "0+0x2500")], "180h", None),
    case(
        "SubvaultBackupOld",
        &[(ROOT_SUCCESS, "0+0x2500")],
        "181h",
        Some(r#"host="hetzner",subvolume="root",target="b2",threshold="180h""#),
    ),
    case("SubvaultBackupOld", &[(DISK_SUCCESS, "0+0x2500")], "180h", None),
    case("SubvaultDiskStale", &[(DISK_SUCCESS, "0+0x2500")], "168h", None),
    case(
        "SubvaultDiskStale",
        &[(DISK_SUCCESS, "0+0x2500")],
        "169h",
        Some(r#"host="hetzner",subvolume="home",target="usb",threshold="1w""#),
    ),
    case("SubvaultPoolFull", &[(USAGE, "0.86+0x50")], "115m", None),
    case("SubvaultPoolFull", &[(USAGE, "0.86+0x50")], "125m", Some(r#"host="hetzner",pool="p""#)),
    case("SubvaultPoolFull", &[(USAGE, "0.85+0x50")], "125m", None),
    case("SubvaultBudgetNear", &[(COST, "4.1"), (OTHER_COST, "4"), (BUDGET, "10")], "0m", Some(r#"host="hetzner""#)),
    case("SubvaultBudgetNear", &[(COST, "4"), (OTHER_COST, "4"), (BUDGET, "10")], "0m", None),
    case("SubvaultBudgetNear", &[(COST, "4")], "0m", None),
    case("SubvaultBudgetNearlySpent", &[(COST, "9.1"), (BUDGET, "10")], "0m", Some(r#"host="hetzner""#)),
    case("SubvaultBudgetNearlySpent", &[(COST, "9"), (BUDGET, "10")], "0m", None),
    case("SubvaultSnapshotsNotPruned", &[(EXPIRED, "3+0x300")], "23h", None),
    case(
        "SubvaultSnapshotsNotPruned",
        &[(EXPIRED, "3+0x300")],
        "24h",
        Some(r#"host="hetzner",subvolume="home",type="expired""#),
    ),
    case("SubvaultSnapshotsNotPruned", &[(DAILY, "30+0x300")], "24h", None),
    case(
        "SubvaultSnapshotsMissing",
        &[(DAILY, "30+0x10 29+0x20")],
        "1h",
        Some(r#"host="hetzner",subvolume="home",type="daily""#),
    ),
    case("SubvaultSnapshotsMissing", &[(DAILY, "29+0x10 30+0x20")], "1h", None),
    case("SubvaultSnapshotsMissing", &[(EXPIRED, "3+0x10 0+0x20")], "1h", None),
    case("SubvaultBackupSlow", &[(SENDING, "400+0x20 1000+0x5")], "120m", Some(OF_SENDING)),
    // Twice as long as usual, and a few minutes: nobody is woken.
    case("SubvaultBackupSlow", &[(SENDING, "100+0x20 500+0x5")], "120m", None),
    case("SubvaultBackupSlow", &[(SENDING, "4000+0x20 5000+0x5")], "120m", None),
    case("SubvaultSnapshotSlow", &[(TAKING, "31")], "0m", Some(OF_HOME)),
    case("SubvaultSnapshotSlow", &[(TAKING, "30")], "0m", None),
    case("SubvaultRollbackSlow", &[(ROLLING, "121")], "0m", Some(r#"host="hetzner""#)),
    case("SubvaultRollbackSlow", &[(ROLLING, "120")], "0m", None),
    case("SubvaultRollbackFailed", &[(ROLLED, "0+0x3 1+0x30")], "30m", Some(r#"host="hetzner""#)),
    case("SubvaultRollbackFailed", &[(ROLLED, "1+0x30")], "30m", None),
    case("SubvaultRollbackFailed", &[(ROLLED, "0+0x3 1+0x30")], "120m", None),
    case("SubvaultSilent", &[(SNAPSHOT_SUCCESS, "0")], "65m", Some(r#"host="hetzner""#)),
    case("SubvaultSilent", &[(RUN, "0+0x50")], "65m", None),
];

/// The severity of each alert, as the requirements have it; what is firing carries it.
fn severity(alert: &str) -> &'static str {
    match alert {
        "SubvaultBudgetNear" => "info",
        "SubvaultSnapshotOld"
        | "SubvaultBudgetNearlySpent"
        | "SubvaultSnapshotsNotPruned"
        | "SubvaultSnapshotsMissing"
        | "SubvaultBackupSlow"
        | "SubvaultSnapshotSlow"
        | "SubvaultRollbackSlow"
        | "SubvaultSilent" => "warning",
        _ => "critical",
    }
}

fn written(case: &Case) -> Value {
    let series = |(series, values): &(&str, &str)| json!({ "series": series, "values": values });
    let (alert, severity) = (case.alert, severity(case.alert));
    let firing = |labels: &str| {
        let labels = format!("ALERTS{{alertname=\"{alert}\",alertstate=\"firing\",severity=\"{severity}\",{labels}}}");
        json!({ "labels": labels, "value": 1 })
    };
    json!({
        "interval": "5m",
        "input_series": case.series.iter().map(series).collect::<Vec<_>>(),
        "promql_expr_test": [{
            "expr": format!("ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}}"),
            "eval_time": case.at,
            "exp_samples": case.fires.map(firing).into_iter().collect::<Vec<_>>()
        }]
    })
}

fn tested(directory: &Path, rules: &Path, cases: &[&Case]) -> (bool, String) {
    let tests: Vec<Value> = cases.iter().map(|case| written(case)).collect();
    let file = directory.join("tests.json");
    let all = json!({ "rule_files": [rules], "evaluation_interval": "5m", "tests": tests });
    std::fs::write(&file, all.to_string()).unwrap();
    crate::outside::told(Command::new("promtool").args(["test", "rules"]).arg(file))
}

#[test]
fn each_alert_fires_when_it_should_and_only_then() {
    let (_, _, strategy) = hosts::named().remove(1);
    let root = TempDir::with_prefix("subvault-rules-").unwrap();
    let file = prometheus(&strategy);
    let rules = put(root.path(), &file);
    let (good, told) = tested(root.path(), &rules, &CASES.iter().collect::<Vec<_>>());
    assert!(good, "{told}");
    let names: BTreeSet<&str> = file.text.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let both =
        |name: &&str| [true, false].map(|fires| CASES.iter().any(|c| c.alert == *name && c.fires.is_some() == fires));
    for name in &names {
        assert_eq!(both(name), [true, true], "{name} is not shown to fire and not to fire");
    }
    assert!(CASES.iter().all(|case| names.contains(case.alert)));
}

/// The tool does look: what should not fire and does is a failure.
#[test]
fn a_wrong_expectation_would_be_seen() {
    let (_, _, strategy) = hosts::named().remove(1);
    let root = TempDir::with_prefix("subvault-rules-").unwrap();
    let rules = put(root.path(), &prometheus(&strategy));
    let wrong = Case { fires: None, ..case("SubvaultSnapshotSlow", &[(TAKING, "31")], "0m", None) };
    assert!(!tested(root.path(), &rules, &[&wrong]).0);
}
