//! Files that were rendered: printed, or put where they belong. One that somebody made their own is left alone.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;
use subvault_host::inside::Inside;
use subvault_render::file::{RenderedFile, is_ours};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Fate {
    /// It is not there.
    New,
    /// It is there and another one.
    Changed,
    /// It is there as it is.
    Same,
}

#[derive(Debug, Serialize)]
struct Answer {
    written: bool,
    files: Vec<Placed>,
}

#[derive(Debug, Serialize)]
struct Placed {
    fate: Option<Fate>,
    path: String,
    text: String,
}

/// Where files go.
#[derive(Debug, clap::Args)]
pub(super) struct Where {
    /// Write the files below this directory; what is for a system belongs below /
    #[arg(long, visible_alias = "to", value_name = "DIR")]
    output: Option<PathBuf>,
    /// Tell what would be written, and write nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

/// Files, and what is said with them.
pub(super) struct Handed<'a> {
    /// The files.
    pub(super) files: Vec<RenderedFile>,
    /// What their paths begin with where they are only printed.
    pub(super) base: &'a Path,
    /// What has to be done once they are there.
    pub(super) next: &'a str,
}

/// Prints the files, or puts them below the directory that is said.
pub(super) fn deliver(handed: &Handed<'_>, place: &Where, context: &Context) -> Result<Exit, Failure> {
    let files = &handed.files;
    let Some(root) = &place.output else {
        let placed = files.iter().map(|file| placed(handed.base, file, None)).collect();
        return answer(context, &Answer { written: false, files: placed }, printed(handed));
    };
    let fates = files.iter().map(|file| fate(root, file)).collect::<Result<Vec<_>, _>>()?;
    if !place.dry_run {
        let differing = files.iter().zip(&fates).filter(|(_, fate)| **fate != Fate::Same);
        put_all(root, differing.map(|(file, _)| file))?;
    }
    let placed: Vec<Placed> = files.iter().zip(&fates).map(|(file, fate)| placed(root, file, Some(*fate))).collect();
    let text = summary(&placed, place.dry_run, handed.next);
    answer(context, &Answer { written: !place.dry_run, files: placed }, text)
}

/// Puts files below a directory, which is made if it is not there: each whole or not at all.
pub(super) fn put_all<'a>(root: &Path, files: impl Iterator<Item = &'a RenderedFile>) -> Result<(), Failure> {
    fs::create_dir_all(root).map_err(|source| Failure::Write { what: root.display().to_string(), source })?;
    let inside = Inside::open(root)?;
    for file in files {
        inside.make_plain_directories(file.path.parent().unwrap_or(Path::new("")))?;
        inside.replace(&file.path, file.text.as_bytes())?;
    }
    Ok(())
}

fn answer(context: &Context, answer: &Answer, text: String) -> Result<Exit, Failure> {
    context.answer(answer, || text)?;
    Ok(Exit::Good)
}

fn placed(root: &Path, file: &RenderedFile, fate: Option<Fate>) -> Placed {
    Placed { fate, path: root.join(&file.path).display().to_string(), text: file.text.clone() }
}

/// A file that is alone is printed as it is, so that it can go on into another program.
fn printed(handed: &Handed<'_>) -> String {
    let one = |file: &RenderedFile| format!("# {}\n{}", handed.base.join(&file.path).display(), file.text);
    match handed.files.as_slice() {
        [] => NOTHING.to_owned(),
        [alone] => alone.text.clone(),
        several => several.iter().map(one).collect::<Vec<_>>().join("\n"),
    }
}

const NOTHING: &str = "There is nothing to write: this host needs no such file.\n";

fn summary(files: &[Placed], dry_run: bool, next: &str) -> String {
    if files.is_empty() {
        return NOTHING.to_owned();
    }
    let word = |fate| match (fate, dry_run) {
        (Some(Fate::Same) | None, _) => "unchanged",
        (Some(Fate::New | Fate::Changed), false) => "wrote",
        (Some(Fate::New), true) => "would write",
        (Some(Fate::Changed), true) => "would change",
    };
    let mut text: String = files.iter().map(|file| format!("{} {}\n", word(file.fate), file.path)).collect();
    if !dry_run {
        text.push_str(&format!("next: {next}\n"));
    }
    text
}

/// What would become of it; one that somebody made their own is not touched, and told.
fn fate(root: &Path, file: &RenderedFile) -> Result<Fate, Failure> {
    let path = root.join(&file.path);
    match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Fate::New),
        Err(source) => Err(Failure::Write { what: path.display().to_string(), source }),
        Ok(there) if there == file.text.as_bytes() => Ok(Fate::Same),
        Ok(there) if is_ours(&there) => Ok(Fate::Changed),
        Ok(_) => Err(Failure::usage(
            format!("{} was not written by subvault, or was changed", path.display()),
            "move it away, or take over by hand what is printed without --output",
        )),
    }
}
