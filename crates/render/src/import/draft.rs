//! A configuration of ours as it is being put together, and its text.

use std::collections::BTreeSet;

use crate::toml_text::{commented, quoted};

/// The tag of snapshots that always stay.
const KEEP: &str = "keep";
/// How long "for ever" is: no snapshot is older than Btrfs, and none will be so old.
pub(super) const FOREVER_YEARS: u32 = 100;

/// The configuration.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// What stands at the top.
    pub(super) head: String,
    /// When targets are sent to.
    pub(super) send: Option<&'static str>,
    /// Below how many hundredths of free space retention shortens.
    pub(super) yellow: Option<u8>,
    pub(super) subvolumes: Vec<Subvolume>,
    pub(super) targets: Vec<Target>,
    /// What could not be carried over, at the end.
    pub(super) losses: Vec<String>,
}

/// A `[[subvolume]]`.
#[derive(Debug, Default)]
pub(super) struct Subvolume {
    pub(super) name: String,
    pub(super) path: String,
    /// When snapshots are taken; without, those of the other program are sent.
    pub(super) snapshot: Option<String>,
    pub(super) keep: Keep,
    /// Where it is copied to; everywhere if not said.
    pub(super) targets: Option<Vec<String>>,
    /// What the user should know, above it.
    pub(super) notes: Vec<String>,
}

/// A `[[target]]`.
#[derive(Debug, Default)]
pub(super) struct Target {
    pub(super) name: String,
    /// Its other keys with their values as TOML, and its tables after them.
    pub(super) lines: Vec<String>,
    /// What the user should know, above it.
    pub(super) notes: Vec<String>,
    /// Whether something is missing that only the user has. It is written as a comment.
    pub(super) unfinished: bool,
}

/// Retention.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Keep {
    pub(super) newest: Option<u32>,
    /// In hours.
    pub(super) within_hours: Option<u32>,
    /// Hourly, daily, weekly, monthly, quarterly, yearly.
    pub(super) periods: [u32; 6],
    pub(super) tags: BTreeSet<String>,
}

/// Below so many hundredths of free space only the least is kept, at most.
const RED_MOST: u8 = 5;

const PERIODS: [&str; 6] = ["hourly", "daily", "weekly", "monthly", "quarterly", "yearly"];

impl Keep {
    /// Everything, for ever.
    pub(super) fn everything() -> Self {
        Self { within_hours: Some(FOREVER_YEARS * 366 * 24), ..Self::default() }
    }

    /// What both keep.
    pub(super) fn or(&self, other: &Self) -> Self {
        let mut periods = self.periods;
        periods.iter_mut().zip(other.periods).for_each(|(own, other)| *own = other.max(*own));
        Self {
            newest: self.newest.max(other.newest),
            within_hours: self.within_hours.max(other.within_hours),
            periods,
            tags: self.tags.union(&other.tags).cloned().collect(),
        }
    }

    /// As TOML. Everything is said: what is not would be as in the rules for all.
    pub(super) fn text(&self) -> String {
        let mut parts = vec![format!("newest = {}", self.newest.unwrap_or(1).max(1))];
        let hours = self.within_hours.unwrap_or(0);
        let length = if hours.is_multiple_of(24) { format!("{} days", hours / 24) } else { format!("{hours} hours") };
        parts.push(format!("within = {}", quoted(&length)));
        parts.extend(PERIODS.iter().zip(self.periods).map(|(name, count)| format!("{name} = {count}")));
        let tags = self.tags.iter().map(String::as_str).chain([KEEP]).map(quoted);
        parts.push(format!("tags = [{}]", tags.collect::<Vec<_>>().join(", ")));
        format!("{{ {} }}", parts.join(", "))
    }
}

