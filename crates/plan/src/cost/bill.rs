//! The bill of a month: one line for each thing that is charged, with how it came about.
//!
//! Each amount times its price is computed exactly and rounded once; the total is the sum of the lines and nothing else.

use serde::Serialize;
use subvault_model::bytesize::ByteSize;

use super::money::Money;
use super::price::ClassPrices;
use super::restore_lines;
use super::tariff::Tariff;
use super::usage::{Held, Requests, Usage, size};

/// What is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// The provider's base price.
    Base,
    /// Chunks that are kept.
    Storage,
    /// Manifests and pointers that are kept.
    Metadata,
    /// What is charged for objects beyond their size.
    Overhead,
    /// What was deleted before its minimum storage time was over.
    EarlyDeletion,
    /// What storage falls short of the least that is charged.
    MinimumCharge,
    /// Requests.
    Requests,
    /// Bringing objects back from a colder class.
    Retrieval,
    /// The copies of what was brought back.
    ThawedCopy,
    /// What was taken out.
    Egress,
}

/// One line of a bill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BillLine {
    /// What is charged.
    pub item: Item,
    /// How much.
    pub amount: Money,
    /// How it came about, in one sentence.
    pub because: String,
}

/// A bill.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Bill {
    /// Its lines, in the order of `Item`. What costs nothing has none.
    pub lines: Vec<BillLine>,
    /// Their sum.
    pub total: Money,
}

impl Bill {
    /// The bill with these lines.
    #[must_use]
    pub(super) fn of(mut lines: Vec<BillLine>) -> Self {
        lines.retain(|line| !line.amount.is_zero());
        lines.sort_by_key(|line| line.item);
        let total = lines.iter().map(|line| line.amount).sum();
        Self { lines, total }
    }

    /// What is charged for one thing.
    #[must_use]
    pub fn amount(&self, item: Item) -> Money {
        self.lines.iter().filter(|line| line.item == item).map(|line| line.amount).sum()
    }
}

impl BillLine {
    pub(super) fn new(item: Item, amount: Money, because: String) -> Self {
        Self { item, amount, because }
    }
}

/// The bill of a month in which this was used. `usage.days` is how long the month is.
#[must_use]
pub fn bill(tariff: &Tariff<'_>, usage: &Usage) -> Bill {
    let month = Month { tariff, usage, byte_months: byte_months(tariff, usage.days) };
    let mut lines = vec![month.base(), month.storage(), month.metadata(), month.overhead()];
    lines.push(month.minimum_charge(&lines[1..4]));
    lines.push(month.early_deletion());
    lines.push(month.requests());
    lines.extend(restore_lines::of_month(tariff, usage));
    Bill::of(lines)
}

/// How many byte-days a price for storage is for, in a month of so many days.
pub(super) fn byte_months(tariff: &Tariff<'_>, days: u32) -> u128 {
    u128::from(tariff.provider.unit.bytes()) * tariff.provider.price_days(days)
}

/// A month to be billed.
struct Month<'a> {
    tariff: &'a Tariff<'a>,
    usage: &'a Usage,
    /// How many byte-days a price for storage is for.
    byte_months: u128,
}

