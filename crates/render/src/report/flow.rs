//! What is snapshotted and sent, where to and how often; and which subvolumes share a row in a picture.

use jiff::{SignedDuration, Timestamp};
use subvault_model::names::TargetName;
use subvault_plan::calendar::Calendar;
use subvault_plan::strategy::tier::Tier;
use subvault_plan::strategy::{Strategy, SubvolumeStrategy};

use super::{Report, words};

/// As many rows of a picture can be read; with more subvolumes those that are treated alike share one.
pub(super) const ROWS_MAX: usize = 24;
/// The same where lines lead from each row to each target.
pub(super) const LINKED_ROWS_MAX: usize = 12;

/// How often something happens, the rarest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Often {
    Rarely,
    Monthly,
    Weekly,
    Daily,
    Hourly,
}

impl Often {
    pub(super) const ALL: [Self; 5] = [Self::Hourly, Self::Daily, Self::Weekly, Self::Monthly, Self::Rarely];

    /// In a word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Rarely => "more rarely",
            Self::Monthly => "monthly",
            Self::Weekly => "weekly",
            Self::Daily => "daily",
            Self::Hourly => "several times a day",
        }
    }
}

/// A subvolume that is sent to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent<'a> {
    pub(super) target: &'a TargetName,
    /// When, in systemd's words; `None`: only when it is asked for.
    pub(super) calendar: Option<&'a str>,
}

/// Where a subvolume is sent to.
pub(super) fn sent<'a>(strategy: &'a Strategy, subvolume: &'a SubvolumeStrategy) -> Vec<Sent<'a>> {
    let to = strategy.targets.iter().filter(|target| target.subvolumes.contains(&subvolume.name));
    let of_target = |schedule: &'a Option<Option<String>>| match schedule {
        Some(of_target) => of_target.as_deref(),
        None => subvolume.sends.value.as_deref(),
    };
    to.map(|target| Sent { target: &target.name, calendar: of_target(&target.schedule) }).collect()
}

/// How often a calendar event comes; `None` where it is none or never comes again.
pub(super) fn often(report: &Report<'_>, calendar: &str) -> Option<Often> {
    const FOUR_WEEKS: SignedDuration = SignedDuration::from_hours(28 * 24);
    let end = report.made.checked_add(FOUR_WEEKS).unwrap_or(Timestamp::MAX);
    let calendar = parsed(report, calendar)?;
    let mut at = calendar.next(report.made, &report.zone)?;
    let mut times = 0;
    // What comes several times a day need not be counted any further.
    while at <= end && times <= 2 * 28 {
        times += 1;
        let Some(next) = calendar.next(at, &report.zone) else { break };
        at = next;
    }
    Some(match times {
        0 => Often::Rarely,
        1..3 => Often::Monthly,
        3..14 => Often::Weekly,
        14..45 => Often::Daily,
        _ => Often::Hourly,
    })
}

/// A calendar event as it is; where it names a time zone of its own, as if it were the report's: no zone is read here.
pub(super) fn parsed(report: &Report<'_>, calendar: &str) -> Option<Calendar> {
    Calendar::parse(calendar, &|_| Some(report.zone.clone())).ok()
}

/// Subvolumes that share a row; there is always one.
#[derive(Debug, Clone)]
pub(super) struct Row<'a> {
    pub(super) first: &'a SubvolumeStrategy,
    pub(super) others: Vec<&'a SubvolumeStrategy>,
}

/// The rows of a picture, and how many subvolumes are in none of them.
#[derive(Debug, Clone)]
pub(super) struct Rows<'a> {
    pub(super) rows: Vec<Row<'a>>,
    pub(super) left_out: usize,
}

impl Row<'_> {
    pub(super) fn tier(&self) -> Tier {
        self.first.tier.value
    }

    pub(super) fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// What the row is called.
    pub(super) fn name(&self) -> String {
        if self.others.is_empty() { self.first.name.to_string() } else { words::count(self.count(), "subvolume") }
    }

    /// The names of those that are in it.
    pub(super) fn names(&self) -> String {
        let names = std::iter::once(&self.first).chain(&self.others).map(|subvolume| subvolume.name.to_string());
        names.collect::<Vec<_>>().join(", ")
    }
}

/// The rows for these subvolumes: one for each, or, where they are more than `most`, one for those of a tier that have the same
/// key.
pub(super) fn rows<'a, K: PartialEq>(
    subvolumes: impl Iterator<Item = &'a SubvolumeStrategy>,
    most: usize,
    key: impl Fn(&'a SubvolumeStrategy) -> K,
) -> Rows<'a> {
    let all: Vec<_> = subvolumes.collect();
    let is_alone = all.len() <= most;
    let mut found: Vec<(K, Row<'a>)> = Vec::new();
    for subvolume in all {
        let key = key(subvolume);
        let is_like =
            |(other, row): &&mut (K, Row<'a>)| !is_alone && *other == key && row.tier() == subvolume.tier.value;
        match found.iter_mut().find(is_like) {
            Some((_, row)) => row.others.push(subvolume),
            None => found.push((key, Row { first: subvolume, others: Vec::new() })),
        }
    }
    let mut rows: Vec<Row<'a>> = found.into_iter().map(|(_, row)| row).collect();
    rows.sort_by_key(|row| (row.tier(), std::cmp::Reverse(row.count())));
    let left_out = rows.iter().skip(most).map(Row::count).sum();
    rows.truncate(most);
    Rows { rows, left_out }
}
