//! The strategy written down for people: on a terminal, or as a page with what there will be in a year and what that costs.

use std::fs;
use std::path::{Path, PathBuf};

use subvault_host::clock;
use subvault_host::inside::Inside;
use subvault_model::monitor::{Event, Monitor as _};
use subvault_plan::simulate::scenario::of_strategy;
use subvault_plan::simulate::simulate;
use subvault_plan::strategy::target_cost::target_costs;
use subvault_render::report::{Report, html, markdown};

use super::{Decided, words};
use crate::context::Context;
use crate::failure::Failure;
use crate::output;

/// For how many months sizes and costs are told.
const MONTHS: u32 = 12;

/// What it takes.
#[derive(Debug, clap::Args)]
pub struct Written {
    /// How it is written; if not said, by the ending of --output: .html, .md, .json or .txt
    #[arg(long, value_enum, conflicts_with = "why")]
    format: Option<Format>,
    /// Write it to a file, whole or not at all, and not to standard output
    #[arg(long, value_name = "FILE", conflicts_with = "why")]
    output: Option<PathBuf>,
}

/// How a strategy is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Text for a terminal
    Terminal,
    /// The same as --json
    Json,
    /// A page as GitHub reads it, with diagrams
    Markdown,
    /// A page for browsers with pictures, in one file
    Html,
}

impl Written {
    /// The format that is meant.
    ///
    /// # Errors
    /// When two are asked for, or the ending of the file tells none.
    pub fn format(&self, json: bool) -> Result<Format, Failure> {
        match (self.format, &self.output) {
            (None | Some(Format::Json), _) if json => Ok(Format::Json),
            (Some(_), _) if json => {
                Err(Failure::usage("--json and --format ask for different things", "leave one of them out"))
            }
            (Some(format), _) => Ok(format),
            (None, None) => Ok(Format::Terminal),
            (None, Some(path)) => by_ending(path),
        }
    }
}

fn by_ending(path: &Path) -> Result<Format, Failure> {
    let ending = path.extension().map(|ending| ending.to_ascii_lowercase().into_encoded_bytes());
    match ending.as_deref() {
        Some(b"html" | b"htm") => Ok(Format::Html),
        Some(b"md" | b"markdown") => Ok(Format::Markdown),
        Some(b"json") => Ok(Format::Json),
        Some(b"txt") => Ok(Format::Terminal),
        _ => Err(Failure::usage(
            format!("the ending of {} tells no format", path.display()),
            "say --format html, markdown, json or terminal",
        )),
    }
}

/// Writes a strategy down: to a file where one is said, else to standard output.
///
/// # Errors
/// When it cannot be written.
pub fn deliver(args: &Written, format: Format, decided: &Decided, context: &Context) -> Result<(), Failure> {
    let text = written(format, decided)?;
    let Some(path) = &args.output else { return output::say(&text) };
    put(path, &format!("{}\n", text.trim_end_matches('\n')))?;
    context.monitor.event(Event::Note(format!("wrote {}", path.display())));
    Ok(())
}

fn written(format: Format, decided: &Decided) -> Result<String, Failure> {
    match format {
        Format::Terminal => Ok(words::describe(&decided.strategy)),
        Format::Json => output::json_text(&decided.strategy),
        Format::Markdown => Ok(page(decided, markdown)),
        Format::Html => Ok(page(decided, html)),
    }
}

fn page(decided: &Decided, write: fn(&Report<'_>) -> String) -> String {
    let made = clock::now();
    let zone = decided.said.wall.zone();
    let simulation = simulate(&of_strategy(&decided.strategy, made, MONTHS, zone));
    let costs = target_costs(&decided.strategy, &decided.said.tables, &simulation, zone.to_datetime(made).date());
    write(&Report {
        strategy: &decided.strategy,
        facts: &decided.found.facts,
        simulation: Some(&simulation),
        costs: &costs,
        made,
        zone: zone.clone(),
    })
}

/// Puts a file in place, whole or not at all. Where a link is there, what it leads to is replaced.
fn put(path: &Path, text: &str) -> Result<(), Failure> {
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if place.exists() && !place.is_file() {
        return Err(Failure::usage(format!("{} is no file", path.display()), "say another one, or leave --output out"));
    }
    let (directory, name) = (place.parent().unwrap_or(Path::new("/")), place.file_name().unwrap_or_default());
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    Ok(Inside::open(directory)?.replace(Path::new(name), text.as_bytes())?)
}
