//! Values in words: times of the calendar, lengths of time, rules of retention.

mod calendar;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use subvault_model::file_path::FilePath;
use subvault_plan::keep::Keep;
use subvault_plan::strategy::TargetKind;
use subvault_plan::strategy::profile::Family;
use subvault_plan::strategy::sending::Method;
pub(super) use subvault_plan::strategy::snapshots::long as length;

pub(super) use self::calendar::calendar;

/// A number of things: `1 stream`, `3 streams`.
pub(super) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// The same for what is counted in small numbers.
pub(super) fn count_of(number: u32, thing: &str) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), thing)
}

/// A minute of the day: `02:17`.
pub(super) fn time(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// A day: `22 Nov 2026`.
pub(super) fn day(day: Date) -> String {
    day.strftime("%-d %b %Y").to_string()
}

/// The day on which a moment is.
pub(super) fn day_of(at: Timestamp, zone: &TimeZone) -> Date {
    zone.to_datetime(at).date()
}

/// How many of what retention keeps, in the order of its periods.
const PERIODS: [&str; 6] = ["hourly", "daily", "weekly", "monthly", "quarterly", "yearly"];

/// Rules of retention: `168 hourly, 30 daily`. What they have in common, the newest and those with tags, is left out.
pub(super) fn keep(keep: &Keep) -> String {
    let within = keep.within.map(|within| format!("all of {}", length(within)));
    let counted = PERIODS.iter().zip(keep.periods).filter(|(_, count)| *count > 0);
    let parts: Vec<String> = within.into_iter().chain(counted.map(|(name, count)| format!("{count} {name}"))).collect();
    if parts.is_empty() { format!("the newest {}", keep.newest) } else { parts.join(", ") }
}

/// What a target is, and whose.
pub(super) fn target_kind(kind: &TargetKind) -> (&'static str, Option<String>) {
    match kind {
        TargetKind::Directory => ("directory", None),
        TargetKind::Bucket { provider, class: None } => ("bucket", Some(provider.clone())),
        TargetKind::Bucket { provider, class: Some(class) } => ("bucket", Some(format!("{provider}, {class}"))),
        TargetKind::Disk => ("Btrfs disk", None),
        TargetKind::Host => ("another host", None),
    }
}

/// How something is brought away.
pub(super) const fn method(method: Method) -> &'static str {
    match method {
        Method::Stream => "as a stream",
        Method::StreamAfterHook => "as a stream, after a hook",
        Method::Nothing => "not at all",
    }
}

/// A family of hosts.
pub(super) const fn family(family: Family) -> &'static str {
    match family {
        Family::Laptop => "laptop",
        Family::Desktop => "desktop",
        Family::Vps => "rented machine",
        Family::Server => "server",
    }
}

/// Where something is, from the root of the system.
pub(super) fn rooted(path: &FilePath) -> String {
    match path.as_bytes() {
        [] => "/".to_owned(),
        [b'/', ..] => path.to_string(),
        _ => format!("/{path}"),
    }
}

/// Names one after the other: `a, b and c`.
pub(super) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
