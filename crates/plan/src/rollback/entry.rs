//! The boot entry for what a rollback keeps aside: a copy of the entry that starts by default, with another subvolume.
//!
//! It must never become the one that starts by default: where a loader could take it for that, there is none.

use std::path::Path;

use jiff::Timestamp;

use super::Facts;
use super::boot::{self, Entry, Root};
use super::path::PoolPath;
use super::transaction::BootEntry;

/// The entry that starts what will be kept aside, a copy of the one that starts by default.
///
/// # Errors
/// Why there can be none.
pub(super) fn to_write(
    facts: &Facts,
    entries: &[Entry],
    aside: &PoolPath,
    now: Timestamp,
) -> Result<BootEntry, &'static str> {
    let (boot, place) = (&facts.boot, &facts.subject.path);
    let entries: Vec<Entry> = entries.iter().filter(|entry| entry.is_text).cloned().collect();
    let entry = boot.default_of(&entries).ok_or("the loader has no entries that can be copied")?;
    if entry.root != Root::Named(place.clone()) {
        return Err("the entries do not name the subvolume");
    }
    let base = boot.outside.iter().rev().find(|(base, _)| entry.file.starts_with(base));
    let (base, at) = base.ok_or("the entries lie inside the subvolume")?;
    let text = boot.files.get(&entry.file).and_then(|text| std::str::from_utf8(text).ok());
    let text = text.ok_or("the entry is not text")?;
    let name = entry_name(aside);
    let file = entry.file.with_file_name(&name);
    // A loader that sorts by name could take it for the newest.
    let is_sorted = boot::values(text.as_bytes(), "sort-key").next().is_some();
    if boot.is_told(&file) || !(boot.is_told(&entry.file) || is_sorted) {
        return Err("it could become the one that starts by default");
    }
    let text = copy(text, place, aside, now).ok_or("its options are not understood")?;
    let file = at.join(rest(&file, base));
    Ok(BootEntry { file, after: Some(text), before: None })
}

/// The entry that was written for what now comes back.
pub(super) fn to_remove(facts: &Facts, aside: &PoolPath) -> Option<BootEntry> {
    let name = entry_name(aside);
    let boot = &facts.boot;
    let (file, text) = boot.files.iter().find(|(file, _)| file.file_name().is_some_and(|n| n == name.as_str()))?;
    let (base, at) = boot.outside.iter().rev().find(|(base, _)| file.starts_with(base))?;
    let before = std::str::from_utf8(text).ok()?.to_owned();
    Some(BootEntry { file: at.join(rest(file, base)), after: None, before: Some(before) })
}

fn rest<'a>(file: &'a Path, base: &Path) -> &'a Path {
    file.strip_prefix(base).unwrap_or(file)
}

/// The name of the entry for what is kept aside: plain, for loaders and their file systems.
fn entry_name(aside: &PoolPath) -> String {
    let plain = aside.to_string();
    let plain: String = plain.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    format!("subvault-{}.conf", plain.trim_matches('-'))
}

/// An entry that starts what is kept aside. It has no key to be sorted by, so that it comes after those that have.
fn copy(text: &str, place: &PoolPath, aside: &PoolPath, now: Timestamp) -> Option<String> {
    let (place, aside) = (place.to_string(), aside.to_string());
    let mut out = String::new();
    let mut changed = false;
    for line in text.lines() {
        let key = line.split_whitespace().next().unwrap_or_default();
        match key {
            "sort-key" => continue,
            "title" => out.push_str(&format!(
                "{} (before the rollback of {})",
                line.trim_end(),
                now.strftime("%Y-%m-%d %H:%M UTC")
            )),
            "options" => {
                let words: Vec<String> = line.split(' ').map(|word| renamed(word, &place, &aside)).collect();
                let new = words.join(" ");
                changed |= new != line;
                out.push_str(&new);
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    changed.then_some(out)
}

/// `rootflags=rw,subvol=@` with another name in it.
fn renamed(word: &str, place: &str, aside: &str) -> String {
    let Some(flags) = word.strip_prefix("rootflags=") else { return word.to_owned() };
    let flags: Vec<String> = flags
        .split(',')
        .map(|flag| match flag.strip_prefix("subvol=") {
            Some(named) if named.trim_matches('/') == place => format!("subvol={aside}"),
            _ => flag.to_owned(),
        })
        .collect();
    format!("rootflags={}", flags.join(","))
}
