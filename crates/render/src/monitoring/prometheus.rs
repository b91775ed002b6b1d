//! Rules for Prometheus: each alert as an expression of its own.

use jiff::SignedDuration;
use subvault_model::metrics::Metric;
use subvault_plan::strategy::Strategy;

use super::alert::{Alert, Condition, LabelIs, Selector, with_labels};
use super::{NOT_YET, alerts};
use crate::cadence::short;
use crate::file::{RenderedFile, mark};

/// The rules for a host. The file is named after it, so that the rules of several can lie side by side.
#[must_use]
pub fn render(strategy: &Strategy) -> RenderedFile {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let name = format!("subvault-{}", strategy.host.chars().map(plain).collect::<String>());
    let mut text = format!(
        "{}# {NOT_YET} Until then none of them can fire but `SubvaultSilent`, which always would.\n\
        groups:\n  - name: {}\n    rules:\n",
        mark("prometheus"),
        quoted(&name)
    );
    alerts::of(strategy).iter().for_each(|alert| text.push_str(&rule(alert)));
    RenderedFile { path: format!("etc/prometheus/rules/{name}.yml").into(), text }
}

fn rule(alert: &Alert) -> String {
    let mut text =
        format!("      - alert: {}\n        expr: {}\n", alert.name, quoted(&expression(&alert.condition, &alert.of)));
    if alert.lasting > SignedDuration::ZERO {
        text.push_str(&format!("        for: {}\n", short(alert.lasting)));
    }
    let summary = with_labels(&alert.summary, |label| format!("{{{{ $labels.{label} }}}}"));
    text.push_str(&format!("        labels:\n          severity: {}\n", alert.severity.word()));
    labels(alert).iter().for_each(|(label, value)| text.push_str(&format!("          {label}: {}\n", quoted(value))));
    text.push_str(&format!("        annotations:\n          summary: {}\n", quoted(&summary)));
    text.push_str(&format!("          description: {}\n", quoted(alert.action)));
    text
}

/// What tells rules of one name apart: how old is too old, and what only one value is meant of.
fn labels(alert: &Alert) -> Vec<(&str, String)> {
    let threshold = match alert.condition {
        Condition::Old { than, .. } => Some(("threshold", short(than))),
        _ => None,
    };
    let single = |wanted: &LabelIs| match wanted.values.as_slice() {
        [one] if wanted.is_one => Some((wanted.label, one.clone())),
        _ => None,
    };
    threshold.into_iter().chain(alert.of.labels.iter().filter_map(single)).collect()
}

fn expression(condition: &Condition, of: &Selector) -> String {
    let series = |metric: &Metric| format!("{}{}", metric.prometheus(), selector(of));
    match condition {
        Condition::Failing { last_failure, last_success, .. } => {
            format!("{} > {}", series(last_failure), series(last_success))
        }
        Condition::Counted(metric) => format!("increase({}[1h]) > 0", series(metric)),
        Condition::Old { last, than, .. } => format!("time() - {} > {}", series(last), than.as_secs()),
        Condition::Fuller(metric, percent) => format!("{} > {}", series(metric), hundredths(*percent)),
        Condition::Longer(metric, seconds) => format!("{} > {seconds}", series(metric)),
        Condition::Any(metric) => format!("{} > 0", series(metric)),
        Condition::Fewer(metric) => format!("{0} < max_over_time({0}[2d])", series(metric)),
        // What is usual is what half of a month's were.
        Condition::Slower(metric) => {
            format!("{0} > 2 * quantile_over_time(0.5, {0}[30d]) and {0} > 600", series(metric))
        }
        Condition::Spent { cost, budget, percent } => {
            let by_host = |metric: &Metric| format!("sum by (host) ({})", series(metric));
            format!("{} > {} * {}", by_host(cost), hundredths(*percent), by_host(budget))
        }
        Condition::Silent(metric) => format!("absent({})", series(metric)),
    }
}

fn hundredths(percent: u8) -> String {
    format!("{}.{:02}", percent / 100, percent % 100)
}

fn selector(of: &Selector) -> String {
    let labels = of.labels.iter().map(matcher);
    let all: Vec<String> = std::iter::once(format!("host={}", quoted(&of.host))).chain(labels).collect();
    format!("{{{}}}", all.join(","))
}

fn matcher(wanted: &LabelIs) -> String {
    let LabelIs { label, values, is_one } = wanted;
    match (values.as_slice(), is_one) {
        ([one], true) => format!("{label}={}", quoted(one)),
        ([one], false) => format!("{label}!={}", quoted(one)),
        (several, _) => {
            let several: Vec<String> = several.iter().map(|value| literal(value)).collect();
            format!("{label}{}{}", if *is_one { "=~" } else { "!~" }, quoted(&several.join("|")))
        }
    }
}

/// A text as a regular expression that matches nothing else.
fn literal(text: &str) -> String {
    let escaped = |c: char| if "\\.+*?()|[]{}^$".contains(c) { format!("\\{c}") } else { c.to_string() };
    text.chars().map(escaped).collect()
}

/// A text as Prometheus and YAML both read it in double quotes: as JSON has it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_match_themselves_alone() {
        let of = |values: &[&str]| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            selector(&Selector::of("a\"b").only("subvolume", values))
        };
        assert_eq!(of(&["@home"]), r#"{host="a\"b",subvolume="@home"}"#);
        assert_eq!(of(&["a.b", "c+d"]), r#"{host="a\"b",subvolume=~"a\\.b|c\\+d"}"#);
        assert_eq!(selector(&Selector::of("h").except("x", vec!["y".to_owned()])), r#"{host="h",x!="y"}"#);
        assert_eq!((hundredths(85), hundredths(5)), ("0.85".to_owned(), "0.05".to_owned()));
    }
}
