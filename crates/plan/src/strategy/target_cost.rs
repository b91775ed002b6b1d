//! What the targets of a strategy will cost, month by month: what a simulation stored at each, or the archive that each gets in
//! the sizes that the strategy expects, at the prices of its provider and class. Pure.

use jiff::civil::Date;
use serde::Serialize;
use subvault_model::bytesize::ByteSize;
use subvault_model::names::TargetName;

use super::archive_model::archive;
use super::{Strategy, TargetKind, TargetStrategy};
use crate::cost::forecast::{Forecast, Months, bills};
use crate::cost::holdings::{Archive, Holdings};
use crate::cost::table::Tables;
use crate::cost::tariff::Tariff;
use crate::simulate::{Simulation, StoredAt};

/// What a target costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetCost {
    /// Which.
    pub target: TargetName,
    /// What is priced, for people.
    pub provider: String,
    /// The storage class of what is large, for people.
    pub class: String,
    /// The day for which the prices were found.
    pub as_of: Date,
    /// Why the prices may be wrong, where they are not sure.
    pub doubt: Option<String>,
    /// The bills of the months to come.
    pub forecast: Forecast,
}

/// What the buckets cost in the months of a simulation that began on `start`: the bills of what it stored there, so that they
/// are of what happened in it, failures and all. Left out is what nothing can be told of: a provider that charges nothing that
/// is known, a class without prices, a target to which nothing was sent or of unknown size.
#[must_use]
pub fn target_costs(strategy: &Strategy, tables: &Tables, simulation: &Simulation, start: Date) -> Vec<TargetCost> {
    let months = Months::new(start, u32::try_from(simulation.months.len()).unwrap_or(u32::MAX));
    let of = |stored: &StoredAt| {
        let target = strategy.targets.iter().find(|target| target.name == stored.name)?;
        of_target(target, tables, stored, &months)
    };
    simulation.stored.iter().filter_map(of).collect()
}

fn of_target(target: &TargetStrategy, tables: &Tables, stored: &StoredAt, months: &Months) -> Option<TargetCost> {
    let tariff = tariff(target, tables)?;
    let is_sized = stored.streams.iter().any(|stream| stream.bytes > ByteSize::ZERO);
    let holdings = Holdings {
        days: months.days(),
        alike: vec![1; stored.subvolumes],
        chunk: target.kept.chunk,
        stored: stored.streams.clone(),
    };
    is_sized.then(|| TargetCost {
        target: target.name.clone(),
        provider: tariff.provider.title.clone(),
        class: tariff.bulk.title.clone(),
        as_of: tariff.provider.as_of,
        doubt: tariff.provider.doubt.clone(),
        forecast: bills(&holdings, &tariff, months, None),
    })
}

/// The prices of a bucket; `None` where it is none, or they are not known.
fn tariff<'a>(target: &TargetStrategy, tables: &'a Tables) -> Option<Tariff<'a>> {
    let TargetKind::Bucket { provider, class } = &target.kind else { return None };
    let prices = tables.provider(provider).filter(|prices| prices.charges())?;
    Tariff::new(prices, class.as_deref(), None).ok()
}

/// What a target gets, and at which prices.
#[derive(Debug)]
pub struct Priced<'a> {
    /// What it gets.
    pub archive: Archive,
    /// Its prices.
    pub tariff: Tariff<'a>,
}

/// What a bucket gets, and at which prices; `None` where it is none, its prices are not known, or nothing is sent there.
#[must_use]
pub fn priced<'a>(strategy: &Strategy, target: &TargetStrategy, tables: &'a Tables) -> Option<Priced<'a>> {
    let tariff = tariff(target, tables)?;
    let schedule = match &target.schedule {
        None => None,
        Some(None) => return None,
        Some(Some(calendar)) => Some(calendar.as_str()),
    };
    let sent = strategy.subvolumes.iter().filter(|subvolume| target.subvolumes.contains(&subvolume.name));
    Some(Priced { archive: archive(sent, target.kept, schedule), tariff })
}
