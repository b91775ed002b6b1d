//! What the words FROM and TO mean.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use subvault_jobs::diff::Side;
use subvault_jobs::setup::{Setup, SubvolumeSetup};
use subvault_jobs::snapshot;
use subvault_model::file_path::FilePath;
use subvault_model::names::{SnapshotName, SubvolumeName};
use subvault_model::note::{Pair, Side as PairSide};

use crate::commands::archive::no_subvolume;
use crate::context::Context;
use crate::failure::Failure;
use crate::when;

/// Opens what is named; reads the configuration only when a word needs it.
pub(in crate::commands) struct Sides<'a> {
    context: &'a Context,
    setup: OnceCell<Setup>,
}

/// What a word means.
enum Meaning<'a> {
    Path,
    Snapshot(&'a SubvolumeSetup, SnapshotName),
    At(&'a SubvolumeSetup, jiff::Timestamp),
    Subvolume(&'a SubvolumeSetup),
}

impl<'a> Sides<'a> {
    pub(in crate::commands) fn new(context: &'a Context) -> Self {
        Self { context, setup: OnceCell::new() }
    }

    /// The two sides of a comparison.
    pub(super) fn open(&self, from: &OsStr, to: Option<&OsStr>) -> Result<(Side, Side), Failure> {
        let meaning = self.meaning(from)?;
        if let Some(to) = to {
            let to = match self.meaning(to)? {
                Meaning::Subvolume(setup) => Side::present(setup)?,
                other => open(&other, to)?,
            };
            let from = match meaning {
                Meaning::Subvolume(setup) => Side::present(setup)?,
                other => open(&other, from)?,
            };
            return Ok((from, to));
        }
        let from = open(&meaning, from)?;
        let to = match meaning {
            Meaning::Snapshot(setup, _) | Meaning::At(setup, _) | Meaning::Subvolume(setup) => Side::present(setup)?,
            Meaning::Path if from.is_read_only()? => from.origin()?,
            Meaning::Path => match self.configured(from.location())? {
                Some(setup) => return Ok((Side::newest(setup, None)?, Side::present(setup)?)),
                None => {
                    let what = format!("{} is no snapshot and not in the configuration", from.location().display());
                    return Err(Failure::usage(what, "name a snapshot to compare it with"));
                }
            },
        };
        Ok((from, to))
    }

    /// For a file of a configured subvolume: the newest snapshot, the present, and its path inside.
    pub(super) fn of_file(&self, path: &Path, more: bool) -> Result<Option<(Side, Side, FilePath)>, Failure> {
        let is_file = |path: &Path| path.symlink_metadata().is_ok_and(|found| found.is_file());
        if more || !path.as_os_str().as_bytes().contains(&b'/') || !is_file(path) {
            return Ok(None);
        }
        let real = std::fs::canonicalize(path)
            .map_err(|source| Failure::Write { what: format!("{}: it cannot be found", path.display()), source })?;
        let inside = |setup: &'_ SubvolumeSetup| {
            let top = std::fs::canonicalize(&setup.path).ok()?;
            let relative = real.strip_prefix(&top).ok()?.as_os_str().as_bytes().to_vec();
            Some((top.as_os_str().len(), FilePath::new(relative)))
        };
        let all = self.setup()?.subvolumes.iter();
        let innermost = all.filter_map(|setup| Some((setup, inside(setup)?))).max_by_key(|(_, (depth, _))| *depth);
        match innermost {
            Some((setup, (_, path))) => Ok(Some((Side::newest(setup, None)?, Side::present(setup)?, path))),
            None => {
                let what = format!("{} is in no subvolume of the configuration", path.display());
                Err(Failure::usage(what, "name two snapshots: subvault diff FROM TO --content -- FILE"))
            }
        }
    }

    /// Before and after the command of a pair, for each subvolume; where there is no snapshot after it, the present.
    pub(in crate::commands) fn pair(&self, id: &str) -> Result<Vec<(Side, Side)>, Failure> {
        let setup = self.setup()?;
        let mut found: Vec<(&SubvolumeSetup, SnapshotName, Pair)> = Vec::new();
        for subvolume in &setup.subvolumes {
            let existing = snapshot::existing(subvolume)?.into_iter();
            found.extend(existing.filter_map(|snapshot| Some((subvolume, snapshot.name, snapshot.note.pair?))));
        }
        let newest = found.iter().max_by_key(|(_, name, pair)| (name.taken(), &pair.id));
        let id = if id == "last" { newest.map(|(_, _, pair)| pair.id.as_str()) } else { Some(id) };
        let of =
            |side: PairSide| found.iter().filter(move |(_, _, pair)| pair.side == side && Some(pair.id.as_str()) == id);
        let mut pairs = Vec::new();
        for (subvolume, name, _) in of(PairSide::Before) {
            let after = of(PairSide::After).find(|(other, ..)| other.name == subvolume.name);
            let to = after.map_or_else(|| Side::present(subvolume), |(_, name, _)| Side::snapshot(subvolume, name));
            pairs.push((Side::snapshot(subvolume, name)?, to?));
        }
        if pairs.is_empty() {
            let what = "there is no such pair of snapshots";
            return Err(Failure::usage(what, "`subvault around -- CMD` takes one, and tells its ID"));
        }
        Ok(pairs)
    }

    fn setup(&self) -> Result<&Setup, Failure> {
        if let Some(setup) = self.setup.get() {
            return Ok(setup);
        }
        let setup = self.context.setup()?;
        Ok(self.setup.get_or_init(|| setup))
    }

    fn configured(&self, path: &Path) -> Result<Option<&SubvolumeSetup>, Failure> {
        let real = std::fs::canonicalize(path).ok();
        let is_it = |setup: &&SubvolumeSetup| real.is_some() && std::fs::canonicalize(&setup.path).ok() == real;
        Ok(self.setup()?.subvolumes.iter().find(is_it))
    }

    fn meaning(&self, word: &OsStr) -> Result<Meaning<'_>, Failure> {
        let text = match word.to_str() {
            Some(text) if !text.contains('/') && !matches!(text, "." | "..") => text,
            _ => return Ok(Meaning::Path),
        };
        let setup = self.setup()?;
        let subvolume = |name: &SubvolumeName| setup.subvolume(name).ok_or_else(|| no_subvolume(setup, name));
        if let Ok(name) = text.parse::<SnapshotName>() {
            return Ok(Meaning::Snapshot(subvolume(name.subvolume())?, name));
        }
        let named = |text: &str| text.parse::<SubvolumeName>().ok().and_then(|name| setup.subvolume(&name));
        if let Some(setup) = named(text) {
            return Ok(Meaning::Subvolume(setup));
        }
        if let Some((setup, when)) = text.rsplit_once('@').and_then(|(name, when)| Some((named(name)?, when))) {
            let at = when::parse(when).map_err(|why| Failure::usage(format!("`{when}` is not a moment"), why))?;
            return Ok(Meaning::At(setup, at));
        }
        match text.parse::<SubvolumeName>() {
            Ok(name) => Err(no_subvolume(setup, &name)),
            Err(error) => Err(Failure::usage(error.to_string(), "a path must have a slash in it, as in ./NAME")),
        }
    }
}

fn open(meaning: &Meaning<'_>, word: &OsStr) -> Result<Side, Failure> {
    Ok(match meaning {
        Meaning::Path => Side::path(Path::new(word))?,
        Meaning::Snapshot(setup, name) => Side::snapshot(setup, name)?,
        Meaning::At(setup, at) => Side::newest(setup, Some(*at))?,
        Meaning::Subvolume(setup) => Side::newest(setup, None)?,
    })
}
