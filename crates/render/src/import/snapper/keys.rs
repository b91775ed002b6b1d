//! What becomes of each key of snapper's configurations.

use crate::import::Fate::{self, Carried, Needless, NotCarried, Unknown};

/// The number, of a range the larger one: with a range, snapper keeps the larger number while there is room.
pub(super) fn limit(value: &str) -> Option<u32> {
    let number = |text: &str| text.trim().parse::<u32>().ok();
    match value.split_once('-') {
        None => number(value),
        Some((low, high)) => Some(number(low)?.max(number(high)?)),
    }
}

/// How much space should be free, in hundredths of the pool, where it is said as a fraction.
pub(super) fn free(value: &str) -> Option<u8> {
    let share = value.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share))?;
    format!("{:.0}", (share * 100.0).ceil()).parse().ok()
}

/// What becomes of a key with this value, and as what or why not.
pub(super) fn fate(key: &str, value: &str) -> (Fate, &'static str) {
    match key {
        "SUBVOLUME" => (Carried, "as `path`"),
        "FSTYPE" => (Needless, "it is Btrfs"),
        "TIMELINE_CREATE" => (Carried, "as `snapshot`"),
        "TIMELINE_CLEANUP" | "NUMBER_CLEANUP" if value == "yes" => (Carried, "as `keep`"),
        "TIMELINE_CLEANUP" => (Carried, "as a `keep` that keeps everything, if snapshots are taken each hour"),
        "NUMBER_CLEANUP" => {
            (NotCarried, "pairs are cleaned up by the same rules as all others; a tag that is kept lets one stay")
        }
        "TIMELINE_MIN_AGE" | "NUMBER_MIN_AGE" => (Carried, "as `within`, the longer of both, in whole hours"),
        "NUMBER_LIMIT" => range(value, "as `newest`; snapshots of all kinds count"),
        "NUMBER_LIMIT_IMPORTANT" if limit(value) == Some(0) => (Carried, "nothing is kept for being important"),
        "NUMBER_LIMIT_IMPORTANT" => {
            (NotCarried, "all that are tagged `important` are kept, however many: take the tag off those that may go")
        }
        "TIMELINE_LIMIT_HOURLY" => range(value, "as `hourly`"),
        "TIMELINE_LIMIT_DAILY" => range(value, "as `daily`"),
        "TIMELINE_LIMIT_WEEKLY" => range(value, "as `weekly`"),
        "TIMELINE_LIMIT_MONTHLY" => range(value, "as `monthly`"),
        "TIMELINE_LIMIT_QUARTERLY" => range(value, "as `quarterly`"),
        "TIMELINE_LIMIT_YEARLY" => range(value, "as `yearly`"),
        "QGROUP" => (Needless, "room is measured without quotas, which slow Btrfs down"),
        "SPACE_LIMIT" => (NotCarried, "what snapshots take is not limited; the room that is left is"),
        "FREE_LIMIT" if free(value).is_some() => (Carried, "as `yellow` of [space], the largest of all configurations"),
        "FREE_LIMIT" => (NotCarried, "say it as `yellow` of [space], for all pools together"),
        "ALLOW_USERS" | "ALLOW_GROUPS" if value.is_empty() => (Needless, "nobody was allowed"),
        "ALLOW_USERS" | "ALLOW_GROUPS" => (NotCarried, "only root can use subvault; sudo can let others"),
        "SYNC_ACL" => (Needless, "the directory of snapshots is root's"),
        "BACKGROUND_COMPARISON" => (Needless, "differences are found when they are asked for, fast"),
        "COMPRESSION" => (Needless, "lists of files are not stored"),
        "EMPTY_PRE_POST_CLEANUP" if value != "yes" => (Needless, "it was off"),
        "EMPTY_PRE_POST_CLEANUP" => (NotCarried, "pairs without a difference are kept like all others"),
        "EMPTY_PRE_POST_MIN_AGE" => (Needless, "pairs without a difference are kept like all others"),
        _ => (Unknown, "no such key is known of snapper up to 0.13"),
    }
}

fn range(value: &str, carried: &'static str) -> (Fate, &'static str) {
    match limit(value) {
        None => (Unknown, "it is neither a number nor a range, so snapper's own default is used"),
        Some(_) if value.contains('-') => {
            (NotCarried, "of the range the larger number is used; when room gets short, retention shortens by itself")
        }
        Some(_) => (Carried, carried),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_told_in_hundredths() {
        for (value, wanted) in [
            ("0.2", Some(20)),
            ("0", Some(0)),
            ("1", Some(100)),
            ("0.001", Some(1)),
            ("20 GiB", None),
            ("1.5", None),
            ("NaN", None),
        ] {
            assert_eq!(free(value), wanted, "{value}");
        }
    }

    #[test]
    fn of_a_range_the_larger_number_counts() {
        for (value, wanted) in [("50", Some(50)), ("2-10", Some(10)), ("x", None), ("", None), ("3-x", None)] {
            assert_eq!(limit(value), wanted, "{value}");
        }
    }
}
