//! What watches a host: golden files, what Prometheus' own tool says of the rules, and the table of metrics.

mod dashboards;
mod rules;
mod thresholds;

use std::collections::BTreeSet;

use subvault_model::metrics::{ALL, Metric};
use subvault_render::monitoring::{datadog, grafana, prometheus};

use crate::golden::compare;
use crate::hosts;

/// Words of a text that begin so.
fn words<'a>(text: &'a str, beginning: &str) -> Vec<(&'a str, &'a str)> {
    let begins = text.match_indices(beginning).map(|(at, _)| at);
    let is_part = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
    begins.map(|at| text[at..].split_at(text[at..].find(|c| !is_part(c)).unwrap_or(text.len() - at))).collect()
}

/// Every text that speaks of metrics names only those of the table, and labels that they have.
#[test]
fn there_is_nothing_that_is_not_in_the_table() {
    let mut met = BTreeSet::new();
    let metric = |name: &str, is: &dyn Fn(&Metric) -> Option<String>| {
        ALL.into_iter().find(|metric| is(metric).as_deref() == Some(name)).unwrap_or_else(|| panic_about(name))
    };
    let mut texts = vec![grafana().text];
    for (_, strategy) in hosts::every() {
        texts.push(prometheus(&strategy).text);
        for file in datadog(&strategy) {
            for (name, rest) in words(&file.text, "subvault.") {
                let found = metric(name.trim_end_matches('.'), &Metric::datadog);
                met.insert(found.name);
                let scope = rest.strip_prefix('{').and_then(|rest| rest.split('}').next()).unwrap();
                let labels = scope.split(" AND ").filter(|label| *label != "$host");
                for label in labels.map(|label| label.trim_start_matches("NOT ").split([':', ' ']).next().unwrap()) {
                    assert!(found.labels.contains(&label), "{name}: {label}");
                }
            }
        }
    }
    for text in texts {
        for (name, rest) in words(&text, "subvault_") {
            let found = metric(name, &|metric| Some(metric.prometheus()));
            met.insert(found.name);
            let Some(inside) = rest.strip_prefix('{').and_then(|rest| rest.split('}').next()) else { continue };
            for label in
                inside.replace("\\\"", "\"").split("\",").map(|part| part.split(['=', '!']).next().unwrap().to_owned())
            {
                assert!(found.labels.contains(&label.as_str()), "{name}: {label}");
            }
        }
    }
    assert!(met.len() > 18, "{met:?}");
}

#[track_caller]
fn panic_about(name: &str) -> Metric {
    assert_eq!(name, "", "there is no such metric");
    ALL[0]
}

/// The table itself, which whoever measures has to keep to.
#[test]
fn the_metrics_are_as_they_were_read() {
    let line = |metric: &Metric| {
        let (labels, datadog) = (metric.labels.join(", "), metric.datadog().unwrap_or_else(|| "-".to_owned()));
        format!("{} | {datadog} | {labels} | {}\n", metric.prometheus(), metric.meaning)
    };
    compare("monitoring/metrics.txt", &ALL.iter().map(line).collect::<String>());
}
