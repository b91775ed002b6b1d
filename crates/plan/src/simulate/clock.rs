//! The clock of a simulation: it goes on in steps, is off at night where the host is, and may show a wrong time.

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};
use subvault_model::names::TargetName;

use super::Scenario;

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The host is off every day between these times of the clock on the wall.
    Off(OffHours),
    /// A target cannot be reached for a while.
    Away {
        /// Which.
        target: TargetName,
        /// From when.
        from: Timestamp,
        /// Until when.
        until: Timestamp,
    },
    /// The host's clock is wrong for a while.
    WrongClock {
        /// By how much; ahead if positive.
        by: SignedDuration,
        /// From when.
        from: Timestamp,
        /// Until when.
        until: Timestamp,
    },
}

/// When a host is off each day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffHours {
    /// From this time of the day.
    pub from: Time,
    /// Until this one; of the next day if that is not later.
    pub until: Time,
}

/// A step of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// What time it is.
    pub(super) real: Timestamp,
    /// What the host believes.
    pub(super) shown: Timestamp,
    /// How long it has been since the step before.
    pub(super) passed: SignedDuration,
    /// Whether the host is on.
    pub(super) is_on: bool,
}

/// Steps from the beginning of a scenario to its end.
pub(super) struct Clock<'a> {
    scenario: &'a Scenario,
    step: SignedDuration,
    last: Timestamp,
    next: Timestamp,
    end: Timestamp,
}

impl<'a> Clock<'a> {
    pub(super) fn new(scenario: &'a Scenario) -> Self {
        let begin = scenario.from.to_zoned(scenario.zone.clone());
        let end = begin.checked_add(jiff::Span::new().months(i64::from(scenario.months)));
        let end = end.map_or(scenario.from, |end| end.timestamp());
        Self { scenario, step: step(scenario), last: scenario.from, next: scenario.from, end }
    }
}

/// Steps are not shorter than this.
const LEAST: SignedDuration = SignedDuration::from_mins(5);

/// The longest step: as often as anything happens, and at least every hour.
fn step(scenario: &Scenario) -> SignedDuration {
    const MOST: SignedDuration = SignedDuration::from_hours(1);
    let gap = |calendar: &crate::calendar::Calendar| {
        let first = calendar.next(scenario.from, &scenario.zone)?;
        Some(calendar.next(first, &scenario.zone)?.duration_since(first))
    };
    let schedules = scenario.subvolumes.iter().filter_map(|subvolume| subvolume.schedule.as_ref());
    schedules.filter_map(gap).min().unwrap_or(MOST).clamp(LEAST, MOST)
}

/// The next step: at full hours and their parts, when calendars have their times.
fn after(real: Timestamp, step: SignedDuration) -> Option<Timestamp> {
    let over = real.as_second().rem_euclid(step.as_secs());
    Timestamp::from_second(real.as_second() - over).ok()?.checked_add(step).ok()
}

impl Clock<'_> {
    /// The next step; earlier than at full hours and their parts where something is due before. `None`: it is over.
    pub(super) fn go_on(&mut self, due: Option<Timestamp>) -> Option<Moment> {
        let sooner =
            due.filter(|due| *due < self.next).and_then(|due| Some(due.max(self.last.checked_add(LEAST).ok()?)));
        let real = sooner.map_or(self.next, |sooner| sooner.min(self.next));
        if real > self.end {
            return None;
        }
        let passed = real.duration_since(std::mem::replace(&mut self.last, real));
        self.next = after(real, self.step)?;
        Some(Moment { real, shown: shown(self.scenario, real), passed, is_on: is_on(self.scenario, real) })
    }
}

fn shown(scenario: &Scenario, real: Timestamp) -> Timestamp {
    let wrong = scenario.failures.iter().find_map(|failure| match failure {
        Failure::WrongClock { by, from, until } if (*from..*until).contains(&real) => Some(*by),
        _ => None,
    });
    wrong.and_then(|by| real.checked_add(by).ok()).unwrap_or(real)
}

fn is_on(scenario: &Scenario, real: Timestamp) -> bool {
    let time = scenario.zone.to_datetime(real).time();
    !scenario.failures.iter().any(|failure| match failure {
        Failure::Off(off) if off.from < off.until => (off.from..off.until).contains(&time),
        Failure::Off(off) => time >= off.from || time < off.until,
        _ => false,
    })
}

/// Whether a target can be reached.
pub(super) fn is_away(scenario: &Scenario, name: &TargetName, real: Timestamp) -> bool {
    scenario.failures.iter().any(|failure| match failure {
        Failure::Away { target, from, until } => target == name && (*from..*until).contains(&real),
        _ => false,
    })
}
