//! What bringing everything back once costs, and how long it takes.

use std::time::Duration;

use jiff::SignedDuration;
use serde::Serialize;
use subvault_model::bandwidth::Bandwidth;
use subvault_model::bytesize::ByteSize;

use super::bill::Bill;
use super::generation::longest_chain;
use super::holdings::Archive;
use super::objects::StreamObjects;
use super::price::Speed;
use super::restore_lines::of_restore;
use super::tariff::Tariff;
use super::usage::Restored;
use super::usual::NEVER_DAYS;

/// Days of the month in which it is paid.
const MONTH: u32 = 30;

/// One restore of all subvolumes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoreCost {
    /// How objects are brought back.
    pub speed: Speed,
    /// What is fetched.
    pub bytes: ByteSize,
    /// Until the objects can be read, at the latest.
    pub thawing: SignedDuration,
    /// For fetching them at the given rate.
    pub fetching: SignedDuration,
    /// What it costs.
    pub bill: Bill,
}

impl RestoreCost {
    /// From asking to having.
    #[must_use]
    pub fn takes(&self) -> SignedDuration {
        self.thawing.saturating_add(self.fetching)
    }
}

/// What a restore fetches when the chain of each subvolume is at its longest, just before the next full.
#[must_use]
pub fn everything(archive: &Archive) -> (ByteSize, u64, u64) {
    let mut all = (ByteSize::ZERO, 0_u64, 0_u64);
    for subject in &archive.subvolumes {
        let (full, count, each) = longest_chain(subject, &archive.cadence, NEVER_DAYS);
        for (count, bytes) in [(1, full), (count, each)] {
            let objects = StreamObjects::of(bytes, archive.chunk);
            all.0 += ByteSize::bytes(objects.bytes.saturating_mul(count));
            all.1 = all.1.saturating_add(objects.chunks.saturating_mul(count));
            all.2 = all.2.saturating_add(objects.gets().saturating_mul(count));
        }
    }
    all
}

/// Rounded up.
fn whole_seconds(time: Duration) -> SignedDuration {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// Every way to bring everything back, the cheapest first. `stored` is what lies there, by which some providers measure
/// what may be taken out for nothing.
#[must_use]
pub fn restores(archive: &Archive, tariff: &Tariff<'_>, stored: ByteSize, rate: Bandwidth) -> Vec<RestoreCost> {
    let (bytes, objects, gets) = everything(archive);
    let fetching = whole_seconds(rate.time_for(bytes));
    // What is fetched was stored.
    let stored = stored.max(bytes);
    let largest = archive.subvolumes.iter().map(|subject| subject.full.min(archive.chunk)).max().unwrap_or_default();
    let cost = |way: &super::price::Retrieval| {
        let restored = Restored { bytes, objects, gets, speed: way.speed };
        RestoreCost {
            speed: way.speed,
            bytes,
            thawing: SignedDuration::from_mins(i64::from(way.minutes)),
            fetching,
            bill: Bill::of(of_restore(tariff, &restored, stored, MONTH)),
        }
    };
    let mut costs: Vec<RestoreCost> = tariff.bulk.ways(largest).into_iter().map(cost).collect();
    costs.sort_by_key(|cost| (cost.bill.total, cost.takes()));
    costs
}
