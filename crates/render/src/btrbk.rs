//! `btrbk.conf`: the strategy's snapshots, retention and copies to Btrfs disks and hosts, for those who want btrbk to take and
//! send them.
//!
//! btrbk counts back from today and the strategy counts periods that have snapshots; on a machine that is always on both
//! are the same. Where btrbk cannot say what is meant, what it keeps is more and never less. What it cannot do at all,
//! such as archives in pieces that are encrypted with age, is told in comments.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use subvault_model::facts::Facts;
use subvault_model::names::TargetName;
use subvault_plan::keep::Keep;
use subvault_plan::strategy::{Strategy, TargetKind, TargetStrategy};

use crate::file::{RenderedFile, mark};
use crate::seen::{self, Seen};

/// Where copies go, and which stay there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies {
    /// Where.
    pub place: Place,
    /// Which stay.
    pub keep: Keep,
}

/// A place for copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A directory of this machine that is always there.
    Directory(PathBuf),
    /// A disk that is only mounted while something is copied to it.
    Disk,
    /// A directory of a host that is reached by SSH.
    Host {
        /// As ssh takes it, with a user in front or not.
        host: String,
        /// The port, if it is not the usual one.
        port: Option<u16>,
        /// The file with the private key, if one is said.
        identity: Option<PathBuf>,
        /// Where on it.
        directory: PathBuf,
    },
}

/// The file; `None` where no snapshots are taken. `copies` says of targets that are Btrfs where they are.
#[must_use]
pub fn render(facts: &Facts, strategy: &Strategy, copies: &BTreeMap<TargetName, Copies>) -> Option<RenderedFile> {
    let seen = seen::all(facts, strategy);
    let sections: Vec<String> = seen.iter().filter_map(|seen| section(seen, strategy, copies)).collect();
    let left_out: String = strategy.targets.iter().filter_map(|target| left_out(target, copies)).collect();
    let text = format!("{}{HEAD}{left_out}{GLOBAL}{}", mark("btrbk"), sections.concat());
    (!sections.is_empty()).then(|| RenderedFile { path: "etc/btrbk/btrbk.conf".into(), text })
}

/// The directory in a target that is btrbk's: it would take our copies beside its own for its own.
const THEIRS: &str = "btrbk";

const HEAD: &str = "\
# btrbk takes snapshots when it is started: set btrbk.timer, or what else starts it, to the shortest cadence below.
# Each subvolume needs a directory `.btrbk_snapshots`, and each target one called `btrbk`: `mkdir -m 0700`.
# Of the newest, btrbk keeps only the latest whatever its age; the strategy keeps a few.
";

const GLOBAL: &str = "
timestamp_format long
snapshot_dir .btrbk_snapshots
preserve_hour_of_day 0
preserve_day_of_week monday
";

/// What btrbk does not do.
fn left_out(target: &TargetStrategy, copies: &BTreeMap<TargetName, Copies>) -> Option<String> {
    let why = match (&target.kind, copies.get(&target.name).map(|copies| &copies.place)) {
        (TargetKind::Directory, _) => {
            "it is an archive of streams, in pieces and encrypted; btrbk stores whole streams"
        }
        (TargetKind::Bucket { .. }, _) => "it is a bucket, and btrbk knows none",
        (TargetKind::Disk, Some(Place::Disk)) => {
            "it is mounted only while subvault copies to it, and btrbk mounts nothing"
        }
        (TargetKind::Disk | TargetKind::Host, None) => "nobody said where it is",
        (TargetKind::Disk | TargetKind::Host, Some(_)) => return None,
    };
    Some(format!("# Not here: the target {}: {why}.\n", target.name))
}

fn section(seen: &Seen<'_>, strategy: &Strategy, copies: &BTreeMap<TargetName, Copies>) -> Option<String> {
    let decided = seen.decided;
    let (event, keep) = (decided.snapshots.value.as_ref()?, decided.keep.as_ref()?);
    let Some(path) = quoted(&seen.path()) else {
        return Some(format!("\n# Not here: {}: btrbk cannot read its path.\n", decided.name));
    };
    let mut text = format!("\n# {}: {event}; retention: {}.\n", decided.name, keep.because);
    text.push_str(&format!("volume {path}\n  subvolume .\n    snapshot_name {}\n", decided.name));
    text.push_str(&preserve("snapshot", "    ", &keep.value));
    for target in strategy.targets.iter().filter(|target| target.subvolumes.contains(&decided.name)) {
        if let Some(copies) = copies.get(&target.name) {
            text.push_str(&target_lines(copies).unwrap_or_default());
        }
    }
    Some(text)
}

