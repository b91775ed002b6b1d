//! The pictures of a report, drawn from values. All lengths are whole numbers, so that they are the same everywhere.
//!
//! Nothing is told by colour alone: marks have forms, areas have patterns, and what matters is written beside it. Labels are cut
//! to the room that they have, by widths of letters that no usual font exceeds; the whole text is then in a title.

mod canvas;
mod chart;
mod cost;
mod flow;
mod label;
mod layout;
mod legend;
mod retention;
mod space;

use super::Report;
use super::document::Picture;

/// How broad a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paper {
    /// For screens and paper.
    Wide,
    /// For phones.
    Narrow,
}

impl Paper {
    /// In the units of the picture, of which a screen shows one as about a pixel.
    const fn width(self) -> i64 {
        match self {
            Self::Wide => 840,
            Self::Narrow => 340,
        }
    }

    const fn is_wide(self) -> bool {
        matches!(self, Self::Wide)
    }

    /// What ids in such a picture end with, so that they are found once.
    const fn word(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }
}

/// Draws a picture.
pub(super) fn draw(report: &Report<'_>, picture: Picture, paper: Paper) -> String {
    match picture {
        Picture::Layout => layout::draw(report, paper),
        Picture::Retention => retention::draw(report, paper),
        Picture::Flow => flow::draw(report, paper),
        Picture::Space => space::draw(report, paper),
        Picture::Cost => cost::draw(report, paper),
    }
}

/// A number of things as a length.
fn int(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
