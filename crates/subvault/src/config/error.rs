//! A mistake in the configuration, shown where it is.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;

/// A mistake in the configuration.
#[derive(Debug)]
pub struct ConfigError {
    what: String,
    place: Option<Box<Place>>,
    hint: Option<String>,
    source: Option<io::Error>,
}

/// A place in a file: what an editor jumps to, and the line itself.
#[derive(Debug)]
struct Place {
    file: String,
    line: usize,
    column: usize,
    width: usize,
    text: String,
}

impl ConfigError {
    /// The file cannot be read.
    pub fn unreadable(path: &Path, source: io::Error) -> Self {
        let hint = (source.kind() == io::ErrorKind::NotFound)
            .then(|| "`subvault init` writes one for this machine; --config FILE names another".to_owned());
        Self { what: format!("cannot read {}", path.display()), place: None, hint, source: Some(source) }
    }

    /// The text is not what it should be.
    pub fn not_understood(file: String, text: &str, error: &toml::de::Error) -> Self {
        let place = error.span().map(|span| Box::new(Place::find(file, text, span)));
        let (what, hint) = explain(error.message());
        Self { what, place, hint, source: None }
    }

    /// Something that is understood and wrong.
    pub fn at(file: &str, text: &str, span: Range<usize>, what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            place: Some(Box::new(Place::find(file.to_owned(), text, span))),
            hint: None,
            source: None,
        }
    }

    /// Something that is missing or wrong as a whole.
    pub fn general(what: impl Into<String>) -> Self {
        Self { what: what.into(), place: None, hint: None, source: None }
    }

    /// The same, with what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What to do.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// Words of our own for what the reader says of unknown keys: which was meant, and which there are.
fn explain(message: &str) -> (String, Option<String>) {
    let Some(rest) = message.strip_prefix("unknown field `") else {
        return (message.to_owned(), None);
    };
    let mut quoted = rest.split('`').step_by(2);
    let unknown = quoted.next().unwrap_or_default();
    let known: Vec<&str> = quoted.filter(|word| !word.is_empty()).collect();
    let nearest = known.iter().min_by_key(|word| strsim::damerau_levenshtein(word, unknown));
    let close = nearest.filter(|word| strsim::damerau_levenshtein(word, unknown) <= 1 + unknown.len() / 3);
    let hint = match close {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("the keys here are {}", known.join(", ")),
    };
    (format!("unknown key `{unknown}`"), Some(hint))
}

impl Place {
    fn find(file: String, text: &str, span: Range<usize>) -> Self {
        let start = (0..=span.start.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let line_text = text[line_start..].lines().next().unwrap_or_default();
        let column = before[line_start..].chars().count();
        let rest = line_text.chars().count().saturating_sub(column).max(1);
        Self {
            file,
            line: before.matches('\n').count() + 1,
            column: column + 1,
            width: (span.end.saturating_sub(span.start)).clamp(1, rest),
            text: line_text.to_owned(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(place) = &self.place else { return f.write_str(&self.what) };
        let gutter = place.line.to_string().len();
        writeln!(f, "{}:{}:{}: {}", place.file, place.line, place.column, self.what)?;
        writeln!(f, " {:gutter$} |", "")?;
        writeln!(f, " {} | {}", place.line, place.text)?;
        write!(f, " {:gutter$} | {:indent$}{}", "", "", "^".repeat(place.width), indent = place.column - 1)
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|e| e as _)
    }
}
