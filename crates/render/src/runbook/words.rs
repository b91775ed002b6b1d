//! Sentences of a page, in which what comes from the host is always shown as code: no name can change how a page looks.

use std::fmt::Display;

/// A sentence or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(Vec<Piece>);

/// A part of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Words of ours.
    Plain(String),
    /// A name, a path, a command.
    Code(String),
    /// Another page: its file's name without the ending, and what it is called here.
    Page(String, String),
}

impl Words {
    /// A sentence of ours: what stands between backticks is code, and each `{}` is one of the values, as code.
    pub(super) fn new(sentence: &str, values: &[&dyn Display]) -> Self {
        let mut values = values.iter();
        let mut pieces = Vec::new();
        for (index, part) in sentence.split('`').enumerate() {
            if index % 2 == 1 {
                pieces.push(Piece::Code(part.to_owned()));
                continue;
            }
            for (index, plain) in part.split("{}").enumerate() {
                if let Some(value) = (index > 0).then(|| values.next()).flatten() {
                    pieces.push(Piece::Code(value.to_string()));
                }
                pieces.push(Piece::Plain(plain.to_owned()));
            }
        }
        pieces.retain(|piece| !matches!(piece, Piece::Plain(text) if text.is_empty()));
        Self(pieces)
    }

    /// Several names, with commas between them.
    pub(super) fn list<T: Display>(before: &str, names: impl IntoIterator<Item = T>) -> Self {
        let mut pieces = Vec::new();
        for name in names {
            let between = if pieces.is_empty() { format!("{before} ") } else { ", ".to_owned() };
            pieces.push(Piece::Plain(between.trim_start_matches(' ').to_owned()));
            pieces.push(Piece::Code(name.to_string()));
        }
        pieces.retain(|piece| !matches!(piece, Piece::Plain(text) if text.is_empty()));
        Self(pieces)
    }

    /// The same with a full stop behind it.
    pub(super) fn stop(mut self) -> Self {
        self.0.push(Piece::Plain(".".to_owned()));
        self
    }

    /// A link to another page.
    pub(super) fn page(name: &str, title: &str) -> Self {
        Self(vec![Piece::Page(name.to_owned(), title.to_owned())])
    }

    /// The same, with more after it.
    pub(super) fn and(mut self, more: impl Into<Self>) -> Self {
        self.0.push(Piece::Plain(" ".to_owned()));
        self.0.extend(more.into().0);
        self
    }

    /// Without any marks.
    pub(super) fn text(&self) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Plain(text) | Piece::Code(text) | Piece::Page(_, text) => text.clone(),
        };
        self.0.iter().map(text).collect()
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.0
    }
}

impl From<&str> for Words {
    fn from(sentence: &str) -> Self {
        Self::new(sentence, &[])
    }
}

/// A sentence with values: `words!("the disk {} is away", name)`.
macro_rules! words {
    ($sentence:literal $(, $value:expr)* $(,)?) => {
        $crate::runbook::words::Words::new($sentence, &[$(&$value as &dyn std::fmt::Display),*])
    };
}
pub(super) use words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_code_whatever_they_hold() {
        let code = |text: &str| Piece::Code(text.to_owned());
        let plain = |text: &str| Piece::Plain(text.to_owned());
        let said = words!("Put `x` into {}.", "a`b{}");
        assert_eq!(said.pieces(), [plain("Put "), code("x"), plain(" into "), code("a`b{}"), plain(".")]);
        let listed = Words::list("One of", ["a", "b"]);
        assert_eq!(listed.pieces(), [plain("One of "), code("a"), plain(", "), code("b")]);
    }
}
