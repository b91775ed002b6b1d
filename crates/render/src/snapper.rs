//! Configurations of snapper: one for each subvolume that has snapshots, with the strategy's retention as its timeline.
//!
//! For those who want snapper to take them. snapper has one timer for all its configurations, so that is set to the shortest
//! cadence of all. What the strategy does not speak of, such as pairs around installations, is as snapper has it of itself.

use subvault_model::facts::Facts;
use subvault_plan::keep::Keep;
use subvault_plan::strategy::{Strategy, SubvolumeStrategy};

use crate::cadence::longest_gap;
use crate::file::{RenderedFile, mark};
use crate::seen::{self, Seen};

/// The files; none where no snapshots are taken.
#[must_use]
pub fn render(facts: &Facts, strategy: &Strategy) -> Vec<RenderedFile> {
    let seen = seen::all(facts, strategy);
    let mut files: Vec<RenderedFile> = seen.iter().filter_map(config).collect();
    let with_snapshots = seen.iter().map(|seen| seen.decided).filter(|decided| decided.snapshots.value.is_some());
    if let Some(event) = shortest(with_snapshots).filter(|event| *event != "hourly" && !files.is_empty()) {
        let path = "etc/systemd/system/snapper-timeline.timer.d/subvault.conf".into();
        files.push(RenderedFile { path, text: format!("{}{TIMER}OnCalendar={event}\n", mark(WORD)) });
    }
    files
}

const WORD: &str = "snapper";

const TIMER: &str = "\
# The shortest cadence of all subvolumes; snapper's own is each hour.
[Timer]
OnCalendar=
";

/// The calendar event that comes most often.
fn shortest<'a>(all: impl Iterator<Item = &'a SubvolumeStrategy>) -> Option<&'a str> {
    let events = all.filter_map(|one| one.snapshots.value.as_deref());
    events.filter_map(|event| Some((longest_gap(event)?, event))).min().map(|(_, event)| event)
}

fn config(seen: &Seen<'_>) -> Option<RenderedFile> {
    let decided = seen.decided;
    let keep = &decided.keep.as_ref()?.value;
    decided.snapshots.value.as_ref()?;
    let file = |text: String| RenderedFile { path: format!("etc/snapper/configs/{}", decided.name).into(), text };
    let Some(path) = quoted(&seen.path()) else {
        return Some(file(format!(
            "{}# There is no configuration: snapper cannot read /{}.\n",
            mark(WORD),
            decided.path
        )));
    };
    let mut text = format!("{}# {}: retention: {}.\n", mark(WORD), decided.name, because(decided));
    text.push_str(&format!("# snapper looks at it when its name is in SNAPPER_CONFIGS (/etc/default/snapper, /etc/sysconfig/snapper or\n# /etc/conf.d/snapper) and {path} has a subvolume `.snapshots`.\n"));
    text.push_str(&format!("SUBVOLUME={path}\nFSTYPE=\"btrfs\"\n{ALONE}"));
    for (key, value) in limits(keep) {
        text.push_str(&format!("{key}=\"{value}\"\n"));
    }
    text.push_str(PAIRS);
    Some(file(text))
}

fn because(decided: &SubvolumeStrategy) -> String {
    decided.keep.as_ref().map(|keep| keep.because.clone()).unwrap_or_default()
}

/// The timeline. What is younger than the time within which all are kept is cleaned up by nothing.
fn limits(keep: &Keep) -> Vec<(&'static str, u64)> {
    let youngest = keep.within.map_or(0, |within| within.as_secs()).max(YOUNGEST);
    let [hourly, daily, weekly, monthly, quarterly, yearly] = keep.periods.map(u64::from);
    let mut limits = vec![
        ("TIMELINE_MIN_AGE", youngest.unsigned_abs()),
        ("TIMELINE_LIMIT_HOURLY", hourly),
        ("TIMELINE_LIMIT_DAILY", daily),
        ("TIMELINE_LIMIT_WEEKLY", weekly),
        ("TIMELINE_LIMIT_MONTHLY", monthly),
        ("TIMELINE_LIMIT_YEARLY", yearly),
    ];
    // Only newer versions of snapper know quarters.
    if quarterly > 0 {
        limits.push(("TIMELINE_LIMIT_QUARTERLY", quarterly));
    }
    limits
}

/// What snapper itself takes for young, in seconds.
const YOUNGEST: i64 = 1800;

const ALONE: &str = "
# No quotas: they slow Btrfs down. So snapshots are not limited by the room that they take.
QGROUP=\"\"
SPACE_LIMIT=\"1\"
FREE_LIMIT=\"0\"

# Root alone.
ALLOW_USERS=\"\"
ALLOW_GROUPS=\"\"
SYNC_ACL=\"no\"

TIMELINE_CREATE=\"yes\"
TIMELINE_CLEANUP=\"yes\"
";

/// snapper's own defaults, in so many words.
const PAIRS: &str = "
# Pairs around installations are snapper's own: the strategy does not speak of them.
NUMBER_CLEANUP=\"yes\"
NUMBER_MIN_AGE=\"1800\"
NUMBER_LIMIT=\"50\"
NUMBER_LIMIT_IMPORTANT=\"10\"
EMPTY_PRE_POST_CLEANUP=\"no\"
";

/// A path as snapper reads it: what is between quotes is taken as it is. `None` for what cannot be there.
fn quoted(path: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(path).ok()?;
    let is_odd = |c: char| c.is_control() || "\"\\".contains(c);
    (!text.chars().any(is_odd)).then(|| format!("\"{text}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_as_they_are_or_left_out() {
        assert_eq!(quoted(b"/home").as_deref(), Some("\"/home\""));
        assert_eq!(quoted(b"/it's $mine").as_deref(), Some("\"/it's $mine\""));
        for path in [&b"/\xff"[..], b"/a\nb", b"/a\"b", b"/a\\b"] {
            assert_eq!(quoted(path), None);
        }
    }
}
