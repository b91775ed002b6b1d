//! Retention in btrbk's words, `20d 10w *m`, as ours. Never keeps less: btrbk's `20d` reaches from today to the day that is
//! 20 days ago, which are 21 days.

use super::super::draft::{FOREVER_YEARS, Keep};

/// The rules of `…_preserve_min` and `…_preserve`; `None` where btrbk would not read them.
pub(super) fn keep(words: &str) -> Option<Keep> {
    let mut keep = Keep::default();
    for word in words.split_whitespace() {
        match word.strip_suffix('+') {
            Some("all") => return Some(Keep::everything()),
            Some("latest") => keep.newest = Some(1),
            Some(always) => {
                let (count, unit) = split(always)?;
                keep.within_hours = Some(count?.saturating_add(1).saturating_mul(hours(unit)?));
            }
            None => {
                let (count, unit) = split(word)?;
                let (place, yearly) = period(unit)?;
                keep.periods[place] = match count {
                    Some(0) => 0,
                    Some(count) => count.saturating_add(1),
                    None => yearly * FOREVER_YEARS,
                };
            }
        }
    }
    // There is always a newest one; btrbk needs it as a parent as well.
    if keep == Keep::default() {
        keep.newest = Some(1);
    }
    Some(keep)
}

/// A number and its unit; the number is `None` for `*`.
fn split(word: &str) -> Option<(Option<u32>, char)> {
    let unit = word.chars().next_back()?.to_ascii_lowercase();
    let count = &word[..word.len() - unit.len_utf8()];
    if count == "*" { Some((None, unit)) } else { Some((Some(count.parse().ok()?), unit)) }
}

/// How long a unit is at most.
fn hours(unit: char) -> Option<u32> {
    Some(match unit {
        'h' => 1,
        'd' => 24,
        'w' => 7 * 24,
        'm' => 31 * 24,
        'y' => 366 * 24,
        _ => return None,
    })
}

/// Its place among our periods, and how many there are in a year at most.
fn period(unit: char) -> Option<(usize, u32)> {
    Some(match unit {
        'h' => (0, 366 * 24),
        'd' => (1, 366),
        'w' => (2, 53),
        'm' => (3, 12),
        'y' => (5, 1),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_nothing_is_kept_for_less_long() {
        let forever = Some(FOREVER_YEARS * 366 * 24);
        for (words, newest, within_hours, periods) in [
            ("all+", None, forever, [0; 6]),
            ("all+ 14d", None, forever, [0; 6]),
            ("latest+", Some(1), None, [0; 6]),
            ("", Some(1), None, [0; 6]),
            ("2d+ 14d", None, Some(72), [0, 15, 0, 0, 0, 0]),
            ("6h+ 48h 20d 10w *m 3y", None, Some(7), [49, 21, 11, 1200, 0, 4]),
            ("1m+ 0d", None, Some(62 * 24), [0; 6]),
        ] {
            let wanted = Keep { newest, within_hours, periods, ..Keep::default() };
            assert_eq!(keep(words), Some(wanted), "{words}");
        }
        for words in ["d", "5", "5x", "*d+", "-5d", "é"] {
            assert!(keep(words).is_none(), "{words}");
        }
    }
}
