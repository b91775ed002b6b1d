//! A picture in the making.

use subvault_plan::strategy::tier::Tier;

use super::label::{Font, fit};
use crate::report::safe::xml;

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) width: i64,
    pub(super) height: i64,
}

/// On which side of a point a label is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Where a label is and how much room it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) font: Font,
    pub(super) anchor: Anchor,
    pub(super) x: i64,
    /// Of the line on which its letters stand.
    pub(super) y: i64,
    pub(super) room: i64,
}

impl Label {
    /// One that begins here.
    pub(super) const fn new(font: Font, x: i64, y: i64, room: i64) -> Self {
        Self { font, anchor: Anchor::Start, x, y, room }
    }

    /// The same, elsewhere around its point.
    pub(super) const fn anchored(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }
}

/// What has been drawn.
#[derive(Debug, Clone)]
pub(super) struct Canvas {
    width: i64,
    drawn: String,
}

impl Canvas {
    pub(super) const fn new(width: i64) -> Self {
        Self { width, drawn: String::new() }
    }

    /// A rectangle with round corners. What it is filled with is said by a class, or by a pattern in `fill`.
    pub(super) fn area(&mut self, class: &str, area: Area, radius: i64) {
        let Area { x, y, width, height } = area;
        let round = if radius > 0 { format!(" rx=\"{radius}\"") } else { String::new() };
        self.drawn.push_str(&format!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"{round}/>\n"
        ));
    }

    /// A rectangle that is filled with a pattern.
    pub(super) fn patterned(&mut self, pattern: &str, area: Area) {
        let Area { x, y, width, height } = area;
        self.drawn.push_str(&format!(
            "<rect fill=\"url(#{pattern})\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>\n"
        ));
    }

    /// A line through points and curves, in the words of SVG.
    pub(super) fn path(&mut self, class: &str, path: &str) {
        self.drawn.push_str(&format!("<path class=\"{class}\" d=\"{path}\"/>\n"));
    }

    /// The same, so broad.
    pub(super) fn broad_path(&mut self, class: &str, breadth: i64, path: &str) {
        self.drawn.push_str(&format!("<path class=\"{class}\" stroke-width=\"{breadth}\" d=\"{path}\"/>\n"));
    }

    /// A text; what does not fit is cut, and the whole is in a title.
    pub(super) fn label(&mut self, label: Label, text: &str) {
        let (shown, is_whole) = fit(label.font, text, label.room);
        let title = if is_whole { String::new() } else { format!("<title>{}</title>", xml(text)) };
        let anchor = match label.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let (class, x, y) = (label.font.class(), label.x, label.y);
        self.drawn
            .push_str(&format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\"{anchor}>{title}{}</text>\n", xml(&shown)));
    }

    /// What is drawn next belongs together and has a title; `end` closes it.
    pub(super) fn begin(&mut self, title: &str) {
        self.drawn.push_str(&format!("<g><title>{}</title>\n", xml(title)));
    }

    /// Closes what `begin` opened.
    pub(super) fn end(&mut self) {
        self.drawn.push_str("</g>\n");
    }

    /// The mark of a tier, around a point; each has a form of its own.
    pub(super) fn mark(&mut self, tier: Tier, x: i64, y: i64) {
        let path = match tier {
            Tier::Critical => format!("M{} {y}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z", x - 5),
            Tier::Important => format!("M{x} {}l6 6l-6 6l-6 -6z", y - 6),
            Tier::Standard => format!("M{x} {}l6 10h-12z", y - 6),
            Tier::Temporary => format!("M{} {y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", x - 4),
        };
        let class = if tier == Tier::Temporary { "hollow" } else { tier.word() };
        self.path(class, &path);
    }

    /// A definition that is drawn only where it is named.
    pub(super) fn define(&mut self, definition: &str) {
        self.drawn.push_str(definition);
    }

    /// The picture: as high as it has become, with what it is called and what it shows for those who do not see it.
    pub(super) fn finish(self, height: i64, id: &str, title: &str, shows: &str) -> String {
        let (width, drawn, title, shows) = (self.width, self.drawn, xml(title), xml(shows));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-shows\">\n<title id=\"{id}-title\">{title}</title>\n\
             <desc id=\"{id}-shows\">{shows}</desc>\n{drawn}</svg>"
        )
    }
}
