//! Lives a strategy through in virtual time: what there would be after months, and what would be lost at the worst moment.
//!
//! It decides nothing: snapshots come by the calendar and go by the very rules that a run uses. Sizes are what the strategy
//! expects. Failures are told beforehand, so that the same scenario gives the same months. Pure.

mod clock;
mod ledger;
mod retention;
pub mod scenario;
mod series;
mod store;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use subvault_model::bytesize::ByteSize;
use subvault_model::names::{SubvolumeName, TargetName};

use self::clock::{Clock, Moment};
pub use self::clock::{Failure, OffHours};
use self::retention::Retention;
use self::series::Series;
use self::store::Store;
use crate::calendar::Calendar;
use crate::cost::holdings::Stored;
use crate::keep::Keep;

/// What is lived through.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// When it begins.
    pub from: Timestamp,
    /// For how many months.
    pub months: u32,
    /// Where the clock on the wall is.
    pub zone: TimeZone,
    /// The subvolumes.
    pub subvolumes: Vec<SimulatedSubvolume>,
    /// Where they are sent.
    pub targets: Vec<SimulatedTarget>,
    /// What goes wrong.
    pub failures: Vec<Failure>,
}

/// A subvolume as far as its sizes go.
#[derive(Debug, Clone)]
pub struct SimulatedSubvolume {
    /// Its name.
    pub name: SubvolumeName,
    /// When its snapshots are taken.
    pub schedule: Option<Calendar>,
    /// Which of them stay.
    pub keep: Option<Keep>,
    /// How large it is at first.
    pub size: ByteSize,
    /// How much of it is written anew in a day while the host is on.
    pub change_per_day: ByteSize,
    /// How much of that adds to its size, in hundredths; the rest takes the place of something.
    pub growth_percent: u8,
    /// Where it is sent to, and when.
    pub sends: Vec<(TargetName, Calendar)>,
}

/// A target as far as its sizes go.
#[derive(Debug, Clone)]
pub struct SimulatedTarget {
    /// Its name.
    pub name: TargetName,
    /// After how many days a new chain begins; `None`: never.
    pub full_every_days: Option<u32>,
    /// How many chains stay.
    pub keep_generations: u32,
    /// For how many days the youngest stream of a chain must have been there before the chain goes.
    pub gc_waits_days: u32,
    /// What stays of what is stored after compression, in hundredths.
    pub compressed_percent: u8,
    /// How much a second comes back from there.
    pub restore_per_second: ByteSize,
    /// How long it takes until what is stored there can be read.
    pub thaw: SignedDuration,
    /// Whether it is away from the machine.
    pub is_elsewhere: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Simulation {
    /// How things stood at the end of each month.
    pub months: Vec<Month>,
    /// The worst of each subvolume.
    pub worst: Vec<Worst>,
    /// What happened that is worth telling.
    pub events: Vec<Event>,
    /// What was ever stored at each target: what its bill is made from.
    #[serde(skip)]
    pub stored: Vec<StoredAt>,
}

/// What was ever stored at a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAt {
    /// Its name.
    pub name: TargetName,
    /// How many subvolumes were sent there.
    pub subvolumes: usize,
    /// The streams. Days are counted from the beginning, and subvolumes are those that were sent, in the scenario's order.
    pub streams: Vec<Stored>,
}

/// How things stand at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Month {
    /// When.
    pub at: Timestamp,
    /// How many snapshots there are, of each subvolume.
    pub snapshots: Vec<(SubvolumeName, usize)>,
    /// How much data there is.
    pub data: ByteSize,
    /// How much room snapshots take beyond it.
    pub snapshot_room: ByteSize,
    /// What each target has.
    pub targets: Vec<TargetMonth>,
}

/// What a target has at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetMonth {
    /// Its name.
    pub name: TargetName,
    /// How much is stored there.
    pub stored: ByteSize,
    /// In how many streams.
    pub streams: usize,
    /// How many streams the longest chain has.
    pub longest_chain: usize,
    /// How much was sent there in this month.
    pub sent: ByteSize,
}

