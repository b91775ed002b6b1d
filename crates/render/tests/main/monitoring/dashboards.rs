//! Dashboards and monitors: what they ask, whether Prometheus understands it, and whether they can be drawn.

use std::process::Command;

use serde_json::Value;
use subvault_render::file::{RenderedFile, is_ours};
use subvault_render::monitoring::{datadog, grafana};
use tempfile::TempDir;

use crate::golden::compare;
use crate::hosts;
use crate::outside::asked;

fn read(file: &RenderedFile) -> Value {
    assert!(is_ours(file.text.as_bytes()), "{}", file.path.display());
    serde_json::from_str(&file.text).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

/// What a reader would look at of the dashboard: each panel with its place and what it asks.
#[test]
fn the_dashboard_for_grafana_is_as_it_was_read() {
    let dashboard = read(&grafana());
    let mut shown = String::new();
    for panel in list(&dashboard, "panels") {
        let place = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
        shown.push_str(&format!("{} | {} | {place:?}", text(panel, "title"), text(panel, "type")));
        let unit = panel["fieldConfig"]["defaults"]["unit"].as_str();
        shown.push_str(&format!("{}\n", unit.map(|unit| format!(" | {unit}")).unwrap_or_default()));
        for target in panel.get("targets").and_then(Value::as_array).into_iter().flatten() {
            shown.push_str(&format!("    {} -> {:?}\n", text(target, "expr"), text(target, "legendFormat")));
        }
    }
    compare("monitoring/grafana.txt", &shown);
}

#[test]
fn panels_fit_beside_each_other() {
    let dashboard = read(&grafana());
    let panels = list(&dashboard, "panels");
    let mut taken = std::collections::BTreeSet::new();
    for (index, panel) in panels.iter().enumerate() {
        assert_eq!(panel["id"].as_u64(), u64::try_from(index + 1).ok());
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
        assert!(w > 0 && x + w <= 24, "{panel}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "two panels at {cell:?}: {panel}");
        }
    }
}

/// Each expression, with a host in the place of the variable, as a rule that Prometheus' own tool reads.
#[test]
fn prometheus_understands_what_grafana_asks() {
    let dashboard = read(&grafana());
    let targets = list(&dashboard, "panels").iter().filter_map(|panel| panel.get("targets")?.as_array()).flatten();
    let rule = |(index, target): (usize, &Value)| {
        let expression = text(target, "expr").replace("$host", ".*");
        serde_json::json!({ "record": format!("asked:{index}"), "expr": expression })
    };
    let rules: Vec<Value> = targets.enumerate().map(rule).collect();
    assert!(rules.len() > 20);
    let root = TempDir::with_prefix("subvault-grafana-").unwrap();
    let file = root.path().join("rules.json");
    let count = rules.len();
    std::fs::write(&file, serde_json::json!({ "groups": [{ "name": "asked", "rules": rules }] }).to_string()).unwrap();
    let told = asked(Command::new("promtool").args(["check", "rules"]).arg(file));
    assert!(told.contains(&format!("SUCCESS: {count} rules found")), "{told}");
}

#[test]
fn the_monitors_are_as_they_were_read() {
    for (name, _, strategy) in hosts::named() {
        let monitors = read(&datadog(&strategy)[0]);
        let shown =
            |one: &Value| format!("{}\n    {}\n    {}\n", text(one, "name"), text(one, "query"), one["options"]);
        let all: String = list(&monitors, "monitors").iter().map(shown).collect();
        compare(&format!("monitoring/datadog-{name}.txt"), &all);
    }
}

/// A query is a time, a series and a threshold, and the threshold is that of the options.
#[test]
fn monitors_compare_with_their_threshold() {
    for (_, strategy) in hosts::every() {
        let monitors = read(&datadog(&strategy)[0]);
        for one in list(&monitors, "monitors") {
            let query = text(one, "query");
            let (asked, threshold) = query.rsplit_once(" > ").or_else(|| query.rsplit_once(" < ")).unwrap();
            assert_eq!(threshold, one["options"]["thresholds"]["critical"].to_string(), "{query}");
            let (time, series) = asked.split_once(":").unwrap();
            let begins = ["min(last_", "max(last_", "sum(last_", "change(max(last_1h),last_1d"];
            assert!(begins.iter().any(|begin| time.starts_with(begin)) && time.ends_with(')'), "{query}");
            for (open, close) in [('{', '}'), ('(', ')')] {
                assert_eq!(series.matches(open).count(), series.matches(close).count(), "{query}");
            }
            assert_eq!(text(one, "type"), "query alert");
            assert!(!text(one, "message").contains('<'), "{one}");
        }
    }
}

#[test]
fn the_dashboard_for_datadog_is_as_it_was_read() {
    let (_, _, strategy) = hosts::named().remove(0);
    let dashboard = read(&datadog(&strategy)[1]);
    let mut shown = String::new();
    for group in list(&dashboard, "widgets") {
        shown.push_str(&format!("{}\n", text(&group["definition"], "title")));
        for widget in list(&group["definition"], "widgets") {
            let widget = &widget["definition"];
            let query = text(&widget["requests"][0], "q");
            shown.push_str(&format!("    {} | {} | {query}\n", text(widget, "type"), text(widget, "title")));
        }
    }
    compare("monitoring/datadog-dashboard.txt", &shown);
}