fn target_lines(copies: &Copies) -> Option<String> {
    let mut text = match &copies.place {
        Place::Disk => return None,
        Place::Directory(directory) => format!("    target send-receive {}\n", place("", directory)?),
        Place::Host { host, port, identity, directory } => {
            let (user, host) = host.split_once('@').unwrap_or(("", host));
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            let mut text = format!("    target send-receive {}\n", place(&format!("ssh://{host}{port}"), directory)?);
            // btrbk would take root, and ssh_config knows better.
            text.push_str(&format!("      ssh_user {}\n", if user.is_empty() { "no" } else { user }));
            if let Some(identity) = identity.as_deref().and_then(Path::to_str) {
                text.push_str(&format!("      ssh_identity {identity}\n"));
            }
            text
        }
    };
    text.push_str(&preserve("target", "      ", &copies.keep));
    Some(text)
}

fn place(host: &str, directory: &Path) -> Option<String> {
    quoted(format!("{host}{}", directory.join(THEIRS).to_str()?).as_bytes())
}

/// The rules. A period that has begun counts here and not there; one of a kind keeps that of yesterday as well.
fn preserve(of: &str, indent: &str, keep: &Keep) -> String {
    let [hourly, daily, weekly, monthly, quarterly, yearly] = keep.periods;
    // There are no quarters; three months hold one.
    let monthly = monthly.max(quarterly.saturating_mul(3));
    let counts = [(hourly, 'h'), (daily, 'd'), (weekly, 'w'), (monthly, 'm'), (yearly, 'y')];
    let back = |count: u32| count.saturating_sub(1).max(1);
    let words: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{}{unit}", back(*count))).collect();
    let periods = if words.is_empty() { "no".to_owned() } else { words.join(" ") };
    // Whole hours back from this one.
    let within = keep.within.map(|within| within.as_secs().unsigned_abs().div_ceil(3600)).filter(|hours| *hours > 0);
    let least = within.map_or_else(|| "latest".to_owned(), |hours| format!("{hours}h"));
    format!("{indent}{of}_preserve_min {least}\n{indent}{of}_preserve {periods}\n")
}

/// A path as btrbk reads it back; `None` for what it would take for a pattern, a comment or the end of a line.
fn quoted(path: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(path).ok()?;
    let is_odd = |c: char| c.is_control() || "\"'#*".contains(c);
    let is_framed = text.starts_with(' ') || text.ends_with(' ');
    (!text.chars().any(is_odd) && !is_framed)
        .then(|| if text.contains(' ') { format!("\"{text}\"") } else { text.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn rules_keep_no_less() {
        let keep = |hours: Option<i64>, periods| Keep {
            newest: NonZeroU32::MIN,
            within: hours.map(SignedDuration::from_hours),
            periods,
            tags: std::collections::BTreeSet::new(),
        };
        for (keep, min, periods) in [
            (keep(Some(24), [168, 30, 13, 12, 0, 0]), "24h", "167h 29d 12w 11m"),
            (keep(None, [0, 7, 4, 12, 0, 3]), "latest", "6d 3w 11m 2y"),
            (keep(None, [0, 1, 0, 0, 4, 0]), "latest", "1d 11m"),
            (keep(Some(1), [0; 6]), "1h", "no"),
        ] {
            assert_eq!(preserve("x", "", &keep), format!("x_preserve_min {min}\nx_preserve {periods}\n"));
        }
    }

    #[test]
    fn what_btrbk_would_misread_is_left_out() {
        assert_eq!(quoted(b"/home").as_deref(), Some("/home"));
        assert_eq!(quoted(b"/my files").as_deref(), Some("\"/my files\""));
        for path in [&b"/a*"[..], b"/a#b", b"/a'b", b"/a ", b"/\xff", b"/a\nb"] {
            assert_eq!(quoted(path), None);
        }
    }
}
