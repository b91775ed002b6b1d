//! Stretches of text in HTML.

use subvault_plan::strategy::tier::Tier;

use crate::report::document::{Cell, Span};
use crate::report::safe::xml;

/// A stretch of text.
pub(super) fn line(spans: &[Span]) -> String {
    spans.iter().map(span).collect()
}

/// Lines below each other.
pub(super) fn cell(lines: &Cell) -> String {
    match lines.as_slice() {
        [one] => line(one),
        several => several.iter().map(|one| format!("<div>{}</div>", line(one))).collect(),
    }
}

fn span(span: &Span) -> String {
    match span {
        Span::Text(text) => prose(text),
        Span::Code(code) => format!("<code>{}</code>", xml(code)),
        Span::Tier(tier) => pill(*tier),
    }
}

/// Words; what is between two backticks is code, a backtick without a second one is itself.
pub(super) fn prose(text: &str) -> String {
    let pieces: Vec<&str> = text.split('`').collect();
    if pieces.len().is_multiple_of(2) {
        return xml(text);
    }
    let piece = |(index, piece): (usize, &&str)| match index % 2 {
        0 => xml(piece),
        _ => format!("<code>{}</code>", xml(piece)),
    };
    pieces.iter().enumerate().map(piece).collect()
}

/// A tier with its mark, which has a form of its own.
fn pill(tier: Tier) -> String {
    let word = tier.word();
    format!("<span class=\"tier {word}\"><span aria-hidden=\"true\">{}</span> {word}</span>", mark(tier))
}

const fn mark(tier: Tier) -> char {
    match tier {
        Tier::Critical => '●',
        Tier::Important => '◆',
        Tier::Standard => '▲',
        Tier::Temporary => '○',
    }
}
