//! `import snapper`: the files in `/etc/snapper/configs`, a subvolume each. See `snapper-configs(5)`.

mod keys;
mod shell;

use std::collections::{BTreeMap, BTreeSet};

use self::keys::{fate, free, limit};
use super::draft::{self, Draft, Keep, Subvolume};
use super::{Fate, Imported, NotUnderstood, Remark};

/// A configuration of snapper.
#[derive(Debug, Clone)]
pub struct SnapperFile {
    /// What snapper calls it.
    pub name: String,
    /// Where it was read, for people.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// A line that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    line: usize,
    key: String,
    value: String,
}

/// Reads them as one configuration of ours.
///
/// # Errors
/// When a line is none that a shell would take for an assignment, or a configuration names no subvolume.
pub fn import(files: &[SnapperFile]) -> Result<Imported, NotUnderstood> {
    let mut draft = Draft { head: HEAD.to_owned(), ..Draft::default() };
    let mut remarks = Vec::new();
    let mut names = BTreeSet::new();
    let mut yellow: Option<u8> = None;
    for file in files {
        let assignments = shell::read(&file.path, &file.text)?;
        let told = assignments.iter().map(|said| remark(file, said));
        let first = remarks.len();
        remarks.extend(told);
        let values: BTreeMap<&str, &str> =
            assignments.iter().map(|said| (said.key.as_str(), said.value.as_str())).collect();
        match subvolume(file, &values, &mut names)? {
            Ok(subvolume) => {
                draft.subvolumes.push(subvolume);
                yellow = yellow.max(values.get("FREE_LIMIT").and_then(|value| free(value)));
            }
            Err(why) => {
                remarks.truncate(first);
                let what = format!("the configuration {}", file.name);
                remarks.push(Remark { file: file.path.clone(), line: 1, what, fate: Fate::NotCarried, why });
            }
        }
    }
    draft.yellow = yellow;
    let mut imported = Imported { config: String::new(), remarks };
    draft.losses = imported.losses().map(ToString::to_string).collect();
    imported.config = draft.text();
    Ok(imported)
}

fn remark(file: &SnapperFile, said: &Assignment) -> Remark {
    let (fate, why) = fate(&said.key, &said.value);
    let what = format!("{}=\"{}\"", said.key, said.value);
    Remark { file: file.path.clone(), line: said.line, what, fate, why: why.to_owned() }
}

/// The subvolume of a configuration, or why it cannot be looked after.
fn subvolume(
    file: &SnapperFile,
    values: &BTreeMap<&str, &str>,
    names: &mut BTreeSet<String>,
) -> Result<Result<Subvolume, String>, NotUnderstood> {
    let Some(path) = values.get("SUBVOLUME").filter(|path| path.starts_with('/')) else {
        let what = "it names no SUBVOLUME by its whole path".to_owned();
        return Err(NotUnderstood { file: file.path.clone(), line: 1, what });
    };
    let kind = values.get("FSTYPE").copied().unwrap_or("btrfs");
    if kind != "btrfs" {
        return Ok(Err(format!("{path} is on {kind}, and subvault looks after Btrfs alone")));
    }
    // What snapper takes for granted where a key is missing.
    let mut notes = vec![format!("From snapper's configuration {}.", file.name)];
    let timeline = values.get("TIMELINE_CREATE").is_none_or(|value| *value == "yes");
    if timeline {
        notes.push("snapper-timeline.timer takes one each hour; change both if that one was changed.".to_owned());
    }
    Ok(Ok(Subvolume {
        name: draft::name(&file.name, names),
        path: (*path).to_owned(),
        snapshot: timeline.then(|| "hourly".to_owned()),
        keep: keep(values, timeline),
        targets: None,
        notes,
    }))
}

fn keep(values: &BTreeMap<&str, &str>, timeline: bool) -> Keep {
    let number_of = |key: &str, otherwise: u32| values.get(key).and_then(|value| limit(value)).unwrap_or(otherwise);
    let is_on = |key: &str| values.get(key).is_none_or(|value| *value == "yes");
    let mut keep = Keep::default();
    let mut youngest = 0;
    if is_on("NUMBER_CLEANUP") {
        keep.newest = Some(number_of("NUMBER_LIMIT", 50).max(1));
        youngest = number_of("NUMBER_MIN_AGE", 1800);
        if number_of("NUMBER_LIMIT_IMPORTANT", 10) > 0 {
            keep.tags.insert("important".to_owned());
        }
    }
    if timeline {
        if !is_on("TIMELINE_CLEANUP") {
            return Keep { tags: keep.tags, ..Keep::everything() };
        }
        youngest = youngest.max(number_of("TIMELINE_MIN_AGE", 1800));
        keep.periods = [
            number_of("TIMELINE_LIMIT_HOURLY", 10),
            number_of("TIMELINE_LIMIT_DAILY", 10),
            number_of("TIMELINE_LIMIT_WEEKLY", 0),
            number_of("TIMELINE_LIMIT_MONTHLY", 10),
            number_of("TIMELINE_LIMIT_QUARTERLY", 0),
            number_of("TIMELINE_LIMIT_YEARLY", 10),
        ];
    }
    keep.within_hours = Some(youngest.div_ceil(3600)).filter(|hours| *hours > 0);
    if keep == Keep::default() { Keep::everything() } else { keep }
}

const HEAD: &str = "\
The configuration of subvault, made from snapper's by `subvault import snapper`.
Look it through. snapper goes on as before until you stop it:
  systemctl disable --now snapper-timeline.timer snapper-cleanup.timer
Its snapshots stay, are shown by `subvault list`, and are never deleted by subvault.";
