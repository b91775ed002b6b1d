//! An alert as a query of Datadog.

use jiff::SignedDuration;
use serde_json::{Number, Value};
use subvault_model::metrics::{Metric, datadog_tag};

use crate::cadence::short;
use crate::monitoring::alert::{Alert, Condition, LabelIs, Selector};

/// A query with its threshold.
pub(super) struct Query {
    /// The query, threshold and all.
    pub(super) text: String,
    /// What it is compared with.
    pub(super) threshold: Value,
    /// Whether it is about an age, which grows by itself as long as anything is heard.
    pub(super) is_age: bool,
}

/// The query; `None` for what Datadog tells in another way.
pub(super) fn query(alert: &Alert) -> Option<Query> {
    let (of, window) = (&alert.of, window(alert.lasting));
    let (left, compared, threshold) = match &alert.condition {
        Condition::Failing { failed, .. } => (counted("last_15m", failed, of)?, '>', Value::from(0)),
        Condition::Counted(metric) => (counted("last_1h", metric, of)?, '>', Value::from(0)),
        Condition::Old { age, than, .. } => (format!("min({window}):{}", series("max", age, of)?), '>', hours(*than)),
        Condition::Fuller(metric, percent) => {
            (format!("min({window}):{}", series("avg", metric, of)?), '>', Value::from(*percent))
        }
        Condition::Longer(metric, seconds) => {
            (format!("max({window}):{}", series("max", metric, of)?), '>', Value::from(*seconds))
        }
        Condition::Any(metric) => (format!("min({window}):{}", series("max", metric, of)?), '>', Value::from(0)),
        Condition::Fewer(metric) => {
            (format!("change(max(last_1h),last_1d):{}", series("max", metric, of)?), '<', Value::from(0))
        }
        Condition::Slower(metric) => {
            let series = series("max", metric, of)?;
            (format!("min({window}):{series} - 2 * week_before({series})"), '>', Value::from(600))
        }
        Condition::Spent { cost, budget, percent } => {
            let (cost, budget) = (name(cost)?, name(budget)?);
            let scope = scope(of);
            let share = format!("100 * sum:{cost}{{{scope}}} / max:{budget}{{{scope}}}");
            (format!("max(last_1h):{share}"), '>', Value::from(*percent))
        }
        Condition::Silent(_) => return None,
    };
    let is_age = matches!(alert.condition, Condition::Old { .. });
    Some(Query { text: format!("{left} {compared} {threshold}"), threshold, is_age })
}

fn name(metric: &Metric) -> Option<String> {
    metric.datadog()
}

/// How long something has to be so.
fn window(lasting: SignedDuration) -> String {
    format!("last_{}", short(lasting.max(SignedDuration::from_mins(5))))
}

/// As a number of hours, whole where it is.
fn hours(length: SignedDuration) -> Value {
    let hours = length.as_secs_f64() / 3600.0;
    match Number::from_f64(hours) {
        Some(number) if length.as_secs() % 3600 != 0 => Value::Number(number),
        _ => Value::from(length.as_hours()),
    }
}

fn counted(window: &str, metric: &Metric, of: &Selector) -> Option<String> {
    Some(format!("sum({window}):{}.as_count()", series("sum", metric, of)?))
}

/// A metric of what is meant, apart by all that tells its series apart.
fn series(aggregate: &str, metric: &Metric, of: &Selector) -> Option<String> {
    let by: Vec<&str> = metric.labels.iter().copied().filter(|label| *label != "host" && *label != "type").collect();
    let kinds = of.labels.iter().any(|wanted| wanted.label == "type" && wanted.values.len() > 1);
    let by = [by, if kinds { vec!["type"] } else { Vec::new() }].concat();
    let by = if by.is_empty() { String::new() } else { format!(" by {{{}}}", by.join(",")) };
    Some(format!("{aggregate}:{}{{{}}}{by}", name(metric)?, scope(of)))
}

fn scope(of: &Selector) -> String {
    let host = format!("host:{}", datadog_tag(&of.host));
    std::iter::once(host).chain(of.labels.iter().map(tagged)).collect::<Vec<_>>().join(" AND ")
}

fn tagged(wanted: &LabelIs) -> String {
    let values: Vec<String> = wanted.values.iter().map(|value| datadog_tag(value)).collect();
    let not = if wanted.is_one { "" } else { "NOT " };
    match values.as_slice() {
        [one] => format!("{not}{}:{one}", wanted.label),
        several => format!("{} {not}IN ({})", wanted.label, several.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_tags() {
        let values = |all: &[&str]| all.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        let of = Selector::of("Zephyrus").only("target", values(&["usb"])).only("subvolume", values(&["@home", "a"]));
        assert_eq!(scope(&of), "host:zephyrus AND target:usb AND subvolume IN (_home,a)");
        let of = Selector::of("h").except("subvolume", values(&["pg"]));
        assert_eq!(scope(&of), "host:h AND NOT subvolume:pg");
        assert_eq!(scope(&Selector::of("h")), "host:h");
    }

    #[test]
    fn ages_are_in_hours() {
        assert_eq!(hours(SignedDuration::from_mins(30)).to_string(), "0.5");
        assert_eq!(hours(SignedDuration::from_hours(36)).to_string(), "36");
        assert_eq!(window(SignedDuration::ZERO), "last_5m");
        assert_eq!(window(SignedDuration::from_hours(24)), "last_1d");
    }
}
