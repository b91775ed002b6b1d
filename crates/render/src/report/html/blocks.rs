//! Tables, lists, pictures and reasons in HTML.

use super::spans::{cell, line, prose};
use crate::report::Report;
use crate::report::document::{Block, Cell, Line, Picture, Reason, Table};
use crate::report::safe::xml;
use crate::report::svg::{Paper, draw};

/// A piece of a section.
pub(super) fn block(report: &Report<'_>, block_of: &Block) -> String {
    match block_of {
        Block::Paragraph(text) => format!("<p>{}</p>\n", line(text)),
        Block::Table(table) => table_of(table),
        Block::List(lines) => list(lines),
        Block::Picture(picture, how) => figure(report, *picture, how),
        Block::Folded(title, blocks) => {
            let inner: String = blocks.iter().map(|inner| block(report, inner)).collect();
            format!("<details>\n<summary>{}</summary>\n{inner}</details>\n", xml(title))
        }
        Block::Why(reasons) => why(reasons),
    }
}

fn list(lines: &[Line]) -> String {
    let items: String = lines.iter().map(|one| format!("<li>{}</li>\n", line(one))).collect();
    format!("<ul>\n{items}</ul>\n")
}

/// On narrow screens rows become cards, in which each cell says the head of its column. Browsers then forget that it is a
/// table, so the roles are said as well.
fn table_of(table: &Table) -> String {
    // Of two columns each row is short enough for a line.
    let class = if table.columns.len() == 2 { " class=\"pairs\"" } else { "" };
    let mut html = format!(
        "<table role=\"table\"{class}>\n<caption>{}</caption>\n<thead role=\"rowgroup\"><tr role=\"row\">",
        xml(table.caption)
    );
    let kind = |index: usize| if table.columns[index].is_number { " class=\"number\"" } else { "" };
    for (index, column) in table.columns.iter().enumerate() {
        let head = line(&column.head);
        html.push_str(&format!("<th role=\"columnheader\" scope=\"col\"{}>{head}</th>", kind(index)));
    }
    html.push_str("</tr></thead>\n<tbody role=\"rowgroup\">\n");
    for row in &table.rows {
        html.push_str("<tr role=\"row\">");
        for (index, one) in row.iter().enumerate().take(table.columns.len()) {
            html.push_str(&cell_of(table, index, kind(index), one));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n");
    html
}

fn cell_of(table: &Table, index: usize, kind: &str, one: &Cell) -> String {
    let content = cell(one);
    if index == 0 {
        return format!("<th role=\"rowheader\" scope=\"row\"{kind}>{content}</th>");
    }
    let head = line(&table.columns[index].head);
    format!(
        "<td role=\"cell\"{kind}><span class=\"head\" aria-hidden=\"true\">{head}</span><div class=\"value\">{content}</div></td>"
    )
}

fn figure(report: &Report<'_>, picture: Picture, how: &str) -> String {
    let drawn = |paper: Paper| draw(report, picture, paper);
    format!(
        "<figure>\n<div class=\"wide\">{}</div>\n<div class=\"narrow\">{}</div>\n\
         <figcaption>{}</figcaption>\n</figure>\n",
        drawn(Paper::Wide),
        drawn(Paper::Narrow),
        xml(how)
    )
}

fn why(reasons: &[Reason]) -> String {
    if reasons.is_empty() {
        return String::new();
    }
    let mut html = String::from("<details class=\"why\">\n<summary>Why</summary>\n<dl>\n");
    for reason in reasons {
        let names: Vec<String> = reason.names.iter().map(|name| format!("<code>{}</code>", xml(name))).collect();
        let whom = if names.is_empty() { String::new() } else { format!("<dd>{}</dd>", names.join(", ")) };
        let (what, choice, because) = (xml(reason.what), line(&reason.choice), prose(&reason.because));
        html.push_str(&format!("<div><dt>{what}: {choice}</dt><dd>because {because}</dd>{whom}</div>\n"));
    }
    html.push_str("</dl>\n</details>\n");
    html
}
