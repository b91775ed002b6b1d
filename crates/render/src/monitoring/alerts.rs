//! What is wrong when: the thresholds of the requirements (sources B, C and D), and what the strategy promises beyond them.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use subvault_model::metrics::{
    BACKUP_AGE, BACKUP_BUDGET, BACKUP_COST, BACKUP_DURATION, BACKUP_FAILED, BACKUP_LAST_FAILURE, BACKUP_LAST_SUCCESS,
    DISK_USAGE, ROLLBACK_DURATION, ROLLBACK_FAILED, RUN_LAST, SNAPSHOT_AGE, SNAPSHOT_COUNT, SNAPSHOT_DURATION,
    SNAPSHOT_FAILED, SNAPSHOT_LAST_FAILURE, SNAPSHOT_LAST_SUCCESS,
};
use subvault_plan::strategy::profile::Family;
use subvault_plan::strategy::snapshots::length;
use subvault_plan::strategy::workload::Workload;
use subvault_plan::strategy::{Strategy, SubvolumeStrategy, TargetKind, TargetStrategy};

use super::alert::{Alert, Condition, Selector, Severity};
use crate::cadence::longest_gap;

/// B: a snapshot is old after a day, where nothing else is promised.
const SNAPSHOT_OLD: SignedDuration = SignedDuration::from_hours(24);
/// A snapshot that is due is taken within this time, or late.
const SNAPSHOT_LATE: SignedDuration = SignedDuration::from_mins(15);
/// B: a backup that is due each day is old after 36 hours: a day and half of one.
const BACKUP_OLD: SignedDuration = SignedDuration::from_hours(36);
const BACKUP_LATE: SignedDuration = SignedDuration::from_hours(12);
/// C: a disk that is plugged in now and then is stale after a week.
const DISK_STALE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// B: a pool is full at 85 %, when it has been for two hours.
const FULL_PERCENT: u8 = 85;
const FULL_FOR: SignedDuration = SignedDuration::from_hours(2);
/// B: 80 % of the budget are told, 90 % are a warning.
const BUDGET_NEAR_PERCENT: u8 = 80;
const BUDGET_NEARLY_SPENT_PERCENT: u8 = 90;
/// D: a snapshot takes 30 seconds at most, a rollback two minutes.
const SNAPSHOT_SECONDS: u16 = 30;
const ROLLBACK_SECONDS: u16 = 120;
/// Every run prunes, and there is one a day at least.
const PRUNED_WITHIN: SignedDuration = SignedDuration::from_hours(24);
/// A host that is always on is heard of within this time.
const HEARD_WITHIN: SignedDuration = SignedDuration::from_hours(1);

const STATUS: &str = "`subvault status` and `journalctl -u subvault` say why.";
const SPACE: &str =
    "`subvault prune --dry-run` says what snapshots are kept for; `btrfs filesystem usage` what is left.";
const MONEY: &str = "Keep fewer chains, or send less to what costs most.";

/// What is wrong when, for a host.
pub(super) fn of(strategy: &Strategy) -> Vec<Alert> {
    let mut alerts = failures(strategy);
    alerts.extend(old_snapshots(strategy));
    alerts.extend(old_backups(strategy));
    alerts.extend(room_and_money(strategy));
    alerts.extend(odd_counts_and_times(strategy));
    if matches!(strategy.profile.value.family(), Family::Server | Family::Vps) {
        let summary = "Nothing is heard of subvault on <host>.";
        alerts.push(Alert {
            lasting: HEARD_WITHIN,
            ..alert(strategy, "SubvaultSilent", Severity::Warning, Condition::Silent(RUN_LAST), summary)
        });
    }
    alerts
}

fn alert(
    strategy: &Strategy,
    name: &'static str,
    severity: Severity,
    condition: Condition,
    summary: impl Into<String>,
) -> Alert {
    let of = Selector::of(&strategy.host);
    let (lasting, summary) = (SignedDuration::ZERO, summary.into());
    Alert { name, severity, condition, of, lasting, summary, action: STATUS }
}