impl Month<'_> {
    fn base(&self) -> BillLine {
        let amount = self.tariff.provider.base_per_month;
        let included = self.tariff.provider.included_storage;
        let because = format!("the base price of {}, with {included} included", self.tariff.provider.title);
        BillLine::new(Item::Base, amount, because)
    }

    /// What is charged, in byte-days: chunks and manifests, then what is charged beside chunks and manifests. What is
    /// included pays for them in this order. (Where something is included there is one class, so the order is only shown.)
    fn charged(&self) -> [u128; 4] {
        let (bulk, metadata) = (self.usage.bulk, self.usage.metadata);
        let beside = |held: Held, each: ByteSize| {
            held.padding_byte_days.saturating_add(held.object_days.saturating_mul(u128::from(each.get())))
        };
        let (beside_bulk, beside_metadata) =
            (beside(bulk, self.tariff.bulk.overhead), beside(metadata, self.tariff.metadata.overhead));
        let mut left = u128::from(self.tariff.provider.included_storage.get()) * u128::from(self.usage.days);
        [bulk.byte_days, metadata.byte_days, beside_bulk, beside_metadata].map(|kept| {
            let used = kept.min(left);
            left -= used;
            kept - used
        })
    }

    fn storage(&self) -> BillLine {
        let (price, charged) = (self.tariff.bulk.storage, self.charged()[0]);
        let average = self.usage.bulk.average(self.usage.days);
        let used = self.usage.bulk.byte_days - charged;
        let free = if used == 0 { String::new() } else { format!(", {} of it included", self.average(used)) };
        let because = format!("{average} on average{free}, at {}", self.per_unit(price));
        BillLine::new(Item::Storage, price.times(charged, self.byte_months), because)
    }

    fn metadata(&self) -> BillLine {
        let (price, charged) = (self.tariff.metadata.storage, self.charged()[1]);
        let average = self.usage.metadata.average(self.usage.days);
        let because = format!("{average} of manifests and pointers on average, at {}", self.per_unit(price));
        BillLine::new(Item::Metadata, price.times(charged, self.byte_months), because)
    }

    /// Objects that are smaller than what they are charged for, and what is kept beside each.
    fn overhead(&self) -> BillLine {
        let Tariff { bulk, metadata, first, .. } = *self.tariff;
        let [_, _, beside_bulk, beside_metadata] = self.charged();
        let index = |class: &ClassPrices, held: Held| held.object_days.saturating_mul(u128::from(class.index.get()));
        let indexes = index(bulk, self.usage.bulk).saturating_add(index(metadata, self.usage.metadata));
        let parts = [(bulk, beside_bulk), (metadata, beside_metadata), (first, indexes)];
        let amount = parts.iter().map(|(class, kept)| class.storage.times(*kept, self.byte_months)).sum();
        let all = parts.iter().fold(0_u128, |all, (_, kept)| all.saturating_add(*kept));
        let because = format!("{} charged for small objects and beside each object", self.average(all));
        BillLine::new(Item::Overhead, amount, because)
    }

    /// The days that were left of the minimum, paid as if the objects were still there.
    fn early_deletion(&self) -> BillLine {
        let Tariff { bulk, metadata, first, .. } = *self.tariff;
        let mut amount = Money::ZERO;
        for (class, held) in [(bulk, self.usage.bulk), (metadata, self.usage.metadata)] {
            let beside = |each: ByteSize| held.early_object_days.saturating_mul(u128::from(each.get()));
            let (own, index) = (held.early_byte_days.saturating_add(beside(class.overhead)), beside(class.index));
            amount += class.storage.times(own, self.byte_months) + first.storage.times(index, self.byte_months);
        }
        let gone = self.usage.bulk;
        let because = format!(
            "{} deleted before {} days were over, for the {} days that were left on average",
            size(gone.early_bytes),
            bulk.minimum_days,
            gone.early_byte_days / gone.early_bytes.max(1),
        );
        BillLine::new(Item::EarlyDeletion, amount, because)
    }

    fn minimum_charge(&self, storage: &[BillLine]) -> BillLine {
        let least = self.tariff.provider.minimum_per_month;
        let stored: Money = storage.iter().map(|line| line.amount).sum();
        let because = format!("storage costs {} a month at least, and what is stored {stored}", least.exact());
        BillLine::new(Item::MinimumCharge, least.saturating_sub(stored), because)
    }

    fn requests(&self) -> BillLine {
        let Tariff { bulk, metadata, .. } = *self.tariff;
        let (chunks, manifests) = (self.usage.bulk_requests, self.usage.metadata_requests);
        let of = |class: &ClassPrices, asked: Requests| {
            let priced = [
                (class.put, asked.puts),
                (class.part, asked.parts),
                (class.list, asked.lists),
                (class.get, asked.gets),
            ];
            priced.into_iter().map(|(price, count)| price.times(u128::from(count), 1000)).sum::<Money>()
        };
        let mut all = chunks;
        all += manifests;
        let Requests { puts, parts, lists, gets } = all;
        let because = format!("{puts} objects stored, {parts} parts sent, {lists} listings, {gets} reads");
        BillLine::new(Item::Requests, of(bulk, chunks) + of(metadata, manifests), because)
    }

    /// Byte-days as the size that was kept on average.
    fn average(&self, byte_days: u128) -> ByteSize {
        size(byte_days / u128::from(self.usage.days.max(1)))
    }

    fn per_unit(&self, price: Money) -> String {
        format!("{} a {} and month", price.exact(), self.tariff.provider.unit.name())
    }
}
