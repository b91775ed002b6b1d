//! How much room snapshots will take, from how much changes (P4). Estimates, and said to be. Pure.

use serde::Serialize;
use subvault_model::bytesize::ByteSize;
use subvault_model::facts::{PoolFacts, SubvolumeFacts};

use super::decision::Decision;
use super::snapshots::kept;
use super::workload::Workload;
use crate::keep::Keep;

/// How much of a subvolume there is, how much of it changes in a day, and how much room its snapshots will take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// How much data it has.
    pub size: Decision<ByteSize>,
    /// How much is written anew in a day.
    pub change_per_day: Decision<ByteSize>,
    /// How much room its snapshots take beyond it, once all that retention keeps are there.
    pub snapshots: ByteSize,
}

/// Of what is written, how much takes the place of something that a snapshot then holds, in hundredths; the rest is growth.
const REPLACES_PERCENT: u64 = 50;

/// What share of a pool's data a subvolume is taken to have next to others, where it was not measured; and how many hundredths of a
/// hundredth of that change in a day.
const fn assumed(workload: Workload) -> (u64, u64) {
    match workload {
        Workload::System => (4, 20),
        Workload::User => (16, 50),
        Workload::Development => (6, 200),
        Workload::Database => (4, 500),
        Workload::Application => (4, 100),
        Workload::Container => (6, 200),
        Workload::VirtualMachine => (16, 200),
        Workload::PackageStore => (5, 50),
        Workload::Log => (1, 300),
        Workload::Cache => (2, 1000),
        Workload::Temporary => (1, 2000),
        Workload::Swap | Workload::Archive => (0, 0),
        Workload::Backup => (8, 100),
    }
}

/// What is expected of each of these subvolumes, which are on one pool.
#[must_use]
pub fn sizes(
    pool: &PoolFacts,
    subvolumes: &[(&SubvolumeFacts, Workload)],
) -> Vec<(Decision<ByteSize>, Decision<ByteSize>)> {
    let weights: u64 = subvolumes.iter().map(|(_, workload)| assumed(*workload).0).sum();
    let measure = |(facts, workload): &(&SubvolumeFacts, Workload)| {
        let (weight, change) = assumed(*workload);
        let share = |of: u64, weight: u64, all: u64| -> ByteSize {
            let part = u128::from(of) * u128::from(weight) / u128::from(all.max(1));
            ByteSize::bytes(u64::try_from(part).unwrap_or(u64::MAX))
        };
        let size = share(pool.used.get(), weight, weights);
        let size = Decision::new(size, "its usual share of what the pool holds; it was not measured");
        let changed = match facts.change {
            Some(rate) => {
                Decision::new(rate.per_day, format!("measured between two snapshots, {} hours apart", rate.hours))
            }
            None => {
                Decision::new(share(size.value.get(), change, 10_000), "usual for what it is used for; not measured")
            }
        };
        (size, changed)
    };
    subvolumes.iter().map(measure).collect()
}

/// How much room the snapshots of a subvolume take once all that is kept is there.
#[must_use]
pub fn room(change_per_day: ByteSize, keep: Option<&Keep>) -> ByteSize {
    let Some(keep) = keep else { return ByteSize::ZERO };
    let days = u128::from(kept(keep).days);
    let room = u128::from(change_per_day.get()) * days * u128::from(REPLACES_PERCENT) / 100;
    ByteSize::bytes(u64::try_from(room).unwrap_or(u64::MAX))
}

/// The room on a pool as it will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PoolForecast {
    /// Its uuid.
    pub uuid: String,
    /// How much it can hold.
    pub size: ByteSize,
    /// How much data it holds now.
    pub used: ByteSize,
    /// How much more fits.
    pub free: ByteSize,
    /// How much of that snapshots will take.
    pub snapshots: ByteSize,
    /// How many hundredths of its data that is.
    pub overhead_percent: u64,
}

impl PoolForecast {
    /// For this pool, on which snapshots will take so much.
    #[must_use]
    pub fn new(pool: &PoolFacts, snapshots: ByteSize) -> Self {
        let overhead = u128::from(snapshots.get()) * 100 / u128::from(pool.used.get().max(1));
        Self {
            uuid: pool.uuid.to_string(),
            size: pool.size,
            used: pool.used,
            free: pool.free,
            snapshots,
            overhead_percent: u64::try_from(overhead).unwrap_or(u64::MAX),
        }
    }
}
