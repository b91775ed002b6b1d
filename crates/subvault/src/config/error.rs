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

/// Words of our own for what the reader says, and what to write instead.
fn explain(message: &str) -> (String, Option<String>) {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).filter(|word| !word.is_empty()).collect();
    let (found, known) = quoted.split_first().map_or(("", &[][..]), |(found, known)| (*found, known));
    if message.starts_with("unknown field `") {
        let hint = nearest(found, known).unwrap_or_else(|| format!("the keys here are {}", known.join(", ")));
        return (format!("unknown key `{found}`"), Some(hint));
    }
    if message.starts_with("unknown variant `") {
        let hint = nearest(found, known).unwrap_or_else(|| format!("there are {}", known.join(", ")));
        return (format!("`{found}` is none of the words that can stand here"), Some(hint));
    }
    if message.starts_with("missing field `") {
        return (
            format!("`{found}` is missing"),
            Some(format!("add a line `{found} = …`; docs/configuration.md has all keys")),
        );
    }
    (message.to_owned(), general_hint(message))
}

/// The word that was probably meant.
fn nearest(unknown: &str, known: &[&str]) -> Option<String> {
    let distance = |word: &&&str| strsim::damerau_levenshtein(word, unknown);
    let near = known.iter().min_by_key(distance).filter(|word| distance(word) <= 1 + unknown.len() / 3);
    near.map(|word| format!("did you mean `{word}`?"))
}

/// What to do about the reader's other complaints. Those that say it themselves need nothing more.
fn general_hint(message: &str) -> Option<String> {
    const SYNTAX: &str = "the file is TOML: lines such as `key = \"text\"` below heads such as `[host]`";
    const OURS: [&str; 7] =
        ["write for example", "say \"", "say a ", "there are ", "use 1 to 64", "looks like", "a uuid"];
    let hint = match message {
        m if m.contains("expected a string") || m.contains("must be quoted") => "put it in quotes: \"…\"",
        m if m.contains("nonzero") => "write a whole number from 1 on",
        m if m.starts_with("invalid value: integer") => "write a whole number from 0 on",
        m if m.starts_with("duplicate key") => "leave one of the two lines out",
        m if m.starts_with("invalid type") => "docs/configuration.md says what is meant",
        m if m.ends_with("is not a uuid") => "`lsblk -o NAME,LABEL,UUID` shows it",
        m if OURS.iter().any(|said| m.contains(said)) => return None,
        _ => SYNTAX,
    };
    Some(hint.to_owned())
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
