//! The boot entry for what a rollback keeps aside: a copy of the entry that starts the place, with another subvolume. For
//! loaders that read entries it is a file of its own, for GRUB it is in `custom.cfg`.
//!
//! It must never become the one that starts by default: where a loader could take it for that, there is none.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::boot::{self, Entry, Root};
use super::path::PoolPath;
use super::transaction::BootEntry;
use super::{Facts, grub};

/// Where our entries for GRUB are, below a boot directory.
const MENUS: [&str; 2] = ["grub", "grub2"];

impl BootEntry {
    /// Whether it is one that a rollback writes. A note says which one, and a note lies on a disk that may be another's: what
    /// it names is written by root.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        let texts = [&self.after, &self.before];
        let is_our_text = || texts.into_iter().flatten().all(|text| grub::is_ours(text));
        let is_menu = |base: &Path| MENUS.iter().any(|menu| self.file == base.join(menu).join("custom.cfg"));
        match (self.within, self.split()) {
            (true, _) => is_menu(Path::new("boot")) && is_our_text(),
            (false, Some((base, rest))) => base.is_absolute() && (!is_custom(rest) || is_our_text()),
            (false, None) => false,
        }
    }

    /// The directory among these that it is below, and its path from there.
    #[must_use]
    pub fn below<'a>(&'a self, directories: &'a [PathBuf]) -> Option<(&'a Path, &'a Path)> {
        let (base, rest) = self.split().filter(|_| self.is_ours())?;
        directories.iter().any(|directory| directory == base).then_some((base, rest))
    }

    /// The boot directory and the path from there, if it is where entries of ours are.
    fn split(&self) -> Option<(&Path, &Path)> {
        use std::path::Component;
        if self.file.components().any(|part| matches!(part, Component::ParentDir)) {
            return None;
        }
        let name = self.file.file_name()?.to_str()?;
        let is_entry = name.starts_with("subvault-") && boot::is_entry(&self.file);
        let is_in_menu = || MENUS.iter().any(|menu| self.file.ends_with(Path::new(menu).join("custom.cfg")));
        let depth = if is_entry { 3 } else { is_in_menu().then_some(2)? };
        let base = self.file.ancestors().nth(depth)?;
        Some((base, self.file.strip_prefix(base).ok()?))
    }
}

/// Whether what is at the place of an entry may be replaced by it: a `custom.cfg` only where it is ours.
#[must_use]
pub fn may_replace(file: &Path, found: &[u8]) -> bool {
    !is_custom(file) || std::str::from_utf8(found).is_ok_and(grub::is_ours)
}

/// The entry that starts what will be kept aside.
///
/// # Errors
/// Why there can be none.
pub(super) fn to_write(
    facts: &Facts,
    entries: &[Entry],
    aside: &PoolPath,
    now: Timestamp,
) -> Result<BootEntry, &'static str> {
    let has_menu = facts.boot.files.keys().any(|file| is_menu(file));
    of_its_own(facts, entries, aside, now).or_else(|why| if has_menu { in_menu(facts, aside, now) } else { Err(why) })
}

fn is_menu(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name == "grub.cfg")
}

/// An entry for GRUB.
fn in_menu(facts: &Facts, aside: &PoolPath, now: Timestamp) -> Result<BootEntry, &'static str> {
    let (boot, place) = (&facts.boot, &facts.subject.path);
    let (menu_file, menu) = boot.files.iter().find(|(file, _)| is_menu(file)).ok_or("there is no menu of GRUB")?;
    let custom = menu_file.with_file_name("custom.cfg");
    let existing = boot.files.get(&custom).map(|text| std::str::from_utf8(text)).transpose();
    let existing = existing.map_err(|_| "there is a custom.cfg of your own")?;
    let outside = boot.outside.iter().rev().find(|(base, _)| menu_file.starts_with(base));
    let (file, menu, within) = match (outside, &boot.replaced_menu) {
        (Some((base, at)), _) => (at.join(rest(&custom, base)), menu, false),
        // The kernel that starts it is the one that is inside of it.
        (None, Some(replaced)) => (custom.clone(), replaced, true),
        (None, None) => return Err("GRUB's menu lies in another subvolume"),
    };
    if !grub::reads_custom(&boot.files[menu_file]) {
        return Err("GRUB's menu does not read custom.cfg");
    }
    let entry = grub::entry(menu, (place, aside), within, now)?;
    let after = grub::with(existing, &entry_name(aside), &entry)?;
    Ok(BootEntry { file, within, after: Some(after), before: existing.map(str::to_owned) })
}

/// An entry in a file of its own, a copy of the one that starts by default.
fn of_its_own(facts: &Facts, entries: &[Entry], aside: &PoolPath, now: Timestamp) -> Result<BootEntry, &'static str> {
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
    Ok(BootEntry { file, within: false, after: Some(text), before: None })
}

/// The entry that was written for what now comes back.
pub(super) fn to_remove(facts: &Facts, aside: &PoolPath) -> Option<BootEntry> {
    let name = entry_name(aside);
    let boot = &facts.boot;
    let is_named = |file: &Path| file.file_name().is_some_and(|found| found == name.as_str());
    let is_it = |file: &Path, text: &str| if is_custom(file) { grub::has(text, &name) } else { is_named(file) };
    let texts = boot.files.iter().filter_map(|(file, text)| Some((file, std::str::from_utf8(text).ok()?)));
    let (file, before) = texts.into_iter().find(|(file, text)| is_it(file, text))?;
    let (base, at) = boot.outside.iter().rev().find(|(base, _)| file.starts_with(base))?;
    let after = if is_custom(file) { grub::without(before, &name) } else { None };
    Some(BootEntry { file: at.join(rest(file, base)), within: false, after, before: Some(before.to_owned()) })
}

fn is_custom(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name == "custom.cfg")
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
pub(super) fn renamed(word: &str, place: &str, aside: &str) -> String {
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
