//! A report as Markdown, as GitHub reads it.

use super::document::{Block, Cell, Document, Line, Picture, Reason, Span, Table, Warned};
use super::safe::{markdown, markdown_code};
use super::{Report, mermaid};

/// The text.
pub(super) fn write(report: &Report<'_>, document: &Document) -> String {
    let mut text = format!("# Strategy for {}\n\n{}\n\n", markdown_code(&document.host), line(&document.about));
    text.push_str(&warnings(&document.warnings));
    text.push_str("## At a glance\n\n| | |\n| --- | --- |\n");
    for fact in &document.summary {
        text.push_str(&format!("| {} | {} |\n", markdown(fact.name), line(&fact.value)));
    }
    for section in &document.sections {
        text.push_str(&format!("\n## {}\n", markdown(section.title)));
        for one in &section.blocks {
            let piece = block(report, one);
            if !piece.is_empty() {
                text.push_str(&format!("\n{piece}"));
            }
        }
    }
    text
}

fn warnings(warnings: &[Warned]) -> String {
    if warnings.is_empty() {
        return "## No warnings\n\nNothing is wrong with this strategy as far as can be seen.\n\n".to_owned();
    }
    let mut text = format!("## Warnings: {}\n\n", warnings.len());
    for warned in warnings {
        let (about, what, remedy) = (markdown(&warned.about), line(&warned.what), line(&warned.remedy));
        text.push_str(&format!("- **{about}**: {what}.\n  What to do: {remedy}.\n"));
    }
    text.push('\n');
    text
}

fn block(report: &Report<'_>, block_of: &Block) -> String {
    match block_of {
        Block::Paragraph(text) => format!("{}\n", line(text)),
        Block::Table(table) => table_of(table),
        Block::List(lines) => lines.iter().map(|one| format!("- {}\n", line(one))).collect(),
        Block::Picture(picture, _) => picture_of(report, *picture),
        Block::Folded(title, blocks) => {
            let inner = blocks.iter().map(|inner| block(report, inner)).collect::<Vec<_>>().join("\n");
            format!("### {}\n\n{inner}", markdown(title))
        }
        Block::Why(reasons) if reasons.is_empty() => String::new(),
        Block::Why(reasons) => format!("### Why\n\n{}", reasons.iter().map(why).collect::<String>()),
    }
}

/// What Mermaid can draw; the numbers of the others are in tables.
fn picture_of(report: &Report<'_>, picture: Picture) -> String {
    let drawn = match picture {
        Picture::Layout => mermaid::layout(report),
        Picture::Flow => mermaid::flow(report),
        Picture::Retention | Picture::Space | Picture::Cost => return String::new(),
    };
    format!("```mermaid\n{drawn}```\n")
}

fn table_of(table: &Table) -> String {
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = format!("{}:\n\n", markdown(table.caption));
    text.push_str(&row(table.columns.iter().map(|column| line(&column.head)).collect()));
    let rule = table.columns.iter().map(|column| if column.is_number { "---:" } else { "---" }.to_owned());
    text.push_str(&row(rule.collect()));
    for cells in &table.rows {
        text.push_str(&row(cells.iter().take(table.columns.len()).map(cell).collect()));
    }
    text
}

fn cell(lines: &Cell) -> String {
    lines.iter().map(line).collect::<Vec<_>>().join("<br>")
}

fn line(spans: &Line) -> String {
    let span = |span: &Span| match span {
        Span::Text(text) => prose(text),
        Span::Code(code) => markdown_code(code),
        Span::Tier(tier) => tier.word().to_owned(),
    };
    spans.iter().map(span).collect()
}

/// Words; what is between two backticks is code, a backtick without a second one is itself.
fn prose(text: &str) -> String {
    let pieces: Vec<&str> = text.split('`').collect();
    if pieces.len().is_multiple_of(2) {
        return markdown(text);
    }
    let piece = |(index, piece): (usize, &&str)| if index % 2 == 0 { markdown(piece) } else { markdown_code(piece) };
    pieces.iter().enumerate().map(piece).collect()
}

fn why(reason: &Reason) -> String {
    let names: Vec<String> = reason.names.iter().map(|name| markdown_code(name)).collect();
    let names = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
    format!("- **{}** {}, because {}{names}\n", reason.what, line(&reason.choice), prose(&reason.because))
}
