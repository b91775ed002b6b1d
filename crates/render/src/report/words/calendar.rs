//! Calendar events of systemd in words. What is not known here is shown as it is written.

/// A calendar event in words: `every 30 minutes`, `Sundays at 02:17`.
pub(in crate::report) fn calendar(text: &str) -> String {
    in_words(text).unwrap_or_else(|| format!("`{text}`"))
}

fn in_words(text: &str) -> Option<String> {
    let Some(text) = text.strip_suffix(" UTC") else { return without_zone(text) };
    let words = without_zone(text)?;
    // What comes as often as it says does so on every clock.
    let is_interval = words.starts_with("every ") && !words.contains(':');
    Some(if is_interval { words } else { format!("{words} UTC") })
}

fn without_zone(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split(' ').collect();
    match words.as_slice() {
        ["minutely"] => Some("every minute".to_owned()),
        ["hourly"] => Some("every hour".to_owned()),
        ["daily"] => Some("daily at 00:00".to_owned()),
        ["weekly"] => Some("Mondays at 00:00".to_owned()),
        ["monthly"] => Some("the 1st of each month at 00:00".to_owned()),
        [time] => every_day(time),
        [first, second] => match (day_of_week(first), clock(second)?) {
            (Some(day), time) => Some(format!("{day}s at {time}")),
            (None, time) => Some(format!("{} at {time}", first_of(first)?)),
        },
        [day, date, time] => {
            let months = date.strip_suffix("-01..07")?;
            Some(format!("the first {} of {} at {}", day_of_week(day)?, months_of(months)?, clock(time)?))
        }
        _ => None,
    }
}

/// What happens at times of every day.
fn every_day(time: &str) -> Option<String> {
    if let Some(minutes) = time.strip_prefix("*:00/").or_else(|| time.strip_prefix("*:0/")) {
        return Some(format!("every {} minutes", minutes.parse::<u8>().ok().filter(|minutes| *minutes > 1)?));
    }
    if let Some((first, hours)) = time.strip_suffix(":00").and_then(|time| time.split_once('/')) {
        let (first, hours): (u8, u8) = (first.parse().ok()?, hours.parse().ok()?);
        return Some(format!("every {hours} hours from {first:02}:00"));
    }
    clock(time).map(|time| format!("daily at {time}"))
}

/// `02:17`, also where seconds are given as zero.
fn clock(text: &str) -> Option<&str> {
    let time = text.strip_suffix(":00").filter(|time| time.len() == 5).unwrap_or(text);
    let (hours, minutes) = time.split_once(':')?;
    let is_number = |digits: &str| digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(hours) && is_number(minutes)).then_some(time)
}

fn day_of_week(text: &str) -> Option<&'static str> {
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    DAYS.into_iter().find(|day| text.len() >= 3 && day.starts_with(text))
}

fn first_of(date: &str) -> Option<String> {
    Some(format!("the 1st of {}", months_of(date.strip_suffix("-01")?)?))
}

/// `*-*`: each month; `*-01,04`: these of each year.
fn months_of(text: &str) -> Option<String> {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let months = text.strip_prefix("*-")?;
    if months == "*" {
        return Some("each month".to_owned());
    }
    let name = |number: &str| MONTHS.get(number.parse::<usize>().ok()?.checked_sub(1)?).map(|&name| name.to_owned());
    Some(super::listed(&months.split(',').map(name).collect::<Option<Vec<_>>>()?))
}

#[cfg(test)]
mod tests {
    use super::calendar;

    #[test]
    fn events_are_said_in_words() {
        for (text, words) in [
            ("hourly", "every hour"),
            ("02:17", "daily at 02:17"),
            ("02:17:00", "daily at 02:17"),
            ("Sun 03:00", "Sundays at 03:00"),
            ("*:00/30", "every 30 minutes"),
            ("00/4:00", "every 4 hours from 00:00"),
            ("Sat *-*-01..07 02:17", "the first Saturday of each month at 02:17"),
            ("Sat *-01,04,07,10-01..07 04:00", "the first Saturday of January, April, July and October at 04:00"),
            ("*-*-01 04:00", "the 1st of each month at 04:00"),
            ("hourly UTC", "every hour"),
            ("*:00/30 UTC", "every 30 minutes"),
            ("00/4:00 UTC", "every 4 hours from 00:00 UTC"),
            ("Sun 02:00 UTC", "Sundays at 02:00 UTC"),
            ("Mon..Fri 09:00 UTC", "`Mon..Fri 09:00 UTC`"),
            ("Mon..Fri 09:00", "`Mon..Fri 09:00`"),
            ("*-*-* 25", "`*-*-* 25`"),
            ("00/0x:00", "`00/0x:00`"),
            ("*-13-01 04:00", "`*-13-01 04:00`"),
        ] {
            assert_eq!(calendar(text), words);
        }
    }
}
