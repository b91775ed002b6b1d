//! Assignments as snapper's configurations have them: a small part of what a shell takes.

use super::Assignment;
use crate::import::NotUnderstood;

/// The assignments of a file. Blank lines and comments are passed over.
pub(super) fn read(file: &str, text: &str) -> Result<Vec<Assignment>, NotUnderstood> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let assignment = line.split_once('=').and_then(|(key, rest)| {
            let is_name = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            Some((key, value(rest)?)).filter(|_| is_name)
        });
        let Some((key, value)) = assignment else {
            let what = format!("`{line}` is no assignment that snapper would read");
            return Err(NotUnderstood { file: file.to_owned(), line: index + 1, what });
        };
        found.push(Assignment { line: index + 1, key: key.to_owned(), value });
    }
    Ok(found)
}

/// A value without its quotes. In double quotes and outside of any a backslash takes the next character as it is; after the
/// value there can be a comment.
fn value(text: &str) -> Option<String> {
    let mut letters = text.chars();
    let mut value = String::new();
    let end = match letters.next() {
        None => return Some(value),
        Some('\'') => Some('\''),
        Some('"') => Some('"'),
        Some(_) => {
            letters = text.chars();
            None
        }
    };
    loop {
        match letters.next() {
            None => return end.is_none().then_some(value),
            Some(letter) if Some(letter) == end => break,
            Some(letter) if end.is_none() && letter.is_whitespace() => break,
            Some('\\') if end != Some('\'') => value.push(letters.next()?),
            Some(letter) => value.push(letter),
        }
    }
    let rest = letters.as_str().trim_start();
    (rest.is_empty() || rest.starts_with('#')).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_unquoted() {
        for (text, wanted) in [
            ("", Some("")),
            ("\"/home\"", Some("/home")),
            ("\"a \\\"b\\\" \\$c \\\\\"  # note", Some("a \"b\" $c \\")),
            ("'a\\b'", Some("a\\b")),
            ("yes", Some("yes")),
            ("yes # note", Some("yes")),
            ("a\\ b", Some("a b")),
            ("\"open", None),
            ("\"a\" b", None),
            ("a b", None),
        ] {
            assert_eq!(value(text).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = read("f", "# c\n\nA=\"1\"\nnonsense\n").unwrap_err();
        assert_eq!(error.to_string(), "f:4: `nonsense` is no assignment that snapper would read");
    }
}
