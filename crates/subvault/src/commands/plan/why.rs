//! The reasons of a strategy: every choice in it carries one, so they are found wherever it is looked.

use serde::Serialize;
use serde_json::Value;
use subvault_plan::strategy::Strategy;

use crate::failure::Failure;
use crate::output::table;

/// A choice with its reason.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// What was chosen, as a path in the JSON of the strategy.
    what: String,
    /// As what.
    value: String,
    /// Why.
    because: String,
}

/// The reasons for what is called so.
///
/// # Errors
/// When nothing is.
pub fn why(strategy: &Strategy, what: &str) -> Result<Vec<Reason>, Failure> {
    let value = serde_json::to_value(strategy).unwrap_or_default();
    let mut reasons = Vec::new();
    for (name, part) in parts(&value) {
        if let Some(inner) = below(&name, what) {
            collect(part, &name, &mut reasons);
            reasons.retain(|reason| is_within(&reason.what, &name, inner));
        }
        if !reasons.is_empty() {
            return Ok(reasons);
        }
    }
    let names: Vec<String> = parts(&value).into_iter().map(|(name, _)| name).collect();
    Err(Failure::usage(
        format!("nothing in the strategy is called `{what}`"),
        format!("there are {}", names.join(", ")),
    ))
}

/// What can be asked for: each subvolume by its name and by its path, each target, and each other part.
fn parts(strategy: &Value) -> Vec<(String, &Value)> {
    let mut parts = Vec::new();
    for (list, keys) in [("subvolumes", ["name", "path"]), ("targets", ["name", "name"])] {
        for element in strategy[list].as_array().into_iter().flatten() {
            let name = |key: &str| element[key].as_str().unwrap_or_default().to_owned();
            parts.push((name(keys[0]), element));
            if keys[1] == "path" {
                parts.push((format!("/{}", name("path")), element));
            }
        }
    }
    let others = strategy.as_object().into_iter().flatten();
    parts.extend(
        others.filter(|(key, _)| !["subvolumes", "targets"].contains(&key.as_str())).map(|(k, v)| (k.clone(), v)),
    );
    parts
}

/// What of `what` goes on below `name`: nothing where they are the same.
fn below<'a>(name: &str, what: &'a str) -> Option<&'a str> {
    let rest = what.strip_prefix(name)?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('.') }
}

fn is_within(path: &str, name: &str, inner: &str) -> bool {
    let rest = path.strip_prefix(name).map(|rest| rest.trim_start_matches('.')).unwrap_or_default();
    inner.is_empty() || rest == inner || rest.strip_prefix(inner).is_some_and(|rest| rest.starts_with('.'))
}

fn collect(value: &Value, path: &str, reasons: &mut Vec<Reason>) {
    match value {
        Value::Object(members) => {
            if let (Some(chosen), Some(because)) =
                (members.get("value"), members.get("because").and_then(Value::as_str))
            {
                reasons.push(Reason { what: path.to_owned(), value: shown(chosen), because: because.to_owned() });
            } else {
                members.iter().for_each(|(key, member)| collect(member, &format!("{path}.{key}"), reasons));
            }
        }
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(n, element)| collect(element, &format!("{path}.{n}"), reasons));
        }
        _ => {}
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// In words.
pub fn describe(reasons: &[Reason]) -> String {
    let mut table = table::new(&["what", "is", "because"]);
    for reason in reasons {
        table.add_row([&reason.what, &reason.value, &reason.because]);
    }
    table::text(&table)
}