/// The worst that was seen of a subvolume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Worst {
    /// Its name.
    pub subvolume: SubvolumeName,
    /// How much work a deleted file would have cost: the time for which the host was on since the last snapshot.
    pub file: Option<SignedDuration>,
    /// How much work a dead disk would have cost: the time since the newest snapshot that was elsewhere; `None`: all of it.
    pub disk: Option<SignedDuration>,
    /// How long bringing all of it back from there would have taken.
    pub back: Option<SignedDuration>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What, in a sentence.
    pub what: String,
}

/// Lives it through.
#[must_use]
pub fn simulate(scenario: &Scenario) -> Simulation {
    let mut world = World::new(scenario);
    let mut month_ends = month_ends(scenario).into_iter().peekable();
    let mut clock = Clock::new(scenario);
    while let Some(moment) = clock.go_on(world.next_due()) {
        world.now = moment.real;
        while month_ends.peek().is_some_and(|end| *end <= moment.real) {
            month_ends.next().into_iter().for_each(|end| world.end_month(end));
        }
        if moment.is_on {
            world.live(&moment);
        } else {
            world.sleep(&moment);
        }
    }
    month_ends.for_each(|end| world.end_month(end));
    world.simulation()
}

fn month_ends(scenario: &Scenario) -> Vec<Timestamp> {
    let begin = scenario.from.to_zoned(scenario.zone.clone());
    let end = |month: u32| begin.checked_add(jiff::Span::new().months(i64::from(month))).ok().map(|z| z.timestamp());
    (1..=scenario.months).filter_map(end).collect()
}

/// Everything there is, on the way.
struct World<'a> {
    scenario: &'a Scenario,
    now: Timestamp,
    series: Vec<Series<'a>>,
    stores: Vec<Store<'a>>,
    months: Vec<Month>,
    events: Vec<Event>,
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let series = |(place, facts)| Series::new(place, facts, &scenario.zone, scenario.from);
        Self {
            scenario,
            now: scenario.from,
            series: scenario.subvolumes.iter().enumerate().map(series).collect(),
            stores: scenario.targets.iter().map(|t| Store::new(t, scenario)).collect(),
            months: Vec::new(),
            events: Vec::new(),
        }
    }

    /// When the first of what is known to come is due; what is due already waits for the host or a target.
    fn next_due(&self) -> Option<Timestamp> {
        let snapshots = self.series.iter().filter_map(|series| series.next_due(self.now));
        snapshots.chain(self.stores.iter().filter_map(|store| store.next_due(self.now))).min()
    }

    /// A stretch in which the host is on.
    fn live(&mut self, moment: &Moment) {
        for series in &mut self.series {
            series.work(moment);
            series.note_worst(moment, &self.stores);
            series.take_if_due(moment);
        }
        for store in &mut self.stores {
            store.come_and_go(moment, self.scenario, &mut self.events);
            for series in &self.series {
                store.send_if_due(series, moment, &mut self.events);
            }
        }
        let mut retention = Retention::new(moment.shown, &self.scenario.zone);
        for series in &mut self.series {
            series.prune_if_due(moment, &self.stores, &mut retention);
        }
    }

    /// One in which it is off: nothing changes, and a dead disk would cost the same.
    fn sleep(&mut self, moment: &Moment) {
        for series in &mut self.series {
            series.note_worst(moment, &self.stores);
        }
    }

    fn end_month(&mut self, at: Timestamp) {
        self.months.push(Month {
            at,
            snapshots: self.series.iter().map(|s| (s.name().clone(), s.snapshots())).collect(),
            data: self.series.iter().map(Series::size).sum(),
            snapshot_room: self.series.iter().map(Series::room).sum(),
            targets: self.stores.iter_mut().map(Store::end_month).collect(),
        });
    }

    fn simulation(self) -> Simulation {
        let worst = self.series.iter().map(Series::worst).collect();
        let stored = self.stores.into_iter().map(Store::finish).collect();
        Simulation { months: self.months, worst, events: self.events, stored }
    }
}
