//! Values as expressions of Nix, which mean the same there.
//!
//! Nothing of a text may be read as anything else: every `$` is escaped, so that nothing is ever put in its place.

use serde_json::{Map, Value};

use super::NotRendered;

/// Words that cannot be names of attributes without quotes.
const KEYWORDS: [&str; 10] = ["assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with"];

/// The least whole number, which Nix reads as a negation of what is too large.
const LEAST: &str = "(-9223372036854775807 - 1)";

/// A value as an expression, whose further lines are `depth` steps to the right.
///
/// # Errors
/// When Nix has no such value: a text with a NUL, a fraction, a number of more than 64 bits.
pub fn expression(value: &Value, depth: usize) -> Result<String, NotRendered> {
    match value {
        Value::Null => Ok("null".to_owned()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Number(number) => match number.as_i64() {
            Some(i64::MIN) => Ok(LEAST.to_owned()),
            // In a list, what begins with a sign would be taken for a subtraction.
            Some(number) if number < 0 => Ok(format!("({number})")),
            Some(number) => Ok(number.to_string()),
            None => Err(NotRendered::Number(number.to_string())),
        },
        Value::String(text) => quoted(text),
        Value::Array(values) => list(values, depth),
        Value::Object(values) => set(values, depth),
    }
}

fn list(values: &[Value], depth: usize) -> Result<String, NotRendered> {
    if values.is_empty() {
        return Ok("[ ]".to_owned());
    }
    let lines = values.iter().map(|value| Ok(line(depth, &expression(value, depth + 1)?)));
    Ok(format!("[\n{}{}]", lines.collect::<Result<String, _>>()?, indent(depth)))
}

fn set(values: &Map<String, Value>, depth: usize) -> Result<String, NotRendered> {
    if values.is_empty() {
        return Ok("{ }".to_owned());
    }
    let lines = values
        .iter()
        .map(|(name, value)| Ok(line(depth, &format!("{} = {};", attribute(name)?, expression(value, depth + 1)?))));
    Ok(format!("{{\n{}{}}}", lines.collect::<Result<String, _>>()?, indent(depth)))
}

fn line(depth: usize, text: &str) -> String {
    format!("{}{text}\n", indent(depth + 1))
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}

/// The name of an attribute, in quotes where it needs them.
pub(super) fn attribute(name: &str) -> Result<String, NotRendered> {
    let mut letters = name.chars();
    let begins = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let is_plain =
        begins && letters.all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) && !KEYWORDS.contains(&name);
    if is_plain { Ok(name.to_owned()) } else { quoted(name) }
}

/// A text in quotes, on one line.
pub(super) fn quoted(text: &str) -> Result<String, NotRendered> {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '\0' => return Err(NotRendered::Nul(text.to_owned())),
            '"' | '\\' | '$' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            // Left as it is, it would become a line feed.
            '\r' => quoted.push_str("\\r"),
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    Ok(quoted)
}