/// B: at once. A rollback that fails: D.
fn failures(strategy: &Strategy) -> Vec<Alert> {
    use Severity::Critical;
    let (failed, last_failure, last_success) = (SNAPSHOT_FAILED, SNAPSHOT_LAST_FAILURE, SNAPSHOT_LAST_SUCCESS);
    let no_snapshot = Condition::Failing { failed, last_failure, last_success };
    let (failed, last_failure, last_success) = (BACKUP_FAILED, BACKUP_LAST_FAILURE, BACKUP_LAST_SUCCESS);
    let no_backup = Condition::Failing { failed, last_failure, last_success };
    let is_database = |one: &&SubvolumeStrategy| one.workload.value == Workload::Database;
    let databases: Vec<String> = strategy.subvolumes.iter().filter(is_database).map(named).collect();
    let text = "A snapshot of <subvolume> could not be taken.";
    let general = alert(strategy, "SubvaultSnapshotFailed", Critical, no_snapshot, text);
    let mut alerts = vec![Alert { of: general.of.clone().except("subvolume", databases.clone()), ..general }];
    if !databases.is_empty() {
        let text = "A snapshot of the database <subvolume> could not be taken.";
        let of_database = alert(strategy, "SubvaultDatabaseSnapshotFailed", Critical, no_snapshot, text);
        alerts.push(Alert { of: of_database.of.clone().only("subvolume", databases), ..of_database });
    }
    let text = "<subvolume> did not arrive at <target>.";
    alerts.push(alert(strategy, "SubvaultBackupFailed", Critical, no_backup, text));
    let text = "A rollback of <host> could not be done.";
    alerts.push(alert(strategy, "SubvaultRollbackFailed", Critical, Condition::Counted(ROLLBACK_FAILED), text));
    alerts
}

fn named(subvolume: &SubvolumeStrategy) -> String {
    subvolume.name.to_string()
}

/// By what is promised to be lost at most; where snapshots are rarer than that by the user's own words, by these.
fn old_snapshots(strategy: &Strategy) -> Vec<Alert> {
    let mut by_age: BTreeMap<SignedDuration, Vec<String>> = BTreeMap::new();
    for subvolume in &strategy.subvolumes {
        let Some(event) = &subvolume.snapshots.value else { continue };
        let promised = subvolume.promise.map_or(SNAPSHOT_OLD, |promise| promise.lose_at_most);
        let than = longest_gap(event).map_or(promised, |gap| gap.max(promised));
        by_age.entry(than).or_default().push(named(subvolume));
    }
    let one = |(than, names): (SignedDuration, Vec<String>)| {
        let condition = Condition::Old { last: SNAPSHOT_LAST_SUCCESS, age: SNAPSHOT_AGE, than };
        let summary = format!("The newest snapshot of <subvolume> is older than {}.", length(than));
        let old = alert(strategy, "SubvaultSnapshotOld", Severity::Warning, condition, summary);
        Alert { lasting: SNAPSHOT_LATE, of: old.of.clone().only("subvolume", names), ..old }
    };
    by_age.into_iter().map(one).collect()
}

/// What is not to be older than so: on a disk or not, how old, which subvolumes.
type Due = (bool, SignedDuration, Vec<String>);

/// By how often it is sent; what goes to a disk that is plugged in may be a week old. Targets for which that is the same are
/// told of together.
fn old_backups(strategy: &Strategy) -> Vec<Alert> {
    let mut targets: BTreeMap<Due, Vec<String>> = BTreeMap::new();
    for target in &strategy.targets {
        let is_disk = target.kind == TargetKind::Disk;
        let mut by_age: BTreeMap<SignedDuration, Vec<String>> = BTreeMap::new();
        for subvolume in strategy.subvolumes.iter().filter(|one| target.subvolumes.contains(&one.name)) {
            if let Some(gap) = sent_every(subvolume, target) {
                let least = if is_disk { DISK_STALE } else { BACKUP_OLD };
                by_age.entry((gap + BACKUP_LATE).max(least)).or_default().push(named(subvolume));
            }
        }
        for (than, names) in by_age {
            targets.entry((is_disk, than, names)).or_default().push(target.name.to_string());
        }
    }
    targets.into_iter().map(|(due, targets)| old_backup(strategy, due, targets)).collect()
}

fn old_backup(strategy: &Strategy, (is_disk, than, names): Due, targets: Vec<String>) -> Alert {
    let condition = Condition::Old { last: BACKUP_LAST_SUCCESS, age: BACKUP_AGE, than };
    let (name, summary, action) = if is_disk {
        let summary = format!("No copy of <subvolume> went to the disk <target> for {}.", length(than));
        ("SubvaultDiskStale", summary, "Plug it in; the copy starts by itself.")
    } else {
        ("SubvaultBackupOld", format!("Nothing of <subvolume> arrived at <target> for {}.", length(than)), STATUS)
    };
    let old = alert(strategy, name, Severity::Critical, condition, summary);
    let of = old.of.clone().only("target", targets).only("subvolume", names);
    Alert { of, action, ..old }
}

