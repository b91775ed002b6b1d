//! What bringing data back costs: the lines of a bill about it.

use subvault_model::bytesize::ByteSize;

use super::bill::{BillLine, Item};
use super::money::Money;
use super::price::EgressTier;
use super::tariff::Tariff;
use super::usage::{Restored, Usage, size};

/// For how many days the copies of what was thawed are kept: long enough for a slow line, and a second try.
pub const COPY_DAYS: u32 = 7;

/// The lines of a month; what manifests are read for in each run is taken out as well.
pub(super) fn of_month(tariff: &Tariff<'_>, usage: &Usage) -> Vec<BillLine> {
    let stored = usage.bulk.average(usage.days);
    let restored = usage.restored.map_or(0, |restored| u128::from(restored.bytes.get()));
    let mut lines = vec![egress(tariff, size(restored.saturating_add(usage.read)), stored)];
    if let Some(restored) = &usage.restored {
        lines.extend(bringing_back(tariff, restored, usage.days));
    }
    lines
}

/// The lines of one restore, in a month of so many days in which so much is stored.
pub(super) fn of_restore(tariff: &Tariff<'_>, restored: &Restored, stored: ByteSize, days: u32) -> Vec<BillLine> {
    let mut lines = bringing_back(tariff, restored, days);
    lines.push(egress(tariff, restored.bytes, stored));
    lines
}

/// Everything but the way out.
fn bringing_back(tariff: &Tariff<'_>, restored: &Restored, days: u32) -> Vec<BillLine> {
    let (way, unit) = (tariff.bulk.way(restored.speed), tariff.provider.unit);
    let bytes = u128::from(restored.bytes.get());
    let fetched = way.price.times(bytes, u128::from(unit.bytes()));
    let asked = way.per_thousand.times(u128::from(restored.objects), 1000);
    let because = format!(
        "{} brought back ({}), at {} a {}, and {} objects",
        restored.bytes,
        way.speed.name(),
        way.price.exact(),
        unit.name(),
        restored.objects
    );
    let retrieval = BillLine::new(Item::Retrieval, fetched + asked, because);
    let copied = if way.copies { bytes.saturating_mul(u128::from(COPY_DAYS)) } else { 0 };
    let copy = tariff.first.storage.times(copied, super::bill::byte_months(tariff, days));
    let because = format!("a copy of {} in {} for {COPY_DAYS} days", restored.bytes, tariff.first.title);
    let copy = BillLine::new(Item::ThawedCopy, copy, because);
    let reads = tariff.bulk.get.times(u128::from(restored.gets), 1000);
    let because = format!("{} reads of what is brought back", restored.gets);
    vec![retrieval, copy, BillLine::new(Item::Requests, reads, because)]
}

/// What taking so much out of the provider's network costs in a month in which so much is stored.
fn egress(tariff: &Tariff<'_>, out: ByteSize, stored: ByteSize) -> BillLine {
    let rules = &tariff.provider.egress;
    let by_storage = stored.get().saturating_mul(u64::from(rules.times_stored));
    let free = rules.included.get().saturating_add(by_storage);
    let charged = out.saturating_sub(ByteSize::bytes(free));
    let amount = tiered(&rules.tiers, charged, tariff.provider.unit.bytes());
    let because = format!("{out} taken out, {charged} of it beyond what is free");
    BillLine::new(Item::Egress, amount, because)
}

/// Each part of what is charged at the price of its tier.
fn tiered(tiers: &[EgressTier], charged: ByteSize, unit: u64) -> Money {
    let mut begin = 0;
    let mut amount = Money::ZERO;
    for tier in tiers {
        let end = tier.up_to.map_or(charged.get(), |up_to| up_to.get().min(charged.get()));
        amount += tier.price.times(u128::from(end.saturating_sub(begin)), u128::from(unit));
        begin = end.max(begin);
    }
    amount
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_a_tier_has_the_price_of_the_next() {
        let tier = |up_to: Option<u64>, price: u64| EgressTier {
            up_to: up_to.map(ByteSize::gib),
            price: Money::dollars(price),
        };
        let tiers = [tier(Some(10), 3), tier(Some(30), 2), tier(None, 1)];
        let of = |gib: u64| tiered(&tiers, ByteSize::gib(gib), 1 << 30);
        assert_eq!([0, 10, 11, 30, 35].map(of), [0, 30, 32, 70, 75].map(Money::dollars));
        assert_eq!(tiered(&[], ByteSize::gib(5), 1 << 30), Money::ZERO);
    }
}
