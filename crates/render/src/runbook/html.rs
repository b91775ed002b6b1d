//! All pages as one page of HTML that needs nothing else: to be printed, and put where the backups are not.

use super::page::{Command, Page, Part, Place, Step};
use super::table::Table;
use super::words::{Piece, Words};

const STYLE: &str = "\
body { font: 11pt/1.45 serif; max-width: 46em; margin: 2em auto; padding: 0 1em; color: #000; background: #fff; }
h1 { font-size: 1.6em; border-bottom: 2px solid; } h2 { font-size: 1.25em; margin-top: 2em; } h3 { font-size: 1.05em; }
pre { border: 1px solid #999; padding: .5em .7em; white-space: pre-wrap; overflow-wrap: anywhere; background: #f4f4f4; }
code, pre { font-family: monospace; font-size: .92em; } code { overflow-wrap: anywhere; }
table { border-collapse: collapse; } th, td { border: 1px solid #999; padding: .2em .5em; text-align: left; vertical-align: top; }
.place { font-weight: bold; margin-bottom: .2em; } .see { font-style: italic; }
@media print { body { margin: 0; max-width: none; } section { break-before: page; } pre, tr { break-inside: avoid; } a { color: inherit; text-decoration: none; } }
";

/// The page: what every page begins with, tables that tell what there is, and all pages.
pub(super) fn document(host: &str, intro: &[Words], tables: &[(Words, Table)], pages: &[Page]) -> String {
    let title = format!("Recovering {}", escaped(host));
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    intro.iter().for_each(|sentence| text.push_str(&format!("<p>{}</p>\n", words(sentence))));
    for (heading, table) in tables {
        text.push_str(&format!("<h2>{}</h2>\n{}", words(heading), self::table(table)));
    }
    pages.iter().for_each(|page| text.push_str(&self::page(page)));
    text.push_str("</body>\n</html>\n");
    text
}

fn page(page: &Page) -> String {
    let mut text = format!("<section id=\"{}\">\n<h1>{}</h1>\n", page.name, words(&page.title));
    text.push_str(&format!("<p><b>When:</b> {}</p>\n", words(&page.when)));
    if !page.at_hand.is_empty() {
        text.push_str("<p><b>At hand:</b></p>\n<ul>\n");
        page.at_hand.iter().for_each(|thing| text.push_str(&format!("<li>{}</li>\n", words(thing))));
        text.push_str("</ul>\n");
    }
    page.parts.iter().for_each(|part| text.push_str(&self::part(part)));
    text.push_str("</section>\n");
    text
}

fn part(part: &Part) -> String {
    let mut text = format!("<h2>{}</h2>\n", words(&part.title));
    let mut place = None;
    for (heading, steps) in [("", &part.steps), ("Whether it worked", &part.check), ("Going back", &part.back)] {
        if steps.is_empty() {
            continue;
        }
        if !heading.is_empty() {
            text.push_str(&format!("<h3>{heading}</h3>\n"));
        }
        text.push_str("<ol>\n");
        steps.iter().for_each(|step| text.push_str(&self::step(step, &mut place)));
        text.push_str("</ol>\n");
    }
    text
}

fn step(step: &Step, place: &mut Option<Place>) -> String {
    let mut text = format!("<li><p>{}</p>\n", words(&step.what));
    for Command { shell, place: at, .. } in &step.commands {
        if place.replace(*at) != Some(*at) {
            text.push_str(&format!("<p class=\"place\">{}:</p>\n", at.words()));
        }
        text.push_str(&format!("<pre>{}</pre>\n", escaped(shell)));
    }
    if let Some(see) = &step.see {
        text.push_str(&format!("<p class=\"see\">You see: {}</p>\n", words(see)));
    }
    text.push_str("</li>\n");
    text
}

fn table(table: &Table) -> String {
    let row = |cells: &[Words], tag: &str| {
        let cells: String = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", words(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let rows: String = table.rows.iter().map(|cells| row(cells, "td")).collect();
    format!("<table>\n{}{rows}</table>\n", row(&table.head, "th"))
}

fn words(words: &Words) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Plain(text) => escaped(text),
        Piece::Code(text) => format!("<code>{}</code>", escaped(text)),
        Piece::Page(name, title) => format!("<a href=\"#{name}\">{}</a>", escaped(title)),
    };
    words.pieces().iter().map(piece).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_taken_for_markup() {
        assert_eq!(escaped("<b>&\"'"), "&lt;b&gt;&amp;&quot;'");
    }
}
