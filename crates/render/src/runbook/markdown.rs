//! Pages as Markdown. Each command stands in a fenced block of its own, exactly as it is typed; a comment before it says
//! where no test runs it, and why.

use super::page::{Command, Kind, Page, Part, Place, Step};
use super::words::{Piece, Words};

/// What stands before a command that no test runs.
pub const NOT_RUN: &str = "<!-- not run by a test: ";

/// A page.
pub(super) fn page(page: &Page) -> String {
    let mut text = format!("# {}\n\n**When:** {}\n", words(&page.title), words(&page.when));
    if !page.at_hand.is_empty() {
        text.push_str("\n**At hand:**\n\n");
        page.at_hand.iter().for_each(|thing| text.push_str(&format!("- {}\n", words(thing))));
    }
    page.parts.iter().for_each(|part| text.push_str(&self::part(part)));
    text
}

fn part(part: &Part) -> String {
    let mut text = format!("\n## {}\n", words(&part.title));
    let mut place = None;
    let mut steps =
        |steps: &[Step]| steps.iter().enumerate().map(|(n, s)| step(n + 1, s, &mut place)).collect::<String>();
    text.push_str(&steps(&part.steps));
    for (heading, section) in [("Whether it worked", &part.check), ("Going back", &part.back)] {
        if !section.is_empty() {
            text.push_str(&format!("\n### {heading}\n{}", steps(section)));
        }
    }
    text
}

/// A step; `place` is where the command before was typed.
fn step(number: usize, step: &Step, place: &mut Option<Place>) -> String {
    let mut text = format!("\n**{number}.** {}\n", words(&step.what));
    for command in &step.commands {
        if place.replace(command.place) != Some(command.place) {
            text.push_str(&format!("\n{}:\n", command.place.words()));
        }
        text.push_str(&block(command));
    }
    if let Some(see) = &step.see {
        text.push_str(&format!("\nYou see: {}\n", words(see)));
    }
    text
}

fn block(command: &Command) -> String {
    let mark = match command.kind {
        Kind::Test => String::new(),
        Kind::Skip(reason) => format!("{NOT_RUN}{reason} -->\n"),
    };
    let language = if matches!(command.place, Place::Elsewhere(_)) { "text" } else { "bash" };
    format!("\n{mark}```{language}\n{}\n```\n", command.shell)
}

/// A sentence.
pub(super) fn words(words: &Words) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Plain(text) => text.clone(),
        Piece::Code(text) => code(text),
        Piece::Page(name, title) => format!("[{title}]({name}.md)"),
    };
    words.pieces().iter().map(piece).collect()
}

/// Code between more backticks than stand next to each other in it.
pub(super) fn code(text: &str) -> String {
    let runs = text.split(|letter| letter != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or_default() + 1);
    let touches = text.starts_with('`') || text.ends_with('`') || text.is_empty();
    let space = if touches { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_ends_its_code() {
        for (name, shown) in [("a", "`a`"), ("a`b", "``a`b``"), ("``", "``` `` ```"), ("", "`  `")] {
            assert_eq!(code(name), shown);
        }
    }
}