impl Keep {
    /// The rules for copies, which know neither ages nor tags: of what is kept for its age, each hour's first is.
    pub(super) fn of_copies(&self) -> String {
        let mut periods = self.periods;
        periods[0] = periods[0].max(self.within_hours.unwrap_or(0));
        let newest = format!("newest = {}", self.newest.unwrap_or(1).max(1));
        let periods = PERIODS.iter().zip(periods).map(|(name, count)| format!("{name} = {count}"));
        format!("{{ {} }}", std::iter::once(newest).chain(periods).collect::<Vec<_>>().join(", "))
    }
}

impl Draft {
    /// Takes targets that are only comments out of what subvolumes name.
    pub(super) fn leave_out_unfinished(&mut self) {
        for target in self.targets.iter().filter(|target| target.unfinished) {
            for subvolume in &mut self.subvolumes {
                let Some(targets) = subvolume.targets.as_mut().filter(|all| all.contains(&target.name)) else {
                    continue;
                };
                targets.retain(|name| *name != target.name);
                subvolume
                    .notes
                    .push(format!("When the target {0} is complete, name it: targets = [{0:?}, …].", target.name));
            }
        }
    }

    /// The text.
    pub(super) fn text(&self) -> String {
        let mut text = commented(&self.head);
        if let Some(send) = self.send {
            text.push_str(&format!(
                "\n# As often as snapshots are taken, as btrbk does it.\n[schedule]\nsend = {}\n",
                quoted(send)
            ));
        }
        // What the other program keeps it keeps however short space is, unless it says when that is.
        let (yellow, red) = (self.yellow.unwrap_or(0), self.yellow.unwrap_or(0).min(RED_MOST));
        text.push_str("\n# Below so much free space fewer snapshots are kept; 0 %: never.\n");
        text.push_str(&format!("[space]\nyellow = \"{yellow} %\"\nred = \"{red} %\"\n"));
        for subvolume in &self.subvolumes {
            text.push('\n');
            text.push_str(&subvolume.text());
        }
        for target in &self.targets {
            text.push('\n');
            text.push_str(&target.text());
        }
        if !self.losses.is_empty() {
            text.push_str("\n# What could not be carried over:\n");
            self.losses.iter().for_each(|loss| text.push_str(&commented(loss)));
        }
        text
    }
}

impl Subvolume {
    fn text(&self) -> String {
        let mut text: String = self.notes.iter().map(|note| commented(note)).collect();
        text.push_str(&format!("[[subvolume]]\nname = {}\npath = {}\n", quoted(&self.name), quoted(&self.path)));
        text.push_str(&match &self.snapshot {
            Some(schedule) => format!("snapshot = {}\n", quoted(schedule)),
            // Somebody else takes them, and goes on doing so.
            None => "snapshot = \"never\"\nforeign = \"ship\"\n".to_owned(),
        });
        text.push_str(&format!("keep = {}\n", self.keep.text()));
        if let Some(targets) = &self.targets {
            let targets: Vec<String> = targets.iter().map(|name| quoted(name)).collect();
            text.push_str(&format!("targets = [{}]\n", targets.join(", ")));
        }
        text
    }
}

impl Target {
    fn text(&self) -> String {
        let mut text = format!("[[target]]\nname = {}\n", quoted(&self.name));
        self.lines.iter().for_each(|line| text.push_str(&format!("{line}\n")));
        let notes: String = self.notes.iter().map(|note| commented(note)).collect();
        if self.unfinished { notes + &commented(&text) } else { notes + &text }
    }
}

/// A name that subvolumes and targets can have, made of what the other program calls it, and used by no other.
pub(super) fn name(wanted: &str, used: &mut BTreeSet<String>) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-@.".contains(c);
    let plain: String = wanted.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    let plain: String = plain.trim_matches('-').trim_start_matches(['.', '-']).chars().take(60).collect();
    let plain = if plain.is_empty() { "root".to_owned() } else { plain };
    let mut found = plain.clone();
    let mut number = 2;
    while !used.insert(found.clone()) {
        found = format!("{plain}-{number}");
        number += 1;
    }
    found
}
