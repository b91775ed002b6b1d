//! Calendar events mean what systemd says they mean: each is given to `systemd-analyze calendar` as well.

use std::process::Command;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use subvault_plan::calendar::Calendar;

/// Moments to begin from: an ordinary one, a leap day, the ends of a month and a year, and where clocks change.
const FROM: [&str; 7] = [
    "2026-03-01 10:10:10",
    "2028-02-29 00:00:00",
    "2026-12-31 23:59:59",
    "2026-04-30 21:59:59",
    "2026-10-24 22:10:00",
    "2026-10-25 00:40:00",
    "2026-03-28 23:30:00",
];

const ZONES: [&str; 4] = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"];

const EVENTS: [&str; 44] = [
    "minutely",
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "semiannually",
    "yearly",
    "annually Europe/Berlin",
    "weekly UTC",
    "Sun 03:00",
    "*-*-01 04:00",
    "Mon-Fri 9:00",
    "mon..wed,sat *-1..3-1/5 8,20:15",
    "*-02~01",
    "Mon *-05~07/1",
    "*-*~1..3",
    "*-*~9/4 1:00",
    "12:5",
    "*-*-*",
    "Fri",
    "Saturday,Sun 6:30",
    "03-05",
    "*-*-31",
    "*-02-29",
    "Thu,Fri 2026-*-1,5 11:12:13",
    "2030-2-3",
    "31-1-1 7:00",
    "0/2:00",
    "*-*-1..7 18:00:00",
    "*:0/15:10/20",
    "*-*-* *:*:30",
    "*-*-* *:*:*",
    "Mon,",
    "*-*-01/3",
    "*-*-* 02:30 Europe/Berlin",
    "*-*-* 02:15,30",
    "Sun *-*-1..7 02:00..03:00/20",
    "2027..2029-06-15 12:00 America/New_York",
    "*-*-10..20/5 5,6..8:07",
    "Fri *-*-13",
    "hourly UTC",
    "*:00/15 UTC",
    "01:00 UTC",
];

const NONE: [&str; 24] = [
    "",
    "*:*/5",
    "2026-13-01",
    "10..8:00",
    "Sat..Mon",
    "24:00",
    "*-*-0",
    "5..3-1-1",
    "*-4..2-1",
    "1/0:00",
    "daily daily",
    "now",
    "Mon Tue",
    "UTC",
    "*-*-* 1:2:3:4",
    "-1:00",
    "1970-1-1-1",
    "12",
    "*-*-* 12:60",
    "Frx 1:00",
    "1:",
    ":1",
    "*-~1",
    "*-*-* 1:00 Nowhere/Nothing",
];

fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

#[expect(clippy::disallowed_methods, reason = "the oracle is a program; the planner itself starts none")]
fn systemd(event: &str, from: &str, local: &str) -> Option<Vec<Timestamp>> {
    let output = Command::new("systemd-analyze")
        .args(["calendar", "--iterations=5", &format!("--base-time={from} UTC"), event])
        .env("TZ", local)
        .env("LC_ALL", "C")
        .output()
        .expect("systemd-analyze is there");
    let text = String::from_utf8(output.stdout).unwrap();
    // In another zone than UTC each moment is followed by the same in UTC.
    let moment = |line: &str| {
        let (what, when) = line.trim().split_once(": ")?;
        let is_one =
            if local == "UTC" { what == "Next elapse" || what.starts_with("Iter.") } else { what == "(in UTC)" };
        let when = when.split_once(' ')?.1.strip_suffix(" UTC")?;
        is_one.then(|| format!("{}Z", when.replace(' ', "T")).parse().unwrap())
    };
    output.status.success().then(|| text.lines().filter_map(moment).collect())
}

#[test]
fn events_come_when_systemd_says() {
    let mut compared = 0;
    for event in EVENTS {
        let calendar = Calendar::parse(event, &zone).unwrap();
        for local in ZONES {
            for from in FROM {
                let wanted = systemd(event, from, local).unwrap();
                let mut at: Timestamp = format!("{}Z", from.replace(' ', "T")).parse().unwrap();
                let mut found = Vec::new();
                while found.len() < 5
                    && let Some(next) = calendar.next(at, &zone(local).unwrap())
                {
                    found.push(next);
                    at = next;
                }
                assert_eq!(found, wanted, "`{event}` from {from} in {local}");
                compared += found.len();
            }
        }
    }
    assert!(compared > 5000, "only {compared}");
}

/// The hour that comes twice: what is said of the wall comes once, so that "hourly" has two hours then; in UTC it has one.
#[test]
fn the_hour_that_comes_twice_is_passed_over_by_systemd_too() {
    let from = "2026-10-24 23:30:00";
    let apart = |event: &str| {
        let times = systemd(event, from, "Europe/Berlin").unwrap();
        let calendar = Calendar::parse(event, &zone).unwrap();
        let ours = std::iter::successors(Some(times[0]), |at| calendar.next(*at, &zone("Europe/Berlin").unwrap()));
        assert_eq!(ours.take(times.len()).collect::<Vec<_>>(), times);
        times.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_hours()).max().unwrap()
    };
    assert_eq!((apart("hourly"), apart("hourly UTC")), (2, 1));
    assert_eq!((apart("02:00"), apart("01:00 UTC")), (25, 24));
}

#[test]
fn what_systemd_refuses_is_refused() {
    for event in NONE {
        assert_eq!(systemd(event, FROM[0], "UTC"), None, "systemd takes `{event}`");
        let error = Calendar::parse(event, &zone).expect_err(event).to_string();
        assert!(error.contains("is not a calendar event: "), "{error}");
    }
}

#[test]
fn an_event_that_is_over_never_comes_again() {
    let past = Calendar::parse("2020-01-01", &zone).unwrap();
    assert_eq!(past.next("2026-01-01T00:00:00Z".parse().unwrap(), &TimeZone::UTC), None);
    let never = Calendar::parse("*-02-30", &zone).unwrap();
    assert_eq!(never.next("2026-01-01T00:00:00Z".parse().unwrap(), &TimeZone::UTC), None);
    assert_eq!(past.to_string(), "2020-01-01");
}

proptest::proptest! {
    #[test]
    fn no_text_is_too_odd(text in "[*0-9a-zA-Z.,:/~ -]{0,24}") {
        let _ = Calendar::parse(&text, &zone);
    }
}
