//! Files of JSON that say who wrote them, although JSON has no comments.

use std::path::Path;

use serde_json::{Map, Value};

use super::NOT_YET;
use crate::file::{RenderedFile, written_by};

/// The file. Its description is its first key, whatever order the others are in.
pub(super) fn file(path: &Path, what: &str, about: &str, value: &Map<String, Value>) -> RenderedFile {
    let description = Value::from(format!("{} {NOT_YET} {about}", written_by(what)));
    let text = format!("{:#}\n", Value::Object(value.clone()));
    let rest = text.strip_prefix("{\n").unwrap_or(&text);
    RenderedFile { path: path.to_owned(), text: format!("{{\n  \"description\": {description},\n{rest}") }
}

/// An object.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
