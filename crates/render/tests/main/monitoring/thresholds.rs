//! When somebody is told what, as the sources of the requirements have it: each line with the letter of its source.

use subvault_plan::strategy::assemble::strategy;
use subvault_plan::strategy::profile::Profile;
use subvault_render::monitoring::prometheus;

use crate::hosts;

/// One rule, as far as thresholds go.
#[derive(Debug)]
struct Rule {
    name: String,
    expression: String,
    lasting: String,
    severity: String,
}

fn rules(profile: Profile) -> Vec<Rule> {
    let text = prometheus(&strategy(&hosts::facts(profile), &hosts::said(profile, "h"))).text;
    let mut rules: Vec<Rule> = Vec::new();
    for line in text.lines().map(str::trim) {
        let value = |key: &str| line.strip_prefix(key).map(str::to_owned);
        if let Some(name) = value("- alert: ") {
            let empty = String::new;
            rules.push(Rule { name, expression: empty(), lasting: empty(), severity: empty() });
        } else if let (Some(rule), Some((key, value))) = (rules.last_mut(), line.split_once(": ")) {
            match key {
                "expr" => rule.expression = serde_json::from_str(value).unwrap(),
                "for" => value.clone_into(&mut rule.lasting),
                "severity" => value.clone_into(&mut rule.severity),
                _ => {}
            }
        }
    }
    rules
}

const HOUR: u32 = 3600;

/// What the rules of the server say: source, alert, the end of its expression, for how long, how bad.
#[test]
fn the_thresholds_are_those_of_the_sources() {
    let found = rules(Profile::ProductionVps);
    for (source, name, end, lasting, severity) in [
        ("B: snapshot creation failure (immediately)", "SubvaultSnapshotFailed", "}".to_owned(), "", "critical"),
        (
            "B: database snapshot failure (immediately)",
            "SubvaultDatabaseSnapshotFailed",
            "}".to_owned(),
            "",
            "critical",
        ),
        ("B: backup failure (within 1 hour)", "SubvaultBackupFailed", "}".to_owned(), "", "critical"),
        ("B: disk usage >85% (within 2 hours)", "SubvaultPoolFull", "> 0.85".to_owned(), "2h", "critical"),
        ("B: last successful backup >36h ago", "SubvaultBackupOld", format!("> {}", 36 * HOUR), "", "critical"),
        ("B: snapshot age >24h", "SubvaultSnapshotOld", format!("> {}", 24 * HOUR), "15m", "warning"),
        ("B: wrong count", "SubvaultSnapshotsNotPruned", "> 0".to_owned(), "1d", "warning"),
        ("B: wrong count", "SubvaultSnapshotsMissing", "[2d])".to_owned(), "", "warning"),
        ("B: backup duration >expected", "SubvaultBackupSlow", "> 600".to_owned(), "", "warning"),
        ("B: alert at 80% of monthly budget", "SubvaultBudgetNear", "})".to_owned(), "", "info"),
        ("B: cost >90% of monthly budget", "SubvaultBudgetNearlySpent", "})".to_owned(), "", "warning"),
        ("C: USB stale > 7 days", "SubvaultDiskStale", format!("> {}", 7 * 24 * HOUR), "", "critical"),
        ("D: rollback operation failure", "SubvaultRollbackFailed", "[1h]) > 0".to_owned(), "", "critical"),
        ("D: snapshot creation within 30 seconds", "SubvaultSnapshotSlow", "> 30".to_owned(), "", "warning"),
        ("D: rollback within 2 minutes", "SubvaultRollbackSlow", "> 120".to_owned(), "", "warning"),
    ] {
        let fits = |rule: &&Rule| rule.name == name && rule.expression.ends_with(&end) && rule.severity == severity;
        let rule = found.iter().find(fits);
        assert_eq!(rule.map(|rule| rule.lasting.as_str()), Some(lasting), "{source}: {found:#?}");
    }
    let spent = |name: &str| found.iter().find(|rule| rule.name == name).unwrap().expression.clone();
    assert!(
        spent("SubvaultBudgetNear").contains("> 0.80 *") && spent("SubvaultBudgetNearlySpent").contains("> 0.90 *")
    );
}

/// Where the strategy promises more or less than a day, its promise counts: of each kind of host, after how many minutes the
/// newest snapshot of which subvolume is old.
#[test]
fn promises_count_more_than_the_usual_day() {
    let minutes = |profile, subvolume: &str| -> Option<u32> {
        let of =
            |rule: &Rule| rule.name == "SubvaultSnapshotOld" && names(&rule.expression).any(|one| one == subvolume);
        let rules = rules(profile);
        let rule = rules.iter().find(|rule| of(rule))?;
        rule.expression.rsplit(' ').next()?.parse::<u32>().ok().map(|seconds| seconds / 60)
    };
    for (profile, subvolume, expected) in [
        (Profile::ProductionVps, "root", Some(30)),
        (Profile::ProductionVps, "var-log", Some(24 * 60)),
        (Profile::StagingVps, "home", Some(4 * 60)),
        (Profile::SingleNvmeLaptop, "home", Some(60)),
        (Profile::Laptop, "var-log", Some(7 * 24 * 60)),
        (Profile::ProxmoxHost, "srv-data-home", Some(24 * 60)),
        // Nothing is promised, and nobody is told.
        (Profile::ProductionVps, "tmp", None),
    ] {
        assert_eq!(minutes(profile, subvolume), expected, "{profile} {subvolume}");
    }
}

/// The subvolumes that an expression names.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    let values = expression.split("subvolume=").nth(1).and_then(|rest| rest.split('"').nth(1)).unwrap_or("");
    values.split('|')
}

/// A host that is carried around is often not heard of, and that is nobody's fault.
#[test]
fn only_hosts_that_are_always_on_may_not_be_silent() {
    for profile in Profile::ALL {
        let is_told = rules(profile).iter().any(|rule| rule.name == "SubvaultSilent");
        let is_off_at_times = profile.word().contains("laptop") || profile.word().contains("desktop");
        assert_eq!(is_told, !is_off_at_times, "{profile}");
    }
}
