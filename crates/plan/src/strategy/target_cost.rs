//! What the targets of a strategy will cost, month by month: the archive that each gets in the sizes that the strategy expects,
//! at the prices of its provider and class. Pure.

use jiff::civil::Date;
use serde::Serialize;
use subvault_model::bytesize::ByteSize;
use subvault_model::names::TargetName;

use super::archive_model::archive;
use super::{Strategy, TargetKind, TargetStrategy};
use crate::cost::forecast::{Forecast, forecast};
use crate::cost::holdings::Archive;
use crate::cost::table::Tables;
use crate::cost::tariff::Tariff;

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

/// What the buckets cost in the next `months` months (at most 120) from `start` on. Left out is what nothing can be told of: a
/// provider that charges nothing that is known, a class without prices, a target to which nothing is sent or of unknown size.
#[must_use]
pub fn target_costs(strategy: &Strategy, tables: &Tables, start: Date, months: u32) -> Vec<TargetCost> {
    strategy.targets.iter().filter_map(|target| of_target(strategy, target, tables, start, months)).collect()
}

fn of_target(
    strategy: &Strategy,
    target: &TargetStrategy,
    tables: &Tables,
    start: Date,
    months: u32,
) -> Option<TargetCost> {
    let Priced { archive, tariff } = priced(strategy, target, tables)?;
    let all: ByteSize = archive.subvolumes.iter().map(|subject| subject.full).sum();
    (all > ByteSize::ZERO).then(|| TargetCost {
        target: target.name.clone(),
        provider: tariff.provider.title.clone(),
        class: tariff.bulk.title.clone(),
        as_of: tariff.provider.as_of,
        doubt: tariff.provider.doubt.clone(),
        forecast: forecast(&archive, &tariff, start, months, None),
    })
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
    let TargetKind::Bucket { provider, class } = &target.kind else { return None };
    let prices = tables.provider(provider).filter(|prices| prices.charges())?;
    let tariff = Tariff::new(prices, class.as_deref(), None).ok()?;
    let schedule = match &target.schedule {
        None => None,
        Some(None) => return None,
        Some(Some(calendar)) => Some(calendar.as_str()),
    };
    let sent = strategy.subvolumes.iter().filter(|subvolume| target.subvolumes.contains(&subvolume.name));
    Some(Priced { archive: archive(sent, target.kept, schedule), tariff })
}