/// How far apart two sends are at most; `None` where it is only sent when somebody asks for it.
fn sent_every(subvolume: &SubvolumeStrategy, target: &TargetStrategy) -> Option<SignedDuration> {
    let own = longest_gap(subvolume.sends.value.as_deref()?);
    match &target.schedule {
        None => own,
        Some(None) => None,
        Some(Some(event)) => own.max(longest_gap(event)),
    }
}

fn room_and_money(strategy: &Strategy) -> Vec<Alert> {
    let summary = format!("The pool <pool> is more than {FULL_PERCENT} % full.");
    let full =
        alert(strategy, "SubvaultPoolFull", Severity::Critical, Condition::Fuller(DISK_USAGE, FULL_PERCENT), summary);
    let spent = |name, severity, percent: u8| {
        let condition = Condition::Spent { cost: BACKUP_COST, budget: BACKUP_BUDGET, percent };
        let summary = format!("More than {percent} % of this month's budget of <host> are spent.");
        Alert { action: MONEY, ..alert(strategy, name, severity, condition, summary) }
    };
    vec![
        Alert { lasting: FULL_FOR, action: SPACE, ..full },
        spent("SubvaultBudgetNear", Severity::Info, BUDGET_NEAR_PERCENT),
        spent("SubvaultBudgetNearlySpent", Severity::Warning, BUDGET_NEARLY_SPENT_PERCENT),
    ]
}

/// B: the wrong number of snapshots, and what takes longer than it should. D: how long it should take.
fn odd_counts_and_times(strategy: &Strategy) -> Vec<Alert> {
    use Severity::Warning;
    let warning = |name, condition, summary: &str| alert(strategy, name, Warning, condition, summary);
    let kept = ["hourly", "daily", "weekly", "monthly", "quarterly", "yearly"].map(str::to_owned).to_vec();
    let text = "Snapshots of <subvolume> that nothing keeps are not pruned.";
    let surplus = warning("SubvaultSnapshotsNotPruned", Condition::Any(SNAPSHOT_COUNT), text);
    let text = "There are fewer <type> snapshots of <subvolume> than there were.";
    let missing = warning("SubvaultSnapshotsMissing", Condition::Fewer(SNAPSHOT_COUNT), text);
    let of_snapshot = Condition::Longer(SNAPSHOT_DURATION, SNAPSHOT_SECONDS);
    let of_rollback = Condition::Longer(ROLLBACK_DURATION, ROLLBACK_SECONDS);
    vec![
        Alert {
            lasting: PRUNED_WITHIN,
            action: SPACE,
            of: surplus.of.clone().only("type", vec!["expired".to_owned()]),
            ..surplus
        },
        Alert { action: SPACE, of: missing.of.clone().only("type", kept), ..missing },
        warning(
            "SubvaultBackupSlow",
            Condition::Slower(BACKUP_DURATION),
            "Sending <subvolume> to <target> takes more than twice as long as usual.",
        ),
        warning("SubvaultSnapshotSlow", of_snapshot, "A snapshot of <subvolume> took more than 30 seconds."),
        warning("SubvaultRollbackSlow", of_rollback, "A rollback of <host> took more than 2 minutes."),
    ]
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use subvault_model::facts::Facts;
    use subvault_plan::cost::overrides::Overrides;
    use subvault_plan::cost::table::Tables;
    use subvault_plan::strategy::Said;
    use subvault_plan::strategy::assemble::strategy;
    use subvault_plan::strategy::objectives::Objectives;
    use subvault_plan::strategy::wall_clock::WallClock;

    use super::super::alert::with_labels;
    use super::*;

    #[test]
    fn words_name_labels_of_their_metric() {
        let said = Said {
            wall: WallClock::new(TimeZone::UTC, 2026),
            host: "server".to_owned(),
            profile: None,
            mode: None,
            overhead_percent_max: None,
            objectives: Objectives::unstated("100 Mbit/s".parse().unwrap(), "20 Mbit/s".parse().unwrap()),
            tables: Tables::load(&Overrides::default()).unwrap(),
            subvolumes: Vec::new(),
            targets: Vec::new(),
        };
        for alert in of(&strategy(&Facts::default(), &said)) {
            let labels = alert.condition.metric().labels;
            with_labels(&alert.summary, |label| {
                assert!(labels.contains(&label), "{}: {label}", alert.name);
                String::new()
            });
        }
    }
}
