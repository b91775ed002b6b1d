//! How broad a text is, and what of it fits. Fonts differ between machines; the widths here are those of a broad one.

use crate::report::safe::visible;

/// How a label is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Font {
    /// What something is called.
    Bold,
    /// What is said about it.
    Small,
}

impl Font {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Bold => "bold",
            Self::Small => "small",
        }
    }

    /// Its size in hundredths, with what bold letters are broader added.
    const fn hundredths(self) -> i64 {
        match self {
            Self::Bold => 13 * 110,
            Self::Small => 12 * 100,
        }
    }
}

/// The width of a letter in hundredths of the size.
fn letter(letter: char) -> i64 {
    match letter {
        ' ' | '·' => 34,
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' => 36,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '\\' | '-' => 42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 102,
        'A'..='Z' | '&' | '+' | '=' | '<' | '>' | '#' | '~' => 84,
        ' '..='~' => 66,
        _ => 105,
    }
}

/// How broad a text is at most.
pub(super) fn width(font: Font, text: &str) -> i64 {
    let hundredths: i64 = visible(text).chars().map(letter).sum();
    hundredths * font.hundredths() / 10_000 + 1
}

/// As much of a text as fits, and whether that is all of it.
pub(super) fn fit(font: Font, text: &str, room: i64) -> (String, bool) {
    let shown = visible(text);
    if width(font, &shown) <= room {
        return (shown, true);
    }
    let mut cut = String::new();
    for letter in shown.chars() {
        if width(font, &format!("{cut}{letter}…")) > room {
            break;
        }
        cut.push(letter);
    }
    (format!("{}…", cut.trim_end()), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut() {
        assert_eq!(fit(Font::Small, "home", 100), ("home".to_owned(), true));
        let (cut, whole) = fit(Font::Small, "a-very-long-name-of-a-subvolume", 100);
        assert!(!whole && cut.ends_with('…') && width(Font::Small, &cut) <= 100, "{cut}");
    }
}
